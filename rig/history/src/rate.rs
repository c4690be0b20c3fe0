//! How many passed, of how many, and what that says about the rate behind it.
//!
//! Boundary: counts and their interval. Only trials that were judged count for it: one in error, undecided or discarded says nothing about
//! firmware or board, and is told beside it.

use brickproof_statistics::{Counts, Interval, Probability};
use serde::Serialize;
use serde::ser::SerializeStruct;

use crate::record::Outcome;

/// The confidence of every interval of a history.
pub const CONFIDENCE: f64 = 0.95;

/// The confidence of every interval of a history.
pub(crate) fn confidence() -> Probability {
    Probability::new(CONFIDENCE).unwrap_or(Probability::ONE)
}

/// Trials by what they count as.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Rate {
    /// As the scenario says.
    pub passed: u64,
    /// The board or its firmware failed.
    pub failed: u64,
    /// Could not be carried out.
    pub error: u64,
    /// Undecided.
    pub inconclusive: u64,
    /// Attempts that were made again.
    pub discarded: u64,
}

impl Rate {
    pub(crate) fn add(&mut self, outcome: Outcome, count: u64) {
        *match outcome {
            Outcome::Passed => &mut self.passed,
            Outcome::Failed => &mut self.failed,
            Outcome::Error => &mut self.error,
            Outcome::Inconclusive => &mut self.inconclusive,
            Outcome::Discarded => &mut self.discarded,
        } += count;
    }

    /// Both together.
    #[must_use]
    pub fn and(self, other: Self) -> Self {
        Self {
            passed: self.passed + other.passed,
            failed: self.failed + other.failed,
            error: self.error + other.error,
            inconclusive: self.inconclusive + other.inconclusive,
            discarded: self.discarded + other.discarded,
        }
    }

    /// How many were judged: n.
    pub fn judged(&self) -> u64 {
        self.passed + self.failed
    }

    /// All attempts.
    pub fn all(&self) -> u64 {
        self.judged() + self.error + self.inconclusive + self.discarded
    }

    /// Failures among those that were judged.
    pub fn counts(&self) -> Counts {
        Counts::new(self.failed, self.judged()).unwrap_or_default()
    }

    /// The share that passed; nothing without a trial that was judged.
    pub fn pass_rate(&self) -> Option<Probability> {
        self.counts().estimate().map(Probability::complement)
    }

    /// Between what the true pass rate lies, with [`CONFIDENCE`] at least: the interval of Clopper and Pearson.
    pub fn interval(&self) -> Interval {
        let failing = self.counts().clopper_pearson(confidence());
        Interval { low: failing.high.complement(), high: failing.low.complement() }
    }

    /// What did not count, in words: `2 in error`; empty if all did.
    pub fn beside(&self) -> String {
        let told = [(self.error, "in error"), (self.inconclusive, "undecided"), (self.discarded, "discarded")];
        let told = told.into_iter().filter(|(count, _)| *count > 0).map(|(count, what)| format!("{count} {what}"));
        told.collect::<Vec<_>>().join(", ")
    }
}

/// Those that pass least often first, since they are why somebody looks; those of which nothing was judged last, and otherwise as they stand.
pub fn worst_first<N>(rated: &mut [(N, Rate)]) {
    let passing = |rate: &Rate| rate.pass_rate().map_or(f64::INFINITY, Probability::get);
    rated.sort_by(|(_, a), (_, b)| passing(a).total_cmp(&passing(b)));
}

impl Serialize for Rate {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let interval = self.interval();
        let mut fields = serializer.serialize_struct("Rate", 9)?;
        fields.serialize_field("n", &self.judged())?;
        fields.serialize_field("passed", &self.passed)?;
        fields.serialize_field("failed", &self.failed)?;
        fields.serialize_field("error", &self.error)?;
        fields.serialize_field("inconclusive", &self.inconclusive)?;
        fields.serialize_field("discarded", &self.discarded)?;
        fields.serialize_field("pass_rate", &self.pass_rate().map(Probability::get))?;
        fields.serialize_field("low", &interval.low.get())?;
        fields.serialize_field("high", &interval.high.get())?;
        fields.end()
    }
}
