//! How trials did since they were set aside.
//!
//! Boundary: those that ran under an entry's reason, counted. Whether an entry is lifted is a person's decision.

use std::collections::BTreeMap;

use brickproof_report::results::World;
use brickproof_statistics::{Probability, success_run};
use jiff::civil::Date;
use serde::Serialize;

use crate::database::History;
use crate::error::HistoryError;
use crate::quarantine::Quarantine;
use crate::rate::{Rate, confidence};
use crate::record::Outcome;

/// Failures that are rarer than this are rare enough to lift an entry.
pub const RARE: f64 = 0.05;

/// How the trials of an entry did since.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Since {
    /// Of which scenarios.
    pub scenario: String,
    /// Why they were set aside.
    pub reason: String,
    /// The last day on which that holds.
    pub until: Date,
    /// Whether that is over.
    pub is_over: bool,
    /// How they did, in each world.
    pub worlds: Vec<(World, Rate)>,
    /// So many trials without a failure show that failures are rarer than [`RARE`], at 95 %.
    pub clean_run: u64,
}

impl History {
    /// How the trials of each entry did since they were set aside for its reason.
    ///
    /// # Errors
    /// The history cannot be read.
    pub fn set_aside(&self, quarantine: &Quarantine, today: Date) -> Result<Vec<Since>, HistoryError> {
        let failed = self.failed("read");
        let sql = "SELECT quarantine.reason, place.world, trial.outcome, count(*) FROM trial
                JOIN quarantine ON quarantine.id = trial.quarantine JOIN place ON place.id = trial.place
             WHERE trial.quarantine IS NOT NULL GROUP BY 1, 2, 3";
        let mut statement = self.connection.prepare_cached(sql).map_err(&failed)?;
        let mut rows = statement.query([]).map_err(&failed)?;
        let mut counted: BTreeMap<String, BTreeMap<World, Rate>> = BTreeMap::new();
        while let Some(row) = rows.next().map_err(&failed)? {
            let (reason, world): (String, String) = (row.get(0).map_err(&failed)?, row.get(1).map_err(&failed)?);
            let (outcome, count): (i64, u64) = (row.get(2).map_err(&failed)?, row.get(3).map_err(&failed)?);
            if let Some(outcome) = Outcome::ALL.into_iter().find(|it| *it as i64 == outcome) {
                counted.entry(reason).or_default().entry(self.world(&world)?).or_default().add(outcome, count);
            }
        }
        let rare = Probability::new(RARE).unwrap_or(Probability::ZERO);
        let since = |entry: &crate::quarantine::Entry| Since {
            scenario: entry.scenario.to_string(),
            reason: entry.reason.clone(),
            until: entry.until,
            is_over: !entry.holds(today),
            worlds: counted.get(&entry.reason).into_iter().flatten().map(|(world, rate)| (*world, *rate)).collect(),
            clean_run: success_run(rare, confidence()).unwrap_or(u64::MAX),
        };
        Ok(quarantine.entries.iter().map(since).collect())
    }
}
