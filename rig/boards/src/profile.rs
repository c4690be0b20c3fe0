//! A board profile: everything that is true of every board of a kind.
//!
//! Boundary: the finished profile and the small shapes that no other module owns. How one is put together of a file and what it is like is
//! [`draft`](crate::draft)'s business.

use brickproof_keys::Slot;
use brickproof_units::{Baud, Current, Slew, Span, Voltage};
use brickproof_yaml::decode::{Decoder, Fields, Names};
use brickproof_yaml::tree::Node;
use brickproof_yaml::{Mistake, MistakeKind};

use crate::keys::{KeySlot, Keys};
use crate::led::{Led, LedIndex};
use crate::look::{LightStatus, Shade};
use crate::memory::{Bytes, FlashMap, IdentityPlace, Part};
use crate::modes::Modes;
use crate::ports::{Alternate, CloudPort, UsbIds};

/// A board profile.
#[derive(Clone, Debug, PartialEq)]
pub struct BoardProfile {
    /// Its name in scenarios: `lantern-nrf51`.
    pub name: String,
    /// What it is, in a sentence.
    pub about: String,
    /// The microcontroller, as its maker calls it: `nRF51822`.
    pub mcu: String,
    /// ... and as probe-rs calls it: `nRF51822_xxAA`.
    pub probe: String,
    /// The virtual part on which its firmware runs without a board. `None`: nobody has emulated one.
    pub virtual_chip: Option<VirtualChip>,
    /// The flash that it runs from.
    pub flash: FlashMap,
    /// Its RAM.
    pub ram: Bytes,
    /// What lies where in memory, in the order of the file.
    pub parts: Vec<Part>,
    /// Where the part keeps its unique id.
    pub identity: IdentityPlace,
    /// What it is called on USB, if it is there at all.
    pub usb: Option<UsbIds>,
    /// Its bootloader's alternate settings, in the order of the file; none without a DfuSe bootloader.
    pub dfu: Vec<Alternate>,
    /// Its other end, if it has one.
    pub cloud: Option<CloudPort>,
    /// Its keys, if it has any.
    pub keys: Option<Keys>,
    /// What may be connected.
    pub input: InputLimits,
    /// The rails, in the order of the file.
    pub rails: Vec<Rail>,
    /// Its lights; the first is the one that shows whatever names no other.
    pub leds: Vec<Led>,
    /// Its lines besides those of lights and buttons.
    pub lines: Vec<Line>,
    /// The buttons that a station can press.
    pub buttons: Vec<Line>,
    /// The serial console.
    pub console: Console,
    /// The modes that it can be put into, if it has any.
    pub modes: Option<Modes>,
    /// The statuses that its lights can show.
    pub light: Vec<LightStatus>,
}

impl BoardProfile {
    /// The rail of that name.
    pub fn rail(&self, name: &str) -> Option<&Rail> {
        self.rails.iter().find(|rail| rail.name == name)
    }

    /// The status of that name.
    pub fn status(&self, name: &str) -> Option<&LightStatus> {
        self.light.iter().find(|status| status.name == name)
    }

    /// The light at that place.
    pub fn led(&self, index: LedIndex) -> Option<&Led> {
        self.leds.get(index.position())
    }

    /// The place of the light of that name.
    pub fn led_named(&self, name: &str) -> Option<LedIndex> {
        self.led_indices().find(|index| self.led(*index).is_some_and(|led| led.name == name))
    }

    /// The places of its lights.
    pub fn led_indices(&self) -> impl Iterator<Item = LedIndex> {
        (0..=u8::MAX).map(LedIndex).take(self.leds.len())
    }

    /// Which of the lights shows a status; a profile is refused whose status names a light that is not there.
    pub fn led_of(&self, status: &LightStatus) -> LedIndex {
        status.led.as_deref().and_then(|name| self.led_named(name)).unwrap_or(LedIndex::FIRST)
    }

