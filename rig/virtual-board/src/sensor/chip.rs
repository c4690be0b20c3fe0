//! A TCS34725 at the level of its registers, behind I2C.
//!
//! Boundary: registers, cycles and full scale. What light falls on it is told by [`super::optics`]; transfers take no time here.
//!
//! Registers as in the TCS3472 data sheet (DS000390). Interrupts and their thresholds are stored and otherwise ignored: the rig polls.

use brickproof_units::{Instant, Span};
use embedded_hal::i2c::{ErrorKind, ErrorType, I2c, NoAcknowledgeSource, Operation};

use super::Channels;
use crate::led::Window;

/// The one address that the part answers to.
const ADDRESS: u8 = 0x29;
const PART_NUMBER: u8 = 0x44;

/// One step of integration or waiting.
pub(super) const STEP: Span = Span::micros(2_400);
/// Before each integration the part initialises for 2.4 ms (Linux, drivers/iio/light/tcs3472.c).
const INITIALISATION: Span = Span::micros(2_400);
/// Counts of full scale per step of integration.
const COUNTS_PER_STEP: u32 = 1024;
/// A long wait is twelve times a wait.
const LONG_WAIT: u64 = 12;

mod register {
    pub(super) const ENABLE: usize = 0x00;
    pub(super) const ATIME: usize = 0x01;
    pub(super) const WTIME: usize = 0x03;
    pub(super) const CONFIG: usize = 0x0D;
    pub(super) const CONTROL: usize = 0x0F;
    pub(super) const ID: usize = 0x12;
    pub(super) const STATUS: usize = 0x13;
    pub(super) const CDATA: usize = 0x14;
    pub(super) const COUNT: usize = 0x20;
}

mod bits {
    pub(super) const COMMAND: u8 = 0b1000_0000;
    pub(super) const COMMAND_TYPE: u8 = 0b0110_0000;
    pub(super) const AUTO_INCREMENT: u8 = 0b0010_0000;
    pub(super) const REGISTER: u8 = 0b0001_1111;
    pub(super) const POWER_ON: u8 = 0b0000_0001;
    pub(super) const CONVERT: u8 = 0b0000_0010;
    pub(super) const WAIT: u8 = 0b0000_1000;
    pub(super) const LONG_WAIT: u8 = 0b0000_0010;
    pub(super) const GAIN: u8 = 0b0000_0011;
    pub(super) const VALID: u8 = 0b0000_0001;
}

/// One conversion: when it integrates. The counts are ready at the window's end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Cycle {
    pub(super) integrates: Window,
    /// The amplification in this cycle.
    pub(super) gain: u32,
    /// The most that a channel can count in this cycle.
    pub(super) full_scale: u16,
}

/// The part. Its clock moves with the ends of its conversions.
#[derive(Clone, Debug)]
pub(super) struct Tcs34725 {
    registers: [u8; register::COUNT],
    pointer: usize,
    auto_increment: bool,
    now: Instant,
    /// The conversion under way, while the converter is enabled.
    cycle: Option<Cycle>,
}

impl Tcs34725 {
    /// Just powered: everything off, one step of integration, gain 1.
    pub(super) fn new(now: Instant) -> Self {
        let mut registers = [0; register::COUNT];
        registers[register::ATIME] = 0xFF;
        registers[register::WTIME] = 0xFF;
        registers[register::ID] = PART_NUMBER;
        Self { registers, pointer: 0, auto_increment: false, now, cycle: None }
    }

    /// The conversion under way.
    pub(super) fn cycle(&self) -> Option<Cycle> {
        self.cycle
    }

    /// Ends the conversion under way with these counts, which are clipped to its full scale, and begins the next.
    pub(super) fn finish_cycle(&mut self, counts: Channels<u32>) {
        let Some(cycle) = self.cycle else { return };
        self.now = cycle.integrates.end;
        let channels = [counts.clear, counts.red, counts.green, counts.blue];
        for (index, count) in channels.into_iter().enumerate() {
            let clipped = u16::try_from(count).unwrap_or(u16::MAX).min(cycle.full_scale);
            let first = register::CDATA + 2 * index;
            self.registers[first..first + 2].copy_from_slice(&clipped.to_le_bytes());
        }
        self.registers[register::STATUS] |= bits::VALID;
        self.cycle = Some(self.cycle_from(self.now));
    }

