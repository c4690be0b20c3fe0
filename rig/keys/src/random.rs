//! The one source of chance: a seed.
//!
//! Boundary: reproducible choices, no security.

/// SplitMix64 (Steele, Lea, Flood 2014): the same seed gives the same choices on every machine.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SplitMix64 {
    state: u64,
}

impl SplitMix64 {
    /// A generator that begins at `seed`.
    pub const fn new(seed: u64) -> Self {
        Self { state: seed }
    }

    /// The next 64 bits.
    pub fn next_u64(&mut self) -> u64 {
        self.state = self.state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let z = (self.state ^ (self.state >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// One of `choices`; `None` if there is none.
    pub fn pick<T: Copy>(&mut self, choices: &[T]) -> Option<T> {
        // Multiply and shift; its bias is below choices / 2^64.
        let index = (u128::from(self.next_u64()) * choices.len() as u128) >> 64;
        choices.get(index as usize).copied()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_published_sequence_comes_out() {
        // Seed 1234567, as in Rosetta Code's "Pseudo-random numbers/Splitmix64".
        let mut random = SplitMix64::new(1_234_567);
        assert_eq!(random.next_u64(), 6_457_827_717_110_365_317);
        assert_eq!(random.next_u64(), 3_203_168_211_198_807_973);
    }

    #[test]
    fn every_choice_is_picked_and_none_from_nothing() {
        let mut random = SplitMix64::new(1);
        let mut seen = [false; 7];
        for _ in 0..200 {
            seen[random.pick(&[0, 1, 2, 3, 4, 5, 6]).unwrap()] = true;
        }
        assert_eq!(seen, [true; 7]);
        assert_eq!(random.pick::<u8>(&[]), None);
    }
}
