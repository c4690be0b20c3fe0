//! The light that a condition asks for: a status of the board's vocabulary, or a look written out.
//!
//! Boundary: names and limits of the board. What a look is, and the pattern that it is recognised by, is `brickproof-boards`'.

use brickproof_boards::{BoardProfile, LedIndex, Look, NamedLed, OFF, WrittenLook, written};
use brickproof_yaml::decode::Decoder;
use brickproof_yaml::suggest;
use brickproof_yaml::tree::{Entry, Node, Value};
use brickproof_yaml::{Mistake, MistakeKind};

use crate::condition::Duration;
use crate::reader::Reader;

/// How long a look can last.
pub(crate) fn duration(look: &Look) -> Duration {
    look.lasts().map_or(Duration::Lasting, Duration::AtMost)
}

/// What a light has to show.
pub(crate) struct Wanted {
    pub(crate) led: LedIndex,
    /// A status's name, or the words of a look.
    pub(crate) name: String,
    pub(crate) look: Look,
}

/// The light that a condition asks for: a status of the board, or a look.
pub(crate) fn wanted(reader: &mut Reader<'_, '_>, node: &Node) -> Option<Wanted> {
    if matches!(node.value, Value::Text(_)) { status(reader, node) } else { look(reader, node) }
}

fn look(reader: &mut Reader<'_, '_>, node: &Node) -> Option<Wanted> {
    let WrittenLook { led, look } = written(&mut reader.decoder, node)?;
    refuse_pause(&mut reader.decoder, node);
    let Some(board) = reader.board else {
        return Some(Wanted { led: LedIndex::FIRST, name: look.to_string(), look });
    };
    let (led, name) = match led {
        None => (LedIndex::FIRST, look.to_string()),
        Some(named) => (light_named(&mut reader.decoder, board, &named)?, format!("{look}, on `{}`", named.name)),
    };
    if !board.can_show(led, look.colour) {
        cannot_show(&mut reader.decoder, node, board, led, &look);
        return None;
    }
    Some(Wanted { led, name, look })
}

fn light_named(decoder: &mut Decoder<'_>, board: &BoardProfile, named: &NamedLed) -> Option<LedIndex> {
    let found = board.led_named(&named.name);
    if found.is_none() {
        let message = format!("unknown light `{}`", named.name);
        let unknown = Mistake::new(MistakeKind::UnknownName, named.place, message);
        let lights = board.leds.iter().map(|led| led.name.as_str());
        decoder.report(unknown.label("the board has no such light").help(suggest::help("lights", &named.name, lights)));
    }
    found
}

fn status(reader: &mut Reader<'_, '_>, node: &Node) -> Option<Wanted> {
    let text = reader.decoder.text(node, "a status of the light")?;
    if text == "off" {
        return Some(Wanted { led: LedIndex::FIRST, name: text.into_owned(), look: OFF });
    }
    let board = reader.board?;
    if let Some(status) = board.status(&text) {
        return Some(Wanted { led: board.led_of(status), name: status.name.clone(), look: status.look });
    }
    let unknown = Mistake::new(MistakeKind::UnknownName, node.place, format!("unknown light status `{text}`"));
    let statuses = board.light.iter().map(|status| status.name.as_str());
    let help = match suggest::nearest(&text, statuses.clone()) {
        Some(best) => format!("did you mean `{best}`?"),
        None => format!(
            "the board shows {}; or write a look, as in `{{colour: red, blink: 100ms}}`",
            suggest::listed(statuses).unwrap_or_default()
        ),
    };
    reader.decoder.report(unknown.label("the board has no such status").help(help));
    None
}

/// A lamp that is only red and green is never waited for to be cyan.
fn cannot_show(decoder: &mut Decoder<'_>, node: &Node, board: &BoardProfile, led: LedIndex, look: &Look) {
    let led = board.led(led);
    let name = led.map_or("light", |led| led.name.as_str());
    let message = format!("the light `{name}` of `{}` makes no {}", board.name, look.colour);
    let beyond = Mistake::new(MistakeKind::BeyondLimits, node.place, message);
    let diodes = led.into_iter().flat_map(|led| led.diodes.iter().map(|(primary, _)| primary.name()));
    decoder.report(beyond.help(format!("its diodes: {}", suggest::listed(diodes).unwrap_or_default())));
}

/// A profile may say how long the pauses of a flash are; what is recognised is the number of flashes and how long each is on.
fn refuse_pause(decoder: &mut Decoder<'_>, node: &Node) {
    let Value::Map(entries) = &node.value else { return };
    let is_pause =
        |entry: &&Entry| entry.key == "off" && !matches!(&entry.value.value, Value::Text(text) if text.is_nothing());
    if let Some(pause) = entries.iter().find(is_pause) {
        let pause = Mistake::new(MistakeKind::Misplaced, pause.key_place, "the pause between flashes is not looked at");
        decoder.report(pause.help("remove `off`: flashes are told by `count` and `on`"));
    }
}
