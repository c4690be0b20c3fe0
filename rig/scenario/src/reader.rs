//! What every part of a scenario is read with: the decoder, the board it is checked against, and the places of lines.
//!
//! Boundary: looking names up on the board. When the board itself is unknown, names cannot be judged and pass in silence: one mistake is enough.

use std::collections::{BTreeMap, BTreeSet};

use brickproof_boards::{BoardProfile, InputLimits, RAIL, Rail, slot_named};
use brickproof_console::Pattern;
use brickproof_keys::{Corruption, Slot};
use brickproof_units::{Current, Voltage};
use brickproof_yaml::decode::{Decoder, Names};
use brickproof_yaml::suggest;
use brickproof_yaml::tree::Node;
use brickproof_yaml::{LineIndex, Mistake, MistakeKind, Place};

use crate::library::Library;
use crate::plan::FirmwareName;

/// Console patterns by their source. Compiling one costs more than reading the rest of a scenario, and every cell has the same ones.
pub(crate) type PatternCache = BTreeMap<String, Option<Pattern>>;

/// Reads one cell of a scenario.
pub(crate) struct Reader<'r, 'm> {
    pub(crate) decoder: Decoder<'m>,
    pub(crate) board: Option<&'r BoardProfile>,
    pub(crate) library: &'r Library,
    pub(crate) lines: &'r LineIndex,
    /// Whether the board begins in a state that was read out, or with what is on it.
    pub(crate) is_as_found: bool,
    /// Whether it begins in a state: whatever harmed it was done before.
    pub(crate) has_state: bool,
    pub(crate) patterns: &'r mut PatternCache,
    /// How many steps and conditions were read so far, those of all cells together.
    pub(crate) read: &'r mut usize,
    /// The names of the measurements so far, and where they stand.
    pub(crate) measured: BTreeMap<String, Place>,
    /// The names under which keys were saved so far.
    pub(crate) saved: BTreeSet<String>,
    /// Those of them whose identity the board was given another one for since, and where.
    pub(crate) superseded: BTreeMap<String, Place>,
}

/// The name of an image, or a path to one.
pub(crate) fn image<'n>(
    decoder: &mut Decoder<'_>,
    library: &Library,
    board: Option<&BoardProfile>,
    node: &Node,
    known: impl Iterator<Item = &'n str> + Clone,
) -> Option<FirmwareName> {
    let names = Names { one: "a firmware", many: "firmwares", nowhere: "no image has this name" };
    let text = decoder.text(node, names.one)?;
    if is_path(&text) {
        if let Err(why) = library.firmware_file(&text, board?) {
            decoder.report(Mistake::new(MistakeKind::BadFirmware, node.place, why));
            return None;
        }
        return Some(FirmwareName(text.into_owned()));
    }
    decoder.name(node, names, known).map(|name| FirmwareName(name.into_owned()))
}

/// Whether a firmware is meant as a file rather than as the name of a shipped image.
fn is_path(firmware: &str) -> bool {
    firmware.contains('/') || [".bin", ".hex", ".elf"].iter().any(|ending| firmware.ends_with(ending))
}

