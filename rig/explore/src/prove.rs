//! Prove: is the candidate fixed? Baseline and candidate meet the same faults in turn, until a test with known errors decides.
//!
//! Boundary: which trial comes next and what the counts say. The test itself is `brickproof-statistics`'.
//!
//! If it is NOT FIXED, the candidate meets what it has not met yet in the strata that are told apart, once: so that it is known where it still
//! fails. That is not counted in the test.
//!
//! The candidate's trials decide between FIXED and NOT FIXED. FIXED is said only if the same faults brick the baseline, and more often
//! than chance would have it: a test that cannot fail shows nothing. If the candidate is through before that is clear, the baseline goes on
//! alone; nothing is counted for the candidate any more.

use brickproof_statistics::{
    Counts, Decision, Design, Outcome, Probability, Sequence, Sequential, fisher_baseline_fails_more, holm,
};
use brickproof_units::Span;

use crate::campaign::{Budget, CampaignError, ProveSettings, Range, Strata, check_ranges};
use crate::course::Question;
use crate::shot::{Arm, Finding, Shot, seed_of};

/// A proof under way.
#[derive(Clone, Debug)]
pub(crate) struct Prove {
    settings: ProveSettings,
    design: Design,
    candidate: Sequential,
    sequence: Sequence,
    seed: u64,
    /// Trials that were asked for, and of the candidate among them.
    asked: u64,
    /// Faults that were met: the baseline's next one, the candidate's next one.
    baseline_next: u64,
    candidate_next: u64,
    baseline: Counts,
    strata: Vec<Stratum>,
    most: u64,
    /// Every trial that counts, in its order.
    history: Vec<(Arm, Outcome)>,
}

/// The counts of both in one band of the first knob.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Stratum {
    pub(crate) baseline: Counts,
    pub(crate) candidate: Counts,
}

/// What the counts say.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Say {
    Fixed,
    NotFixed,
    /// The candidate's own test was not through when the trials ended.
    Undecided,
    /// The candidate's test says FIXED, and the baseline never failed.
    NothingToFix,
    /// The candidate's test says FIXED, and that the baseline is worse may be chance.
    NoDifference,
}

const NONE: u64 = 0;

fn empty() -> Counts {
    Counts::new(NONE, NONE).expect("nothing of nothing")
}

fn counted(counts: Counts, outcome: Outcome) -> Counts {
    let failures = counts.failures() + u64::from(outcome == Outcome::Failed);
    Counts::new(failures, counts.trials() + 1).expect("each failure is a trial")
}

/// Finer than any clock: a range has so many places.
const PLACES: u64 = 1 << 53;

impl Prove {
    pub(crate) fn new(settings: &ProveSettings, seed: u64, budget: Budget) -> Result<Self, CampaignError> {
        if !settings.ranges.is_empty() {
            check_ranges(&settings.ranges)?;
        }
        let design = Design::new(settings.asked)?;
        let strata = match &settings.strata {
            Strata::Bands(_) if settings.ranges.is_empty() => 1,
            strata => strata.count(),
        };
        let empty = Stratum { baseline: empty(), candidate: empty() };
        Ok(Self {
            candidate: design.start(),
            sequence: Sequence::new(settings.ranges.len().max(1), seed),
            seed,
            asked: 0,
            baseline_next: 0,
            candidate_next: 0,
            baseline: empty.baseline,
            strata: vec![empty; strata],
            most: budget.trials.unwrap_or(u64::MAX).min(2 * settings.asked.cap),
            history: Vec::new(),
            settings: settings.clone(),
            design,
        })
    }

    pub(crate) fn history(&self) -> &[(Arm, Outcome)] {
        &self.history
    }

    pub(crate) fn design(&self) -> &Design {
        &self.design
    }

    pub(crate) fn candidate(&self) -> &Sequential {
        &self.candidate
    }

    pub(crate) fn baseline(&self) -> Counts {
        self.baseline
    }

    pub(crate) fn strata(&self) -> &[Stratum] {
        &self.strata
    }

    /// What each stratum is called.
    pub(crate) fn names(&self) -> Vec<String> {
        if let Strata::Cells(names) = &self.settings.strata {
            return names.clone();
        }
        let count = self.strata.len() as u64;
        let Some(range) = self.settings.ranges.first() else { return vec!["all".to_owned()] };
        (0..count)
            .map(|it| format!("{} {} to {}", range.knob(), range.part(it, count), range.part(it + 1, count)))
            .collect()
    }

    /// How likely the baseline would be so much worse if both were the same: overall.
    pub(crate) fn chance(&self) -> Probability {
        fisher_baseline_fails_more(self.baseline, self.candidate.counts())
    }

    /// Per stratum, by Holm's correction for asking so many times.
    pub(crate) fn chances(&self) -> Vec<Probability> {
        let each: Vec<Probability> =
            self.strata.iter().map(|it| fisher_baseline_fails_more(it.baseline, it.candidate)).collect();
        holm(&each)
    }

    fn is_different(&self) -> bool {
        self.chance() <= self.settings.asked.alpha
    }

