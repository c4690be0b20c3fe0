//! Bench and board YAML to stations, and trials on them: real instruments, real time.
//!
//! Boundary: one computer. [`mod@file`] is what stands in a bench file, and opens nothing; [`fitness`] tells whether a station can run a plan;
//! [`OpenStation`] holds the instruments, the lock and the safe state; [`driver`] runs a trial on one, [`mod@check`] tells whether it works,
//! and [`desk`] does one thing with it. What a trial decides is
//! `brickproof-trial`'s.

mod asking;
mod bootloader;
pub mod check;
mod clock;
mod cut;
pub mod desk;
pub mod discover;
pub mod driver;
mod eyes;
pub mod file;
pub mod fitness;
mod gateway;
mod hands;
pub mod keyfile;
mod peer;
mod press;
mod provision;
mod register;
mod senses;
pub mod state;
mod station;
pub mod ways;

pub use brickproof_instruments::{Failure, Region};
pub use peer::Peer;
pub use station::{OpenError, OpenStation, Opened, Restored, told};
