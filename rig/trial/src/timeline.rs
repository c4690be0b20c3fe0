//! Everything done and seen in a trial, in order, on one clock.
//!
//! Boundary: it records; what an event means is the engine's business, how it is written to a file the report's.

use std::sync::Arc;

use brickproof_boards::LedIndex;
use brickproof_cloud::CloudEvent;
use brickproof_console::Transcript;
use brickproof_keys::Fingerprint;
use brickproof_light::Sight;
use brickproof_scenario::plan::{Edge, UsbPresence};
use brickproof_units::{Current, Instant, Span, Voltage};

use crate::ports::{Achieved, ActionId, Command, CommandError, Glimpse, Progress};
use crate::verdict::Verdict;

/// A list that grows at its end and can be cloned at the price of what came since it was last [frozen](Log::freeze).
#[derive(Clone, Debug)]
pub struct Log<T> {
    frozen: Vec<Arc<[T]>>,
    tail: Vec<T>,
}

impl<T> Default for Log<T> {
    fn default() -> Self {
        Self { frozen: Vec::new(), tail: Vec::new() }
    }
}

impl<T> Log<T> {
    /// Appends one entry.
    pub fn push(&mut self, entry: T) {
        self.tail.push(entry);
    }

    /// How many entries there are.
    pub fn len(&self) -> usize {
        self.frozen.iter().map(|part| part.len()).sum::<usize>() + self.tail.len()
    }

    /// Whether nothing was recorded.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Makes what was recorded so far a part that every later clone shares.
    pub fn freeze(&mut self) {
        if !self.tail.is_empty() {
            self.frozen.push(std::mem::take(&mut self.tail).into());
        }
    }

    /// The entries, oldest first.
    pub fn iter(&self) -> impl DoubleEndedIterator<Item = &T> {
        self.frozen.iter().flat_map(|part| part.iter()).chain(&self.tail)
    }
}

/// One entry of a timeline.
#[derive(Clone, Debug, PartialEq)]
pub struct Event {
    /// When.
    pub at: Instant,
    /// How far the true instant may be from it, on either side. Zero in simulation.
    pub uncertainty: Span,
    /// What.
    pub what: Happening,
}

/// What happened.
#[derive(Clone, Debug, PartialEq)]
pub enum Happening {
    /// A step began.
    StepBegan {
        /// Which, counted from 1.
        index: usize,
    },
    /// A step ended as it should.
    StepEnded {
        /// Which, counted from 1.
        index: usize,
    },
    /// The engine asked for something.
    Asked {
        /// What the answer will carry.
        id: ActionId,
        /// What was asked. Private keys are not in it.
        command: Command,
    },
    /// The world answered.
    Answered {
        /// To what.
        id: ActionId,
        /// What was achieved, or why not.
        result: Result<Achieved, CommandError>,
    },
    /// The console completed a line.
    ConsoleLine {
        /// Counted from 1.
        number: u64,
        /// Arrival of its first byte.
        began: Instant,
        /// Its bytes without the line end.
        bytes: Arc<[u8]>,
    },
    /// A recogniser changed its mind about a light.
    Light {
        /// Which of the board's lights.
        led: LedIndex,
        /// What it shows.
        sight: Sight,
    },
    /// The cloud saw or did something.
    Cloud(CloudEvent),
    /// The board's identity was changed by order of the scenario.
    IdentityChanged {
        /// What the cloud accepted before; `None` if that is not known.
        old: Option<Fingerprint>,
        /// What it accepts now.
        new: Fingerprint,
    },
    /// A line of the board changed its level.
    Edge {
        /// Its name in the board profile.
        line: Arc<str>,
        /// In which direction.
        edge: Edge,
    },
    /// The board came to USB, or left it.
    Usb(UsbPresence),
    /// A request that is carried out piece by piece came so far.
    Progress {
        /// Which.
        id: ActionId,
        /// How far.
        progress: Progress,
    },
    /// An instrument failed by itself.
    InstrumentFailed(CommandError),
    /// A trigger's cause was seen.
    Triggered {
        /// The step, counted from 1.
        step: usize,
    },
    /// A reading of the supply.
    Rail {
        /// The rail's voltage.
        voltage: Voltage,
        /// The current drawn from the source.
        current: Current,
    },
    /// The trial came to its end.
    Verdict(Box<Verdict>),
}

/// The record of one trial.
#[derive(Clone, Debug, Default)]
pub struct Timeline {
    /// What was done and seen.
    pub events: Log<Event>,
    /// Every sample of every colour sensor.
    pub samples: Log<Glimpse>,
    /// Every byte that the console delivered.
    pub console: Transcript,
}

impl Timeline {
    /// Makes everything so far a part that later clones share.
    pub fn freeze(&mut self) {
        self.events.freeze();
        self.samples.freeze();
        self.console.freeze();
    }

    /// The console's output, byte for byte as it came.
    pub fn raw_console(&self) -> Vec<u8> {
        self.console.chunks().flatten().copied().collect()
    }
}

#[cfg(test)]
mod tests {
    use super::Log;

    #[test]
    fn freezing_keeps_order_and_clones_diverge() {
        let mut log = Log::default();
        log.push(1);
        log.push(2);
        log.freeze();
        log.freeze();
        let mut fork = log.clone();
        log.push(3);
        fork.push(4);
        assert_eq!(log.iter().copied().collect::<Vec<_>>(), [1, 2, 3]);
        assert_eq!(fork.iter().copied().collect::<Vec<_>>(), [1, 2, 4]);
        assert_eq!(fork.len(), 3);
    }
}
