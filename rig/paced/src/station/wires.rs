//! The wires of the board's debug port, in the board's own time.
//!
//! Boundary: time and the RESET line. The port itself is the virtual board's.

use std::thread;
use std::time::Duration;

use brickproof_units::Span;
use brickproof_virtual_board::debug::{DebugPort, Refusal, Request, ResetDrive, Swd};

use crate::board::{Button, Hand, Holder};

/// A probe's wires on a board.
pub struct Wires {
    hand: Hand,
    port: DebugPort,
}

impl Wires {
    /// Wires that nobody has used yet.
    pub fn new(hand: Hand) -> Self {
        Self { hand, port: DebugPort::new() }
    }
}

impl Swd for Wires {
    fn transfer(&mut self, request: Request) -> Result<u32, Refusal> {
        self.hand.with_board(|board| self.port.transfer(board, request))
    }

    fn reset_wire(&mut self) {
        self.hand.with_board(|board| self.port.reset_wire(board));
    }

    fn drive_reset(&mut self, drive: ResetDrive) {
        let button = match drive {
            ResetDrive::Low => Button::Pressed,
            ResetDrive::Released => Button::Released,
        };
        self.hand.reset(Holder::Probe, button);
    }

    fn pass(&mut self, time: Span) {
        // The board's time passes by itself.
        thread::sleep(Duration::from_nanos(time.as_nanos()));
    }
}
