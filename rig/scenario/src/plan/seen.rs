//! What can be seen of a board: waited for, guarded against, measured.
//!
//! Boundary: plain data of a plan.

use brickproof_boards::{LedIndex, Target};
use brickproof_units::{Current, Span, Voltage};

use super::{FirmwareName, UsbPresence};

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

impl Condition {
    pub(super) fn images(&self) -> Vec<&FirmwareName> {
        match self {
            Self::Firmware(accepts) => accepts.iter().filter_map(FirmwareContent::image).collect(),
            Self::Any(conditions) => conditions.iter().flat_map(Self::images).collect(),
            _ => Vec::new(),
        }
    }
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

impl FirmwareContent {
    /// The image, if it is one.
    pub fn image(&self) -> Option<&FirmwareName> {
        match self {
            Self::Image(image) => Some(image),
            Self::Torn => None,
        }
    }
}

/// What the flash may hold where firmware is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum FirmwareContent {
    /// Every byte of this image.
    Image(FirmwareName),
    /// None of the images that the plan knows: a mixture, or damaged.
    Torn,
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
