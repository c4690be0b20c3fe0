//! Key updates with the power cut inside every flash operation, and what is left of the keys.
//!
//! Boundary: the real board runs the real image, and nobody but the cut touches its flash. What comes out is counted, never judged.
//! Threads only share the work out: the outcome of a trial depends on its release, cells, operation, cut point and seed alone.
//!
//! [`record`] lets the cloud rotate the device key until every key page was erased twice and keeps the board right before each flash
//! operation, a [`Step`]. [`Step::cut`] forks it there, cuts, lets the board boot and looks at what it holds; [`Step::healing`] gives
//! the steps of the boot after a cut, to be cut again. [`sweep()`] does that for all of them.

mod boot;
mod fate;
mod release;
mod station;
mod step;
mod sweep;
mod table;
mod update;

use brickproof_units::Span;

pub use fate::{DeviceKey, Fate, Honesty, Survival};
pub use release::Release;
pub use step::{KeyChange, Step};
pub use sweep::{OperationOutcome, SecondCuts, Sweep, Tally, cut_points, sweep, sweep_healing};
pub use table::{Row, breakdown, table};
pub use update::{Updates, record};

/// The board did not do what an undisturbed board does.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum CutsError {
    /// The shipped image is too large for the part.
    #[error(transparent)]
    Image(#[from] brickproof_virtual_board::flash::OutsideFlash),
    /// A line that an undisturbed update prints did not come.
    #[error("no line with `{awaited}` within {within}")]
    NoLine {
        /// What it should have contained.
        awaited: String,
        /// How long it was waited for.
        within: Span,
    },
    /// The key area could not be read, or holds no slots.
    #[error("the key area cannot be read")]
    KeyArea,
}
