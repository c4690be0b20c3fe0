//! The keys of a station: what its board is provisioned with, what the cloud knows, and what a slot turns out to hold.
//!
//! Boundary: the published test keys of `fixtures/keys` and lantern's layout, in whatever [`Memory`] the board has.

use std::ops::Range;
use std::sync::{Arc, LazyLock};

use brickproof_boards::BoardProfile;
use brickproof_keys::lantern_layout::{self, Area, Chip, CopyState, FlashContent, Store};
use brickproof_keys::{
    Algorithm, Alternates, Corruption, Fingerprint, Host, KeySet, KnownKey, Part, ServerAddress, Slot, SlotContent,
    SlotShape, Standing, check, device_key_from_seed, seeded_device_key,
};
use brickproof_scenario::plan;

use crate::image::Firmware;
use crate::memory::{Memory, ReadMemory};

macro_rules! published {
    ($slot:ident, $file:literal) => {
        SlotContent::new(Slot::$slot, include_bytes!(concat!("../../../fixtures/keys/", $file)))
            .expect("the published test keys fit their slots")
    };
}

/// The published keys, decoded once.
pub struct Published {
    /// What a board is provisioned with.
    pub set: KeySet,
    /// The device key among them.
    pub device_old: SlotContent,
    /// What the cloud hands out in its place.
    pub device_new: SlotContent,
    /// The server's key.
    pub server: SlotContent,
    /// That of another server.
    pub server_other: SlotContent,
    /// Where the server is.
    pub address: SlotContent,
    wrong_address: SlotContent,
}

/// The published keys.
pub static PUBLISHED: LazyLock<Published> = LazyLock::new(|| {
    let device_old = published!(DevicePrivate, "device-old.sec1.der");
    let server = published!(ServerPublic, "server.spki.der");
    let address = published!(ServerAddress, "server-address.bin");
    // A host that exists nowhere, RFC 2606: the way of a board that was once pointed at another server.
    let elsewhere = ServerAddress { host: Host::Domain("elsewhere.invalid".into()), port: Some(5684) };
    Published {
        set: KeySet::new(device_old.clone(), server.clone(), address.clone()).expect("each content is of its slot"),
        device_new: published!(DevicePrivate, "device-new.sec1.der"),
        server_other: published!(ServerPublic, "server-other.spki.der"),
        wrong_address: elsewhere.encode().expect("a short host fits"),
        device_old,
        server,
        address,
    }
});

/// Keys could not be read or written.
#[derive(Debug, thiserror::Error)]
#[error("failed to {asked}: {happened}")]
pub struct StoreError {
    /// Reads after "failed to".
    pub asked: &'static str,
    /// What happened.
    pub happened: String,
}

/// How an image keeps its keys, and on which chip.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct KeyStore {
    /// The chip.
    pub chip: Chip,
    /// One copy or two.
    pub store: Store,
    /// The fingerprints of what the slots hold at the beginning, if that is not what a factory writes.
    pub found: Option<[Fingerprint; 3]>,
}

impl KeyStore {
    /// How that image keeps its keys on that board. `None` if its profile does not name lantern's two key areas: somewhere else, writing there
    /// could destroy what is needed to start.
    pub fn of(board: &BoardProfile, firmware: &Firmware) -> Option<Self> {
        let fresh = Self { chip: chip_with_areas_of(board)?, store: firmware.store(), found: None };
        let found = firmware.is_as_found().then(|| fresh.found_in(firmware));
        Some(Self { found, ..fresh })
    }

    fn found_in(self, firmware: &Firmware) -> [Fingerprint; 3] {
        let area = |area| firmware.image().get(area_range(self.chip, area)).unwrap_or_default();
        let areas = [Area::A, Area::B].map(area);
        let current = match self.store {
            Store::SingleCopy => Area::A,
            Store::TwoCopies => current_of(areas.map(CopyState::read)),
        };
        let bytes = areas[current as usize];
        Slot::ALL.map(|slot| slot_in(slot, bytes).fingerprint())
    }

    /// Whether the rig knows where to write on boards of that kind.
    pub fn is_known_for(board: &BoardProfile) -> bool {
        chip_with_areas_of(board).is_some()
    }

