//! Whether two firmwares, or a board and the others, differ, and what remains of that when many strata were looked at.
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

/// What [`fisher_stratified`] found.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Stratified {
    /// How often chance alone gives the first side so many of the failures, or more.
    pub p: Probability,
    /// The least that `p` could have come to: how often chance alone gives the first side all of the failures that it could have. Where
    /// this is large, no outcome would have shown anything.
    pub least: Probability,
}

/// Fisher's exact test, one-sided, over strata in each of which two sides met the same: whether the first one fails more, if in each
/// stratum both fail equally often, though not as often as in another stratum. Given how many failed in each, the first side's share of
/// each stratum is hypergeometric, and the strata do not depend on each other: the test is the sum of those (the exact form of Cochran,
/// Mantel and Haenszel's). A stratum with one side alone, or where all or none failed, says nothing.
pub fn fisher_stratified(strata: impl IntoIterator<Item = (Counts, Counts)>) -> Stratified {
    // How likely each sum of the first side's failures is, from `offset` on.
    let (mut sums, mut offset, mut seen, mut ln_least) = (vec![1.0], 0u64, 0u64, 0.0);
    for (first, others) in strata {
        let table = Table::new(first, others);
        let (low, high) = table.range();
        seen += first.failures();
        offset += low;
        if low < high {
            let ways: Vec<f64> = (low..=high).map(|failures| table.probability(failures)).collect();
            ln_least += libm::log(ways.last().copied().unwrap_or(1.0));
            sums = convolved(&sums, &ways);
            offset += pruned(&mut sums);
        }
    }
    let beyond = usize::try_from(seen.saturating_sub(offset)).unwrap_or(usize::MAX);
    let least = libm::exp(ln_least);
    let p: f64 = sums.iter().skip(beyond).sum();
    Stratified { p: Probability::clamped(p.max(least)), least: Probability::clamped(least) }
}

fn convolved(a: &[f64], b: &[f64]) -> Vec<f64> {
    let mut sums = vec![0.0; a.len() + b.len() - 1];
    for (i, x) in a.iter().enumerate() {
        for (sum, y) in sums[i..].iter_mut().zip(b) {
            *sum += x * y;
        }
    }
    sums
}

/// Drops what is so unlikely that thousands of strata together do not show it in the twelfth digit. How many it dropped at the beginning.
fn pruned(sums: &mut Vec<f64>) -> u64 {
    const NOTHING: f64 = 1e-18;
    let last = sums.iter().rposition(|p| *p > NOTHING).map_or(1, |last| last + 1);
    sums.truncate(last);
    let first = sums.iter().position(|p| *p > NOTHING).unwrap_or(0);
    sums.drain(..first);
    first as u64
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

pub(crate) fn ln_choose(n: u64, k: u64) -> f64 {
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
    fn strata_that_say_nothing_change_nothing() {
        let nothing = [(counts(0, 9), counts(0, 70)), (counts(5, 5), counts(2, 2)), (counts(3, 8), counts(0, 0))];
        let found = fisher_stratified(nothing);
        assert_eq!((found.p, found.least), (Probability::ONE, Probability::ONE));
        let told = (counts(3, 4), counts(1, 9));
        let with_them = fisher_stratified(nothing.into_iter().chain([told]));
        assert!((with_them.p.get() - fisher_stratified([told]).p.get()).abs() < 1e-12);
    }

    /// Simpson's paradox: the first side got the firmware that fails, and in each stratum fails no more than the others.
    #[test]
    fn a_board_that_only_got_the_worse_firmware_is_not_blamed_for_it() {
        let worse = (counts(40, 80), counts(5, 10));
        let better = (counts(1, 10), counts(8, 80));
        let together = (counts(41, 90), counts(13, 90));
        assert!(fisher_baseline_fails_more(together.0, together.1).get() < 0.001);
        assert!(fisher_stratified([worse, better]).p.get() > 0.5);
    }

    #[test]
    fn thousands_of_strata_take_no_time_and_are_summed_whole() {
        let strata = (0..20_000).map(|i| (counts(u64::from(i % 40 == 0), 2), counts(u64::from(i % 20 == 0), 18)));
        let found = fisher_stratified(strata);
        // 500 seen of 1500 that fell on 10 % of the trials: 150 were expected.
        assert!(found.p.get() < 1e-12, "{}", found.p);
        assert!(found.least <= found.p);
        let even = fisher_stratified((0..20_000).map(|_| (counts(1, 10), counts(1, 10))));
        assert!((even.p.get() - 0.5).abs() < 0.01, "{}", even.p);
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
        fn one_stratum_is_fishers_test(baseline in any_counts(), candidate in any_counts()) {
            let found = fisher_stratified([(baseline, candidate)]);
            let plain = fisher_baseline_fails_more(baseline, candidate);
            prop_assert!((found.p.get() - plain.get()).abs() < 1e-9);
            prop_assert!(found.least <= found.p);
        }

        #[test]
        fn the_order_of_strata_does_not_matter(strata in prop::collection::vec((any_counts(), any_counts()), 0..6)) {
            let backwards = fisher_stratified(strata.iter().rev().copied());
            prop_assert!((fisher_stratified(strata).p.get() - backwards.p.get()).abs() < 1e-9);
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
