//! RNG: random words that follow from the board's seed.
//!
//! Boundary: one word at a time, while there are 48 MHz to make it from. Source: RM0033, chapter 20 (40 periods of that clock a word).

use super::HERTZ;
use crate::seed::Noise;

const ENABLED: u32 = 1 << 2;
const READY: u32 = 1 << 0;
/// CECS: there is no clock.
const NO_CLOCK: u32 = 1 << 1;
const WORD: u64 = (40 * HERTZ).div_ceil(48_000_000);

/// The generator. Its interrupt (80) is beyond those that exist here: it is polled.
#[derive(Clone, Debug)]
pub(super) struct Rng {
    noise: Noise,
    control: u32,
    ready_at: u64,
}

impl Rng {
    pub(super) fn new(noise: Noise) -> Self {
        Self { noise, control: 0, ready_at: 0 }
    }

    /// The chip was reset: the source of randomness goes on, the registers do not.
    pub(super) fn reset(&mut self) {
        *self = Self::new(self.noise.clone());
    }

    /// Random words come from another source from now on.
    pub(super) fn reseed(&mut self, noise: Noise) {
        self.noise = noise;
    }

    pub(super) fn read(&mut self, offset: u32, at: u64, has_clock: bool) -> u32 {
        let ready = self.control & ENABLED != 0 && has_clock && at >= self.ready_at;
        match offset {
            0x00 => self.control,
            0x04 if !has_clock => NO_CLOCK,
            0x04 => u32::from(ready) * READY,
            0x08 if ready => {
                self.ready_at = at + WORD;
                self.noise.bits() as u32
            }
            _ => 0,
        }
    }

    pub(super) fn write(&mut self, offset: u32, value: u32, at: u64) {
        if offset == 0x00 {
            if value & !self.control & ENABLED != 0 {
                self.ready_at = at + WORD;
            }
            self.control = value & 0xC;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn gives_a_word_when_it_had_time_and_a_clock() {
        let mut rng = Rng::new(Noise::at(1, &[]));
        rng.write(0x00, ENABLED, 100);
        assert_eq!([rng.read(0x04, 100 + WORD, false), rng.read(0x08, 100 + WORD, false)], [NO_CLOCK, 0]);
        assert_eq!([rng.read(0x04, 99 + WORD, true), rng.read(0x04, 100 + WORD, true)], [0, READY]);
        let first = rng.read(0x08, 100 + WORD, true);
        assert_eq!((first == 0, rng.read(0x04, 100 + WORD, true)), (false, 0));
        assert_ne!(rng.read(0x08, 100 + 2 * WORD, true), first);
    }
}
