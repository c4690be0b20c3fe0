//! How makers of bench supplies spell the same six wishes.
//!
//! Boundary: text out, text in. When something is said, and what follows from an answer, is the driver's.
//!
//! The generic words are those of SCPI-1999. What stands here of Rigol's and Korad's is recalled from their programming guides and was
//! never tried on their devices.

use brickproof_units::{Current, Span, Voltage};

use crate::kinds::Switch;

/// Whose spelling.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Dialect {
    /// SCPI as most supplies speak it; a channel is selected with `INST:NSEL`.
    Generic,
    /// The channel is named in every command.
    RigolDp800,
    /// Korad, Velleman, TENMA: ASCII without ends of lines, one thing at a time.
    Korad,
}

/// How the end of an answer is known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum End {
    /// By its newline.
    Newline,
    /// By its length in bytes.
    After(usize),
    /// By nothing: the line falls quiet.
    Quiet,
}

/// A question, and how its answer ends.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Question {
    pub(super) text: String,
    pub(super) end: End,
}

/// What is set and what is measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Quantity {
    Voltage,
    Current,
}

/// Which output; supplies with a single one need no word for it.
pub(super) type Channel = Option<u64>;

/// A Korad answers numbers as `12.34` and `1.234`.
const KORAD_NUMBER: usize = 5;

impl Dialect {
    pub(super) const WORDS: &'static [&'static str] = &["generic", "rigol-dp800", "korad"];

    pub(super) fn of_word(word: Option<&str>) -> Self {
        match word {
            Some("rigol-dp800") => Self::RigolDp800,
            Some("korad") => Self::Korad,
            _ => Self::Generic,
        }
    }

    /// What ends a command.
    pub(super) fn newline(self) -> &'static str {
        if self == Self::Korad { "" } else { "\n" }
    }

    /// How long it must be left alone after a command. A Korad drops what comes sooner; recalled.
    pub(super) fn pause(self) -> Span {
        if self == Self::Korad { Span::millis(50) } else { Span::ZERO }
    }

    /// Whether it keeps a queue of errors.
    pub(super) fn has_error_queue(self) -> bool {
        self != Self::Korad
    }

    pub(super) fn identity(self) -> Question {
        let end = if self == Self::Korad { End::Quiet } else { End::Newline };
        Question { text: "*IDN?".to_owned(), end }
    }

    /// Makes the commands that follow mean this channel.
    pub(super) fn select(self, channel: Channel) -> Option<String> {
        channel.filter(|_| self == Self::Generic).map(|n| format!("INST:NSEL {n}"))
    }

    pub(super) fn set_voltage(self, channel: Channel, voltage: Voltage) -> String {
        let n = channel.unwrap_or(1);
        match self {
            Self::Generic => format!("VOLT {}", decimal(voltage.get(), 6)),
            Self::RigolDp800 => format!(":SOUR{n}:VOLT {}", decimal(voltage.get(), 6)),
            Self::Korad => format!("VSET{n}:{}", decimal(voltage.get(), 2)),
        }
    }

    pub(super) fn set_current(self, channel: Channel, current: Current) -> String {
        let n = channel.unwrap_or(1);
        match self {
            Self::Generic => format!("CURR {}", decimal(current.get(), 6)),
            Self::RigolDp800 => format!(":SOUR{n}:CURR {}", decimal(current.get(), 6)),
            Self::Korad => format!("ISET{n}:{}", decimal(current.get(), 3)),
        }
    }

    /// What is set.
    pub(super) fn setting(self, channel: Channel, quantity: Quantity) -> Question {
        let n = channel.unwrap_or(1);
        let text = match (self, quantity) {
            (Self::Generic, Quantity::Voltage) => "VOLT?".to_owned(),
            (Self::Generic, Quantity::Current) => "CURR?".to_owned(),
            (Self::RigolDp800, Quantity::Voltage) => format!(":SOUR{n}:VOLT?"),
            (Self::RigolDp800, Quantity::Current) => format!(":SOUR{n}:CURR?"),
            (Self::Korad, Quantity::Voltage) => format!("VSET{n}?"),
            (Self::Korad, Quantity::Current) => format!("ISET{n}?"),
        };
        self.number(text)
    }

    /// What is at the output.
    pub(super) fn measurement(self, channel: Channel, quantity: Quantity) -> Question {
        let n = channel.unwrap_or(1);
        let text = match (self, quantity) {
            (Self::Generic, Quantity::Voltage) => "MEAS:VOLT?".to_owned(),
            (Self::Generic, Quantity::Current) => "MEAS:CURR?".to_owned(),
            (Self::RigolDp800, Quantity::Voltage) => format!(":MEAS:VOLT? CH{n}"),
            (Self::RigolDp800, Quantity::Current) => format!(":MEAS:CURR? CH{n}"),
            (Self::Korad, Quantity::Voltage) => format!("VOUT{n}?"),
            (Self::Korad, Quantity::Current) => format!("IOUT{n}?"),
        };
        self.number(text)
    }

    pub(super) fn switch(self, channel: Channel, switch: Switch) -> String {
        let (word, digit) = match switch {
            Switch::On => ("ON", '1'),
            Switch::Off => ("OFF", '0'),
        };
        match self {
            Self::Generic => format!("OUTP {word}"),
            Self::RigolDp800 => format!(":OUTP CH{},{word}", channel.unwrap_or(1)),
            // One switch for the whole device.
            Self::Korad => format!("OUT{digit}"),
        }
    }

    pub(super) fn switched(self, channel: Channel) -> Question {
        match self {
            Self::Generic => Question { text: "OUTP?".to_owned(), end: End::Newline },
            Self::RigolDp800 => Question { text: format!(":OUTP? CH{}", channel.unwrap_or(1)), end: End::Newline },
            Self::Korad => Question { text: "STATUS?".to_owned(), end: End::After(1) },
        }
    }

    /// Reads the answer to [`switched`](Self::switched).
    pub(super) fn read_switched(self, answer: &[u8]) -> Option<Switch> {
        /// The output's bit in a Korad's status; recalled.
        const OUTPUT: u8 = 0x40;
        let on = match (self, answer) {
            (Self::Korad, [status]) => status & OUTPUT != 0,
            (Self::Korad, _) => return None,
            (_, answer) => match answer.trim_ascii() {
                b"1" | b"ON" => true,
                b"0" | b"OFF" => false,
                _ => return None,
            },
        };
        Some(if on { Switch::On } else { Switch::Off })
    }

    fn number(self, text: String) -> Question {
        Question { text, end: if self == Self::Korad { End::After(KORAD_NUMBER) } else { End::Newline } }
    }
}

