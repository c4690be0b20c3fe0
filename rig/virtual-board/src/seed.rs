//! Randomness that is a function of a seed and a place, never of history: the same cut gives the same cells on every machine.
//!
//! Boundary: bits only. What they decide (a cell, a RAM word, a random byte) is decided where they are used.

/// A splitmix64 stream (Steele, Lea and Flood, "Fast splittable pseudorandom number generators", 2014).
#[derive(Clone, Debug)]
pub(crate) struct Noise(u64);

const GOLDEN_GAMMA: u64 = 0x9E37_79B9_7F4A_7C15;

impl Noise {
    /// The stream that belongs to `place` under `seed`; different places give unrelated streams.
    pub(crate) fn at(seed: u64, place: &[u64]) -> Self {
        Self(place.iter().fold(seed, |state, part| finish(state.wrapping_add(GOLDEN_GAMMA) ^ finish(*part))))
    }

    /// The next 64 bits.
    pub(crate) fn bits(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(GOLDEN_GAMMA);
        finish(self.0)
    }

    /// True with the probability `chance / 2^32`.
    pub(crate) fn happens(&mut self, chance: u32) -> bool {
        (self.bits() >> 32) < u64::from(chance)
    }
}

/// The output function of splitmix64: every bit of the input changes half of the output.
pub(crate) fn finish(mut z: u64) -> u64 {
    z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    z ^ (z >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn matches_the_published_splitmix64_sequence() {
        let mut noise = Noise(1_234_567);
        let first = [noise.bits(), noise.bits(), noise.bits()];
        assert_eq!(first, [6_457_827_717_110_365_317, 3_203_168_211_198_807_973, 9_817_491_932_198_370_423]);
    }

    #[test]
    fn chances_are_met() {
        let mut noise = Noise::at(7, &[1, 2]);
        let hits = (0..100_000).filter(|_| noise.happens(1 << 30)).count();
        assert!((24_500..25_500).contains(&hits), "a quarter was asked for, {hits} of 100000 happened");
    }
}
