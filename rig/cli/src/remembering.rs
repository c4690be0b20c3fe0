//! Trials into the history of the bench as they end, and those set aside that a quarantine lists.
//!
//! Boundary: it stands between the trials and whoever prints them. What is waiting goes into one transaction, and is passed on once that is
//! committed: the line of a trial that was printed is in the history. A history that fails loses nothing else of a run: the lines go on, what
//! it owes is tried again with the next ones and at the end, and what it has not got by then is told.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::mpsc::{self, Receiver};
use std::thread::{Scope, ScopedJoinHandle};
use std::time::Duration;

use brickproof_history::quarantine::{self, DEFAULT_QUARANTINE, Idle, Quarantine};
use brickproof_history::{DEFAULT_FILE, History, HistoryError, NewRun, NewTrial, PATIENCE, RunId};
use brickproof_report::results::{Finished, TrialResult, World};
use brickproof_scenario::counted;
use jiff::{Timestamp, ZonedDateTime};

use crate::arguments::Remembered;
use crate::exit::Problem;
use crate::jobs::{Begun, Ended, Written};
use crate::{files, output};

/// What is set aside, on the day on which the run began.
#[derive(Clone)]
pub(crate) struct SetAside {
    quarantine: Quarantine,
    file: Option<PathBuf>,
    began: ZonedDateTime,
}

impl SetAside {
    /// Reads the file that was asked for, or the one that lies here.
    pub(crate) fn of(wanted: &Remembered) -> Result<Self, Problem> {
        let here = || Some(PathBuf::from(DEFAULT_QUARANTINE)).filter(|path| path.exists());
        let file = wanted.quarantine.clone().or_else(here).filter(|_| !wanted.no_quarantine);
        let quarantine = file.as_deref().map(read).transpose()?.unwrap_or_default();
        Ok(Self { quarantine, file, began: ZonedDateTime::now() })
    }

    /// When the run began, as RFC 3339 has it.
    pub(crate) fn started(&self) -> String {
        self.began.timestamp().to_string()
    }

    /// What came of a trial, set aside if somebody says so.
    fn result(&self, finished: &Finished) -> TrialResult {
        self.quarantine.set_aside(TrialResult::new(finished), self.began.date())
    }

    fn written(&self, Ended { position, attempts, begun }: Ended) -> (Begun, Written) {
        let judged = |finished: Finished| {
            let result = self.result(&finished);
            (finished, result)
        };
        (begun, Written { position, attempts: attempts.into_iter().map(judged).collect() })
    }

    /// Tells entries that have no effect on these trials.
    pub(crate) fn tell_idle(&self, trials: &[TrialResult]) {
        let Some(file) = &self.file else { return };
        for (entry, idle) in self.quarantine.idle(trials, self.began.date()) {
            let why = match idle {
                Idle::Over => format!("was over on {}: its trials count again", entry.until),
                Idle::Matchless => "means no trial of this run".to_owned(),
            };
            output::note(&format!("{}:{}: the entry for {} {why}", file.display(), entry.line, entry.scenario));
        }
    }
}

/// Reads a quarantine file.
pub(crate) fn read(path: &Path) -> Result<Quarantine, Problem> {
    let bytes = fs::read(path).map_err(|source| Problem::Unreadable { path: path.to_owned(), source })?;
    quarantine::load(&files::label(path), bytes).map_err(|mistakes| Problem::Mistakes(vec![mistakes]))
}

/// A run that is to be kept, and where.
struct Wanted {
    path: PathBuf,
    world: World,
    bench: String,
    evidence: PathBuf,
    began: ZonedDateTime,
}

impl Wanted {
    fn begin(&self) -> Result<(History, RunId), HistoryError> {
        let mut history = History::open(&self.path)?;
        let Self { world, bench, evidence, began: started, .. } = self;
        let run = history.begin_run(&NewRun { started, world: *world, bench, evidence })?;
        Ok((history, run))
    }
}

/// An attempt that is not in the history yet.
struct Owed {
    result: TrialResult,
    started: Timestamp,
    discarded: bool,
}

impl Owed {
    fn of(trial: &NewTrial<'_>) -> Self {
        Self { result: trial.result.clone(), started: trial.started, discarded: trial.discarded }
    }

    fn trial(&self) -> NewTrial<'_> {
        NewTrial { result: &self.result, started: self.started, discarded: self.discarded }
    }
}

/// What is not in the history, and why.
#[derive(Debug, thiserror::Error)]
#[error("{} of this run could not be kept in the history: {error}", counted(*.trials, "trial"))]
pub(crate) struct Forgotten {
    trials: usize,
    error: HistoryError,
}

