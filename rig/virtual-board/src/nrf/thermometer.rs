//! TEMP: the die's temperature, which is the same all day.
//!
//! Boundary: a constant behind a conversion time. Source: nRF51 reference manual v3.0, TEMP (36 us, quarters of a degree).

use crate::chip::CoreRate;
use crate::nrf::peripheral::{EventSet, Events, NEVER, NONE, Peripheral, event};

const DATA_READY: EventSet = event(0x100);
const CONVERSION_MICROS: u64 = 36;
/// 25 °C in quarters of a degree.
const ROOM: u32 = 100;

/// The thermometer.
#[derive(Clone, Debug)]
pub(crate) struct Thermometer {
    events: Events,
    rate: CoreRate,
    due: u64,
    reading: u32,
}

impl Thermometer {
    pub(crate) fn new(rate: CoreRate) -> Self {
        Self { events: Events::default(), rate, due: NEVER, reading: 0 }
    }
}

impl Peripheral for Thermometer {
    fn events(&mut self) -> &mut Events {
        &mut self.events
    }

    fn task(&mut self, offset: u32, at: u64) -> EventSet {
        match offset {
            0x000 => self.due = at + ((CONVERSION_MICROS * 16) << self.rate.tick_shift()),
            0x004 => self.due = NEVER,
            _ => {}
        }
        NONE
    }

    fn read(&mut self, offset: u32, _: u64) -> u32 {
        if offset == 0x508 { self.reading } else { 0 }
    }

    fn write(&mut self, _: u32, _: u32, _: u64) -> EventSet {
        NONE
    }

    fn due(&self) -> u64 {
        self.due
    }

    fn advance(&mut self, _: u64) -> EventSet {
        self.due = NEVER;
        self.reading = ROOM;
        self.events.happened |= DATA_READY;
        DATA_READY
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn converts_in_36_microseconds() {
        let mut thermometer = Thermometer::new(CoreRate::Mhz64);
        thermometer.task(0x000, 0);
        assert_eq!((thermometer.due(), thermometer.read(0x508, 0)), (36 * 64, 0));
        assert_eq!(thermometer.advance(36 * 64), DATA_READY);
        assert_eq!(thermometer.read(0x508, 0), 100);
    }
}
