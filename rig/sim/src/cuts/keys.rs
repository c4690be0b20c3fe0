//! lantern's key updates: a board with its cloud, which rotates the device key again and again.
//!
//! Boundary: the subject. [`record`] goes on until every key page was erased twice.

mod boot;
mod fate;
mod release;
mod station;
mod tally;
mod update;

use brickproof_firmware::KeyStore;
use brickproof_keys::KeySet;
use brickproof_keys::lantern_layout::Area;
use brickproof_keys::{Slot, SlotContent};
use brickproof_units::Span;
use brickproof_virtual_board::board::Board;
use brickproof_virtual_board::flash::CutPoint;

pub use fate::{DeviceKey, Fate, Honesty, Survival};
pub use release::Release;
pub use tally::Tally;
pub use update::{Updates, record};

use super::{CutsError, Healing, Step, Subject};
use crate::memory::InFlash;
use boot::Boot;
use station::{CONNECTED, Station};

/// The two keys between which an update is to change.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyChange {
    /// The device private slot before.
    pub old: SlotContent,
    /// The device private slot after.
    pub new: SlotContent,
}

/// What is being cut: a release, and where it keeps its keys.
#[derive(Clone, Copy, Debug)]
pub struct Keys {
    release: Release,
    store: KeyStore,
}

impl Keys {
    fn read_area(&self, board: &Board, area: Area) -> Option<Vec<u8>> {
        self.store.read_area(&mut InFlash(board), area).ok()
    }

    fn read(&self, board: &Board, area: Area) -> Option<KeySet> {
        KeySet::read(&self.read_area(board, area)?)
    }

    /// The device private slot that counts.
    fn device_key(&self, board: &Board) -> Result<SlotContent, CutsError> {
        let area = self.store.current_area(&mut InFlash(board)).map_err(|_| CutsError::KeyArea)?;
        let keys = self.read(board, area).ok_or(CutsError::KeyArea)?;
        Ok(keys.get(Slot::DevicePrivate).clone())
    }
}

impl Subject for Keys {
    type Duty = KeyChange;
    type Fate = Fate;

    const LONGEST_BOOT: Span = boot::LONGEST_BOOT;

    fn fate(&self, board: &mut Board, change: &KeyChange) -> Option<Fate> {
        Fate::after_boot(board, self, change)
    }

    fn heal(&self, board: &mut Board, change: &KeyChange) -> Option<Healing<KeyChange>> {
        Boot::new(board).until_healed(board)?;
        Some(Healing { typed: Vec::new(), duty: change.clone() })
    }
}

impl Step<Keys> {
    /// Whether a cloud that knows both keys welcomes the board after that cut: the slow way to learn what [`Fate::survival`] says, and
    /// the only one that asks nobody but firmware and cloud.
    pub fn connects(&self, at: CutPoint, seed: u64) -> bool {
        let Some(board) = self.switched_on_after(at, seed) else { return false };
        let KeyChange { old, new } = self.duty().clone();
        let outcomes = [CONNECTED, "Cloud handshake failed", "Cloud socket connection failed"];
        Station::new(board, vec![old, new], seed).wait_for(outcomes) == Ok(CONNECTED)
    }
}
