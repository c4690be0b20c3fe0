//! What is true of every board of a kind: limits, flash, key slots, lines, console, the vocabulary of its light.
//!
//! Boundary: facts about the product, read from `hardware/boards/*.yaml`. Which station has such a board, and how it is wired, is in the
//! bench file; what to do with it is in the scenario.

use std::fmt;

use brickproof_keys::Slot;
use brickproof_units::{Current, Slew, Span, Voltage};
use brickproof_yaml::decode::{Decoder, Fields, Names};
use brickproof_yaml::tree::{self, Extent, Node};
use brickproof_yaml::{Diagnostics, Mistake, MistakeKind, Mistakes, Place, suggest};

use crate::lights::{self, LightStatus};
use crate::plan::ConsoleLine;

/// A board profile.
#[derive(Clone, Debug, PartialEq)]
pub struct BoardProfile {
    /// Its name in scenarios: `lantern-nrf51`.
    pub name: String,
    /// The microcontroller, as its maker calls it: `nRF51822`.
    pub mcu: String,
    /// Its flash.
    pub flash: FlashGeometry,
    /// Its RAM.
    pub ram: Bytes,
    /// Where the part keeps its unique id.
    pub identity: IdentityPlace,
    /// Where the key areas begin; DCT offset 0 is the start of each.
    pub key_areas: Vec<Address>,
    /// The key slots in every area, in the order of the file.
    pub key_slots: Vec<KeySlot>,
    /// What may be connected.
    pub input: InputLimits,
    /// The rails, in the order of the file.
    pub rails: Vec<Rail>,
    /// Its lines, those of the light among them.
    pub lines: Vec<Line>,
    /// The buttons that a station can press.
    pub buttons: Vec<Line>,
    /// The serial console.
    pub console: ConsoleLine,
    /// What the lines of its log look like.
    pub log: LogStyle,
    /// The statuses that its light can show.
    pub light: Vec<LightStatus>,
}

impl BoardProfile {
    /// The rail of that name.
    pub fn rail(&self, name: &str) -> Option<&Rail> {
        self.rails.iter().find(|rail| rail.name == name)
    }

    /// The lines whose edges a station reports. Those of the light are watched by the colour sensor, and a button is pressed, not watched.
    pub fn watched_lines(&self) -> impl Iterator<Item = &Line> + Clone {
        self.lines.iter().filter(|line| !LED_LINES.contains(&line.name.as_str()))
    }

    /// The status of that name.
    pub fn status(&self, name: &str) -> Option<&LightStatus> {
        self.light.iter().find(|status| status.name == name)
    }

    /// The shortest phase of all that its light can show: what a sensor above it has to tell apart.
    pub fn fastest_phase(&self) -> Option<Span> {
        self.light.iter().filter_map(|status| status.look.shortest_phase()).min()
    }

    /// The place of a key slot inside an area.
    pub fn key_slot(&self, slot: Slot) -> Option<&KeySlot> {
        self.key_slots.iter().find(|known| known.slot == slot)
    }
}

/// How profiles call the lines of the status light.
const LED_LINES: [&str; 3] = ["red", "green", "blue"];

/// A number of bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Bytes(pub u32);

impl fmt::Display for Bytes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            n if n != 0 && n % (1 << 20) == 0 => write!(f, "{}MiB", n >> 20),
            n if n != 0 && n % (1 << 10) == 0 => write!(f, "{}KiB", n >> 10),
            n => write!(f, "{n}B"),
        }
    }
}

/// An address in the microcontroller's memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Address(pub u32);

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:#010x}", self.0)
    }
}

/// Flash from address 0 on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FlashGeometry {
    /// All of it.
    pub size: Bytes,
    /// What one erase takes.
    pub page: Bytes,
}

/// Where a part keeps the unique id that its maker gave it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct IdentityPlace {
    /// Its first byte.
    pub address: Address,
    /// Its length.
    pub length: Bytes,
}

