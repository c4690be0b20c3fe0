//! From light, log and timing to causes: ranked, each with what speaks for it and what against, and the measurement that separates the first two.
//!
//! Boundary: reading and weighing. Where light and log come from (a station, a file, what somebody types) is the caller's business, and nothing
//! is done to a board.
//!
//! [`Observed`] gathers [`Sign`]s; [`diagnose`] holds them to what is known of each [`Cause`] and orders the causes by how well they
//! explain what was seen and what was not. The weights are judgements made from Device OS's source, and stand with their reasons in one table (`src/knowledge.rs`);
//! the shares that come out order causes and are no frequencies of anything.

mod cause;
mod judge;
mod knowledge;
mod next;
mod observed;
mod read;
mod reader;
mod sign;
mod tell;

pub use cause::{Cause, Hypothesis};
pub use judge::{Diagnosis, Ranked, Weight, diagnose};
pub use next::Measurement;
pub use observed::{Observed, Seen};
pub use read::words::NotUnderstood;
pub use reader::Reader;
pub use sign::{Channel, Sign};
pub use tell::tell;