/// Where the trials of a run go; nowhere, if that was asked for.
pub(crate) struct Memory(Option<Keeping>);

/// Between a failure and the end of the run no line waits longer than this for a history that somebody has locked.
const PATIENCE_AFTER_A_FAILURE: Duration = Duration::from_millis(500);

/// A history, and what it has not taken yet.
struct Keeping {
    wanted: Wanted,
    open: Option<(History, RunId)>,
    owed: Vec<Owed>,
    failure: Option<HistoryError>,
}

impl Memory {
    /// Opens the history that was asked for. One that is no history is refused; one that fails must not keep a run from being made.
    pub(crate) fn of(
        wanted: &Remembered,
        world: World,
        bench: &str,
        evidence: &Path,
        set_aside: &SetAside,
    ) -> Result<Self, Problem> {
        if wanted.no_history {
            return Ok(Self(None));
        }
        let path = wanted.history.clone().unwrap_or_else(|| PathBuf::from(DEFAULT_FILE));
        let (bench, evidence, began) = (bench.to_owned(), evidence.to_owned(), set_aside.began.clone());
        let wanted = Wanted { path, world, bench, evidence, began };
        let (open, failure) = match wanted.begin() {
            Ok(begun) => (Some(begun), None),
            Err(error @ (HistoryError::Foreign { .. } | HistoryError::Newer { .. })) => {
                return Err(Problem::History(error));
            }
            Err(error) => (None, Some(error)),
        };
        Ok(Self(Some(Keeping { wanted, open, owed: Vec::new(), failure })))
    }

    /// Trials as they end, each once it is written down or could not be; and in the end what is not.
    pub(crate) fn between<'scope>(
        self,
        scope: &'scope Scope<'scope, '_>,
        ended: Receiver<Ended>,
        set_aside: &SetAside,
    ) -> (Receiver<Written>, ScopedJoinHandle<'scope, Result<(), Forgotten>>) {
        let (sender, receiver) = mpsc::channel();
        let set_aside = set_aside.clone();
        let Self(mut keeping) = self;
        let keeping = scope.spawn(move || {
            while let Ok(first) = ended.recv() {
                let waiting = std::iter::once(first).chain(ended.try_iter());
                let waiting: Vec<(Begun, Written)> = waiting.map(|it| set_aside.written(it)).collect();
                if let Some(keeping) = &mut keeping {
                    keeping.keep(&attempts_of(&waiting));
                }
                waiting.into_iter().for_each(|(_, it)| drop(sender.send(it)));
            }
            // Whoever prints has got all there is, and waits for nothing here.
            drop(sender);
            keeping.map_or(Ok(()), Keeping::end)
        });
        (receiver, keeping)
    }
}

impl Keeping {
    /// Writes down these and what is owed, in one transaction. A failure that may pass is no end: a night is longer than anybody's lock.
    fn keep(&mut self, trials: &[NewTrial<'_>]) {
        if let Some((history, run)) = &mut self.open
            && self.failure.as_ref().is_none_or(HistoryError::may_pass)
        {
            let all: Vec<NewTrial<'_>> = self.owed.iter().map(Owed::trial).chain(trials.iter().copied()).collect();
            let Err(error) = history.record(*run, &all) else {
                self.owed.clear();
                self.failure = None;
                return;
            };
            self.failure = Some(history.set_patience(PATIENCE_AFTER_A_FAILURE).err().unwrap_or(error));
        }
        self.owed.extend(trials.iter().map(Owed::of));
    }

    /// Tries a last time what was kept from the history by something that may be over now.
    fn end(mut self) -> Result<(), Forgotten> {
        if self.failure.as_ref().is_some_and(HistoryError::may_pass) {
            let again = match self.open.take() {
                Some((history, run)) => history.set_patience(PATIENCE).map(|()| (history, run)),
                None => self.wanted.begin(),
            };
            match again {
                Ok(open) => self.open = Some(open),
                Err(error) => self.failure = Some(error),
            }
            self.keep(&[]);
        }
        match self.failure {
            Some(error) if !self.owed.is_empty() => Err(Forgotten { trials: self.owed.len(), error }),
            _ => Ok(()),
        }
    }
}

/// What was begun, attempt by attempt. When each began is reckoned back from now, by how long it took.
fn attempts_of(ended: &[(Begun, Written)]) -> Vec<NewTrial<'_>> {
    let now = Timestamp::now();
    let mut trials = Vec::new();
    for (_, Written { attempts, .. }) in ended.iter().filter(|(begun, _)| *begun == Begun::Yes) {
        for (place, (_, result)) in attempts.iter().enumerate() {
            let behind: u64 = attempts[place..].iter().map(|(finished, _)| finished.wall_ns).sum();
            let started = now.checked_sub(Duration::from_nanos(behind)).unwrap_or(now);
            trials.push(NewTrial { result, started, discarded: place + 1 < attempts.len() });
        }
    }
    trials
}

