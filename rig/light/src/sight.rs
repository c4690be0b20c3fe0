//! What was seen, and how it is said.
//!
//! Boundary: statements and their words; how they are found is decided elsewhere.

use std::fmt;

use brickproof_units::{Instant, Ratio, Span};

use crate::colour::Colour;

/// What the light does over time.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Rhythm {
    /// None that can be told (yet).
    #[default]
    Unknown,
    /// No light.
    Off,
    /// Steady light.
    Solid,
    /// On and off in turn.
    Blink {
        /// One on phase and one off phase.
        period: Span,
        /// The share of the period that is on.
        duty: Ratio,
    },
    /// Swelling and fading.
    Breathe {
        /// From full to full.
        period: Span,
    },
    /// A few flashes, and none of the same colour shortly before or after. Four and more even flashes are a blink.
    Burst {
        /// How many flashes, at most [`Rhythm::MOST_FLASHES`].
        count: u8,
        /// Length of each flash.
        on: Span,
        /// Time between two of them; zero if there is one.
        off: Span,
    },
    /// `... --- ...`, as Device OS shows a panic.
    Sos {
        /// The number of flashes after it, once they have been counted: 1 hard fault, 10 failed assertion, and so on.
        code: Option<u8>,
    },
}

impl Rhythm {
    /// The largest count of a [`Rhythm::Burst`].
    pub const MOST_FLASHES: u8 = 3;

    /// Whether both are of the same kind, whatever their numbers.
    pub fn is_same_kind(&self, other: &Self) -> bool {
        std::mem::discriminant(self) == std::mem::discriminant(other)
    }
}

/// A statement about the light: what it was from `since` to `until`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Sight {
    /// The colour while it is lit.
    pub colour: Colour,
    /// What it does.
    pub rhythm: Rhythm,
    /// How much evidence there is, 0 to 100 %. Grows while the statement stays true; it is not a probability.
    pub confidence: Ratio,
    /// The earliest instant from which on the statement has been true.
    pub since: Instant,
    /// The end of it; for the statement that stands now, the last sample.
    pub until: Instant,
}

impl Sight {
    /// Whether a light is stated, in whatever rhythm.
    pub fn shows_light(&self) -> bool {
        !matches!(self.rhythm, Rhythm::Unknown | Rhythm::Off)
    }

    /// The statement that nothing can be stated.
    pub(crate) fn unknown(since: Instant, until: Instant) -> Self {
        Self { since, until, ..Self::default() }
    }

    /// How long it has been so.
    pub fn length(&self) -> Span {
        self.until.since(self.since)
    }
}

impl fmt::Display for Sight {
    /// In the words of a person: `cyan, breathing, 4 s`. The same words for the same sight, whenever it was.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let colour = match self.colour {
            Colour::Unknown => "unknown colour".to_owned(),
            named => named.to_string(),
        };
        match self.rhythm {
            Rhythm::Unknown if self.colour.is_lit() => write!(f, "{colour}, rhythm unknown"),
            Rhythm::Unknown => f.write_str("unknown"),
            Rhythm::Off => f.write_str("off"),
            Rhythm::Solid => write!(f, "{colour}, solid"),
            Rhythm::Blink { period, duty } => {
                write!(f, "{colour}, blinking, {} ({} on)", About(period), Percent(duty))
            }
            Rhythm::Breathe { period } => write!(f, "{colour}, breathing, {}", About(period)),
            Rhythm::Burst { count: 1, on, .. } => write!(f, "one {colour} flash, {}", About(on)),
            Rhythm::Burst { count, on, off } => {
                let count = Counted(count);
                write!(f, "{count} {colour} flashes, {} on, {} off", About(on), About(off))
            }
            Rhythm::Sos { code: None } => write!(f, "{colour}, SOS"),
            Rhythm::Sos { code: Some(1) } => write!(f, "{colour}, SOS and one flash"),
            Rhythm::Sos { code: Some(code) } => write!(f, "{colour}, SOS and {} flashes", Counted(code)),
        }
    }
}

struct Counted(u8);

impl fmt::Display for Counted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            2 => f.write_str("two"),
            3 => f.write_str("three"),
            more => write!(f, "{more}"),
        }
    }
}

/// To two digits, or to 10 ms from 100 ms on: nobody sees more, and it keeps reports steady.
struct About(Span);

impl fmt::Display for About {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let millis = (self.0.get().saturating_add(500_000)) / 1_000_000;
        match millis {
            0..100 => write!(f, "{millis} ms"),
            100..995 => write!(f, "{} ms", (millis + 5) / 10 * 10),
            _ => {
                let tenths = (millis + 50) / 100;
                let (whole, tenth) = (tenths / 10, tenths % 10);
                if tenth == 0 { write!(f, "{whole} s") } else { write!(f, "{whole}.{tenth} s") }
            }
        }
    }
}

/// To 5 %, below 10 % and above 90 % to 1 %.
struct Percent(Ratio);

impl fmt::Display for Percent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let percent = (self.0.get() + 5_000) / 10_000;
        let shown = if (10..=90).contains(&percent) { (percent + 2) / 5 * 5 } else { percent };
        write!(f, "{shown} %")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(colour: Colour, rhythm: Rhythm) -> String {
        Sight { colour, rhythm, ..Sight::default() }.to_string()
    }

    #[test]
    fn every_sight_has_words() {
        let ms = Span::millis;
        let said = [
            words(Colour::Cyan, Rhythm::Breathe { period: ms(3_970) }),
            words(Colour::Blue, Rhythm::Breathe { period: ms(1_460) }),
            words(Colour::Cyan, Rhythm::Blink { period: ms(101), duty: Ratio::new(488_000) }),
            words(Colour::White, Rhythm::Blink { period: ms(997), duty: Ratio::new(52_000) }),
            words(Colour::Unknown, Rhythm::Blink { period: ms(97), duty: Ratio::new(971_000) }),
            words(Colour::Red, Rhythm::Burst { count: 1, on: ms(251), off: Span::ZERO }),
            words(Colour::Orange, Rhythm::Burst { count: 2, on: ms(249), off: ms(252) }),
            words(Colour::Orange, Rhythm::Burst { count: 3, on: ms(249), off: ms(252) }),
            words(Colour::Red, Rhythm::Sos { code: None }),
            words(Colour::Red, Rhythm::Sos { code: Some(1) }),
            words(Colour::Red, Rhythm::Sos { code: Some(10) }),
            words(Colour::Green, Rhythm::Solid),
            words(Colour::Off, Rhythm::Off),
            words(Colour::Unknown, Rhythm::Unknown),
            words(Colour::Red, Rhythm::Unknown),
        ];
        insta::assert_snapshot!(said.join("\n"), @r"
        cyan, breathing, 4 s
        blue, breathing, 1.5 s
        cyan, blinking, 100 ms (50 % on)
        white, blinking, 1 s (5 % on)
        unknown colour, blinking, 97 ms (97 % on)
        one red flash, 250 ms
        two orange flashes, 250 ms on, 250 ms off
        three orange flashes, 250 ms on, 250 ms off
        red, SOS
        red, SOS and one flash
        red, SOS and 10 flashes
        green, solid
        off
        unknown
        red, rhythm unknown
        ");
    }
}
