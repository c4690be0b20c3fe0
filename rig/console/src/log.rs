//! Log lines of Device OS: the format since 0.6.0 and the one before.
//!
//! Boundary: reading. A line that is not in one of the formats is simply not a log line.
//!
//! Sources: device-os v1.4.4 `wiring/src/spark_wiring_logging.cpp:474-540` and v0.5.5 `services/src/debug.c:47`. The expressions below
//! were made from them and tried on field logs.

use std::borrow::Cow;
use std::sync::LazyLock;

use brickproof_units::Span;
use regex::bytes::{Captures, Regex};

static NEW: LazyLock<Regex> = LazyLock::new(|| {
    compile(concat!(
        r"^(?P<millis>\d{10}) (?:\[(?P<category>[^\]]+)\] )?",
        r"(?:(?P<file>[^\s:,]+)(?::(?P<line>\d+))?(?:, |: ))?(?:(?P<func>[^\s(]+)\(\): )?",
        r"(?P<level>TRACE|INFO|WARN|ERROR|PANIC|LOG|DEBUG): (?P<message>.*?)",
        r"(?: \[(?:code = (?P<code>-?\d+)(?:, details = (?P<coded>.*))?|details = (?P<details>.*))\])?$",
    ))
});

static OLD: LazyLock<Regex> = LazyLock::new(|| {
    compile(concat!(
        r"^(?P<millis>\d{10}):(?P<level>LOG  |DEBUG|INFO |WARN |ERROR|PANIC|): ",
        r"(?P<func>.+?) (?P<file>[^ ()]*)\((?P<line>\d+)\):(?P<message>.*)$",
    ))
});

/// Device OS cuts a message at this many characters and marks the cut with `~` (device-os v1.4.4 `services/inc/logging.h:236`).
const LONGEST_MESSAGE: usize = 160;

fn compile(expression: &str) -> Regex {
    regex::bytes::RegexBuilder::new(expression)
        .unicode(false)
        .dot_matches_new_line(true)
        .build()
        .expect("the expressions of this file are valid: every test compiles them")
}

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

/// What a new-format line says in brackets at its end.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Attributes<'a> {
    /// `code = …`.
    pub code: Option<i64>,
    /// `details = …`.
    pub details: Option<Cow<'a, str>>,
}

/// A line of the log, taken apart. Text that is not UTF-8 has its broken bytes replaced.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogRecord<'a> {
    /// The format the line is in.
    pub format: LogFormat,
    /// Since the device started. Wraps at 2^32 ms (49.7 days).
    pub uptime: Span,
    /// As in `[comm.dtls]`; never in old logs.
    pub category: Option<Cow<'a, str>>,
    /// `None` only in old logs, where the level may be blank.
    pub level: Option<LogLevel>,
    /// Source file.
    pub file: Option<Cow<'a, str>>,
    /// Line in the source file.
    pub line: Option<u64>,
    /// Function, without parentheses.
    pub func: Option<Cow<'a, str>>,
    /// The message, without its attributes.
    pub message: Cow<'a, str>,
    /// What stood in brackets after the message.
    pub attributes: Attributes<'a>,
}

impl<'a> LogRecord<'a> {
    /// Takes a line apart; a CR or LF at its end is not part of it. `None` if it is in neither format.
    pub fn parse(line: &'a [u8]) -> Option<Self> {
        let end = line.iter().rposition(|byte| !matches!(byte, b'\r' | b'\n')).map_or(0, |last| last + 1);
        let line = &line[..end];
        let fields = |format, captures| Fields { format, captures }.record();
        NEW.captures(line)
            .and_then(|captures| fields(LogFormat::New, captures))
            .or_else(|| OLD.captures(line).and_then(|captures| fields(LogFormat::Old, captures)))
    }

    /// Whether Device OS cut the message because it was too long.
    pub fn is_truncated(&self) -> bool {
        self.format == LogFormat::New && self.message.len() + 1 >= LONGEST_MESSAGE && self.message.ends_with('~')
    }
}

struct Fields<'a> {
    format: LogFormat,
    captures: Captures<'a>,
}

impl<'a> Fields<'a> {
    fn record(&self) -> Option<LogRecord<'a>> {
        Some(LogRecord {
            format: self.format,
            uptime: Span::millis(self.number("millis")?),
            category: self.text("category"),
            level: self.bytes("level").and_then(level),
            file: self.text("file").filter(|file| !file.is_empty()),
            line: self.number("line"),
            func: self.text("func"),
            message: self.text("message")?,
            attributes: Attributes { code: self.number("code"), details: self.text("coded").or(self.text("details")) },
        })
    }

    /// The bytes of a group; `None` too if the format has no such group.
    fn bytes(&self, name: &str) -> Option<&'a [u8]> {
        self.captures.name(name).map(|group| group.as_bytes())
    }

    fn text(&self, name: &str) -> Option<Cow<'a, str>> {
        self.bytes(name).map(String::from_utf8_lossy)
    }

    /// `None` too if the number is too large for its type.
    fn number<N: std::str::FromStr>(&self, name: &str) -> Option<N> {
        std::str::from_utf8(self.bytes(name)?).ok()?.parse().ok()
    }
}

