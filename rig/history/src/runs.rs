//! The runs of a bench, newest first, and single trials.
//!
//! Boundary: what was written down, as it was. The evidence itself lies in folders, which may have made room for that of later runs.

use brickproof_report::evidence::trial_folder;
use brickproof_report::results::World;
use jiff::Timestamp;
use jiff::civil::Date;
use rusqlite::Row;
use serde::Serialize;

use crate::database::History;
use crate::dimensions::Filter;
use crate::error::HistoryError;
use crate::rate::Rate;
use crate::record::{BLAMED, Outcome, RunId, VERDICTS, parted};

/// One call of `run` or `replay`.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct RunSummary {
    /// Its number.
    pub run: RunId,
    /// The night that its trials belong to.
    pub night: Date,
    /// When it began.
    pub started: Timestamp,
    /// Where its verdicts were found.
    pub world: World,
    /// The bench; empty without a bench file.
    pub bench: String,
    /// What came of its trials.
    #[serde(flatten)]
    pub rate: Rate,
    /// The folder of its evidence.
    pub evidence: String,
}

/// One attempt of one trial, as it was written down.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct TrialRow {
    /// Its name.
    pub id: String,
    /// The run that it was part of.
    pub run: RunId,
    /// The night of that run.
    pub night: Date,
    /// When it began.
    pub started: Timestamp,
    /// Where the verdict was found.
    pub world: World,
    /// The bench; empty without a bench file.
    pub bench: String,
    /// The station.
    pub station: String,
    /// The board profile.
    pub board: String,
    /// The board's unique id; empty where nobody said it.
    pub board_serial: String,
    /// The scenario's path.
    pub scenario: String,
    /// Its title.
    pub title: String,
    /// Of its bytes.
    pub scenario_sha256: String,
    /// The matrix cell, as a JSON object.
    pub parameters: serde_json::Value,
    /// What had to come of the firmware: `passed` or `bricked`.
    pub expected: String,
    /// The image's name.
    pub firmware: String,
    /// Of its bytes.
    pub firmware_sha256: String,
    /// Counted from 1.
    pub attempt: u32,
    /// `passed`, `failed`, `error`, `inconclusive`.
    pub verdict: String,
    /// `firmware`, `board`, `bench`, `scenario`; null when passed.
    pub blame: Option<String>,
    /// Whether it was made again, and counts for nothing.
    pub discarded: bool,
    /// One sentence; empty when nothing is to be said.
    pub reason: String,
    /// The step that failed: its number, its line and its sentence.
    pub step: Option<(u64, u64, String)>,
    /// How long it lasted on its own clock.
    pub duration_ns: u64,
    /// How long it took to run.
    pub wall_ns: u64,
    /// From power to the cloud, undisturbed.
    pub connect_ns: Option<u64>,
    /// Who saw it connect: `cloud` or `light`.
    pub connect_by: Option<String>,
    /// Why a person set it aside, and until when.
    pub quarantine: Option<(String, String)>,
    /// The folder of its evidence.
    pub evidence: String,
}

impl History {
    /// The newest `most` runs that are asked for, newest first. Of a filter only world, nights and run count: a run has trials of many
    /// scenarios.
    ///
    /// # Errors
    /// The history cannot be read.
    pub fn runs(&self, filter: &Filter, most: usize) -> Result<Vec<RunSummary>, HistoryError> {
        let _snapshot = self.snapshot()?;
        let dimensions = self.dimensions()?;
        let mut wanted: Vec<_> =
            dimensions.runs.iter().filter(|(run, _)| dimensions.wants_run(filter, **run)).collect();
        wanted.sort_by_key(|(run, _)| std::cmp::Reverse(**run));
        wanted.truncate(most);
        let summary = |(number, row): (&i64, &crate::dimensions::RunRow)| {
            Ok(RunSummary {
                run: RunId(*number),
                night: row.night,
                started: self.instant(row.started_ms)?,
                world: row.world,
                bench: row.bench.clone(),
                rate: self.rate_of_run(*number)?,
                evidence: row.evidence.clone(),
            })
        };
        wanted.into_iter().map(summary).collect()
    }

    fn rate_of_run(&self, run: i64) -> Result<Rate, HistoryError> {
        let failed = self.failed("read");
        let sql = "SELECT outcome, count(*) FROM trial INDEXED BY trial_run WHERE run = ? GROUP BY outcome";
        let mut statement = self.connection.prepare_cached(sql).map_err(&failed)?;
        let mut rows = statement.query([run]).map_err(&failed)?;
        let mut rate = Rate::default();
        while let Some(row) = rows.next().map_err(&failed)? {
            let (outcome, count): (i64, u64) = (row.get(0).map_err(&failed)?, row.get(1).map_err(&failed)?);
            if let Some(outcome) = Outcome::ALL.into_iter().find(|it| *it as i64 == outcome) {
                rate.add(outcome, count);
            }
        }
        Ok(rate)
    }

    /// Every attempt of the trial of this name, newest first, but no more than `most`.
    ///
    /// # Errors
    /// The history cannot be read.
    pub fn trial(&self, id: &str, most: usize) -> Result<Vec<TrialRow>, HistoryError> {
        let (name, name_end) = parted(id);
        let these = "trial.name_end = ?1 AND trial.cell IN (SELECT id FROM cell WHERE name = ?2)";
        self.trial_rows(these, rusqlite::params![name_end, name, most as i64])
    }