/// Where a key slot lies inside a key area.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct KeySlot {
    /// Its name.
    pub slot: Slot,
    /// From the start of the area.
    pub offset: Bytes,
    /// Its length; what the key does not fill is `ff`.
    pub length: Bytes,
}

/// What a source may do to the board's supply input.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct InputLimits {
    /// Less does not run it.
    pub minimum: Voltage,
    /// More breaks it.
    pub maximum: Voltage,
    /// More current than this breaks it, or the source.
    pub current_ceiling: Current,
}

/// A supply rail and its limits.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rail {
    /// Its name: `3V3`.
    pub name: String,
    /// What the regulator makes.
    pub nominal: Voltage,
    /// The microcontroller is specified from here.
    pub minimum: Voltage,
    /// To here.
    pub maximum: Voltage,
    /// The fastest fall that is within specification.
    pub fastest_fall: Slew,
    /// The fastest rise that is within specification.
    pub fastest_rise: Slew,
}

/// A line of the board and its pin.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Line {
    /// Its name: `radio`.
    pub name: String,
    /// The pin, as the microcontroller's manual calls it: `P0.16`.
    pub pin: String,
    /// The level that means "on" or "pressed".
    pub active: ActiveLevel,
}

/// The level at which a line does its work.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ActiveLevel {
    /// On when high.
    High,
    /// On when low.
    Low,
}

/// What the lines of a log look like.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LogStyle {
    /// Device OS 0.6.0 and later.
    DeviceOs,
    /// Device OS before 0.6.0.
    DeviceOsOld,
}

/// Reads a board profile. `path` is only used in messages.
///
/// # Errors
/// Every mistake of the file at once.
pub fn load(path: &str, text: impl AsRef<[u8]>) -> Result<BoardProfile, Diagnostics> {
    let text = brickproof_yaml::utf8(path, text.as_ref())?;
    let mut mistakes = Mistakes::default();
    let tree = tree::parse(text, "`board:` and its name", &mut mistakes);
    let profile = tree.as_ref().and_then(|(root, _)| profile(&mut Decoder::new(&[], &mut mistakes), root));
    if tree.is_some_and(|(_, extent)| extent == Extent::UpToSyntaxError) {
        mistakes.forgive_what_is_unfinished();
    }
    mistakes.settle(path, text, profile)
}

const KEYS: [&str; 12] =
    ["board", "mcu", "flash", "ram", "identity", "keys", "input", "rails", "lines", "buttons", "console", "light"];

fn profile(decoder: &mut Decoder<'_>, root: &Node) -> Option<BoardProfile> {
    let file = decoder.fields(root, "a board profile", &KEYS)?;
    let name = word(decoder, &file, "board", "the name of the board");
    let mcu = word(decoder, &file, "mcu", "the name of a microcontroller");
    let flash = file.required(decoder, "flash").and_then(|node| flash(decoder, node));
    let ram = size(decoder, &file, "ram");
    let identity = file.required(decoder, "identity").and_then(|node| identity(decoder, node));
    let keys = file.required(decoder, "keys").and_then(|node| keys(decoder, node, flash));
    let input = file.required(decoder, "input").and_then(|node| input(decoder, node));
    let rails = file.required(decoder, "rails").and_then(|node| rails(decoder, node));
    let lines = file.required(decoder, "lines").and_then(|node| pins(decoder, node));
    let buttons = file.required(decoder, "buttons").and_then(|node| pins(decoder, node));
    let console = file.required(decoder, "console").and_then(|node| console(decoder, node));
    let light = file.required(decoder, "light").and_then(|node| lights::vocabulary(decoder, node));
    let ((key_areas, key_slots), (console, log)) = (keys?, console?);
    let (name, mcu, flash, ram, identity, input) = (name?, mcu?, flash?, ram?, identity?, input?);
    let (rails, lines, buttons, light) = (rails?, lines?, buttons?, light?);
    Some(BoardProfile {
        name,
        mcu,
        flash,
        ram,
        identity,
        key_areas,
        key_slots,
        input,
        rails,
        lines,
        buttons,
        console,
        log,
        light,
    })
}

