//! The modes that a board can be put into, and every way into each: buttons, a baud rate, a request over USB.
//!
//! Boundary: what the product's bootloader and firmware listen to, with their thresholds. Which way a station takes is the bench's decision.

use std::fmt;

use brickproof_units::{Baud, Span};
use brickproof_yaml::decode::{Decoder, Fields};
use brickproof_yaml::tree::Node;
use brickproof_yaml::{Mistake, MistakeKind, suggest};

use crate::look::{Look, WrittenLook, written};

/// How profiles, scenarios and benches call the button whose presses mean something.
pub const MODE: &str = "mode";

/// What a board can be put into.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Target {
    /// The system runs, the user's program does not.
    Safe,
    /// The bootloader takes firmware over USB.
    Dfu,
    /// It takes settings, such as a network's, from who is nearby.
    Listening,
    /// The firmware of the factory is restored.
    FactoryReset,
    /// The settings are cleared. The rig knows it in order to stay away from it.
    SettingsReset,
    /// The credentials of networks are cleared. The rig stays away from it, too.
    ClearCredentials,
}

impl Target {
    /// Those that the rig enters.
    pub const ENTERED: [Self; 4] = [Self::Safe, Self::Dfu, Self::Listening, Self::FactoryReset];

    /// Those that the rig never enters: what they clear cannot be brought back.
    pub const NEVER_ENTERED: [Self; 2] = [Self::SettingsReset, Self::ClearCredentials];

    pub(crate) const ALL: [Self; 6] =
        [Self::Safe, Self::Dfu, Self::Listening, Self::FactoryReset, Self::SettingsReset, Self::ClearCredentials];

    /// As files call it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Safe => "safe",
            Self::Dfu => "dfu",
            Self::Listening => "listening",
            Self::FactoryReset => "factory_reset",
            Self::SettingsReset => "settings_reset",
            Self::ClearCredentials => "clear_credentials",
        }
    }
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

/// When a button is held.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Held {
    /// From before the reset ends; counted from when the bootloader looks.
    ThroughReset,
    /// While the firmware runs.
    WhileRunning,
}

/// How long the MODE button has to be held for a mode.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Hold {
    /// When.
    pub held: Held,
    /// A button let go sooner means something else.
    pub from: Span,
    /// ... and later, too.
    pub to: Span,
    /// How long the rig holds it, if it does: away from both.
    pub aim: Span,
    /// What the light shows while it may be let go.
    pub light: Option<Look>,
}

/// A mode and the ways into it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mode {
    /// Which.
    pub target: Target,
    /// With the buttons.
    pub hold: Option<Hold>,
    /// By opening the USB console at this rate.
    pub baud: Option<Baud>,
    /// By this request over USB: the value of `wIndex`.
    pub request: Option<u16>,
    /// The status that the light shows in it.
    pub light: Option<String>,
    /// Whether the board answers with the bootloader's USB id in it.
    pub usb: Option<UsbState>,
    /// It is there after so long at the latest.
    pub within: Span,
}

/// Who answers on USB.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum UsbState {
    /// The firmware.
    Normal,
    /// The bootloader.
    Dfu,
}

/// What a board's modes are and how its buttons are read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Modes {
    /// How long RESET is held.
    pub reset: Span,
    /// How finely the bootloader counts how long a button is held.
    pub debounce: Span,
    /// Each once.
    pub modes: Vec<Mode>,
}

impl Modes {
    /// The mode of that name.
    pub fn mode(&self, target: Target) -> Option<&Mode> {
        self.modes.iter().find(|mode| mode.target == target)
    }

    /// The threshold that lies between a press that was asked for and what it may have been instead, from `shortest` to `longest`: the board
    /// may have taken it for something else. One step of the debouncing is lost in any case.
    pub fn crossed(&self, held: Held, asked: Span, shortest: Span, longest: Span) -> Option<(&Mode, Span)> {
        let holds = self.modes.iter().filter_map(|mode| Some((mode, mode.hold.filter(|hold| hold.held == held)?)));
        let mut thresholds = holds.flat_map(|(mode, hold)| [(mode, hold.from), (mode, hold.to)]);
        thresholds.find(
            |(_, threshold)| {
                if asked < *threshold { longest >= *threshold } else { shortest + self.debounce < *threshold }
            },
        )
    }

    /// The mode that the rig never enters, and that such a press of the button can come to. A press is counted in steps of the debouncing,
    /// so one of them may be gained; whatever is held still longer has passed through it.
    pub fn risked(&self, held: Held, hold: Span) -> Option<(&Mode, Hold)> {
        let never = self.modes.iter().filter(|mode| Target::NEVER_ENTERED.contains(&mode.target));
        let mut holds = never.filter_map(|mode| Some((mode, mode.hold?)));
        holds.find(|(_, it)| it.held == held && hold + self.debounce >= it.from)
    }
}

pub(crate) const USB_STATES: [(&str, UsbState); 2] = [("normal", UsbState::Normal), ("dfu", UsbState::Dfu)];

