//! A debug port and its access ports, one transfer at a time.
//!
//! Boundary: ARM IHI 0031 (ADIv5), as far as a Cortex-M0 or M4 of Nordic's has it: SW-DP version 1, a memory access port (AHB-AP) and on the
//! nRF52840 CTRL-AP. Not modelled: pushed compares (TRNMODE, MASKLANE, TRNCNT), RESEND of anything but the last read.

use super::{Bank, Refusal, Request};
use crate::board::{Board, Refused};
use crate::bus::Width;
use crate::chip::Chip;

const ABORT: u8 = 0x0;
const DPIDR: u8 = 0x0;
const CTRL_STAT: u8 = 0x4;
const SELECT: u8 = 0x8;
const RESEND: u8 = 0x8;

const ABORT_STKERRCLR: u32 = 1 << 2;
const ABORT_ORUNERRCLR: u32 = 1 << 4;
const ORUNDETECT: u32 = 1 << 0;
const STICKYORUN: u32 = 1 << 1;
const STICKYERR: u32 = 1 << 5;
const READOK: u32 = 1 << 6;
const CDBGPWRUPREQ: u32 = 1 << 28;
const CSYSPWRUPREQ: u32 = 1 << 30;
/// What CTRL/STAT keeps of what is written.
const CONTROL_BITS: u32 = CSYSPWRUPREQ | CDBGPWRUPREQ | 0x00FF_FF00 | 0b1100 | ORUNDETECT;

const CSW: u8 = 0x00;
const TAR: u8 = 0x04;
const DRW: u8 = 0x0C;
const CSW_DEVICE_ENABLED: u32 = 1 << 6;
/// Prot, AddrInc and Size.
const CSW_BITS: u32 = 0x7F00_0037;
const CSW_AT_RESET: u32 = 0x0300_0002;

const CTRL_RESET: u8 = 0x00;
const CTRL_ERASEALL: u8 = 0x04;
const CTRL_ERASEALLSTATUS: u8 = 0x08;
const CTRL_APPROTECTSTATUS: u8 = 0x0C;

/// Whether the port listens (IHI 0031 B4.3).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Line {
    /// It has not seen a reset of the wire since it got power, or lost step.
    #[default]
    Deaf,
    /// The wire was reset: nothing but a read of DPIDR may come.
    Reset,
    Listening,
}

/// Why an access port could not do what it was asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Denied {
    Busy,
    Error,
}

impl From<Refused> for Denied {
    fn from(refused: Refused) -> Self {
        match refused {
            Refused::Busy => Self::Busy,
            Refused::Fault => Self::Error,
        }
    }
}

/// The debug port of a board. It knows by the board when its power went, and with it what it held.
#[derive(Clone, Debug, Default)]
pub struct DebugPort {
    line: Line,
    /// The board's power losses when this was written.
    epoch: u64,
    control: u32,
    sticky: u32,
    select: u32,
    /// What the last read of an access port got.
    posted: u32,
    word: u32,
    address: u32,
    reset: u32,
}

impl DebugPort {
    /// The port of a board that was just made.
    pub fn new() -> Self {
        Self::default()
    }

    /// Makes one transfer; what it asks of the chip is done at the board's present instant, which does not pass here.
    pub fn transfer(&mut self, board: &mut Board, request: Request) -> Result<u32, Refusal> {
        self.look_at_power(board);
        self.listen(board, request)?;
        match request {
            Request::Read(Bank::Port, address) => self.read_port(board, address),
            Request::Write(Bank::Port, address, value) => self.write_port(board, address, value),
            Request::Read(Bank::Access, address) => {
                self.check_access()?;
                let read = self.read_access(board, self.register(address));
                let value = self.settle(read)?;
                Ok(std::mem::replace(&mut self.posted, value.unwrap_or_default()))
            }
            Request::Write(Bank::Access, address, value) => {
                self.check_access()?;
                let written = self.write_access(board, self.register(address), value);
                self.settle(written).map(|_| 0)
            }
        }
    }

    /// The data line was high for 50 clocks and more.
    pub fn reset_wire(&mut self, board: &Board) {
        self.look_at_power(board);
        if board.is_powered() {
            self.line = Line::Reset;
            self.select = 0;
        }
    }

