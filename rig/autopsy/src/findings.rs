//! What was read, and what it means.
//!
//! Boundary: recognition by comparison, with the keys and images that are known. Whose fault it is, is not asked here.

use std::fmt::Write as _;
use std::ops::Range;

use brickproof_boards::BoardProfile;
use brickproof_firmware::{Firmware, KeyStore, known_keys};
use brickproof_keys::lantern_layout::{AREA_SIZE, Area, CopyState, Store, current_copy};
use brickproof_keys::{Fingerprint, KnownKey, Slot, SlotContent, SlotState, Standing, check, der_length};
use sha2::{Digest, Sha256};

use crate::family::{Family, Meaning, Protection, Register, reasons};
use crate::reading::Reading;

/// More keys than any board keeps: a flash full of something that looks like them is not listed to its end.
const MOST_STRAYS: usize = 32;

/// What a board holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Findings {
    /// The kind of board.
    pub board: String,
    /// How it was come by.
    pub how: String,
    /// Its unique id, in hexadecimal digits, if that was read.
    pub identity: Option<String>,
    /// SHA-256 of all of its flash, as far as that was read.
    pub flash_sha256: String,
    /// What runs on it, if its flash was read.
    pub firmware: Option<FirmwareFinding>,
    /// Its registers, in the order in which they were read.
    pub registers: Vec<RegisterFinding>,
    /// Its key areas, in the order of the profile; or what stands behind the bootloader's alternate setting. None if they are not at an
    /// address and that was not read.
    pub areas: Vec<AreaFinding>,
    /// Whole keys anywhere in its flash, if its key areas are not at an address.
    pub strays: Vec<Stray>,
    /// The first address that changed while it was read.
    pub moved: Option<u32>,
}

/// What runs on a board.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FirmwareFinding {
    /// The image that comes with the rig and is this one. `None`: not one of those.
    pub name: Option<String>,
    /// Bytes up to its end; if it is not known, up to the last one that is neither erased nor a key. Zero if there is none.
    pub length: usize,
    /// SHA-256 of these; if it is not known, with its key areas taken for erased.
    pub sha256: String,
    /// The first address behind an image that is known, outside of key areas, that is not erased.
    pub beyond: Option<u32>,
}

/// A register and what it says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RegisterFinding {
    /// As the manual calls it.
    pub name: &'static str,
    /// Where that is known from.
    pub source: &'static str,
    /// Its value; `None` if it was not read.
    pub value: Option<u32>,
    /// What it says.
    pub says: String,
    /// Whether debuggers are kept out, if it is about that.
    pub protection: Option<Protection>,
}

/// A key area.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AreaFinding {
    /// Its first address; `None` behind a bootloader.
    pub address: Option<u32>,
    /// What its header says, if its firmware may keep one.
    pub copy: Option<CopyState>,
    /// Whether its firmware goes by this one.
    pub counts: bool,
    /// Whether nothing at all stands in it.
    pub blank: bool,
    /// Its slots, in the order of the profile.
    pub slots: Vec<SlotFinding>,
}

/// A key slot.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SlotFinding {
    /// Which.
    pub slot: Slot,
    /// What is in it.
    pub state: SlotState,
    /// The name of its bytes.
    pub fingerprint: Fingerprint,
    /// Whether it is blank or the published content, which scenarios have words for.
    pub word: Option<&'static str>,
}

/// A whole key that lies somewhere.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stray {
    /// Its first address.
    pub address: u32,
    /// The slot that it is made for.
    pub slot: Slot,
    /// What it is.
    pub state: SlotState,
}

/// The keys that may be met: those that somebody gives, and the published ones. Where somebody gives the right one of a slot, the published one
/// is none that belongs there.
pub fn known_with(given: Vec<KnownKey>) -> Vec<KnownKey> {
    let is_given = |slot| given.iter().any(|key| key.standing == Standing::Registered && key.content.slot() == slot);
    let published = known_keys().into_iter().map(|key| match key.standing {
        Standing::Registered if is_given(key.content.slot()) => KnownKey { standing: Standing::Foreign, ..key },
        _ => key,
    });
    let published: Vec<_> = published.collect();
    given.into_iter().chain(published).collect()
}

