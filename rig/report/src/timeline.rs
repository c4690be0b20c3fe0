//! `timeline.jsonl`: everything done and seen, one JSON object a line, in the order of the trial's clock: `t` never falls.
//!
//! Boundary: a faithful copy of the engine's record, but for private keys, which are masked. Every line has `t` (nanoseconds since the trial
//! began), `u` (uncertainty in nanoseconds, left out when zero) and `kind`. Light samples are bundled, sixty-four a line, at the instant of
//! the first; `sensor` says how their counts are taken for light. So are the course of the rail (`rail_course`) and the flash operations
//! (`flash`), which only a simulated world knows. A request that drives lines of the board has `drives`: which, and from when to when, in nanoseconds after
//! `t`. What is of another light than the board's first has `led`, its place among the profile's lights, counted from 0. A console line that is one of a log has `log`, what it says taken apart: `boot` (the start of the board that it follows, counted
//! from 1) and `uptime_ms` on the board's own clock, `said_ns` on the trial's, which is no further than `within_ns` from the truth, `level`,
//! `category`, `file`, `line`, `func`, `message`, `code` and `details`, and `explained`, what its numbers mean; what is not there or not known is
//! left out.

mod schema;

use std::collections::BTreeMap;

use brickproof_boards::LedIndex;
use brickproof_console::display;
use brickproof_light::{CalibrationParts, Sample};
use brickproof_scenario::plan::{Edge, Way};
use brickproof_trial::{Achieved, Command, Event, Glimpse, Happening, Progress, Timeline};
use brickproof_units::{Instant, Span};
use serde_json::{Value, json};

use crate::backstage::{Backstage, FlashWork};
use crate::log::Reader;
use crate::results::{asked, fault_kind};
use crate::secrets::Secrets;

pub use schema::schema;

const ENTRIES_A_LINE: usize = 64;
/// As profiles call it.
const RESET: &str = "RESET";

/// The timeline as JSON lines, without `secrets`; with what `sensors` make of light, and what the world knows besides.
pub fn to_json_lines(
    timeline: &Timeline,
    sensors: &[(LedIndex, CalibrationParts)],
    backstage: &Backstage,
    secrets: &Secrets,
) -> String {
    let mut text = String::new();
    let mut log = Reader::new();
    sensors.iter().for_each(|(led, parts)| push(&mut text, &sensor_line(*led, parts)));
    let mut bundles = light_bundles(timeline);
    bundles.extend(rail_bundles(backstage));
    bundles.extend(flash_bundles(backstage));
    bundles.sort_by_key(|(began, _)| *began);
    let mut bundles = bundles.into_iter().peekable();
    for event in timeline.events.iter() {
        while let Some((_, line)) = bundles.next_if(|(began, _)| *began <= event.at) {
            push(&mut text, &line);
        }
        push(&mut text, &event_line(event, &mut log, secrets));
    }
    bundles.for_each(|(_, line)| push(&mut text, &line));
    text
}

fn push(text: &mut String, line: &Value) {
    text.push_str(&line.to_string());
    text.push('\n');
}

fn sensor_line(led: LedIndex, parts: &CalibrationParts) -> Value {
    let CalibrationParts { dark, noise, correction } = parts;
    let mut line = json!({ "t": 0, "kind": "sensor", "dark": dark, "noise": noise, "correction": correction });
    name_light(&mut line, led);
    line
}

/// The samples of every light in bundles, each with its beginning: nanoseconds since `t`, red, green, blue, clear.
fn light_bundles(timeline: &Timeline) -> Vec<(Instant, Value)> {
    let mut lights: BTreeMap<LedIndex, Vec<Sample>> = BTreeMap::new();
    for Glimpse { led, sample } in timeline.samples.iter().copied() {
        lights.entry(led).or_default().push(sample);
    }
    let bundles = lights.iter().flat_map(|(led, samples)| samples.chunks(ENTRIES_A_LINE).map(move |some| (*led, some)));
    let line = |(led, some): (LedIndex, &[Sample])| {
        let (began, integration) = (some[0].at, some[0].integration);
        let row = |it: &Sample| json!([it.at.since(began).get(), it.red, it.green, it.blue, it.clear]);
        let samples: Vec<Value> = some.iter().map(row).collect();
        let mut line = json!({
            "t": began.as_nanos(), "kind": "light_samples", "integration_ns": integration.get(), "samples": samples,
        });
        name_light(&mut line, led);
        (began, line)
    };
    bundles.map(line).collect()
}

/// The course of the rail: nanoseconds since `t`, microvolts.
fn rail_bundles(backstage: &Backstage) -> impl Iterator<Item = (Instant, Value)> {
    backstage.rail.chunks(ENTRIES_A_LINE).map(|some| {
        let began = some[0].0;
        let points: Vec<Value> = some.iter().map(|(at, rail)| json!([at.since(began).get(), rail.get()])).collect();
        (began, json!({ "t": began.as_nanos(), "kind": "rail_course", "points": points }))
    })
}

/// What the flash did: nanoseconds since `t` to its beginning and to its end, what, where, and how much of it was done in parts per million.
fn flash_bundles(backstage: &Backstage) -> impl Iterator<Item = (Instant, Value)> {
    backstage.flash.chunks(ENTRIES_A_LINE).map(|some| {
        let began = some[0].began;
        let row = |it: &FlashWork| {
            let [from, to] = [it.began, it.ended].map(|at| at.since(began).get());
            json!([from, to, it.kind.name(), it.kind.address(), it.completed.get()])
        };
        let operations: Vec<Value> = some.iter().map(row).collect();
        (began, json!({ "t": began.as_nanos(), "kind": "flash", "operations": operations }))
    })
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
            let mut line = json!({ "id": id.0, "command": command_in_words(command, secrets) });
            let drives = drives(command);
            if !drives.is_empty() {
                line["drives"] = drives.into();
            }
            ("asked", line)
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

/// The lines of the board that a command pulls: which, from when, until when.
fn drives(command: &Command) -> Vec<Value> {
    let drive = |line: &str, from: Span, to: Span| json!([line, from.get(), to.get()]);
    let through_reset = |button: &str, reset: Span, hold: Span| {
        vec![drive(button, Span::ZERO, reset + hold), drive(RESET, Span::ZERO, reset)]
    };
    match command {
        Command::Reset { hold } => vec![drive(RESET, Span::ZERO, *hold)],
        Command::Press { button, hold } => vec![drive(button, Span::ZERO, *hold)],
        Command::PressThroughReset { button, reset, hold } => through_reset(button, *reset, *hold),
        Command::Enter(entry) => match (entry.ways().next(), &entry.buttons) {
            (Some(Way::Buttons), Some(buttons)) => match buttons.after_reset() {
                Some(hold) => through_reset(&buttons.button, buttons.reset, hold),
                None => vec![drive(&buttons.button, Span::ZERO, buttons.hold)],
            },
            _ => Vec::new(),
        },
        _ => Vec::new(),
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
