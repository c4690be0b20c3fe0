//! Where the fields of a log line stand: the printing code of Device OS, read backwards.
//!
//! Boundary: bytes to bytes. Nothing is accepted that the printing code cannot have printed, so that a damaged line is rather no log line than
//! one whose text lands in the wrong field.
//!
//! Sources: device-os `wiring/src/spark_wiring_logging.cpp` (v1.4.4:474-540, `StreamLogHandler::logMessage`), `services/src/logging.cpp`
//! (`log_level_name`, the mark of a cut) and, until 0.5.5, `services/src/debug.c` (v0.5.5:47, `log_print_`). Messages that a newer system prints
//! for an application built before 0.6.0 (`log_compat_callback`) are in a third format, which is not read.

use crate::log::{DeviceMillis, LogFormat, LogLevel};

/// A message is formatted into a buffer of 160 bytes, its final zero included; one that is cut has `~` as its last character
/// (v1.4.4 `services/inc/logging.h:236`, `services/src/logging.cpp`).
const CUT_LENGTH: usize = 159;
/// `%010u`.
const STAMP_DIGITS: usize = 10;

/// What `log_level_name` returns. `LOG` and `DEBUG` are levels of before 0.6.0 that it still knows.
const LEVELS: [(&[u8], LogLevel); 7] = [
    (b"TRACE", LogLevel::Trace),
    (b"LOG", LogLevel::Log),
    (b"DEBUG", LogLevel::Trace),
    (b"INFO", LogLevel::Info),
    (b"WARN", LogLevel::Warn),
    (b"ERROR", LogLevel::Error),
    (b"PANIC", LogLevel::Panic),
];

/// The table of `log_print_`: padded to five, and blank for the lowest.
const OLD_LEVELS: [(&[u8], Option<LogLevel>); 7] = [
    (b"LOG  ", Some(LogLevel::Log)),
    (b"DEBUG", Some(LogLevel::Trace)),
    (b"INFO ", Some(LogLevel::Info)),
    (b"WARN ", Some(LogLevel::Warn)),
    (b"ERROR", Some(LogLevel::Error)),
    (b"PANIC", Some(LogLevel::Panic)),
    (b"", None),
];

/// The fields of one line, as they stand in it.
pub(super) struct Parts<'a> {
    pub(super) format: LogFormat,
    pub(super) uptime: DeviceMillis,
    pub(super) category: Option<&'a [u8]>,
    pub(super) level: Option<LogLevel>,
    pub(super) file: Option<&'a [u8]>,
    pub(super) line: Option<u32>,
    pub(super) func: Option<&'a [u8]>,
    pub(super) message: &'a [u8],
    /// Offset of the message in the line.
    pub(super) message_at: usize,
    pub(super) code: Option<i32>,
    pub(super) details: Option<&'a [u8]>,
}

impl Parts<'_> {
    pub(super) fn is_cut(&self) -> bool {
        self.format == LogFormat::New && self.message.len() == CUT_LENGTH && self.message.ends_with(b"~")
    }
}

/// The fields of `line`; `None` if neither format prints such a line. CR and LF at its end are not looked at.
pub(super) fn split(line: &[u8]) -> Option<Parts<'_>> {
    let end = line.iter().rposition(|byte| !matches!(byte, b'\r' | b'\n')).map_or(0, |last| last + 1);
    let line = &line[..end];
    let (stamp, rest) = line.split_at_checked(STAMP_DIGITS)?;
    let uptime = DeviceMillis::new(all_digits(stamp)?);
    match rest.first()? {
        b' ' => new(uptime, line),
        b':' => old(uptime, line),
        _ => None,
    }
}

/// `[category] file:line, func(): LEVEL: message [code = 1, details = text]`, where only stamp, level and message are always there.
fn new(uptime: DeviceMillis, line: &[u8]) -> Option<Parts<'_>> {
    let rest = &line[STAMP_DIGITS + 1..];
    let (category, rest) = match rest.strip_prefix(b"[") {
        Some(inner) => {
            let end = inner.iter().position(|byte| *byte == b']').filter(|end| *end > 0)?;
            (Some(&inner[..end]), inner[end + 1..].strip_prefix(b" ")?)
        }
        None => (None, rest),
    };
    let (place, level, text) = place(rest)?;
    let (message, code, details) = without_attributes(text);
    Some(Parts {
        format: LogFormat::New,
        uptime,
        category,
        level: Some(level),
        file: place.file,
        line: place.line,
        func: place.func,
        message,
        message_at: line.len() - text.len(),
        code,
        details,
    })
}

#[derive(Default)]
struct Place<'a> {
    file: Option<&'a [u8]>,
    line: Option<u32>,
    func: Option<&'a [u8]>,
}