impl Findings {
    /// What a reading means to someone who knows these keys.
    pub fn of(board: &BoardProfile, reading: &Reading, known: &[KnownKey]) -> Self {
        let firmware = (!reading.flash.is_empty()).then(|| firmware(board, reading));
        let areas = match &reading.behind {
            Some(bytes) => vec![behind(board, bytes, known)],
            None => areas(board, reading, known, firmware.as_ref()),
        };
        let strays = if areas.is_empty() { strays(board, reading, known) } else { Vec::new() };
        let registers = Family::of(board).map_or(&[][..], |family| family.registers);
        Self {
            board: board.name.clone(),
            how: reading.how.clone(),
            identity: reading.identity.as_deref().map(hex),
            flash_sha256: hex(&Sha256::digest(&reading.flash)),
            firmware,
            registers: registers.iter().map(|it| register(board, reading, it)).collect(),
            areas,
            strays,
            moved: reading.moved,
        }
    }

    /// The area by which its firmware goes; the first one if there is no other.
    pub fn current(&self) -> Option<&AreaFinding> {
        self.areas.iter().find(|area| area.counts)
    }

    /// Whether the part keeps debuggers out.
    pub fn protection(&self) -> Option<Protection> {
        self.registers.iter().find_map(|register| register.protection)
    }

