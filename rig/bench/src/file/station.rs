//! One station: its board, its instruments, and what these have to do with each other.
//!
//! Boundary: a single station. What two of them cannot both have is for [`super::places`].

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use brickproof_boards::{BoardProfile, LedIndex};
use brickproof_instruments::{DRIVERS, Factory, Kind, Settings, driver as driver_for};
use brickproof_scenario::Library;
use brickproof_yaml::decode::{Decoder, Fields, Names};
use brickproof_yaml::tree::{Entry, Node, Value};
use brickproof_yaml::{Mistake, MistakeKind, Place, suggest};

use super::driver::{self, VIRTUAL, VIRTUAL_KINDS};
use super::{Cloud, Driver, Identity, Station, StationKeys, World, checked_name, keys, limits, lines, setting};

/// The instruments that have drivers, as a station calls them. The cloud has none: it is played on the console.
pub(super) const INSTRUMENTS: [(&str, Kind); 7] = [
    ("lines", Kind::Lines),
    ("console", Kind::Console),
    ("supply", Kind::Supply),
    ("light", Kind::Light),
    ("probe", Kind::Probe),
    ("dfu", Kind::Dfu),
    ("firewall", Kind::Firewall),
];

const KEYS: [&str; 12] =
    ["board", "serial", "keys", "lines", "console", "supply", "light", "lights", "probe", "dfu", "firewall", "cloud"];

/// Who may play the cloud.
pub(super) const CLOUDS: [(&str, Cloud); 1] = [("console", Cloud::Console)];

const BOARD: Names<'_> = Names { one: "a board", many: "boards", nowhere: "no profile has this name" };

/// What a station is read against.
#[derive(Clone, Copy)]
pub(super) struct Around<'a> {
    pub(super) library: &'a Library,
    /// Where the bench file is.
    pub(super) folder: &'a Path,
}

/// A station as far as it could be read.
pub(super) struct Draft {
    /// As it is written, whether it may be called so or not.
    pub(super) called: String,
    name: Option<String>,
    board: Option<Arc<BoardProfile>>,
    pub(super) serial: Option<(Identity, Place)>,
    pub(super) fitted: Vec<Fitted>,
    /// Instruments whose mistakes left nothing of them to judge others by.
    broken: Vec<Kind>,
    cloud: Option<Cloud>,
    keys: StationKeys,
}

/// An instrument of a station, and where in the file everything about it stands.
pub(super) struct Fitted {
    pub(super) kind: Kind,
    /// Of a sensor the light that it is above; of others the first.
    pub(super) led: LedIndex,
    pub(super) word: &'static str,
    /// Of the virtual board's own there is none.
    pub(super) factory: Option<&'static dyn Factory>,
    pub(super) settings: Settings,
    pub(super) place: Place,
    pub(super) driver_place: Place,
    /// Of each setting its key's place and its value's.
    places: BTreeMap<&'static str, (Place, Place)>,
    /// Of each setting that has parts, a list or a mapping, where each of them stands.
    parts: BTreeMap<&'static str, BTreeMap<String, Place>>,
}

impl Fitted {
    pub(super) fn key_place(&self, key: &str) -> Option<Place> {
        self.places.get(key).map(|(place, _)| *place)
    }

    pub(super) fn value_place(&self, key: &str) -> Option<Place> {
        self.places.get(key).map(|(_, place)| *place)
    }

    pub(super) fn parts(&self, key: &str) -> impl Iterator<Item = (&String, &Place)> + Clone {
        self.parts.get(key).into_iter().flatten()
    }

    pub(super) fn is_real(&self) -> bool {
        self.factory.is_some()
    }
}

impl Draft {
    pub(super) fn instrument(&self, kind: Kind) -> Option<&Fitted> {
        self.fitted.iter().find(|fitted| fitted.kind == kind && fitted.led == LedIndex::FIRST)
    }

    /// Whether the file has it but it could not be understood.
    pub(super) fn is_broken(&self, kind: Kind) -> bool {
        self.broken.contains(&kind)
    }

    pub(super) fn board(&self) -> Option<&BoardProfile> {
        self.board.as_deref()
    }

