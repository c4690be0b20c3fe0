//! A hundred thousand damaged lines, read a second time by expressions that were made from field logs: neither reading may put a text into a
//! field where the printing code does not put it.

use std::borrow::Cow;
use std::collections::BTreeMap;

use brickproof_console::{LogFormat, LogLevel, LogRecord, explain};
use regex::bytes::{Captures, Regex, RegexBuilder};

use crate::known::shapes;
use crate::printed::Printed;

const NEW: &str = concat!(
    r"^(?P<ms>\d{10}) (?:\[(?P<cat>[^\]]+)\] )?(?:(?P<file>[^\s:,]+)(?::(?P<line>\d+))?(?P<after>, |: ))?(?:(?P<func>[^\s(]+)\(\): )?",
    r"(?P<level>TRACE|INFO|WARN|ERROR|PANIC|LOG|DEBUG): (?P<msg>.*?)(?: \[(?P<attrs>(?:code = -?\d+)?(?:, )?(?:details = .*)?)\])?$",
);
const OLD: &str = r"^(?P<ms>\d{10}):(?P<level>LOG  |DEBUG|INFO |WARN |ERROR|PANIC|): (?P<func>.+?) (?P<file>[^ ()]*)\((?P<line>\d+)\):(?P<msg>.*)$";
/// What stands in the brackets if the printing code wrote them.
const ATTRIBUTES: &str = r"^(?:code = (?P<code>0|-?[1-9]\d*)(?:, details = (?P<coded>.*))?|details = (?P<details>.*))$";

fn compile(expression: &str) -> Regex {
    RegexBuilder::new(expression).unicode(false).dot_matches_new_line(true).build().expect("they are regular")
}

/// Why the expressions cannot be right about a line.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Flaw {
    /// They let a file stand before the level, so that `INFO: WARN: x` is a warning in a file called `INFO`.
    LevelAsFile,
    /// They let brackets be part of a file's name, so that `f(): INFO: x` is in a file called `f()`.
    FunctionAsFile,
    /// `a.cpp, INFO:` and `a.cpp: f(): INFO:` are not printed: a comma stands before a function and nowhere else.
    WrongSeparator,
    /// A category that is none: `[` can only open one.
    BracketAsFile,
    /// More than 32 bits of milliseconds.
    StampTooLarge,
    /// A line number that `%d` does not print.
    LineNotPrinted,
    /// `[]`, `[, details = x]`, `[code = 007]`: brackets of the message.
    AttributesNotPrinted,
}

/// The second reading, and what is wrong with it.
struct Second {
    record: Option<Printed>,
    flaw: Option<Flaw>,
}

struct Expressions {
    new: Regex,
    old: Regex,
    attributes: Regex,
}

impl Expressions {
    fn read(&self, line: &[u8]) -> Option<Second> {
        let new = self.new.captures(line).map(|captures| (LogFormat::New, captures));
        let (format, captures) = new.or_else(|| self.old.captures(line).map(|captures| (LogFormat::Old, captures)))?;
        let text = |name: &str| captures.name(name).map(|group| String::from_utf8_lossy(group.as_bytes()).into_owned());
        let printed = |digits: &String| digits.parse::<i32>().is_ok_and(|value| value.to_string() == *digits);
        let attributes = captures.name("attrs").map(|group| self.attributes.captures(group.as_bytes()));
        let inside = |name: &str| {
            let found = attributes.as_ref()?.as_ref()?.name(name)?;
            Some(String::from_utf8_lossy(found.as_bytes()).into_owned())
        };
        let flaw = if text("ms").is_some_and(|stamp| stamp.parse::<u32>().is_err()) {
            Some(Flaw::StampTooLarge)
        } else if text("line").is_some_and(|line| !printed(&line)) {
            Some(Flaw::LineNotPrinted)
        } else if format == LogFormat::New {
            flaw_of_new(&captures, line).or_else(|| {
                let bad = attributes.as_ref().is_some_and(|inside| inside.is_none())
                    || inside("code").is_some_and(|code| !printed(&code));
                bad.then_some(Flaw::AttributesNotPrinted)
            })
        } else {
            None
        };
        let record = Printed {
            format,
            uptime: text("ms").and_then(|stamp| stamp.parse().ok()).unwrap_or_default(),
            category: captures.name("cat").and(text("cat")),
            level: text("level").and_then(|name| named(name.trim_end())),
            file: text("file").filter(|file| !file.is_empty()),
            line: text("line").and_then(|line| line.parse().ok()),
            func: text("func"),
            message: text("msg").unwrap_or_default(),
            code: inside("code").and_then(|code| code.parse().ok()),
            details: inside("coded").or(inside("details")),
        };
        Some(Second { record: Some(record), flaw })
    }
}

