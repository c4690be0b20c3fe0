//! How far a course is, and why it ended early.
//!
//! Boundary: values to be shown. What follows from them the course decides.

use brickproof_statistics::{Counts, Interval, Probability};

use crate::answer;

/// Why a course ended without its question being answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stopped {
    /// Too many trials in a row told nothing, also after the board was recovered.
    Dead {
        /// How many, since then.
        invalid: u32,
    },
    /// A board that told nothing could not be recovered.
    Lost,
    /// There is no room left for what is found.
    DiskFull,
    /// Too many faults in a row struck outside their tolerance.
    Astray {
        /// How many.
        discarded: u32,
    },
    /// The virtual bench does the same again: a trial that told nothing never will.
    Untellable,
    /// Its budget of time is spent.
    OutOfTime,
    /// Somebody stopped it.
    Interrupted,
}

/// How far a course is.
#[derive(Clone, Debug, PartialEq)]
pub struct Progress {
    /// Trials that count.
    pub done: u64,
    /// How many it takes in all, where that is known.
    pub size: Option<u64>,
    /// Failures among those that count.
    pub counts: Counts,
    /// Trials whose fault struck outside its tolerance.
    pub discarded: u64,
    /// Trials that told nothing because bench or scenario failed.
    pub invalid: u64,
    /// Trials of which nothing was heard, of boards that turned out to be dead, and checks of such boards.
    pub silences: u64,
    /// Failures of which nothing was heard, of boards that did not answer since: neither counted nor made again by now.
    pub unjudged: u64,
}

impl Progress {
    /// The share of failures with its interval, in words.
    pub fn told(&self) -> String {
        answer::told(self.counts)
    }

    /// Where the share of failures lies, as surely as estimates are shown.
    pub fn interval(&self) -> Interval {
        self.counts.clopper_pearson(shown_confidence())
    }
}

/// With how much confidence estimates are shown while a campaign runs.
pub(crate) fn shown_confidence() -> Probability {
    Probability::new(0.95).expect("it is one")
}
