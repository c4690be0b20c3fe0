//! `timeline.vcd`: a value change dump (IEEE 1364) in nanoseconds.
//!
//! Boundary: signals. Rail and light are reals, since that is what viewers draw as curves. A text is a `string`, which GTKWave shows and
//! PulseView leaves out; it has `_` for each blank and `?` for what is not ASCII. A line had, before its first edge, the level that this left.

use std::collections::{BTreeMap, BTreeSet};
use std::io;

use vcd::{IdCode, SimulationCommand, TimescaleUnit, VarType, Writer};

use super::{Moment, What};
use crate::results::TrialResult;

/// The most characters of a text: viewers write it into a strip.
const LONGEST_TEXT: usize = 200;

/// The scope of what an edge was seen of.
const LINES: &str = "lines";

/// A signal by its scope and its name.
type Signal = (String, String);

/// What a signal changes to.
#[derive(Clone, Debug, PartialEq)]
enum Value {
    Level(bool),
    Number(u64),
    Real(f64),
    Text(String),
}

/// The changes of every signal, each with its instant, in their order.
#[derive(Default)]
struct Signals(BTreeMap<Signal, Vec<(u64, Value)>>);

pub(super) fn written(moments: &[Moment], trial: &TrialResult) -> io::Result<Vec<u8>> {
    let signals = signals(moments);
    let mut bytes = Vec::new();
    let mut writer = Writer::new(&mut bytes);
    writer.comment(&format!("brickproof {}", word(&trial.id)))?;
    writer.timescale(1, TimescaleUnit::NS)?;
    let ids = declare(&mut writer, &signals)?;
    writer.enddefinitions()?;
    dump(&mut writer, &signals, &ids)?;
    Ok(bytes)
}

impl Signals {
    fn change(&mut self, at: u64, scope: &str, name: &str, value: Value) {
        let changes = self.0.entry((scope.to_owned(), name.to_owned())).or_default();
        match changes.last_mut() {
            // What is over at the same instant was nothing to see.
            Some((last, before)) if *last == at => *before = value,
            Some((_, before)) if *before == value => {}
            _ => changes.push((at, value)),
        }
    }
}

fn signals(moments: &[Moment]) -> Signals {
    let mut signals = Signals::default();
    let (mut lines, mut held) = (0, BTreeMap::new());
    for Moment { at, what } in moments {
        let at = *at;
        match what {
            What::StepBegan(step) => signals.change(at, "trial", "step", Value::Number(*step)),
            What::StepEnded(_) => signals.change(at, "trial", "step", Value::Number(0)),
            What::Asked { id, command } => {
                signals.change(at, "trial", "asked", Value::Text(word(command)));
                for name in held_by(command) {
                    signals.change(at, "asked", &name, Value::Level(true));
                    held.insert((*id, name), at);
                }
            }
            What::Answered { id, fault_began, .. } => {
                let over: Vec<_> = held.keys().filter(|(asked, _)| asked == id).cloned().collect();
                for key in over {
                    held.remove(&key);
                    signals.change(at, "asked", &key.1, Value::Level(false));
                }
                if let Some(began) = fault_began {
                    signals.change(*began, "trial", "fault", Value::Level(true));
                    signals.change(at, "trial", "fault", Value::Level(false));
                }
            }
            What::Progress { done, .. } => {
                signals.change(at, "firmware", "written_bytes", Value::Number(done.unsigned_abs()));
            }
            What::Console(text) => {
                lines += 1;
                signals.change(at, "console", "lines", Value::Number(lines));
                signals.change(at, "console", "text", Value::Text(word(text)));
            }
            What::Light(led, sight) => signals.change(at, &light(*led), "seen", Value::Text(word(sight))),
            What::Sample(led, counts) => {
                for (name, count) in ["red", "green", "blue", "clear"].into_iter().zip(counts) {
                    signals.change(at, &light(*led), name, Value::Real(*count as f64));
                }
            }
            What::Cloud(event) => signals.change(at, "cloud", "event", Value::Text(word(event))),
            What::Usb(presence) => {
                signals.change(at, "usb", "presence", Value::Text(word(presence)));
                for name in ["normal", "dfu"] {
                    signals.change(at, "usb", name, Value::Level(presence == name));
                }
            }
            What::Edge { line, rises } => signals.change(at, LINES, &word(line), Value::Level(*rises)),
            What::Rail { microvolts, microamperes } => {
                signals.change(at, "supply", "voltage_V", Value::Real(*microvolts as f64 / 1e6));
                signals.change(at, "supply", "current_A", Value::Real(*microamperes as f64 / 1e6));
            }
            What::InstrumentFailed(error) => signals.change(at, "trial", "instrument_failed", Value::Text(word(error))),
            What::Verdict(verdict) => signals.change(at, "trial", "verdict", Value::Text(word(verdict))),
            What::Triggered(_) | What::Other => {}
        }
    }
    signals
}

