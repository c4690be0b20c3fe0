//! What a board says on its console: numbered lines, as fast as the wire takes them, and what is made of them at the other end.
//!
//! Boundary: bytes and counts. Who writes and reads them is known elsewhere.

use std::collections::BTreeSet;

use brickproof_console::{Lines, Transcript};
use brickproof_units::{Instant, Span};

/// 115200 Bd: a start bit, eight of data and a stop bit make a byte.
pub(crate) const BYTES_PER_SECOND: u64 = 11_520;
/// Every line has this length.
const LINE: usize = 64;
/// Digits of its number, and behind a space those of its instant, and behind another those of its boot.
const NUMBER: usize = 10;
const INSTANT: usize = 20;
const BOOT: usize = 4;
/// The line with which a board falls silent. It is not counted.
pub(crate) const LAST: &[u8] = b"nothing more is said\n";

/// The line with this number, begun at this instant, as this station's board says it.
fn line((station, boot): (usize, u64), number: u64, at: Instant) -> Vec<u8> {
    let head = format!("{number:0NUMBER$} {:0INSTANT$} {boot:0BOOT$} station {station} ", at.as_nanos());
    let mut line = format!("{head:-<width$}", width = LINE - 1).into_bytes();
    line.push(b'\n');
    line
}

/// The lines of one board since it was switched on.
pub(crate) struct Speech {
    station: usize,
    boot: u64,
    /// The line that is counted and not said, to see whether that is noticed.
    lost: Option<u64>,
    /// How many lines were begun.
    begun: u64,
    /// What is left of the last one.
    left: Vec<u8>,
}

impl Speech {
    pub(crate) fn new(station: usize, boot: u64, lost: Option<u64>) -> Self {
        Self { station, boot, lost, begun: 0, left: Vec::new() }
    }

    /// The next bytes, handed over now.
    pub(crate) fn take(&mut self, count: usize, now: Instant) -> Vec<u8> {
        while self.left.len() < count {
            if self.lost != Some(self.begun) {
                self.left.extend(line((self.station, self.boot), self.begun, now));
            }
            self.begun += 1;
        }
        self.left.drain(..count).collect()
    }

    /// What is left of the line under way.
    pub(crate) fn rest(&mut self) -> Vec<u8> {
        std::mem::take(&mut self.left)
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
    pub(crate) fn from(transcript: &Transcript, station: usize, boot: u64) -> Self {
        let mut heard = Self { bytes: transcript.len(), ..Self::default() };
        let (mut lines, mut seen, mut highest) = (Lines::new(), BTreeSet::new(), None);
        // When a line was begun, and the stamp of its first byte, which are on two clocks.
        let mut begun: Vec<(Instant, Instant)> = Vec::new();
        for (at, bytes) in transcript.stamped() {
            heard.chunks += 1;
            for heard_line in lines.push(at, bytes) {
                let Some((spoken, number, said)) = understood(station, &heard_line.bytes) else {
                    heard.strange += u64::from(LAST.strip_suffix(b"\n") != Some(&heard_line.bytes));
                    continue;
                };
                if spoken != boot {
                    // What came late from when the board was provisioned.
                    continue;
                }
                heard.disordered += u64::from(highest.is_some_and(|highest| highest >= number));
                heard.lines += u64::from(seen.insert(number));
                highest = highest.max(Some(number));
                begun.push((said, heard_line.began));
            }
        }
        // Nobody told this side when the trial's clock began: the line that was stamped earliest counts as in time.
        let behind = |(said, stamp): &(Instant, Instant)| said.as_nanos() as i64 - stamp.as_nanos() as i64;
        let clocks = begun.iter().map(behind).max().unwrap_or_default();
        heard.lateness = begun.iter().map(|both| Span::nanos((clocks - behind(both)) as u64)).collect();
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

/// Boot, number and instant of a line, if it is as it was said.
fn understood(station: usize, bytes: &[u8]) -> Option<(u64, u64, Instant)> {
    let text = std::str::from_utf8(bytes).ok()?;
    let number = text.get(..NUMBER)?.parse().ok()?;
    let (instant, boot) = (text.get(NUMBER + 1..)?, text.get(NUMBER + INSTANT + 2..)?);
    let (at, boot) = (Instant::from_nanos(instant.get(..INSTANT)?.parse().ok()?), boot.get(..BOOT)?.parse().ok()?);
    let as_said = line((station, boot), number, at).strip_suffix(b"\n") == Some(bytes);
    as_said.then_some((boot, number, at))
}
