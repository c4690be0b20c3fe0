//! The debug port of a virtual board, and the probes through which other people's tools speak to it.
//!
//! Boundary: pure. [`DebugPort`] answers one transfer on the two wires (SWD) of a board that somebody else keeps; [`CmsisDap`] and
//! [`BlackMagic`] turn the bytes of a probe's protocol into transfers and back. Who carries the bytes, and how the board's time passes
//! between two transfers, is the caller's: that is what [`Swd`] is for. SWD only, one debug port per wire: no JTAG, no multi-drop.

mod black_magic;
mod cmsis_dap;
mod leash;
mod port;
#[cfg(test)]
mod tests;
mod wire;

use brickproof_units::Span;

pub use black_magic::BlackMagic;
pub use cmsis_dap::{CmsisDap, PACKET_SIZE as CMSIS_DAP_PACKET_SIZE};
pub use leash::Leash;
pub use port::DebugPort;

/// Which of the two banks of four registers a transfer is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Bank {
    /// The debug port's own (DPIDR, CTRL/STAT, SELECT, RDBUFF...).
    Port,
    /// Those of the access port that SELECT names.
    Access,
}

/// One transfer on the wire. The register's `address` is 0, 4, 8 or 12.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Request {
    /// Reads a register. Reading an access port gives what the transfer before it read; RDBUFF gives the last.
    Read(Bank, u8),
    /// Writes a register.
    Write(Bank, u8, u32),
}

/// Any acknowledgement but OK.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// The access before is not finished; the same again later.
    Wait,
    /// An error is remembered; ABORT clears it.
    Fault,
    /// Nobody drives the line: no power, or the wire must be reset first.
    NoAnswer,
}

/// What a probe holds the RESET line at.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ResetDrive {
    /// Nothing: the line is the board's.
    #[default]
    Released,
    /// Ground.
    Low,
}

/// The two wires of a board's debug port and its RESET line, as a probe holds them.
pub trait Swd {
    /// Makes one transfer, once.
    fn transfer(&mut self, request: Request) -> Result<u32, Refusal>;
    /// Keeps the data line high for 50 clocks and more, after which the port listens for a read of DPIDR.
    fn reset_wire(&mut self);
    /// Drives the RESET line.
    fn drive_reset(&mut self, drive: ResetDrive);
    /// Lets so much of the board's time pass: a delay that was asked for, or the time until the next try.
    fn pass(&mut self, time: Span);
}

/// How long a probe waits until it tries again what was answered with WAIT.
const RETRY_AFTER: Span = Span::micros(20);

/// Makes a transfer, and makes it again as long as it is answered with WAIT, at most so many times.
fn transfer_patiently(swd: &mut impl Swd, request: Request, retries: u32) -> Result<u32, Refusal> {
    for _ in 0..retries {
        match swd.transfer(request) {
            Err(Refusal::Wait) => swd.pass(RETRY_AFTER),
            answer => return answer,
        }
    }
    swd.transfer(request)
}
