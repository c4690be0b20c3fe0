//! What a board says on its console: numbered lines, as fast as the wire takes them, and what is made of them at the other end.
//!
//! Boundary: bytes and counts. Who writes and reads them is known elsewhere.

use brickproof_console::Transcript;
use brickproof_units::{Instant, Span};

/// 115200 Bd: a start bit, eight of data and a stop bit make a byte.
pub(crate) const BYTES_PER_SECOND: u64 = 11_520;
/// Every line has this length, so that its number tells when it was said.
const LINE: usize = 64;

/// The line with this number, as this station's board says it.
fn line(station: usize, number: u64) -> Vec<u8> {
    let head = format!("{number:010} [app.bench] INFO: station {station} ");
    let mut line = format!("{head:-<width$}", width = LINE - 1).into_bytes();
    line.push(b'\n');
    line
}

/// When the last byte of a line is due, counted from the first line.
fn due(number: u64) -> Span {
    Span::nanos((u128::from(number + 1) * LINE as u128 * 1_000_000_000 / u128::from(BYTES_PER_SECOND)) as u64)
}

/// The lines of one board since it was switched on.
pub(crate) struct Speech {
    station: usize,
    /// The line that is counted and not said, to see whether that is noticed.
    lost: Option<u64>,
    /// How many lines were begun.
    begun: u64,
    /// What is left of the last one.
    left: Vec<u8>,
}

impl Speech {
    pub(crate) fn new(station: usize, lost: Option<u64>) -> Self {
        Self { station, lost, begun: 0, left: Vec::new() }
    }

    /// The next bytes.
    pub(crate) fn take(&mut self, count: usize) -> Vec<u8> {
        while self.left.len() < count {
            if self.lost != Some(self.begun) {
                self.left.extend(line(self.station, self.begun));
            }
            self.begun += 1;
        }
        self.left.drain(..count).collect()
    }

    /// How many lines were said to their end.
    pub(crate) fn lines(&self) -> u64 {
        self.begun - self.left.len().div_ceil(LINE) as u64
    }
}

/// What came of it.
#[derive(Clone, Debug, Default)]
pub(crate) struct Heard {
    /// Lines that came as they were said, each counted once.
    pub(crate) lines: u64,
    /// Lines with a smaller number than one before them, and those that came again.
    pub(crate) disordered: u64,
    /// Lines that nobody said.
    pub(crate) strange: u64,
    pub(crate) bytes: u64,
    /// How many reads brought them.
    pub(crate) chunks: u64,
    /// How late lines were stamped, beside the one that was stamped earliest; the smallest first.
    lateness: Vec<Span>,
}

impl Heard {
    pub(crate) fn from(transcript: &Transcript, station: usize) -> Self {
        let mut heard = Self { bytes: transcript.len(), ..Self::default() };
        let (mut rest, mut seen, mut highest) = (Vec::new(), Vec::new(), None);
        let mut stamps: Vec<(Instant, Span)> = Vec::new();
        for (at, bytes) in transcript.stamped() {
            heard.chunks += 1;
            for &byte in bytes {
                rest.push(byte);
                if byte != b'\n' {
                    continue;
                }
                let ended = std::mem::take(&mut rest);
                let number = number(&ended).filter(|number| line(station, *number) == ended);
                let Some((number, index)) = number.and_then(|number| Some((number, usize::try_from(number).ok()?)))
                else {
                    heard.strange += 1;
                    continue;
                };
                if seen.len() <= index {
                    seen.resize(index + 1, false);
                }
                heard.disordered += u64::from(highest.is_some_and(|highest| highest >= number));
                heard.lines += u64::from(!std::mem::replace(&mut seen[index], true));
                highest = highest.max(Some(number));
                stamps.push((at, due(number)));
            }
        }
        // Nobody told this side when the board began to speak: the line that was stamped earliest was in time.
        let began =
            stamps.iter().map(|(at, due)| at.as_nanos().saturating_sub(due.as_nanos())).min().unwrap_or_default();
        heard.lateness = stamps.iter().map(|(at, due)| at.since(Instant::from_nanos(began) + *due)).collect();
        heard.lateness.sort_unstable();
        heard
    }

    /// No more than one line in a thousand was stamped later than this; and none later than that.
    pub(crate) fn lateness(&self) -> (Span, Span) {
        let at = |index: usize| self.lateness.get(index).copied().unwrap_or_default();
        let last = self.lateness.len().saturating_sub(1);
        (at(last - self.lateness.len() / 1_000), at(last))
    }
}

fn number(line: &[u8]) -> Option<u64> {
    std::str::from_utf8(line.get(..10)?).ok()?.parse().ok()
}
