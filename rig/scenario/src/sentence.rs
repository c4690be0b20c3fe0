//! Plans in plain words.
//!
//! Boundary: text for people, made from the plan alone; nothing parses it.

use std::fmt::{self, Display};

use brickproof_boards::{BoardProfile, LedIndex};
use brickproof_yaml::printable;

use brickproof_boards::Held;

use crate::plan::{
    ButtonEntry, Cause, CellCondition, CloudBehaviour, CloudSetting, Condition, Door, Edge, Entry, Fault,
    FirmwareContent, Identity, KeyWork, Level, Measurand, Need, SlotContent, StepAction, SupplySetting, Transfer,
    Trigger, UsbPresence, Way,
};

/// A step as a sentence.
pub(crate) fn action(action: &StepAction) -> String {
    printable(&do_it(action))
}

fn do_it(action: &StepAction) -> String {
    match action {
        StepAction::Supply(setting) => supply(setting),
        StepAction::Send(line) => format!("send `{line}` to the console"),
        StepAction::Reset { hold } => format!("hold RESET for {hold}"),
        StepAction::Press { button, hold } => format!("hold the {button} button for {hold}"),
        StepAction::PressThroughReset { button, hold, .. } => {
            format!("hold the {button} button through a reset, and for {hold} after it")
        }
        StepAction::Enter(entry) => enter(entry),
        StepAction::Cloud(setting) => cloud(setting),
        StepAction::Corrupt { slot, class, part, through } => {
            let part = part.map(|part| format!(" in its {part} part")).unwrap_or_default();
            format!("corrupt the {} slot: {}{part}{}", slot.name(), class.name(), way(*through))
        }
        StepAction::Keys { work, through } => format!("{work}{}", way(*through)),
        StepAction::Flash(Transfer { image, through }) => format!("flash {} through {}", image.0, door(*through)),
        StepAction::Wait(span) => format!("wait {span}"),
        StepAction::Expect(expectation) => {
            let deadline =
                if expectation.within.get() == 0 { String::new() } else { format!(" within {}", expectation.within) };
            let holds = expectation.holds.map(|span| format!(", for {span}")).unwrap_or_default();
            format!("expect {}{deadline}{holds}", wanted(&expectation.condition))
        }
        StepAction::Never { condition, during } => format!("for {during}, never {}", sight(condition)),
        StepAction::Fault { trigger, fault } => format!("{}, {}", when(trigger), self::fault(fault)),
        StepAction::Measure(measurement) => format!("measure `{}`: {}", measurement.name, measurand(&measurement.what)),
    }
}

fn door(through: Door) -> &'static str {
    match through {
        Door::Probe => "the probe",
        Door::Dfu => "DFU",
    }
}

/// Said of DFU alone: a probe reaches a board as it is, its bootloader only once it is in it.
fn way(through: Door) -> &'static str {
    match through {
        Door::Probe => "",
        Door::Dfu => ", through DFU",
    }
}

impl Display for KeyWork {
    /// As something to do: `save the keys as before`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let words = match self {
            Self::Save(name) => format!("save the keys as `{name}`"),
            Self::Load(name) => format!("write back the keys saved as `{name}`"),
            Self::Verify(name) => format!("make sure that the keys are those saved as `{name}`"),
            Self::NewIdentity => {
                "give the board a new identity, and have the cloud accept it in place of the old one".to_owned()
            }
            Self::GenuineServer => "write the genuine server key and its address".to_owned(),
        };
        f.write_str(&printable(&words))
    }
}

fn supply(setting: &SupplySetting) -> String {
    match setting {
        SupplySetting::Off => "switch the supply off".to_owned(),
        SupplySetting::Usb { voltage } => format!("supply {voltage} over USB"),
        SupplySetting::Bench { voltage, current_limit } => {
            format!("supply {voltage} from the bench supply, limited to {current_limit}")
        }
        SupplySetting::Battery { cell, charge, condition } => {
            let age = match condition {
                CellCondition::Fresh => "a fresh",
                CellCondition::Aged => "an aged",
            };
            format!("supply from {age} {cell} cell, {charge} full")
        }
    }
}

fn enter(entry: &Entry) -> String {
    let way = |way| match way {
        Way::Buttons => entry.buttons.as_ref().map(|ButtonEntry { button, held, hold, .. }| match held {
            Held::ThroughReset => format!("hold the {button} button through a reset, and for {hold} after it"),
            Held::WhileRunning => format!("hold the {button} button for {hold}"),
        }),
        Way::Baud => entry.baud.map(|baud| format!("open its serial port on USB at {baud}")),
        Way::Request => entry.request.map(|request| format!("request {request} over USB")),
    };
    let ways: Vec<String> = entry.ways().filter_map(way).collect();
    format!("enter {}: {}", entry.mode, ways.join(", or "))
}

