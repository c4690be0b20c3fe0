//! The validated plan of one trial: what a scenario file means for one cell of its matrix.
//!
//! Boundary: plain data without places in a file, made only by this crate; everything in it has been checked against the board
//! profile. What cannot be checked without a station (is there a probe?) is listed in [`Plan::needs`].

use std::collections::BTreeSet;
use std::sync::Arc;

use brickproof_units::{Baud, Charge, Current, Ratio, Slew, Span, Voltage};

use brickproof_boards::{BoardProfile, Held, LedIndex, Target};

/// One trial's plan: a scenario with every parameter filled in.
#[derive(Clone, Debug, PartialEq)]
pub struct Plan {
    /// Where the scenario came from.
    pub scenario: ScenarioId,
    /// The matrix cell: axis and value, in the order of the file. Empty without a matrix. A firmware that was asked for in place of the
    /// scenario's stands last, as `firmware`.
    pub parameters: Vec<(String, String)>,
    /// The board profile that the scenario was checked against.
    pub board: Arc<BoardProfile>,
    /// The firmware to flash before the first step.
    pub firmware: FirmwareName,
    /// What the board's flash holds at the beginning, if that is not what a factory writes.
    pub state: Option<StateName>,
    /// Words to select scenarios by.
    pub tags: Vec<String>,
    /// What a station must offer to run this plan.
    pub needs: BTreeSet<Need>,
    /// How the cloud behaves from the start.
    pub cloud: CloudSetting,
    /// What must hold from the first step to the last.
    pub throughout: Vec<Watch>,
    /// What to do and what must be seen, in order. Repetitions are unrolled.
    pub steps: Vec<Step>,
    /// What to do afterwards whatever happened.
    pub cleanup: Vec<Step>,
    /// What must come out.
    pub outcome: Expected,
    /// How the cells of a virtual board's flash take the fault; `None`: as they usually do.
    pub cells: Option<CellModel>,
}

impl Plan {
    /// Whether firmware and keys that are on the board stay as they are.
    pub fn leaves_the_board_alone(&self) -> bool {
        self.firmware.is_as_found() && self.state.is_none()
    }

    /// The same plan with another firmware, of which it is asked whether it survives: every step must hold.
    #[must_use]
    pub(crate) fn with_firmware(self, firmware: FirmwareName) -> Self {
        Self { firmware, outcome: Expected::Passed, ..self }
    }

    /// Every firmware that the plan writes or names, each once; first the one that it begins with.
    pub fn images(&self) -> Vec<&FirmwareName> {
        let mut images = vec![&self.firmware];
        let named = self.steps.iter().flat_map(|step| step.action.images());
        for image in named {
            if !images.contains(&image) {
                images.push(image);
            }
        }
        images
    }
}

/// Which scenario, exactly.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ScenarioId {
    /// Its path as the user gave it, with `/` between the parts.
    pub path: String,
    /// The sentence at its top.
    pub title: String,
    /// SHA-256 of the file's bytes, lower-case hex.
    pub sha256: String,
}

/// The name of a shipped image (`lantern-heal-full`) or a path to one.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct FirmwareName(pub String);

impl FirmwareName {
    /// What stands for the firmware that a state has, or for the one that is on the board.
    pub const AS_FOUND: &str = "as_found";

    /// Whether the firmware is that of the state, or the one that is on the board.
    pub fn is_as_found(&self) -> bool {
        self.0 == Self::AS_FOUND
    }
}

/// The path to the folder with the state of a board that was read out, `/` between the parts; relative ones count from where the rig was called.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct StateName(pub String);

/// Something a station has or has not.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Need {
    /// A supply that can be switched.
    Supply,
    /// A supply that can play a battery.
    Battery,
    /// A supply that can force a shape on a rail.
    BrownOut,
    /// A supply that can add load.
    LoadStep,
    /// A reading of the supply's voltage or current.
    SupplyReading,
    /// RESET or a button.
    Lines,
    /// The serial console.
    Console,
    /// A colour sensor above this light.
    Light(LedIndex),
    /// Read and write access to flash.
    Probe,
    /// The board's USB, to be seen coming and going.
    Usb,
    /// One of the ways into a mode.
    Entry,
    /// A bootloader through which the board's memory is read and written.
    Dfu,
    /// A cloud peer that can be told how to behave.
    Cloud,
    /// Flash whose cells follow a model that is chosen: a virtual board.
    CellModel,
}

