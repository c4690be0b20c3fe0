//! The lines of a station: their names, their places, and the one that throws its load switch.
//!
//! Boundary: names against the board's profile, places as text. Whether a chip has such a line is known to the kernel.

use brickproof_instruments::{Kind, LinePlace, LinePlaceError, Style};
use brickproof_yaml::decode::Decoder;
use brickproof_yaml::{Mistake, MistakeKind, Place, suggest};

use super::station::{Draft, Fitted};

const RESET: &str = "reset";
const DRIVE: &str = "drive";
const WATCH: &str = "watch";
/// How [`DRIVE`] is called for a program that drives lines.
const LINES: &str = "lines";

pub(super) fn check(decoder: &mut Decoder<'_>, draft: &Draft) {
    if let Some(lines) = draft.instrument(Kind::Lines) {
        driven_names(decoder, draft, lines);
        watched_names(decoder, draft, lines);
        places(decoder, lines);
    }
    if let Some(supply) = draft.instrument(Kind::Supply).filter(|supply| supply.word == "load-switch") {
        switch(decoder, draft, supply);
    }
}

/// The names of the lines that are driven, and where they stand.
fn driven(lines: &Fitted) -> impl Iterator<Item = (&String, &Place)> + Clone {
    lines.parts(DRIVE).chain(lines.parts(LINES))
}

fn driven_names(decoder: &mut Decoder<'_>, draft: &Draft, lines: &Fitted) {
    let Some(board) = draft.board() else { return };
    let supply = draft.instrument(Kind::Supply).filter(|supply| supply.word == "load-switch");
    let switch = supply.and_then(|supply| supply.settings.text("line"));
    // Which line the switch has is not known: any may be meant.
    if draft.is_broken(Kind::Supply) || supply.is_some() && switch.is_none() {
        return;
    }
    let known: Vec<&str> =
        std::iter::once(RESET).chain(board.buttons.iter().map(|button| button.name.as_str())).chain(switch).collect();
    for (name, place) in driven(lines).filter(|(name, _)| !known.contains(&name.as_str())) {
        let unknown = Mistake::new(MistakeKind::UnknownName, *place, format!("no line `{name}` is driven here"));
        let unknown = unknown.label("not RESET, not a button, not the load switch's");
        decoder.report(unknown.help(suggest::help("lines that can be driven", name, known.iter().copied())));
    }
}

fn watched_names(decoder: &mut Decoder<'_>, draft: &Draft, lines: &Fitted) {
    for (name, place) in lines.parts(WATCH) {
        if let Some((_, first)) = driven(lines).find(|(driven, _)| *driven == name) {
            let twice = Mistake::new(MistakeKind::DuplicateValue, *place, format!("`{name}` is driven and watched"));
            let twice = twice.label("watched").elsewhere(*first, "driven");
            decoder.report(twice.help("keep it in `drive`: a line that is driven can be read too"));
            continue;
        }
        let Some(board) = draft.board() else { continue };
        let known = board.lines.iter().map(|line| line.name.as_str());
        if !known.clone().any(|line| line == name) {
            let unknown = Mistake::new(MistakeKind::UnknownName, *place, format!("unknown line `{name}`"));
            let unknown = unknown.label("the board has no such line");
            decoder.report(unknown.help(suggest::help("lines", name, known)));
        }
    }
}

/// Where the lines are. The mistake is shown at the line's name, which is what the author looks for.
fn places(decoder: &mut Decoder<'_>, lines: &Fitted) {
    let mut chip_is_missing = lines.word == "gpiocdev" && lines.key_place("chip").is_none();
    for key in [DRIVE, WATCH] {
        let texts = lines.settings.lines(key);
        let mut parts: Vec<_> = lines.parts(key).collect();
        parts.sort_by_key(|(_, place)| **place);
        for (name, at) in parts {
            let Some(text) = texts.get(name).filter(|text| !text.is_empty()) else { continue };
            let checked = text
                .parse::<LinePlace>()
                .and_then(|place| if key == DRIVE { place.check_driven().map(|()| place) } else { Ok(place) });
            match checked {
                Err(error) => wrong_place(decoder, name, *at, &error),
                // One missing chip is one mistake, however many lines it would have.
                Ok(place) if chip_is_missing && place.at.parse::<u32>().is_ok() => {
                    chip_is_missing = false;
                    let message = format!("the line {} of which `chip`?", place.at);
                    let missing = Mistake::new(MistakeKind::MissingKey, *at, message);
                    decoder.report(missing.help("add `chip:`, the path, name or label of the chip that counts it so"));
                }
                Ok(_) => {}
            }
        }
    }
}

fn wrong_place(decoder: &mut Decoder<'_>, name: &str, at: Place, error: &LinePlaceError) {
    let wrong = Mistake::new(MistakeKind::UnknownValue, at, format!("the place of `{name}` makes no sense: {error}"));
    decoder.report(
        wrong.help("write an offset or the kernel's name, then how it is driven: \"22 push-pull active-high\""),
    );
}

fn switch(decoder: &mut Decoder<'_>, draft: &Draft, supply: &Fitted) {
    let (Some(line), Some(at)) = (supply.settings.text("line"), supply.value_place("line")) else { return };
    if draft.is_broken(Kind::Lines) {
        return;
    }
    let Some(lines) = draft.instrument(Kind::Lines) else {
        let missing = Mistake::new(MistakeKind::MissingKey, at, "a load switch needs the `lines` of its station");
        return decoder.report(missing.help(format!("add `lines:` with `{line}` in `drive`")));
    };
    let Some((_, place)) = driven(lines).find(|(name, _)| *name == line) else {
        let unknown =
            Mistake::new(MistakeKind::UnknownName, at, format!("the line `{line}` of the load switch is not driven"));
        let names = driven(lines).map(|(name, _)| name.as_str());
        return decoder.report(unknown.label("not in `drive`").help(suggest::help(
            "lines that are driven",
            line,
            names,
        )));
    };
    let text = lines.settings.lines(DRIVE).remove(line).unwrap_or_default();
    let is_open_drain = |text: &str| {
        text.parse::<LinePlace>().is_ok_and(|place| place.style == Style::OpenDrain && place.check_driven().is_ok())
    };
    if is_open_drain(&text) {
        let message = format!("the line `{line}` of a load switch is open drain");
        let wrong = Mistake::new(MistakeKind::UnknownValue, *place, message);
        let wrong = wrong.label("nothing but a pull-up would hold it").elsewhere(at, "the switch's line");
        decoder
            .report(wrong.help("a switch is driven both ways: add `push-pull`, and `active-high` if high closes it"));
    }
}