    pub(crate) fn say(&self) -> Say {
        match self.candidate.decision() {
            Decision::NotFixed => Say::NotFixed,
            Decision::Fixed if self.baseline.failures() == 0 => Say::NothingToFix,
            Decision::Fixed if self.is_different() => Say::Fixed,
            Decision::Fixed => Say::NoDifference,
            Decision::Continue | Decision::Inconclusive => Say::Undecided,
        }
    }

    /// How many more trials it would take if everything went on as well as it can; `None` where that cannot be said.
    pub(crate) fn further_trials(&self) -> Option<u64> {
        match self.say() {
            Say::Fixed | Say::NotFixed => Some(0),
            // Both firmwares take turns.
            Say::Undecided => {
                let cap = self.candidate.further_trials_needed();
                cap.or_else(|| Some(self.candidate.cap_needed().saturating_sub(self.candidate.counts().trials())))
                    .map(|it| 2 * it)
            }
            Say::NothingToFix => None,
            Say::NoDifference => self.until_different(),
        }
    }

    /// How many more trials of the baseline, failing as often as before, would tell the two apart.
    fn until_different(&self) -> Option<u64> {
        let (failures, trials) = (self.baseline.failures(), self.baseline.trials());
        (1..=MOST_TIMES).find_map(|times| {
            let more = Counts::new(failures * times, trials * times).ok()?;
            let different = fisher_baseline_fails_more(more, self.candidate.counts()) <= self.settings.asked.alpha;
            different.then_some(trials * (times - 1))
        })
    }

    fn settings_at(&self, index: u64) -> Vec<brickproof_scenario::Setting> {
        let place = |(dimension, range): (usize, &Range)| match range.points() {
            Some(points) => range.point(self.sequence.coordinate(index, dimension).cell(points)),
            None => range.part(self.sequence.coordinate(index, dimension).of(Span::nanos(PLACES)).as_nanos(), PLACES),
        };
        self.settings.ranges.iter().enumerate().map(place).collect()
    }

    /// Strata that the candidate, which is NOT FIXED, has not met.
    fn unmet(&self) -> bool {
        self.candidate.decision() == Decision::NotFixed && self.strata.iter().any(|it| it.candidate.trials() == 0)
    }

    fn stratum_of(&self, shot: &Shot) -> usize {
        if self.settings.strata.cells() > 1 {
            return shot.cell.min(self.strata.len() - 1);
        }
        let (Some(range), Some(setting)) = (self.settings.ranges.first(), shot.settings.first()) else { return 0 };
        let count = self.strata.len();
        (range.place(*setting) as usize * count / 1_000).min(count - 1)
    }
}

/// Nobody waits for a thousand times as many trials.
const MOST_TIMES: u64 = 1_000;

impl Question for Prove {
    fn next(&mut self) -> Option<Shot> {
        if self.asked >= self.most {
            return None;
        }
        let candidate_is_through = self.candidate.decision() != Decision::Continue && !self.unmet();
        let arm = if candidate_is_through || self.baseline_next <= self.candidate_next {
            Arm::Baseline
        } else {
            Arm::Candidate
        };
        let index = match arm {
            Arm::Candidate => &mut self.candidate_next,
            _ => &mut self.baseline_next,
        };
        let (number, fault) = (self.asked, *index);
        *index += 1;
        self.asked += 1;
        // The same fault and the same luck for both.
        let cells = self.settings.strata.cells();
        // Less than the number of cells.
        let cell = (fault % cells) as usize;
        Some(Shot { number, arm, cell, settings: self.settings_at(fault / cells), seed: seed_of(self.seed, fault) })
    }

    fn record(&mut self, shot: &Shot, finding: &Finding) {
        let Some(outcome) = finding.class.counted() else { return };
        let stratum = self.stratum_of(shot);
        match shot.arm {
            Arm::Candidate if self.candidate.decision() == Decision::Continue => {
                self.history.push((Arm::Candidate, outcome));
                self.candidate.record(outcome);
                self.strata[stratum].candidate = counted(self.strata[stratum].candidate, outcome);
            }
            Arm::Candidate if self.unmet() => {
                self.strata[stratum].candidate = counted(self.strata[stratum].candidate, outcome);
            }
            // Asked for before the test was through.
            Arm::Candidate => {}
            Arm::Baseline | Arm::Only => {
                self.history.push((Arm::Baseline, outcome));
                self.baseline = counted(self.baseline, outcome);
                self.strata[stratum].baseline = counted(self.strata[stratum].baseline, outcome);
            }
        }
    }

    fn is_answered(&self) -> bool {
        let through = match self.candidate.decision() {
            Decision::Continue => false,
            Decision::NotFixed => !self.unmet(),
            Decision::Inconclusive => true,
            Decision::Fixed => self.is_different() || self.baseline.trials() >= self.settings.asked.cap,
        };
        through || self.baseline.trials() + self.candidate.counts().trials() >= self.most
    }

    fn size(&self) -> Option<u64> {
        None
    }
}