    /// The station, once nothing is wrong with it. `world` is what real drivers talk to.
    pub(super) fn finish(self, world: World) -> Option<Station> {
        let is_virtual = self.fitted.iter().any(|fitted| !fitted.is_real());
        let (mut instruments, mut lights) = (BTreeMap::new(), BTreeMap::new());
        for Fitted { kind, led, factory, settings, .. } in self.fitted {
            let driver = factory.map_or(Driver::Virtual, |factory| Driver::Real(factory, settings));
            match led {
                LedIndex::FIRST => drop(instruments.insert(kind, driver)),
                led => drop(lights.insert(led, driver)),
            }
        }
        Some(Station {
            name: self.name?,
            board: self.board?,
            serial: self.serial.map(|(identity, _)| identity),
            world: if is_virtual { World::Virtual } else { world },
            instruments,
            lights,
            cloud: self.cloud,
            keys: self.keys,
        })
    }
}

pub(super) fn read(decoder: &mut Decoder<'_>, entry: &Entry, around: Around<'_>) -> Option<Draft> {
    let name = checked_name(decoder, &entry.key, entry.key_place);
    let fields = decoder.fields(&entry.value, "a station", &KEYS)?;
    let board = fields.required(decoder, "board").and_then(|node| {
        let name = decoder.name(node, BOARD, around.library.board_names())?;
        around.library.board(&name).cloned()
    });
    let serial = fields.get("serial").and_then(|node| identity(decoder, node).map(|identity| (identity, node.place)));
    let (mut fitted, mut broken) = (Vec::new(), Vec::new());
    for (key, kind) in INSTRUMENTS {
        let Some(node) = fields.get(key) else { continue };
        match instrument(decoder, kind, node, around.folder) {
            Some(instrument) => fitted.push(instrument),
            None => broken.push(kind),
        }
    }
    let other_lights = fields.get("lights").zip(board.as_deref());
    fitted.extend(other_lights.into_iter().flat_map(|(node, board)| lights(decoder, node, board, around.folder)));
    let cloud = fields.get("cloud").and_then(|node| cloud(decoder, node, &fields));
    let keys = fields.get("keys").and_then(|node| keys::read(decoder, node, board.as_deref(), around.folder));
    let keys = keys.unwrap_or_default();
    let draft = Draft { called: entry.key.clone(), name, board, serial, fitted, broken, cloud, keys };
    check(decoder, &draft, &fields);
    Some(draft)
}

fn check(decoder: &mut Decoder<'_>, draft: &Draft, fields: &Fields<'_>) {
    if KEYS[3..].iter().all(|key| fields.get(key).is_none()) {
        let none = Mistake::new(MistakeKind::MissingKey, fields.place, "a station has at least one instrument");
        decoder.report(
            none.help(format!("instruments: {}", suggest::listed(KEYS[3..].iter().copied()).unwrap_or_default())),
        );
    }
    let writes = |fitted: &&Fitted| fitted.is_real() && matches!(fitted.kind, Kind::Probe | Kind::Dfu);
    if let (Some(writer), None) = (draft.fitted.iter().find(writes), fields.get("serial")) {
        let message = format!("a station with a {} needs `serial`", writer.kind);
        let missing = Mistake::new(MistakeKind::MissingKey, writer.driver_place, message);
        let help = "add `serial:` with the unique id of the chip that sits here; nothing is written to another one";
        decoder.report(missing.label("this can write to any board").help(help));
    }
    not_mixed(decoder, draft);
    emulated(decoder, draft, fields);
    over_probe(decoder, draft);
    for fitted in &draft.fitted {
        driver::check(decoder, fitted);
    }
    lines::check(decoder, draft);
    limits::check(decoder, draft);
}

/// A station that is half virtual would tell of a board that nobody has.
fn not_mixed(decoder: &mut Decoder<'_>, draft: &Draft) {
    let Some(real) = draft.fitted.iter().find(|fitted| fitted.is_real()) else { return };
    for fitted in draft.fitted.iter().filter(|fitted| !fitted.is_real()) {
        let message = format!("the {} of `{}` is virtual, and another instrument is not", fitted.kind, draft.called);
        let mixed = Mistake::new(MistakeKind::Misplaced, fitted.driver_place, message);
        let mixed = mixed.label("virtual").elsewhere(real.driver_place, "not virtual");
        decoder.report(mixed.help("in one station all instruments are virtual, or none is"));
    }
}