    /// Whether a light can be of that colour. Of a board that names no light nothing is known.
    pub fn can_show(&self, led: LedIndex, shade: Shade) -> bool {
        self.led(led).is_none_or(|led| led.can_show(shade))
    }

    /// The shortest phase of all that a light can show: what a sensor above it has to tell apart.
    pub fn fastest_phase(&self, led: LedIndex) -> Option<Span> {
        let shown = self.light.iter().filter(|status| self.led_of(status) == led);
        shown.filter_map(|status| status.look.shortest_phase()).min()
    }

    /// The bootloader's alternate setting behind which its flash lies.
    pub fn flash_alternate(&self) -> Option<&Alternate> {
        self.alternate(self.flash.through.as_deref()?)
    }

    /// The bootloader's alternate setting behind which its keys lie: one of their own, or that of the flash that their areas are in.
    pub fn keys_alternate(&self) -> Option<&Alternate> {
        let keys = self.keys.as_ref()?;
        match &keys.through {
            Some(own) => self.alternate(own),
            None => self.flash_alternate().filter(|_| !keys.areas.is_empty()),
        }
    }

    fn alternate(&self, name: &str) -> Option<&Alternate> {
        self.dfu.iter().find(|alternate| alternate.name == name)
    }

    /// The place of a key slot inside an area.
    pub fn key_slot(&self, slot: Slot) -> Option<&KeySlot> {
        self.keys.as_ref()?.slot(slot)
    }
}

/// A part whose machine code the rig can run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum VirtualChip {
    /// nRF51822 with 256 KiB of flash and 16 KiB of RAM.
    Nrf51822,
    /// nRF52840.
    Nrf52840,
    /// STM32F205 with 1 MiB of flash.
    Stm32f205,
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
    /// It erases and programs its flash as its firmware asks it to from here, if that is not all of the range.
    pub flash_minimum: Option<Voltage>,
    /// The fastest fall that is within specification.
    pub fastest_fall: Slew,
    /// The fastest rise that is within specification.
    pub fastest_rise: Slew,
}

/// How a rail is called in messages.
pub const RAIL: Names<'_> = Names { one: "a rail", many: "rails", nowhere: "the board has no such rail" };

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

/// The serial console.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Console {
    /// Its rate; 8 data bits, no parity, 1 stop bit.
    pub baud: Baud,
    /// What its lines look like.
    pub log: LogStyle,
}

/// What the lines of a log look like.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LogStyle {
    /// Device OS 0.6.0 and later.
    DeviceOs,
    /// Device OS before 0.6.0.
    DeviceOsOld,
    /// Lines of text, and no more is known about them.
    Plain,
}

pub(crate) const LEVELS: [(&str, ActiveLevel); 2] = [("high", ActiveLevel::High), ("low", ActiveLevel::Low)];
pub(crate) const LOG_STYLES: [(&str, LogStyle); 3] =
    [("device-os", LogStyle::DeviceOs), ("device-os-old", LogStyle::DeviceOsOld), ("plain", LogStyle::Plain)];
pub(crate) const VIRTUAL_CHIPS: [(&str, VirtualChip); 3] =
    [("nRF51822", VirtualChip::Nrf51822), ("nRF52840", VirtualChip::Nrf52840), ("STM32F205", VirtualChip::Stm32f205)];

