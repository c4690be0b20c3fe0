//! How a look is written: `off`, `{solid: red}`, `{colour: amber, blink: 2Hz}`, `{led: link, amber, blink: 2Hz}`.
//!
//! Boundary: from YAML to a look and the name of the light that shows it. Whether the board has that light, and diodes for that colour, is for
//! whoever knows the board.

use brickproof_light::{Colour, Rhythm};
use brickproof_units::{Frequency, Quantity, Span};
use brickproof_yaml::decode::{Decoder, Fields};
use brickproof_yaml::suggest;
use brickproof_yaml::tree::{Entry, Node, Value};
use brickproof_yaml::{Mistake, MistakeKind, Place};

use super::{LAST_PANIC_CODE, LightStatus, Look, OFF, Shade, Shown};

/// A look as it is written, and on which light.
#[derive(Clone, Debug, PartialEq)]
pub struct WrittenLook {
    /// The light; `None`: the board's first.
    pub led: Option<NamedLed>,
    /// What it looks like.
    pub look: Look,
}

/// A light's name and where it stands.
#[derive(Clone, Debug, PartialEq)]
pub struct NamedLed {
    /// Its name.
    pub name: String,
    /// Where it is written.
    pub place: Place,
}

/// Flashes of Device OS's cloud errors are on for 250 ms and off for 250 ms (v1.4.4, system_task.cpp:185-260).
const ERROR_FLASH: Span = Span::millis(250);

const WHAT: &str = "a look";
const KEYS: [&str; 10] = ["led", "colour", "blink", "breathe", "solid", "flash", "count", "on", "off", "sos"];
/// The keys that say what the light does, and those that may go with each.
const RHYTHMS: [(&str, &[&str]); 5] = [
    ("solid", &[]),
    ("blink", &["colour"]),
    ("breathe", &["colour"]),
    ("flash", &["count", "on", "off"]),
    ("sos", &["colour"]),
];
pub(super) const COLOURS: [(&str, Shade); 9] = [
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

/// A status of a profile.
pub(crate) fn status(decoder: &mut Decoder<'_>, name: &str, node: &Node) -> Option<LightStatus> {
    let WrittenLook { led, look } = written(decoder, node)?;
    Some(LightStatus { name: name.to_owned(), led: led.map(|led| led.name), look })
}

/// A look written out.
pub fn written(decoder: &mut Decoder<'_>, node: &Node) -> Option<WrittenLook> {
    if let Value::Text(_) = node.value {
        let choices = [("off", OFF)];
        let look = decoder.choice(node, "a look (`off`, `{solid: red}`, `{colour: red, blink: 100ms}`…)", &choices)?;
        return Some(WrittenLook { led: None, look });
    }
    let (words, entries) = match &node.value {
        Value::Map(_) => decoder.entries(node, WHAT)?.into_iter().partition(|entry| is_word(entry)),
        _ => (Vec::new(), Vec::new()),
    };
    let fields = match entries.as_slice() {
        [] if words.is_empty() => decoder.fields(node, WHAT, &KEYS)?,
        _ => decoder.fields_of(node, WHAT, entries, &KEYS),
    };
    let led = match fields.get("led") {
        None => None,
        Some(node) => {
            let name = decoder.text(node, "the name of a light")?.into_owned();
            Some(NamedLed { name, place: node.place })
        }
    };
    let word = one_word(decoder, &words)?;
    Some(WrittenLook { led, look: look(decoder, &fields, word)? })
}

/// What stands alone among the keys: a colour, or `off`.
#[derive(Clone, Copy)]
struct Word<'t> {
    entry: &'t Entry,
    /// `None`: `off`.
    colour: Option<Shade>,
}

fn is_word(entry: &Entry) -> bool {
    let stands_alone = matches!(&entry.value.value, Value::Text(text) if text.is_nothing());
    stands_alone && (entry.key == "off" || COLOURS.iter().any(|(name, _)| *name == entry.key))
}

