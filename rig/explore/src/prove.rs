//! Prove: is the candidate fixed? Baseline and candidate meet the same faults in turn, until a test with known errors decides.
//!
//! Boundary: which trial comes next and what the counts say. The test itself is `brickproof-statistics`'.
//!
//! The candidate's trials decide between FIXED and NOT FIXED. FIXED also takes a positive control: the baseline is shown to fail more often
//! than `bad`, under the same faults. That is looked at when the baseline has as many trials as the candidate took, and then at twice, four
//! times ... as many, each time with its part of `alpha`, so that looking often makes nobody believe more. Two firmwares that are alike are
//! told apart wrongly with `alpha` or `beta` at the most: one that fails more often than `bad` is called FIXED with `beta`, one that does not
//! is shown to with `alpha`.
//!
//! If the candidate is NOT FIXED, it meets each stratum that it has not met, a few times at the most, so that it is known where it still
//! fails. That is not counted in the test.

use brickproof_scenario::Setting;
use brickproof_statistics::{
    Counts, Decision, Design, Outcome, Probability, Sequence, Sequential, fisher_baseline_fails_more, holm,
};
use brickproof_units::Span;

use crate::asking::Question;
use crate::boards::BoardNumber;
use crate::campaign::{Budget, CampaignError, PLACES, ProveSettings, Range, check_ranges};
use crate::shot::{Arm, Finding, Shot, seed_of};

/// How many faults are met for each stratum, at the most, after NOT FIXED.
const SURVEY: u64 = 4;
/// Nobody waits for a thousand times as many trials.
const MOST_TIMES: u64 = 1_000;

/// A proof under way.
#[derive(Clone, Debug)]
pub(crate) struct Prove {
    settings: ProveSettings,
    design: Design,
    candidate: Sequential,
    sequence: Sequence,
    seed: u64,
    /// Shots that were asked for, and findings that were told.
    asked: u64,
    told: u64,
    /// Faults that were met: the baseline's next one, the candidate's next one.
    baseline_next: u64,
    candidate_next: u64,
    baseline: Counts,
    strata: Vec<Stratum>,
    /// The same trials by the board that made them. Each of the first `turns` meets both firmwares under every so-manieth fault.
    boards: Vec<Stratum>,
    turns: u64,
    most: u64,
    /// Every trial that counts, in its order.
    history: Vec<(Arm, Outcome)>,
}

/// The counts of both in one stratum.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(crate) struct Stratum {
    pub(crate) baseline: Counts,
    pub(crate) candidate: Counts,
    /// The candidate's after its test said NOT FIXED.
    pub(crate) surveyed: Counts,
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
    /// The candidate's test says FIXED, and the baseline was not shown to be bad.
    NoControl,
}

impl Stratum {
    fn count(&mut self, arm: Arm, outcome: Outcome, is_surveyed: bool) {
        let counts = match arm {
            Arm::Candidate if is_surveyed => &mut self.surveyed,
            Arm::Candidate => &mut self.candidate,
            Arm::Baseline | Arm::Only => &mut self.baseline,
        };
        *counts = counted(*counts, outcome);
    }

    fn chance(&self) -> Probability {
        fisher_baseline_fails_more(self.baseline, self.candidate)
    }
}

fn counted(counts: Counts, outcome: Outcome) -> Counts {
    let failures = counts.failures() + u64::from(outcome == Outcome::Failed);
    Counts::new(failures, counts.trials() + 1).expect("each failure is a trial")
}

