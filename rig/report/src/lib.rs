//! Evidence: what a trial did and saw, in the forms that people and other tools read.
//!
//! Boundary: it writes down what finished trials hand over; it runs nothing and judges nothing. Formats carry a version; fields are added,
//! never renamed.

mod backstage;
mod connecting;
pub mod evidence;
pub mod github;
pub mod junit;
pub mod live;
mod log;
pub mod matrix;
pub mod page;
pub mod results;
mod secrets;
pub mod terminal;
pub mod timeline;
pub mod waves;

pub use backstage::{Backstage, FlashKind, FlashWork};
pub use results::{Results, TrialResult, World};
pub use secrets::{Listener, Secrets};