fn one_word<'t>(decoder: &mut Decoder<'_>, words: &[&'t Entry]) -> Option<Option<Word<'t>>> {
    if let [first, second, ..] = words {
        let message = format!("`{}` and `{}` in one look", first.key, second.key);
        let two = Mistake::new(MistakeKind::NotOneVerb, second.key_place, message);
        decoder
            .report(two.label("second").elsewhere(first.key_place, "first").help("a light has one colour at a time"));
        return None;
    }
    Some(words.first().map(|entry| {
        let colour = COLOURS.iter().find(|(name, _)| *name == entry.key).map(|(_, shade)| *shade);
        Word { entry, colour }
    }))
}

fn look(decoder: &mut Decoder<'_>, fields: &Fields<'_>, word: Option<Word<'_>>) -> Option<Look> {
    let mut rhythms = RHYTHMS.iter().filter(|(rhythm, _)| fields.entry(rhythm).is_some());
    let Some((rhythm, companions)) = rhythms.next() else { return without_rhythm(decoder, fields, word) };
    let mut misplaced = |entry: &Entry| {
        let message = format!("`{}` does not go with `{rhythm}`", entry.key);
        decoder.report(Mistake::new(MistakeKind::Misplaced, entry.key_place, message));
    };
    for (key, entry) in KEYS.iter().filter_map(|key| Some((key, fields.entry(key)?))) {
        if key != rhythm && *key != "led" && !companions.contains(key) {
            misplaced(entry);
        }
    }
    let colour = word.and_then(|word| word.colour.filter(|_| companions.contains(&"colour")));
    if let (Some(word), None) = (word, colour) {
        misplaced(word.entry);
        return None;
    }
    if let (Some(word), Some(twice)) = (word, fields.entry("colour")) {
        let message = format!("`{}` and `colour` in one look", word.entry.key);
        decoder.report(Mistake::new(MistakeKind::NotOneVerb, twice.key_place, message).help("one of them is enough"));
        return None;
    }
    let value = fields.required(decoder, rhythm)?;
    match *rhythm {
        "solid" => Some(Look { colour: shade(decoder, value)?, shown: Shown::Solid }),
        "flash" => flash(decoder, fields, value),
        "sos" => sos(decoder, fields, value, colour),
        rhythm => {
            let period = period(decoder, value);
            let colour = colour.or_else(|| fields.required(decoder, "colour").and_then(|node| shade(decoder, node)));
            let (colour, period) = (colour?, period?);
            let shown = if rhythm == "blink" { Shown::Blink { period } } else { Shown::Breathe { period } };
            Some(Look { colour, shown })
        }
    }
}

/// `{led: link, amber}` is lit, `{led: link, off}` is not.
fn without_rhythm(decoder: &mut Decoder<'_>, fields: &Fields<'_>, word: Option<Word<'_>>) -> Option<Look> {
    if let (Some(word), true) = (word, KEYS.iter().all(|key| *key == "led" || fields.entry(key).is_none())) {
        return Some(word.colour.map_or(OFF, |colour| Look { colour, shown: Shown::Solid }));
    }
    let names = suggest::listed(RHYTHMS.map(|(rhythm, _)| rhythm)).unwrap_or_default();
    fields.missing(decoder, "a rhythm", &format!("say what the light does: {names}"));
    None
}

fn flash(decoder: &mut Decoder<'_>, fields: &Fields<'_>, value: &Node) -> Option<Look> {
    let colour = shade(decoder, value);
    let count = match fields.get("count") {
        None => Some(1),
        // Four and more even flashes are a blink to the light model.
        Some(node) => decoder.count(node, "a number of flashes", 1..=Rhythm::MOST_FLASHES),
    };
    let mut phase = |key: &str| fields.get(key).map_or(Some(ERROR_FLASH), |node| decoder.duration(node));
    let (on, off) = (phase("on"), phase("off"));
    Some(Look { colour: colour?, shown: Shown::Flash { count: count?, on: on?, off: off? } })
}

fn sos(decoder: &mut Decoder<'_>, fields: &Fields<'_>, value: &Node, colour: Option<Shade>) -> Option<Look> {
    let any = matches!(&value.value, Value::Text(text) if text.text == "any");
    let code = if any {
        Some(None)
    } else {
        decoder.count(value, "a panic code (`any` for all of them)", 1..=LAST_PANIC_CODE).map(Some)
    };
    let written = || fields.get("colour").map_or(Some(Colour::Red.into()), |node| shade(decoder, node));
    let colour = colour.or_else(written);
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

fn shade(decoder: &mut Decoder<'_>, node: &Node) -> Option<Shade> {
    decoder.choice(node, "a colour", &COLOURS)
}
