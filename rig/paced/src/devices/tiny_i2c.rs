//! An i2c-tiny-usb: an I2C adapter for which the kernel has a driver, and behind it whatever speaks `embedded-hal`.
//!
//! Boundary: the adapter's protocol (Linux, drivers/i2c/busses/i2c-tiny-usb.c). The parts on the bus are the caller's.

use embedded_hal::i2c::{I2c, Operation};

use super::descriptors;
use crate::usbip::{Device, Setup, Stall};

/// I2C_FUNC_I2C and the SMBus transfers that it can stand in for.
const ABILITIES: u32 = 0x0EFF_0001;
const ACKNOWLEDGED: u8 = 1;
const NOT_ACKNOWLEDGED: u8 = 2;
const READ: u16 = 1;

/// The adapter.
pub struct TinyI2c<B> {
    bus: B,
    status: u8,
    serial: String,
}

impl<B> TinyI2c<B> {
    /// With these parts on its bus.
    pub fn new(bus: B) -> Self {
        Self { bus, status: 0, serial: "virtual".to_owned() }
    }

    /// The same, with this serial number.
    pub fn with_serial(self, serial: &str) -> Self {
        Self { serial: serial.to_owned(), ..self }
    }

    /// The parts on its bus.
    pub fn bus(&mut self) -> &mut B {
        &mut self.bus
    }
}

impl<B: I2c + Send> Device for TinyI2c<B> {
    fn device_descriptor(&self) -> Vec<u8> {
        descriptors::device([0xFF, 0, 0], 0x0403, 0xC631, 0x0205)
    }

    fn configuration(&self) -> Vec<u8> {
        descriptors::configuration(1, &descriptors::interface(0, 0, 0, [0xFF, 0, 0], 0))
    }

    fn strings(&self) -> Vec<String> {
        ["Brickproof", "i2c-tiny-usb", &self.serial].map(str::to_owned).to_vec()
    }

    fn control(&mut self, setup: Setup, data: &[u8]) -> Result<Vec<u8>, Stall> {
        match setup.request {
            // Echo, abilities, delay, status.
            0 => Ok(setup.value.to_le_bytes().to_vec()),
            1 => Ok(ABILITIES.to_le_bytes().to_vec()),
            2 => Ok(Vec::new()),
            3 => Ok(vec![self.status]),
            // A transfer, with flags for its beginning and its end in the two lowest bits.
            4..=7 => {
                let mut bytes = vec![0; usize::from(if setup.value & READ == 0 { 0 } else { setup.length })];
                let operation =
                    if setup.value & READ == 0 { Operation::Write(data) } else { Operation::Read(&mut bytes) };
                let done = u8::try_from(setup.index).is_ok_and(|to| self.bus.transaction(to, &mut [operation]).is_ok());
                self.status = if done { ACKNOWLEDGED } else { NOT_ACKNOWLEDGED };
                Ok(bytes)
            }
            _ => Err(Stall),
        }
    }
}
