//! Flash stores that others wrote, behind `fixtures/firmware/stores`: items are updated one by one, and none that was acknowledged may
//! be lost.
//!
//! Boundary: the subject. What is lost is told by the firmware on its console, never read from flash. [`record`] makes a stated
//! sequence of updates; [`Id`] names one trial of it, to be made again alone by [`replay`].

mod fate;
mod id;
mod listening;
mod replay;
mod store;
mod tally;
mod workload;

pub use fate::{Fate, Finding, Found, ItemSet};
pub use id::{Id, IdError};
pub use listening::{ITEMS, Report, State};
pub use replay::{Replay, replay};
pub use store::{CHIPS, Store};
pub use tally::{Losses, Tally};
pub use workload::{Duty, Update, Updates, record};

use brickproof_units::Span;
use brickproof_virtual_board::board::Board;

use super::{Healing, Subject};
use listening::Listener;

impl Subject for Store {
    type Duty = Duty;
    type Fate = Fate;

    /// An undisturbed boot takes some milliseconds of it; a store that heals erases pages in it.
    const LONGEST_BOOT: Span = Span::secs(3);

    fn fate(&self, board: &mut Board, duty: &Duty) -> Option<Fate> {
        Some(Fate::after_boot(&mut Listener::new(board), duty))
    }

    /// The stores heal when something is written, so the first update belongs to the healing.
    fn heal(&self, board: &mut Board, duty: &Duty) -> Option<Healing<Duty>> {
        let mut listener = Listener::new(board);
        listener.until_report().ok()?;
        let duty = duty.once_more();
        listener.write(duty.in_flight).ok()?;
        Some(Healing { typed: listener.typed, duty })
    }
}
