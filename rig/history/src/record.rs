//! Trials into the history: runs begun, trials written, each call one transaction.
//!
//! Boundary: it writes down what results say. When [`History::record`] returns, the trials are on the disk and survive the end of the
//! process and a loss of power: that is what acknowledged means. Nothing that was written is ever changed.

use std::collections::HashMap;
use std::path::Path;

use brickproof_report::results::{SeenBy, TrialResult, World};
use jiff::{Timestamp, ZonedDateTime};
use rusqlite::{CachedStatement, Transaction, TransactionBehavior, params};

use crate::database::History;
use crate::error::HistoryError;

/// The number of a run: the first one of a history is 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize)]
#[serde(transparent)]
pub struct RunId(pub(crate) i64);

impl RunId {
    /// The run of this number, whether there is one or not.
    pub const fn new(number: i64) -> Self {
        Self(number)
    }
}

impl std::fmt::Display for RunId {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.fmt(f)
    }
}

/// A run that begins.
#[derive(Clone, Debug)]
pub struct NewRun<'a> {
    /// When, where it runs: its day there is the night that its trials belong to.
    pub started: &'a ZonedDateTime,
    /// Where its verdicts are found.
    pub world: World,
    /// The name of the bench; empty without a bench file.
    pub bench: &'a str,
    /// The folder of its evidence.
    pub evidence: &'a Path,
}

/// An attempt of a trial that ended.
#[derive(Clone, Copy, Debug)]
pub struct NewTrial<'a> {
    /// What came of it.
    pub result: &'a TrialResult,
    /// When it began.
    pub started: Timestamp,
    /// Whether nothing is judged by it: its fault struck outside its tolerance, and it was made again.
    pub discarded: bool,
}

/// What a trial counts as, by its number in the database.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    Passed = 0,
    Failed = 1,
    Error = 2,
    Inconclusive = 3,
    Discarded = 4,
}

impl Outcome {
    pub(crate) const ALL: [Self; 5] = [Self::Passed, Self::Failed, Self::Error, Self::Inconclusive, Self::Discarded];

    fn of(trial: &NewTrial<'_>) -> Self {
        match (trial.result.verdict.as_str(), trial.result.blame.as_deref()) {
            _ if trial.discarded => Self::Discarded,
            ("passed", _) => Self::Passed,
            ("failed", _) | ("error", Some("firmware")) => Self::Failed,
            ("error", _) => Self::Error,
            _ => Self::Inconclusive,
        }
    }
}

/// The verdicts and the parties, by their numbers in the database.
pub(crate) const VERDICTS: [&str; 4] = ["passed", "failed", "error", "inconclusive"];
pub(crate) const BLAMED: [&str; 4] = ["firmware", "board", "bench", "scenario"];

/// The name of a trial as the database keeps it: what its cell has in common, and seed and digest.
pub(crate) fn parted(id: &str) -> (&str, &str) {
    id.rsplit_once('.').unwrap_or(("", id))
}

impl History {
    /// Writes down that a run begins.
    ///
    /// # Errors
    /// It could not be written.
    pub fn begin_run(&mut self, run: &NewRun<'_>) -> Result<RunId, HistoryError> {
        let insert =
            "INSERT INTO run (night, started_ms, world, bench, rig_version, evidence) VALUES (?, ?, ?, ?, ?, ?)";
        let row = params![
            run.started.date().to_string(),
            run.started.timestamp().as_millisecond(),
            run.world.name(),
            run.bench,
            env!("CARGO_PKG_VERSION"),
            run.evidence.to_string_lossy(),
        ];
        self.connection.execute(insert, row).map_err(self.failed("written"))?;
        Ok(RunId(self.connection.last_insert_rowid()))
    }