#[cfg(test)]
mod tests {
    use brickproof_history::Filter;
    use rusqlite::Connection;
    use serde_json::json;
    use tempfile::TempDir;

    use super::*;

    fn result(seed: u64) -> TrialResult {
        serde_json::from_value(json!({
            "id": format!("boots.{seed}-5f3a09c2"), "scenario": {"path": "boots.yaml", "sha256": "aa11", "title": "A board boots"},
            "parameters": {}, "board": "lantern-nrf51", "board_serial": null, "station": "virtual",
            "firmware": {"name": "lantern-heal-full", "sha256": "bb22"}, "seed": seed, "attempt": 1, "expected": "passed",
            "verdict": "passed", "blame": null, "reason": "", "evidence": [], "light": [], "duration_ns": 1, "wall_ns": 1,
            "faults": [], "measurements": [], "steps": [], "replay": "",
        }))
        .expect("it is written as results are")
    }

    fn begun() -> (Keeping, TempDir) {
        let folder = TempDir::new().expect("there is room");
        let path = folder.path().join("history.sqlite");
        let (evidence, began) = (folder.path().to_owned(), ZonedDateTime::now());
        let wanted = Wanted { path, world: World::Virtual, bench: String::new(), evidence, began };
        let (history, run) = wanted.begin().expect("there is room");
        history.set_patience(Duration::from_millis(10)).expect("it can be set");
        (Keeping { wanted, open: Some((history, run)), owed: Vec::new(), failure: None }, folder)
    }

    fn keep(keeping: &mut Keeping, seed: u64) {
        keeping.keep(&[NewTrial { result: &result(seed), started: Timestamp::now(), discarded: false }]);
    }

    fn lock(path: &Path) -> Connection {
        let other = Connection::open(path).expect("it is there");
        other.execute_batch("BEGIN IMMEDIATE").expect("nobody writes");
        other
    }

    fn passed(path: &Path) -> u64 {
        let history = History::open_read_only(path).expect("it is there");
        history.rates(&Filter::default()).expect("it can be read").iter().map(|it| it.all.passed).sum()
    }

    #[test]
    fn what_a_lock_kept_out_comes_in_with_the_next_trial_after_it() {
        let (mut keeping, _folder) = begun();
        let path = keeping.wanted.path.clone();
        keep(&mut keeping, 1);
        let other = lock(&path);
        keep(&mut keeping, 2);
        keep(&mut keeping, 3);
        assert_eq!((keeping.owed.len(), passed(&path)), (2, 1));
        drop(other);
        keep(&mut keeping, 4);
        assert_eq!((keeping.owed.len(), passed(&path)), (0, 4));
        assert!(keeping.end().is_ok());
    }

    #[test]
    fn what_is_still_owed_is_tried_a_last_time_at_the_end() {
        let (mut keeping, _folder) = begun();
        let path = keeping.wanted.path.clone();
        let other = lock(&path);
        keep(&mut keeping, 1);
        drop(other);
        assert!(keeping.end().is_ok());
        assert_eq!(passed(&path), 1);
    }

    #[test]
    fn a_history_that_could_not_be_opened_is_opened_at_the_end() {
        let (mut keeping, _folder) = begun();
        let path = keeping.wanted.path.clone();
        let other = lock(&path);
        keep(&mut keeping, 1);
        keeping.open = None;
        keep(&mut keeping, 2);
        drop(other);
        assert!(keeping.end().is_ok());
        assert_eq!(passed(&path), 2);
    }

    #[test]
    fn what_a_damaged_history_does_not_take_is_counted() {
        let (mut keeping, _folder) = begun();
        keep(&mut keeping, 1);
        let strange = HistoryError::Strange { path: keeping.wanted.path.clone(), what: "the night `soon`".to_owned() };
        keeping.failure = Some(strange);
        keep(&mut keeping, 2);
        keep(&mut keeping, 3);
        let told = keeping.end().unwrap_err().to_string();
        assert!(told.starts_with("2 trials of this run could not be kept in the history: "), "{told}");
    }
}
