//! A trial's timeline for the viewers of other people: waveforms for GTKWave and PulseView, a trace for Perfetto.
//!
//! Boundary: from the lines of `timeline.jsonl`, in which private keys are masked already, so that the files can be made from kept evidence at
//! any time. What they leave out stands in the timeline.

mod trace;
mod vcd;

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::Value;

use crate::results::TrialResult;

/// What a folder of a trial has beside its timeline once they are made.
pub const FILES: [&str; 2] = ["timeline.vcd", "trace.json"];

/// A timeline that is none, or one that could not be written.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum WavesError {
    /// A line cannot be read.
    #[error("line {line} of the timeline cannot be read")]
    Line {
        /// Which, counted from 1.
        line: usize,
        /// Why.
        #[source]
        source: serde_json::Error,
    },
    /// The waveforms could not be put together.
    #[error("waveforms could not be written")]
    Vcd(#[source] std::io::Error),
}

/// The files for the trial whose timeline this is, each with its name.
///
/// # Errors
/// The timeline cannot be read.
pub fn files(timeline: &str, trial: &TrialResult) -> Result<Vec<(&'static str, Vec<u8>)>, WavesError> {
    let moments = read(timeline)?;
    let [vcd_name, trace_name] = FILES;
    let vcd = vcd::written(&moments, trial).map_err(WavesError::Vcd)?;
    Ok(vec![(vcd_name, vcd), (trace_name, trace::written(&moments, trial))])
}

/// A line of a timeline.
#[derive(Debug, PartialEq)]
struct Moment {
    /// Nanoseconds since the trial began.
    at: u64,
    what: What,
}

/// What viewers show of it.
#[derive(Debug, PartialEq)]
enum What {
    StepBegan(u64),
    StepEnded(u64),
    Asked {
        id: u64,
        command: String,
    },
    Answered {
        id: u64,
        came_to: String,
        fault_began: Option<u64>,
    },
    Progress {
        done: i64,
        total: i64,
    },
    Console(String),
    /// Which light, and what it shows in words.
    Light(u64, String),
    /// Which light, and red, green, blue and clear.
    Sample(u64, [i64; 4]),
    Cloud(String),
    Usb(String),
    Edge {
        line: String,
        rises: bool,
    },
    Triggered(u64),
    Rail {
        microvolts: i64,
        microamperes: i64,
    },
    InstrumentFailed(String),
    Verdict(String),
    /// Something that no viewer is told.
    Other,
}

/// A line as it is written.
#[derive(Deserialize)]
struct Written {
    t: u64,
    kind: String,
    #[serde(default)]
    samples: Vec<[i64; 5]>,
    #[serde(flatten)]
    others: BTreeMap<String, Value>,
}

impl Written {
    fn text(&self, key: &str) -> String {
        match self.others.get(key) {
            Some(Value::String(text)) => text.clone(),
            Some(other) => other.to_string(),
            None => String::new(),
        }
    }

    fn number(&self, key: &str) -> u64 {
        self.others.get(key).and_then(Value::as_u64).unwrap_or_default()
    }

    fn signed(&self, key: &str) -> i64 {
        self.others.get(key).and_then(Value::as_i64).unwrap_or_default()
    }

    fn what(&self) -> What {
        match self.kind.as_str() {
            "step_began" => What::StepBegan(self.number("step")),
            "step_ended" => What::StepEnded(self.number("step")),
            "asked" => What::Asked { id: self.number("id"), command: self.command() },
            "answered" => self.answered(),
            "progress" => What::Progress { done: self.signed("done_bytes"), total: self.signed("total_bytes") },
            "console" => What::Console(self.text("text")),
            "light" => What::Light(self.number("led"), self.text("sight")),
            "cloud" | "identity" => What::Cloud(self.text("event")),
            "usb" => What::Usb(self.text("board")),
            "edge" => What::Edge { line: self.text("line"), rises: self.text("edge") == "rising" },
            "triggered" => What::Triggered(self.number("step")),
            "rail" => What::Rail { microvolts: self.signed("uv"), microamperes: self.signed("ua") },
            "instrument_failed" => What::InstrumentFailed(self.text("error")),
            "verdict" => What::Verdict(self.text("verdict")),
            _ => What::Other,
        }
    }

    /// In words; of a fault its kind.
    fn command(&self) -> String {
        match self.others.get("command").and_then(|it| it.get("inject")).and_then(Value::as_str) {
            Some(fault) => format!("fault {fault}"),
            None => self.text("command"),
        }
    }

    fn answered(&self) -> What {
        let achieved = self.others.get("achieved");
        let fault_began = achieved.and_then(|it| it.get("began_ns")).and_then(Value::as_u64);
        let came_to = self.text(if achieved.is_some() { "achieved" } else { "error" });
        What::Answered { id: self.number("id"), came_to, fault_began }
    }
}

fn read(timeline: &str) -> Result<Vec<Moment>, WavesError> {
    let mut moments = Vec::new();
    for (index, line) in timeline.lines().enumerate() {
        let written: Written =
            serde_json::from_str(line).map_err(|source| WavesError::Line { line: index + 1, source })?;
        if written.kind != "light_samples" {
            moments.push(Moment { at: written.t, what: written.what() });
            continue;
        }
        let led = written.number("led");
        moments.extend(written.samples.iter().map(|[after, counts @ ..]| Moment {
            at: written.t.saturating_add_signed(*after),
            what: What::Sample(led, *counts),
        }));
    }
    // A line of samples stands at the instant of its first.
    moments.sort_by_key(|moment| moment.at);
    Ok(moments)
}
