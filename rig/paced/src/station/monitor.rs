//! An INA226 in the board's input: its registers as TI's data sheet SBOS547 lists them (recalled).
//!
//! Boundary: registers. A conversion is of the instant at which it is read, and not the mean of the millisecond before; the power and
//! current registers stay zero, as they do without a calibration, and there are no alerts.

use brickproof_units::{Current, Resistance, Voltage};

use crate::board::SupplyReading;

/// With both address pins low.
pub const ADDRESS: u8 = 0x40;

const CONFIGURATION: u8 = 0x00;
const SHUNT_VOLTAGE: u8 = 0x01;
const BUS_VOLTAGE: u8 = 0x02;
const CALIBRATION: u8 = 0x05;
const MASK: u8 = 0x06;
const LIMIT: u8 = 0x07;
const MANUFACTURER: u8 = 0xFE;
const DIE: u8 = 0xFF;

/// After power-on, and after the reset bit: continuous conversion of both voltages, 1.1 ms each.
const AT_POWER_ON: u16 = 0x4127;
const RESET: u16 = 0x8000;
const CONTINUOUS: u16 = 4;
const CONVERT_BUS: u16 = 2;
const CONVERT_SHUNT: u16 = 1;

pub(super) struct Ina226 {
    shunt: Resistance,
    pointer: u8,
    configuration: u16,
    calibration: u16,
    mask: u16,
    limit: u16,
    shunt_voltage: u16,
    bus_voltage: u16,
}

impl Ina226 {
    pub(super) fn new(shunt: Resistance) -> Self {
        Self {
            shunt,
            pointer: 0,
            configuration: AT_POWER_ON,
            calibration: 0,
            mask: 0,
            limit: 0,
            shunt_voltage: 0,
            bus_voltage: 0,
        }
    }

    pub(super) fn write(&mut self, bytes: &[u8], reading: SupplyReading) {
        let Some((&pointer, value)) = bytes.split_first() else { return };
        self.pointer = pointer;
        let &[high, low] = value else { return };
        let value = u16::from_be_bytes([high, low]);
        match pointer {
            CONFIGURATION if value & RESET != 0 => *self = Self::new(self.shunt),
            CONFIGURATION => {
                self.configuration = value;
                // Also what is to be converted only once is converted now.
                self.convert(reading);
            }
            CALIBRATION => self.calibration = value & 0x7FFF,
            MASK => self.mask = value,
            LIMIT => self.limit = value,
            _ => {}
        }
    }

    pub(super) fn read(&mut self, bytes: &mut [u8], reading: SupplyReading) {
        if self.configuration & CONTINUOUS != 0 {
            self.convert(reading);
        }
        let value = match self.pointer {
            CONFIGURATION => self.configuration,
            SHUNT_VOLTAGE => self.shunt_voltage,
            BUS_VOLTAGE => self.bus_voltage,
            CALIBRATION => self.calibration,
            MASK => self.mask,
            LIMIT => self.limit,
            MANUFACTURER => 0x5449,
            DIE => 0x2260,
            _ => 0,
        };
        for (byte, value) in bytes.iter_mut().zip(value.to_be_bytes().into_iter().cycle()) {
            *byte = value;
        }
    }

    fn convert(&mut self, reading: SupplyReading) {
        if self.configuration & CONVERT_BUS != 0 {
            self.bus_voltage = bus_steps(reading.input);
        }
        if self.configuration & CONVERT_SHUNT != 0 {
            self.shunt_voltage = shunt_steps(reading.current, self.shunt);
        }
    }
}

/// Steps of 1.25 mV, 15 bits.
fn bus_steps(input: Voltage) -> u16 {
    (input.get() / 1_250).clamp(0, 0x7FFF) as u16
}

/// Steps of 2.5 uV, 16 bits with a sign.
fn shunt_steps(current: Current, shunt: Resistance) -> u16 {
    // Microamperes times microohms are picovolts.
    let picovolts = i128::from(current.get()) * i128::from(shunt.get());
    let steps = (picovolts / 2_500_000).clamp(i128::from(i16::MIN), i128::from(i16::MAX));
    (steps as i16).cast_unsigned()
}

#[cfg(test)]
mod tests {
    use super::*;

    const SHUNT: Resistance = Resistance::new(100_000);

    fn reading(millivolts: i64, microamperes: i64) -> SupplyReading {
        SupplyReading {
            input: Voltage::new(millivolts * 1_000),
            current: Current::new(microamperes),
            rail: Voltage::new(3_300_000),
        }
    }

    fn register(part: &mut Ina226, register: u8, reading: SupplyReading) -> u16 {
        let mut value = [0; 2];
        part.write(&[register], reading);
        part.read(&mut value, reading);
        u16::from_be_bytes(value)
    }

    #[test]
    fn it_shows_the_input_and_the_drop_over_its_shunt() {
        let mut part = Ina226::new(SHUNT);
        let now = reading(5_000, 120_000);
        assert_eq!(register(&mut part, BUS_VOLTAGE, now), 4_000);
        // 12 mV.
        assert_eq!(register(&mut part, SHUNT_VOLTAGE, now), 4_800);
        assert_eq!(register(&mut part, MANUFACTURER, now), 0x5449);
        // More than its range shows as its end.
        assert_eq!(register(&mut part, SHUNT_VOLTAGE, reading(5_000, 2_000_000)), 0x7FFF);
    }

    #[test]
    fn switched_off_it_keeps_showing_what_it_converted_last() {
        let mut part = Ina226::new(SHUNT);
        assert_eq!(register(&mut part, BUS_VOLTAGE, reading(5_000, 0)), 4_000);
        part.write(&[CONFIGURATION, 0x41, 0x20], reading(1_000, 0));
        assert_eq!(register(&mut part, BUS_VOLTAGE, reading(1_000, 0)), 4_000);
        // Once, triggered.
        part.write(&[CONFIGURATION, 0x41, 0x23], reading(2_500, 0));
        assert_eq!(register(&mut part, BUS_VOLTAGE, reading(1_000, 0)), 2_000);
    }
}