/// The place, the level, and what follows. A message may look like anything, so the shortest reading is tried first: no place, then a
/// function, then a file.
fn place(rest: &[u8]) -> Option<(Place<'_>, LogLevel, &[u8])> {
    if let Some((level, text)) = level(rest) {
        return Some((Place::default(), level, text));
    }
    if let Some((func, rest)) = function(rest) {
        let (level, text) = level(rest)?;
        return Some((Place { func: Some(func), ..Place::default() }, level, text));
    }
    let end = rest.iter().position(|byte| is_blank(*byte) || matches!(byte, b':' | b',' | b'(' | b')'))?;
    let (file, rest) = rest.split_at(end);
    let (line, rest) = match rest.strip_prefix(b":").and_then(number) {
        Some((line, rest)) => (Some(line), rest),
        None => (None, rest),
    };
    // A comma stands before a function, a colon before the level.
    let (func, rest) = match rest.strip_prefix(b", ") {
        Some(rest) => function(rest).map(|(func, rest)| (Some(func), rest))?,
        None => (None, rest.strip_prefix(b": ")?),
    };
    let (level, text) = level(rest)?;
    let file = (!file.is_empty()).then_some(file)?;
    Some((Place { file: Some(file), line, func }, level, text))
}

fn level(rest: &[u8]) -> Option<(LogLevel, &[u8])> {
    LEVELS.iter().find_map(|(name, level)| Some((*level, rest.strip_prefix(*name)?.strip_prefix(b": ")?)))
}

/// `name(): `: the last word before the parameters, which are left out.
fn function(rest: &[u8]) -> Option<(&[u8], &[u8])> {
    let end = rest.iter().position(|byte| *byte == b'(' || is_blank(*byte)).filter(|end| *end > 0)?;
    let (name, rest) = rest.split_at(end);
    Some((name, rest.strip_prefix(b"(): ")?))
}

/// The message, and code and details that stand in brackets behind it.
fn without_attributes(text: &[u8]) -> (&[u8], Option<i32>, Option<&[u8]>) {
    let whole = (text, None, None);
    let Some(body) = text.strip_suffix(b"]") else { return whole };
    let opened = body.windows(2).enumerate().filter(|(_, pair)| *pair == b" [").map(|(at, _)| at);
    let mut read =
        opened.filter_map(|at| attributes(&body[at + 2..]).map(|(code, details)| (&text[..at], code, details)));
    read.next().unwrap_or(whole)
}

fn attributes(inner: &[u8]) -> Option<(Option<i32>, Option<&[u8]>)> {
    if let Some(details) = inner.strip_prefix(b"details = ") {
        return Some((None, Some(details)));
    }
    let (code, rest) = signed(inner.strip_prefix(b"code = ")?)?;
    match rest {
        [] => Some((Some(code), None)),
        rest => Some((Some(code), Some(rest.strip_prefix(b", details = ")?))),
    }
}

/// `LEVEL: func file(line):message`; the file is often empty.
fn old(uptime: DeviceMillis, line: &[u8]) -> Option<Parts<'_>> {
    let rest = &line[STAMP_DIGITS + 1..];
    let (level, rest) =
        OLD_LEVELS.iter().find_map(|(name, level)| Some((*level, rest.strip_prefix(*name)?.strip_prefix(b": ")?)))?;
    let mut word = None;
    for (at, byte) in rest.iter().enumerate() {
        match (byte, word) {
            (b' ', _) => word = (at > 0).then_some(at),
            (b'(', Some(space)) => {
                let read =
                    number(&rest[at + 1..]).and_then(|(number, after)| Some((number, after.strip_prefix(b"):")?)));
                if let Some((number, message)) = read {
                    let file = &rest[space + 1..at];
                    return Some(Parts {
                        format: LogFormat::Old,
                        uptime,
                        category: None,
                        level,
                        file: (!file.is_empty()).then_some(file),
                        line: Some(number),
                        func: Some(&rest[..space]),
                        message,
                        message_at: line.len() - message.len(),
                        code: None,
                        details: None,
                    });
                }
                word = None;
            }
            (b')', _) => word = None,
            _ => {}
        }
    }
    None
}

fn is_blank(byte: u8) -> bool {
    matches!(byte, b'\t'..=b'\r' | b' ')
}

/// A number that consists of nothing but these digits.
fn all_digits(digits: &[u8]) -> Option<u32> {
    digits.iter().try_fold(0_u32, |value, byte| {
        let digit = byte.is_ascii_digit().then(|| u32::from(byte - b'0'))?;
        value.checked_mul(10)?.checked_add(digit)
    })
}

/// A number from zero up as `%d` prints it, and what follows.
fn number(text: &[u8]) -> Option<(u32, &[u8])> {
    let (digits, rest) = text.split_at(text.iter().position(|byte| !byte.is_ascii_digit()).unwrap_or(text.len()));
    if digits.is_empty() || digits.len() > 1 && digits[0] == b'0' {
        return None;
    }
    let value = all_digits(digits).filter(|value| i32::try_from(*value).is_ok())?;
    Some((value, rest))
}

/// A number as `%d` prints it, and what follows.
pub(super) fn signed(text: &[u8]) -> Option<(i32, &[u8])> {
    let Some(negative) = text.strip_prefix(b"-") else {
        let (value, rest) = number(text)?;
        return Some((i32::try_from(value).ok()?, rest));
    };
    let (digits, rest) =
        negative.split_at(negative.iter().position(|byte| !byte.is_ascii_digit()).unwrap_or(negative.len()));
    let value = i64::from(all_digits(digits).filter(|_| digits.first().is_some_and(|first| *first != b'0'))?);
    Some((i32::try_from(-value).ok()?, rest))
}