    /// Whether the address lies in that area.
    pub fn holds(self, area: Area, address: u32) -> bool {
        let start = area.address(self.chip);
        (start..start + lantern_layout::AREA_SIZE as u32).contains(&address)
    }

    /// What a factory writes: the genuine keys, and nothing where they could be taken from else.
    pub fn factory_content(self) -> [FlashContent; 2] {
        lantern_layout::factory_content(self.chip, self.store, &PUBLISHED.set)
    }

    /// The keys that are written before a trial: those of a factory, or none if the board begins as another one was found.
    pub fn written_first(self) -> Vec<FlashContent> {
        if self.found.is_some() { Vec::new() } else { self.factory_content().into() }
    }

    /// Writes the genuine keys as a factory would; nothing if the board begins as another one was found.
    ///
    /// # Errors
    /// What the memory says.
    pub fn provision<M: Memory + ?Sized>(self, memory: &mut M) -> Result<(), StoreError> {
        self.written_first().iter().try_for_each(|content| write(memory, content.address, &content.bytes))
    }

    /// The area that counts: with two copies the current one, and the first if neither is valid.
    ///
    /// # Errors
    /// What the memory says.
    pub fn current_area<M: ReadMemory + ?Sized>(self, memory: &mut M) -> Result<Area, StoreError> {
        if self.store == Store::SingleCopy {
            return Ok(Area::A);
        }
        let states = [self.read_area(memory, Area::A)?, self.read_area(memory, Area::B)?];
        Ok(current_of(states.map(|it| CopyState::read(&it))))
    }

    /// All of an area.
    ///
    /// # Errors
    /// What the memory says.
    pub fn read_area<M: ReadMemory + ?Sized>(self, memory: &mut M, area: Area) -> Result<Vec<u8>, StoreError> {
        let mut bytes = vec![0; lantern_layout::AREA_SIZE];
        memory.read(area.address(self.chip), &mut bytes).map_err(|error| failed("read the key area", &error))?;
        Ok(bytes)
    }

    fn slot<M: ReadMemory + ?Sized>(self, memory: &mut M, slot: Slot) -> Result<(Area, SlotContent), StoreError> {
        let area = self.current_area(memory)?;
        let bytes = self.read_area(memory, area)?;
        Ok((area, slot_in(slot, &bytes)))
    }

    /// The contents of all slots, where they count.
    ///
    /// # Errors
    /// What the memory says.
    pub fn read_set<M: ReadMemory + ?Sized>(self, memory: &mut M) -> Result<KeySet, StoreError> {
        let area = self.current_area(memory)?;
        let bytes = self.read_area(memory, area)?;
        KeySet::read(&bytes).ok_or_else(|| failed("read the key area", &"it ends before its slots do"))
    }

    /// Writes all slots as a factory would, reads them back and compares.
    ///
    /// # Errors
    /// What the memory says, or that it holds something else afterwards.
    pub fn write_set<M: Memory + ?Sized>(self, memory: &mut M, keys: &KeySet) -> Result<(), StoreError> {
        if let Some(other) = keys.contents().iter().find(|content| content.shape() != content.slot().shape()) {
            return Err(failed("write the key area", &format!("slot {} is of another board", other.slot())));
        }
        for content in lantern_layout::factory_content(self.chip, self.store, keys) {
            write(memory, content.address, &content.bytes)?;
        }
        let found = self.read_set(memory)?;
        match keys.difference(&found, "what was written") {
            None => Ok(()),
            Some(how) => Err(failed("write the key area", &format!("it reads back otherwise: {how}"))),
        }
    }

    /// The fingerprint of the device key in an area, if it is whole and none of those that the rig writes or hands out: somebody's identity,
    /// which must not be lost.
    pub fn strange_identity(area: &[u8]) -> Option<Fingerprint> {
        let key = SlotContent::from_dct(Slot::DevicePrivate, area)?;
        let is_ours = private_keys().iter().any(|ours| ours.fingerprint() == key.fingerprint());
        (check(&key).is_ok() && !is_ours).then(|| key.fingerprint())
    }

