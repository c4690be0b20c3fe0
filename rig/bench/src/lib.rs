//! Bench and board YAML to stations, and trials on them: real instruments, real time.
//!
//! Boundary: one computer. [`mod@file`] is what stands in a bench file, and opens nothing; [`fitness`] tells whether a station can run a plan;
//! [`OpenStation`] holds the instruments, the lock and the safe state; [`driver`] runs a trial on one. What a trial decides is
//! `brickproof-trial`'s.

mod asking;
mod clock;
mod cut;
pub mod driver;
pub mod file;
pub mod fitness;
mod hands;
mod provision;
mod senses;
pub mod state;
mod station;

pub use station::{OpenError, OpenStation, Restored};
