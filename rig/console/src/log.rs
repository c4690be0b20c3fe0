//! Log lines of Device OS: the format since 0.6.0 and the one before, taken apart into time, category, level, place, message and attributes.
//!
//! Boundary: reading. A line that is not in one of the formats is simply not a log line; what its numbers mean is in [`explain`], when it
//! was said in [`DeviceClock`].

mod clock;
mod codes;
mod explain;
mod format;

use std::borrow::Cow;

pub use clock::{Boot, ClockLimits, DeviceClock, DeviceMillis, Heard, RateBounds, Said};
pub use codes::CodeTable;
pub use explain::{Explained, explain, with_explanations};

/// Which format a line is in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum LogFormat {
    /// Since 0.6.0.
    New,
    /// Until 0.5.5.
    Old,
}

/// How bad it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum LogLevel {
    /// `TRACE`, or `DEBUG` in old logs.
    Trace,
    /// `LOG`, which stands outside the order in Device OS; here below `INFO`.
    Log,
    /// `INFO`.
    Info,
    /// `WARN`.
    Warn,
    /// `ERROR`.
    Error,
    /// `PANIC`.
    Panic,
}

impl LogLevel {
    /// As Device OS writes it; `DEBUG` comes back as `TRACE`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Trace => "TRACE",
            Self::Log => "LOG",
            Self::Info => "INFO",
            Self::Warn => "WARN",
            Self::Error => "ERROR",
            Self::Panic => "PANIC",
        }
    }
}

/// What a new-format line says in brackets at its end.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Attributes<'a> {
    /// `code = …`.
    pub code: Option<i32>,
    /// `details = …`.
    pub details: Option<Cow<'a, str>>,
}

/// A line of the log, taken apart. Text that is not UTF-8 has its broken bytes replaced.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogRecord<'a> {
    /// The format the line is in.
    pub format: LogFormat,
    /// Since the device started.
    pub uptime: DeviceMillis,
    /// As in `[comm.dtls]`; never in old logs.
    pub category: Option<Cow<'a, str>>,
    /// `None` only in old logs, where the level may be blank.
    pub level: Option<LogLevel>,
    /// Source file.
    pub file: Option<Cow<'a, str>>,
    /// Line in the source file, counted from 1.
    pub line: Option<u32>,
    /// Function, without parentheses; in old logs as the compiler spells it, with its types.
    pub func: Option<Cow<'a, str>>,
    /// The message, without its attributes.
    pub message: Cow<'a, str>,
    /// What stood in brackets after the message.
    pub attributes: Attributes<'a>,
    cut: bool,
}

impl<'a> LogRecord<'a> {
    /// Takes a line apart; a CR or LF at its end is not part of it. `None` if it is in neither format.
    ///
    /// One thing the format leaves open: a message may itself end in what looks like attributes. What looks like them is taken for them, from
    /// the first bracket that can open them.
    pub fn parse(line: &'a [u8]) -> Option<Self> {
        let parts = format::split(line)?;
        Some(Self {
            format: parts.format,
            uptime: parts.uptime,
            category: parts.category.map(String::from_utf8_lossy),
            level: parts.level,
            file: parts.file.map(String::from_utf8_lossy),
            line: parts.line,
            func: parts.func.map(String::from_utf8_lossy),
            message: String::from_utf8_lossy(parts.message),
            attributes: Attributes { code: parts.code, details: parts.details.map(String::from_utf8_lossy) },
            cut: parts.is_cut(),
        })
    }

    /// Whether Device OS cut the message because it was too long; or it ends, by chance, as a cut one does. Old logs mark a cut with `...`,
    /// as many messages end that are whole: there it is not told.
    pub fn is_truncated(&self) -> bool {
        self.cut
    }
}