fn word(decoder: &mut Decoder<'_>, fields: &Fields<'_>, key: &str, what: &str) -> Option<String> {
    let node = fields.required(decoder, key)?;
    decoder.text(node, what).map(Into::into)
}

fn flash(decoder: &mut Decoder<'_>, node: &Node) -> Option<FlashGeometry> {
    let fields = decoder.fields(node, "`flash`", &["size", "page"])?;
    let (total, page) = (size(decoder, &fields, "size"), size(decoder, &fields, "page"));
    let geometry = FlashGeometry { size: total?, page: page? };
    if geometry.page.0 == 0 || !geometry.size.0.is_multiple_of(geometry.page.0) {
        let message = format!("{} of flash are not whole pages of {}", geometry.size, geometry.page);
        decoder.report(Mistake::new(MistakeKind::BeyondLimits, fields.place, message));
        return None;
    }
    Some(geometry)
}

fn identity(decoder: &mut Decoder<'_>, node: &Node) -> Option<IdentityPlace> {
    let fields = decoder.fields(node, "`identity`", &["address", "length"])?;
    let address = fields.required(decoder, "address").and_then(|node| address(decoder, node, None));
    let length = size(decoder, &fields, "length");
    Some(IdentityPlace { address: address?, length: length? })
}

fn keys(decoder: &mut Decoder<'_>, node: &Node, flash: Option<FlashGeometry>) -> Option<(Vec<Address>, Vec<KeySlot>)> {
    let fields = decoder.fields(node, "`keys`", &["areas", "slots"])?;
    let areas = fields.required(decoder, "areas").and_then(|node| {
        let nodes = decoder.list(node, "a list of addresses")?;
        nodes.iter().map(|node| address(decoder, node, flash)).collect::<Vec<_>>().into_iter().collect()
    });
    let slots = fields.required(decoder, "slots").and_then(|node| {
        let entries = decoder.entries(node, "a mapping of key slots")?;
        let read = |decoder: &mut Decoder<'_>, entry: &&tree::Entry| {
            let slot = slot_named(decoder, &entry.key, entry.key_place);
            let fields = decoder.fields(&entry.value, "a key slot", &["offset", "length"])?;
            let (offset, length) = (size(decoder, &fields, "offset"), size(decoder, &fields, "length"));
            Some(KeySlot { slot: slot?, offset: offset?, length: length? })
        };
        entries.iter().map(|entry| read(decoder, entry)).collect::<Vec<_>>().into_iter().collect()
    });
    Some((areas?, slots?))
}

/// The slot of that name.
pub(crate) fn slot_named(decoder: &mut Decoder<'_>, name: &str, place: Place) -> Option<Slot> {
    let found = Slot::ALL.into_iter().find(|slot| slot.name() == name);
    if found.is_none() {
        let unknown = Mistake::new(MistakeKind::UnknownName, place, format!("unknown key slot `{name}`"));
        let names = Slot::ALL.iter().map(|slot| slot.name());
        decoder.report(unknown.label("no such slot").help(suggest::help("key slots", name, names)));
    }
    found
}

fn input(decoder: &mut Decoder<'_>, node: &Node) -> Option<InputLimits> {
    let fields = decoder.fields(node, "`input`", &["minimum", "maximum", "current_ceiling"])?;
    let minimum = quantity(decoder, &fields, "minimum");
    let maximum = quantity(decoder, &fields, "maximum");
    let current_ceiling = quantity(decoder, &fields, "current_ceiling");
    Some(InputLimits { minimum: minimum?, maximum: maximum?, current_ceiling: current_ceiling? })
}

fn quantity<Q: brickproof_units::Quantity>(decoder: &mut Decoder<'_>, fields: &Fields<'_>, key: &str) -> Option<Q> {
    let node = fields.required(decoder, key)?;
    decoder.quantity(node)
}

