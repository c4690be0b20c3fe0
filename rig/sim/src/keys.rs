//! The keys of a simulated station: what the board is provisioned with, what the cloud knows, and what a slot turns out to hold.
//!
//! Boundary: the published test keys of `fixtures/keys` and lantern's layout; bytes in the board's flash are read and written through it.

use std::sync::{Arc, LazyLock};

use brickproof_keys::lantern_layout::{self, Area, CopyState, KeySet, Store};
use brickproof_keys::{
    Alternates, Corruption, Fingerprint, Host, ServerAddress, Slot, SlotContent, device_key_from_seed,
};
use brickproof_scenario::plan;
use brickproof_trial::CommandError;
use brickproof_virtual_board::board::Board;
use brickproof_virtual_board::nrf::Chip;

const PROBE: &str = "the probe";

macro_rules! published {
    ($slot:ident, $file:literal) => {
        SlotContent::new(Slot::$slot, include_bytes!(concat!("../../../fixtures/keys/", $file)))
            .expect("the published test keys fit their slots")
    };
}

/// The published keys, decoded once.
pub(crate) struct Published {
    pub(crate) set: KeySet,
    pub(crate) device_old: SlotContent,
    pub(crate) device_new: SlotContent,
    pub(crate) server: SlotContent,
    pub(crate) server_other: SlotContent,
    pub(crate) address: SlotContent,
    wrong_address: SlotContent,
}

pub(crate) static PUBLISHED: LazyLock<Published> = LazyLock::new(|| {
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

/// How the image keeps its keys, and on which chip.
#[derive(Clone, Copy, Debug)]
pub(crate) struct KeyStore {
    pub(crate) chip: Chip,
    pub(crate) store: Store,
}

impl KeyStore {
    fn layout(self) -> lantern_layout::Chip {
        match self.chip {
            Chip::Nrf51822 => lantern_layout::Chip::Nrf51822,
            Chip::Nrf52840 => lantern_layout::Chip::Nrf52840,
        }
    }

    /// Whether the address lies in that area.
    pub(crate) fn holds(self, area: Area, address: u32) -> bool {
        let start = area.address(self.layout());
        (start..start + lantern_layout::AREA_SIZE as u32).contains(&address)
    }

    /// Writes the genuine keys as a factory would.
    pub(crate) fn provision(self, board: &mut Board) -> Result<(), CommandError> {
        for content in lantern_layout::factory_content(self.layout(), self.store, &PUBLISHED.set) {
            write(board, content.address, &content.bytes)?;
        }
        Ok(())
    }

    /// The area that counts: with two copies the current one, and the first if neither is valid.
    pub(crate) fn current_area(self, board: &Board) -> Result<Area, CommandError> {
        if self.store == Store::SingleCopy {
            return Ok(Area::A);
        }
        let states = [self.read_area(board, Area::A)?, self.read_area(board, Area::B)?].map(|it| CopyState::read(&it));
        Ok(lantern_layout::current_copy(states[0], states[1]).unwrap_or(Area::A))
    }

    pub(crate) fn read_area(self, board: &Board, area: Area) -> Result<Vec<u8>, CommandError> {
        let mut bytes = vec![0; lantern_layout::AREA_SIZE];
        let read = board.flash().read_raw(area.address(self.layout()), &mut bytes);
        read.map_err(|error| failed("read the key area", &error))?;
        Ok(bytes)
    }

    fn slot(self, board: &Board, slot: Slot) -> Result<(Area, SlotContent), CommandError> {
        let area = self.current_area(board)?;
        let bytes = self.read_area(board, area)?;
        let content = SlotContent::from_dct(slot, &bytes).unwrap_or_else(|| SlotContent::blank(slot));
        Ok((area, content))
    }

    /// What the slot holds, compared with what it was provisioned with and with what the cloud issued.
    pub(crate) fn read_slot(
        self,
        board: &Board,
        slot: Slot,
        issued: Option<Fingerprint>,
    ) -> Result<plan::SlotContent, CommandError> {
        let (_, content) = self.slot(board, slot)?;
        Ok(if content == *PUBLISHED.set.get(slot) {
            plan::SlotContent::Old
        } else if issued == Some(content.fingerprint()) && slot == Slot::DevicePrivate {
            plan::SlotContent::New
        } else if content.used() == 0 {
            plan::SlotContent::Blank
        } else {
            plan::SlotContent::Torn
        })
    }

    /// Damages the slot where it counts; says what changed.
    pub(crate) fn corrupt(
        self,
        board: &mut Board,
        slot: Slot,
        class: Corruption,
        seed: u64,
    ) -> Result<Arc<str>, CommandError> {
        let (area, content) = self.slot(board, slot)?;
        let damaged =
            class.apply(&content, seed, &alternates(slot)).map_err(|error| failed("corrupt a slot", &error))?;
        let address = area.address(self.layout()) + slot.dct_offset();
        write(board, address, damaged.content.expose())?;
        Ok(format!("{slot}: {}", damaged.change).into())
    }
}

/// The device keys that a simulated station writes, hands out or puts in place of another: none of them may be shown.
pub fn private_keys() -> [SlotContent; 3] {
    [PUBLISHED.device_old.clone(), PUBLISHED.device_new.clone(), stale_key()]
}

/// A device key that the cloud no longer knows.
fn stale_key() -> SlotContent {
    device_key_from_seed(1)
}

/// What can stand in place of the right content.
fn alternates(slot: Slot) -> Alternates {
    let keys = &*PUBLISHED;
    let (stale, other) = match slot {
        Slot::DevicePrivate => (stale_key(), keys.device_new.clone()),
        Slot::ServerPublic => (keys.server_other.clone(), keys.server_other.clone()),
        Slot::ServerAddress => (keys.wrong_address.clone(), keys.wrong_address.clone()),
    };
    Alternates { stale: Some(stale), other: Some(other), wrong_address: Some(keys.wrong_address.clone()) }
}

fn write(board: &mut Board, address: u32, bytes: &[u8]) -> Result<(), CommandError> {
    board.write_flash(address, bytes).map_err(|error| failed("write flash", &error))
}

fn failed(asked: &str, error: &dyn std::error::Error) -> CommandError {
    CommandError::Failed { instrument: PROBE, asked: asked.into(), happened: error.to_string().into() }
}
