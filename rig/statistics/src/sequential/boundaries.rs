//! The two boundaries of the test, what they do exactly, and the lowest pair that keeps the asked errors.
//!
//! Boundary: numbers of trials and failures; what is called FIXED is decided above.

use super::{Asked, Characteristic};
use crate::Probability;

/// Two parallel lines over the failures: the log-likelihood ratio of bad to good is at `up` or at `-down`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Boundaries {
    /// What a failure adds to the ratio.
    failure: f64,
    /// What a survival takes from it.
    survival: f64,
    up: f64,
    down: f64,
}

/// What is still open after so many trials: the probabilities of each number of failures, from `fewest` on.
struct Band {
    fewest: u64,
    open: Vec<f64>,
}

impl Boundaries {
    pub(super) fn new(good: Probability, bad: Probability, up: f64, down: f64) -> Self {
        let failure = libm::log(bad.get() / good.get());
        let survival = libm::log1p(-good.get()) - libm::log1p(-bad.get());
        Self { failure, survival, up, down }
    }

    /// With so many failures, FIXED is said from this number of trials on.
    pub(super) fn fixed_from(&self, failures: u64) -> u64 {
        failures + libm::ceil((self.down + failures as f64 * self.failure) / self.survival) as u64
    }

    /// Whether so many failures among so many trials mean NOT FIXED.
    pub(super) fn not_fixed(&self, trials: u64, failures: u64) -> bool {
        failures as f64 * self.failure - (trials - failures) as f64 * self.survival >= self.up
    }

    /// Walks all open numbers of failures at once, trial by trial. Between the boundaries lie only a few: about
    /// (up + down) / failure.
    pub(super) fn characteristic(&self, p: Probability, cap: u64) -> Characteristic {
        let (fails, survives) = (p.get(), 1.0 - p.get());
        let (mut fixed, mut not_fixed, mut average) = (0.0, 0.0, 0.0);
        let mut band = Band { fewest: 0, open: vec![1.0] };
        let mut fixed_from = self.fixed_from(0);
        for trials in 1..=cap {
            let before: f64 = band.open.iter().sum();
            // What is smaller than this is lost in the rounding of the sums.
            if before < 1e-17 {
                break;
            }
            average += before;
            band.step(fails, survives);
            while let Some(most) = band.most().filter(|most| self.not_fixed(trials, *most)) {
                not_fixed += band.open.pop().unwrap_or_default();
                debug_assert!(most >= band.fewest);
            }
            while !band.open.is_empty() && trials >= fixed_from {
                fixed += band.open.remove(0);
                band.fewest += 1;
                fixed_from = self.fixed_from(band.fewest);
            }
        }
        let inconclusive = if band.open.is_empty() { 0.0 } else { band.open.iter().sum() };
        Characteristic {
            fixed: Probability::clamped(fixed),
            not_fixed: Probability::clamped(not_fixed),
            inconclusive: Probability::clamped(inconclusive),
            average_trials: average,
        }
    }
}

impl Band {
    fn step(&mut self, fails: f64, survives: f64) {
        self.open.push(0.0);
        for k in (1..self.open.len()).rev() {
            self.open[k] = self.open[k] * survives + self.open[k - 1] * fails;
        }
        self.open[0] *= survives;
    }

    /// The largest number of failures that is open.
    fn most(&self) -> Option<u64> {
        (self.open.len() as u64).checked_sub(1).map(|above| self.fewest + above)
    }
}

/// How near the lowest boundaries the search ends, as a share of them: a tenth of a trial of a thousand.
const NEAR: f64 = 1e-4;

/// The lowest boundaries with which both errors are kept.
///
/// Raising `up` makes NOT FIXED rarer on every course of trials and FIXED not rarer; raising `down` the other way round. So the
/// boundary that an error needs only rises with the other boundary, and lifting each in turn, from the ground, ends at the pair
/// below which no pair is: no other keeps the errors with fewer trials.
pub(super) fn calibrated(asked: Asked) -> Option<Boundaries> {
    let Asked { good, bad, alpha, beta, cap } = asked;
    let both = |up, down| Boundaries::new(good, bad, up, down);
    // Evidence of next to nothing. Not zero: that is where the test begins.
    let (mut up, mut down) = (0.01, 0.01);
    for _ in 0..64 {
        let lifted_down = lifted(down, |down| both(up, down).characteristic(bad, cap).fixed <= beta)?;
        let lifted_up = lifted(up, |up| both(up, lifted_down).characteristic(good, cap).not_fixed <= alpha)?;
        let stands = lifted_up == up;
        (up, down) = (lifted_up, lifted_down);
        if stands {
            return Some(both(up, down));
        }
    }
    None
}

