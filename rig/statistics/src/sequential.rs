//! The test behind `prove`: trial by trial, until the candidate is FIXED or NOT FIXED, with errors that hold exactly.
//!
//! Boundary: one firmware's outcomes. That the baseline failed at all, and that both firmwares met the same faults, is asked
//! elsewhere.
//!
//! The test is Wald's sequential probability ratio test of "fails with p0 or less" against "fails with p1 or more", ended by a cap.
//! Wald's own boundaries are approximations: at 0.1 % against 2 % they let 5.12 % of the bad firmwares through where 5 % were asked.
//! So a [`Design`] computes what a pair of boundaries really does, over all numbers of trials and failures, and takes the lowest
//! pair that keeps both errors.

use crate::{Outcome, Probability};

mod boundaries;

use boundaries::Boundaries;

/// What is asked of a proof.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Asked {
    /// A firmware that fails this often or less is to be called FIXED.
    pub good: Probability,
    /// A firmware that fails this often or more is to be called NOT FIXED.
    pub bad: Probability,
    /// How often, at most, a good firmware may be called NOT FIXED.
    pub alpha: Probability,
    /// How often, at most, a bad firmware may be called FIXED.
    pub beta: Probability,
    /// After so many trials without an answer it is INCONCLUSIVE.
    pub cap: u64,
}

/// What cannot be asked of a proof.
#[derive(Clone, Copy, Debug, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum DesignError {
    /// Good and bad are not apart.
    #[error("good is {good} and bad is {bad}: good must be above zero and below bad, and bad below 100 %; try good at {}", suggested_good(*bad))]
    NotApart {
        /// What was asked for `good`.
        good: Probability,
        /// What was asked for `bad`.
        bad: Probability,
    },
    /// An error rate that no test has, or that tossing a coin has.
    #[error("alpha is {alpha} and beta is {beta}: each must be above zero and below 50 %; try 5 %")]
    ErrorRates {
        /// What was asked for `alpha`.
        alpha: Probability,
        /// What was asked for `beta`.
        beta: Probability,
    },
    /// Not even a clean run is long enough.
    #[error(
        "a cap of {cap} trials never allows FIXED: even without a failure it takes {needed}; raise the cap, or call a higher rate bad"
    )]
    CapTooLow {
        /// What was asked.
        cap: u64,
        /// The lowest cap with which FIXED can be said.
        needed: u64,
    },
    /// More trials than are ever made.
    #[error(
        "a cap of {cap} trials is more than the {most} that are computed: aim the faults at the window, where a failure is not so rare"
    )]
    CapTooHigh {
        /// What was asked.
        cap: u64,
        /// The highest cap.
        most: u64,
    },
    /// Good and bad are so near each other that no boundaries were found.
    #[error(
        "good at {good} and bad at {bad} cannot be told apart with these errors: set them further apart, or allow more errors"
    )]
    Unattainable {
        /// What was asked for `good`.
        good: Probability,
        /// What was asked for `bad`.
        bad: Probability,
    },
}

/// A tenth is told from the whole after few failures.
fn suggested_good(bad: Probability) -> Probability {
    Probability::clamped(bad.get().min(0.5) / 10.0)
}

/// How a test behaves on a firmware of one failure probability. Exact, not simulated.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Characteristic {
    /// How often it says FIXED.
    pub fixed: Probability,
    /// How often it says NOT FIXED.
    pub not_fixed: Probability,
    /// How often the cap comes first.
    pub inconclusive: Probability,
    /// How many trials it takes on average, the capped ones included.
    pub average_trials: f64,
}

/// A sequential test whose errors hold.
#[derive(Clone, Debug, PartialEq)]
pub struct Design {
    asked: Asked,
    boundaries: Boundaries,
    at_good: Characteristic,
    at_bad: Characteristic,
}

impl Design {
    /// The highest cap: at 30 s per trial, a year.
    pub const MOST_TRIALS: u64 = 1_000_000;

