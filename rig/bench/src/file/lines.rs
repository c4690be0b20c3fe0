//! The lines of a station: their names, their places, and those that throw its load switch and its crowbar.
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

/// What a line is to the supply: the setting that names it, what has it, and how its levels are told.
#[derive(Clone, Copy)]
struct Role {
    key: &'static str,
    owner: &'static str,
}

const SWITCH: Role = Role { key: "line", owner: "load switch" };
const CROWBAR: Role = Role { key: "crowbar", owner: "crowbar" };

pub(super) fn check(decoder: &mut Decoder<'_>, draft: &Draft) {
    if let Some(lines) = draft.instrument(Kind::Lines) {
        driven_names(decoder, draft, lines);
        watched_names(decoder, draft, lines);
        places(decoder, lines);
    }
    if let Some(supply) = draft.instrument(Kind::Supply).filter(|supply| supply.word == "load-switch") {
        for role in [SWITCH, CROWBAR] {
            switch(decoder, draft, supply, role);
        }
        switch_and_crowbar(decoder, supply);
    }
}

/// The names of the lines that are driven, and where they stand.
fn driven(lines: &Fitted) -> impl Iterator<Item = (&String, &Place)> + Clone {
    lines.parts(DRIVE).chain(lines.parts(LINES))
}

fn driven_names(decoder: &mut Decoder<'_>, draft: &Draft, lines: &Fitted) {
    let Some(board) = draft.board() else { return };
    let supply = draft.instrument(Kind::Supply).filter(|supply| supply.word == "load-switch");
    let thrown = |role: Role| supply.and_then(|supply| supply.settings.text(role.key));
    let (switch, crowbar) = (thrown(SWITCH), thrown(CROWBAR));
    let has_crowbar = supply.is_some_and(|supply| supply.key_place(CROWBAR.key).is_some());
    // Which line the switch has is not known: any may be meant.
    if draft.is_broken(Kind::Supply) || supply.is_some() && switch.is_none() || has_crowbar && crowbar.is_none() {
        return;
    }
    let buttons = board.buttons.iter().map(|button| button.name.as_str());
    let known: Vec<&str> = std::iter::once(RESET).chain(buttons).chain(switch).chain(crowbar).collect();
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
                Ok(place) if lines.word == "rppal" => pin(decoder, name, *at, &place),
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

/// rppal counts pins as the Broadcom chips do, and knows no names.
fn pin(decoder: &mut Decoder<'_>, name: &str, at: Place, place: &LinePlace) {
    /// Of the BCM2711; the others have fewer.
    const PINS: std::ops::RangeInclusive<u8> = 0..=57;
    if !place.at.parse().is_ok_and(|pin| PINS.contains(&pin)) {
        let message = format!("the place of `{name}` is not a pin of a Raspberry Pi: `{}`", place.at);
        let wrong = Mistake::new(MistakeKind::UnknownValue, at, message);
        decoder.report(wrong.help("write its BCM number, as in \"17\", or take `gpiocdev`, which knows names"));
    }
}

/// The law of a crowbar is that it and the switch are never closed together.
fn switch_and_crowbar(decoder: &mut Decoder<'_>, supply: &Fitted) {
    let text = |role: Role| supply.settings.text(role.key).zip(supply.value_place(role.key));
    let (Some((line, first)), Some((crowbar, again))) = (text(SWITCH), text(CROWBAR)) else { return };
    if line == crowbar {
        let message = format!("the line `{line}` throws the load switch and the crowbar");
        let twice = Mistake::new(MistakeKind::DuplicateValue, again, message);
        let twice = twice.label("the crowbar's").elsewhere(first, "the load switch's");
        decoder
            .report(twice.help("a crowbar has a line of its own, so that it is closed only while the switch is open"));
    }
}

fn switch(decoder: &mut Decoder<'_>, draft: &Draft, supply: &Fitted, role: Role) {
    let Role { key, owner } = role;
    let (Some(line), Some(at)) = (supply.settings.text(key), supply.value_place(key)) else { return };
    if draft.is_broken(Kind::Lines) {
        return;
    }
    let Some(lines) = draft.instrument(Kind::Lines) else {
        let missing = Mistake::new(MistakeKind::MissingKey, at, format!("a {owner} needs the `lines` of its station"));
        return decoder.report(missing.help(format!("add `lines:` with `{line}` in `drive`")));
    };
    let Some((_, place)) = driven(lines).find(|(name, _)| *name == line) else {
        let unknown =
            Mistake::new(MistakeKind::UnknownName, at, format!("the line `{line}` of the {owner} is not driven"));
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
        let message = format!("the line `{line}` of a {owner} is open drain");
        let wrong = Mistake::new(MistakeKind::UnknownValue, *place, message);
        let wrong = wrong.label("nothing but a pull-up would hold it").elsewhere(at, format!("the {owner}'s line"));
        decoder.report(wrong.help("it is driven both ways: add `push-pull`, and `active-high` if high closes it"));
    }
}
