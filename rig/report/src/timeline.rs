//! `timeline.jsonl`: everything done and seen, one JSON object a line, in the order of the trial's clock: `t` never falls.
//!
//! Boundary: a faithful copy of the engine's record, but for private keys, which are masked. Every line has `t` (nanoseconds since the trial
//! began), `u` (uncertainty in nanoseconds, left out when zero) and `kind`. Light samples are bundled, sixty-four a line, at the instant of
//! the first. What is of another light than the board's first has `led`, its place among the profile's lights, counted from 0. A console line that is one of a log has `log`, what it says taken apart: `boot` (the start of the board that it follows, counted
//! from 1) and `uptime_ms` on the board's own clock, `said_ns` on the trial's, which is no further than `within_ns` from the truth, `level`,
//! `category`, `file`, `line`, `func`, `message`, `code` and `details`, and `explained`, what its numbers mean; what is not there or not known is
//! left out.

mod schema;

use std::collections::BTreeMap;

use brickproof_boards::LedIndex;
use brickproof_console::display;
use brickproof_light::Sample;
use brickproof_scenario::plan::Edge;
use brickproof_trial::{Achieved, Command, Event, Glimpse, Happening, Progress, Timeline};
use brickproof_units::Instant;
use serde_json::{Value, json};

use crate::log::Reader;
use crate::results::{asked, fault_kind};
use crate::secrets::Secrets;

pub use schema::schema;

const SAMPLES_A_LINE: usize = 64;

/// The timeline as JSON lines, without `secrets`.
pub fn to_json_lines(timeline: &Timeline, secrets: &Secrets) -> String {
    let mut text = String::new();
    let mut log = Reader::new();
    let bundles = bundles(timeline);
    let mut bundles = bundles.iter().peekable();
    for event in timeline.events.iter() {
        while let Some(bundle) = bundles.next_if(|it| it.began() <= event.at) {
            push(&mut text, &bundle.line());
        }
        push(&mut text, &event_line(event, &mut log, secrets));
    }
    bundles.for_each(|bundle| push(&mut text, &bundle.line()));
    text
}

fn push(text: &mut String, line: &Value) {
    text.push_str(&line.to_string());
    text.push('\n');
}

/// Some samples of one light, one after the other.
struct Bundle {
    led: LedIndex,
    first: Sample,
    others: Vec<Sample>,
}

impl Bundle {
    fn began(&self) -> Instant {
        self.first.at
    }

    /// `samples`: nanoseconds since `t`, red, green, blue, clear.
    fn line(&self) -> Value {
        let row = |it: &Sample| json!([it.at.since(self.began()).get(), it.red, it.green, it.blue, it.clear]);
        let rows = std::iter::once(&self.first).chain(&self.others).map(row);
        let mut line = json!({
            "t": self.began().as_nanos(), "kind": "light_samples", "integration_ns": self.first.integration.get(),
            "samples": rows.collect::<Vec<_>>(),
        });
        name_light(&mut line, self.led);
        line
    }
}

/// The samples of every light in bundles, by their beginnings.
fn bundles(timeline: &Timeline) -> Vec<Bundle> {
    let mut finished: Vec<Bundle> = Vec::new();
    let mut growing: BTreeMap<LedIndex, Bundle> = BTreeMap::new();
    for Glimpse { led, sample } in timeline.samples.iter().copied() {
        match growing.get_mut(&led) {
            Some(bundle) if bundle.others.len() + 1 < SAMPLES_A_LINE => bundle.others.push(sample),
            _ => finished.extend(growing.insert(led, Bundle { led, first: sample, others: Vec::new() })),
        }
    }
    finished.extend(growing.into_values());
    finished.sort_by_key(Bundle::began);
    finished
}

fn name_light(line: &mut Value, led: LedIndex) {
    if led != LedIndex::FIRST {
        line["led"] = led.0.into();
    }
}

fn event_line(event: &Event, log: &mut Reader, secrets: &Secrets) -> Value {
    let mut line = json!({ "t": event.at.as_nanos() });
    if event.uncertainty.get() != 0 {
        line["u"] = event.uncertainty.get().into();
    }
    let (kind, details) = describe(event, log, secrets);
    line["kind"] = kind.into();
    if let Value::Object(details) = details {
        for (key, value) in details {
            line[key] = value;
        }
    }
    line
}