/// A virtual board never bears the name of a product whose firmware it does not run.
fn emulated(decoder: &mut Decoder<'_>, draft: &Draft, fields: &Fields<'_>) {
    let Some(board) = draft.board().filter(|board| board.virtual_chip.is_none()) else { return };
    let Some(fitted) = draft.fitted.iter().find(|fitted| !fitted.is_real()) else { return };
    let place = fields.get("board").map_or(fields.place, |node| node.place);
    let message = format!("there is no virtual {}", board.name);
    let nobody = Mistake::new(MistakeKind::Misplaced, place, message).elsewhere(fitted.driver_place, "virtual");
    decoder.report(nobody.help("`brickproof board list` shows which boards are virtual, too"));
}

/// What works through the probe needs one, and one that it can look through without resetting the board.
fn over_probe(decoder: &mut Decoder<'_>, draft: &Draft) {
    let through = |fitted: &&Fitted| fitted.factory.and_then(|factory| factory.over()) == Some(Kind::Probe);
    let Some(fitted) = draft.fitted.iter().find(through) else { return };
    match draft.instrument(Kind::Probe) {
        None if draft.is_broken(Kind::Probe) => {}
        None => {
            let message = format!("the {} works through the station's probe, and there is none", fitted.kind);
            let missing = Mistake::new(MistakeKind::MissingKey, fitted.driver_place, message);
            decoder.report(
                missing.label("through a probe").help("add `probe:` with the probe that the board is wired to"),
            );
        }
        Some(probe) if probe.settings.text("attach") == Some("under_reset") => {
            let place = probe.value_place("attach").unwrap_or(probe.place);
            let message = format!("a probe that attaches under reset cannot be looked through by the {}", fitted.kind);
            let resets = Mistake::new(MistakeKind::Misplaced, place, message);
            let resets = resets.label("it would reset the board").elsewhere(fitted.driver_place, "through the probe");
            decoder.report(resets.help("remove `attach`, or take the console of a serial port"));
        }
        Some(_) => {}
    }
}

fn identity(decoder: &mut Decoder<'_>, node: &Node) -> Option<Identity> {
    let text = setting::text(decoder, node, "the unique id of a chip")?;
    let identity = Identity::parse(text);
    if identity.is_none() {
        let message = format!("`{text}` is not the unique id of a chip");
        let wrong = Mistake::new(MistakeKind::UnknownValue, node.place, message);
        decoder.report(
            wrong.help("write its bytes in hexadecimal, two digits each and without `0x`: \"6c1f3a90d2e4b857\""),
        );
    }
    identity
}

/// The rig as the cloud. It speaks on the console, so there has to be one.
fn cloud(decoder: &mut Decoder<'_>, node: &Node, station: &Fields<'_>) -> Option<Cloud> {
    let fields = decoder.fields(node, "`cloud`", &["driver"])?;
    let node = fields.required(decoder, "driver")?;
    let cloud = decoder.choice(node, "a driver for `cloud`", &CLOUDS)?;
    if station.get("console").is_none() {
        let missing =
            Mistake::new(MistakeKind::MissingKey, node.place, "the cloud is played on a console, and there is none");
        decoder.report(missing.help("add `console:`, or remove `cloud`"));
    }
    Some(cloud)
}

/// The sensors above the lights besides the first, each by its light's name.
fn lights(decoder: &mut Decoder<'_>, node: &Node, board: &BoardProfile, folder: &Path) -> Vec<Fitted> {
    let mut fitted = Vec::new();
    for entry in decoder.entries(node, "a mapping of the board's lights to their sensors").unwrap_or_default() {
        let Some(led) = board.led_named(&entry.key) else {
            let message = format!("`{}` has no light `{}`", board.name, entry.key);
            let unknown = Mistake::new(MistakeKind::UnknownName, entry.key_place, message);
            let known = board.leds.iter().map(|led| led.name.as_str());
            decoder.report(unknown.help(suggest::help("lights", &entry.key, known)));
            continue;
        };
        if led == LedIndex::FIRST {
            let message = format!("`{}` is the first light of `{}`", entry.key, board.name);
            let first = Mistake::new(MistakeKind::Misplaced, entry.key_place, message);
            decoder.report(first.help("its sensor stands behind `light`, those of the others behind `lights`"));
            continue;
        }
        let sensor = instrument(decoder, Kind::Light, &entry.value, folder);
        fitted.extend(sensor.map(|sensor| Fitted { led, ..sensor }));
    }
    fitted
}

