//! One trial of a campaign: what is asked of it and what came of it.

use std::fmt;

use brickproof_scenario::Setting;
use brickproof_units::Span;

use crate::boards::BoardNumber;
use crate::outcome::Class;
use crate::wear::Erased;

/// Whose firmware runs in a trial.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Arm {
    /// The only one.
    Only,
    /// The one that is known to fail.
    Baseline,
    /// The one that is said not to.
    Candidate,
}

impl Arm {
    /// As journals and answers call it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Only => "only",
            Self::Baseline => "baseline",
            Self::Candidate => "candidate",
        }
    }
}

impl fmt::Display for Arm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

/// A trial that a campaign asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Shot {
    /// Counted from 0, in the order of asking.
    pub number: u64,
    /// Whose firmware runs.
    pub arm: Arm,
    /// Which of the scenario's cells, where a proof tells several apart; 0 otherwise.
    pub cell: usize,
    /// Where the fault's knobs stand.
    pub settings: Vec<Setting>,
    /// The seed of the trial.
    pub seed: u64,
    /// Which board has to make it; `None`: whichever comes to it.
    pub board: Option<BoardNumber>,
}

impl Shot {
    /// A trial of the only firmware, on any board.
    pub(crate) fn new(number: u64, settings: Vec<Setting>, seed: u64) -> Self {
        Self { number, arm: Arm::Only, cell: 0, settings, seed, board: None }
    }
}

/// What came of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// How it ended.
    pub class: Class,
    /// How long after its trigger the fault really struck; `None` if none did.
    pub struck_after: Option<Span>,
    /// Whether the board gave any sign of life in the whole trial: a line, a light, a word with the cloud.
    pub heard: bool,
    /// Which board made it.
    pub board: BoardNumber,
    /// What the trial cost its flash, where the board tells.
    pub erased: Vec<Erased>,
}

impl Finding {
    /// Of a trial that was not brought to its end.
    pub const UNTOLD: Self = Self::new(Class::Invalid);

    /// A trial on the first board that ended so, and was heard of.
    pub const fn new(class: Class) -> Self {
        Self { class, struck_after: None, heard: true, board: BoardNumber::FIRST, erased: Vec::new() }
    }

    /// The same, made by this board.
    #[must_use]
    pub fn on(self, board: BoardNumber) -> Self {
        Self { board, ..self }
    }
}

/// The seed of the `number`-th trial of a campaign: the same past up to the harm, chance anew from there on.
pub(crate) fn seed_of(campaign: u64, number: u64) -> u64 {
    // Half of a seed is left for it: campaigns are shorter than four thousand million trials.
    (campaign & u64::from(u32::MAX)) | (number + 1) << 32
}
