//! The validated plan of one trial: what a scenario file means for one cell of its matrix.
//!
//! Boundary: plain data without places in a file, made only by this crate; everything in it has been checked against the board
//! profile. What cannot be checked without a station (is there a probe?) is listed in [`Plan::needs`].

mod faults;
mod seen;
mod ways;

use std::collections::BTreeSet;
use std::sync::Arc;

use brickproof_boards::{BoardProfile, LedIndex};
use brickproof_units::{Charge, Current, Ratio, Span, Voltage};

pub use faults::{Cause, Edge, Fault, Trigger};
pub use seen::{Condition, Expectation, FirmwareContent, Identity, Level, Measurand, Measurement, SlotContent, Watch};
pub use ways::{ButtonEntry, Door, Entry, KeyWork, Transfer, UsbPresence, Way};

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
