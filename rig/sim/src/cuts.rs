//! Flash operations with the power cut inside, every one of them, and what is left.
//!
//! Boundary: the real board runs the real image, and nobody but the cut touches its flash. What comes out is counted, never judged.
//! Threads only share the work out: the outcome of a trial depends on its subject, cells, operation, cut point and seed alone.
//!
//! A [`Subject`] is what is swept: it boots a board and tells its fate. There are two, the keys of lantern ([`keys`]) and the stores
//! that others wrote ([`stores`]). The `record` of each lets an undisturbed board make updates and keeps it right before each flash
//! operation, a [`Step`]. [`Step::cut`] forks it there, cuts, lets the board boot and looks at what it holds; [`Step::healing`] gives
//! the steps of the boot after a cut, to be cut again. [`sweep()`] and [`sweep_healing`] do that for all of them, [`sweep_step`] for one;
//! each kind of loss comes with the first [`Trial`] that shows it.

pub mod keys;
mod names;
mod record;
mod step;
pub mod stores;
mod subject;
mod sweep;
mod table;
mod terminal;

use brickproof_units::Span;

pub(crate) use names::cells_of;
pub use names::{CHIPS, cells_named, chip_named, models, name_of_cells, name_of_chip};
pub use step::{Cut, Step, Trial};
pub use subject::{Healing, Outcome, Subject, Tally, UNTOLD};
pub use sweep::{OperationOutcome, SecondCuts, Sweep, TallyOf, cut_points, sweep, sweep_healing, sweep_step};
pub use table::{Row, breakdown, table};

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
    /// The stores were not built for the part.
    #[error("no store is built for that part")]
    NoStore,
    /// The key area could not be read, or holds no slots.
    #[error("the key area cannot be read")]
    KeyArea,
}
