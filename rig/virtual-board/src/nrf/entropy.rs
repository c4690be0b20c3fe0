//! RNG: random bytes that follow from the board's seed.
//!
//! Boundary: one byte at a time, at the part's pace. Source: nRF51 reference manual v3.0, RNG; times recalled from the product
//! specifications (nRF51: about 167 us raw, 677 us corrected; nRF52840: 30 us and 120 us).

use crate::chip::CoreRate;
use crate::nrf::peripheral::{EventSet, Events, NEVER, NONE, Peripheral, event};
use crate::seed::Noise;

const VALUE_READY: EventSet = event(0x100);
const SHORT_TO_STOP: u32 = 1;
const BIAS_CORRECTION: u32 = 1;

/// The random number generator.
#[derive(Clone, Debug)]
pub(crate) struct Rng {
    events: Events,
    rate: CoreRate,
    noise: Noise,
    shorts: u32,
    config: u32,
    value: u8,
    due: u64,
}

impl Rng {
    pub(crate) fn new(rate: CoreRate, noise: Noise) -> Self {
        Self { events: Events::default(), rate, noise, shorts: 0, config: 0, value: 0, due: NEVER }
    }

    /// The chip was reset: the source of randomness goes on, the registers do not.
    pub(crate) fn reset(&mut self) {
        *self = Self::new(self.rate, self.noise.clone());
    }

    /// Random bytes come from another source from now on.
    pub(crate) fn reseed(&mut self, noise: Noise) {
        self.noise = noise;
    }

    fn pace(&self) -> u64 {
        let micros = match (self.rate, self.config & BIAS_CORRECTION != 0) {
            (CoreRate::Mhz16, false) => 167,
            (CoreRate::Mhz16, true) => 677,
            (CoreRate::Mhz64, false) => 30,
            (CoreRate::Mhz64, true) => 120,
        };
        (micros * 16) << self.rate.tick_shift()
    }
}

impl Peripheral for Rng {
    fn events(&mut self) -> &mut Events {
        &mut self.events
    }

    fn task(&mut self, offset: u32, at: u64) -> EventSet {
        match offset {
            0x000 if self.due == NEVER => self.due = at + self.pace(),
            0x004 => self.due = NEVER,
            _ => {}
        }
        NONE
    }

    fn read(&mut self, offset: u32, _: u64) -> u32 {
        match offset {
            0x200 => self.shorts,
            0x504 => self.config,
            0x508 => u32::from(self.value),
            _ => 0,
        }
    }

    fn write(&mut self, offset: u32, value: u32, _: u64) -> EventSet {
        match offset {
            0x200 => self.shorts = value,
            0x504 => self.config = value,
            _ => {}
        }
        NONE
    }

    fn due(&self) -> u64 {
        self.due
    }

    fn advance(&mut self, at: u64) -> EventSet {
        self.value = (self.noise.bits() >> 56) as u8;
        self.due = if self.shorts & SHORT_TO_STOP != 0 { NEVER } else { at + self.pace() };
        self.events.happened |= VALUE_READY;
        VALUE_READY
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn gives_bytes_at_its_pace_until_stopped() {
        let mut rng = Rng::new(CoreRate::Mhz16, Noise::at(1, &[]));
        rng.task(0x000, 100);
        let mut values = Vec::new();
        for _ in 0..64 {
            rng.advance(rng.due());
            values.push(rng.read(0x508, 0));
        }
        assert_eq!(rng.due(), 100 + 65 * 167 * 16);
        values.dedup();
        assert!(values.len() > 60);
        rng.write(0x200, 1, 0);
        rng.advance(rng.due());
        assert_eq!(rng.due(), NEVER);
    }
}
