//! What a light looks like, in words: colour and rhythm, as a status of a vocabulary or written out.
//!
//! Boundary: from a look to the pattern that the light model recognises. How one is written is [`written`]'s business, how samples become
//! patterns the light model's.

mod schema;
mod written;

use std::fmt;

use brickproof_light::{Colour, Colours, Near, Pattern, RhythmPattern};
use brickproof_units::Span;

pub use schema::schema as look_schema;
pub(crate) use written::status;
pub use written::{NamedLed, WrittenLook, written};

/// A status and what it looks like.
#[derive(Clone, Debug, PartialEq)]
pub struct LightStatus {
    /// Its name: `cloud_connected`. Of a look written out in a scenario: its words.
    pub name: String,
    /// The light that shows it; `None`: the board's first.
    pub led: Option<String>,
    /// What it looks like.
    pub look: Look,
}

/// A colour and a rhythm.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Look {
    /// The colour while it is lit.
    pub colour: Shade,
    /// What it does.
    pub shown: Shown,
}

/// What a person calls the colour of a light.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shade {
    /// One of the colours that are told apart.
    Colour(Colour),
    /// What an amber diode looks like: orange or yellow.
    Amber,
}

impl Shade {
    /// The colours that it may be seen as.
    pub fn colours(self) -> Colours {
        match self {
            Self::Colour(colour) => colour.into(),
            Self::Amber => Colours::only(Colour::Orange).or(Colour::Yellow),
        }
    }
}

impl From<Colour> for Shade {
    fn from(colour: Colour) -> Self {
        Self::Colour(colour)
    }
}

impl fmt::Display for Shade {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Colour(colour) => colour.fmt(f),
            Self::Amber => f.pad("amber"),
        }
    }
}

/// What a light does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shown {
    /// Nothing.
    Off,
    /// It is lit.
    Solid,
    /// On and off in equal halves.
    Blink {
        /// One on phase and one off phase.
        period: Span,
    },
    /// Full to dark and back, steadily.
    Breathe {
        /// From full to full.
        period: Span,
    },
    /// A few flashes, then something else.
    Flash {
        /// How many.
        count: u8,
        /// How long each is on.
        on: Span,
        /// How long it is off between two.
        off: Span,
    },
    /// `...---...` and, perhaps, so many flashes.
    Sos {
        /// The panic code; `None`: any.
        code: Option<u8>,
    },
}

/// No light.
pub const OFF: Look = Look { colour: Shade::Colour(Colour::Off), shown: Shown::Off };

/// Device OS's panic codes end at 15, `SecureFault` (v6.2.0, panic.h).
const LAST_PANIC_CODE: u8 = 15;
/// Device OS's SOS without the code: 3 times 150+100 ms, 3 times 300+100 ms, 3 times 150+100 ms, and a gap of 900 ms (v1.4.4, panic.c).
const SOS: Span = Span::millis(3_600);
/// One flash of the panic code, with its gap.
const SOS_CODE_FLASH: Span = Span::millis(600);
/// What follows the panic code; the whole is shown twice, then the board resets.
const SOS_PAUSE: Span = Span::millis(800);

impl Look {
    /// How long it takes to show itself once, if it changes at all.
    pub fn period(&self) -> Option<Span> {
        match self.shown {
            Shown::Off | Shown::Solid => None,
            Shown::Blink { period } | Shown::Breathe { period } => Some(period),
            // The gap after the last flash is not part of it.
            Shown::Flash { count, on, off } => Some(times(on, count) + times(off, count.saturating_sub(1))),
            Shown::Sos { code } => Some(SOS + times(SOS_CODE_FLASH, code.unwrap_or(0))),
        }
    }

    /// The shortest time in which nothing changes that has to be told from what is beside it, if it changes at all.
    pub fn shortest_phase(&self) -> Option<Span> {
        /// The short letters of Device OS's SOS, and its gaps (v1.4.4, panic.c).
        const SOS_GAP: Span = Span::millis(100);
        match self.shown {
            Shown::Off | Shown::Solid => None,
            // A breath has no phases; half of it has a slope.
            Shown::Blink { period } | Shown::Breathe { period } => Some(Span::nanos(period.get() / 2)),
            Shown::Flash { on, off, .. } => Some(on.min(off)),
            Shown::Sos { .. } => Some(SOS_GAP),
        }
    }