fn describe(event: &Event, log: &mut Reader, secrets: &Secrets) -> (&'static str, Value) {
    match &event.what {
        Happening::StepBegan { index } => ("step_began", json!({ "step": index })),
        Happening::StepEnded { index } => ("step_ended", json!({ "step": index })),
        Happening::Asked { id, command } => {
            ("asked", json!({ "id": id.0, "command": command_in_words(command, secrets) }))
        }
        Happening::Answered { id, result } => match result {
            Ok(achieved) => ("answered", json!({ "id": id.0, "achieved": achieved_value(achieved) })),
            Err(error) => ("answered", json!({ "id": id.0, "error": error.to_string() })),
        },
        Happening::ConsoleLine { number, began, bytes } => {
            let bytes = secrets.masked(bytes);
            let mut line = json!({ "line": number, "text": display(&bytes) });
            if let Some(read) = log.read(*began, event.uncertainty, &bytes) {
                line["log"] = read;
            }
            ("console", line)
        }
        Happening::Light { led, sight } => {
            let mut line = json!({ "sight": sight.to_string() });
            name_light(&mut line, *led);
            ("light", line)
        }
        Happening::Cloud(event) => ("cloud", json!({ "event": secrets.masked_text(&event.to_string()) })),
        Happening::IdentityChanged { old, new } => {
            let old = old.map(|it| it.to_string());
            let from = old.as_deref().map(|old| format!("from {old} ")).unwrap_or_default();
            let event = format!("the identity of the board changed {from}to {new}");
            ("identity", json!({ "event": event, "old": old, "new": new.to_string() }))
        }
        Happening::Usb(usb) => ("usb", json!({ "board": usb.name() })),
        Happening::Edge { line, edge } => {
            let edge = match edge {
                Edge::Rising => "rising",
                Edge::Falling => "falling",
            };
            ("edge", json!({ "line": line.as_ref(), "edge": edge }))
        }
        Happening::InstrumentFailed(error) => ("instrument_failed", json!({ "error": error.to_string() })),
        Happening::Progress { id, progress } => ("progress", {
            let mut told = progress_value(*progress);
            told["id"] = json!(id.0);
            told
        }),
        Happening::Triggered { step } => ("triggered", json!({ "step": step })),
        Happening::Rail { voltage, current } => ("rail", json!({ "uv": voltage.get(), "ua": current.get() })),
        Happening::Verdict(verdict) => (
            "verdict",
            json!({
                "verdict": verdict.kind.to_string(),
                "blame": verdict.blame.map(|it| it.to_string()),
                "reason": secrets.masked_text(&verdict.reason),
            }),
        ),
    }
}

fn progress_value(progress: Progress) -> Value {
    json!({ "done_bytes": progress.done, "uncertainty_bytes": progress.uncertainty, "total_bytes": progress.total })
}

fn achieved_value(achieved: &Achieved) -> Value {
    match achieved {
        Achieved::Done => json!("done"),
        Achieved::Changed(words) => json!({ "changed": words.as_ref() }),
        Achieved::Firmware(content) => json!({ "firmware": content.to_string() }),
        Achieved::Flashed { bytes } => json!({ "flashed_bytes": bytes }),
        Achieved::Slot(content) => json!({ "slot": format!("{content:?}").to_lowercase() }),
        Achieved::NewIdentity { old, new, words } => json!({
            "identity": { "old": old.map(|it| it.to_string()), "new": new.to_string() }, "changed": words.as_ref(),
        }),
        Achieved::Superseded(why) => json!({ "refused": why.as_ref() }),
        Achieved::KeysDiffer(how) => json!({ "differ": how.as_ref() }),
        Achieved::Asked { by, held, light, usb } => json!({
            "asked_by": by.name(), "held_ns": held.map(|(hold, _)| hold.get()), "uncertainty_ns": held.map(|(_, it)| it.get()),
            "confirmed_by_light": light, "confirmed_by_usb": usb,
        }),
        Achieved::Unserved { by, why, blame } => {
            json!({ "unserved": by.name(), "why": why.as_ref(), "blame": blame.to_string() })
        }
        Achieved::Held { hold, uncertainty } => json!({ "held_ns": hold.get(), "uncertainty_ns": uncertainty.get() }),
        Achieved::Injected(shape) => json!({
            "began_ns": shape.began.as_nanos(), "uncertainty_ns": shape.uncertainty.as_nanos(), "lowest_uv": shape.lowest.get(),
            "below_brown_out_ns": shape.below_brown_out.get(),
        }),
    }
}

fn command_in_words(command: &Command, secrets: &Secrets) -> Value {
    match command {
        Command::Provision => json!("provision"),
        Command::Supply(setting) => json!(setting.to_string()),
        Command::Send(text) => json!(secrets.masked_text(&format!("send {text}"))),
        Command::Reset { hold } => json!(format!("reset for {hold}")),
        Command::Press { button, hold } => json!(format!("press {button} for {hold}")),
        Command::PressThroughReset { button, reset, hold } => {
            json!(format!("press {button} through a reset of {reset}, and for {hold} after it"))
        }
        Command::Enter(entry) => json!(format!("enter {}", entry.mode)),
        Command::Cloud(setting) => json!(setting.to_string()),
        Command::Corrupt { slot, class, part, through } => {
            let part = part.map(|part| format!(" in its {part} part")).unwrap_or_default();
            json!(format!("corrupt {slot}: {class}{part}, through {}", through.name()))
        }
        Command::Keys { work, through } => json!(format!("{work}, through {}", through.name())),
        Command::ReadSlot { slot } => json!(format!("read slot {slot}")),
        Command::ReadFirmware => json!("read the firmware"),
        Command::Flash { transfer, tell_at } => {
            let tell = tell_at.map(|at| format!(", and tell at {at}")).unwrap_or_default();
            json!(format!("flash {}, through {}{tell}", transfer.image.0, transfer.through.name()))
        }
        Command::Inject(injection) => json!({ "inject": fault_kind(&injection.fault), "asked": asked(injection) }),
        Command::WatchRail { minimum } => json!(format!("watch whether the rail passes {minimum}")),
        Command::ReadSupply { every: Some(every) } => json!(format!("read the supply every {every}")),
        Command::ReadSupply { every: None } => json!("stop reading the supply"),
        Command::MakeSafe => json!("make safe"),
    }
}