    /// What the slot holds, compared with the genuine content, with the identities that the board was given since, by the cloud or by the rig,
    /// and with what was found.
    ///
    /// # Errors
    /// What the memory says.
    pub fn read_slot<M: ReadMemory + ?Sized>(
        self,
        memory: &mut M,
        slot: Slot,
        given: &[Fingerprint],
    ) -> Result<plan::SlotContent, StoreError> {
        let (_, content) = self.slot(memory, slot)?;
        Ok(told(&content, given, self.found.map(|found| found[slot as usize])))
    }

    /// How the keys that are on a board of that kind are kept, whatever firmware wrote them: in two copies if either area looks like one.
    /// `None` as for [`of`](Self::of).
    ///
    /// # Errors
    /// What the memory says.
    pub fn recognised<M: ReadMemory + ?Sized>(
        board: &BoardProfile,
        memory: &mut M,
    ) -> Result<Option<Self>, StoreError> {
        let Some(chip) = chip_with_areas_of(board) else { return Ok(None) };
        let single = Self { chip, store: Store::SingleCopy, found: None };
        let mut store = Store::SingleCopy;
        for area in [Area::A, Area::B] {
            if CopyState::read(&single.read_area(memory, area)?) != CopyState::NoHeader {
                store = Store::TwoCopies;
            }
        }
        Ok(Some(Self { store, ..single }))
    }

    /// Damages the slot where it counts; says what changed, without key bytes.
    ///
    /// # Errors
    /// What the memory says, or that this slot cannot be damaged in that way.
    pub fn corrupt<M: Memory + ?Sized>(
        self,
        memory: &mut M,
        slot: Slot,
        class: Corruption,
        part: Option<Part>,
        seed: u64,
    ) -> Result<Arc<str>, StoreError> {
        let (area, content) = self.slot(memory, slot)?;
        let damaged = class
            .apply_in(part, &content, seed, &alternates(slot.shape()))
            .map_err(|error| failed("corrupt a slot", &error))?;
        write(memory, area.address(self.chip) + slot.dct_offset(), damaged.content.expose())?;
        Ok(format!("{slot}: {}", damaged.change).into())
    }
}

/// The device keys that a station writes, hands out or puts in place of another: none of them may be shown.
pub fn private_keys() -> [SlotContent; 3] {
    [PUBLISHED.device_old.clone(), PUBLISHED.device_new.clone(), stale_key()]
}

/// The device keys that a board of that kind has in its flash as it begins a trial, and that may not be shown either.
pub fn private_keys_of(board: &BoardProfile, firmware: &Firmware) -> Vec<SlotContent> {
    let Some(chip) = chip_with_areas_of(board).filter(|_| firmware.is_as_found()) else { return Vec::new() };
    let areas = [Area::A, Area::B].map(|area| firmware.image().get(area_range(chip, area)).unwrap_or_default());
    areas.iter().filter_map(|area| SlotContent::from_dct(Slot::DevicePrivate, area)).collect()
}

/// The published contents and what they are to a board that the rig provisioned.
pub fn known_keys() -> Vec<KnownKey> {
    let keys = &*PUBLISHED;
    let key = |name: &str, standing, content: &SlotContent| KnownKey {
        name: name.to_owned(),
        standing,
        content: content.clone(),
    };
    vec![
        key("device-old", Standing::Registered, &keys.device_old),
        key("server", Standing::Registered, &keys.server),
        key("server-address", Standing::Registered, &keys.address),
        key("device-new", Standing::Foreign, &keys.device_new),
        key("device-stale", Standing::Superseded, &stale_key()),
        key("server-other", Standing::Foreign, &keys.server_other),
        key("address-elsewhere", Standing::Foreign, &keys.wrong_address),
    ]
}

/// The seeds of device keys that no cloud knows: one that it may have known once, and one of somebody else.
const STALE: u64 = 1;
const FOREIGN: u64 = 2;
/// An RSA key of another server.
const RSA_SERVER_OTHER: &[u8] = include_bytes!("../../../fixtures/keys/server-other.rsa2048.spki.der");

/// A device key that the cloud no longer knows.
fn stale_key() -> SlotContent {
    device_key_from_seed(STALE)
}

