//! What a person reads of the reports.
//!
//! Boundary: text out of typed rows; nothing is counted here, and nothing printed. What boards and files say is made printable.

mod compare;
mod flaky;
mod rates;
mod runs;
mod set_aside;
mod table;
mod trend;
mod trial;
mod words;

pub use self::compare::comparison;
pub use self::flaky::flakiness;
pub use self::rates::rates;
pub use self::runs::runs;
pub use self::set_aside::set_aside;
pub use self::trend::trend;
pub use self::trial::{Evidence, trial};

/// How much room there is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Room {
    /// For the rows of a long table.
    pub length: Length,
    /// How many columns a line may take; `None` if nothing has to fit.
    pub width: Option<usize>,
}

/// How much of a long table is told unless all of it is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Length {
    /// The first rows.
    Short,
    /// Every row.
    All,
}

/// The rows of a table that is told in short.
pub const ROWS: usize = 20;

impl Length {
    /// How many of `all` rows are told.
    pub const fn of(self, all: usize) -> usize {
        match self {
            Self::Short if all > ROWS => ROWS,
            _ => all,
        }
    }
}
