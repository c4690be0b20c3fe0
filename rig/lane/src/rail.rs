//! A board's rail behind a load switch and a crowbar, which are pins of a USB adapter, and an INA226 that measures it.
//!
//! Boundary: the far side of both adapters. Registers of the INA226 are recalled from TI's data sheet SBOS547.

use std::sync::{Arc, Mutex, PoisonError};

use brickproof_paced::devices::cp2112::Cp2112;
use brickproof_paced::line::Level;
use embedded_hal::i2c::{ErrorKind, ErrorType, I2c, NoAcknowledgeSource, Operation};

/// Where the monitor is.
pub const MONITOR: u8 = 0x41;
/// The pin that closes the switch while it is high.
pub const POWER: u8 = 2;
/// The pin that closes the crowbar while it is high.
pub const SHORT: u8 = 5;

/// The rail.
pub struct Rail {
    pins: Arc<Mutex<Cp2112>>,
    /// What the board's capacitors keep while nothing pulls them down, in millivolts.
    pub residue: u16,
    /// Both were closed when it was looked at.
    pub shorted: bool,
    register: u8,
    configuration: u16,
}

impl Rail {
    /// Behind these pins.
    pub fn new(pins: Arc<Mutex<Cp2112>>) -> Self {
        Self { pins, residue: 0, shorted: false, register: 0, configuration: 0x4127 }
    }

    fn look(&mut self) -> (u16, u16) {
        const BOARD_TAKES: u16 = 25;
        let mut pins = self.pins.lock().unwrap_or_else(PoisonError::into_inner);
        let (power, short) = (pins.level(POWER) == Level::High, pins.level(SHORT) == Level::High);
        self.shorted |= power && short;
        match (power, short) {
            (_, true) => (0, 0),
            (true, false) => (3_300, BOARD_TAKES),
            (false, false) => (self.residue, 0),
        }
    }

    fn value(&mut self) -> u16 {
        let (millivolts, milliamperes) = self.look();
        match self.register {
            0 => self.configuration,
            // Steps of 2.5 uV over 100 milliohms, of 1.25 mV at the rail.
            1 => milliamperes * 40,
            2 => (u32::from(millivolts) * 100 / 125) as u16,
            0xFE => 0x5449,
            _ => 0xFFFF,
        }
    }
}

impl ErrorType for Rail {
    type Error = ErrorKind;
}

impl I2c for Rail {
    fn transaction(&mut self, address: u8, operations: &mut [Operation<'_>]) -> Result<(), ErrorKind> {
        if address != MONITOR {
            return Err(ErrorKind::NoAcknowledge(NoAcknowledgeSource::Address));
        }
        for operation in operations {
            match operation {
                Operation::Write([register]) => self.register = *register,
                Operation::Write([0, high, low]) => self.configuration = u16::from_be_bytes([*high, *low]),
                Operation::Write(_) => return Err(ErrorKind::NoAcknowledge(NoAcknowledgeSource::Data)),
                Operation::Read(bytes) => {
                    let value = self.value().to_be_bytes();
                    bytes.iter_mut().zip(value).for_each(|(byte, from)| *byte = from);
                }
            }
        }
        Ok(())
    }
}
