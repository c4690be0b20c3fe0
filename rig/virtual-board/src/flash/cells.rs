//! What a cut operation leaves behind: the cell models, and cells that no longer know what they are.
//!
//! Boundary: bits and charge. Which bytes are concerned, and how far the operation got, is told from outside.

use brickproof_units::Ratio;

use crate::flash::marginal::Marginal;
use crate::seed::Noise;

/// A flash operation that lost its power, as the cells see it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Cut {
    /// Effective time it got, as a share of the time it needs: more than nothing, less than all.
    pub(crate) share: Ratio,
    /// The board's seed: cells differ from each other by it.
    pub(crate) seed: u64,
    /// Which operation: the same operation cut at the same place gives the same cells.
    pub(crate) operation: u64,
}

/// What a cut leaves besides the bytes: the cells that read now one way and now the other, bits counted from the first byte.
#[derive(Clone, Debug, Default)]
pub(crate) struct Disturbance {
    pub(crate) weak: Vec<WeakCell>,
}

/// How cells take an operation that stops in the middle.
///
/// Laws that every model obeys: a program only clears bits that the word asked to clear; an erase that got no time changes nothing;
/// nothing outside the operation's bytes changes.
pub(crate) trait CellModel {
    /// `word` was being programmed towards `target`.
    fn cut_program(&self, word: &mut [u8], weak: &[WeakCell], target: u32, place: u32, cut: Cut) -> Disturbance;
    /// `page` was being erased.
    fn cut_erase(&self, page: &mut [u8], weak: &[WeakCell], place: u32, cut: Cut) -> Disturbance;
}

/// The cell models on offer.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Cells {
    /// Operations are atomic: cut short, they did nothing.
    Ideal,
    /// Each bit that was to change has changed with the probability of the elapsed share, independently; the result is stable.
    #[default]
    Fractional,
    /// Cells carry charge. An erase first programs everything to zero; cells near the threshold read differently from one read to
    /// the next and drift from one power-up to the next. An assumption with explicit parameters, not measured silicon.
    Marginal,
}

impl Cells {
    pub(crate) fn model(self) -> &'static dyn CellModel {
        match self {
            Self::Ideal => &Ideal,
            Self::Fractional => &Fractional,
            Self::Marginal => &Marginal,
        }
    }
}

/// A cell whose charge is near the read threshold.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct WeakCell {
    /// Which bit of the bytes it is among.
    pub(crate) bit: u32,
    /// 0.0 reads as zero for certain, 1.0 as one, 0.5 is the threshold.
    pub(crate) charge: f64,
    /// How often of 2^32 times it reads as one; follows from the charge.
    reads_one: u32,
}

impl WeakCell {
    pub(crate) fn new(bit: u32, charge: f64) -> Self {
        Self { bit, charge, reads_one: chance_to_read_one(charge) }
    }

    pub(crate) fn moved(&self, bit: u32) -> Self {
        Self { bit, ..*self }
    }

    /// What one read of it finds.
    pub(crate) fn reads_as(&self, noise: &mut Noise) -> u8 {
        u8::from(noise.happens(self.reads_one))
    }

    /// Moves the charge as time without power does.
    pub(crate) fn drift(&mut self, noise: &mut Noise) {
        *self = Self::new(self.bit, (self.charge + DRIFT * standard_normal(noise)).clamp(0.0, 1.0));
    }
}

/// Width of the read threshold in units of charge: the proposed model of the project's fault survey says 0.01 to 0.03 (assumption).
const READ_NOISE: f64 = 0.02;
/// Standard deviation of the drift from one power-up to the next (assumption).
const DRIFT: f64 = 0.02;

fn chance_to_read_one(charge: f64) -> u32 {
    let chance = 1.0 / (1.0 + libm::exp(-(charge - 0.5) / READ_NOISE));
    (chance * f64::from(u32::MAX)) as u32
}

/// Sum of twelve uniform numbers less six: normal to within what a drift needs, and exact arithmetic on every machine.
fn standard_normal(noise: &mut Noise) -> f64 {
    let sum: u64 = (0..12).map(|_| noise.bits() >> 40).sum();
    sum as f64 / f64::from(1u32 << 24) - 6.0
}

struct Ideal;

impl CellModel for Ideal {
    fn cut_program(&self, _: &mut [u8], weak: &[WeakCell], _: u32, _: u32, _: Cut) -> Disturbance {
        Disturbance { weak: weak.to_vec() }
    }
    fn cut_erase(&self, _: &mut [u8], weak: &[WeakCell], _: u32, _: Cut) -> Disturbance {
        Disturbance { weak: weak.to_vec() }
    }
}

struct Fractional;

impl Fractional {
    /// A byte in which each bit is set with the probability of the elapsed share.
    fn changed_bits(noise: &mut Noise, chance: u32) -> u8 {
        // Eight comparisons of one byte each against the top byte of the chance; a tie is decided by a finer throw.
        let throws = noise.bits().to_le_bytes();
        let coarse = (chance >> 24) as u8;
        let decide = |noise: &mut Noise, throw: u8| throw < coarse || (throw == coarse && noise.happens(chance << 8));
        throws.iter().enumerate().fold(0, |byte, (bit, throw)| byte | u8::from(decide(noise, *throw)) << bit)
    }
}

impl CellModel for Fractional {
    fn cut_program(&self, word: &mut [u8], _: &[WeakCell], target: u32, place: u32, cut: Cut) -> Disturbance {
        let mut noise = Noise::at(cut.seed, &[cut.operation, u64::from(place)]);
        for (byte, target) in word.iter_mut().zip(target.to_le_bytes()) {
            *byte &= target | !Self::changed_bits(&mut noise, chance_of(cut.share));
        }
        Disturbance::default()
    }

    fn cut_erase(&self, page: &mut [u8], _: &[WeakCell], place: u32, cut: Cut) -> Disturbance {
        let mut noise = Noise::at(cut.seed, &[cut.operation, u64::from(place)]);
        for byte in page {
            *byte |= Self::changed_bits(&mut noise, chance_of(cut.share));
        }
        Disturbance::default()
    }
}

/// A share as a probability out of 2^32.
fn chance_of(share: Ratio) -> u32 {
    u32::try_from((share.get() << 32) / 1_000_000).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_byte_of_changed_bits_has_the_asked_density() {
        for share in [1_000, 37_000, 500_000, 871_234, 999_000] {
            let mut noise = Noise::at(3, &[share]);
            let chance = chance_of(Ratio::new(share));
            let ones: u32 = (0..20_000).map(|_| Fractional::changed_bits(&mut noise, chance).count_ones()).sum();
            let expected = 160_000.0 * share as f64 / 1e6;
            let tolerance = 5.0 * libm::sqrt(expected * (1.0 - share as f64 / 1e6)) + 1.0;
            assert!(
                libm::fabs(f64::from(ones) - expected) < tolerance,
                "share {share}: {ones} ones, {expected} expected"
            );
        }
    }

    #[test]
    fn a_cell_at_the_threshold_is_a_coin_and_one_far_from_it_is_not() {
        assert_eq!(chance_to_read_one(0.5) >> 24, 0x7F);
        assert!(chance_to_read_one(0.7) > 0xFFF0_0000);
        assert!(chance_to_read_one(0.3) < 0x0010_0000);
    }
}
