//! What the rig does to a board on purpose, and when.
//!
//! Boundary: plain data of a plan.

use brickproof_units::{Current, Ratio, Slew, Span, Voltage};

use super::{Condition, Transfer};

/// When a fault strikes: a cause, and a delay after it.
#[derive(Clone, Debug, PartialEq)]
pub struct Trigger {
    /// What to wait for. `None`: the start of the step.
    pub cause: Option<Cause>,
    /// How long to wait for it.
    pub within: Span,
    /// How long after it.
    pub after: Span,
    /// How far from that instant the fault may have struck and still be the one that was asked for. `None`: however far.
    pub tolerance: Option<Span>,
}

/// What sets off a trigger.
#[derive(Clone, Debug, PartialEq)]
pub enum Cause {
    /// Something becomes visible.
    Seen(Condition),
    /// A line of the board changes its level.
    Edge {
        /// Its name in the board profile.
        line: String,
        /// In which direction.
        edge: Edge,
    },
    /// So much of a firmware has been written to the board. The transfer begins with the step.
    Transferred {
        /// What is written.
        transfer: Transfer,
        /// How much of it.
        at: Ratio,
    },
}

/// The direction of a change.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Edge {
    /// Low to high.
    Rising,
    /// High to low.
    Falling,
}

/// What the rig does to the board on purpose.
#[derive(Clone, Debug, PartialEq)]
pub enum Fault {
    /// Forces a rail down along a shape and back.
    BrownOut {
        /// The rail's name in the board profile.
        rail: String,
        /// How low.
        floor: Voltage,
        /// How fast down.
        fall: Slew,
        /// How long at the floor.
        hold: Span,
        /// How fast up.
        rise: Slew,
    },
    /// Disconnects the source; the rail decays by the board's own load. Without an end, until the next `supply` step.
    PowerCut {
        /// For how long.
        hold: Option<Span>,
    },
    /// Draws more current from the source, as a modem burst does.
    LoadStep {
        /// How much more.
        current: Current,
        /// For how long.
        hold: Span,
        /// How far the rail must fall for this to be the fault that was meant.
        reaches: Option<Voltage>,
    },
}