/// What a slot holds, compared with the genuine content, with the identities that the board was given since, and with what was found in it
/// at first.
pub fn told(content: &SlotContent, given: &[Fingerprint], found: Option<Fingerprint>) -> plan::SlotContent {
    if content == PUBLISHED.set.get(content.slot()) {
        plan::SlotContent::Old
    } else if given.contains(&content.fingerprint()) && content.slot() == Slot::DevicePrivate {
        plan::SlotContent::New
    } else if content.used() == 0 {
        plan::SlotContent::Blank
    } else if found == Some(content.fingerprint()) {
        plan::SlotContent::AsFound
    } else {
        plan::SlotContent::Torn
    }
}

/// What can stand in place of the right content, in a slot of that shape. What does not fit into it is left out.
pub fn alternates(shape: SlotShape) -> Alternates {
    let keys = &*PUBLISHED;
    let fitting = |content: &SlotContent| SlotContent::shaped(shape, content.expose_used()).ok();
    let (stale, other) = match (shape.slot, shape.algorithm) {
        (Slot::DevicePrivate, Algorithm::P256) => (fitting(&stale_key()), fitting(&keys.device_new)),
        (Slot::DevicePrivate, Algorithm::Rsa) => {
            let seeded = |seed| seeded_device_key(shape, seed).ok();
            (seeded(STALE), seeded(FOREIGN))
        }
        (Slot::ServerPublic, Algorithm::P256) => (fitting(&keys.server_other), fitting(&keys.server_other)),
        (Slot::ServerPublic, Algorithm::Rsa) => {
            let other = SlotContent::shaped(shape, RSA_SERVER_OTHER).ok();
            (other.clone(), other)
        }
        (Slot::ServerAddress, _) => (fitting(&keys.wrong_address), fitting(&keys.wrong_address)),
    };
    let wrong_address =
        if shape.slot == Slot::ServerAddress { other.clone() } else { Some(keys.wrong_address.clone()) };
    Alternates { stale, other, wrong_address }
}

/// The copy that counts: the current one, and the first if neither is valid.
fn current_of([a, b]: [CopyState; 2]) -> Area {
    lantern_layout::current_copy(a, b).unwrap_or(Area::A)
}

fn slot_in(slot: Slot, area: &[u8]) -> SlotContent {
    SlotContent::from_dct(slot, area).unwrap_or_else(|| SlotContent::blank(slot))
}

/// Where an area lies in a flash that begins at address 0.
fn area_range(chip: Chip, area: Area) -> Range<usize> {
    let start = (area.address(chip) - chip.flash()) as usize;
    start..start + lantern_layout::AREA_SIZE
}

fn write<M: Memory + ?Sized>(memory: &mut M, address: u32, bytes: &[u8]) -> Result<(), StoreError> {
    memory.write(address, bytes).map_err(|error| failed("write flash", &error))
}

/// The chip on which lantern's key areas lie where those of the profile do.
fn chip_with_areas_of(board: &BoardProfile) -> Option<Chip> {
    let areas: Vec<u32> = board.keys.iter().flat_map(|keys| &keys.areas).map(|area| area.0).collect();
    let chips = [Chip::Nrf51822, Chip::Nrf52840, Chip::Stm32f205];
    chips.into_iter().find(|chip| areas == [Area::A, Area::B].map(|area| area.address(*chip)))
}

pub(crate) fn failed(asked: &'static str, error: &dyn std::fmt::Display) -> StoreError {
    StoreError { asked, happened: error.to_string() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_whole_key_of_somebody_else_is_a_strange_identity() {
        let area = |key: &SlotContent| {
            let mut area = vec![0xFF; lantern_layout::AREA_SIZE];
            let at = Slot::DevicePrivate.dct_offset() as usize;
            area[at..at + key.expose().len()].copy_from_slice(key.expose());
            area
        };
        let theirs = device_key_from_seed(77);
        assert_eq!(KeyStore::strange_identity(&area(&theirs)), Some(theirs.fingerprint()));
        let mut torn = area(&theirs);
        torn[Slot::DevicePrivate.dct_offset() as usize + 40..].fill(0xFF);
        assert_eq!(KeyStore::strange_identity(&torn), None);
        for ours in private_keys() {
            assert_eq!(KeyStore::strange_identity(&area(&ours)), None);
        }
        assert_eq!(KeyStore::strange_identity(&[0xFF; lantern_layout::AREA_SIZE]), None);
        assert_eq!(KeyStore::strange_identity(&[]), None);
    }
}