    /// Whether every slot that counts holds what belongs there.
    pub fn all_good(&self) -> bool {
        let is_good = |slot: &SlotFinding| matches!(slot.state, SlotState::Good { .. });
        self.current().is_some_and(|area| area.slots.iter().all(is_good))
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}

fn firmware(board: &BoardProfile, reading: &Reading) -> FirmwareFinding {
    let base = board.flash.at.0;
    let mut code = reading.flash.clone();
    for range in (0..areas_of(board)).filter_map(|index| area_range(board, index)) {
        // Keys are not the firmware's, wherever they lie in it.
        if let Some(keys) = code.get_mut(range) {
            keys.fill(0xFF);
        }
    }
    if let Some(known) = Firmware::recognised(&reading.flash) {
        let length = known.image().len();
        let beyond = code[length..].iter().position(|byte| *byte != 0xFF);
        return FirmwareFinding {
            name: Some(known.name().to_owned()),
            length,
            sha256: known.sha256().to_owned(),
            beyond: beyond.map(|offset| base + (length + offset) as u32),
        };
    }
    let length = code.iter().rposition(|byte| *byte != 0xFF).map_or(0, |last| last + 1);
    FirmwareFinding { name: None, length, sha256: hex(&Sha256::digest(&code[..length])), beyond: None }
}

fn areas_of(board: &BoardProfile) -> usize {
    board.keys.as_ref().map_or(0, |keys| keys.areas.len())
}

/// The place of a key area in the flash: all of lantern's, of another board's up to the end of its last slot.
fn area_range(board: &BoardProfile, index: usize) -> Option<Range<usize>> {
    let keys = board.keys.as_ref()?;
    let start = keys.areas.get(index)?.0.checked_sub(board.flash.at.0)? as usize;
    let slots = keys.slots.iter().map(|slot| slot.end() as usize).max().unwrap_or_default();
    let length = if KeyStore::is_known_for(board) { AREA_SIZE } else { slots };
    Some(start..start + length)
}

fn register(board: &BoardProfile, reading: &Reading, register: &Register) -> RegisterFinding {
    let in_user = || {
        let (first, _) = Family::of(board)?.user?;
        let offset = register.address.checked_sub(first)? as usize;
        let word = reading.user.get(offset..offset + 4)?;
        Some(u32::from_le_bytes(word.try_into().ok()?))
    };
    let value = reading.registers.get(&register.address).copied().or_else(in_user);
    let (says, protection) = match (value, register.meaning) {
        (None, _) => ("not read: a dump does not have it".to_owned(), None),
        (Some(value), Meaning::ResetReason(bits)) => (told_reasons(&reasons(bits, value)), None),
        (Some(value), Meaning::BrownOut(words)) => (words(value), None),
        (Some(value), Meaning::Protection(of)) => (of(value).words().to_owned(), Some(of(value))),
    };
    RegisterFinding { name: register.name, source: register.source, value, says, protection }
}

fn told_reasons(reasons: &[&str]) -> String {
    if reasons.is_empty() {
        "no reason noted: its power came up, after whatever kind of loss, or somebody cleared it".to_owned()
    } else {
        format!("reset by: {}", reasons.join(", "))
    }
}

/// The keys as the bootloader shows them: its first byte is offset 0, whichever page or file counts below.
fn behind(board: &BoardProfile, bytes: &[u8], known: &[KnownKey]) -> AreaFinding {
    let slots = board.keys.iter().flat_map(|keys| &keys.slots);
    AreaFinding {
        address: None,
        copy: None,
        counts: true,
        blank: bytes.iter().all(|byte| *byte == 0xFF),
        slots: slots.filter_map(|place| slot(board, place.slot, bytes, known)).collect(),
    }
}

fn areas(
    board: &BoardProfile,
    reading: &Reading,
    known: &[KnownKey],
    firmware: Option<&FirmwareFinding>,
) -> Vec<AreaFinding> {
    let Some(keys) = &board.keys else { return Vec::new() };
    let bytes = |index: usize| {
        let range = area_range(board, index).unwrap_or_default();
        reading.flash.get(range).unwrap_or_default()
    };
    let is_lantern = KeyStore::is_known_for(board);
    let copies: Vec<CopyState> = (0..keys.areas.len()).map(|index| CopyState::read(bytes(index))).collect();
    let has_headers =
        is_lantern && (store(firmware) == Store::TwoCopies || copies.iter().any(|it| *it != CopyState::NoHeader));
    let counting = match copies[..] {
        [a, b] if is_lantern && store(firmware) == Store::TwoCopies => current_copy(a, b).unwrap_or(Area::A) as usize,
        _ => 0,
    };
    let area = |index: usize| AreaFinding {
        address: Some(keys.areas[index].0),
        copy: has_headers.then(|| copies[index]),
        counts: index == counting,
        blank: bytes(index).iter().all(|byte| *byte == 0xFF),
        slots: keys.slots.iter().filter_map(|place| slot(board, place.slot, bytes(index), known)).collect(),
    };
    (0..keys.areas.len()).map(area).collect()
}

fn store(firmware: Option<&FirmwareFinding>) -> Store {
    let shipped = firmware.and_then(|firmware| firmware.name.as_deref()).and_then(Firmware::shipped);
    shipped.map_or(Store::SingleCopy, |firmware| firmware.store())
}

fn slot(board: &BoardProfile, slot: Slot, area: &[u8], known: &[KnownKey]) -> Option<SlotFinding> {
    let place = board.key_slot(slot)?;
    let bytes = area.get(place.offset.0 as usize..place.end() as usize)?;
    let content = SlotContent::shaped(board.keys.as_ref()?.shape(slot)?, bytes).ok()?;
    let published = known_keys().into_iter().find(|key| key.standing == Standing::Registered && key.content == content);
    let word = match content.used() {
        0 => Some("blank"),
        _ => published.map(|_| "old"),
    };
    Some(SlotFinding { slot, state: SlotState::classify(&content, known), fingerprint: content.fingerprint(), word })
}

/// Whole keys of the board's kind, wherever they lie.
fn strays(board: &BoardProfile, reading: &Reading, known: &[KnownKey]) -> Vec<Stray> {
    let Some(keys) = &board.keys else { return Vec::new() };
    let at = |offset: usize| {
        let rest = &reading.flash[offset..];
        let length = der_length(rest)?;
        keys.slots.iter().find_map(|place| {
            let content = SlotContent::shaped(keys.shape(place.slot)?, &rest[..length]).ok()?;
            let is_key = place.slot != Slot::ServerAddress && check(&content).is_ok();
            let address = board.flash.at.0 + offset as u32;
            is_key.then(|| Stray { address, slot: place.slot, state: SlotState::classify(&content, known) })
        })
    };
    (0..reading.flash.len()).filter_map(at).take(MOST_STRAYS).collect()
}
