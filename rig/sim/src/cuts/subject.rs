//! What can be swept.
//!
//! Boundary: the traits. How a board comes to make updates is the business of each subject's `record`.

use std::fmt::Debug;
use std::ops::AddAssign;

use brickproof_units::Span;
use brickproof_virtual_board::board::Board;

use super::terminal::Keystroke;

/// Something on a board that is to survive a loss of power, and how to tell whether it did.
pub trait Subject: Clone + Debug + Send + Sync {
    /// What the board owes when an operation is cut: what its fate is judged by.
    type Duty: Debug + Send + Sync;
    /// What became of one board.
    type Fate: Outcome;

    /// Longer than any boot takes that gets anywhere.
    const LONGEST_BOOT: Span;

    /// Lets a board that was just switched on boot, and looks. `None` if it never gets so far that its fate could be told.
    fn fate(&self, board: &mut Board, duty: &Self::Duty) -> Option<Self::Fate>;

    /// Lets a board that was just switched on boot, until it has healed what it heals. `None` if it never has.
    fn heal(&self, board: &mut Board, duty: &Self::Duty) -> Option<Healing<Self::Duty>>;
}

/// How a board came to heal.
#[derive(Clone, Debug)]
pub struct Healing<D> {
    /// What was typed for it, if it heals only when it is used.
    pub(super) typed: Vec<Keystroke>,
    /// What it owes meanwhile.
    pub(super) duty: D,
}

/// What became of one board.
pub trait Outcome {
    /// What many of them come to.
    type Tally: Tally<Fate = Self>;

    /// What distinguishes this fate from another one, as bytes for a digest. Never `[255]`, which stands for a board without a fate.
    fn bytes(&self) -> Vec<u8>;

    /// What kind of loss it is, in a word or two; `None` if the board has what it owes.
    fn loss(&self) -> Option<&'static str>;
}

/// The kind of loss of a board that has no fate: it never got so far that anything could be told.
pub const UNTOLD: &str = "stuck";

/// What trials came to.
pub trait Tally: AddAssign + Clone + Debug + Default + PartialEq + Send {
    /// What became of one board.
    type Fate;

    /// What the columns of a table are called, behind the number of trials.
    const COLUMNS: &'static [&'static str];

    /// Counts one more trial.
    fn count(&mut self, fate: Option<&Self::Fate>);

    /// How many there were.
    fn trials(&self) -> u64;

    /// How many boards lost what they owe.
    fn lost(&self) -> u64;

    /// The numbers for [`Self::COLUMNS`].
    fn counts(&self) -> Vec<u64>;

    /// How the lost ones were lost, for the line of a breakdown.
    fn losses(&self) -> String;
}