/// The lowest boundary, not below `from`, that `keeps` what is asked.
fn lifted(from: f64, keeps: impl Fn(f64) -> bool) -> Option<f64> {
    if keeps(from) {
        return Some(from);
    }
    let (mut low, mut high) = (from, from * 1.05 + 0.1);
    while !keeps(high) {
        // Wald's boundary for errors of 1e-300 is 691.
        if high > 1000.0 {
            return None;
        }
        (low, high) = (high, high * 1.3 + 0.3);
    }
    while high - low > NEAR * high {
        let middle = f64::midpoint(low, high);
        if keeps(middle) { high = middle } else { low = middle }
    }
    Some(high)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn p(value: f64) -> Probability {
        Probability::new(value).unwrap()
    }

    /// Wald's boundaries, where what is computed was computed elsewhere too.
    #[test]
    fn what_boundaries_do_is_what_a_dense_computation_in_numpy_says() {
        let table = include_str!("../../tests/reference/characteristic.csv");
        for line in table.lines().skip(2) {
            let row: Vec<f64> = line.split(',').map(|cell| cell.parse().unwrap()).collect();
            let ours = Boundaries::new(p(row[0]), p(row[1]), row[3], row[4]).characteristic(p(row[5]), row[2] as u64);
            let pairs = [(ours.not_fixed, row[6]), (ours.fixed, row[7]), (ours.inconclusive, row[8])];
            assert!(pairs.iter().all(|(a, b)| (a.get() - b).abs() < 1e-10), "{line}\n{ours:?}");
            assert!((ours.average_trials - row[9]).abs() < 1e-7, "{line}\n{ours:?}");
        }
    }

    #[test]
    fn walds_own_boundaries_miss_the_asked_errors() {
        let wald = libm::log(0.95 / 0.05);
        let at_bad = Boundaries::new(p(0.001), p(0.02), wald, wald).characteristic(p(0.02), 20_000);
        assert_eq!(at_bad.fixed.to_string(), "5.12 %");
    }

    /// Every course of trials, one after the other.
    fn enumerated(boundaries: &Boundaries, p: f64, cap: u64) -> [f64; 4] {
        let mut sums = [0.0; 4];
        let mut open = vec![(0u64, 0u64, 1.0)];
        while let Some((trials, failures, chance)) = open.pop() {
            let end = if trials == 0 {
                None
            } else if boundaries.not_fixed(trials, failures) {
                Some(1)
            } else if trials >= boundaries.fixed_from(failures) {
                Some(0)
            } else {
                (trials == cap).then_some(2)
            };
            match end {
                Some(end) => {
                    sums[end] += chance;
                    sums[3] += chance * trials as f64;
                }
                None => {
                    open.push((trials + 1, failures, chance * (1.0 - p)));
                    open.push((trials + 1, failures + 1, chance * p));
                }
            }
        }
        sums
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        #[test]
        fn what_boundaries_do_is_what_counting_every_course_gives(
            good in 0.02..0.3f64, ratio in 1.3..3.0f64, up in 0.1..3.0f64, down in 0.1..3.0f64, at in 0.0..=1.0f64, cap in 1u64..12,
        ) {
            let boundaries = Boundaries::new(p(good), p(good * ratio), up, down);
            let ours = boundaries.characteristic(p(at), cap);
            let [fixed, not_fixed, inconclusive, average] = enumerated(&boundaries, at, cap);
            prop_assert!((ours.fixed.get() - fixed).abs() < 1e-12, "{:?} {}", ours, fixed);
            prop_assert!((ours.not_fixed.get() - not_fixed).abs() < 1e-12, "{:?} {}", ours, not_fixed);
            prop_assert!((ours.inconclusive.get() - inconclusive).abs() < 1e-12, "{:?} {}", ours, inconclusive);
            prop_assert!((ours.average_trials - average).abs() < 1e-9, "{:?} {}", ours, average);
        }
    }
}