/// How the cells of a virtual board's flash take an operation that is cut short.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum CellModel {
    /// It did nothing.
    Ideal,
    /// Each bit has changed with the probability of the elapsed share.
    Fractional,
    /// They carry charge, and read differently from time to time near the threshold.
    Marginal,
}

impl CellModel {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Ideal, Self::Fractional, Self::Marginal];

    /// As campaigns and `--set` call it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Ideal => "ideal",
            Self::Fractional => "fractional",
            Self::Marginal => "marginal",
        }
    }

    /// The one with that name.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|model| model.name() == name)
    }
}

/// One step and where it stands.
#[derive(Clone, Debug, PartialEq)]
pub struct Step {
    /// Counted from 1, after unrolling.
    pub index: usize,
    /// The line of the scenario file, counted from 1.
    pub line: usize,
    /// The step as a sentence, for people: `expect the light to be cloud_connected within 30s, for 8s`.
    pub text: String,
    /// What it does.
    pub action: StepAction,
}

/// What a step does.
#[derive(Clone, Debug, PartialEq)]
pub enum StepAction {
    /// Connects or disconnects the supply.
    Supply(SupplySetting),
    /// Writes a line to the console; the line end is added.
    Send(String),
    /// Pulls RESET low for so long.
    Reset {
        /// How long.
        hold: Span,
    },
    /// Holds a button of the board for so long.
    Press {
        /// Its name in the board profile.
        button: String,
        /// How long.
        hold: Span,
    },
    /// Holds a button from before RESET is pulled until so long after it was let go.
    PressThroughReset {
        /// Its name in the board profile.
        button: String,
        /// How long RESET is pulled.
        reset: Span,
        /// How long the button is held after that.
        hold: Span,
    },
    /// Brings the board into a mode, in a way that the board and the station have.
    Enter(Entry),
    /// Tells the cloud how to behave from now on.
    Cloud(CloudSetting),
    /// Damages a key slot.
    Corrupt {
        /// The slot.
        slot: brickproof_keys::Slot,
        /// In what way.
        class: brickproof_keys::Corruption,
        /// To which part of the key it is kept; `None`: wherever it falls.
        part: Option<brickproof_keys::Part>,
        /// Through what.
        through: Door,
    },
    /// Reads or writes all of the board's key slots.
    Keys {
        /// What is done.
        work: KeyWork,
        /// Through what.
        through: Door,
    },
    /// Writes another firmware over the one that is there. The keys stay as they are.
    Flash(Transfer),
    /// Lets time pass.
    Wait(Span),
    /// Waits until something is seen.
    Expect(Expectation),
    /// Makes sure that something is not seen for so long.
    Never {
        /// What must not be seen.
        condition: Condition,
        /// For how long.
        during: Span,
    },
    /// Does something to the board on purpose, at a trigger.
    Fault {
        /// When.
        trigger: Trigger,
        /// What.
        fault: Fault,
    },
    /// Records a value.
    Measure(Measurement),
}

/// Through what a board's memory is reached.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Door {
    /// A probe, by addresses.
    Probe,
    /// The board's own bootloader, by the alternate setting that its profile names. The board must be in it.
    Dfu,
}

impl Door {
    /// All of them.
    pub const ALL: [Self; 2] = [Self::Probe, Self::Dfu];

    /// As scenarios call it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Probe => "probe",
            Self::Dfu => "dfu",
        }
    }

    /// Whether the keys of a board can be found through it.
    pub fn leads_to_keys(self, board: &BoardProfile) -> bool {
        match self {
            Self::Probe => board.keys.as_ref().is_some_and(|keys| !keys.areas.is_empty()),
            Self::Dfu => board.keys_alternate().is_some(),
        }
    }

    /// Whether the firmware of a board can be written through it.
    pub fn leads_to_firmware(self, board: &BoardProfile) -> bool {
        match self {
            Self::Probe => true,
            Self::Dfu => board.flash_alternate().is_some(),
        }
    }

    /// The one through which keys are reached where nothing is said: the probe, if it can find them. A board without keys has nothing behind it
    /// either way.
    pub fn usual(board: &BoardProfile) -> Self {
        if !Self::Probe.leads_to_keys(board) && Self::Dfu.leads_to_keys(board) { Self::Dfu } else { Self::Probe }
    }
}

