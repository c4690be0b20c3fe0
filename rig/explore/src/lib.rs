//! Campaigns: many trials with one question. At which instants does this firmware brick, and is the fixed release really fixed?
//!
//! Boundary: it decides which trial comes next and what all of them say together; it opens no instrument and no file. Whoever runs the
//! trials tells a [`Course`] what came of each, in the order in which they were asked for, and keeps the lines of its [`journal`]: a
//! course that is told them again stands where it stood. How much may be claimed from counts is `brickproof-statistics`'.

mod alike;
mod answer;
mod asking;
mod boards;
mod campaign;
mod course;
mod exhaustive;
mod file;
mod find;
mod group;
pub mod journal;
mod laboratory;
mod outcome;
pub mod picture;
mod places;
mod progress;
mod prove;
mod schema;
mod shot;
mod soak;
mod strata;
mod sweep;
mod used;
mod wear;

pub use alike::{Seen, Spared};
pub use answer::{Answer, Conclusion};
pub use boards::{BoardNumber, BoardTally};
pub use campaign::{Budget, Campaign, CampaignError, Kind, ProveSettings, Range, SweepSettings, WindowAsked};
pub use course::{Ask, Course, Repeats};
pub use exhaustive::{Aimed, Aims, ExhaustiveError, aim_at_every_operation, undisturbed};
pub use file::{CampaignFile, Firmwares, load};
pub use group::{Cut, Group};
pub use laboratory::Laboratory;
pub use outcome::Class;
pub use places::{Exhaustive, Place, Places, SecondCuts};
pub use progress::{Progress, Stopped};
pub use schema::schema;
pub use shot::{Arm, Finding, Shot};
pub use soak::{NoSoakBoards, SoakBoards, SoakSettings};
pub use strata::Strata;
pub use used::UsedBoard;
pub use wear::{Erased, Wear};
