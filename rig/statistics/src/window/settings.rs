//! What is asked of a search, and what cannot be.
//!
//! Boundary: it is checked before the first trial; nothing changes it afterwards.

use brickproof_units::{Instant, Span};

use crate::Probability;

/// What is asked of a search.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct WindowSettings {
    /// The first instant at which a fault may be made.
    pub from: Instant,
    /// The last.
    pub to: Instant,
    /// How wide the credible interval of an edge may be.
    pub resolution: Span,
    /// How much belief the credible interval of an edge holds.
    pub credibility: Probability,
    /// How narrow a window may be and still be met.
    pub smallest_width: Span,
    /// How rarely a trial inside a window may fail and it still be met. Windows that are met anyway may fail more rarely.
    pub weakest: Probability,
    /// How surely a window of the smallest width and the weakest probability is met.
    pub confidence: Probability,
    /// How many trials there may be.
    pub cap: u64,
    /// How many trials one window may take; after these, its edges are given as they are known.
    pub cap_per_window: u64,
    /// Shifts the scan.
    pub seed: u64,
}

/// What cannot be asked of a search.
#[derive(Clone, Copy, Debug, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum WindowError {
    /// No room.
    #[error("the range from {from} to {to} holds nothing: let it end after it begins")]
    EmptyRange {
        /// Where it begins.
        from: Instant,
        /// Where it ends.
        to: Instant,
    },
    /// A length of nothing, or longer than the range.
    #[error("{what} of {asked} cannot be in a range of {range}: ask for more than nothing and at most the range")]
    Length {
        /// Which length.
        what: &'static str,
        /// What was asked.
        asked: Span,
        /// How long the range is.
        range: Span,
    },
    /// Never or always.
    #[error("{what} of {asked} cannot be: ask for more than 0 % and less than 100 %, as in {example}")]
    Share {
        /// Which probability.
        what: &'static str,
        /// What was asked.
        asked: Probability,
        /// What can be.
        example: Probability,
    },
    /// No trial at all.
    #[error("a cap of no trials finds nothing: allow at least one")]
    NoTrials,
}

impl WindowSettings {
    pub(super) fn check(&self) -> Result<(), WindowError> {
        let WindowSettings { from, to, resolution, smallest_width, .. } = *self;
        let range = to.since(from);
        if range == Span::ZERO {
            return Err(WindowError::EmptyRange { from, to });
        }
        for (what, asked) in [("a resolution", resolution), ("a smallest width", smallest_width)] {
            if asked == Span::ZERO || asked > range {
                return Err(WindowError::Length { what, asked, range });
            }
        }
        let shares = [
            ("a credibility", self.credibility, 0.95),
            ("a weakest probability", self.weakest, 0.3),
            ("a confidence", self.confidence, 0.95),
        ];
        for (what, asked, example) in shares {
            if !(0.0 < asked.get() && asked.get() < 1.0) {
                return Err(WindowError::Share { what, asked, example: Probability::clamped(example) });
            }
        }
        if self.cap == 0 || self.cap_per_window == 0 {
            return Err(WindowError::NoTrials);
        }
        Ok(())
    }
}