/// What is done with a board's keys. Whatever is written is read back and compared.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum KeyWork {
    /// Keeps what the slots hold under a name, until the trial ends.
    Save(String),
    /// Writes back what was saved under that name.
    Load(String),
    /// Makes sure that the slots hold what was saved under that name.
    Verify(String),
    /// Gives the board a new device key, and has the cloud accept it in place of the old one.
    NewIdentity,
    /// Writes the genuine server key and the server's address.
    GenuineServer,
}

/// Every way of a board into a mode.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// The mode.
    pub mode: Target,
    /// By this way and no other; `None`: by the first that the station has.
    pub by: Option<Way>,
    /// With the buttons.
    pub buttons: Option<ButtonEntry>,
    /// By opening the board's own serial port at this rate.
    pub baud: Option<Baud>,
    /// By a request over USB: its `wIndex`.
    pub request: Option<u16>,
    /// How long a board that is not on USB is waited for, so that it can be asked.
    pub within: Span,
}

/// A button and how long it is held.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ButtonEntry {
    /// Its name in the board profile.
    pub button: String,
    /// When.
    pub held: Held,
    /// How long RESET is pulled, if it is held through a reset.
    pub reset: Span,
    /// How long it is held; through a reset, from when RESET was let go.
    pub hold: Span,
}

impl ButtonEntry {
    /// How long it is held after a reset, if it is held through one.
    pub fn after_reset(&self) -> Option<Span> {
        (self.held == Held::ThroughReset).then_some(self.hold)
    }
}

/// A way into a mode.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Way {
    /// RESET and MODE.
    Buttons,
    /// A baud rate.
    Baud,
    /// A request over USB.
    Request,
}

impl Way {
    /// All of them, the one that needs least of a board first: a crash-looping board serves no USB.
    pub const ALL: [Self; 3] = [Self::Buttons, Self::Baud, Self::Request];

    /// As scenarios and the command line call it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Buttons => "buttons",
            Self::Baud => "baud",
            Self::Request => "request",
        }
    }
}

impl Entry {
    /// The ways that the board has and the scenario leaves open, the one to be preferred first.
    pub fn ways(&self) -> impl Iterator<Item = Way> + '_ {
        let has = |way: &Way| match way {
            Way::Buttons => self.buttons.is_some(),
            Way::Baud => self.baud.is_some(),
            Way::Request => self.request.is_some(),
        };
        Way::ALL.into_iter().filter(has).filter(|way| self.by.is_none_or(|by| by == *way))
    }
}

/// What a board is on USB.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum UsbPresence {
    /// Its firmware answers, with its id.
    Normal,
    /// Its bootloader does.
    Dfu,
    /// It is not there.
    Gone,
}

impl UsbPresence {
    /// As scenarios call it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Normal => "normal",
            Self::Dfu => "dfu",
            Self::Gone => "gone",
        }
    }
}

/// Firmware on its way to the board.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Transfer {
    /// Which.
    pub image: FirmwareName,
    /// Through what.
    pub through: Door,
}

impl StepAction {
    /// The firmware that it writes.
    pub fn transfer(&self) -> Option<&Transfer> {
        match self {
            Self::Flash(transfer)
            | Self::Fault { trigger: Trigger { cause: Some(Cause::Transferred { transfer, .. }), .. }, .. } => {
                Some(transfer)
            }
            _ => None,
        }
    }

    /// What it waits for or guards against.
    pub fn condition(&self) -> Option<&Condition> {
        match self {
            Self::Expect(expectation) => Some(&expectation.condition),
            Self::Never { condition, .. }
            | Self::Measure(Measurement { what: Measurand::TimeUntil { condition, .. }, .. })
            | Self::Fault { trigger: Trigger { cause: Some(Cause::Seen(condition)), .. }, .. } => Some(condition),
            _ => None,
        }
    }

