//! Soak: many cycles of the same, to see whether it lasts and whether it gets worse.
//!
//! Boundary: counts and when to stop. What a cycle costs the flash the board tells, or whoever asked.

use std::str::FromStr;

use brickproof_statistics::{Counts, Outcome, Probability, fisher_differ};

use crate::asking::Question;
use crate::boards::BoardNumber;
use crate::campaign::{Budget, CampaignError, check_count};
use crate::course::Repeats;
use crate::shot::{Finding, Shot, seed_of};
use crate::wear::{Wear, WearTally, Worn};

/// How long a soak lasts and when it stops before that.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SoakSettings {
    /// So many cycles.
    pub cycles: u64,
    /// It stops at this many failures; `None`: at none.
    pub stop_at_failures: Option<u64>,
    /// What the flash may take.
    pub wear: Option<Wear>,
    /// Which virtual boards make the cycles; one that goes on from cycle to cycle if nothing is said. On a bench its stations' boards do.
    pub boards: Option<SoakBoards>,
}

/// The virtual boards of a soak.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SoakBoards {
    /// So many take turns, and each begins a cycle as its last one left it.
    Carried(u32),
    /// Each cycle has a new one.
    New,
}

/// More than there are patience and memory for.
pub(crate) const MOST_BOARDS: u32 = 1_000;

/// A text that is no choice of boards.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is neither a number of boards from 1 to {MOST_BOARDS} nor `new`")]
pub struct NoSoakBoards(String);

impl FromStr for SoakBoards {
    type Err = NoSoakBoards;
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match (text.trim(), text.trim().parse()) {
            ("new", _) => Ok(Self::New),
            (_, Ok(count @ 1..=MOST_BOARDS)) => Ok(Self::Carried(count)),
            _ => Err(NoSoakBoards(text.to_owned())),
        }
    }
}

impl SoakBoards {
    /// What the boards of a soak on the virtual bench are called.
    pub fn names(asked: Option<Self>) -> Vec<String> {
        match asked {
            None | Some(Self::New | Self::Carried(..=1)) => vec!["virtual".to_owned()],
            Some(Self::Carried(count)) => (1..=count).map(|it| format!("virtual {it}")).collect(),
        }
    }
}

/// A soak under way.
#[derive(Clone, Debug)]
pub(crate) struct Soak {
    settings: SoakSettings,
    repeats: Repeats,
    size: u64,
    seed: u64,
    asked: u64,
    failures: u64,
    /// Whether each cycle failed, in their order.
    failed: Vec<bool>,
    wear: WearTally,
}

impl Soak {
    pub(crate) fn new(
        settings: &SoakSettings,
        seed: u64,
        budget: Budget,
        repeats: Repeats,
    ) -> Result<Self, CampaignError> {
        check_count("a number of cycles", settings.cycles)?;
        check_count("a number of failures to stop at", settings.stop_at_failures.unwrap_or(1))?;
        if let Some(wear) = &settings.wear {
            if settings.boards == Some(SoakBoards::New) {
                return Err(CampaignError::NewBoardsDoNotWear);
            }
            let dear = wear.per_cycle.iter().find(|it| it.times > wear.endurance);
            if let Some(dear) = dear {
                let (sector, times, endurance) = (dear.sector.clone(), dear.times, wear.endurance);
                return Err(CampaignError::NoCycleIsAffordable { sector, times, endurance });
            }
        }
        let size = settings.cycles.min(budget.trials.unwrap_or(u64::MAX));
        check_count("a number of cycles", size)?;
        let settings = settings.clone();
        let wear = WearTally::default();
        Ok(Self { settings, repeats, size, seed, asked: 0, failures: 0, failed: Vec::new(), wear })
    }

    /// Whether boards go on from cycle to cycle.
    pub(crate) fn carries(&self) -> bool {
        self.repeats == Repeats::Roughly || self.settings.boards != Some(SoakBoards::New)
    }

    /// How many virtual boards take turns; `None` if whatever board is free makes the next cycle.
    fn turns(&self) -> Option<u64> {
        match (self.repeats, self.settings.boards) {
            (Repeats::Roughly, _) | (Repeats::Exactly, Some(SoakBoards::New)) => None,
            (Repeats::Exactly, Some(SoakBoards::Carried(count))) => Some(u64::from(count).max(1)),
            (Repeats::Exactly, None) => Some(1),
        }
    }

    /// What any trial cost its board, whether it counts or not.
    pub(crate) fn wears(&mut self, finding: &Finding) {
        let declared = self.settings.wear.as_ref().map_or(&[][..], |wear| &wear.per_cycle);
        let told =
            if finding.erased.is_empty() && self.repeats == Repeats::Roughly { declared } else { &finding.erased };
        self.wear.record(finding.board, told);
    }

    /// Another board took the place of this one.
    pub(crate) fn replaced(&mut self, board: BoardNumber) {
        self.wear.replaced(board);
    }

    pub(crate) fn wear(&self) -> &WearTally {
        &self.wear
    }

    /// How many erases a sector may see, if that was said.
    pub(crate) fn endurance(&self) -> Option<u64> {
        self.settings.wear.as_ref().map(|wear| wear.endurance)
    }

    /// The sector whose wear ends it, if one does.
    pub(crate) fn worn_out(&self) -> Option<Worn> {
        self.wear.exhausted(self.endurance()?)
    }

    /// Whether each cycle that counts failed.
    pub(crate) fn failed(&self) -> &[bool] {
        &self.failed
    }

    pub(crate) fn counts(&self) -> Counts {
        counts(&self.failed)
    }

    /// Whether it may be taken for what was asked: all cycles were judged, or it was to end before that and some were.
    pub(crate) fn is_through(&self) -> bool {
        self.failed.len() as u64 >= self.size || self.is_answered() && !self.failed.is_empty()
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
        // Less than the number of boards.
        let board = self.turns().map(|count| BoardNumber((number % count) as usize));
        Some(Shot { board, ..Shot::new(number, Vec::new(), seed_of(self.seed, number)) })
    }

    fn record(&mut self, _: &Shot, finding: &Finding) {
        if let Some(outcome) = finding.class.counted() {
            self.failures += u64::from(outcome == Outcome::Failed);
            self.failed.push(outcome == Outcome::Failed);
        }
    }

    fn is_answered(&self) -> bool {
        let enough = self.settings.stop_at_failures.is_some_and(|most| self.failures >= most);
        enough || self.failed.len() as u64 >= self.size || self.worn_out().is_some()
    }

    fn size(&self) -> Option<u64> {
        Some(self.size)
    }
}