    /// The trials of a run, newest first, but no more than `most`.
    ///
    /// # Errors
    /// The history cannot be read.
    pub fn trials_of(&self, run: RunId, most: usize) -> Result<Vec<TrialRow>, HistoryError> {
        self.trial_rows("trial.run = ?1 AND ?2", rusqlite::params![run.0, true, most as i64])
    }

    fn trial_rows(&self, these: &str, values: &[&dyn rusqlite::ToSql]) -> Result<Vec<TrialRow>, HistoryError> {
        let failed = self.failed("read");
        let sql = format!(
            "SELECT trial.run, run.night, trial.started_ms, place.world, place.bench, place.station, place.board, place.board_serial,
                    scenario.path, scenario.title, scenario.sha256, cell.name, cell.parameters, cell.expected, firmware.name,
                    firmware.sha256, trial.name_end, trial.attempt, trial.outcome, trial.verdict, trial.blame, told.reason, told.step,
                    told.step_line, told.step_text, trial.duration_ns, trial.wall_ns, trial.connect_ns, trial.connect_by,
                    quarantine.reason, quarantine.until, run.evidence
             FROM trial
                 JOIN run ON run.id = trial.run
                 JOIN scenario ON scenario.id = trial.scenario
                 JOIN cell ON cell.id = trial.cell
                 JOIN place ON place.id = trial.place
                 JOIN firmware ON firmware.id = trial.firmware
                 LEFT JOIN told ON told.trial = trial.id
                 LEFT JOIN quarantine ON quarantine.id = trial.quarantine
             WHERE {these} ORDER BY trial.id DESC LIMIT ?3"
        );
        let mut statement = self.connection.prepare_cached(&sql).map_err(&failed)?;
        let mut rows = statement.query(values).map_err(&failed)?;
        let mut trials = Vec::new();
        while let Some(row) = rows.next().map_err(&failed)? {
            trials.push(self.trial_row(row)?);
        }
        Ok(trials)
    }

    fn trial_row(&self, row: &Row<'_>) -> Result<TrialRow, HistoryError> {
        let failed = self.failed("read");
        let text = |column: usize| row.get::<_, String>(column).map_err(&failed);
        let maybe = |column: usize| row.get::<_, Option<String>>(column).map_err(&failed);
        let number = |column: usize| row.get::<_, u64>(column).map_err(&failed);
        let maybe_number = |column: usize| row.get::<_, Option<u64>>(column).map_err(&failed);
        let word = |words: &[&str], place: Option<u64>| {
            let place = place.and_then(|it| usize::try_from(it).ok());
            place.and_then(|it| words.get(it)).map(|it| (*it).to_owned())
        };
        let (name, name_end, attempt) = (text(11)?, text(16)?, number(17)?);
        let id = if name.is_empty() { name_end } else { format!("{name}.{name_end}") };
        let attempt = u32::try_from(attempt).unwrap_or(u32::MAX);
        let night = text(1)?;
        let step = match (maybe_number(22)?, maybe_number(23)?, maybe(24)?) {
            (Some(index), Some(line), Some(sentence)) => Some((index, line, sentence)),
            _ => None,
        };
        Ok(TrialRow {
            run: RunId(row.get(0).map_err(&failed)?),
            night: night.parse().map_err(|_| self.strange(format!("the night `{night}`")))?,
            started: self.instant(row.get(2).map_err(&failed)?)?,
            world: self.world(&text(3)?)?,
            bench: text(4)?,
            station: text(5)?,
            board: text(6)?,
            board_serial: text(7)?,
            scenario: text(8)?,
            title: text(9)?,
            scenario_sha256: text(10)?,
            parameters: serde_json::from_str(&text(12)?).unwrap_or_default(),
            expected: text(13)?,
            firmware: text(14)?,
            firmware_sha256: text(15)?,
            attempt,
            verdict: word(&VERDICTS, Some(number(19)?)).unwrap_or_default(),
            blame: word(&BLAMED, maybe_number(20)?.and_then(|it| it.checked_sub(1))),
            discarded: number(18)? == Outcome::Discarded as u64,
            reason: maybe(21)?.unwrap_or_default(),
            step,
            duration_ns: number(25)?,
            wall_ns: number(26)?,
            connect_ns: maybe_number(27)?,
            connect_by: word(&["cloud", "light"], maybe_number(28)?),
            quarantine: maybe(29)?.zip(maybe(30)?),
            evidence: format!("{}/trials/{}", text(31)?, trial_folder(&id, attempt)),
            id,
        })
    }

    fn instant(&self, millis: i64) -> Result<Timestamp, HistoryError> {
        Timestamp::from_millisecond(millis).map_err(|_| self.strange(format!("the instant {millis} ms")))
    }

    /// The newest night of a world that has trials, and the one before that: a run that has only begun makes no night.
    pub(crate) fn nights(&self, world: World) -> Result<(Option<Date>, Option<Date>), HistoryError> {
        let failed = self.failed("read");
        let night = |before: &str| -> Result<Option<Date>, HistoryError> {
            let sql = "SELECT max(night) FROM run WHERE night < ?1 AND world = ?2
                 AND EXISTS (SELECT 1 FROM trial INDEXED BY trial_run WHERE trial.run = run.id)";
            let found: Option<String> =
                self.connection.query_row(sql, [before, world.name()], |row| row.get(0)).map_err(&failed)?;
            found.map(|it| it.parse().map_err(|_| self.strange(format!("the night `{it}`")))).transpose()
        };
        let last = night("9999-12-31")?;
        let before = match last {
            Some(last) => night(&last.to_string())?,
            None => None,
        };
        Ok((last, before))
    }
}
