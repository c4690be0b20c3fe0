//! Damaged boards: every class of damage in every slot, and what power cuts inside the flash operations of a key update leave.
//!
//! Boundary: makes them, and says what was done. Nobody has looked at them yet.

use std::sync::Arc;

use brickproof_boards::{BoardProfile, Shelf};
use brickproof_firmware::{KeyStore, Memory, ReadMemory};
use brickproof_keys::lantern_layout::{AREA_SIZE, Area, Chip as Layout, Store};
use brickproof_keys::{Corruption, KnownKey, Slot, SlotContent, Standing};
use brickproof_sim::cuts::keys::{Release, record};
use brickproof_sim::cuts::{CutsError, cut_points};
use brickproof_virtual_board::chip::Chip;
use brickproof_virtual_board::flash::{Cells, CutPoint, FlashOperation};

/// The kinds of board, the emulated part and where its keys lie.
pub(crate) const BOARDS: [(&str, Chip, Layout); 3] = [
    ("lantern-nrf51", Chip::Nrf51822, Layout::Nrf51822),
    ("lantern-nrf52840", Chip::Nrf52840, Layout::Nrf52840),
    ("lantern-stm32f205", Chip::Stm32f205, Layout::Stm32f205),
];

/// A damaged board.
pub(crate) struct Damaged {
    /// Its kind.
    pub(crate) board: Arc<BoardProfile>,
    /// All of its flash.
    pub(crate) flash: Vec<u8>,
    /// The keys that may be on it, besides the published ones.
    pub(crate) given: Vec<KnownKey>,
    /// How its firmware keeps its keys.
    pub(crate) store: Store,
    /// What was done.
    pub(crate) done: Done,
}

/// What was done to a board.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Done {
    /// A slot of the area that counts was damaged.
    Corrupted { area: Area, slot: Slot, class: Corruption },
    /// The power was cut in a flash operation.
    Cut { operation: FlashOperation, at: CutPoint, layout: Layout },
}

/// How many of each.
#[derive(Clone, Copy)]
pub(crate) struct Size {
    /// Seeds of each class of damage in each slot.
    pub(crate) seeds: u64,
    /// Every so manieth flash operation of an update is cut.
    pub(crate) stride: usize,
    /// So many places in it, besides before and after.
    pub(crate) fractions: u32,
}

/// A flash in a vector.
struct Bytes {
    base: u32,
    bytes: Vec<u8>,
}

impl Bytes {
    fn at(&mut self, address: u32, length: usize) -> Option<&mut [u8]> {
        let from = address.checked_sub(self.base)? as usize;
        self.bytes.get_mut(from..from + length)
    }
}

impl ReadMemory for Bytes {
    type Error = &'static str;

    fn read(&mut self, address: u32, into: &mut [u8]) -> Result<(), Self::Error> {
        into.copy_from_slice(self.at(address, into.len()).ok_or("beyond the flash")?);
        Ok(())
    }
}

impl Memory for Bytes {
    fn write(&mut self, address: u32, bytes: &[u8]) -> Result<(), Self::Error> {
        self.at(address, bytes.len()).ok_or("beyond the flash")?.copy_from_slice(bytes);
        Ok(())
    }
}

/// A release on a kind of board.
#[derive(Clone)]
pub(crate) struct Subject {
    board: Arc<BoardProfile>,
    chip: Chip,
    layout: Layout,
    release: Release,
}

/// Every release on every kind of board.
pub(crate) fn subjects() -> Vec<Subject> {
    let shelf = Shelf::shipped();
    let of = |(name, chip, layout): (&str, Chip, Layout)| {
        let board = shelf.board(name).map(Arc::clone)?;
        Some(Release::ALL.map(|release| Subject { board: Arc::clone(&board), chip, layout, release }))
    };
    BOARDS.into_iter().filter_map(of).flatten().collect()
}

/// The damaged boards of one subject.
///
/// # Errors
/// If an undisturbed board does not update its keys.
pub(crate) fn of(subject: &Subject, size: Size) -> Result<Vec<Damaged>, CutsError> {
    let Subject { board, chip, layout, release } = subject;
    let mut all = Vec::new();
    corrupted(board, *release, *chip, size, &mut all);
    cut(board, *release, (*chip, *layout), size, &mut all)?;
    Ok(all)
}

