//! From counted trials: what to try next, when to stop, and what may be claimed.
//!
//! Boundary: pure arithmetic on outcomes that were counted elsewhere. It runs no trial, owns no clock, draws no random numbers and
//! does not know what a board is. Whether an injection was valid is decided before its outcome comes here.
//!
//! Logarithms, roots and the like are those of `libm`, so that the same trials give the same decision on every machine.

mod fisher;
mod median;
mod order;
mod probability;
mod proportion;
mod sequential;
mod window;

pub use fisher::{Stratified, fisher_baseline_fails_more, fisher_differ, fisher_stratified, holm};
pub use median::median_ranks;
pub use order::{Fraction, GridError, GridOrder, Sequence};
pub use probability::{NotAProbability, Probability};
pub use proportion::{Counts, Interval, MoreFailuresThanTrials, success_run};
pub use sequential::{Asked, Characteristic, Decision, Design, DesignError, Sequential};
pub use window::{
    NotResolved, Purpose, Query, Window, WindowEdge, WindowEnd, WindowError, WindowSearch, WindowSettings,
};

/// How one trial ended, as far as it is counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Outcome {
    /// The board came back as it should.
    Survived,
    /// It did not.
    Failed,
}
