//! The questions that a campaign may ask, alike for whoever carries it out.
//!
//! Boundary: what each of them has to be able to do. Which trials they try and what they conclude is each one's own; what is discarded, held
//! back or made again never reaches them.

use crate::find::FindWindow;
use crate::prove::Prove;
use crate::shot::{Finding, Shot};
use crate::soak::Soak;
use crate::sweep::Sweep;

/// What every question can do.
pub(crate) trait Question {
    /// The next trial; `None` if what is awaited has to come first, or there is none.
    fn next(&mut self) -> Option<Shot>;
    /// Takes a finding that counts. Findings come in the order of the shots.
    fn record(&mut self, shot: &Shot, finding: &Finding);
    /// Whether nothing more has to be tried.
    fn is_answered(&self) -> bool;
    /// How many findings it takes, if that is known.
    fn size(&self) -> Option<u64>;
}

/// A question of one kind.
#[derive(Clone, Debug)]
pub(crate) enum Asking {
    Sweep(Sweep),
    FindWindow(Box<FindWindow>),
    Prove(Box<Prove>),
    Soak(Soak),
}

impl Asking {
    pub(crate) fn question(&self) -> &dyn Question {
        match self {
            Self::Sweep(it) => it,
            Self::FindWindow(it) => &**it,
            Self::Prove(it) => &**it,
            Self::Soak(it) => it,
        }
    }

    pub(crate) fn question_mut(&mut self) -> &mut dyn Question {
        match self {
            Self::Sweep(it) => it,
            Self::FindWindow(it) => &mut **it,
            Self::Prove(it) => &mut **it,
            Self::Soak(it) => it,
        }
    }
}
