//! A board whose time passes by its transfers.
//!
//! Boundary: for a world without a clock of its own, where nothing happens but what the debugger does. Where time passes by itself, [`Swd`] is
//! implemented there.

use brickproof_units::{Instant, Span};

use super::{DebugPort, Refusal, Request, ResetDrive, Swd};
use crate::board::{Board, Pause};

/// One transfer at 4 MHz: 46 clocks of header, acknowledgement, data, parity and turnarounds.
const TRANSFER: Span = Span::new(11_500);

/// A board on the leash of its debugger.
#[derive(Debug)]
pub struct Leash<'a> {
    board: &'a mut Board,
    port: &'a mut DebugPort,
    per_transfer: Span,
}

impl<'a> Leash<'a> {
    /// Every transfer takes as long as on a wire at 4 MHz. What the board is to pause for besides ([`Board::pause_on`]) is not told.
    pub fn new(board: &'a mut Board, port: &'a mut DebugPort) -> Self {
        Self { board, port, per_transfer: TRANSFER }
    }

    /// Every transfer takes `per_transfer`: a debugger that looks less often.
    pub fn paced(self, per_transfer: Span) -> Self {
        Self { per_transfer, ..self }
    }

    fn run_until(&mut self, until: Instant) {
        loop {
            match self.board.run_until(until) {
                Pause::ConsoleByte(_) | Pause::ConsoleLine | Pause::PowerCut => {}
                Pause::Reached | Pause::Quiet => return,
                Pause::RailPassage(_) => self.board.drain_rail_passages().for_each(drop),
            }
        }
    }
}

impl Swd for Leash<'_> {
    fn transfer(&mut self, request: Request) -> Result<u32, Refusal> {
        self.pass(self.per_transfer);
        self.port.transfer(self.board, request)
    }

    fn reset_wire(&mut self) {
        self.pass(self.per_transfer);
        self.port.reset_wire(self.board);
    }

    fn drive_reset(&mut self, drive: ResetDrive) {
        match drive {
            ResetDrive::Low => self.board.press_reset(),
            ResetDrive::Released => self.board.release_reset(),
        }
    }

    fn pass(&mut self, time: Span) {
        self.run_until(self.board.now() + time);
    }
}
