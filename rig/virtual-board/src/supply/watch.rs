//! A level of the rail that somebody outside the board watches, as a station watches whether a board has its power.
//!
//! Boundary: it only looks. Unlike the chip's comparators it changes nothing on the board; it turns exactly where the rail passes.

use brickproof_units::{Current, Instant, Voltage};

use super::{Supply, current, voltage, volts};

/// In which direction the rail went.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Direction {
    /// It was at the level or above and is below it.
    Falling,
    /// It was below the level and is there again.
    Rising,
}

/// The rail passed the watched level.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Passage {
    /// When.
    pub at: Instant,
    /// In which direction.
    pub direction: Direction,
    /// The rail just then, on the side to which it went.
    pub rail: Voltage,
    /// What the chip and its board drew just then.
    pub current: Current,
}

/// A watched level and the side of it on which the rail is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Watch {
    Off,
    Above { level: Voltage },
    Below { level: Voltage },
}

impl Watch {
    /// In volts. Half a microvolt below the level, where a reading in whole microvolts changes its side: passages and readings then
    /// agree however slowly the rail goes.
    pub(super) fn threshold(level: Voltage) -> f64 {
        volts(level) - 0.5e-6
    }
}

/// The next lower voltage that can be read.
fn below(level: Voltage) -> Voltage {
    Voltage::new(level.get() - 1)
}

impl Supply {
    /// Watches whether the rail passes `level`, or stops to. What it was at first is no passage.
    pub fn watch(&mut self, at: Instant, level: Option<Voltage>) {
        self.change(at, |supply| {
            supply.watch = match level {
                None => Watch::Off,
                Some(level) if voltage(supply.volts) < level => Watch::Below { level },
                Some(level) => Watch::Above { level },
            };
        });
    }

    /// When the rail passed the watched level, the first time since the passages were taken.
    pub fn first_passage(&self) -> Option<Instant> {
        self.passages.first().map(|passage| passage.at)
    }

    /// Takes the passages of the watched level, in their order.
    pub fn drain_passages(&mut self) -> impl Iterator<Item = Passage> + '_ {
        self.passages.drain(..)
    }

    pub(super) fn pass_watched_level(&mut self) {
        let rail = voltage(self.volts);
        // The turn comes in the first nanosecond behind the level, where a slow rail may still round to the other side.
        let (watch, direction, rail) = match self.watch {
            Watch::Off => return,
            Watch::Above { level } => (Watch::Below { level }, Direction::Falling, rail.min(below(level))),
            Watch::Below { level } => (Watch::Above { level }, Direction::Rising, rail.max(level)),
        };
        self.watch = watch;
        self.passages.push(Passage { at: self.now, direction, rail, current: current(self.load) });
    }
}
