//! What answers at an address that is neither code nor RAM: registers, identity, user configuration, and flash that is written.
//!
//! Boundary: decodes and passes on. What follows from a write, between the peripherals and for the core, is `soc`'s.

use super::unit::{NVMC, PERIPHERALS, PPI, Unit, unit_at};
use super::{FlashMode, Soc};
use crate::bus::{BusFault, Clock, Width};
use crate::flash::{FlashOperation, UICR};
use crate::nrf::Part;
use crate::nrf::peripheral::NONE;

const FICR: u32 = 0x1000_0000;

impl Soc {
    fn read_peripheral(&mut self, address: u32, clock: &mut Clock) -> u32 {
        let (number, offset) = ((address - PERIPHERALS) >> 12, address & 0xFFF);
        let Some(unit) = unit_at(number, self.part) else {
            return match number {
                NVMC => self.read_flash_controller(offset),
                PPI => self.ppi.read(offset),
                _ => 0,
            };
        };
        if let Some(value) = self.peripheral(unit).events().read(offset) {
            return value;
        }
        if offset == 0xFFC {
            // The peripheral's own power switch (nRF51): on.
            return 1;
        }
        let value = self.peripheral(unit).read(offset, clock.cycle);
        // Reading RXD moves the next byte up.
        if offset == 0x518 {
            self.settle(unit, NONE, clock);
        }
        value
    }

    fn write_peripheral(&mut self, address: u32, value: u32, clock: &mut Clock) {
        let (number, offset) = ((address - PERIPHERALS) >> 12, address & 0xFFF);
        let Some(unit) = unit_at(number, self.part) else {
            return match number {
                NVMC => self.write_flash_controller(offset, value, clock),
                PPI => {
                    self.ppi.write(offset, value);
                    self.rewire(clock);
                }
                _ => {}
            };
        };
        let happened = if offset < 0x100 {
            if value == 0 { NONE } else { self.run_task(unit, offset, clock) }
        } else if self.peripheral(unit).events().write(offset, value).is_some() {
            self.peripheral(unit).listeners_changed(clock.cycle);
            NONE
        } else {
            let edges = self.pins.edges().len();
            let happened = self.peripheral(unit).write(offset, value, clock.cycle);
            self.follow_pins(edges, clock);
            happened
        };
        // POFCON: the comparator is the supply's.
        if unit == Unit::PowerClock && offset == 0x510 {
            self.pause(clock);
        }
        self.settle(unit, happened, clock);
    }

    fn read_flash_controller(&self, offset: u32) -> u32 {
        match offset {
            // READY and READYNEXT: the core stalls while the controller is busy, so that only a debugger sees otherwise.
            0x400 | 0x408 => u32::from(self.flash.under_way().is_none()),
            0x504 => match self.flash_mode {
                FlashMode::Read => 0,
                FlashMode::Write => 1,
                FlashMode::Erase => 2,
            },
            0x540 => self.cache,
            _ => 0,
        }
    }

    fn write_flash_controller(&mut self, offset: u32, value: u32, clock: &mut Clock) {
        let operation = match offset {
            0x504 => {
                self.flash_mode = match value & 3 {
                    1 => FlashMode::Write,
                    2 => FlashMode::Erase,
                    _ => FlashMode::Read,
                };
                return;
            }
            0x540 => return self.cache = value,
            // ERASEPAGE (ERASEPCR1 on the nRF51) and ERASEPCR0: without a protected region they do the same.
            0x508 | 0x510 => FlashOperation::ErasePage { address: value },
            0x50C if value & 1 == 1 => FlashOperation::EraseAll,
            0x514 if value & 1 == 1 => FlashOperation::EraseUicr,
            _ => return,
        };
        if self.flash_mode == FlashMode::Erase {
            self.begin_flash(operation, clock);
        }
    }

    fn begin_flash(&mut self, operation: FlashOperation, clock: &mut Clock) {
        // Below its power-fail threshold the nRF52840 blocks the controller (Nordic's answer in the field, not the specification).
        if self.part == Part::Nrf52840 && self.power_warned {
            return;
        }
        if self.flash.begin(operation, self.rate.instant(clock.cycle)).is_some() {
            self.pause(clock);
        }
    }

