//! Serial bytes in; stamped lines, matches and log records out. Nothing is lost, whatever the sizes of the reads.
//!
//! Boundary: bytes and arrival stamps come as arguments. This crate opens no port, knows no board, waits for nothing and decides nothing:
//! what a match means is the trial's business.
//!
//! - [`Transcript`] keeps every byte with its stamp, for the raw console file.
//! - [`Lines`] cuts the same bytes into lines; [`Line`] keeps them as they were, binary garbage included.
//! - [`Matcher`] looks for [`Pattern`]s in the same bytes and says so at the byte that makes a match certain.
//! - [`nearest`] finds what a missed expectation may have meant.
//! - [`LogRecord`] reads Device OS's two log formats; [`explain`] says what the numbers in them mean; [`DeviceClock`] finds when a line was said.

mod lines;
mod log;
mod matcher;
mod nearest;
mod pattern;
mod transcript;

pub use lines::{Line, LineEnd, Lines, Partial, display};
pub use log::{
    Attributes, Boot, ClockLimits, CodeTable, DeviceClock, DeviceMillis, Explained, Heard, LogFormat, LogLevel,
    LogRecord, RateBounds, Said, explain, with_explanations,
};
pub use matcher::{Captures, Match, Matcher, PatternId};
pub use nearest::{Nearest, nearest};
pub use pattern::{Pattern, PatternError, PatternErrorKind};
pub use transcript::Transcript;