fn flaw_of_new(captures: &Captures<'_>, line: &[u8]) -> Option<Flaw> {
    if captures.name("cat").is_none() && line.get(11) == Some(&b'[') {
        return Some(Flaw::BracketAsFile);
    }
    let file = captures.name("file")?.as_bytes();
    let (after, func) = (captures.name("after")?.as_bytes(), captures.name("func"));
    if captures.name("line").is_none()
        && std::str::from_utf8(file).is_ok_and(|file| named(file).is_some())
        && after == b": "
    {
        Some(Flaw::LevelAsFile)
    } else if file.iter().any(|byte| matches!(byte, b'(' | b')')) {
        Some(Flaw::FunctionAsFile)
    } else {
        ((after == b", ") != func.is_some()).then_some(Flaw::WrongSeparator)
    }
}

fn named(level: &str) -> Option<LogLevel> {
    match level {
        "TRACE" | "DEBUG" => Some(LogLevel::Trace),
        "LOG" => Some(LogLevel::Log),
        "INFO" => Some(LogLevel::Info),
        "WARN" => Some(LogLevel::Warn),
        "ERROR" => Some(LogLevel::Error),
        "PANIC" => Some(LogLevel::Panic),
        _ => None,
    }
}

/// Numbers that are the same every time (Knuth's MMIX generator).
struct Numbers(u64);

impl Numbers {
    fn below(&mut self, bound: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) as usize % bound
    }
}

/// What a line is made of, put where it does not belong.
const PIECES: [&str; 20] = [
    "INFO: ",
    "ERROR: ",
    "DEBUG: ",
    "[app] ",
    "[",
    "]",
    "] ",
    "f(): ",
    "a.cpp:7",
    ", ",
    ": ",
    " [code = 7]",
    " [details = x]",
    " []",
    " [code = 007]",
    "(3):",
    " ",
    "\r",
    "\n",
    "9",
];

fn damaged(lines: &[String], numbers: &mut Numbers) -> Vec<u8> {
    let mut line = lines[numbers.below(lines.len())].clone().into_bytes();
    for _ in 0..=numbers.below(3) {
        if line.is_empty() {
            break;
        }
        let at = numbers.below(line.len());
        match numbers.below(6) {
            0 => line[at] = numbers.below(256) as u8,
            1 => drop(line.remove(at)),
            2 => drop(line.splice(at..at, PIECES[numbers.below(PIECES.len())].bytes())),
            3 => line.truncate(at + 1),
            4 => {
                let other = lines[numbers.below(lines.len())].as_bytes();
                line.truncate(at);
                line.extend_from_slice(&other[numbers.below(other.len())..]);
            }
            _ => {
                let end = (at + 1 + numbers.below(8)).min(line.len());
                line.drain(at..end);
            }
        }
    }
    line
}

/// The new format's `DEBUG`, a level of before it, is read as `TRACE`, which is printed otherwise.
fn as_trace(line: &str) -> Cow<'_, str> {
    let after = line.find("DEBUG: ");
    after.map_or(line.into(), |at| format!("{}TRACE: {}", &line[..at], &line[at + 7..]).into())
}

#[test]
fn no_damage_makes_a_text_land_in_a_field_where_it_was_not_printed() {
    let expressions = Expressions { new: compile(NEW), old: compile(OLD), attributes: compile(ATTRIBUTES) };
    let lines: Vec<String> = shapes().iter().map(Printed::line).collect();
    let mut numbers = Numbers(0x9e37_79b9_7f4a_7c15);
    let (mut read, mut flawed) = (0, BTreeMap::new());
    for _ in 0..100_000 {
        let line = damaged(&lines, &mut numbers);
        let first = LogRecord::parse(&line).map(|record| Printed::from(&record));
        let line = without_end(&line);
        for it in explain(line) {
            assert!(!line[it.span.clone()].is_empty(), "{it:?}");
        }
        let shown = String::from_utf8_lossy(line);
        if let (Some(first), Ok(text)) = (&first, std::str::from_utf8(line)) {
            read += 1;
            let printed = first.line();
            let same = printed == text || first.level == Some(LogLevel::Trace) && printed == as_trace(text);
            assert!(same, "read {text:?}\nas   {printed:?}");
        }
        match expressions.read(line) {
            None => assert_eq!(first, None, "{shown:?}"),
            Some(Second { record, flaw: None }) => assert_eq!(first, record, "{shown:?}"),
            Some(Second { record, flaw: Some(flaw) }) => {
                *flawed.entry(flaw).or_insert(0) += 1;
                assert_ne!(first, record, "{flaw:?} is none: {shown:?}");
            }
        }
    }
    assert!((30_000..60_000).contains(&read), "{read}");
    let met: Vec<Flaw> = flawed.keys().copied().collect();
    use Flaw::*;
    let all = [
        LevelAsFile,
        FunctionAsFile,
        WrongSeparator,
        BracketAsFile,
        StampTooLarge,
        LineNotPrinted,
        AttributesNotPrinted,
    ];
    assert_eq!(met, all, "{flawed:?}");
}

/// What ends a line is not part of it.
fn without_end(line: &[u8]) -> &[u8] {
    let end = line.iter().rposition(|byte| !matches!(byte, b'\r' | b'\n')).map_or(0, |last| last + 1);
    &line[..end]
}