pub(crate) fn input(decoder: &mut Decoder<'_>, node: &Node) -> Option<InputLimits> {
    let fields = decoder.fields(node, "`input`", &["minimum", "maximum", "current_ceiling"])?;
    let minimum = quantity(decoder, &fields, "minimum");
    let maximum = quantity(decoder, &fields, "maximum");
    let current_ceiling = quantity(decoder, &fields, "current_ceiling");
    let limits = InputLimits { minimum: minimum?, maximum: maximum?, current_ceiling: current_ceiling? };
    let InputLimits { minimum, maximum, current_ceiling } = limits;
    let impossible = [
        (minimum > maximum, format!("an input of at least {minimum} and at most {maximum}")),
        (maximum == Voltage::new(0), format!("an input of at most {maximum}")),
        (current_ceiling == Current::new(0), format!("an input that takes at most {current_ceiling}")),
    ];
    let mut is_possible = true;
    for (_, message) in impossible.into_iter().filter(|(is_so, _)| *is_so) {
        let none = Mistake::new(MistakeKind::BeyondLimits, fields.place, message);
        decoder.report(none.help("no supply could run this board"));
        is_possible = false;
    }
    is_possible.then_some(limits)
}

fn quantity<Q: brickproof_units::Quantity>(decoder: &mut Decoder<'_>, fields: &Fields<'_>, key: &str) -> Option<Q> {
    let node = fields.required(decoder, key)?;
    decoder.quantity(node)
}

pub(crate) fn rail(decoder: &mut Decoder<'_>, name: &str, node: &Node) -> Option<Rail> {
    let known = ["nominal", "minimum", "maximum", "flash_minimum", "fastest_fall", "fastest_rise"];
    let fields = decoder.fields(node, "a rail", &known)?;
    let nominal: Option<Voltage> = quantity(decoder, &fields, "nominal");
    let minimum = quantity(decoder, &fields, "minimum");
    let maximum = quantity(decoder, &fields, "maximum");
    let flash_minimum: Option<Option<Voltage>> =
        fields.get("flash_minimum").map_or(Some(None), |node| decoder.quantity(node).map(Some));
    let fastest_fall = quantity(decoder, &fields, "fastest_fall");
    let fastest_rise = quantity(decoder, &fields, "fastest_rise");
    let (nominal, minimum, maximum) = (nominal?, minimum?, maximum?);
    if !(minimum..=maximum).contains(&nominal) {
        let message = format!("the nominal {nominal} of rail `{name}` is not between {minimum} and {maximum}");
        decoder.report(Mistake::new(MistakeKind::BeyondLimits, fields.place, message));
        return None;
    }
    let (flash_minimum, fastest_fall, fastest_rise) = (flash_minimum?, fastest_fall?, fastest_rise?);
    if let Some(wrong) = flash_minimum.filter(|it| !(minimum..=nominal).contains(it)) {
        let message = format!(
            "flash that works from {wrong} on: rail `{name}` is specified from {minimum} on, and nominally {nominal}"
        );
        decoder.report(Mistake::new(MistakeKind::BeyondLimits, fields.place, message));
        return None;
    }
    Some(Rail { name: name.to_owned(), nominal, minimum, maximum, flash_minimum, fastest_fall, fastest_rise })
}

pub(crate) fn line(decoder: &mut Decoder<'_>, name: &str, node: &Node) -> Option<Line> {
    let fields = decoder.fields(node, "a line", &["pin", "active"])?;
    let pin = fields.required(decoder, "pin").and_then(|node| decoder.text(node, "a pin").map(|pin| pin.into_owned()));
    let active = fields.required(decoder, "active").and_then(|node| decoder.choice(node, "a level", &LEVELS));
    Some(Line { name: name.to_owned(), pin: pin?, active: active? })
}

pub(crate) fn console(decoder: &mut Decoder<'_>, node: &Node) -> Option<Console> {
    let fields = decoder.fields(node, "`console`", &["baud", "log"])?;
    let baud = quantity(decoder, &fields, "baud");
    let log = fields.required(decoder, "log").and_then(|node| decoder.choice(node, "a log format", &LOG_STYLES));
    Some(Console { baud: baud?, log: log? })
}

pub(crate) fn virtual_chip(decoder: &mut Decoder<'_>, node: &Node) -> Option<VirtualChip> {
    decoder.choice(node, "a part that the rig emulates", &VIRTUAL_CHIPS)
}
