//! What a light looks like, in words: colour and rhythm, as a status of a vocabulary or written out.
//!
//! Boundary: from YAML to the pattern that the light model recognises. How samples become patterns is that crate's business.

use std::fmt;

use brickproof_light::{Colour, Colours, Near, Pattern, Rhythm, RhythmPattern};
use brickproof_units::{Frequency, Quantity, Span};
use brickproof_yaml::decode::{Decoder, Fields};
use brickproof_yaml::suggest;
use brickproof_yaml::tree::{Node, Value};
use brickproof_yaml::{Mistake, MistakeKind};

/// A status and what it looks like.
#[derive(Clone, Debug, PartialEq)]
pub struct LightStatus {
    /// Its name: `cloud_connected`. Of a look written out in a scenario: its words.
    pub name: String,
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

/// Flashes of Device OS's cloud errors are on for 250 ms and off for 250 ms (v1.4.4, system_task.cpp:185-260).
const ERROR_FLASH: Span = Span::millis(250);
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

/// A status of a profile.
pub(crate) fn status(decoder: &mut Decoder<'_>, name: &str, node: &Node) -> Option<LightStatus> {
    Some(LightStatus { name: name.to_owned(), look: look(decoder, node)? })
}

/// No light.
pub const OFF: Look = Look { colour: Shade::Colour(Colour::Off), shown: Shown::Off };

const KEYS: [&str; 9] = ["colour", "blink", "breathe", "solid", "flash", "count", "on", "off", "sos"];
/// The keys that say what the light does, and those that may go with each.
const RHYTHMS: [(&str, &[&str]); 5] = [
    ("solid", &[]),
    ("blink", &["colour"]),
    ("breathe", &["colour"]),
    ("flash", &["count", "on", "off"]),
    ("sos", &["colour"]),
];

/// A look written out.
pub fn look(decoder: &mut Decoder<'_>, node: &Node) -> Option<Look> {
    if let Value::Text(_) = node.value {
        return decoder.choice(node, "a look (`off`, `{solid: red}`, `{colour: red, blink: 100ms}`…)", &[("off", OFF)]);
    }
    let fields = decoder.fields(node, "a look", &KEYS)?;
    let mut rhythms = RHYTHMS.iter().filter(|(rhythm, _)| fields.entry(rhythm).is_some());
    let Some((rhythm, companions)) = rhythms.next() else {
        let names = suggest::listed(RHYTHMS.map(|(rhythm, _)| rhythm)).unwrap_or_default();
        fields.missing(decoder, "a rhythm", &format!("say what the light does: {names}"));
        return None;
    };
    for (key, entry) in KEYS.iter().filter_map(|key| Some((key, fields.entry(key)?))) {
        if key != rhythm && !companions.contains(key) {
            let message = format!("`{key}` does not go with `{rhythm}`");
            decoder.report(Mistake::new(MistakeKind::Misplaced, entry.key_place, message));
        }
    }
    let value = fields.required(decoder, rhythm)?;
    match *rhythm {
        "solid" => Some(Look { colour: colour(decoder, value)?, shown: Shown::Solid }),
        "flash" => flash(decoder, &fields, value),
        "sos" => sos(decoder, &fields, value),
        rhythm => {
            let period = period(decoder, value);
            let colour = fields.required(decoder, "colour").and_then(|node| colour(decoder, node));
            let (colour, period) = (colour?, period?);
            let shown = if rhythm == "blink" { Shown::Blink { period } } else { Shown::Breathe { period } };
            Some(Look { colour, shown })
        }
    }
}

fn flash(decoder: &mut Decoder<'_>, fields: &Fields<'_>, value: &Node) -> Option<Look> {
    let colour = colour(decoder, value);
    let count = match fields.get("count") {
        None => Some(1),
        // Four and more even flashes are a blink to the light model.
        Some(node) => decoder.count(node, "a number of flashes", 1..=Rhythm::MOST_FLASHES),
    };
    let mut phase = |key: &str| fields.get(key).map_or(Some(ERROR_FLASH), |node| decoder.duration(node));
    let (on, off) = (phase("on"), phase("off"));
    Some(Look { colour: colour?, shown: Shown::Flash { count: count?, on: on?, off: off? } })
}

fn sos(decoder: &mut Decoder<'_>, fields: &Fields<'_>, value: &Node) -> Option<Look> {
    let any = matches!(&value.value, Value::Text(text) if text.text == "any");
    let code = if any {
        Some(None)
    } else {
        decoder.count(value, "a panic code (`any` for all of them)", 1..=LAST_PANIC_CODE).map(Some)
    };
    let colour = fields.get("colour").map_or(Some(Colour::Red.into()), |node| colour(decoder, node));
    Some(Look { colour: colour?, shown: Shown::Sos { code: code? } })
}

/// How long a rhythm takes to come again: `500ms`, or as often as `2Hz`.
fn period(decoder: &mut Decoder<'_>, node: &Node) -> Option<Span> {
    let is_frequency = matches!(&node.value, Value::Text(text) if text.text.trim_end().ends_with("Hz"));
    if !is_frequency {
        return decoder.duration(node);
    }
    let frequency: Frequency = decoder.quantity(node)?;
    let nanos = 1_000_000_000_000_u64.checked_div(frequency.get()).filter(|nanos| *nanos > 0);
    if nanos.is_none() {
        let message = format!("nothing comes again {frequency}");
        let never = Mistake::new(MistakeKind::ImpossibleTiming, node.place, message);
        decoder.report(never.help(format!("write a frequency above zero, as in `{}`", Frequency::EXAMPLE)));
    }
    nanos.map(Span::nanos)
}

fn colour(decoder: &mut Decoder<'_>, node: &Node) -> Option<Shade> {
    let colours = [
        ("red", Shade::Colour(Colour::Red)),
        ("orange", Shade::Colour(Colour::Orange)),
        ("amber", Shade::Amber),
        ("yellow", Shade::Colour(Colour::Yellow)),
        ("green", Shade::Colour(Colour::Green)),
        ("cyan", Shade::Colour(Colour::Cyan)),
        ("blue", Shade::Colour(Colour::Blue)),
        ("magenta", Shade::Colour(Colour::Magenta)),
        ("white", Shade::Colour(Colour::White)),
    ];
    decoder.choice(node, "a colour", &colours)
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
