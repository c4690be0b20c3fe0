//! The log of Device OS, read back: the texts that are known, printed in every shape; damaged lines; and the records that nobody prints but
//! could; and the clocks of devices that did what a test made up.
//!
//! Boundary: the printing side here is written after Device OS's code, and the expressions after field logs: neither knows the reader.

#[path = "log/clock.rs"]
mod clock;
#[path = "log/damaged.rs"]
mod damaged;
#[path = "log/known.rs"]
mod known;
#[path = "log/printed.rs"]
mod printed;
