//! A bench file, read against the drivers' settings and the board profiles.
//!
//! Boundary: text in, a [`Bench`] or every mistake of the file out. What only the devices know (whether an adapter is plugged in, whether a
//! line's name exists) is found when they are opened; files that it names are read here. The words stand in `hardware/benches/README.md`.

use std::collections::BTreeMap;
use std::fmt;
use std::path::Path;
use std::sync::Arc;

use brickproof_boards::{BoardProfile, LedIndex};
use brickproof_instruments::{Factory, Kind, Settings};
use brickproof_scenario::Library;
use brickproof_yaml::decode::Decoder;
use brickproof_yaml::tree::{self, Extent, Node, Value};
use brickproof_yaml::{Diagnostics, Mistake, MistakeKind, Mistakes, Place};

mod driver;
mod keys;
mod limits;
mod lines;
mod places;
mod schema;
mod setting;
mod station;

pub use keys::StationKeys;
pub use schema::schema;
use station::{Around, Draft};

/// One computer and its stations.
#[derive(Clone, Debug)]
pub struct Bench {
    /// What reports call this computer.
    pub name: String,
    /// What its real drivers talk to: [`World::Hardware`] or [`World::Lane`].
    pub world: World,
    /// Its stations, in the order of the file; never none.
    pub stations: Vec<Station>,
}

/// What a verdict of a station is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum World {
    /// Everything is simulated.
    Virtual,
    /// Real drivers, simulated devices.
    Lane,
    /// Devices.
    Hardware,
}

impl fmt::Display for World {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Virtual => "virtual",
            Self::Lane => "lane",
            Self::Hardware => "hardware",
        })
    }
}

/// One place of a bench: a board and the instruments that are wired to it.
#[derive(Clone, Debug)]
pub struct Station {
    /// Its name.
    pub name: String,
    /// The kind of board that sits there.
    pub board: Arc<BoardProfile>,
    /// Which board sits there. It is there wherever a real probe or bootloader could write to another one.
    pub serial: Option<Identity>,
    /// What its verdicts are about.
    pub world: World,
    /// Its instruments; of the sensors that above the board's first light.
    pub instruments: BTreeMap<Kind, Driver>,
    /// The sensors above the board's other lights.
    pub lights: BTreeMap<LedIndex, Driver>,
    /// Who plays the board's other end, if anybody does.
    pub cloud: Option<Cloud>,
    /// What its keys have to do with the world outside.
    pub keys: StationKeys,
}

impl Station {
    /// Everything that has a driver.
    pub fn fitted(&self) -> impl Iterator<Item = (Which, &Driver)> {
        let instruments = self.instruments.iter().map(|(kind, driver)| (Which::from(*kind), driver));
        let lights = self.lights.iter().map(|(led, driver)| (Which { kind: Kind::Light, led: *led }, driver));
        instruments.chain(lights)
    }
}

/// Which of a station's instruments: there may be a sensor above each light.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Which {
    /// What it is.
    pub kind: Kind,
    /// Of a sensor the light that it is above; of others the first.
    pub led: LedIndex,
}

impl From<Kind> for Which {
    fn from(kind: Kind) -> Self {
        Self { kind, led: LedIndex::FIRST }
    }
}

/// What an instrument of a station is driven by.
#[derive(Clone)]
pub enum Driver {
    /// The virtual board's own.
    Virtual,
    /// A driver of a device, and what it is opened with.
    Real(&'static dyn Factory, Settings),
}

impl Driver {
    /// Its word in the bench file.
    pub fn word(&self) -> &'static str {
        match self {
            Self::Virtual => driver::VIRTUAL,
            Self::Real(factory, _) => factory.driver(),
        }
    }

    /// The instrument of the station that it works through, if any.
    pub fn over(&self) -> Option<Kind> {
        match self {
            Self::Virtual => None,
            Self::Real(factory, _) => factory.over(),
        }
    }
}

impl fmt::Debug for Driver {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Virtual => f.write_str(driver::VIRTUAL),
            Self::Real(factory, settings) => write!(f, "{} {settings:?}", factory.driver()),
        }
    }
}

/// Who plays the board's cloud.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cloud {
    /// The rig does, on the console's line.
    Console,
}

/// The unique id of a chip: its bytes in the order of memory.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Identity(Vec<u8>);

impl Identity {
    /// `text` as bytes, if it is an even number of hexadecimal digits.
    pub fn parse(text: &str) -> Option<Self> {
        if text.is_empty() || !text.len().is_multiple_of(2) || !text.bytes().all(|byte| byte.is_ascii_hexdigit()) {
            return None;
        }
        let byte = |at| u8::from_str_radix(&text[at..at + 2], 16).ok();
        (0..text.len()).step_by(2).map(byte).collect::<Option<_>>().map(Self)
    }

