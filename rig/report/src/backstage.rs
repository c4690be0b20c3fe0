//! What a world knows of a trial besides what the trial was told: flash operations, and the whole course of the rail.
//!
//! Boundary: plain data for evidence. No verdict rests on it, and where boards are real it is empty.

use brickproof_units::{Instant, Ratio, Voltage};

/// What went on behind the scenes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Backstage {
    /// The rail's voltage where it changed its course; between two of them it runs straight.
    pub rail: Vec<(Instant, Voltage)>,
    /// What the flash did for the board's processor, in its order.
    pub flash: Vec<FlashWork>,
}

/// One flash operation. What was written is not in it: it may be a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FlashWork {
    /// When it began.
    pub began: Instant,
    /// When it ended, by itself or for lack of power.
    pub ended: Instant,
    /// What it was.
    pub kind: FlashKind,
    /// How much of it was done: less than one whole if the power failed.
    pub completed: Ratio,
}

/// What a flash can be told to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FlashKind {
    /// Program the word there.
    Program {
        /// Where.
        address: u32,
    },
    /// Erase the page or sector that begins there.
    Erase {
        /// Where.
        address: u32,
    },
    /// Erase everything, or everything of the user's configuration.
    EraseAll,
}

impl FlashKind {
    /// As files call it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Program { .. } => "program",
            Self::Erase { .. } => "erase",
            Self::EraseAll => "erase_all",
        }
    }

    /// Where it is done, if that is one place.
    pub const fn address(self) -> Option<u32> {
        match self {
            Self::Program { address } | Self::Erase { address } => Some(address),
            Self::EraseAll => None,
        }
    }
}