    #[inline(never)]
    pub(super) fn read_elsewhere(&mut self, address: u32, width: Width, clock: &mut Clock) -> Result<u32, BusFault> {
        let word = match address {
            FICR..UICR => self.identity.read(address & 0xFFC),
            UICR..0x1000_2000 => self.flash.read_uicr(address & 0xFFC),
            PERIPHERALS..0x4010_0000 => self.read_peripheral(address & !3, clock),
            0x5000_0000..0x6000_0000 => {
                port_register(address).map_or(0, |(port, offset)| self.pins.read_port(port, offset))
            }
            0xF000_0000.. => vendor_rom(address & !3),
            _ => return Err(BusFault),
        };
        let shifted = word >> (8 * (address & 3));
        Ok(match width {
            Width::Byte => shifted & 0xFF,
            Width::Half => shifted & 0xFFFF,
            Width::Word => shifted,
        })
    }

    #[inline(never)]
    pub(super) fn write_elsewhere(
        &mut self,
        address: u32,
        value: u32,
        width: Width,
        clock: &mut Clock,
    ) -> Result<(), BusFault> {
        let is_flash = address < self.flash.geometry().size || (UICR..0x1000_2000).contains(&address);
        match address {
            // "Before a write can be performed, the NVMC must be enabled for writing" (nRF52832 product specification, NVMC); no manual
            // says what becomes of one that comes without. It is ignored here, as a debugger's write to a real nRF52 is (pyOCD issue
            // 236: the word keeps its value and nothing faults).
            _ if is_flash && self.flash_mode == FlashMode::Read => {}
            // "Only word-aligned writes are allowed. Byte or half-word-aligned writes will result in a hard fault." (nRF51
            // reference manual v3.0, 6.1.1)
            _ if is_flash && width != Width::Word => return Err(BusFault),
            _ if is_flash && self.flash_mode == FlashMode::Write => {
                self.begin_flash(FlashOperation::Program { address, value }, clock);
            }
            _ if is_flash => {}
            FICR..UICR => {}
            PERIPHERALS..0x4010_0000 => self.write_peripheral(address & !3, value, clock),
            0x5000_0000..0x6000_0000 => self.write_port(address, value, clock),
            0xF000_0000.. => {}
            _ => return Err(BusFault),
        }
        Ok(())
    }

    fn write_port(&mut self, address: u32, value: u32, clock: &mut Clock) {
        let Some((port, offset)) = port_register(address) else { return };
        let edges = self.pins.edges().len();
        let happened = self.pins.write_port(port, offset, value, clock.cycle);
        if happened != NONE {
            self.settle(Unit::Pins, happened, clock);
        }
        self.follow_pins(edges, clock);
    }
}

/// The port and the register at an address from 0x5000_0000 on. P1 begins 0x300 after P0 and its registers keep their offsets, so
/// 0x5000_0504 is P0.OUT and 0x5000_0804 is P1.OUT.
fn port_register(address: u32) -> Option<(usize, u32)> {
    match address & 0x0FFF_FFFC {
        offset @ 0x500..0x800 => Some((0, offset)),
        offset @ 0x800..0xB00 => Some((1, offset - 0x300)),
        _ => None,
    }
}

/// What the vendor's ROM table says to the start-up code of the nRF51 SDK, which asks whether the part is of an early revision that
/// needs its peripherals powered by hand. These are the answers of a third-revision part (recalled from system_nrf51.c), with Nordic's
/// name (JEP106 0x144) for debuggers, which begin to look here.
fn vendor_rom(address: u32) -> u32 {
    match address {
        // The one entry: the ROM table of the core, at 0xE00F_F000.
        0xF000_0000 => 0xF00F_F003,
        0xF000_0FD0 => 0x02,
        0xF000_0FE0 => 0x01,
        0xF000_0FE4 => 0x40,
        0xF000_0FE8 => 0x7C,
        0xF000_0FF0 => 0x0D,
        0xF000_0FF4 => 0x10,
        0xF000_0FF8 => 0x05,
        0xF000_0FFC => 0xB1,
        _ => 0,
    }
}