/// Millionths as a decimal number, cut off and never rounded up: a ceiling holds after it too.
fn decimal(millionths: i64, digits: u32) -> String {
    let (whole, rest) = (millionths / 1_000_000, (millionths % 1_000_000).abs());
    let rest = format!("{rest:06}");
    let sign = if millionths < 0 && whole == 0 { "-" } else { "" };
    format!("{sign}{whole}.{}", &rest[..digits.min(6) as usize])
}

/// A number as instruments write it, in millionths; `None` for anything else, and for SCPI's 9.9e37 (too large) and 9.91e37 (no number).
pub(super) fn millionths(answer: &[u8]) -> Option<i64> {
    /// No bench supply's figure, in volts or amperes, is larger.
    const LARGEST: f64 = 1.0e6;
    let text = std::str::from_utf8(answer).ok()?.trim();
    // Some write the unit behind it.
    let value: f64 = text.trim_end_matches(['V', 'A']).trim_end().parse().ok()?;
    (value.abs() <= LARGEST).then(|| (value * 1.0e6).round() as i64)
}

/// An entry of an error queue: its number and the whole line.
pub(super) fn error(answer: &[u8]) -> Option<(i64, String)> {
    let line = std::str::from_utf8(answer).ok()?.trim();
    let number = line.split(',').next()?.trim().parse().ok()?;
    Some((number, line.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn the_same_wishes_in_every_spelling() {
        let mut said = String::new();
        for (word, channel) in [("generic", None), ("generic", Some(2)), ("rigol-dp800", Some(2)), ("korad", None)] {
            let dialect = Dialect::of_word(Some(word));
            let (volts, amperes) = (Voltage::new(3_299_999), Current::new(250_000));
            let commands = [
                dialect.select(channel).unwrap_or_default(),
                dialect.set_voltage(channel, volts),
                dialect.set_current(channel, amperes),
                dialect.setting(channel, Quantity::Voltage).text,
                dialect.setting(channel, Quantity::Current).text,
                dialect.switch(channel, Switch::On),
                dialect.switched(channel).text,
                dialect.measurement(channel, Quantity::Voltage).text,
                dialect.measurement(channel, Quantity::Current).text,
            ];
            said += &format!("{word}, channel {channel:?}: {}\n", commands.join(" | "));
        }
        insta::assert_snapshot!(said, @r"
        generic, channel None:  | VOLT 3.299999 | CURR 0.250000 | VOLT? | CURR? | OUTP ON | OUTP? | MEAS:VOLT? | MEAS:CURR?
        generic, channel Some(2): INST:NSEL 2 | VOLT 3.299999 | CURR 0.250000 | VOLT? | CURR? | OUTP ON | OUTP? | MEAS:VOLT? | MEAS:CURR?
        rigol-dp800, channel Some(2):  | :SOUR2:VOLT 3.299999 | :SOUR2:CURR 0.250000 | :SOUR2:VOLT? | :SOUR2:CURR? | :OUTP CH2,ON | :OUTP? CH2 | :MEAS:VOLT? CH2 | :MEAS:CURR? CH2
        korad, channel None:  | VSET1:3.29 | ISET1:0.250 | VSET1? | ISET1? | OUT1 | STATUS? | VOUT1? | IOUT1?
        ");
    }

    #[test]
    fn what_is_no_number_is_none() {
        for (answer, expected) in [
            (&b"3.3"[..], Some(3_300_000)),
            (b"+3.30000E+00", Some(3_300_000)),
            (b" 03.30V", Some(3_300_000)),
            (b"-0.001", Some(-1_000)),
            (b"9.91E37", None),
            (b"NaN", None),
            (b"inf", None),
            (b"", None),
            (b"\xff3.3", None),
            (b"3.3\n4.4", None),
        ] {
            assert_eq!(millionths(answer), expected, "{:?}", String::from_utf8_lossy(answer));
        }
    }

    proptest! {
        #[test]
        fn a_number_that_is_written_is_read_back_and_never_larger(micro in 0_i64..100_000_000, digits in 2_u32..=6) {
            let back = millionths(decimal(micro, digits).as_bytes()).unwrap();
            prop_assert!(back <= micro && micro - back < 10_i64.pow(6 - digits));
        }

        #[test]
        fn no_answer_makes_the_readers_panic(answer: Vec<u8>) {
            let _ = (millionths(&answer), error(&answer));
            for word in Dialect::WORDS {
                let _ = Dialect::of_word(Some(word)).read_switched(&answer);
            }
        }
    }
}