/// What confirms a mode, in words.
fn signs(light: Option<&(LedIndex, String, brickproof_light::Pattern)>, usb: Option<UsbPresence>) -> String {
    let light = light.map(|(_, name, _)| format!("the light {name}"));
    let usb = usb.map(|usb| format!("{} on USB", usb.name()));
    light.into_iter().chain(usb).collect::<Vec<_>>().join(" and ")
}

/// How the cloud behaves, as a sentence.
pub(crate) fn cloud(setting: &CloudSetting) -> String {
    let latency = setting.latency;
    match setting.behaviour {
        CloudBehaviour::Genuine => format!("the cloud answers genuinely after {latency}"),
        CloudBehaviour::Silent => "the cloud is silent, as behind a firewall".to_owned(),
        CloudBehaviour::Wrong => format!("the cloud proves itself with the wrong server key after {latency}"),
        CloudBehaviour::Unreachable => "the cloud refuses every connection".to_owned(),
    }
}

/// A condition as something that should be: `the light to be cyan, breathing`.
fn wanted(condition: &Condition) -> String {
    match condition {
        Condition::Light { name, .. } => format!("the light to be {name}"),
        Condition::Console(pattern) => format!("the console to print `{}`", pattern.source()),
        Condition::Identity(accepts) => format!("the identity to be {}", either(accepts, identity)),
        Condition::Slot { slot, accepts } => format!("the {} slot to be {}", slot.name(), either(accepts, content)),
        Condition::Firmware(accepts) => format!("the firmware in flash to be {}", firmware(accepts)),
        Condition::Rail { rail, is } => format!("rail {rail} to be {}", level(is)),
        Condition::Current(is) => format!("the current to be {}", level(is)),
        Condition::Usb(usb) => format!("the board to be {} on USB", usb.name()),
        Condition::Mode { mode, light, usb } => format!("mode {mode} ({})", signs(light.as_ref(), *usb)),
        Condition::Any(conditions) => conditions.iter().map(wanted).collect::<Vec<_>>().join(" or "),
    }
}

/// A condition as something that is seen: `see the light cyan, breathing`.
pub(crate) fn seen(condition: &Condition) -> String {
    printable(&sight(condition))
}

fn sight(condition: &Condition) -> String {
    match condition {
        Condition::Light { name, .. } => format!("see the light {name}"),
        Condition::Console(pattern) => format!("read `{}` on the console", pattern.source()),
        Condition::Identity(accepts) => format!("see the identity {}", either(accepts, identity)),
        Condition::Slot { slot, accepts } => format!("find the {} slot {}", slot.name(), either(accepts, content)),
        Condition::Firmware(accepts) => format!("find the firmware in flash to be {}", firmware(accepts)),
        Condition::Rail { rail, is } => format!("see rail {rail} {}", level(is)),
        Condition::Current(is) => format!("see the current {}", level(is)),
        Condition::Usb(usb) => format!("see the board {} on USB", usb.name()),
        Condition::Mode { mode, light, usb } => format!("see mode {mode} ({})", signs(light.as_ref(), *usb)),
        Condition::Any(conditions) => conditions.iter().map(sight).collect::<Vec<_>>().join(" or "),
    }
}

/// A condition as a cause: `once the console prints ...`.
fn happens(condition: &Condition) -> String {
    match condition {
        Condition::Light { name, .. } => format!("the light is {name}"),
        Condition::Console(pattern) => format!("the console prints `{}`", pattern.source()),
        Condition::Identity(accepts) => format!("the identity is {}", either(accepts, identity)),
        Condition::Slot { slot, accepts } => format!("the {} slot is {}", slot.name(), either(accepts, content)),
        Condition::Firmware(accepts) => format!("the firmware in flash is {}", firmware(accepts)),
        Condition::Rail { rail, is } => format!("rail {rail} is {}", level(is)),
        Condition::Current(is) => format!("the current is {}", level(is)),
        Condition::Usb(usb) => format!("the board is {} on USB", usb.name()),
        Condition::Mode { mode, light, usb } => {
            format!("the board is in mode {mode} ({})", signs(light.as_ref(), *usb))
        }
        Condition::Any(conditions) => conditions.iter().map(happens).collect::<Vec<_>>().join(" or "),
    }
}

fn either<T: Copy>(accepts: &[T], word: fn(T) -> &'static str) -> String {
    accepts.iter().copied().map(word).collect::<Vec<_>>().join(" or ")
}

fn identity(identity: Identity) -> &'static str {
    match identity {
        Identity::Unchanged => "unchanged",
        Identity::Rotated => "rotated",
        Identity::Renewed => "renewed",
    }
}

fn firmware(accepts: &[FirmwareContent]) -> String {
    accepts.iter().map(FirmwareContent::to_string).collect::<Vec<_>>().join(" or ")
}

fn content(content: SlotContent) -> &'static str {
    match content {
        SlotContent::Old => "old",
        SlotContent::New => "new",
        SlotContent::Blank => "blank",
        SlotContent::AsFound => "as found",
        SlotContent::Torn => "torn",
    }
}

