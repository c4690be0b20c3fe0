//! A line between a board and an instrument.
//!
//! Boundary: words.

/// The level of a line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Level {
    /// At the supply.
    High,
    /// At ground.
    Low,
}

/// What stands at the far side of a line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pull {
    /// To the supply.
    Up,
    /// To ground.
    Down,
}
