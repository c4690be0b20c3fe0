//! The two key areas in lantern's flash: to provision a board, and to read back what became of it.
//!
//! Boundary: bytes and addresses, after `fixtures/firmware/PROTOCOL.md` section 4. Whether a copy is the right one is for
//! [`SlotState`](crate::SlotState) and the scenario to say.

use std::fmt;

use crate::slot::ERASED;
use crate::{Fingerprint, KeySet, Slot, SlotContent};

/// Size of an area in bytes, on every chip: its window of 1 KiB is at its end.
pub const AREA_SIZE: usize = 4096;

/// DCT offset of the header of `heal-full`.
const HEADER: usize = 4064;
const HEADER_SIZE: usize = 16;
const MAGIC: u32 = 0x314b_4e4c;
const VERIFIED: u32 = 0x4b4f_4b4f;
const ERASED_WORD: u32 = u32::MAX;

/// The chips lantern runs on, which differ in where the areas are.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Chip {
    /// nRF51822: 256 KiB in pages of 1 KiB.
    Nrf51822,
    /// nRF52840: 1 MiB in pages of 4 KiB.
    Nrf52840,
    /// STM32F205: 1 MiB in uneven sectors, of which two of 16 KiB begin with an area each, as a Photon's two DCT pages do.
    Stm32f205,
}

impl Chip {
    /// Where its flash begins.
    pub const fn flash(self) -> u32 {
        match self {
            Self::Nrf51822 | Self::Nrf52840 => 0,
            Self::Stm32f205 => 0x0800_0000,
        }
    }
}

/// One of the two areas.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Area {
    /// The one that all four images use.
    A,
    /// The second copy of `heal-full`.
    B,
}

impl Area {
    /// The address of DCT offset 0 of the area.
    pub const fn address(self, chip: Chip) -> u32 {
        let (a, b) = match chip {
            Chip::Nrf51822 => (0x0003_E000, 0x0003_F000),
            Chip::Nrf52840 => (0x000F_E000, 0x000F_F000),
            Chip::Stm32f205 => (0x0800_4000, 0x0800_8000),
        };
        match self {
            Self::A => a,
            Self::B => b,
        }
    }
}

impl fmt::Display for Area {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::A => "a",
            Self::B => "b",
        })
    }
}

impl KeySet {
    /// What `area`, a whole area, holds. `None` if it is too short.
    pub fn read(area: &[u8]) -> Option<Self> {
        let slot = |slot| SlotContent::from_dct(slot, area);
        let [device, server, address] = Slot::ALL.map(slot);
        Self::new(device?, server?, address?).ok()
    }

    fn area(&self) -> Vec<u8> {
        let mut area = vec![ERASED; AREA_SIZE];
        for content in self.contents() {
            area[content.slot().dct_range()].copy_from_slice(content.expose());
        }
        area
    }

    /// CRC-32 over the sequence word and the three slots.
    fn crc(&self, sequence: u32) -> u32 {
        let slots = self.contents().iter().flat_map(|content| content.expose());
        crc32(sequence.to_le_bytes().iter().chain(slots).copied())
    }
}

/// CRC-32 (IEEE 802.3), bit by bit: it runs over half a kilobyte at a time.
fn crc32(bytes: impl Iterator<Item = u8>) -> u32 {
    const REFLECTED_POLYNOMIAL: u32 = 0xedb8_8320;
    let step = |crc: u32| if crc & 1 == 1 { crc >> 1 ^ REFLECTED_POLYNOMIAL } else { crc >> 1 };
    !bytes.fold(u32::MAX, |crc, byte| (0..8).fold(crc ^ u32::from(byte), |crc, _| step(crc)))
}

/// How an image keeps its keys.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Store {
    /// One copy without a header, in area A: `no-heal`, `heal-blank`, `heal-parse`.
    SingleCopy,
    /// Two copies with headers: `heal-full`.
    TwoCopies,
}

/// Raw flash content: an address and the bytes that begin there. Holds private keys, so it prints without its bytes.
#[derive(Clone, PartialEq, Eq)]
pub struct FlashContent {
    /// The address of the first byte.
    pub address: u32,
    /// The bytes.
    pub bytes: Vec<u8>,
}