    /// The test with the lowest boundaries that keep the asked errors.
    ///
    /// # Errors
    ///
    /// If what is asked cannot be; the message says what to try.
    pub fn new(asked: Asked) -> Result<Self, DesignError> {
        let Asked { good, bad, alpha, beta, cap } = asked;
        if !(Probability::ZERO < good && good < bad && bad < Probability::ONE) {
            return Err(DesignError::NotApart { good, bad });
        }
        let possible = |rate: Probability| 0.0 < rate.get() && rate.get() < 0.5;
        if !possible(alpha) || !possible(beta) {
            return Err(DesignError::ErrorRates { alpha, beta });
        }
        if cap > Self::MOST_TRIALS {
            return Err(DesignError::CapTooHigh { cap, most: Self::MOST_TRIALS });
        }
        // A bad firmware gets through a clean run of less than this more often than beta.
        let needed = crate::success_run(bad, beta.complement()).unwrap_or(u64::MAX);
        if cap < needed {
            return Err(DesignError::CapTooLow { cap, needed });
        }
        let boundaries = boundaries::calibrated(asked).ok_or(DesignError::Unattainable { good, bad })?;
        let needed = boundaries.fixed_from(0);
        if cap < needed {
            return Err(DesignError::CapTooLow { cap, needed });
        }
        let at = |p| boundaries.characteristic(p, cap);
        Ok(Self { asked, at_good: at(good), at_bad: at(bad), boundaries })
    }

    /// What was asked.
    pub fn asked(&self) -> Asked {
        self.asked
    }

    /// What it does with a firmware that fails with probability `p`.
    pub fn characteristic(&self, p: Probability) -> Characteristic {
        self.boundaries.characteristic(p, self.asked.cap)
    }

    /// What it does with a firmware that is only just good: its `not_fixed` is the error that alpha bounds.
    pub fn at_good(&self) -> Characteristic {
        self.at_good
    }

    /// What it does with a firmware that is only just bad: its `fixed` is the error that beta bounds.
    pub fn at_bad(&self) -> Characteristic {
        self.at_bad
    }

    /// After how many trials without a failure it says FIXED.
    pub fn clean_run(&self) -> u64 {
        self.boundaries.fixed_from(0)
    }

    /// The test at its beginning.
    pub fn start(&self) -> Sequential {
        Sequential {
            boundaries: self.boundaries,
            cap: self.asked.cap,
            trials: 0,
            failures: 0,
            decision: Decision::Continue,
        }
    }
}

/// What a sequential test says after a trial.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Decision {
    /// Another trial.
    Continue,
    /// FIXED.
    Fixed,
    /// NOT FIXED.
    NotFixed,
    /// The cap is reached, and neither was shown.
    Inconclusive,
}

/// A sequential test under way. Plain data: what it says depends on the two counts alone.
#[derive(Clone, Debug, PartialEq)]
pub struct Sequential {
    boundaries: Boundaries,
    cap: u64,
    trials: u64,
    failures: u64,
    decision: Decision,
}

impl Sequential {
    /// Counts a trial. After the decision nothing is counted any more: whoever goes on until the answer pleases has no error rates.
    pub fn record(&mut self, outcome: Outcome) -> Decision {
        if self.decision != Decision::Continue {
            return self.decision;
        }
        self.trials += 1;
        self.failures += u64::from(outcome == Outcome::Failed);
        self.decision = if self.boundaries.not_fixed(self.trials, self.failures) {
            Decision::NotFixed
        } else if self.trials >= self.boundaries.fixed_from(self.failures) {
            Decision::Fixed
        } else if self.trials >= self.cap {
            Decision::Inconclusive
        } else {
            Decision::Continue
        };
        self.decision
    }

    /// What it said last.
    pub fn decision(&self) -> Decision {
        self.decision
    }

    /// What it counted.
    pub fn counts(&self) -> crate::Counts {
        crate::Counts::of(self.failures, self.trials)
    }