    /// Its clock goes on while nothing is converted; while something is, the ends of conversions move it.
    pub(super) fn advance_idle(&mut self, now: Instant) {
        if self.cycle.is_none() {
            self.now = self.now.max(now);
        }
    }

    fn cycle_from(&self, now: Instant) -> Cycle {
        let steps = steps(self.registers[register::ATIME]);
        let start = now + self.wait() + INITIALISATION;
        let gain = match self.registers[register::CONTROL] & bits::GAIN {
            0 => 1,
            1 => 4,
            2 => 16,
            _ => 60,
        };
        let full_scale = u16::try_from(COUNTS_PER_STEP * steps).unwrap_or(u16::MAX);
        let end = start + Span::nanos(STEP.as_nanos() * u64::from(steps));
        Cycle { integrates: Window { start, end }, gain, full_scale }
    }

    fn wait(&self) -> Span {
        if self.registers[register::ENABLE] & bits::WAIT == 0 {
            return Span::ZERO;
        }
        let long = self.registers[register::CONFIG] & bits::LONG_WAIT != 0;
        let factor = if long { LONG_WAIT } else { 1 };
        Span::nanos(STEP.as_nanos() * u64::from(steps(self.registers[register::WTIME])) * factor)
    }

    fn command(&mut self, byte: u8) -> Result<(), ErrorKind> {
        if byte & bits::COMMAND == 0 {
            // Without the command bit the part does not take the byte for a register number.
            return Err(ErrorKind::NoAcknowledge(NoAcknowledgeSource::Data));
        }
        self.pointer = usize::from(byte & bits::REGISTER);
        self.auto_increment = byte & bits::COMMAND_TYPE == bits::AUTO_INCREMENT;
        Ok(())
    }

    fn write_register(&mut self, value: u8) {
        let writable = self.pointer < register::ID;
        if writable {
            self.registers[self.pointer] = value;
        }
        if self.pointer == register::ENABLE {
            self.enable();
        }
        self.step();
    }

    /// Starts or stops the converter. Other settings take effect with the next cycle.
    fn enable(&mut self) {
        let needed = bits::POWER_ON | bits::CONVERT;
        let runs = self.registers[register::ENABLE] & needed == needed;
        match (runs, self.cycle) {
            (true, None) => self.cycle = Some(self.cycle_from(self.now)),
            (false, Some(_)) => {
                self.cycle = None;
                self.registers[register::STATUS] &= !bits::VALID;
            }
            _ => {}
        }
    }

    fn read_register(&mut self) -> u8 {
        let value = self.registers[self.pointer];
        self.step();
        value
    }

    fn step(&mut self) {
        if self.auto_increment {
            self.pointer = (self.pointer + 1) % register::COUNT;
        }
    }
}

/// Both times are stored as the two's complement of their number of steps; 0 means 256.
fn steps(register: u8) -> u32 {
    256 - u32::from(register)
}

impl ErrorType for Tcs34725 {
    type Error = ErrorKind;
}

