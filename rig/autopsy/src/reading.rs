//! What is read of a board, in which order, and what came of it.
//!
//! Boundary: addresses and bytes. That they are read and nothing else is done is the reader's.

use std::collections::BTreeMap;

use brickproof_boards::BoardProfile;

use crate::family::Family;

/// One thing to read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Wanted {
    /// What it is.
    pub what: What,
    /// Where it begins.
    pub address: u32,
    /// How many bytes it has.
    pub length: u32,
}

/// What something that is read is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum What {
    /// A register of one word.
    Register,
    /// The unique id.
    Identity,
    /// All of the flash.
    Flash,
    /// The user configuration registers.
    User,
    /// All of the flash once more: a board that runs may write to it meanwhile.
    FlashAgain,
}

/// What is read of such a board, in this order: registers that reading could change first, and of them the reason of the last reset.
pub fn wanted(board: &BoardProfile) -> Vec<Wanted> {
    let family = Family::of(board);
    let mut wanted: Vec<Wanted> = Vec::new();
    for register in family.iter().flat_map(|family| family.registers) {
        let word = Wanted { what: What::Register, address: register.address, length: 4 };
        if !wanted.contains(&word) {
            wanted.push(word);
        }
    }
    let (id, flash) = (board.identity, (board.flash.at.0, board.flash.size().0));
    let user =
        family.and_then(|family| family.user).map(|(address, length)| Wanted { what: What::User, address, length });
    wanted.push(Wanted { what: What::Identity, address: id.address.0, length: id.length.0 });
    wanted.push(Wanted { what: What::Flash, address: flash.0, length: flash.1 });
    wanted.extend(user);
    wanted.push(Wanted { what: What::FlashAgain, address: flash.0, length: flash.1 });
    wanted
}

/// What was read.
#[derive(Clone, PartialEq, Eq)]
pub struct Reading {
    /// How it was come by, as a sentence's end: `read out of desk/left through its probe`.
    pub how: String,
    /// All of the flash; empty if it was not read.
    pub flash: Vec<u8>,
    /// The user configuration registers from their first address on; empty if they were not read.
    pub user: Vec<u8>,
    /// Registers by their address; none of a dump.
    pub registers: BTreeMap<u32, u32>,
    /// The unique id.
    pub identity: Option<Vec<u8>>,
    /// What stands behind the bootloader's alternate setting with the keys, from its first byte on, if that was read.
    pub behind: Option<Vec<u8>>,
    /// The first address at which the flash was another one when it was read again.
    pub moved: Option<u32>,
}

impl Reading {
    /// A dump that was made elsewhere.
    pub fn of_dump(how: String, flash: Vec<u8>, user: Vec<u8>) -> Self {
        Self { how, flash, user, registers: BTreeMap::new(), identity: None, behind: None, moved: None }
    }

    /// What came of reading all that is [`wanted`], in that order.
    pub fn of(how: String, wanted: &[Wanted], bytes: Vec<Vec<u8>>) -> Self {
        let mut reading = Self::of_dump(how, Vec::new(), Vec::new());
        for (wanted, bytes) in wanted.iter().zip(bytes) {
            match wanted.what {
                What::Register => {
                    if let Ok(word) = <[u8; 4]>::try_from(bytes) {
                        reading.registers.insert(wanted.address, u32::from_le_bytes(word));
                    }
                }
                What::Identity => reading.identity = Some(bytes),
                What::Flash => reading.flash = bytes,
                What::User => reading.user = bytes,
                What::FlashAgain => {
                    let differs = reading.flash.iter().zip(&bytes).position(|(first, second)| first != second);
                    reading.moved = differs.map(|offset| wanted.address + offset as u32);
                }
            }
        }
        reading
    }
}

impl std::fmt::Debug for Reading {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Reading({} bytes of flash, {})", self.flash.len(), self.how)
    }
}
