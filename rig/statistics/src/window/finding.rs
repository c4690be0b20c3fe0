//! What a search says: windows, their edges, and what is not known about them.
//!
//! Boundary: plain values for reports; how they came about is in the modules beside.

use brickproof_units::Instant;

use crate::Counts;

/// One edge of a window.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WindowEdge {
    /// Known as precisely as asked.
    Resolved {
        /// Equally likely before and after.
        at: Instant,
        /// The beginning of the credible interval.
        low: Instant,
        /// Its end.
        high: Instant,
    },
    /// Not known as precisely as asked.
    NotResolved {
        /// The beginning of the credible interval.
        low: Instant,
        /// Its end.
        high: Instant,
        /// Why not.
        why: NotResolved,
    },
    /// The window goes on to the end of the range, or to the window beside it.
    AtTheEnd {
        /// Where that is.
        at: Instant,
    },
}

/// Why an edge is not known as precisely as asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum NotResolved {
    /// The trials ran out.
    Cap,
    /// It moves from trial to trial by about the resolution or more: ask for a coarser one, or trigger closer to the fault.
    Jitter,
}

/// A window in which trials fail.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Window {
    /// Where it opens: the first instant that is inside.
    pub opens: WindowEdge,
    /// Where it closes: the last instant that is inside.
    pub closes: WindowEdge,
    /// Trials that are surely inside: between the inner ends of the credible intervals.
    pub inside: Counts,
    /// How many trials it took, from the failure that revealed it.
    pub trials: u64,
}

/// How a search ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum WindowEnd {
    /// Another window of the smallest width would have been met.
    Covered,
    /// The cap came first.
    Cap,
}
