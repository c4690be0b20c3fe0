//! What a count of failures says about the probability of a failure.
//!
//! Boundary: counts that were fixed beforehand. After a test that stopped because of what it saw, these intervals describe the
//! trials and claim a little too much (`sequential` holds the errors there).

use special::Beta;

use crate::Probability;

/// Failures among trials.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Counts {
    failures: u64,
    trials: u64,
}

/// Counts that cannot be.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{failures} failures of {trials} trials cannot be: at most every trial fails")]
pub struct MoreFailuresThanTrials {
    failures: u64,
    trials: u64,
}

/// A range of probabilities.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Interval {
    /// The lower end.
    pub low: Probability,
    /// The upper end.
    pub high: Probability,
}

impl Interval {
    /// Whether `value` lies in it, ends included.
    pub fn contains(&self, value: Probability) -> bool {
        self.low <= value && value <= self.high
    }
}

impl std::fmt::Display for Interval {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} to {}", self.low, self.high)
    }
}

impl Counts {
    /// `failures` failures among `trials` trials.
    ///
    /// # Errors
    ///
    /// If there are more failures than trials.
    pub fn new(failures: u64, trials: u64) -> Result<Self, MoreFailuresThanTrials> {
        if failures <= trials {
            Ok(Self { failures, trials })
        } else {
            Err(MoreFailuresThanTrials { failures, trials })
        }
    }

    /// For counts that were kept by counting.
    pub(crate) fn of(failures: u64, trials: u64) -> Self {
        debug_assert!(failures <= trials);
        Self { failures, trials }
    }

    /// How many failed.
    pub const fn failures(self) -> u64 {
        self.failures
    }

    /// How many there were.
    pub const fn trials(self) -> u64 {
        self.trials
    }

    /// How many did not fail.
    pub const fn survivals(self) -> u64 {
        self.trials - self.failures
    }

    /// The share that failed; nothing without a trial.
    pub fn estimate(self) -> Option<Probability> {
        (self.trials > 0).then(|| Probability::share(self.failures, self.trials))
    }

    /// The interval of Clopper and Pearson: it holds the true probability in at least `confidence` of all cases, whatever it is.
    /// The one to make claims with.
    pub fn clopper_pearson(self, confidence: Probability) -> Interval {
        let tail = Probability::clamped((1.0 - confidence.get()) / 2.0);
        Interval { low: self.lower(tail), high: self.upper(tail) }
    }

    /// The probability that is exceeded with at most `1 - confidence`: the one-sided bound of Clopper and Pearson.
    pub fn upper_bound(self, confidence: Probability) -> Probability {
        self.upper(confidence.complement())
    }

    /// The probability that is fallen short of with at most `1 - confidence`: the one-sided bound of Clopper and Pearson.
    pub fn lower_bound(self, confidence: Probability) -> Probability {
        self.lower(confidence.complement())
    }

    /// The interval of Wilson: it holds the true probability in about `confidence` of all cases, not in at least as many, and is
    /// narrower for it. The one to draw.
    pub fn wilson(self, confidence: Probability) -> Interval {
        if self.trials == 0 {
            return Interval { low: Probability::ZERO, high: Probability::ONE };
        }
        let (n, share) = (self.trials as f64, self.failures as f64 / self.trials as f64);
        let z = normal_upper_quantile((1.0 - confidence.get()) / 2.0);
        let widened = 1.0 + z * z / n;
        let centre = (share + z * z / (2.0 * n)) / widened;
        let half = z * libm::sqrt(share * (1.0 - share) / n + z * z / (4.0 * n * n)) / widened;
        // At the ends the two terms are equal, but for the rounding.
        let low = if self.failures == 0 { 0.0 } else { centre - half };
        let high = if self.survivals() == 0 { 1.0 } else { centre + half };
        Interval { low: Probability::clamped(low), high: Probability::clamped(high) }
    }

    fn lower(self, tail: Probability) -> Probability {
        match self.failures {
            0 => Probability::ZERO,
            k => beta_quantile(tail.get(), k as f64, (self.trials - k + 1) as f64),
        }
    }

    fn upper(self, tail: Probability) -> Probability {
        match self.survivals() {
            0 => Probability::ONE,
            survivals => beta_quantile(1.0 - tail.get(), (self.failures + 1) as f64, survivals as f64),
        }
    }
}

/// How many trials without a failure show, at `confidence`, that a failure is rarer than `probability`; equally: after how many
/// trials a failure of that probability has been seen with `confidence`.
///
/// Nothing if no number is enough: a probability of zero, or certainty.
pub fn success_run(probability: Probability, confidence: Probability) -> Option<u64> {
    if probability == Probability::ZERO || confidence == Probability::ONE {
        return None;
    }
    let trials = libm::ceil(libm::log1p(-confidence.get()) / libm::log1p(-probability.get()));
    Some((trials as u64).max(1))
}

