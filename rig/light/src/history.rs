//! The last statements about the light, for a report: "12.10s-14.30s  cyan, blinking, 100 ms (50 % on)".
//!
//! Boundary: keeps and words what the recogniser has decided.

use std::fmt;

use brickproof_units::{Instant, Span};

use crate::ring::Ring;
use crate::sight::{Rhythm, Sight};

/// How many statements are kept.
const KEPT: usize = 32;
/// Time without a statement that is not worth a line: the LED between two patterns, and the pause after flashes.
const NEGLIGIBLE: Span = Span::millis(300);

/// The statements that no longer stand.
#[derive(Clone, Debug)]
pub(crate) struct Past {
    sights: Ring<Sight, KEPT>,
}

impl Past {
    pub(crate) fn new() -> Self {
        Self { sights: Ring::new() }
    }

    pub(crate) fn push(&mut self, sight: Sight) {
        self.sights.push(sight);
    }

    /// From the newest to the oldest.
    pub(crate) fn newest_first(&self) -> impl Iterator<Item = &Sight> + Clone {
        self.sights.newest_first()
    }
}

/// A stretch of time and what the light did then.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Segment {
    /// What it did, from when until when.
    pub sight: Sight,
    /// Whether it is still going on.
    pub open: bool,
}

/// The light's last time, without holes: what could not be told is there as unknown.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct History {
    segments: Vec<Segment>,
}

impl History {
    /// `past` from the newest to the oldest, then `now`, limited to what reaches into the time from `from` on.
    pub(crate) fn new<'a>(past: impl Iterator<Item = &'a Sight>, now: Sight, from: Instant) -> Self {
        let mut sights: Vec<_> = past.take_while(|sight| sight.until >= from).copied().collect();
        // A burst is only known to be one after its end, when its successor may already have been stated.
        sights.sort_by_key(|sight| sight.since);
        let mut history = Self { segments: Vec::with_capacity(2 * sights.len() + 1) };
        for sight in sights {
            history.append(sight);
        }
        if now.rhythm != Rhythm::Unknown || now.until.since(history.end().unwrap_or(now.since)) > Span::ZERO {
            history.append(now);
        }
        if let Some(last) = history.segments.last_mut() {
            last.open = last.sight.until == now.until;
        }
        history
    }

    /// From the earliest to the latest.
    pub fn segments(&self) -> &[Segment] {
        &self.segments
    }

    fn end(&self) -> Option<Instant> {
        self.segments.last().map(|segment| segment.sight.until)
    }

    fn append(&mut self, sight: Sight) {
        let Some(last) = self.segments.last_mut() else {
            self.segments.push(Segment { sight, open: false });
            return;
        };
        let hole = sight.since.since(last.sight.until);
        if hole <= NEGLIGIBLE {
            if last.sight.to_string() == sight.to_string() && !matches!(sight.rhythm, Rhythm::Burst { .. }) {
                last.sight.until = sight.until;
                return;
            }
            last.sight.until = sight.since;
        } else {
            let unknown = Sight::unknown(last.sight.until, sight.since);
            if sight.rhythm != Rhythm::Unknown {
                self.segments.push(Segment { sight: unknown, open: false });
            }
        }
        self.segments.push(Segment { sight, open: false });
    }
}

impl fmt::Display for History {
    /// One line per segment.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut separator = "";
        for segment in &self.segments {
            write!(f, "{separator}{segment}")?;
            separator = "\n";
        }
        Ok(())
    }
}

impl fmt::Display for Segment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let seconds = |instant: Instant| {
            let hundredths = instant.as_nanos() / 10_000_000;
            format!("{}.{:02}s", hundredths / 100, hundredths % 100)
        };
        let end = if self.open { String::new() } else { seconds(self.sight.until) };
        let time = format!("{}-{end}", seconds(self.sight.since));
        write!(f, "{time:<16} {}", self.sight)
    }
}
