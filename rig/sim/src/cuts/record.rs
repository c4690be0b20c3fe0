//! The steps of updates that have been made: a second pass repeats the first to the nanosecond and keeps boards on the way.
//!
//! Boundary: repeats. What is typed, and what is owed when, was found by the subject in the first pass.

use std::sync::Arc;

use brickproof_virtual_board::board::Board;
use brickproof_virtual_board::flash::FlashRecord;

use super::step::{LEAD, Step, kept_before};
use super::subject::Subject;
use super::terminal::{Keystroke, run_to};

/// All that happened to a board, for a second pass.
#[derive(Debug)]
pub(super) struct History<D> {
    pub(super) typed: Vec<Keystroke>,
    /// The operations to be cut, and what the board owed during each.
    pub(super) operations: Vec<(FlashRecord, Arc<D>)>,
}

impl<D> History<D> {
    pub(super) const fn new() -> Self {
        Self { typed: Vec::new(), operations: Vec::new() }
    }

    /// Repeats it all on `board`, as it was before anything was typed, and keeps it before each operation.
    pub(super) fn steps<S: Subject<Duty = D>>(self, mut board: Board, subject: &S) -> Vec<Step<S>> {
        let mut typed = self.typed.into_iter().peekable();
        let keep = |(record, duty): (FlashRecord, Arc<D>)| {
            while let Some(key) = typed.next_if(|key| key.at < record.start) {
                run_to(&mut board, key.at - LEAD);
                board.console_input(key.at, key.byte);
            }
            let before = kept_before(&mut board, &record);
            Step { subject: subject.clone(), duty, record, before }
        };
        self.operations.into_iter().map(keep).collect()
    }
}