    fn look_at_power(&mut self, board: &Board) {
        if self.epoch != board.power_losses() || !board.is_powered() {
            *self = Self { epoch: board.power_losses(), word: CSW_AT_RESET, ..Self::default() };
        }
    }

    fn listen(&mut self, board: &Board, request: Request) -> Result<(), Refusal> {
        self.line = match (self.line, request) {
            _ if !board.is_powered() => Line::Deaf,
            (Line::Listening, _) | (Line::Reset, Request::Read(Bank::Port, DPIDR)) => Line::Listening,
            (Line::Deaf | Line::Reset, _) => Line::Deaf,
        };
        if self.line == Line::Listening { Ok(()) } else { Err(Refusal::NoAnswer) }
    }

    fn refuse(&mut self, refusal: Refusal) -> Refusal {
        if self.control & ORUNDETECT != 0 {
            self.sticky |= STICKYORUN;
        }
        refusal
    }

    /// With an error remembered, only DPIDR, CTRL/STAT and ABORT are there (IHI 0031 B4.2.5).
    fn check_sticky(&mut self) -> Result<(), Refusal> {
        if self.sticky & (STICKYERR | STICKYORUN) == 0 { Ok(()) } else { Err(self.refuse(Refusal::Fault)) }
    }

    fn check_access(&mut self) -> Result<(), Refusal> {
        self.check_sticky()?;
        if self.control & CDBGPWRUPREQ == 0 {
            self.sticky |= STICKYERR;
            return Err(self.refuse(Refusal::Fault));
        }
        Ok(())
    }

    /// What an access came to, as the wire tells it: a bus error is only remembered, and shows at the next transfer.
    fn settle<T>(&mut self, result: Result<T, Denied>) -> Result<Option<T>, Refusal> {
        match result {
            Ok(value) => Ok(Some(value)),
            Err(Denied::Busy) => Err(self.refuse(Refusal::Wait)),
            Err(Denied::Error) => {
                self.sticky |= STICKYERR;
                Ok(None)
            }
        }
    }

    fn read_port(&mut self, board: &Board, address: u8) -> Result<u32, Refusal> {
        match (address & 0xC, self.select & 0xF) {
            (DPIDR, _) => Ok(match board.soc().chip() {
                // Minimal debug port, version 1; version 1 (designer ARM).
                Chip::Nrf51822 => 0x0BB1_1477,
                Chip::Nrf52840 | Chip::Stm32f205 => 0x2BA0_1477,
            }),
            (CTRL_STAT, 0) => {
                let acknowledged = (self.control & (CDBGPWRUPREQ | CSYSPWRUPREQ)) << 1;
                Ok(self.control | acknowledged | self.sticky)
            }
            // DLCR: a turnaround of one clock.
            (CTRL_STAT, 1) => Ok(0x40),
            (CTRL_STAT, _) => Ok(0),
            (RESEND, _) | (_, _) => {
                self.check_sticky()?;
                self.sticky |= READOK;
                Ok(self.posted)
            }
        }
    }

    fn write_port(&mut self, board: &mut Board, address: u8, value: u32) -> Result<u32, Refusal> {
        if address & 0xC == ABORT {
            let cleared = |bit, flag| if value & bit == 0 { 0 } else { flag };
            self.sticky &= !(cleared(ABORT_STKERRCLR, STICKYERR) | cleared(ABORT_ORUNERRCLR, STICKYORUN));
            return Ok(0);
        }
        self.check_sticky()?;
        match (address & 0xC, self.select & 0xF) {
            (CTRL_STAT, 0) => {
                self.control = value & CONTROL_BITS;
                board.set_debugger_present(self.control & CDBGPWRUPREQ != 0);
            }
            (SELECT, _) => self.select = value,
            _ => {}
        }
        Ok(0)
    }

    fn register(&self, address: u8) -> u8 {
        self.select as u8 & 0xF0 | address & 0xC
    }

