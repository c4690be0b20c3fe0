//! `trace.json`: Chrome's trace event format, which ui.perfetto.dev and chrome://tracing read.
//!
//! Boundary: what has a beginning and an end, what happens at an instant, and the supply as counters. The light's samples are left out: a viewer
//! of traces makes nothing of thousands of counts, and the waveforms have them. Instants are microseconds, with the nanoseconds behind the point.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::{Moment, What};
use crate::results::TrialResult;

/// The rows of a trace, from the top.
#[derive(Clone, Copy)]
enum Row {
    Steps = 1,
    Faults,
    Light,
    Console,
    Cloud,
    Board,
}

impl Row {
    const ALL: [(Self, &'static str); 6] = [
        (Self::Steps, "steps"),
        (Self::Faults, "faults"),
        (Self::Light, "light"),
        (Self::Console, "console"),
        (Self::Cloud, "cloud"),
        (Self::Board, "board"),
    ];
}

/// A trial is one process of the viewer.
const PROCESS: u32 = 1;

pub(super) fn written(moments: &[Moment], trial: &TrialResult) -> Vec<u8> {
    let mut trace = Trace { events: headings(trial), end: moments.last().map_or(0, |last| last.at) };
    trace.steps(moments, trial);
    trace.requests(moments);
    trace.lights(moments);
    moments.iter().for_each(|moment| trace.instant(moment));
    let whole = json!({
        "displayTimeUnit": "ms",
        "otherData": {
            "id": trial.id, "scenario": trial.scenario.path, "board": trial.board, "firmware": trial.firmware.name,
            "verdict": trial.verdict, "replay": trial.replay,
        },
        "traceEvents": trace.events,
    });
    whole.to_string().into_bytes()
}

fn headings(trial: &TrialResult) -> Vec<Value> {
    let named = |name: &str, row: u32, to: &str| json!({ "ph": "M", "name": name, "pid": PROCESS, "tid": row, "ts": 0, "args": { "name": to } });
    let rows = Row::ALL.map(|(row, name)| named("thread_name", row as u32, name));
    let order = Row::ALL.map(|(row, _)| {
        let row = row as u32;
        json!({ "ph": "M", "name": "thread_sort_index", "pid": PROCESS, "tid": row, "ts": 0, "args": { "sort_index": row } })
    });
    [named("process_name", 0, &trial.id)].into_iter().chain(rows).chain(order).collect()
}

/// A trace under way.
struct Trace {
    events: Vec<Value>,
    /// The trial's last instant, at which everything ends that has no end of its own.
    end: u64,
}

/// Nanoseconds as the format has them.
fn micros(nanos: u64) -> f64 {
    nanos as f64 / 1e3
}

impl Trace {
    fn slice(&mut self, row: Row, name: &str, began: u64, ended: u64, args: Value) {
        self.events.push(json!({
            "ph": "X", "name": name, "cat": "trial", "pid": PROCESS, "tid": row as u32, "ts": micros(began),
            "dur": micros(ended.saturating_sub(began)), "args": args,
        }));
    }

    fn at(&mut self, row: Row, name: &str, at: u64) {
        self.events.push(json!({
            "ph": "i", "s": "t", "name": name, "cat": "trial", "pid": PROCESS, "tid": row as u32, "ts": micros(at),
        }));
    }

    fn count(&mut self, name: &str, unit: &str, at: u64, value: f64) {
        self.events.push(json!({
            "ph": "C", "name": name, "pid": PROCESS, "ts": micros(at), "args": { unit: value },
        }));
    }

    fn steps(&mut self, moments: &[Moment], trial: &TrialResult) {
        let mut open: Option<(u64, u64)> = None;
        for Moment { at, what } in moments {
            match what {
                What::StepBegan(step) => open = Some((*step, *at)),
                What::StepEnded(step) => {
                    if let Some((_, began)) = open.take_if(|(of, _)| of == step) {
                        self.step(trial, *step, began, *at);
                    }
                }
                _ => {}
            }
        }
        if let Some((step, began)) = open {
            self.step(trial, step, began, self.end);
        }
    }

