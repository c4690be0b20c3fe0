//! What the board's log adds to the evidence: its lines taken apart, their numbers explained, and the starts of the board that its clock tells of.
//!
//! Boundary: a reading beside the lines, which stay as they are. Nothing is judged by it.

use brickproof_console::{ClockLimits, DeviceClock, LogRecord, explain};
use brickproof_trial::{Event, Happening, Timeline};
use brickproof_units::{Instant, Ratio, Span};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

/// An assumption, measured on no board: what waits in front of a line when it is stamped fits into transmit buffers of 256 bytes, 22 ms at
/// 115200 Bd, and no other task holds it up for longer than that again.
const LATENCY: Span = Span::millis(50);
/// An assumption: ten times a crystal's tolerance, and the RC oscillators that some parts count milliseconds with.
const DRIFT: Ratio = Ratio::new(500);

/// A number in a line of the log, explained.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[non_exhaustive]
pub struct ExplainedEntry {
    /// The number, with the sign that its table gives it.
    pub code: i64,
    /// `ProtocolError`, `mbedTLS`, `WICED`, `session`; null if the number is from no table, whatever it looks like.
    pub table: Option<String>,
    /// What the table calls it.
    pub name: Option<String>,
    /// What stands beside the line: table, name and meaning.
    pub text: String,
    /// Where that is written.
    pub source: String,
}

/// A start of the board, as told by the clock of its log.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[non_exhaustive]
pub struct BootEntry {
    /// When it was; null if it was before the trial began.
    pub began_ns: Option<u64>,
    /// The true start is no further than this from it.
    pub uncertainty_ns: u64,
    /// How often the board's clock of 32 bits has come round since.
    pub rounds: u64,
    /// By how much the board's clock is slow (below zero: fast), in parts per million: not less, not more. Null if that is not known.
    pub slow_ppm: Option<[i64; 2]>,
}

/// The numbers of a console line, explained.
pub(crate) fn explained(line: &[u8]) -> Vec<ExplainedEntry> {
    let entry = |it: brickproof_console::Explained| ExplainedEntry {
        code: it.code,
        table: it.table.map(|table| table.to_string()),
        name: it.name.as_deref().map(str::to_owned),
        text: it.to_string(),
        source: it.source.to_owned(),
    };
    explain(line).into_iter().map(entry).collect()
}

/// A line with what its numbers mean behind it, in brackets.
pub(crate) fn annotated(text: &str, explained: &[ExplainedEntry]) -> String {
    explained.iter().fold(text.to_owned(), |text, it| format!("{text} ({})", it.text))
}

/// Reads the lines of one board's log, in the order in which they came.
pub(crate) struct Reader {
    clock: DeviceClock,
}

impl Reader {
    pub(crate) fn new() -> Self {
        Self { clock: DeviceClock::new(ClockLimits { latency: LATENCY, drift: DRIFT }) }
    }

    /// What a line says besides its text; `None` if it is no line of a log.
    pub(crate) fn read(&mut self, began: Instant, uncertainty: Span, line: &[u8]) -> Option<Value> {
        let record = LogRecord::parse(line)?;
        let mut fields = Map::new();
        if let Some(said) = self.clock.hear(began, uncertainty, record.uptime).said() {
            let (said_ns, within_ns) = middle(said.earliest, said.latest);
            let uptime_ms = said.uptime.as_nanos() / 1_000_000;
            fields.insert("boot".into(), said.boot.into());
            fields.insert("uptime_ms".into(), uptime_ms.into());
            fields.insert("said_ns".into(), said_ns.into());
            fields.insert("within_ns".into(), within_ns.into());
        }
        let mut put = |key: &str, value: Option<Value>| {
            if let Some(value) = value {
                fields.insert(key.into(), value);
            }
        };
        put("level", record.level.map(|level| level.name().into()));
        put("category", record.category.map(|text| text.into()));
        put("file", record.file.map(|text| text.into()));
        put("line", record.line.map(Value::from));
        put("func", record.func.map(|text| text.into()));
        put("message", Some(record.message.as_ref().into()));
        put("code", record.attributes.code.map(Value::from));
        put("details", record.attributes.details.map(|text| text.into()));
        put("explained", Some(explained(line)).filter(|all| !all.is_empty()).map(|all| json!(all)));
        Some(fields.into())
    }

    fn boots(&self) -> Vec<BootEntry> {
        let entry = |boot: brickproof_console::Boot| {
            let began = boot.began.map(|(earliest, latest)| middle(earliest, latest));
            BootEntry {
                began_ns: began.map(|(at, _)| at),
                uncertainty_ns: began.map_or(0, |(_, uncertainty)| uncertainty),
                rounds: boot.rounds,
                slow_ppm: boot.rate.map(|rate| [rate.least, rate.most]),
            }
        };
        self.clock.boots().map(entry).collect()
    }
}

/// The starts of the board that its log tells of, in order.
pub(crate) fn boots(timeline: &Timeline) -> Vec<BootEntry> {
    let mut reader = Reader::new();
    for Event { uncertainty, what, .. } in timeline.events.iter() {
        if let Happening::ConsoleLine { began, bytes, .. } = what
            && let Some(record) = LogRecord::parse(bytes)
        {
            reader.clock.hear(*began, *uncertainty, record.uptime);
        }
    }
    reader.boots()
}

/// The middle between two instants, in nanoseconds, and how far they are from it.
fn middle(earliest: Instant, latest: Instant) -> (u64, u64) {
    let half = latest.since(earliest).as_nanos().div_ceil(2);
    (earliest.as_nanos() + latest.since(earliest).as_nanos() / 2, half)
}
