//! One flash operation that can be cut, and the board right before it.
//!
//! Boundary: one trial. Which trials are made is `sweep`'s business.

use std::sync::Arc;

use brickproof_firmware::KeyStore;
use brickproof_keys::lantern_layout::{Area, KeySet};
use brickproof_keys::{Slot, SlotContent};
use brickproof_units::{Instant, Span};
use brickproof_virtual_board::board::{Board, Pause};
use brickproof_virtual_board::flash::{CutPoint, FlashCut, FlashRecord};

use super::CutsError;
use super::boot::{Boot, LONGEST_BOOT};
use super::fate::Fate;
use super::release::Release;
use super::station::{CONNECTED, Station};
use crate::memory::InFlash;

/// A board is kept this long before the operation that it is kept for: some instructions, whatever the part.
pub(super) const LEAD: Span = Span::nanos(500);

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
pub(super) struct Subject {
    pub(super) release: Release,
    pub(super) store: KeyStore,
}

impl Subject {
    pub(super) fn read_area(&self, board: &Board, area: Area) -> Option<Vec<u8>> {
        self.store.read_area(&mut InFlash(board), area).ok()
    }

    pub(super) fn read(&self, board: &Board, area: Area) -> Option<KeySet> {
        KeySet::read(&self.read_area(board, area)?)
    }

    /// The device private slot that counts.
    pub(super) fn device_key(&self, board: &Board) -> Result<SlotContent, CutsError> {
        let area = self.store.current_area(&mut InFlash(board)).map_err(|_| CutsError::KeyArea)?;
        let keys = self.read(board, area).ok_or(CutsError::KeyArea)?;
        Ok(keys.get(Slot::DevicePrivate).clone())
    }
}

/// A flash operation of an update, or of the healing after one, and the board that is about to do it.
#[derive(Clone, Debug)]
pub struct Step {
    pub(super) subject: Subject,
    pub(super) change: Arc<KeyChange>,
    pub(super) record: FlashRecord,
    pub(super) before: Board,
}

impl Step {
    /// The operation as it went undisturbed.
    pub fn operation(&self) -> &FlashRecord {
        &self.record
    }

    /// The update that it belongs to.
    pub fn change(&self) -> &KeyChange {
        &self.change
    }

    /// Cuts the power at this place of the operation and boots; chance follows `seed`. `None` if the board never gets so far that its
    /// keys could be told.
    pub fn cut(&self, at: CutPoint, seed: u64) -> Option<Fate> {
        let mut board = self.switched_on_after(at, seed)?;
        Fate::after_boot(&mut board, &self.subject, &self.change)
    }

    /// Whether a cloud that knows both keys welcomes the board after that cut: the slow way to learn what [`Fate::survival`] says, and
    /// the only one that asks nobody but firmware and cloud.
    pub fn connects(&self, at: CutPoint, seed: u64) -> bool {
        let Some(board) = self.switched_on_after(at, seed) else { return false };
        let KeyChange { old, new } = self.change.as_ref().clone();
        let outcomes = [CONNECTED, "Cloud handshake failed", "Cloud socket connection failed"];
        Station::new(board, vec![old, new], seed).wait_for(outcomes) == Ok(CONNECTED)
    }

    /// The flash operations of the boot after that cut, each to be cut in turn. Empty if the board has nothing to heal, or does not
    /// heal.
    pub fn healing(&self, at: CutPoint, seed: u64) -> Vec<Self> {
        let Some(switched_on) = self.switched_on_after(at, seed) else { return Vec::new() };
        let mut whole = switched_on.clone();
        whole.take_flash_log();
        if Boot::new(&whole).until_healed(&mut whole).is_none() {
            return Vec::new();
        }
        let mut board = switched_on;
        let keep = |record: FlashRecord| Self {
            subject: self.subject,
            change: Arc::clone(&self.change),
            record,
            before: kept_before(&mut board, &record),
        };
        whole.take_flash_log().into_iter().map(keep).collect()
    }

    /// The board after the cut, its power just back.
    pub(super) fn switched_on_after(&self, at: CutPoint, seed: u64) -> Option<Board> {
        let mut board = self.before.clone();
        board.reseed(seed);
        board.aim(FlashCut { operation: self.record.index, at });
        let deadline = board.now() + LONGEST_BOOT;
        while let Pause::ConsoleByte(_) = board.run_until(deadline) {}
        board.power_on();
        // Without the cut the board would still run.
        (board.flash().operations() == self.record.index + 1).then_some(board)
    }
}

/// Lets the board run to shortly before the operation and keeps it as it is then.
pub(super) fn kept_before(board: &mut Board, record: &FlashRecord) -> Board {
    run_to(board, record.start - LEAD);
    let mut kept = board.clone();
    kept.take_flash_log();
    kept.take_life_log();
    kept
}

/// Lets the board run, whatever it says.
pub(super) fn run_to(board: &mut Board, until: Instant) {
    while let Pause::ConsoleByte(_) = board.run_until(until) {}
}