    /// How long it lasts at the most; `None`: as long as the board likes.
    pub fn lasts(&self) -> Option<Span> {
        match (self.shown, self.period()) {
            (Shown::Flash { .. }, once) => once,
            (Shown::Sos { code: Some(_) }, Some(once)) => Some(times(once + SOS_PAUSE, 2)),
            (Shown::Sos { code: None }, Some(once)) => {
                Some(times(once + times(SOS_CODE_FLASH, LAST_PANIC_CODE) + SOS_PAUSE, 2))
            }
            _ => None,
        }
    }

    /// The pattern that the light model recognises it by.
    pub fn pattern(&self) -> Pattern {
        let rhythm = match self.shown {
            Shown::Off => return Pattern::OFF,
            Shown::Solid => return Pattern::solid(self.colour.colours()),
            Shown::Blink { period } => return Pattern::blink(self.colour.colours(), period),
            Shown::Breathe { period } => return Pattern::breathe(self.colour.colours(), period),
            Shown::Flash { count, on, .. } => RhythmPattern::Burst { count: Some(count), on: Some(Near::about(on)) },
            Shown::Sos { code } => RhythmPattern::Sos { code },
        };
        Pattern { colours: self.colour.colours(), rhythm }
    }
}

fn times(span: Span, count: u8) -> Span {
    Span::nanos(span.get().saturating_mul(u64::from(count)))
}

impl fmt::Display for Look {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let colour = self.colour;
        match self.shown {
            Shown::Off => f.write_str("off"),
            Shown::Solid => write!(f, "{colour}, solid"),
            Shown::Blink { period } => write!(f, "{colour}, blinking every {period}"),
            Shown::Breathe { period } => write!(f, "{colour}, breathing every {period}"),
            Shown::Flash { count: 1, on, .. } => write!(f, "one {colour} flash of {on}"),
            Shown::Flash { count, on, .. } => write!(f, "{count} {colour} flashes of {on}"),
            Shown::Sos { code: None } => write!(f, "{colour}, SOS"),
            Shown::Sos { code: Some(code) } => write!(f, "{colour}, SOS with code {code}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn red(shown: Shown) -> Look {
        Look { colour: Colour::Red.into(), shown }
    }

    #[test]
    fn a_look_takes_as_long_as_it_shows_itself_once() {
        let (on, off) = (Span::millis(250), Span::millis(250));
        assert_eq!(red(Shown::Solid).period(), None);
        assert_eq!(red(Shown::Blink { period: Span::millis(100) }).period(), Some(Span::millis(100)));
        assert_eq!(red(Shown::Flash { count: 1, on, off }).period(), Some(Span::millis(250)));
        assert_eq!(red(Shown::Flash { count: 3, on, off }).period(), Some(Span::millis(1250)));
        // 3 x 250 + 3 x 400 + 3 x 250 + 900, and ten flashes of 600 ms.
        assert_eq!(red(Shown::Sos { code: Some(10) }).period(), Some(Span::millis(9_600)));
    }

    #[test]
    fn a_look_asks_the_light_model_for_no_more_than_it_says() {
        assert_eq!(red(Shown::Solid).pattern(), Pattern::solid(Colour::Red));
        assert_eq!(red(Shown::Sos { code: None }).pattern(), Pattern::sos());
        let flash = red(Shown::Flash { count: 2, on: Span::millis(250), off: Span::millis(250) });
        let rhythm = RhythmPattern::Burst { count: Some(2), on: Some(Near::about(Span::millis(250))) };
        assert_eq!(flash.pattern(), Pattern { colours: Colour::Red.into(), rhythm });
        assert_eq!(flash.to_string(), "2 red flashes of 250ms");
    }

    #[test]
    fn what_passes_is_over_after_a_while() {
        assert_eq!(red(Shown::Solid).lasts(), None);
        let flash = Shown::Flash { count: 1, on: Span::millis(250), off: Span::millis(250) };
        assert_eq!(red(flash).lasts(), Some(Span::millis(250)));
        // Twice: 3.6 s, one flash, a pause of 0.8 s.
        assert_eq!(red(Shown::Sos { code: Some(1) }).lasts(), Some(Span::secs(10)));
    }
}