fn level<Q: Display>(level: &Level<Q>) -> String {
    match level {
        Level::Above(threshold) => format!("above {threshold}"),
        Level::Below(threshold) => format!("below {threshold}"),
    }
}

fn when(trigger: &Trigger) -> String {
    let after = match trigger.tolerance {
        None if trigger.after.get() == 0 => String::new(),
        None => format!("{} after ", trigger.after),
        Some(tolerance) => format!("{} (give or take {tolerance}) after ", trigger.after),
    };
    match &trigger.cause {
        None if after.is_empty() => "at once".to_owned(),
        None => format!("{after}this step begins"),
        Some(cause @ Cause::Transferred { .. }) => {
            let start = if after.is_empty() { "as soon as " } else { &after };
            format!("{start}{cause}")
        }
        Some(cause) => {
            let start = if after.is_empty() { "as soon as " } else { &after };
            format!("{start}{cause} (within {})", trigger.within)
        }
    }
}

fn cause(cause: &Cause) -> String {
    match cause {
        Cause::Seen(condition) => happens(condition),
        Cause::Edge { line, edge: Edge::Rising } => format!("line {line} rises"),
        Cause::Edge { line, edge: Edge::Falling } => format!("line {line} falls"),
        Cause::Transferred { transfer: Transfer { image, through }, at } => {
            format!("{at} of {} is written through {}", image.0, door(*through))
        }
    }
}

fn fault(fault: &Fault) -> String {
    match fault {
        Fault::BrownOut { rail, floor, fall, hold, rise } => {
            format!("brown out rail {rail}: down to {floor} at {fall}, there for {hold}, back up at {rise}")
        }
        Fault::PowerCut { hold: Some(hold) } => format!("cut the power for {hold}"),
        Fault::PowerCut { hold: None } => "cut the power until the next supply step".to_owned(),
        Fault::LoadStep { current, hold, reaches } => {
            let depth = reaches.map(|level| format!(", which must pull the rail down to {level}")).unwrap_or_default();
            format!("draw {current} more for {hold}{depth}")
        }
    }
}

fn measurand(what: &Measurand) -> String {
    match what {
        Measurand::TimeUntil { condition, within, at_least, at_most } => {
            let limits = limits(*at_least, *at_most);
            format!("the time until {}, waiting at most {within}{limits}", happens(condition))
        }
        Measurand::LowestVoltage { rail, during, at_least } => {
            let limits = limits(*at_least, None);
            format!("the lowest voltage of rail {rail} during {during}{limits}")
        }
    }
}

fn limits<Q: Display>(at_least: Option<Q>, at_most: Option<Q>) -> String {
    let least = at_least.map(|limit| format!("; at least {limit}")).unwrap_or_default();
    let most = at_most.map(|limit| format!("; at most {limit}")).unwrap_or_default();
    least + &most
}

/// What a station has to offer, in words.
pub(crate) fn need(need: Need, board: &BoardProfile) -> String {
    let words = match need {
        Need::Supply => "a supply that can be switched",
        Need::Battery => "a supply that can play a battery",
        Need::BrownOut => "a supply that can force a shape on a rail",
        Need::LoadStep => "a supply that can add load",
        Need::SupplyReading => "a reading of the supply's voltage and current",
        Need::Lines => "the RESET line, the buttons or a watched line",
        Need::Console => "the serial console",
        Need::Light(led) => return format!("a colour sensor on {}", light(led, board)),
        Need::Probe => "a probe that reads and writes flash",
        Need::Dfu => "DFU, and the board in its bootloader when something is read or written through it",
        Need::Usb => "the board's USB, to be seen coming and going",
        Need::Entry => "a way into a mode: RESET and MODE, the board's own serial port, or its USB",
        Need::Cloud => "a cloud peer that can be told how to behave",
        Need::CellModel => "a virtual board, the cells of whose flash follow a model",
    };
    words.to_owned()
}

/// The light as people call it: most boards have one.
fn light(led: LedIndex, board: &BoardProfile) -> String {
    match board.led(led).filter(|_| led != LedIndex::FIRST) {
        None => "the light".to_owned(),
        Some(led) => format!("the light `{}`", led.name),
    }
}

impl Display for Condition {
    /// As something that is the case: `the light is cloud_connected`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&printable(&happens(self)))
    }
}

impl Display for Cause {
    /// As something that is the case: `the console prints ...`, `line mode falls`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&printable(&cause(self)))
    }
}

impl Display for FirmwareContent {
    /// The image's name, or `torn`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&printable(self.image().map_or("torn", |image| &image.0)))
    }
}

impl Display for SupplySetting {
    /// As something to do: `supply 5V over USB`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&supply(self))
    }
}

impl Display for CloudSetting {
    /// As a sentence: `the cloud answers genuinely after 40ms`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&cloud(self))
    }
}
