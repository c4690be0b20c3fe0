//! What a bench file may say about a driver, declared as data: the reader of the file checks keys, kinds and needs with it, and
//! documentation is made from it.
//!
//! Boundary: names and typed values. Where in the file a value stood is known to its reader.

use std::collections::BTreeMap;

use brickproof_units::{Baud, Current, Resistance, Span, Voltage};

/// One key that a driver understands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Setting {
    /// As written in the bench file.
    pub name: &'static str,
    /// What its value is.
    pub kind: SettingKind,
    /// Whether the driver does without.
    pub required: bool,
    /// What it means, and what holds when it is not given.
    pub about: &'static str,
}

/// The kinds of values.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SettingKind {
    /// Any text.
    Text,
    /// The path of a file; one that is relative begins at the bench file's folder. Its value is a text.
    File,
    /// One of these words.
    Word(&'static [&'static str]),
    /// A whole number; `0x29` is one.
    Number,
    /// Names of lines of the board, each with its place.
    LineMap,
    /// Several texts.
    TextList,
    /// A voltage with its unit.
    Voltage,
    /// A current with its unit.
    Current,
    /// A resistance with its unit.
    Resistance,
    /// A duration with its unit.
    Span,
    /// A line rate with its unit.
    Baud,
}

/// A value of one of the kinds.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Value {
    /// Text, or a word.
    Text(String),
    /// A whole number.
    Number(u64),
    /// Lines of the board and where each is: an offset, or the name that the kernel has for it.
    LineMap(BTreeMap<String, String>),
    /// Several texts.
    TextList(Vec<String>),
    /// A voltage.
    Voltage(Voltage),
    /// A current.
    Current(Current),
    /// A resistance.
    Resistance(Resistance),
    /// A duration.
    Span(Span),
    /// A line rate.
    Baud(Baud),
}

/// The settings of one instrument, already checked against its driver's list.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Settings(BTreeMap<String, Value>);

macro_rules! getter {
    ($(#[$doc:meta])* $name:ident, $variant:ident, $type:ty) => {
        $(#[$doc])*
        pub fn $name(&self, name: &str) -> Option<$type> {
            match self.0.get(name)? {
                Value::$variant(value) => Some(value.clone()),
                _ => None,
            }
        }
    };
}

impl Settings {
    /// No settings.
    pub fn new() -> Self {
        Self::default()
    }

    /// With one more.
    #[must_use]
    pub fn with(mut self, name: &str, value: Value) -> Self {
        self.0.insert(name.to_owned(), value);
        self
    }

    /// The text or word under this name.
    pub fn text(&self, name: &str) -> Option<&str> {
        match self.0.get(name)? {
            Value::Text(text) => Some(text),
            _ => None,
        }
    }

    /// The lines under this name; none if it was not given.
    pub fn lines(&self, name: &str) -> BTreeMap<String, String> {
        match self.0.get(name) {
            Some(Value::LineMap(lines)) => lines.clone(),
            _ => BTreeMap::new(),
        }
    }

    getter!(
        /// The number under this name.
        number, Number, u64
    );
    getter!(
        /// The texts under this name.
        texts, TextList, Vec<String>
    );
    getter!(
        /// The voltage under this name.
        voltage, Voltage, Voltage
    );
    getter!(
        /// The current under this name.
        current, Current, Current
    );
    getter!(
        /// The resistance under this name.
        resistance, Resistance, Resistance
    );
    getter!(
        /// The duration under this name.
        span, Span, Span
    );
    getter!(
        /// The line rate under this name.
        baud, Baud, Baud
    );
}
