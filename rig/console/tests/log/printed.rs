//! What Device OS prints for a record: the other direction, for tests.
//!
//! Boundary: `StreamLogHandler::logMessage` (device-os `wiring/src/spark_wiring_logging.cpp`) and `log_print_` (`services/src/debug.c`), step by step,
//! without line ends.

use std::borrow::Cow;

use brickproof_console::{Attributes, DeviceMillis, LogFormat, LogLevel, LogRecord};
use proptest::prelude::*;

/// The fields of a record, for comparison and for printing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Printed {
    pub(crate) format: LogFormat,
    pub(crate) uptime: u32,
    pub(crate) category: Option<String>,
    pub(crate) level: Option<LogLevel>,
    pub(crate) file: Option<String>,
    pub(crate) line: Option<u32>,
    pub(crate) func: Option<String>,
    pub(crate) message: String,
    pub(crate) code: Option<i32>,
    pub(crate) details: Option<String>,
}

impl From<&LogRecord<'_>> for Printed {
    fn from(record: &LogRecord<'_>) -> Self {
        let owned = |text: &Option<Cow<'_, str>>| text.as_deref().map(str::to_owned);
        let Attributes { code, details } = &record.attributes;
        Self {
            format: record.format,
            uptime: record.uptime.get(),
            category: owned(&record.category),
            level: record.level,
            file: owned(&record.file),
            line: record.line,
            func: owned(&record.func),
            message: record.message.clone().into_owned(),
            code: *code,
            details: owned(details),
        }
    }
}

impl Printed {
    /// A record of the new format that has nothing but what all have.
    pub(crate) fn plain(uptime: u32, level: LogLevel, message: &str) -> Self {
        Self {
            format: LogFormat::New,
            uptime,
            category: None,
            level: Some(level),
            file: None,
            line: None,
            func: None,
            message: message.to_owned(),
            code: None,
            details: None,
        }
    }

    /// The line.
    pub(crate) fn line(&self) -> String {
        match self.format {
            LogFormat::New => self.new_line(),
            LogFormat::Old => {
                let Self { uptime, func, file, line, message, .. } = self;
                let level = match self.level {
                    None => String::new(),
                    Some(LogLevel::Trace) => "DEBUG".to_owned(),
                    Some(level) => format!("{:<5}", level.name()),
                };
                let (func, file) = (func.as_deref().unwrap_or_default(), file.as_deref().unwrap_or_default());
                format!("{uptime:010}:{level}: {func} {file}({}):{message}", line.unwrap_or_default())
            }
        }
    }

    fn new_line(&self) -> String {
        let mut text = format!("{:010} ", self.uptime);
        if let Some(category) = &self.category {
            text.push_str(&format!("[{category}] "));
        }
        if let Some(file) = &self.file {
            text.push_str(file);
            if let Some(line) = self.line {
                text.push_str(&format!(":{line}"));
            }
            text.push_str(if self.func.is_some() { ", " } else { ": " });
        }
        if let Some(func) = &self.func {
            text.push_str(&format!("{func}(): "));
        }
        text.push_str(&format!("{}: {}", self.level.map_or("", LogLevel::name), self.message));
        let code = self.code.map(|code| format!("code = {code}"));
        let details = self.details.as_ref().map(|details| format!("details = {details}"));
        let attributes: Vec<String> = code.into_iter().chain(details).collect();
        if !attributes.is_empty() {
            text.push_str(&format!(" [{}]", attributes.join(", ")));
        }
        text
    }
}

fn level() -> impl Strategy<Value = LogLevel> {
    use LogLevel::{Error, Info, Log, Panic, Trace, Warn};
    prop::sample::select(vec![Trace, Log, Info, Warn, Error, Panic])
}

/// Text that looks like parts of lines.
fn tricky() -> impl Strategy<Value = String> {
    let piece = prop_oneof![
        "[ -~]{0,6}",
        Just("INFO: ".to_owned()),
        Just("a.cpp:12, f(): WARN: ".to_owned()),
        Just("[app] ".to_owned()),
        Just("f (3):".to_owned()),
        Just(" []".to_owned()),
        Just(" [code = x]".to_owned()),
        Just("]".to_owned()),
        Just("grün".to_owned()),
    ];
    prop::collection::vec(piece, 0..5).prop_map(|pieces| pieces.concat())
}

fn new_record() -> impl Strategy<Value = Printed> {
    let place = (
        prop::option::of("[a-z_]{1,8}\\.(cpp|h)"),
        prop::option::of(0_u32..100_000),
        prop::option::of("[a-zA-Z_:<>~]{1,12}"),
    );
    let attributes = (prop::option::of(any::<i32>()), prop::option::of("[ -~]{0,12}"));
    let fields = (any::<u32>(), prop::option::of("[a-zA-Z.]{1,16}"), place, level(), tricky(), attributes);
    fields.prop_map(|(uptime, category, (file, line, func), level, message, (code, details))| {
        let line = line.filter(|_| file.is_some());
        Printed { category, file, line, func, code, details, ..Printed::plain(uptime, level, &message) }
    })
}

fn old_record() -> impl Strategy<Value = Printed> {
    let fields = (
        any::<u32>(),
        prop::option::of(level()),
        "[a-z]{1,4}( [a-zA-Z:<>*&()]{1,8}){0,3}",
        prop::option::of("[a-z]{1,8}\\.c"),
        0_u32..100_000,
        tricky(),
    );
    fields.prop_map(|(uptime, level, func, file, line, message)| Printed {
        format: LogFormat::Old,
        level,
        func: Some(func),
        file,
        line: Some(line),
        ..Printed::plain(uptime, LogLevel::Info, &message)
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(5_000))]

    /// But for a message or details that end like attributes, what was printed is what is read.
    #[test]
    fn what_device_os_prints_is_read_back(printed in prop_oneof![3 => new_record(), 1 => old_record()]) {
        prop_assume!(![" [code = ", " [details = "].iter().any(|opening| {
            printed.message.match_indices(opening).any(|(at, _)| !printed.message[at..].starts_with(" [code = x"))
        }));
        // A line's end is not part of it.
        let line = printed.line();
        for end in ["", "\r", "\r\n", "\n"] {
            let line = format!("{line}{end}");
            let record = LogRecord::parse(line.as_bytes());
            prop_assert_eq!(record.as_ref().map(Printed::from), Some(printed.clone()), "{}", line);
            prop_assert_eq!(record.map(|record| record.uptime), Some(DeviceMillis::new(printed.uptime)));
        }
    }
}
