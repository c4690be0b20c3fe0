//! A bus with colour sensors behind a TCA9548A, each above an LED of its own, on the clock of this computer.
//!
//! Boundary: wiring. The sensors and their light are the virtual board's.

use brickproof_instruments::now;
use brickproof_units::Instant;
use brickproof_virtual_board::led::{Colour, Die, Led};
use brickproof_virtual_board::sensor::{Optics, SensorPart};
use embedded_hal::i2c::{ErrorKind, ErrorType, I2c, NoAcknowledgeSource, Operation};

/// Where the multiplexer is.
pub const MUX: u8 = 0x70;
const CHANNELS: usize = 8;

struct Place {
    led: Led,
    sensor: SensorPart,
}

/// The bus.
pub struct Wires {
    open: u8,
    places: Vec<Place>,
}

impl Wires {
    /// A multiplexer with a sensor on each of its first `count` channels.
    pub fn new(count: usize) -> Self {
        let place = |seed| Place { led: Led::new(), sensor: SensorPart::new(now(), Optics::default(), seed) };
        Self { open: 0, places: (0..count.min(CHANNELS) as u64).map(place).collect() }
    }

    /// Switches a colour of the LED under the sensor on a channel; answers when.
    pub fn shine(&mut self, channel: usize, colour: Colour, die: Die) -> Instant {
        let at = now();
        if let Some(place) = self.places.get_mut(channel) {
            place.led.edge(at, colour, die);
        }
        at
    }

    /// The channels that are open, a bit each.
    pub fn open(&self) -> u8 {
        self.open
    }
}

impl ErrorType for Wires {
    type Error = ErrorKind;
}

impl I2c for Wires {
    fn transaction(&mut self, address: u8, operations: &mut [Operation<'_>]) -> Result<(), ErrorKind> {
        let nobody = ErrorKind::NoAcknowledge(NoAcknowledgeSource::Address);
        if address == MUX {
            for operation in operations {
                match operation {
                    Operation::Write(bytes) => self.open = bytes.last().copied().unwrap_or(self.open),
                    Operation::Read(bytes) => bytes.fill(self.open),
                }
            }
            return Ok(());
        }
        if self.open.count_ones() != 1 {
            return Err(nobody);
        }
        let place = self.places.get_mut(self.open.trailing_zeros() as usize).ok_or(nobody)?;
        place.sensor.advance(now(), &mut place.led);
        place.sensor.transaction(address, operations)
    }
}
