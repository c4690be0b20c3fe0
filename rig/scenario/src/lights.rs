//! The light that a condition asks for: a status of the board's vocabulary, or a look written out.
//!
//! Boundary: names and limits of the board. What a look is, and the pattern that it is recognised by, is `brickproof-boards`'.

use brickproof_boards::{BoardProfile, LightStatus, Look, OFF, look};
use brickproof_yaml::decode::Decoder;
use brickproof_yaml::suggest;
use brickproof_yaml::tree::{Node, Value};
use brickproof_yaml::{Mistake, MistakeKind};

use crate::condition::Duration;
use crate::reader::Reader;

/// How long a look can last.
pub(crate) fn duration(look: &Look) -> Duration {
    look.lasts().map_or(Duration::Lasting, Duration::AtMost)
}

/// The light that a condition asks for: a status of the board, or a look.
pub(crate) fn wanted(reader: &mut Reader<'_, '_>, node: &Node) -> Option<LightStatus> {
    if !matches!(node.value, Value::Text(_)) {
        let look = look(&mut reader.decoder, node)?;
        refuse_pause(&mut reader.decoder, node);
        if let Some(board) = reader.board.filter(|board| !board.can_show(look.colour)) {
            cannot_show(&mut reader.decoder, node, board, &look);
            return None;
        }
        return Some(LightStatus { name: look.to_string(), look });
    }
    let text = reader.decoder.text(node, "a status of the light")?;
    if text == "off" {
        return Some(LightStatus { name: text.into_owned(), look: OFF });
    }
    let board = reader.board?;
    let found = board.status(&text).cloned();
    if found.is_none() {
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
    }
    found
}

/// A lamp that is only red and green is never waited for to be cyan.
fn cannot_show(decoder: &mut Decoder<'_>, node: &Node, board: &BoardProfile, look: &Look) {
    let led = board.led().map_or("light", |led| led.name.as_str());
    let message = format!("the light `{led}` of `{}` makes no {}", board.name, look.colour);
    let beyond = Mistake::new(MistakeKind::BeyondLimits, node.place, message);
    let diodes = board.led().into_iter().flat_map(|led| led.diodes.iter().map(|(primary, _)| primary.name()));
    decoder.report(beyond.help(format!("its diodes: {}", suggest::listed(diodes).unwrap_or_default())));
}

/// A profile may say how long the pauses of a flash are; what is recognised is the number of flashes and how long each is on.
fn refuse_pause(decoder: &mut Decoder<'_>, node: &Node) {
    let Value::Map(entries) = &node.value else { return };
    if let Some(pause) = entries.iter().find(|entry| entry.key == "off") {
        let pause = Mistake::new(MistakeKind::Misplaced, pause.key_place, "the pause between flashes is not looked at");
        decoder.report(pause.help("remove `off`: flashes are told by `count` and `on`"));
    }
}