    fn read_access(&mut self, board: &mut Board, register: u8) -> Result<u32, Denied> {
        match (self.select >> 24, board.soc().chip()) {
            (0, _) => self.read_memory_port(board, register),
            (1, Chip::Nrf52840) => Ok(match register {
                CTRL_RESET => self.reset,
                CTRL_ERASEALLSTATUS => u32::from(board.is_erasing()),
                CTRL_APPROTECTSTATUS => u32::from(!board.is_locked_out()),
                0xFC => 0x0288_0000,
                _ => 0,
            }),
            _ => Ok(0),
        }
    }

    fn write_access(&mut self, board: &mut Board, register: u8, value: u32) -> Result<(), Denied> {
        match (self.select >> 24, board.soc().chip(), register) {
            (0, ..) => return self.write_memory_port(board, register, value),
            (1, Chip::Nrf52840, CTRL_RESET) => {
                self.reset = value & 1;
                board.debug_reset(self.reset == 1);
            }
            (1, Chip::Nrf52840, CTRL_ERASEALL) if value & 1 == 1 => board.debug_erase_all(),
            _ => {}
        }
        Ok(())
    }

    fn read_memory_port(&mut self, board: &mut Board, register: u8) -> Result<u32, Denied> {
        match register {
            CSW => Ok(self.word | if board.is_locked_out() { 0 } else { CSW_DEVICE_ENABLED }),
            TAR => Ok(self.address),
            DRW => {
                let mut value = 0;
                self.move_data(board, |board, address, width| {
                    value |= board.debug_read(address, width)? << lane(address);
                    Ok(())
                })?;
                Ok(value)
            }
            0x10..=0x1C => {
                unlocked(board)?;
                Ok(board.debug_read(self.banked(register), Width::Word)?)
            }
            // The ROM tables, and the access ports of a Cortex-M0 and of a Cortex-M3 or M4.
            0xF8 if board.soc().chip() == Chip::Nrf51822 => Ok(0xF000_0003),
            0xF8 => Ok(0xE00F_F003),
            0xFC if board.soc().chip() == Chip::Nrf51822 => Ok(0x0477_0021),
            0xFC => Ok(0x2477_0011),
            _ => Ok(0),
        }
    }

    fn write_memory_port(&mut self, board: &mut Board, register: u8, value: u32) -> Result<(), Denied> {
        match register {
            CSW => {
                // Packed transfers are the Cortex-M3's and M4's only (DDI 0432 has none).
                let packed = if board.soc().chip() == Chip::Nrf51822 { 0x20 } else { 0 };
                self.word = value & CSW_BITS & !packed;
            }
            TAR => self.address = value,
            DRW => self
                .move_data(board, |board, address, width| board.debug_write(address, value >> lane(address), width))?,
            0x10..=0x1C => {
                unlocked(board)?;
                board.debug_write(self.banked(register), value, Width::Word)?;
            }
            _ => {}
        }
        Ok(())
    }

    fn banked(&self, register: u8) -> u32 {
        self.address & !0xF | u32::from(register & 0xC)
    }

    /// Moves what one access of DRW moves: one item at TAR, or with packed transfers as many as fill a word. TAR goes on after each if it is to,
    /// in its lowest ten bits.
    fn move_data(
        &mut self,
        board: &mut Board,
        mut each: impl FnMut(&mut Board, u32, Width) -> Result<(), Refused>,
    ) -> Result<(), Denied> {
        unlocked(board)?;
        let (width, bytes) = match self.word & 7 {
            0 => (Width::Byte, 1),
            1 => (Width::Half, 2),
            _ => (Width::Word, 4),
        };
        let (increments, items) = match self.word >> 4 & 3 {
            0 => (false, 1),
            2 => (true, 4 / bytes),
            _ => (true, 1),
        };
        for _ in 0..items {
            each(board, self.address, width)?;
            if increments {
                self.address = self.address & !0x3FF | self.address.wrapping_add(bytes) & 0x3FF;
            }
        }
        Ok(())
    }
}

/// APPROTECT closes the memory access port.
fn unlocked(board: &Board) -> Result<(), Denied> {
    if board.is_locked_out() { Err(Denied::Error) } else { Ok(()) }
}

/// Where in a word of the bus the bytes at `address` lie.
fn lane(address: u32) -> u32 {
    8 * (address & 3)
}