impl fmt::Debug for FlashContent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "FlashContent({} bytes at {:#010x}, {})",
            self.bytes.len(),
            self.address,
            Fingerprint::of(&self.bytes)
        )
    }
}

/// What to write into an erased chip so that lantern starts with `keys`, as a factory would leave it: areas A and B.
pub fn factory_content(chip: Chip, store: Store, keys: &KeySet) -> [FlashContent; 2] {
    let (a, b) = match store {
        Store::SingleCopy => (keys.area(), vec![ERASED; AREA_SIZE]),
        Store::TwoCopies => (copy(keys, 1, Verification::Verified), copy(keys, 2, Verification::Verified)),
    };
    [(Area::A, a), (Area::B, b)].map(|(area, bytes)| FlashContent { address: area.address(chip), bytes })
}

/// Whether the firmware has read a copy back and found it right.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Verification {
    /// It has.
    Verified,
    /// It was cut before that, or the word that says so does not read right.
    Unknown,
}

/// An area that holds `keys` as a copy of `heal-full`.
pub fn copy(keys: &KeySet, sequence: u32, verification: Verification) -> Vec<u8> {
    let verified = match verification {
        Verification::Verified => VERIFIED,
        Verification::Unknown => ERASED_WORD,
    };
    let mut area = keys.area();
    let words = [MAGIC, sequence, keys.crc(sequence), verified];
    for (place, word) in area[HEADER..HEADER + HEADER_SIZE].chunks_exact_mut(4).zip(words) {
        place.copy_from_slice(&word.to_le_bytes());
    }
    area
}

/// What the header of an area says about its copy.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum CopyState {
    /// The area does not look like a copy of `heal-full`: erased, or written by an image without headers.
    NoHeader,
    /// Complete and consistent.
    Valid {
        /// The higher one counts.
        sequence: u32,
        /// Whether the firmware found it right.
        verification: Verification,
    },
    /// The header is not all there, or its sequence number is not one: a write that was cut.
    TornHeader,
    /// The header is there, and the slots are not what it was computed over.
    WrongCrc {
        /// What the header says.
        sequence: u32,
    },
}

impl CopyState {
    /// Reads the state of `area`, a whole area; shorter ones have no header.
    pub fn read(area: &[u8]) -> Self {
        let (Some(keys), Some(header)) = (KeySet::read(area), area.get(HEADER..HEADER + HEADER_SIZE)) else {
            return Self::NoHeader;
        };
        let word = |index: usize| {
            header[4 * index..4 * index + 4].iter().rev().fold(0, |word, byte| word << 8 | u32::from(*byte))
        };
        match [word(0), word(1), word(2), word(3)] {
            [ERASED_WORD, ERASED_WORD, ERASED_WORD, ERASED_WORD] => Self::NoHeader,
            [MAGIC, sequence, crc, verified] if sequence != ERASED_WORD => {
                if crc != keys.crc(sequence) {
                    return Self::WrongCrc { sequence };
                }
                let verification = if verified == VERIFIED { Verification::Verified } else { Verification::Unknown };
                Self::Valid { sequence, verification }
            }
            _ => Self::TornHeader,
        }
    }
}

impl fmt::Display for CopyState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoHeader => f.write_str("no header"),
            Self::Valid { sequence, verification: Verification::Verified } => write!(f, "valid, sequence {sequence}"),
            Self::Valid { sequence, verification: Verification::Unknown } => {
                write!(f, "valid, sequence {sequence}, not verified")
            }
            Self::TornHeader => f.write_str("torn header"),
            Self::WrongCrc { sequence } => write!(f, "wrong crc, sequence {sequence}"),
        }
    }
}