fn level(name: &[u8]) -> Option<LogLevel> {
    match name.trim_ascii_end() {
        b"TRACE" | b"DEBUG" => Some(LogLevel::Trace),
        b"LOG" => Some(LogLevel::Log),
        b"INFO" => Some(LogLevel::Info),
        b"WARN" => Some(LogLevel::Warn),
        b"ERROR" => Some(LogLevel::Error),
        b"PANIC" => Some(LogLevel::Panic),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(line: &str) -> String {
        let Some(record) = LogRecord::parse(line.as_bytes()) else { return "not a log line".to_owned() };
        let LogRecord { format, uptime, category, level, file, line, func, message, attributes } = record;
        let opt = |text: Option<Cow<str>>| text.map_or("-".to_owned(), Cow::into_owned);
        let place = format!("{}:{}", opt(file), line.map_or("-".to_owned(), |line| line.to_string()));
        let level = level.map_or("-".to_owned(), |level| format!("{level:?}"));
        let Attributes { code, details } = attributes;
        format!("{format:?} {uptime} {level} {} {place} {} «{message}» {code:?} {details:?}", opt(category), opt(func))
    }

    const LINES: [&str; 11] = [
        "0000045461 [comm.dtls] ERROR: handshake failed -6800",
        "0000045461 [comm.protocol.handshake] ERROR: handshake failed with code 17\r",
        "0000045470 [system] WARN: Cloud handshake failed, code=17\r\n",
        "0000010000 [app] main.cpp:42, loop(): INFO: reading [x] taken",
        "0000010001 [app] main.cpp: TRACE: no function",
        "0000010002 INFO: bare",
        "0000010003 [net] ERROR: connect failed [code = -110, details = timed out]",
        "0000010004 [net] ERROR: connect failed [code = 5]",
        "0000010005 [net] ERROR: connect failed [details = timed out]",
        "0000012345:INFO : Spark_Handshake core_communication.cpp(108):Starting handshake",
        "0000012346:ERROR: void run() (268):Unable to receive key -19",
    ];

    #[test]
    fn both_formats_come_apart_into_their_fields() {
        insta::assert_snapshot!(LINES.map(shown).join("\n"), @r#"
        New 45.461s Error comm.dtls -:- - «handshake failed -6800» None None
        New 45.461s Error comm.protocol.handshake -:- - «handshake failed with code 17» None None
        New 45.47s Warn system -:- - «Cloud handshake failed, code=17» None None
        New 10s Info app main.cpp:42 loop «reading [x] taken» None None
        New 10.001s Trace app main.cpp:- - «no function» None None
        New 10.002s Info - -:- - «bare» None None
        New 10.003s Error net -:- - «connect failed» Some(-110) Some("timed out")
        New 10.004s Error net -:- - «connect failed» Some(5) None
        New 10.005s Error net -:- - «connect failed» None Some("timed out")
        Old 12.345s Info - core_communication.cpp:108 Spark_Handshake «Starting handshake» None None
        Old 12.346s Error - -:268 void run() «Unable to receive key -19» None None
        "#);
    }

    #[test]
    fn other_lines_are_not_log_lines() {
        for line in [
            "",
            "> ",
            "000004546 [a] INFO: nine digits",
            "0000045461 [a] NOTICE: level",
            "~connect lantern.invalid 5684",
        ] {
            assert_eq!(shown(line), "not a log line", "{line}");
        }
    }

    #[test]
    fn a_cut_message_is_recognised() {
        let line = format!("0000000001 [a] INFO: {}~", "m".repeat(158));
        assert!(LogRecord::parse(line.as_bytes()).unwrap().is_truncated());
        assert!(!LogRecord::parse(b"0000000001 [a] INFO: home is ~").unwrap().is_truncated());
    }

    /// A hundred thousand damaged lines: none may panic, and what is recognised must come from the line.
    #[test]
    fn damaged_lines_never_panic_and_never_invent_a_message() {
        let mut random = 0x9e37_79b9_7f4a_7c15_u64;
        let mut next = |bound: usize| {
            random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            (random >> 33) as usize % bound
        };
        let mut recognised = 0;
        for round in 0..100_000 {
            let mut line = LINES[round % LINES.len()].as_bytes().to_vec();
            for _ in 0..=next(3) {
                if line.is_empty() {
                    break;
                }
                let at = next(line.len());
                match next(4) {
                    0 => line[at] = next(256) as u8,
                    1 => drop(line.remove(at)),
                    2 => line.insert(at, b"[]():, \r\n=0"[next(11)]),
                    _ => line.truncate(at + 1),
                }
            }
            if let Some(record) = LogRecord::parse(&line) {
                recognised += 1;
                let text = String::from_utf8_lossy(&line);
                assert!(text.contains(record.message.as_ref()), "{text:?} {record:?}");
            }
        }
        assert!((25_000..90_000).contains(&recognised), "{recognised}");
    }
}