fn instrument(decoder: &mut Decoder<'_>, kind: Kind, node: &Node, folder: &Path) -> Option<Fitted> {
    let Value::Map(entries) = &node.value else { return decoder.wrong_type(node, "a mapping with a `driver`") };
    let driver = driver_of(decoder, kind, entries, node.place)?;
    let word = setting::text(decoder, &driver.value, "the word of a driver")?;
    let words = || DRIVERS.iter().filter(move |factory| factory.kind() == kind).map(|factory| factory.driver());
    let virtual_word = VIRTUAL_KINDS.contains(&kind).then_some(VIRTUAL);
    let Some(word) = words().chain(virtual_word).find(|known| *known == word) else {
        let message = format!("unknown driver `{word}` for `{kind}`");
        let unknown = Mistake::new(MistakeKind::UnknownName, driver.value.place, message);
        let help = suggest::help("drivers", word, words().chain(virtual_word).collect::<Vec<_>>().into_iter());
        decoder.report(unknown.label("no such driver").help(help));
        return None;
    };
    let factory = driver_for(kind, word);
    let mut fitted = Fitted {
        kind,
        led: LedIndex::FIRST,
        word,
        factory,
        settings: Settings::new(),
        place: node.place,
        driver_place: driver.value.place,
        places: BTreeMap::new(),
        parts: BTreeMap::new(),
    };
    read_settings(decoder, node, folder, &mut fitted);
    Some(fitted)
}

/// The entry that names the driver, also with a slip in its key: without it the other keys could not be judged.
fn driver_of<'t>(decoder: &mut Decoder<'_>, kind: Kind, entries: &'t [Entry], place: Place) -> Option<&'t Entry> {
    let written = entries.iter().find(|entry| entry.key == "driver");
    let is_word = |entry: &&Entry| matches!(entry.value.value, Value::Text(_));
    let slipped = || entries.iter().filter(is_word).find(|entry| suggest::slip(&entry.key, ["driver"]).is_some());
    let driver = written.or_else(slipped);
    if driver.is_none() {
        let words = DRIVERS.iter().filter(|factory| factory.kind() == kind).map(|factory| factory.driver());
        let listed = suggest::listed(words.chain(VIRTUAL_KINDS.contains(&kind).then_some(VIRTUAL))).unwrap_or_default();
        let missing = Mistake::new(MistakeKind::MissingKey, place, format!("`{kind}` lacks `driver`"));
        decoder.report(missing.help(format!("add `driver:` and one of {listed}")));
    }
    driver
}

fn read_settings(decoder: &mut Decoder<'_>, node: &Node, folder: &Path, fitted: &mut Fitted) {
    let declared = fitted.factory.map_or(&[][..], |factory| factory.settings());
    let known: Vec<&'static str> =
        std::iter::once("driver").chain(declared.iter().map(|setting| setting.name)).collect();
    let what = format!("`{}`", fitted.word);
    let Some(fields) = decoder.fields(node, &what, &known) else { return };
    for setting in declared {
        if setting.required {
            fields.required(decoder, setting.name);
        }
        let Some(entry) = fields.entry(setting.name) else { continue };
        fitted.places.insert(setting.name, (entry.key_place, entry.value.place));
        let parts = fitted.parts.entry(setting.name).or_default();
        if let Some(value) = setting::value(decoder, setting.kind, &entry.value, folder, parts) {
            fitted.settings = std::mem::take(&mut fitted.settings).with(setting.name, value);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_driver_has_a_key_in_a_station() {
        for factory in DRIVERS {
            assert!(INSTRUMENTS.iter().any(|(_, kind)| *kind == factory.kind()), "{}", factory.driver());
        }
        for (key, kind) in INSTRUMENTS {
            assert!(KEYS.contains(&key) && kind.to_string() == key, "{key}");
        }
    }
}
