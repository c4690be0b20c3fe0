//! How a board is reached: through what its memory is written, and by which ways it comes into a mode.
//!
//! Boundary: plain data of a plan.

use brickproof_boards::{BoardProfile, Held, Target};
use brickproof_units::{Baud, Span};

use super::FirmwareName;

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
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Normal, Self::Dfu, Self::Gone];

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
