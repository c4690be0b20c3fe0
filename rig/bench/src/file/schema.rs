//! What may stand in a bench file, for editors.
//!
//! Boundary: as the other modules read it, with the settings that the drivers declare. What instruments and stations have to do with each
//! other is for the reader alone.

use brickproof_instruments::{DRIVERS, Factory, Kind, Setting, SettingKind};
use brickproof_scenario::Library;
use brickproof_units::{Baud, Current, Resistance, Voltage};
use brickproof_yaml::schema::{Key, Shape, document};
use serde_json::Value;

use super::WORLDS;
use super::driver::{VIRTUAL, VIRTUAL_KINDS};
use super::station::{CLOUDS, INSTRUMENTS};

const NAME: &str = "^[a-z][a-z0-9-]*$";
const IDENTITY: &str = r"^\s*([0-9a-fA-F]{2})+\s*$";

/// The schema of bench files whose stations may have the boards of `library`.
pub fn schema(library: &Library) -> Value {
    let worlds = Shape::word(WORLDS.map(|(name, _)| name));
    let stations = Shape::names(Shape::defined("station")).named(NAME).not_empty();
    let root = Shape::keys([
        Key::required("bench", Shape::pattern(NAME).about("What reports call this computer.")),
        Key::optional(
            "world",
            worlds.about("What its drivers talk to: devices, or simulated ones; `hardware` if nothing is said."),
        ),
        Key::required("stations", stations.about("Each station by its name.")),
    ])
    .about("One computer and the boards that are wired to it: hardware/benches/README.md tells the settings.");
    let instruments = INSTRUMENTS.map(|(key, kind)| (key, instrument(kind)));
    document("Brickproof bench", root, [("station", station(library))].into_iter().chain(instruments))
}

fn station(library: &Library) -> Shape {
    // YAML takes an id of digits alone for a number.
    let serial = Shape::any([Shape::pattern(IDENTITY), Shape::count(0..=u64::MAX)]);
    let first = [
        Key::required("board", Shape::word(library.board_names()).about("The kind of board that sits there.")),
        Key::optional("serial", serial.about("The unique id of its chip: nothing is written to another one.")),
        Key::optional("keys", keys()),
    ];
    let instruments = INSTRUMENTS.map(|(key, kind)| Key::optional(key, Shape::defined(key).about(about(kind))));
    let lights = Shape::names(Shape::defined("light"))
        .about("The sensors above the board's other lights, each by its light's name.");
    let cloud = Shape::keys([Key::required("driver", Shape::word(CLOUDS.map(|(name, _)| name)))]);
    let last = [
        Key::optional("lights", lights),
        Key::optional("cloud", cloud.about("The rig plays the board's cloud, on its console.")),
    ];
    Shape::keys(first.into_iter().chain(instruments).chain(last))
}

const fn about(kind: Kind) -> &'static str {
    match kind {
        Kind::Lines => "The pins that are driven and watched.",
        Kind::Console => "Where the board's log comes from.",
        Kind::Supply => "What the board gets its power from.",
        Kind::Light => "The colour sensor above the board's first light.",
        Kind::Probe => "The debug probe.",
        Kind::Dfu => "The board's own bootloader on USB.",
        Kind::Firewall => "What stands between the board and its cloud.",
        _ => "Another instrument.",
    }
}

fn keys() -> Shape {
    let program = Shape::one_or_some(Shape::text())
        .about("A program and its arguments that has a server accept a new public key.");
    let server = Shape::keys([
        Key::required("key", Shape::text().about("The file with the server's public key.")),
        Key::required("address", Shape::text().about("`host`, or `host:port`.")),
    ]);
    Shape::keys([
        Key::optional("register", program),
        Key::optional("server", server.about("The genuine server; else the rig's own.")),
    ])
    .about("What the station's keys have to do with the world outside.")
}

/// An instrument: one of its drivers, with what that understands.
fn instrument(kind: Kind) -> Shape {
    let drivers = DRIVERS.iter().filter(|factory| factory.kind() == kind).map(|factory| driver(*factory));
    let virtual_one = Shape::keys([Key::required("driver", Shape::word([VIRTUAL]).about("The virtual board's own."))]);
    Shape::any(drivers.chain(VIRTUAL_KINDS.contains(&kind).then_some(virtual_one)))
}

fn driver(factory: &dyn Factory) -> Shape {
    let word = Key::required("driver", Shape::word([factory.driver()]).about(factory.about()));
    let settings = factory.settings().iter().map(|Setting { name, kind, required, about }| {
        let shape = value(*kind).about(about);
        if *required { Key::required(name, shape) } else { Key::optional(name, shape) }
    });
    Shape::keys(std::iter::once(word).chain(settings))
}

fn value(kind: SettingKind) -> Shape {
    match kind {
        SettingKind::Text | SettingKind::File => Shape::text(),
        SettingKind::Word(words) => Shape::word(words.iter().copied()),
        SettingKind::Number => Shape::count(0..=u64::MAX),
        SettingKind::LineMap => Shape::names(Shape::text()),
        SettingKind::TextList => Shape::list(Shape::text()),
        SettingKind::Voltage => Shape::quantity::<Voltage>(),
        SettingKind::Current => Shape::quantity::<Current>(),
        SettingKind::Resistance => Shape::quantity::<Resistance>(),
        SettingKind::Span => Shape::span(),
        SettingKind::Baud => Shape::quantity::<Baud>(),
    }
}