/// The copy that `heal-full` goes by: the valid one, or of two valid ones that with the higher sequence. `None` if neither is valid.
pub fn current_copy(a: CopyState, b: CopyState) -> Option<Area> {
    let sequence = |state| match state {
        CopyState::Valid { sequence, .. } => Some(sequence),
        _ => None,
    };
    match (sequence(a), sequence(b)) {
        (None, None) => None,
        (a, b) if a > b => Some(Area::A),
        // Of equals B: that is the one an update would touch first, so the firmware treats it as the later one.
        _ => Some(Area::B),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::fixtures;

    fn keys() -> KeySet {
        KeySet::new(fixtures::device_old(), fixtures::server(), fixtures::address()).unwrap()
    }

    #[test]
    fn the_worked_example_of_the_protocol_comes_out() {
        assert_eq!((keys().crc(1), keys().crc(2)), (0xf596_4ffc, 0x03cb_b38d));
        assert_eq!(crc32(b"123456789".iter().copied()), 0xcbf4_3926);
    }

    #[test]
    fn the_areas_are_where_the_protocol_says() {
        let addresses = [Chip::Nrf51822, Chip::Nrf52840, Chip::Stm32f205]
            .map(|chip| (Area::A.address(chip), Area::B.address(chip)));
        assert_eq!(addresses, [(0x0003_e000, 0x0003_f000), (0x000f_e000, 0x000f_f000), (0x0800_4000, 0x0800_8000)]);
    }

    #[test]
    fn a_factory_leaves_what_the_firmware_expects() {
        let [a, b] = factory_content(Chip::Nrf51822, Store::TwoCopies, &keys());
        assert_eq!((a.address, b.address), (0x3_e000, 0x3_f000));
        assert_eq!(CopyState::read(&a.bytes), CopyState::Valid { sequence: 1, verification: Verification::Verified });
        assert_eq!(CopyState::read(&b.bytes).to_string(), "valid, sequence 2");
        assert_eq!(KeySet::read(&b.bytes), Some(keys()));
        assert!(a.bytes[..3072].iter().all(|byte| *byte == 0xff), "everything before the window is reserved");
        assert!(!format!("{a:?}").contains("48"), "no bytes are printed: {a:?}");
        let [a, b] = factory_content(Chip::Nrf51822, Store::SingleCopy, &keys());
        assert_eq!((CopyState::read(&a.bytes), KeySet::read(&a.bytes)), (CopyState::NoHeader, Some(keys())));
        assert!(b.bytes.iter().all(|byte| *byte == 0xff));
    }

    #[test]
    fn cut_writes_are_recognised() {
        let whole = copy(&keys(), 7, Verification::Unknown);
        assert_eq!(CopyState::read(&whole).to_string(), "valid, sequence 7, not verified");
        let mut no_magic = whole.clone();
        no_magic[HEADER..HEADER + 4].fill(0xff);
        assert_eq!(CopyState::read(&no_magic), CopyState::TornHeader);
        let mut half_slot = whole.clone();
        half_slot[3200..3298].fill(0xff);
        assert_eq!(CopyState::read(&half_slot), CopyState::WrongCrc { sequence: 7 });
        assert_eq!(CopyState::read(&copy(&keys(), u32::MAX, Verification::Verified)), CopyState::TornHeader);
        assert_eq!(CopyState::read(&whole[..4070]), CopyState::NoHeader);
    }

    #[test]
    fn the_higher_valid_sequence_counts() {
        let valid = |sequence| CopyState::Valid { sequence, verification: Verification::Verified };
        assert_eq!(current_copy(valid(3), valid(2)), Some(Area::A));
        assert_eq!(current_copy(valid(3), valid(4)), Some(Area::B));
        assert_eq!(current_copy(valid(0), CopyState::TornHeader), Some(Area::A));
        assert_eq!(current_copy(CopyState::NoHeader, valid(1)), Some(Area::B));
        assert_eq!(current_copy(CopyState::NoHeader, CopyState::TornHeader), None);
    }

    proptest! {
        #[test]
        fn any_one_changed_bit_of_slots_or_header_is_noticed(offset in 3106usize..3618, header in 0usize..12, bit in 0u32..8) {
            for at in [offset, HEADER + header] {
                let mut area = copy(&keys(), 5, Verification::Verified);
                area[at] ^= 1 << bit;
                prop_assert!(!matches!(CopyState::read(&area), CopyState::Valid { .. }), "byte {}", at);
            }
        }

        #[test]
        fn what_is_written_is_read_back(seed in any::<u64>(), sequence in 0u32..u32::MAX) {
            let mut keys = keys();
            keys.set(crate::device_key_from_seed(seed));
            let area = copy(&keys, sequence, Verification::Verified);
            prop_assert_eq!(CopyState::read(&area), CopyState::Valid { sequence, verification: Verification::Verified });
            prop_assert_eq!(KeySet::read(&area), Some(keys));
        }
    }
}