fn rails(decoder: &mut Decoder<'_>, node: &Node) -> Option<Vec<Rail>> {
    let entries = decoder.entries(node, "a mapping of rails")?;
    let read: Vec<_> = entries.iter().map(|entry| rail(decoder, &entry.key, &entry.value)).collect();
    read.into_iter().collect()
}

fn rail(decoder: &mut Decoder<'_>, name: &str, node: &Node) -> Option<Rail> {
    let known = ["nominal", "minimum", "maximum", "fastest_fall", "fastest_rise"];
    let fields = decoder.fields(node, "a rail", &known)?;
    let nominal: Option<Voltage> = quantity(decoder, &fields, "nominal");
    let minimum = quantity(decoder, &fields, "minimum");
    let maximum = quantity(decoder, &fields, "maximum");
    let fastest_fall = quantity(decoder, &fields, "fastest_fall");
    let fastest_rise = quantity(decoder, &fields, "fastest_rise");
    let (nominal, minimum, maximum) = (nominal?, minimum?, maximum?);
    if !(minimum..=maximum).contains(&nominal) {
        let message = format!("the nominal {nominal} of rail `{name}` is not between {minimum} and {maximum}");
        decoder.report(Mistake::new(MistakeKind::BeyondLimits, fields.place, message));
        return None;
    }
    let (fastest_fall, fastest_rise) = (fastest_fall?, fastest_rise?);
    Some(Rail { name: name.to_owned(), nominal, minimum, maximum, fastest_fall, fastest_rise })
}

fn pins(decoder: &mut Decoder<'_>, node: &Node) -> Option<Vec<Line>> {
    let entries = decoder.entries(node, "a mapping of lines")?;
    let read = |decoder: &mut Decoder<'_>, entry: &&tree::Entry| {
        let fields = decoder.fields(&entry.value, "a line", &["pin", "active"])?;
        let pin = word(decoder, &fields, "pin", "a pin");
        let active = fields.required(decoder, "active").and_then(|node| {
            decoder.choice(node, "a level", &[("high", ActiveLevel::High), ("low", ActiveLevel::Low)])
        });
        Some(Line { name: entry.key.clone(), pin: pin?, active: active? })
    };
    entries.iter().map(|entry| read(decoder, entry)).collect::<Vec<_>>().into_iter().collect()
}

fn console(decoder: &mut Decoder<'_>, node: &Node) -> Option<(ConsoleLine, LogStyle)> {
    let fields = decoder.fields(node, "`console`", &["baud", "log"])?;
    let baud = quantity(decoder, &fields, "baud");
    let styles = [("device-os", LogStyle::DeviceOs), ("device-os-old", LogStyle::DeviceOsOld)];
    let log = fields.required(decoder, "log").and_then(|node| decoder.choice(node, "a log format", &styles));
    Some((ConsoleLine { baud: baud? }, log?))
}

fn size(decoder: &mut Decoder<'_>, fields: &Fields<'_>, key: &str) -> Option<Bytes> {
    let node = fields.required(decoder, key)?;
    let text = decoder.text(node, "a number of bytes")?;
    let parsed = parse_size(&text);
    if parsed.is_none() {
        let wrong = Mistake::new(MistakeKind::WrongQuantity, node.place, format!("`{text}` is not a number of bytes"));
        decoder.report(wrong.help("write it with its unit (B, KiB, MiB), as in `256KiB`"));
    }
    parsed
}

fn parse_size(text: &str) -> Option<Bytes> {
    let text = text.trim();
    let split = text.find(|c: char| !c.is_ascii_digit())?;
    let factor = match text[split..].trim_start() {
        "B" => 1,
        "KiB" => 1 << 10,
        "MiB" => 1 << 20,
        _ => return None,
    };
    text[..split].parse::<u32>().ok()?.checked_mul(factor).map(Bytes)
}