    /// That of a chip that keeps these bytes.
    pub fn of(bytes: Vec<u8>) -> Self {
        Self(bytes)
    }

    /// The bytes.
    pub fn bytes(&self) -> &[u8] {
        &self.0
    }
}

impl fmt::Display for Identity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

const KEYS: [&str; 3] = ["bench", "world", "stations"];
const WORLDS: [(&str, World); 2] = [("hardware", World::Hardware), ("lane", World::Lane)];

/// Reads a bench file. `path` is used in messages, and files that it names by relative paths are looked for beside it.
///
/// # Errors
/// Every mistake of the file at once.
pub fn load(path: &str, text: impl AsRef<[u8]>, library: &Library) -> Result<Bench, Diagnostics> {
    let text = brickproof_yaml::utf8(path, text.as_ref())?;
    let folder = Path::new(path).parent().unwrap_or(Path::new(""));
    let mut mistakes = Mistakes::default();
    let mut tree = tree::parse(text, "`bench:` and its name", &mut mistakes);
    if let Some((root, _)) = &mut tree {
        refuse_parameters(root, &mut mistakes);
    }
    let bench = tree
        .as_ref()
        .and_then(|(root, _)| bench(&mut Decoder::new(&[], &mut mistakes), root, Around { library, folder }));
    if tree.is_some_and(|(_, extent)| extent == Extent::UpToSyntaxError) {
        mistakes.forgive_what_is_unfinished();
    }
    mistakes.settle(path, text, bench)
}

/// A value with a parameter would be one that nobody has.
fn refuse_parameters(node: &mut Node, mistakes: &mut Mistakes) {
    match &mut node.value {
        Value::Text(text) if text.text.contains("${") => {
            let message = "there are no parameters in a bench file";
            let misplaced = Mistake::new(MistakeKind::Misplaced, node.place, message);
            mistakes.report(misplaced.label("`${` begins one").help("write the value out"));
            node.value = Value::Broken;
        }
        Value::List(nodes) => nodes.iter_mut().for_each(|node| refuse_parameters(node, mistakes)),
        Value::Map(entries) => entries.iter_mut().for_each(|entry| refuse_parameters(&mut entry.value, mistakes)),
        Value::Text(_) | Value::Broken => {}
    }
}

fn bench(decoder: &mut Decoder<'_>, root: &Node, around: Around<'_>) -> Option<Bench> {
    let file = decoder.fields(root, "a bench file", &KEYS)?;
    let name = file.required(decoder, "bench").and_then(|node| {
        let name = decoder.raw_text(node, "the name of the bench")?;
        checked_name(decoder, name, node.place)
    });
    let world = match file.get("world") {
        None => Some(World::Hardware),
        Some(node) => decoder.choice(node, "the world of a bench", &WORLDS),
    };
    let node = file.required(decoder, "stations")?;
    let entries = decoder.entries(node, "a mapping of stations")?;
    if entries.is_empty() {
        let none = Mistake::new(MistakeKind::MissingKey, node.place, "a bench has at least one station");
        decoder.report(none.help("add one: its name, and below it `board:` and its instruments"));
    }
    let drafts: Vec<Draft> = entries.iter().filter_map(|entry| station::read(decoder, entry, around)).collect();
    places::check(decoder, &drafts);
    let (name, world) = (name?, world?);
    let stations: Option<Vec<_>> = drafts.into_iter().map(|draft| draft.finish(world)).collect();
    Some(Bench { name, world, stations: stations? })
}

fn checked_name(decoder: &mut Decoder<'_>, name: &str, place: Place) -> Option<String> {
    let begins = name.starts_with(|c: char| c.is_ascii_lowercase());
    if begins && name.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-') {
        return Some(name.to_owned());
    }
    let wrong = Mistake::new(MistakeKind::UnknownValue, place, format!("`{name}` is not a name"));
    decoder.report(wrong.help("a name has lower-case letters, digits and hyphens and begins with a letter: `board-1`"));
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_identity_is_whole_bytes_in_either_case() {
        assert_eq!(Identity::parse("0aFF").map(|it| it.to_string()).as_deref(), Some("0aff"));
        for wrong in ["", "0", "0x12", "0g", "+1", "éé"] {
            assert_eq!(Identity::parse(wrong), None, "{wrong}");
        }
    }
}
