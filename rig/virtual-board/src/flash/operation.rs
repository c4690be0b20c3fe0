//! What the flash controller can be told to do, what it did, and where a sweep wants the power to fail.

use brickproof_units::{Instant, Ratio, Span};

/// One operation of the flash controller. Addresses are those the processor uses.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum FlashOperation {
    /// Clear the bits of the word at `address` that are zero in `value`.
    Program {
        /// A multiple of four.
        address: u32,
        /// The word.
        value: u32,
    },
    /// Set every bit of the page that starts at `address`.
    ErasePage {
        /// A multiple of the page size.
        address: u32,
    },
    /// Set every bit of the code flash and of the user information registers.
    EraseAll,
    /// Set every bit of the user information registers.
    EraseUicr,
}

/// One operation as it went.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FlashRecord {
    /// Counts every operation since the board was made, from 0, across power-offs.
    pub index: u64,
    /// When it began.
    pub start: Instant,
    /// When it ended, by completion or by the loss of power.
    pub end: Instant,
    /// What it was.
    pub operation: FlashOperation,
    /// The address of the instruction that started it; 0 if the board was not asked to attribute it.
    pub pc: u32,
    /// How much of its effective time it got: one whole if it completed.
    pub completed: Ratio,
}

impl FlashRecord {
    /// Whether power lasted to its end.
    pub fn is_complete(&self) -> bool {
        self.completed >= COMPLETE
    }
}

/// One whole.
pub(crate) const COMPLETE: Ratio = Ratio::new(1_000_000);

/// Where inside an operation the power is to fail.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum CutPoint {
    /// Before any cell changed.
    Before,
    /// After `numerator / denominator` of the operation's time.
    Fraction {
        /// Parts done.
        numerator: u32,
        /// Parts in all; zero counts as one.
        denominator: u32,
    },
    /// Right after its end, before the next instruction.
    After,
}

impl CutPoint {
    /// The time into an operation of `needed` at which the power fails.
    pub fn time_into(self, needed: Span) -> Span {
        Span::new(self.part_of(needed.get()))
    }

    /// The share of an operation that is done by then.
    pub fn share(self) -> Ratio {
        Ratio::new(self.part_of(COMPLETE.get()))
    }

    fn part_of(self, whole: u64) -> u64 {
        match self {
            Self::Before => 0,
            Self::After => whole,
            Self::Fraction { numerator, denominator } => {
                let part = u128::from(whole) * u128::from(numerator) / u128::from(denominator.max(1));
                u64::try_from(part).unwrap_or(whole).min(whole)
            }
        }
    }
}

/// An aimed loss of power: at one place of one operation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct FlashCut {
    /// The operation's index (see [`FlashRecord::index`]).
    pub operation: u64,
    /// Where inside it.
    pub at: CutPoint,
}
