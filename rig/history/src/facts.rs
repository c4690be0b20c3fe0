//! The walks through the one index that all reports are made from.
//!
//! Boundary: counts and times for every combination of scenario, cell, place and firmware; what they mean is the reports' business.

use brickproof_report::results::SeenBy;
use rusqlite::params_from_iter;
use rusqlite::types::Value;

use crate::database::History;
use crate::dimensions::{Dimensions, Filter};
use crate::error::HistoryError;
use crate::rate::Rate;
use crate::record::Outcome;

/// The trials of one cell, at one place, with one firmware.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Group {
    pub(crate) scenario: i64,
    pub(crate) cell: i64,
    pub(crate) place: i64,
    pub(crate) image: i64,
    pub(crate) rate: Rate,
}

/// A start of a board that came to its cloud.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Connected {
    pub(crate) scenario: i64,
    pub(crate) cell: i64,
    pub(crate) run: i64,
    pub(crate) place: i64,
    pub(crate) image: i64,
    pub(crate) seen_by: SeenBy,
    pub(crate) after_ns: u64,
}

impl Filter {
    /// What has to be said about runs, places and firmwares, and with what. A row that is left out here costs a fraction of one that is
    /// taken and thrown away.
    fn terms(&self, dimensions: &Dimensions) -> (String, Vec<Value>) {
        let (mut terms, mut values) = (Vec::new(), Vec::new());
        if let Some(run) = self.run {
            terms.push("run = ?".to_owned());
            values.push(Value::Integer(run.0));
        }
        let mut nights = Vec::new();
        for (term, night) in [("night >= ?", self.since), ("night <= ?", self.until)] {
            if let Some(night) = night {
                nights.push(term);
                values.push(Value::Text(night.to_string()));
            }
        }
        if !nights.is_empty() {
            terms.push(format!("run IN (SELECT id FROM run WHERE {})", nights.join(" AND ")));
        }
        if self.world.is_some() || self.board.is_some() || self.station.is_some() {
            let wanted = dimensions.places.keys().filter(|place| dimensions.wants_place(self, **place));
            terms.push(one_of("place", wanted));
        }
        if self.firmware.is_some() {
            let wanted = dimensions.images.keys().filter(|image| dimensions.wants_image(self, **image));
            terms.push(one_of("firmware", wanted));
        }
        (if terms.is_empty() { "true".to_owned() } else { terms.join(" AND ") }, values)
    }
}

fn one_of<'n>(column: &str, numbers: impl Iterator<Item = &'n i64>) -> String {
    let mut numbers: Vec<i64> = numbers.copied().collect();
    numbers.sort_unstable();
    let numbers: Vec<String> = numbers.iter().map(i64::to_string).collect();
    format!("{column} IN ({})", numbers.join(", "))
}

impl History {
    /// The counts of all that is asked for.
    pub(crate) fn groups(&self, dimensions: &Dimensions, filter: &Filter) -> Result<Vec<Group>, HistoryError> {
        let (terms, values) = filter.terms(dimensions);
        let sql = format!(
            "SELECT scenario, cell, place, firmware, outcome, count(*) FROM trial INDEXED BY trial_facts
             WHERE {{}}{terms} GROUP BY scenario, cell, place, firmware, outcome"
        );
        let mut groups: Vec<Group> = Vec::new();
        self.walk(dimensions, filter, &sql, &values, |row| {
            let [scenario, cell, place, image, outcome, count] = row;
            let key = (scenario, cell, place, image);
            if groups.last().is_none_or(|last| (last.scenario, last.cell, last.place, last.image) != key) {
                groups.push(Group { scenario, cell, place, image, rate: Rate::default() });
            }
            let outcome = Outcome::ALL.into_iter().find(|it| *it as i64 == outcome);
            if let (Some(last), Some(outcome)) = (groups.last_mut(), outcome) {
                last.rate.add(outcome, u64::try_from(count).unwrap_or(0));
            }
        })?;
        Ok(groups)
    }

    /// The starts of all that is asked for.
    pub(crate) fn connected(&self, dimensions: &Dimensions, filter: &Filter) -> Result<Vec<Connected>, HistoryError> {
        let (terms, values) = filter.terms(dimensions);
        let sql = format!(
            "SELECT scenario, cell, place, firmware, run, connect_by, connect_ns FROM trial INDEXED BY trial_facts
             WHERE {{}}{terms} AND connect_ns IS NOT NULL"
        );
        let mut starts = Vec::new();
        self.walk(dimensions, filter, &sql, &values, |[scenario, cell, place, image, run, by, after]| {
            let seen_by = if by == 0 { SeenBy::Cloud } else { SeenBy::Light };
            let after_ns = u64::try_from(after).unwrap_or(0);
            starts.push(Connected { scenario, cell, run, place, image, seen_by, after_ns });
        })?;
        Ok(starts)
    }

    /// Has every row taken, of all scenarios in one walk or of those that are asked for one after the other.
    fn walk<const COLUMNS: usize>(
        &self,
        dimensions: &Dimensions,
        filter: &Filter,
        sql: &str,
        values: &[Value],
        mut take: impl FnMut([i64; COLUMNS]),
    ) -> Result<(), HistoryError> {
        let failed = self.failed("read");
        let mut part = |sql: &str, values: &[Value]| -> rusqlite::Result<()> {
            let mut statement = self.connection.prepare_cached(sql)?;
            let mut rows = statement.query(params_from_iter(values))?;
            while let Some(row) = rows.next()? {
                let mut numbers = [0; COLUMNS];
                for (place, number) in numbers.iter_mut().enumerate() {
                    *number = row.get(place)?;
                }
                take(numbers);
            }
            Ok(())
        };
        if filter.scenario.is_none() {
            return part(&sql.replace("{}", ""), values).map_err(failed);
        }
        let sql = sql.replace("{}", "scenario = ? AND ");
        for scenario in dimensions.scenarios_wanted(filter) {
            let values: Vec<Value> = std::iter::once(Value::Integer(scenario)).chain(values.iter().cloned()).collect();
            part(&sql, &values).map_err(&failed)?;
        }
        Ok(())
    }
}
