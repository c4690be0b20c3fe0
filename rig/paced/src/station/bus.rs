//! The bus of the sensors' adapter: the colour sensor above the board's light, and the monitor in its input.
//!
//! Boundary: who answers at which address.

use brickproof_units::Resistance;
use embedded_hal::i2c::{ErrorKind, ErrorType, I2c, Operation};

use super::monitor::{self, Ina226};
use crate::board::Hand;

pub(super) struct BoardBus {
    hand: Hand,
    monitor: Ina226,
}

impl BoardBus {
    pub(super) fn new(hand: Hand, shunt: Resistance) -> Self {
        Self { hand, monitor: Ina226::new(shunt) }
    }
}

impl ErrorType for BoardBus {
    type Error = ErrorKind;
}

impl I2c for BoardBus {
    fn transaction(&mut self, address: u8, operations: &mut [Operation<'_>]) -> Result<(), ErrorKind> {
        if address != monitor::ADDRESS {
            return self.hand.sensor(address, operations);
        }
        let reading = self.hand.read_supply();
        for operation in operations {
            match operation {
                Operation::Write(bytes) => self.monitor.write(bytes, reading),
                Operation::Read(bytes) => self.monitor.read(bytes, reading),
            }
        }
        Ok(())
    }
}