fn corrupted(board: &Arc<BoardProfile>, release: Release, chip: Chip, size: Size, all: &mut Vec<Damaged>) {
    let firmware = release.firmware(chip);
    let base = board.flash.at.0;
    let Some(store) = KeyStore::of(board, &firmware) else { return };
    for slot in Slot::ALL {
        for class in Corruption::ALL {
            for seed in 0..size.seeds {
                let mut memory = Bytes { base, bytes: vec![0xFF; board.flash.size().0 as usize] };
                let written = memory.write(base, firmware.image()).is_ok() && store.provision(&mut memory).is_ok();
                let Ok(area) = store.current_area(&mut memory) else { continue };
                // Some classes are not for every slot.
                if written && store.corrupt(&mut memory, slot, class, None, seed).is_ok() {
                    let done = Done::Corrupted { area, slot, class };
                    all.push(Damaged {
                        board: Arc::clone(board),
                        flash: memory.bytes,
                        given: Vec::new(),
                        store: store.store,
                        done,
                    });
                }
            }
        }
    }
}

fn cut(
    board: &Arc<BoardProfile>,
    release: Release,
    (chip, layout): (Chip, Layout),
    size: Size,
    all: &mut Vec<Damaged>,
) -> Result<(), CutsError> {
    let store = release.firmware(chip).store();
    let updates = record(chip, release, Cells::Fractional, 1)?;
    for (index, step) in updates.steps.iter().enumerate().step_by(size.stride) {
        for at in cut_points(size.fractions + 1) {
            let Some(dark) = step.dark_after(at, index as u64) else { continue };
            let mut flash = vec![0; board.flash.size().0 as usize];
            if dark.flash().read_raw(board.flash.at.0, &mut flash).is_err() {
                continue;
            }
            let change = step.duty();
            let key = |name: &str, standing, content: &SlotContent| KnownKey {
                name: name.to_owned(),
                standing,
                content: content.clone(),
            };
            let given = vec![
                key("device-before", Standing::Registered, &change.old),
                key("device-after", Standing::Registered, &change.new),
            ];
            let done = Done::Cut { operation: step.operation().operation, at, layout };
            all.push(Damaged { board: Arc::clone(board), flash, given, store, done });
        }
    }
    Ok(())
}

impl Done {
    /// What was done to that slot of that area, in words, and the classes that may be found there. `None`: nothing.
    pub(crate) fn to(&self, store: Store, area: Area, slot: Slot) -> (&'static str, Vec<&'static str>) {
        match *self {
            Self::Corrupted { area: harmed, slot: damaged, class } if (harmed, damaged) == (area, slot) => {
                (class.name(), vec![class_of(class, slot)])
            }
            // Releases with one copy have nothing in the second area.
            _ if store == Store::SingleCopy && area == Area::B => ("never used", vec!["blank"]),
            Self::Corrupted { .. } => ("untouched", vec!["good"]),
            Self::Cut { operation, at, layout } => cut_to(operation, at, layout, area, slot),
        }
    }
}

/// What a class of damage has to be found as. The rig publishes one other server key and one other address: an old one of these and a wrong one
/// are the same bytes, and are known as foreign.
const fn class_of(class: Corruption, slot: Slot) -> &'static str {
    match (class, slot) {
        (Corruption::Blank, _) => "blank",
        (Corruption::FirstByte, _) => "gap",
        (Corruption::TornTail, _) => "torn",
        (Corruption::OneBitCleared | Corruption::OneBitSet, _) => "one_bit",
        (Corruption::Zeroed, _) => "zeroed",
        (Corruption::StaleCopy, Slot::DevicePrivate) => "stale",
        (Corruption::Rewritten, _) => "good",
        (Corruption::StaleCopy | Corruption::ValidButWrong | Corruption::Address, _) => "foreign",
    }
}

fn cut_to(
    operation: FlashOperation,
    at: CutPoint,
    layout: Layout,
    area: Area,
    slot: Slot,
) -> (&'static str, Vec<&'static str>) {
    let start = area.address(layout);
    let slot_range = start + slot.dct_offset()..start + slot.dct_offset() + slot.size() as u32;
    match operation {
        FlashOperation::ErasePage { address } if (start..start + AREA_SIZE as u32).contains(&address) => match at {
            CutPoint::Before => ("before an erase", vec!["good"]),
            CutPoint::After => ("after an erase", vec!["blank"]),
            // How much of it is left is chance's: nothing, some, all; what is left of a key by half or less may be any key's.
            CutPoint::Fraction { .. } => {
                ("in an erase", vec!["good", "one_bit", "bits_set", "garbage", "almost_blank", "blank", "torn", "gap"])
            }
        },
        FlashOperation::Program { address, .. } if (start..start + AREA_SIZE as u32).contains(&address) => {
            if address + 4 <= slot_range.start {
                ("behind a write", vec!["blank"])
            } else if address >= slot_range.end {
                ("before a write", vec!["good"])
            } else {
                // Nothing of it yet, all that is not 0xFF, or its last bit missing.
                ("in a write", vec!["torn", "blank", "good", "one_bit", "gap"])
            }
        }
        _ => ("the other copy", vec!["good"]),
    }
}
