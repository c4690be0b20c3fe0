//! Whether two firmwares differ, and what remains of that when many strata were looked at.
//!
//! Boundary: two counts of the same board at the same faults. Whether they were interleaved fairly is the campaign's business.

use crate::{Counts, Probability};

/// Fisher's exact test, one-sided: how often chance alone gives the baseline so many of the failures, or more, if both
/// firmwares fail equally often.
pub fn fisher_baseline_fails_more(baseline: Counts, candidate: Counts) -> Probability {
    let table = Table::new(baseline, candidate);
    let (_, high) = table.range();
    Probability::clamped((baseline.failures()..=high).map(|failures| table.probability(failures)).sum())
}

/// Fisher's exact test, two-sided: how often chance alone gives a split of the failures that is as unlikely as this one, or
/// more, if both firmwares fail equally often.
pub fn fisher_differ(baseline: Counts, candidate: Counts) -> Probability {
    let table = Table::new(baseline, candidate);
    let (low, high) = table.range();
    // Splits that are equally likely differ by the rounding of their logarithms.
    let seen = table.probability(baseline.failures()) * (1.0 + 1e-7);
    Probability::clamped((low..=high).map(|failures| table.probability(failures)).filter(|p| *p <= seen).sum())
}

/// The p-values adjusted by Holm's step-down method, in the order of `p_values`: those at most alpha are significant, and the
/// probability that any of these is an error is at most alpha, however the strata depend on each other.
pub fn holm(p_values: &[Probability]) -> Vec<Probability> {
    let mut order: Vec<usize> = (0..p_values.len()).collect();
    order.sort_by(|a, b| p_values[*a].get().total_cmp(&p_values[*b].get()));
    let mut adjusted = vec![Probability::ZERO; p_values.len()];
    let mut least = 0.0f64;
    for (rank, index) in order.into_iter().enumerate() {
        least = least.max(p_values[index].get() * (p_values.len() - rank) as f64);
        adjusted[index] = Probability::clamped(least);
    }
    adjusted
}

/// Two firmwares' counts with their sums held fixed: what is left open is how many of the failures are the baseline's.
struct Table {
    baseline: u64,
    candidate: u64,
    failures: u64,
    /// Of all the ways to pick the failures.
    ln_ways: f64,
}

impl Table {
    fn new(baseline: Counts, candidate: Counts) -> Self {
        let (m, n, k) = (baseline.trials(), candidate.trials(), baseline.failures() + candidate.failures());
        Self { baseline: m, candidate: n, failures: k, ln_ways: ln_choose(m + n, k) }
    }

    fn range(&self) -> (u64, u64) {
        (self.failures.saturating_sub(self.candidate), self.failures.min(self.baseline))
    }

    fn probability(&self, of_baseline: u64) -> f64 {
        let ways = ln_choose(self.baseline, of_baseline) + ln_choose(self.candidate, self.failures - of_baseline);
        libm::exp(ways - self.ln_ways)
    }
}

fn ln_choose(n: u64, k: u64) -> f64 {
    let ln_factorial = |n: u64| libm::lgamma(n as f64 + 1.0);
    ln_factorial(n) - ln_factorial(k) - ln_factorial(n - k)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn counts(failures: u64, trials: u64) -> Counts {
        Counts::new(failures, trials).unwrap()
    }

    fn any_counts() -> impl Strategy<Value = Counts> {
        (0u64..60).prop_flat_map(|n| (0..=n, Just(n))).prop_map(|(k, n)| counts(k, n))
    }

    #[test]
    fn one_brick_of_fifty_against_none_of_a_hundred_and_fifty_is_chance() {
        let p = fisher_baseline_fails_more(counts(1, 50), counts(0, 150));
        assert!((p.get() - 0.25).abs() < 1e-12, "{p}");
    }

    #[test]
    fn two_firmwares_without_a_trial_do_not_differ() {
        assert_eq!(fisher_differ(counts(0, 0), counts(0, 0)), Probability::ONE);
        assert_eq!(fisher_baseline_fails_more(counts(0, 0), counts(0, 0)), Probability::ONE);
    }

    #[test]
    fn no_stratum_is_no_error() {
        assert_eq!(holm(&[]), []);
    }

    proptest! {
        #[test]
        fn every_split_of_the_failures_together_is_certain(baseline in any_counts(), candidate in any_counts()) {
            let table = Table::new(baseline, candidate);
            let (low, high) = table.range();
            let sum: f64 = (low..=high).map(|k| table.probability(k)).sum();
            prop_assert!((sum - 1.0).abs() < 1e-9, "{}", sum);
        }

        #[test]
        fn a_failure_more_of_the_baseline_is_stronger_evidence(baseline in any_counts(), candidate in any_counts()) {
            if let Ok(more) = Counts::new(baseline.failures() + 1, baseline.trials()) {
                let (before, after) =
                    (fisher_baseline_fails_more(baseline, candidate), fisher_baseline_fails_more(more, candidate));
                prop_assert!(after.get() <= before.get() + 1e-9, "{} then {}", before, after);
            }
        }

        #[test]
        fn which_firmware_is_the_baseline_does_not_matter_to_whether_they_differ(
            baseline in any_counts(), candidate in any_counts(),
        ) {
            let (one, other) = (fisher_differ(baseline, candidate), fisher_differ(candidate, baseline));
            prop_assert!((one.get() - other.get()).abs() < 1e-9);
        }

        #[test]
        fn adjusting_keeps_the_order_and_lowers_nothing(values in prop::collection::vec(0.0..=1.0f64, 1..20)) {
            let values: Vec<Probability> = values.into_iter().map(|p| Probability::new(p).unwrap()).collect();
            let adjusted = holm(&values);
            for (i, p) in values.iter().enumerate() {
                prop_assert!(adjusted[i] >= *p);
                for (j, q) in values.iter().enumerate() {
                    prop_assert!(p > q || adjusted[i] <= adjusted[j]);
                }
            }
        }
    }
}