/// The value that a Beta(a, b) stays below with probability `share`.
///
/// By halving, on the bits: the quantile of the library ends 1e-4 away from 0 and 1, which is where boards are.
fn beta_quantile(share: f64, a: f64, b: f64) -> Probability {
    let ln_beta = a.ln_beta(b);
    let (mut low, mut high) = (0f64.to_bits(), 1f64.to_bits());
    while high - low > 1 {
        let middle = low + (high - low) / 2;
        if f64::from_bits(middle).inc_beta(a, b, ln_beta) < share { low = middle } else { high = middle }
    }
    Probability::clamped(f64::from_bits(high))
}

/// The value that a standard normal exceeds with probability `tail`, at most one half.
fn normal_upper_quantile(tail: f64) -> f64 {
    let (mut low, mut high) = (0f64.to_bits(), 40f64.to_bits());
    while high - low > 1 {
        let middle = low + (high - low) / 2;
        let exceeded = libm::erfc(f64::from_bits(middle) / std::f64::consts::SQRT_2) / 2.0;
        if exceeded > tail { low = middle } else { high = middle }
    }
    f64::from_bits(high)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn p(value: f64) -> Probability {
        Probability::new(value).unwrap()
    }

    fn clean(trials: u64) -> Counts {
        Counts::new(0, trials).unwrap()
    }

    #[test]
    fn five_clean_trials_show_next_to_nothing() {
        assert_eq!(clean(5).upper_bound(p(0.95)).to_string(), "45.1 %");
        assert_eq!(clean(300).upper_bound(p(0.95)).to_string(), "0.994 %");
    }

    #[test]
    fn without_a_trial_nothing_is_known() {
        let all = Interval { low: Probability::ZERO, high: Probability::ONE };
        assert_eq!(clean(0).clopper_pearson(p(0.95)), all);
        assert_eq!(clean(0).wilson(p(0.95)), all);
        assert_eq!(clean(0).estimate(), None);
    }

    #[test]
    fn impossible_counts_are_refused() {
        assert_eq!(
            Counts::new(6, 5).unwrap_err().to_string(),
            "6 failures of 5 trials cannot be: at most every trial fails"
        );
    }

    #[test]
    fn no_number_of_trials_shows_that_a_failure_is_impossible() {
        assert_eq!(success_run(Probability::ZERO, p(0.95)), None);
        assert_eq!(success_run(p(0.1), Probability::ONE), None);
        assert_eq!(success_run(Probability::ONE, p(0.95)), Some(1));
        assert_eq!(success_run(p(0.1), Probability::ZERO), Some(1));
    }

    fn any_counts() -> impl Strategy<Value = Counts> {
        (0u64..5000).prop_flat_map(|n| (0..=n, Just(n))).prop_map(|(k, n)| Counts::new(k, n).unwrap())
    }

    proptest! {
        #[test]
        fn intervals_hold_the_estimate(counts in any_counts(), confidence in 0.5..0.9999f64) {
            if let Some(estimate) = counts.estimate() {
                prop_assert!(counts.clopper_pearson(p(confidence)).contains(estimate));
                prop_assert!(counts.wilson(p(confidence)).contains(estimate));
            }
        }

        #[test]
        fn one_failure_more_raises_both_ends(counts in any_counts(), confidence in 0.5..0.9999f64) {
            let confidence = p(confidence);
            if let Ok(more) = Counts::new(counts.failures() + 1, counts.trials()) {
                let (fewer, more) = (counts.clopper_pearson(confidence), more.clopper_pearson(confidence));
                prop_assert!(fewer.low < more.low && fewer.high < more.high);
            }
        }

        #[test]
        fn failures_and_survivals_mirror_each_other(counts in any_counts(), confidence in 0.5..0.9999f64) {
            let confidence = p(confidence);
            let mirror = Counts::new(counts.survivals(), counts.trials()).unwrap();
            let (ours, theirs) = (counts.clopper_pearson(confidence), mirror.clopper_pearson(confidence));
            prop_assert!((ours.low.get() - theirs.high.complement().get()).abs() < 1e-9);
            prop_assert!((ours.high.get() - theirs.low.complement().get()).abs() < 1e-9);
        }

        /// The reason for the success-run size, and for `upper_bound`: each says what the other says.
        #[test]
        fn a_success_run_is_the_first_clean_run_whose_bound_is_low_enough(
            probability in 0.0005..0.9f64, confidence in 0.5..0.999f64,
        ) {
            let (probability, confidence) = (p(probability), p(confidence));
            let n = success_run(probability, confidence).unwrap();
            let slack = p(probability.get() * (1.0 + 1e-9));
            prop_assert!(clean(n).upper_bound(confidence) <= slack);
            if n > 1 {
                prop_assert!(clean(n - 1).upper_bound(confidence).get() >= probability.get() * (1.0 - 1e-9));
            }
        }
    }
}