    fn images(&self) -> Vec<&FirmwareName> {
        let named = self.condition().map(Condition::images).unwrap_or_default();
        self.transfer().map(|transfer| &transfer.image).into_iter().chain(named).collect()
    }
}

impl Condition {
    fn images(&self) -> Vec<&FirmwareName> {
        match self {
            Self::Firmware(accepts) => accepts.iter().filter_map(FirmwareContent::image).collect(),
            Self::Any(conditions) => conditions.iter().flat_map(Self::images).collect(),
            _ => Vec::new(),
        }
    }
}

impl FirmwareContent {
    /// The image, if it is one.
    pub fn image(&self) -> Option<&FirmwareName> {
        match self {
            Self::Image(image) => Some(image),
            Self::Torn => None,
        }
    }
}

/// The source that feeds the board.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SupplySetting {
    /// Nothing; the rail decays by itself.
    Off,
    /// A USB port.
    Usb {
        /// Its voltage.
        voltage: Voltage,
    },
    /// A bench supply.
    Bench {
        /// Its voltage.
        voltage: Voltage,
        /// Where it limits the current.
        current_limit: Current,
    },
    /// A lithium cell.
    Battery {
        /// Its capacity when full.
        cell: Charge,
        /// How full it is.
        charge: Ratio,
        /// Old cells have several times the internal resistance.
        condition: CellCondition,
    },
}

/// What has become of a cell.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CellCondition {
    /// As bought.
    Fresh,
    /// Hundreds of cycles old, or cold.
    Aged,
}

/// How the cloud behaves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CloudSetting {
    /// What it answers.
    pub behaviour: CloudBehaviour,
    /// How long it takes to answer.
    pub latency: Span,
}

impl CloudSetting {
    /// How long the rig's own cloud takes to answer when the scenario does not say: a usual round trip over a mobile network.
    pub const USUAL_LATENCY: Span = Span::millis(50);
}

/// What the cloud answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CloudBehaviour {
    /// The real one.
    Genuine,
    /// Nothing, as behind a firewall that drops packets.
    Silent,
    /// Proves itself with another server key.
    Wrong,
    /// Refuses the connection.
    Unreachable,
}

/// Something that must come within a time, and perhaps stay.
#[derive(Clone, Debug, PartialEq)]
pub struct Expectation {
    /// What.
    pub condition: Condition,
    /// How long to wait for it.
    pub within: Span,
    /// How long it has to stay once it is there.
    pub holds: Option<Span>,
}

/// Something that can be seen.
#[derive(Clone, Debug, PartialEq)]
pub enum Condition {
    /// A light shows a status of the board's vocabulary, or a pattern written inline.
    Light {
        /// Which of the board's lights.
        led: LedIndex,
        /// What the scenario calls it: `cloud_connected`, `red, blinking 2Hz`.
        name: String,
        /// What it looks like.
        pattern: brickproof_light::Pattern,
    },
    /// The console prints something, from the start of the step on.
    Console(brickproof_console::Pattern),
    /// The identity with which the board last connected.
    Identity(Vec<Identity>),
    /// The content of a key slot, read through the probe.
    Slot {
        /// The slot.
        slot: brickproof_keys::Slot,
        /// Any of these will do.
        accepts: Vec<SlotContent>,
    },
    /// Which firmware the flash holds, read through the probe; any of these will do.
    Firmware(Vec<FirmwareContent>),
    /// A rail's voltage.
    Rail {
        /// Its name in the board profile.
        rail: String,
        /// Which side of which voltage.
        is: Level<Voltage>,
    },
    /// The current drawn from the source.
    Current(Level<Current>),
    /// What the board is on USB.
    Usb(UsbPresence),
    /// Everything that the station can see of a mode says that the board is in it.
    Mode {
        /// Which.
        mode: Target,
        /// The light, its status, and what that looks like.
        light: Option<(LedIndex, String, brickproof_light::Pattern)>,
        /// What the board is on USB. Its normal id confirms no mode by itself: it has it without.
        usb: Option<UsbPresence>,
    },
    /// Any of these.
    Any(Vec<Condition>),
}

/// A side of a threshold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Level<Q> {
    /// Strictly above it.
    Above(Q),
    /// Strictly below it.
    Below(Q),
}

