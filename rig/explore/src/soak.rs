//! Soak: many cycles of the same, to see whether it lasts and whether it gets worse.
//!
//! Boundary: counts and when to stop. What a cycle costs the flash was said by whoever asked.

use brickproof_statistics::{Counts, Outcome, Probability, fisher_differ};

use crate::campaign::{Budget, CampaignError, SoakSettings, check_count};
use crate::course::Question;
use crate::shot::{Arm, Finding, Shot, seed_of};

/// A soak under way.
#[derive(Clone, Debug)]
pub(crate) struct Soak {
    settings: SoakSettings,
    size: u64,
    seed: u64,
    asked: u64,
    failures: u64,
    /// Whether each cycle failed, in their order.
    failed: Vec<bool>,
}

impl Soak {
    pub(crate) fn new(settings: SoakSettings, seed: u64, budget: Budget) -> Result<Self, CampaignError> {
        check_count("a number of cycles", settings.cycles)?;
        check_count("a number of failures to stop at", settings.stop_at_failures.unwrap_or(1))?;
        let affordable = settings.wear.map_or(u64::MAX, crate::campaign::Wear::cycles);
        let size = settings.cycles.min(affordable).min(budget.trials.unwrap_or(u64::MAX));
        check_count("a number of cycles that the flash can take", size)?;
        Ok(Self { settings, size, seed, asked: 0, failures: 0, failed: Vec::new() })
    }

    pub(crate) fn counts(&self) -> Counts {
        counts(&self.failed)
    }

    /// Whether the flash's wear is what ends it.
    pub(crate) fn ends_by_wear(&self) -> bool {
        self.settings.wear.is_some_and(|wear| wear.cycles() == self.size && wear.cycles() < self.settings.cycles)
    }

    /// Both halves, and how likely they would differ so much if nothing changed.
    pub(crate) fn drift(&self) -> (Counts, Counts, Probability) {
        let (early, late) = self.failed.split_at(self.failed.len() / 2);
        let (early, late) = (counts(early), counts(late));
        (early, late, fisher_differ(early, late))
    }
}

fn counts(failed: &[bool]) -> Counts {
    let failures = failed.iter().filter(|failed| **failed).count() as u64;
    Counts::new(failures, failed.len() as u64).expect("a part is no more than the whole")
}

impl Question for Soak {
    fn next(&mut self) -> Option<Shot> {
        if self.asked >= self.size {
            return None;
        }
        let number = self.asked;
        self.asked += 1;
        Some(Shot { number, arm: Arm::Only, cell: 0, settings: Vec::new(), seed: seed_of(self.seed, number) })
    }

    fn record(&mut self, _: &Shot, finding: &Finding) {
        if let Some(outcome) = finding.class.counted() {
            self.failures += u64::from(outcome == Outcome::Failed);
            self.failed.push(outcome == Outcome::Failed);
        }
    }

    fn is_answered(&self) -> bool {
        let enough = self.settings.stop_at_failures.is_some_and(|most| self.failures >= most);
        enough || self.failed.len() as u64 >= self.size
    }

    fn size(&self) -> Option<u64> {
        Some(self.size)
    }
}