    /// Writes down trials of a run, all of them or none. They are acknowledged when this returns.
    ///
    /// # Errors
    /// They could not be written.
    pub fn record(&mut self, run: RunId, trials: &[NewTrial<'_>]) -> Result<(), HistoryError> {
        let path = self.path().to_owned();
        let failed = HistoryError::of(&path, "written");
        // At once: a transaction that began as a reader could not wait for another writer.
        let transaction = self.connection.transaction_with_behavior(TransactionBehavior::Immediate).map_err(&failed)?;
        insert_all(&transaction, run, trials).map_err(&failed)?;
        transaction.commit().map_err(&failed)
    }
}

fn insert_all(transaction: &Transaction<'_>, run: RunId, trials: &[NewTrial<'_>]) -> rusqlite::Result<()> {
    let (world, bench): (String, String) =
        transaction
            .query_row("SELECT world, bench FROM run WHERE id = ?", [run.0], |row| Ok((row.get(0)?, row.get(1)?)))?;
    let mut names = Names { transaction, known: HashMap::new() };
    let mut insert = transaction.prepare_cached(
        "INSERT INTO trial (run, scenario, cell, place, firmware, name_end, attempt, started_ms, duration_ns, wall_ns, outcome, verdict, blame, connect_ns, connect_by, quarantine)
         VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
    )?;
    let mut tell = transaction
        .prepare_cached("INSERT INTO told (trial, reason, step, step_line, step_text) VALUES (?, ?, ?, ?, ?)")?;
    for trial in trials {
        let result = trial.result;
        let (name, name_end) = parted(&result.id);
        let parameters = serde_json::to_string(&result.parameters).unwrap_or_default();
        let serial = result.board_serial.as_deref().unwrap_or_default();
        let scenario = names.scenario(&[&result.scenario.path, &result.scenario.title, &result.scenario.sha256])?;
        let cell = names.cell(&[name, &parameters, &result.expected])?;
        let place = names.place(&[&world, &bench, &result.station, &result.board, serial])?;
        let firmware = names.firmware(&[&result.firmware.name, &result.firmware.sha256])?;
        let quarantine = match &result.quarantine {
            Some(entry) => Some(names.quarantine(&[&entry.reason, &entry.until])?),
            None => None,
        };
        let connect = result.time_to_connect;
        insert.execute(params![
            run.0,
            scenario,
            cell,
            place,
            firmware,
            name_end,
            result.attempt,
            trial.started.as_millisecond(),
            kept(result.duration_ns),
            kept(result.wall_ns),
            Outcome::of(trial) as i64,
            VERDICTS.iter().position(|it| *it == result.verdict).unwrap_or(VERDICTS.len() - 1) as i64,
            BLAMED.iter().position(|it| Some(*it) == result.blame.as_deref()).map(|place| place as i64 + 1),
            connect.map(|it| kept(it.after_ns)),
            connect.map(|it| i64::from(it.seen_by == SeenBy::Light)),
            quarantine,
        ])?;
        let number = transaction.last_insert_rowid();
        let step = result.failing_step();
        if !result.reason.is_empty() || step.is_some() {
            let place = |number: usize| i64::try_from(number).unwrap_or(i64::MAX);
            tell.execute(params![
                number,
                result.reason,
                step.map(|it| place(it.index)),
                step.map(|it| place(it.line)),
                step.map(|it| it.text.as_str()),
            ])?;
        }
    }
    Ok(())
}

/// SQLite's integers have a sign.
fn kept(nanos: u64) -> i64 {
    i64::try_from(nanos).unwrap_or(i64::MAX)
}

/// Finds the numbers of what is kept once, and writes down what is not there yet.
struct Names<'t> {
    transaction: &'t Transaction<'t>,
    known: HashMap<(&'static str, Vec<String>), i64>,
}

impl Names<'_> {
    fn scenario(&mut self, columns: &[&str]) -> rusqlite::Result<i64> {
        self.number("scenario", "path, title, sha256", columns)
    }

    fn cell(&mut self, columns: &[&str]) -> rusqlite::Result<i64> {
        self.number("cell", "name, parameters, expected", columns)
    }

    fn place(&mut self, columns: &[&str]) -> rusqlite::Result<i64> {
        self.number("place", "world, bench, station, board, board_serial", columns)
    }

    fn firmware(&mut self, columns: &[&str]) -> rusqlite::Result<i64> {
        self.number("firmware", "name, sha256", columns)
    }

    fn quarantine(&mut self, columns: &[&str]) -> rusqlite::Result<i64> {
        self.number("quarantine", "reason, until", columns)
    }

    fn number(&mut self, table: &'static str, columns: &str, values: &[&str]) -> rusqlite::Result<i64> {
        let key = (table, values.iter().map(|it| (*it).to_owned()).collect());
        if let Some(number) = self.known.get(&key) {
            return Ok(*number);
        }
        let marks = vec!["?"; values.len()].join(", ");
        let row = || rusqlite::params_from_iter(values);
        let prepared = |sql: &str| -> rusqlite::Result<CachedStatement<'_>> { self.transaction.prepare_cached(sql) };
        let find = format!("SELECT id FROM {table} WHERE ({columns}) = ({marks})");
        let found = prepared(&find)?.query_row(row(), |row| row.get(0));
        let number = match found {
            Err(rusqlite::Error::QueryReturnedNoRows) => {
                prepared(&format!("INSERT INTO {table} ({columns}) VALUES ({marks})"))?.execute(row())?;
                self.transaction.last_insert_rowid()
            }
            found => found?,
        };
        self.known.insert(key, number);
        Ok(number)
    }
}
