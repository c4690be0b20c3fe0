//! One flash operation that can be cut, and the board right before it.
//!
//! Boundary: one trial. Which trials are made is `sweep`'s business.

use std::sync::Arc;

use brickproof_units::Span;
use brickproof_virtual_board::board::Board;
use brickproof_virtual_board::flash::{CutPoint, FlashCut, FlashRecord};

use super::record::History;
use super::subject::{Healing, Subject};
use super::terminal::run_to;

/// A board is kept this long before the operation that it is kept for: some instructions, whatever the part.
pub(super) const LEAD: Span = Span::nanos(500);

/// One loss of power.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Cut {
    /// Which operation since the board was made ([`FlashRecord::index`]).
    pub operation: u64,
    /// Where inside it.
    pub at: CutPoint,
    /// What chance follows from there on.
    pub seed: u64,
}

/// The cuts of one trial.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Trial {
    /// The cut of an update.
    pub first: Cut,
    /// The cut of the boot after that.
    pub second: Option<Cut>,
}

/// A flash operation of an update, or of the healing after one, and the board that is about to do it.
#[derive(Clone, Debug)]
pub struct Step<S: Subject> {
    pub(super) subject: S,
    pub(super) duty: Arc<S::Duty>,
    pub(super) record: FlashRecord,
    pub(super) before: Board,
}

impl<S: Subject> Step<S> {
    /// The operation as it went undisturbed.
    pub fn operation(&self) -> &FlashRecord {
        &self.record
    }

    /// What the board owes during it.
    pub fn duty(&self) -> &S::Duty {
        &self.duty
    }

    /// Cuts the power at this place of the operation and boots; chance follows `seed`. `None` if the board never gets so far that its
    /// fate could be told.
    pub fn cut(&self, at: CutPoint, seed: u64) -> Option<S::Fate> {
        let mut board = self.switched_on_after(at, seed)?;
        self.subject.fate(&mut board, &self.duty)
    }

    /// The flash operations of the boot after that cut, each to be cut in turn. Empty if the board has nothing to heal, or does not
    /// heal.
    pub fn healing(&self, at: CutPoint, seed: u64) -> Vec<Self> {
        let Some(switched_on) = self.switched_on_after(at, seed) else { return Vec::new() };
        let mut whole = switched_on.clone();
        whole.take_flash_log();
        let Some(Healing { typed, duty }) = self.subject.heal(&mut whole, &self.duty) else { return Vec::new() };
        let duty = Arc::new(duty);
        let operations = whole.take_flash_log().into_iter().map(|record| (record, Arc::clone(&duty))).collect();
        History { typed, operations }.steps(switched_on, &self.subject)
    }

    /// The board after the cut, its power just back.
    pub(super) fn switched_on_after(&self, at: CutPoint, seed: u64) -> Option<Board> {
        let mut board = self.dark_after(at, seed)?;
        board.power_on();
        Some(board)
    }

    /// The board after the cut, still without power: it holds what the cut left, and its firmware has not seen it yet.
    pub fn dark_after(&self, at: CutPoint, seed: u64) -> Option<Board> {
        let mut board = self.before.clone();
        board.reseed(seed);
        board.aim(FlashCut { operation: self.record.index, at });
        let deadline = board.now() + S::LONGEST_BOOT;
        run_to(&mut board, deadline);
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