    /// How many more trials it takes to FIXED, if none of them fails; nothing if the cap forbids it, or the answer is another one.
    pub fn further_trials_needed(&self) -> Option<u64> {
        let needed = self.boundaries.fixed_from(self.failures);
        match self.decision {
            Decision::Fixed => Some(0),
            Decision::Continue if needed <= self.cap => Some(needed - self.trials),
            _ => None,
        }
    }

    /// The cap that would let FIXED be reached from here, if no further trial fails. A proof with it is a new proof: its errors
    /// are those of its own design.
    pub fn cap_needed(&self) -> u64 {
        self.boundaries.fixed_from(self.failures)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn asked(good: f64, bad: f64, cap: u64) -> Asked {
        let p = |value| Probability::new(value).unwrap();
        Asked { good: p(good), bad: p(bad), alpha: p(0.05), beta: p(0.05), cap }
    }

    fn run(test: &mut Sequential, outcomes: impl IntoIterator<Item = Outcome>) -> Decision {
        outcomes.into_iter().fold(test.decision(), |_, outcome| test.record(outcome))
    }

    fn clean(trials: u64) -> impl Iterator<Item = Outcome> {
        (0..trials).map(|_| Outcome::Survived)
    }

    #[test]
    fn a_clean_candidate_is_fixed_after_the_clean_run_and_not_before() {
        let design = Design::new(asked(0.001, 0.02, 1000)).unwrap();
        assert_eq!(design.clean_run(), 154);
        let mut test = design.start();
        assert_eq!(test.further_trials_needed(), Some(154));
        assert_eq!(run(&mut test, clean(153)), Decision::Continue);
        assert_eq!(test.further_trials_needed(), Some(1));
        assert_eq!(test.record(Outcome::Survived), Decision::Fixed);
        assert_eq!(test.further_trials_needed(), Some(0));
    }

    #[test]
    fn a_failure_in_the_first_trial_is_not_fixed_when_good_firmware_hardly_ever_does_that() {
        let mut test = Design::new(asked(0.001, 0.02, 1000)).unwrap().start();
        assert_eq!(test.record(Outcome::Failed), Decision::NotFixed);
        assert_eq!(test.further_trials_needed(), None);
    }

    #[test]
    fn a_late_failure_costs_more_trials_and_the_cap_may_forbid_them() {
        let mut roomy = Design::new(asked(0.001, 0.02, 1000)).unwrap().start();
        run(&mut roomy, clean(100));
        assert_eq!(roomy.record(Outcome::Failed), Decision::Continue);
        assert_eq!(roomy.further_trials_needed(), Some(210), "a failure is worth 2.996, a survival 0.0192");

        let mut capped = Design::new(asked(0.001, 0.02, 200)).unwrap().start();
        run(&mut capped, clean(100));
        assert_eq!(capped.record(Outcome::Failed), Decision::Continue);
        assert_eq!(capped.further_trials_needed(), None);
        assert_eq!(run(&mut capped, clean(99)), Decision::Inconclusive);
        assert_eq!(capped.counts(), crate::Counts::new(1, 200).unwrap());
    }

    #[test]
    fn after_the_answer_nothing_is_counted() {
        let mut test = Design::new(asked(0.001, 0.02, 1000)).unwrap().start();
        test.record(Outcome::Failed);
        let before = test.clone();
        assert_eq!(run(&mut test, clean(500)), Decision::NotFixed);
        assert_eq!(test, before);
    }

    #[test]
    fn what_cannot_be_asked_is_refused_with_what_to_try() {
        let refused = |asked| Design::new(asked).unwrap_err().to_string();
        assert_eq!(
            refused(asked(0.02, 0.02, 100)),
            "good is 2.00 % and bad is 2.00 %: good must be above zero and below bad, and bad below 100 %; try good at 0.200 %"
        );
        assert_eq!(
            refused(asked(0.001, 0.02, 100)),
            "a cap of 100 trials never allows FIXED: even without a failure it takes 149; raise the cap, or call a higher rate bad"
        );
        assert!(refused(asked(0.0, 0.02, 100)).contains("good must be above zero"));
        assert!(refused(Asked { alpha: Probability::ZERO, ..asked(0.001, 0.02, 1000) }).contains("alpha is 0 %"));
        assert!(refused(Asked { beta: Probability::ONE, ..asked(0.001, 0.02, 1000) }).contains("beta is 100 %"));
        assert!(refused(asked(0.001, 0.02, u64::MAX)).contains("aim the faults at the window"));
    }

    #[test]
    fn the_cap_that_is_said_to_be_needed_is_enough() {
        for (good, bad) in [(0.001, 0.02), (0.0005, 0.01), (0.01, 0.05), (0.1, 0.3), (0.3, 0.6)] {
            let Err(DesignError::CapTooLow { needed, .. }) = Design::new(asked(good, bad, 1)) else {
                panic!("{good} against {bad} needs more than one trial")
            };
            assert!(Design::new(asked(good, bad, needed)).is_ok(), "{good} against {bad} with {needed}");
        }
    }

    /// At the lowest boundaries an error is all but used up: a little lower, and it would be more than was asked.
    #[test]
    fn the_asked_errors_are_kept_and_used() {
        for (good, bad) in [(0.001, 0.02), (0.0005, 0.01), (0.01, 0.05), (0.0001, 0.001)] {
            let design = Design::new(asked(good, bad, 20_000)).unwrap();
            for error in [design.at_good().not_fixed, design.at_bad().fixed] {
                assert!((0.045..=0.05).contains(&error.get()), "{good} against {bad}: {error}");
            }
        }
    }

    fn any_asked() -> impl Strategy<Value = Asked> {
        (0.001..0.2f64, 1.5..20.0f64, 0.01..0.2f64, 0.01..0.2f64, 1u64..3000).prop_map(
            |(good, ratio, alpha, beta, cap)| {
                let p = |value| Probability::new(value).unwrap();
                Asked { good: p(good), bad: p((good * ratio).min(0.9)), alpha: p(alpha), beta: p(beta), cap }
            },
        )
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        #[test]
        fn errors_hold_whatever_is_asked(asked in any_asked(), better in 0.0..1.0f64, worse in 0.0..1.0f64) {
            let Ok(design) = Design::new(asked) else { return Ok(()) };
            let good = Probability::new(asked.good.get() * better).unwrap();
            let bad = Probability::new(asked.bad.get() + (1.0 - asked.bad.get()) * worse).unwrap();
            prop_assert!(design.characteristic(asked.good).not_fixed <= asked.alpha);
            prop_assert!(design.characteristic(asked.bad).fixed <= asked.beta);
            prop_assert!(design.characteristic(good).not_fixed <= asked.alpha, "of a better one");
            prop_assert!(design.characteristic(bad).fixed <= asked.beta, "of a worse one");
            let c = design.characteristic(good);
            prop_assert!((c.fixed.get() + c.not_fixed.get() + c.inconclusive.get() - 1.0).abs() < 1e-9);
            prop_assert!(c.average_trials <= asked.cap as f64);
        }

        #[test]
        fn it_ends_by_the_cap_and_says_truly_how_far_it_is(asked in any_asked(), outcomes in prop::collection::vec(0u8..20, 3000)) {
            let Ok(design) = Design::new(asked) else { return Ok(()) };
            let mut test = design.start();
            let mut trials = 0;
            for outcome in outcomes {
                if let Some(needed) = test.further_trials_needed() {
                    let mut ahead = test.clone();
                    prop_assert_eq!(run(&mut ahead, clean(needed)), Decision::Fixed);
                    let mut short = test.clone();
                    prop_assert_eq!(run(&mut short, clean(needed - 1)), Decision::Continue);
                }
                trials += 1;
                let failed = f64::from(outcome) < 20.0 * asked.bad.get();
                if test.record(if failed { Outcome::Failed } else { Outcome::Survived }) != Decision::Continue {
                    break;
                }
                prop_assert!(trials < asked.cap);
            }
            prop_assert_eq!(test.counts().trials(), trials);
        }
    }
}