impl Prove {
    pub(crate) fn new(
        settings: &ProveSettings,
        seed: u64,
        budget: Budget,
        boards: usize,
    ) -> Result<Self, CampaignError> {
        if !settings.ranges.is_empty() {
            check_ranges(&settings.ranges)?;
        }
        let design = Design::new(settings.asked)?;
        let strata = settings.strata.count(settings.ranges.first())?;
        Ok(Self {
            candidate: design.start(),
            sequence: Sequence::new(settings.ranges.len().max(1), seed),
            seed,
            asked: 0,
            told: 0,
            baseline_next: 0,
            candidate_next: 0,
            baseline: Counts::default(),
            strata: vec![Stratum::default(); strata],
            boards: vec![Stratum::default(); boards],
            turns: boards.max(1) as u64,
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

    /// The same trials by the board that made them.
    pub(crate) fn boards(&self) -> &[Stratum] {
        &self.boards
    }

    /// What each stratum is called.
    pub(crate) fn names(&self) -> Vec<String> {
        self.settings.strata.names(self.strata.len(), self.settings.ranges.first())
    }

    /// How likely the baseline would be so much worse if both were the same, had their numbers been fixed beforehand.
    pub(crate) fn chance(&self) -> Probability {
        fisher_baseline_fails_more(self.baseline, self.candidate.counts())
    }

    /// The same per stratum and then per board, by Holm's correction for asking so many times.
    pub(crate) fn chances(&self) -> (Vec<Probability>, Vec<Probability>) {
        // A single stratum or a single board is asked no question of its own.
        let several = |strata: &'_ [Stratum]| strata.len() > 1;
        let asked = [&self.strata, &self.boards].map(|it| if several(it) { &it[..] } else { &[] });
        let each: Vec<Probability> = asked.iter().copied().flatten().map(Stratum::chance).collect();
        let mut strata = holm(&each);
        let boards = strata.split_off(asked[0].len());
        (strata, boards)
    }

    /// At which numbers of its trials the baseline is looked at, once the candidate is through.
    fn looks(&self) -> impl Iterator<Item = u64> {
        let (first, cap) = (self.candidate.counts().trials().max(1), self.settings.asked.cap);
        std::iter::successors(Some(first), move |it| (*it < cap).then(|| (2 * it).min(cap)))
    }

    /// Whether the baseline, with these counts, is shown to fail more often than `bad`.
    fn is_bad(&self, baseline: Counts) -> bool {
        let part = self.settings.asked.alpha.get() / self.looks().count().max(1) as f64;
        let confidence = Probability::new(1.0 - part).unwrap_or(Probability::ONE);
        baseline.lower_bound(confidence) > self.settings.asked.bad
    }

    fn is_controlled(&self) -> bool {
        self.looks().any(|look| look == self.baseline.trials()) && self.is_bad(self.baseline)
    }

    pub(crate) fn say(&self) -> Say {
        match self.candidate.decision() {
            Decision::NotFixed => Say::NotFixed,
            Decision::Fixed if self.baseline.failures() == 0 => Say::NothingToFix,
            Decision::Fixed if self.is_controlled() => Say::Fixed,
            Decision::Fixed => Say::NoControl,
            Decision::Continue | Decision::Inconclusive => Say::Undecided,
        }
    }

    /// How many more trials it would take if everything went on as well as it can; `None` where no number would do.
    pub(crate) fn further_trials(&self) -> Option<u64> {
        match self.say() {
            Say::Fixed | Say::NotFixed => Some(0),
            Say::Undecided => {
                let clean = self.candidate.further_trials_needed();
                let from_here = self.candidate.cap_needed().saturating_sub(self.candidate.counts().trials());
                // Both firmwares take turns.
                Some(2 * clean.unwrap_or(from_here))
            }
            Say::NothingToFix => None,
            Say::NoControl => self.until_controlled(),
        }
    }

    /// How many more trials of the baseline, failing as often as before, would show that it is bad.
    fn until_controlled(&self) -> Option<u64> {
        let (failures, trials) = (self.baseline.failures(), self.baseline.trials());
        let shows = |times| Counts::new(failures * times, trials * times).is_ok_and(|more| self.is_bad(more));
        // With the same share of failures the bound only rises, so what so many times as many trials do not show fewer do not either.
        let (mut too_few, mut enough) = (0, shows(MOST_TIMES).then_some(MOST_TIMES)?);
        while enough - too_few > 1 {
            let middle = (too_few + enough) / 2;
            if shows(middle) { enough = middle } else { too_few = middle }
        }
        Some(trials * (enough - 1))
    }

    fn settings_at(&self, index: u64) -> Vec<Setting> {
        let place = |(dimension, range): (usize, &Range)| match range.points() {
            Some(points) => range.point(self.sequence.coordinate(index, dimension).cell(points)),
            None => range.part(self.sequence.coordinate(index, dimension).of(Span::nanos(PLACES)).as_nanos(), PLACES),
        };
        self.settings.ranges.iter().enumerate().map(place).collect()
    }

    /// Whether the candidate, which is NOT FIXED, still has to meet strata.
    fn surveys(&self) -> bool {
        let enough = self.candidate.counts().trials() + SURVEY * self.strata.len() as u64;
        let unmet = |it: &Stratum| it.candidate.trials() + it.surveyed.trials() == 0;
        self.candidate.decision() == Decision::NotFixed && self.candidate_next < enough && self.strata.iter().any(unmet)
    }

    fn stratum_of(&self, shot: &Shot) -> usize {
        let first = self.settings.ranges.first().zip(shot.settings.first().copied());
        self.settings.strata.index(self.strata.len(), shot.cell, first)
    }

    fn next_arm(&self) -> Arm {
        match self.candidate.decision() {
            Decision::Continue if self.candidate_next < self.baseline_next => Arm::Candidate,
            Decision::Continue => Arm::Baseline,
            _ if self.surveys() => Arm::Candidate,
            _ => Arm::Baseline,
        }
    }
}

impl Question for Prove {
    fn next(&mut self) -> Option<Shot> {
        let under_way = self.asked - self.told;
        // What comes next depends on what was told, and on nothing else: at most the second of a pair goes beside the first.
        let beside = under_way == 1 && self.candidate_next < self.baseline_next;
        let may_ask = under_way == 0 || beside && self.candidate.decision() == Decision::Continue;
        if self.asked >= self.most || !may_ask {
            return None;
        }
        let arm = self.next_arm();
        let index = match arm {
            Arm::Candidate => &mut self.candidate_next,
            Arm::Baseline | Arm::Only => &mut self.baseline_next,
        };
        let (number, fault) = (self.asked, *index);
        *index += 1;
        self.asked += 1;
        let cells = self.settings.strata.cell_count() as u64;
        // Less than the number of cells, and of boards.
        let (cell, place) = ((fault % cells) as usize, fault / cells);
        let board = Some(BoardNumber((place % self.turns) as usize));
        // The same fault, the same luck and the same board for both.
        Some(Shot { number, arm, cell, settings: self.settings_at(place), seed: seed_of(self.seed, fault), board })
    }

    fn record(&mut self, shot: &Shot, finding: &Finding) {
        let Some(outcome) = finding.class.counted() else { return };
        self.told += 1;
        let is_surveyed = self.candidate.decision() != Decision::Continue;
        let stratum = self.stratum_of(shot);
        self.strata[stratum].count(shot.arm, outcome, is_surveyed);
        // A board may come to it later, when another sits at a station.
        let BoardNumber(board) = finding.board;
        self.boards.resize(self.boards.len().max(board + 1), Stratum::default());
        self.boards[board].count(shot.arm, outcome, is_surveyed);
        match shot.arm {
            Arm::Candidate if is_surveyed => {}
            Arm::Candidate => {
                self.history.push((Arm::Candidate, outcome));
                self.candidate.record(outcome);
            }
            Arm::Baseline | Arm::Only => {
                self.history.push((Arm::Baseline, outcome));
                self.baseline = counted(self.baseline, outcome);
            }
        }
    }

    fn is_answered(&self) -> bool {
        let through = match self.candidate.decision() {
            Decision::Continue => false,
            Decision::NotFixed => !self.surveys(),
            Decision::Inconclusive => true,
            Decision::Fixed => self.is_controlled() || self.baseline.trials() >= self.settings.asked.cap,
        };
        // Findings are told in the order of asking: what is under way after the answer is not asked for.
        through || self.told >= self.most
    }

    fn size(&self) -> Option<u64> {
        None
    }
}