/// The lines of the board that a request holds until it is answered.
fn held_by(command: &str) -> Vec<String> {
    let mut words = command.split(' ');
    match words.next() {
        Some("reset") => vec!["reset".to_owned()],
        Some("press") => {
            let button = words.next().unwrap_or_default();
            let reset = command.contains(" through a reset ").then(|| "reset".to_owned());
            reset.into_iter().chain([word(button)]).collect()
        }
        _ => Vec::new(),
    }
}

/// The scope of a light, counted from 1 as people do.
fn light(led: u64) -> String {
    if led == 0 { "light".to_owned() } else { format!("light_{}", led + 1) }
}

/// A text as one word of a dump.
fn word(text: &str) -> String {
    let shown = text.chars().take(LONGEST_TEXT).map(|c| match c {
        c if c.is_whitespace() => '_',
        c if c.is_ascii_graphic() => c,
        _ => '?',
    });
    let word: String = shown.collect();
    if word.is_empty() { "_".to_owned() } else { word }
}

/// Declares every signal, scope by scope.
fn declare(writer: &mut Writer<&mut Vec<u8>>, signals: &Signals) -> io::Result<Vec<IdCode>> {
    let mut ids = Vec::with_capacity(signals.0.len());
    let scopes: BTreeSet<&String> = signals.0.keys().map(|(scope, _)| scope).collect();
    writer.add_module("brickproof")?;
    for scope in scopes {
        writer.add_module(scope)?;
        for ((_, name), changes) in signals.0.iter().filter(|((of, _), _)| of == scope) {
            let (kind, width) = match changes.first() {
                Some((_, Value::Level(_))) | None => (VarType::Wire, 1),
                Some((_, Value::Number(_))) => (VarType::Integer, 64),
                Some((_, Value::Real(_))) => (VarType::Real, 64),
                Some((_, Value::Text(_))) => (VarType::String, 1),
            };
            ids.push(writer.add_var(kind, width, name, None)?);
        }
        writer.upscope()?;
    }
    writer.upscope()?;
    Ok(ids)
}

/// What a signal has before anything was seen of it, if that is known.
fn before(scope: &str, first: &Value) -> Option<Value> {
    match first {
        Value::Level(level) if scope == LINES => Some(Value::Level(!level)),
        Value::Level(_) => Some(Value::Level(false)),
        Value::Number(_) => Some(Value::Number(0)),
        Value::Real(_) | Value::Text(_) => None,
    }
}

fn dump(writer: &mut Writer<&mut Vec<u8>>, signals: &Signals, ids: &[IdCode]) -> io::Result<()> {
    let mut all: Vec<(u64, IdCode, &Value)> = Vec::new();
    writer.begin(SimulationCommand::Dumpvars)?;
    for (((scope, _), changes), id) in signals.0.iter().zip(ids) {
        if let Some(value) = changes.first().and_then(|(_, first)| before(scope, first)) {
            put(writer, *id, &value)?;
        }
        all.extend(changes.iter().map(|(at, value)| (*at, *id, value)));
    }
    writer.end()?;
    all.sort_by_key(|(at, ..)| *at);
    let mut now = None;
    for (at, id, value) in all {
        if now != Some(at) {
            writer.timestamp(at)?;
            now = Some(at);
        }
        put(writer, id, value)?;
    }
    Ok(())
}

fn put(writer: &mut Writer<&mut Vec<u8>>, id: IdCode, value: &Value) -> io::Result<()> {
    match value {
        Value::Level(level) => writer.change_scalar(id, *level),
        Value::Number(number) => {
            let digits = (0..=number.checked_ilog2().unwrap_or(0)).rev();
            writer.change_vector(id, digits.map(|digit| ((number >> digit) & 1 == 1).into()))
        }
        Value::Real(real) => writer.change_real(id, *real),
        Value::Text(text) => writer.change_string(id, text),
    }
}