/// Which identity a board connected with.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Identity {
    /// The one it was provisioned with.
    Unchanged,
    /// The one that the cloud issued during the trial.
    Rotated,
    /// The one that the rig made during the trial, by order of the scenario.
    Renewed,
}

/// What a key slot may hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum SlotContent {
    /// What was provisioned.
    Old,
    /// What the cloud issued during the trial, or the rig made in it.
    New,
    /// Nothing: all ones.
    Blank,
    /// None of these, and exactly what it held at the beginning, which was a state that was read out of a board.
    AsFound,
    /// None of these: damaged.
    Torn,
}

/// What the flash may hold where firmware is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum FirmwareContent {
    /// Every byte of this image.
    Image(FirmwareName),
    /// None of the images that the plan knows: a mixture, or damaged.
    Torn,
}

/// When a fault strikes: a cause, and a delay after it.
#[derive(Clone, Debug, PartialEq)]
pub struct Trigger {
    /// What to wait for. `None`: the start of the step.
    pub cause: Option<Cause>,
    /// How long to wait for it.
    pub within: Span,
    /// How long after it.
    pub after: Span,
    /// How far from that instant the fault may have struck and still be the one that was asked for. `None`: however far.
    pub tolerance: Option<Span>,
}

/// What sets off a trigger.
#[derive(Clone, Debug, PartialEq)]
pub enum Cause {
    /// Something becomes visible.
    Seen(Condition),
    /// A line of the board changes its level.
    Edge {
        /// Its name in the board profile.
        line: String,
        /// In which direction.
        edge: Edge,
    },
    /// So much of a firmware has been written to the board. The transfer begins with the step.
    Transferred {
        /// What is written.
        transfer: Transfer,
        /// How much of it.
        at: Ratio,
    },
}

/// The direction of a change.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Edge {
    /// Low to high.
    Rising,
    /// High to low.
    Falling,
}

/// What the rig does to the board on purpose.
#[derive(Clone, Debug, PartialEq)]
pub enum Fault {
    /// Forces a rail down along a shape and back.
    BrownOut {
        /// The rail's name in the board profile.
        rail: String,
        /// How low.
        floor: Voltage,
        /// How fast down.
        fall: Slew,
        /// How long at the floor.
        hold: Span,
        /// How fast up.
        rise: Slew,
    },
    /// Disconnects the source; the rail decays by the board's own load. Without an end, until the next `supply` step.
    PowerCut {
        /// For how long.
        hold: Option<Span>,
    },
    /// Draws more current from the source, as a modem burst does.
    LoadStep {
        /// How much more.
        current: Current,
        /// For how long.
        hold: Span,
        /// How far the rail must fall for this to be the fault that was meant.
        reaches: Option<Voltage>,
    },
}

/// A value to record, with its limits.
#[derive(Clone, Debug, PartialEq)]
pub struct Measurement {
    /// Its name in the results.
    pub name: String,
    /// What is measured.
    pub what: Measurand,
}

/// What can be measured.
#[derive(Clone, Debug, PartialEq)]
pub enum Measurand {
    /// How long it takes until something is seen, from the start of the step.
    TimeUntil {
        /// What.
        condition: Condition,
        /// How long to wait for it.
        within: Span,
        /// Shorter is a failure.
        at_least: Option<Span>,
        /// Longer is a failure.
        at_most: Option<Span>,
    },
    /// The lowest voltage of a rail over a time.
    LowestVoltage {
        /// Its name in the board profile.
        rail: String,
        /// Over which time.
        during: Span,
        /// Lower is a failure.
        at_least: Option<Voltage>,
    },
}

/// A condition of the whole trial.
#[derive(Clone, Debug, PartialEq)]
pub struct Watch {
    /// The line of the scenario file, counted from 1.
    pub line: usize,
    /// The watch as a sentence.
    pub text: String,
    /// What must never be seen.
    pub never: Condition,
}

/// What a cell of the matrix must come to.
#[derive(Clone, Debug, PartialEq)]
pub enum Expected {
    /// Every step holds.
    Passed,
    /// After the fault or the damage an expectation is missed by the firmware's fault. A brick that does not come is a failure.
    Bricked {
        /// What must have been seen after the fault, to be sure that it is the brick that is meant.
        showing: Vec<Condition>,
    },
}