impl<'r> Reader<'r, '_> {
    pub(crate) fn rail(&mut self, node: &Node) -> Option<&'r Rail> {
        let board = self.board?;
        let name = self.decoder.name(node, RAIL, board.rails.iter().map(|rail| rail.name.as_str()))?;
        board.rail(&name)
    }

    /// A line whose edges a station reports.
    pub(crate) fn line(&mut self, node: &Node) -> Option<String> {
        let names = Names { one: "a line", many: "lines", nowhere: "the board has no such line" };
        let board = self.board?;
        let watched = board.lines.iter().map(|line| line.name.as_str());
        let text = self.decoder.text(node, names.one)?;
        let diodes = board.leds.iter().flat_map(|led| led.diodes.iter().map(|(_, line)| line));
        let exists = board.lines.iter().chain(&board.buttons).chain(diodes).any(|line| line.name == text);
        if exists && !watched.clone().any(|line| line == text) {
            let unwatched = Mistake::new(MistakeKind::UnknownName, node.place, format!("line `{text}` is not watched"));
            let lines = suggest::listed(watched).unwrap_or_default();
            let help = format!("lines: {lines}; what the light shows is `light`, and a button is pressed by a step");
            self.decoder.report(unwatched.label("its edges are not seen").help(help));
            return None;
        }
        self.decoder.name(node, names, watched).map(Into::into)
    }

    pub(crate) fn button(&mut self, node: &Node) -> Option<String> {
        let names = Names { one: "a button", many: "buttons", nowhere: "the board has no such button" };
        let board = self.board?;
        self.decoder.name(node, names, board.buttons.iter().map(|button| button.name.as_str())).map(Into::into)
    }

    pub(crate) fn slot(&mut self, node: &Node) -> Option<Slot> {
        let text = self.decoder.text(node, "a key slot")?;
        let slot = slot_named(&mut self.decoder, &text, node.place)?;
        let board = self.board?;
        if board.key_slot(slot).is_none() {
            let message = format!("the board `{}` has no key slot `{text}`", board.name);
            self.decoder.report(Mistake::new(MistakeKind::UnknownName, node.place, message));
            return None;
        }
        Some(slot)
    }

    pub(crate) fn corruption(&mut self, node: &Node) -> Option<Corruption> {
        let classes = Corruption::ALL.map(|class| (class.name(), class));
        self.decoder.choice(node, "a class of damage", &classes)
    }

    /// A firmware.
    pub(crate) fn image(&mut self, node: &Node) -> Option<FirmwareName> {
        image(&mut self.decoder, self.library, self.board, node, self.library.firmware_names())
    }

    /// A voltage of a source.
    pub(crate) fn input_voltage(&mut self, node: &Node) -> Option<Voltage> {
        let voltage = self.decoder.quantity::<Voltage>(node)?;
        let limits = self.board?.input;
        let InputLimits { minimum, maximum, .. } = limits;
        if (minimum..=maximum).contains(&voltage) {
            return Some(voltage);
        }
        let beyond = Mistake::new(
            MistakeKind::BeyondLimits,
            node.place,
            format!("{voltage} is not a voltage for this board's supply input"),
        );
        self.decoder.report(beyond.help(format!("the board takes {minimum} to {maximum}")));
        None
    }

    /// A current that the board or its source has to bear.
    pub(crate) fn supply_current(&mut self, node: &Node) -> Option<Current> {
        let current = self.decoder.quantity::<Current>(node)?;
        let ceiling = self.board?.input.current_ceiling;
        if (Current::new(1)..=ceiling).contains(&current) {
            return Some(current);
        }
        let beyond = Mistake::new(
            MistakeKind::BeyondLimits,
            node.place,
            format!("{current} is not a current for this board's supply"),
        );
        self.decoder.report(beyond.help(format!("the board bears currents up to {ceiling}")));
        None
    }

    /// `/…/` is a regular expression, anything else stands for itself.
    pub(crate) fn console_pattern(&mut self, node: &Node) -> Option<Pattern> {
        let text = self.decoder.text(node, "a console pattern")?;
        if let Some(known) = self.patterns.get(text.as_ref()) {
            return known.clone();
        }
        let regex = text.strip_prefix('/').and_then(|rest| rest.strip_suffix('/'));
        let compiled = match regex {
            Some(source) => Pattern::regex(source),
            None => Pattern::literal(text.as_ref()),
        };
        let pattern = compiled
            .map_err(|error| {
                let bad = Mistake::new(MistakeKind::BadPattern, node.place, error.to_string());
                self.decoder.report(bad.help("a text stands for itself; a regular expression stands between slashes"));
            })
            .ok();
        self.patterns.insert(text.into_owned(), pattern.clone());
        pattern
    }
}