pub(crate) fn modes(decoder: &mut Decoder<'_>, node: &Node) -> Option<Modes> {
    let known: Vec<_> = ["reset", "debounce"].into_iter().chain(Target::ALL.map(Target::name)).collect();
    let fields = decoder.fields(node, "`modes`", &known)?;
    let reset = fields.required(decoder, "reset").and_then(|node| decoder.duration(node));
    let debounce = fields.required(decoder, "debounce").and_then(|node| decoder.duration(node));
    let wanted = Target::ALL.into_iter().filter_map(|target| Some((target, fields.get(target.name())?)));
    let read: Vec<_> = wanted.map(|(target, node)| mode(decoder, target, node, debounce)).collect();
    let modes = Modes { reset: reset?, debounce: debounce?, modes: read.into_iter().collect::<Option<_>>()? };
    apart(decoder, &modes, &fields)
}

fn mode(decoder: &mut Decoder<'_>, target: Target, node: &Node, debounce: Option<Span>) -> Option<Mode> {
    let known = ["hold_through_reset", "hold", "baud", "request", "light", "usb", "within"];
    let fields = decoder.fields(node, "a mode", &known)?;
    let held = [("hold_through_reset", Held::ThroughReset), ("hold", Held::WhileRunning)];
    let mut holds = held.into_iter().filter_map(|(key, held)| Some((held, fields.entry(key)?)));
    let first = holds.next();
    if let Some((_, second)) = holds.next() {
        let both = Mistake::new(MistakeKind::NotOneVerb, second.key_place, "a mode with two ways to hold the button");
        decoder.report(both.help("write the one that is surer"));
    }
    let hold = first.map_or(Some(None), |(held, entry)| hold(decoder, held, &entry.value, debounce).map(Some));
    let baud = optional(decoder, &fields, "baud", |decoder, node| decoder.quantity(node));
    let request = optional(decoder, &fields, "request", |decoder, node| decoder.count(node, "a request", 0..=u16::MAX));
    let light = optional(decoder, &fields, "light", |decoder, node| {
        decoder.text(node, "a status of the light").map(|text| text.into_owned())
    });
    let usb =
        optional(decoder, &fields, "usb", |decoder, node| decoder.choice(node, "who answers on USB", &USB_STATES));
    let within = fields.required(decoder, "within").and_then(|node| decoder.duration(node));
    let mode = Mode { target, hold: hold?, baud: baud?, request: request?, light: light?, usb: usb?, within: within? };
    if mode.hold.is_none() && mode.baud.is_none() && mode.request.is_none() {
        let ways = suggest::listed(["hold_through_reset", "hold", "baud", "request"]).unwrap_or_default();
        fields.missing(decoder, "a way into it", &format!("add one of {ways}"));
        return None;
    }
    Some(mode)
}

fn optional<T>(
    decoder: &mut Decoder<'_>,
    fields: &Fields<'_>,
    key: &str,
    read: impl FnOnce(&mut Decoder<'_>, &Node) -> Option<T>,
) -> Option<Option<T>> {
    fields.get(key).map_or(Some(None), |node| read(decoder, node).map(Some))
}

fn hold(decoder: &mut Decoder<'_>, held: Held, node: &Node, debounce: Option<Span>) -> Option<Hold> {
    let fields = decoder.fields(node, "a hold", &["from", "to", "aim", "light"])?;
    let mut span = |key| fields.required(decoder, key).and_then(|node| decoder.duration(node));
    let (from, to, aim) = (span("from"), span("to"), span("aim"));
    let light = optional(decoder, &fields, "light", on_the_first);
    let (from, to, aim, light) = (from?, to?, aim?, light?);
    // A press is counted in steps of the debouncing, so one of them is lost at either end.
    let margin = debounce?;
    if aim < from + margin || aim + margin > to {
        let message = format!("{aim} is too near to an end of {from} to {to}");
        let near = Mistake::new(MistakeKind::BeyondLimits, fields.place, message);
        decoder.report(near.help(format!("aim at the middle; a press is counted in steps of {margin}")));
        return None;
    }
    Some(Hold { held, from, to, aim, light })
}

/// What the first light shows while the button is held.
fn on_the_first(decoder: &mut Decoder<'_>, node: &Node) -> Option<Look> {
    let WrittenLook { led, look } = written(decoder, node)?;
    if let Some(led) = led {
        let message = "a bootloader shows what a hold means on the board's first light";
        decoder.report(Mistake::new(MistakeKind::Misplaced, led.place, message).help("leave `led` out"));
        return None;
    }
    Some(look)
}

/// No press may mean two things.
fn apart(decoder: &mut Decoder<'_>, modes: &Modes, fields: &Fields<'_>) -> Option<Modes> {
    let holds: Vec<_> = modes.modes.iter().filter_map(|mode| Some((mode.target, mode.hold?))).collect();
    for (index, (later, hold)) in holds.iter().enumerate() {
        let clash =
            holds[..index].iter().find(|(_, it)| it.held == hold.held && it.from < hold.to && hold.from < it.to);
        if let Some((earlier, _)) = clash {
            let place = fields.entry(later.name()).map_or(fields.place, |entry| entry.key_place);
            let message = format!("a press can mean `{earlier}` and `{later}`");
            decoder.report(Mistake::new(MistakeKind::BeyondLimits, place, message).help("let their holds not overlap"));
            return None;
        }
    }
    Some(modes.clone())
}