fn address(decoder: &mut Decoder<'_>, node: &Node, flash: Option<FlashGeometry>) -> Option<Address> {
    let text = decoder.text(node, "an address")?;
    let Some(address) = text.trim().strip_prefix("0x").and_then(|digits| u32::from_str_radix(digits, 16).ok()) else {
        let wrong = Mistake::new(MistakeKind::WrongQuantity, node.place, format!("`{text}` is not an address"));
        decoder.report(wrong.help("write it in hexadecimal, as in `0x3e000`"));
        return None;
    };
    if let Some(flash) = flash.filter(|flash| address >= flash.size.0) {
        let message = format!("{} lies behind the {} of flash", Address(address), flash.size);
        decoder.report(Mistake::new(MistakeKind::BeyondLimits, node.place, message));
        return None;
    }
    Some(Address(address))
}

/// How a rail is called in messages.
pub(crate) const RAIL: Names<'_> = Names { one: "a rail", many: "rails", nowhere: "the board has no such rail" };

#[cfg(test)]
mod tests {
    use super::*;

    const PROFILE: &str = include_str!("../../../hardware/boards/lantern-nrf51822.yaml");

    #[test]
    fn the_shipped_profiles_say_what_the_protocol_says() {
        let profile = load("nrf51", PROFILE).unwrap();
        assert_eq!((profile.name.as_str(), profile.mcu.as_str()), ("lantern-nrf51", "nRF51822"));
        assert_eq!(profile.identity, IdentityPlace { address: Address(0x1000_0060), length: Bytes(8) });
        assert_eq!(profile.key_areas, [Address(0x3e000), Address(0x3f000)]);
        assert_eq!(profile.light.len(), 20);
        assert_eq!(profile.fastest_phase(), Some(Span::millis(50)));
        // The crate that reads and damages slots has the same table.
        for slot in Slot::ALL {
            let known = profile.key_slot(slot).unwrap();
            assert_eq!((known.offset.0, known.length.0 as usize), (slot.dct_offset(), slot.size()), "{}", slot.name());
        }
    }

    #[test]
    fn both_profiles_show_the_same_vocabulary() {
        let other = include_str!("../../../hardware/boards/lantern-nrf52840.yaml");
        assert_eq!(load("nrf51", PROFILE).unwrap().light, load("nrf52840", other).unwrap().light);
    }

    #[test]
    fn a_broken_profile_is_told_all_at_once() {
        let broken = PROFILE
            .replace("size: 256KiB", "size: 256")
            .replace("0x3f000", "3f000")
            .replace("nominal: 3.3V", "nominal: 3.9V")
            .replace("cyan, breathe: 4s", "cyan, breath: 4s")
            .replace("log: device-os", "log: syslog")
            .replace("ram: 16KiB\n", "");
        let found = load("nrf51", broken).unwrap_err();
        let found: Vec<_> = found.mistakes().iter().map(|it| (it.kind(), it.to_string())).collect();
        insta::assert_debug_snapshot!(found, @r#"
    [
        (
            MissingKey,
            "a board profile lacks `ram`",
        ),
        (
            WrongQuantity,
            "`256` is not a number of bytes",
        ),
        (
            WrongQuantity,
            "`3f000` is not an address",
        ),
        (
            BeyondLimits,
            "the nominal 3.9V of rail `3V3` is not between 1.8V and 3.6V",
        ),
        (
            UnknownValue,
            "`syslog` is not a log format",
        ),
        (
            UnknownKey,
            "unknown key `breath` in a look",
        ),
    ]
    "#);
    }

    #[test]
    fn sizes_need_a_unit_and_have_limits() {
        assert_eq!(parse_size("192B"), Some(Bytes(192)));
        assert_eq!(parse_size("1 MiB"), Some(Bytes(1 << 20)));
        for text in ["192", "B", "1KB", "-1B", "4096MiB", ""] {
            assert_eq!(parse_size(text), None, "{text}");
        }
        assert_eq!((Bytes(1 << 10).to_string(), Bytes(1000).to_string()), ("1KiB".into(), "1000B".into()));
    }
}