    fn step(&mut self, trial: &TrialResult, step: u64, began: u64, ended: u64) {
        let known = trial.steps.iter().find(|it| it.index as u64 == step);
        let text = known.map_or_else(|| format!("step {step}"), |it| format!("{step}. {}", it.text));
        let args = known.map(|it| json!({ "line": it.line, "verdict": it.verdict }));
        self.slice(Row::Steps, &text, began, ended, args.unwrap_or_else(|| json!({})));
    }

    /// Requests overlap, so that they are no slices of a row; a fault lasts from when it began until it is over.
    fn requests(&mut self, moments: &[Moment]) {
        let mut asked: BTreeMap<u64, (u64, &str)> = BTreeMap::new();
        for Moment { at, what } in moments {
            match what {
                What::Asked { id, command } => {
                    asked.insert(*id, (*at, command));
                }
                What::Answered { id, came_to, fault_began } => {
                    let Some((began, command)) = asked.remove(id) else { continue };
                    self.request(*id, command, began, *at, came_to);
                    if let Some(fault_began) = fault_began {
                        self.slice(Row::Faults, command, *fault_began, *at, json!({}));
                    }
                }
                _ => {}
            }
        }
        for (id, (began, command)) in asked {
            self.request(id, command, began, self.end, "no answer");
        }
    }

    fn request(&mut self, id: u64, command: &str, began: u64, ended: u64, came_to: &str) {
        let half = |phase: &str, at, args: Value| {
            json!({
                "ph": phase, "name": command, "cat": "request", "id": id, "pid": PROCESS, "tid": Row::Board as u32,
                "ts": micros(at), "args": args,
            })
        };
        self.events.push(half("b", began, json!({})));
        self.events.push(half("e", ended, json!({ "came_to": came_to })));
    }

    /// What each light was seen to do, until it was seen to do something else.
    fn lights(&mut self, moments: &[Moment]) {
        let mut open: BTreeMap<u64, (u64, &str)> = BTreeMap::new();
        for Moment { at, what } in moments {
            if let What::Light(led, sight) = what
                && let Some((since, before)) = open.insert(*led, (*at, sight))
            {
                self.light(*led, before, since, *at);
            }
        }
        for (led, (since, sight)) in open {
            self.light(led, sight, since, self.end);
        }
    }

    fn light(&mut self, led: u64, sight: &str, since: u64, until: u64) {
        match led {
            0 => self.slice(Row::Light, sight, since, until, json!({})),
            // Slices of one row may not overlap by halves.
            _ => self.at(Row::Board, &format!("light {}: {sight}", led + 1), since),
        }
    }

    fn instant(&mut self, Moment { at, what }: &Moment) {
        match what {
            What::Console(text) => self.at(Row::Console, text, *at),
            What::Cloud(event) => self.at(Row::Cloud, event, *at),
            What::Usb(presence) => self.at(Row::Board, &format!("USB: {presence}"), *at),
            What::Edge { line, rises } => self.count(line, "level", *at, f64::from(u8::from(*rises))),
            What::Triggered(step) => self.at(Row::Faults, &format!("the cause of step {step} was seen"), *at),
            What::Rail { microvolts, microamperes } => {
                self.count("rail voltage", "V", *at, *microvolts as f64 / 1e6);
                self.count("current", "A", *at, *microamperes as f64 / 1e6);
            }
            What::Progress { done, .. } => self.count("firmware written", "bytes", *at, *done as f64),
            What::InstrumentFailed(error) => self.at(Row::Board, error, *at),
            What::Verdict(verdict) => self.at(Row::Steps, &format!("verdict: {verdict}"), *at),
            What::StepBegan(_) | What::StepEnded(_) | What::Asked { .. } | What::Answered { .. } => {}
            What::Light(..) | What::Sample(..) | What::Other => {}
        }
    }
}
