//! The chip's own view of its rail: brown-out reset, power-on reset and the power-fail comparator.
//!
//! Boundary: states. When a threshold is crossed is found in [`super::course`]; what happens then in [`super::turn`].

use brickproof_units::Instant;

/// Whether the supply lets the chip run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ChipPower {
    /// The rail is, or was last, below the brown-out threshold.
    Held,
    /// The rail is good; the power-on delay runs.
    Waiting {
        /// When the chip starts if the rail stays good.
        due: Instant,
    },
    /// The chip runs.
    Good,
}

/// The power-fail comparator. Thresholds in volts.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum PowerFail {
    Disabled,
    Clear { threshold: f64 },
    Warned { threshold: f64 },
}