impl I2c for Tcs34725 {
    fn transaction(&mut self, address: u8, operations: &mut [Operation<'_>]) -> Result<(), ErrorKind> {
        if address != ADDRESS {
            return Err(ErrorKind::NoAcknowledge(NoAcknowledgeSource::Address));
        }
        for operation in operations {
            match operation {
                Operation::Write(bytes) => {
                    let Some((command, values)) = bytes.split_first() else { continue };
                    self.command(*command)?;
                    values.iter().for_each(|value| self.write_register(*value));
                }
                Operation::Read(bytes) => bytes.iter_mut().for_each(|byte| *byte = self.read_register()),
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use tcs3472::{RgbCGain, Tcs3472};

    use super::*;

    fn counts(value: u32) -> Channels<u32> {
        Channels { clear: value, red: value + 1, green: value + 2, blue: value + 3 }
    }

    #[test]
    fn the_real_driver_finds_the_part() {
        let mut chip = Tcs34725::new(Instant::START);
        assert_eq!(Tcs3472::new(&mut chip).read_device_id().unwrap(), 0x44);
    }

    #[test]
    fn nothing_is_valid_before_the_first_cycle_has_ended() {
        let mut chip = Tcs34725::new(Instant::START);
        let mut driver = Tcs3472::new(&mut chip);
        driver.enable().unwrap();
        driver.enable_rgbc().unwrap();
        assert!(!driver.is_rgbc_status_valid().unwrap());
        chip.finish_cycle(counts(10));
        let mut driver = Tcs3472::new(&mut chip);
        assert!(driver.is_rgbc_status_valid().unwrap());
        let read = driver.read_all_channels().unwrap();
        assert_eq!([read.clear, read.red, read.green, read.blue], [10, 11, 12, 13]);
        assert_eq!(driver.read_blue_channel().unwrap(), 13);
    }

    #[test]
    fn a_cycle_is_initialisation_and_integration_and_the_wait_if_enabled() {
        let mut chip = Tcs34725::new(Instant::START);
        let mut driver = Tcs3472::new(&mut chip);
        driver.set_integration_cycles(10).unwrap();
        driver.set_rgbc_gain(RgbCGain::_16x).unwrap();
        driver.set_wait_cycles(5).unwrap();
        driver.enable_wait_long().unwrap();
        driver.enable().unwrap();
        driver.enable_rgbc().unwrap();
        let first = chip.cycle().unwrap();
        assert_eq!(first.integrates.start, Instant::START + Span::micros(2_400));
        assert_eq!((first.integrates.length(), first.gain, first.full_scale), (Span::millis(24), 16, 10_240));
        // The driver enables everything in one register; the wait comes before the next initialisation.
        let mut driver = Tcs3472::new(&mut chip);
        driver.enable().unwrap();
        chip.write(ADDRESS, &[0x80, 0b1011]).unwrap();
        chip.finish_cycle(counts(0));
        let second = chip.cycle().unwrap();
        let expected = Span::micros(2_400 * 5 * 12 + 2_400);
        assert_eq!(second.integrates.start.since(chip.now), expected);
    }

    #[test]
    fn full_scale_is_1024_per_step_and_never_more_than_sixteen_bits() {
        for (cycles, expected) in [(1, 1_024), (10, 10_240), (64, 65_535), (256, 65_535)] {
            let mut chip = Tcs34725::new(Instant::START);
            let mut driver = Tcs3472::new(&mut chip);
            driver.set_integration_cycles(cycles).unwrap();
            driver.enable().unwrap();
            driver.enable_rgbc().unwrap();
            chip.finish_cycle(counts(1_000_000));
            assert_eq!(Tcs3472::new(&mut chip).read_clear_channel().unwrap(), expected);
        }
    }

    #[test]
    fn disabling_ends_the_cycle_and_its_validity() {
        let mut chip = Tcs34725::new(Instant::START);
        chip.write(ADDRESS, &[0x80, 0b11]).unwrap();
        chip.finish_cycle(counts(1));
        chip.write(ADDRESS, &[0x80, 0b01]).unwrap();
        assert_eq!(chip.cycle(), None);
        assert!(!Tcs3472::new(&mut chip).is_rgbc_status_valid().unwrap());
    }

    #[test]
    fn another_address_is_not_acknowledged() {
        let mut chip = Tcs34725::new(Instant::START);
        let error = chip.write(0x39, &[0x80]).unwrap_err();
        assert_eq!(error, ErrorKind::NoAcknowledge(NoAcknowledgeSource::Address));
    }

    #[test]
    fn identity_and_data_cannot_be_written() {
        let mut chip = Tcs34725::new(Instant::START);
        chip.write(ADDRESS, &[0x80 | 0x12, 0x4D]).unwrap();
        chip.write(ADDRESS, &[0xA0 | 0x14, 1, 2]).unwrap();
        let mut driver = Tcs3472::new(&mut chip);
        assert_eq!((driver.read_device_id().unwrap(), driver.read_clear_channel().unwrap()), (0x44, 0));
    }
}
