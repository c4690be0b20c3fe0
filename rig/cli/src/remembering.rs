//! Trials into the history of the bench as they end, and those set aside that a quarantine lists.
//!
//! Boundary: it stands between the trials and whoever prints them. What is waiting goes into one transaction, and is passed on once that is
//! committed: the line of a trial that was printed is in the history. A history that fails loses nothing else of a run; it is told at its end.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::mpsc::{self, Receiver};
use std::thread::{Scope, ScopedJoinHandle};
use std::time::Duration;

use brickproof_history::quarantine::{self, DEFAULT_QUARANTINE, Idle, Quarantine};
use brickproof_history::{DEFAULT_FILE, History, HistoryError, NewRun, NewTrial, RunId};
use brickproof_report::results::{Finished, TrialResult, World};
use jiff::{Timestamp, ZonedDateTime};

use crate::arguments::Remembered;
use crate::commands::run::{Begun, Ended, Written};
use crate::exit::Problem;
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

/// Where the trials of a run go.
pub(crate) struct Memory {
    /// `None`: nowhere, because that was asked for.
    history: Option<Result<(History, RunId), HistoryError>>,
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
            return Ok(Self { history: None });
        }
        let path = wanted.history.clone().unwrap_or_else(|| PathBuf::from(DEFAULT_FILE));
        let begun = History::open(&path).and_then(|mut history| {
            let run = history.begin_run(&NewRun { started: &set_aside.began, world, bench, evidence })?;
            Ok((history, run))
        });
        match begun {
            Err(error @ (HistoryError::Foreign { .. } | HistoryError::Newer { .. })) => Err(Problem::History(error)),
            begun => Ok(Self { history: Some(begun) }),
        }
    }

    /// Trials as they end, each once it is written down; and in the end what kept them from it.
    pub(crate) fn between<'scope>(
        self,
        scope: &'scope Scope<'scope, '_>,
        ended: Receiver<Ended>,
        set_aside: &SetAside,
    ) -> (Receiver<Written>, ScopedJoinHandle<'scope, Result<(), HistoryError>>) {
        let (sender, receiver) = mpsc::channel();
        let set_aside = set_aside.clone();
        let keeping = scope.spawn(move || {
            let mut outcome = Ok(());
            let mut history = match self.history {
                None => None,
                Some(Ok(history)) => Some(history),
                Some(Err(error)) => {
                    outcome = Err(error);
                    None
                }
            };
            while let Ok(first) = ended.recv() {
                let waiting = std::iter::once(first).chain(ended.try_iter());
                let waiting: Vec<(Begun, Written)> = waiting.map(|it| set_aside.written(it)).collect();
                if let Some((open, run)) = &mut history
                    && let Err(error) = record(open, *run, &waiting)
                {
                    (outcome, history) = (Err(error), None);
                }
                waiting.into_iter().for_each(|(_, it)| drop(sender.send(it)));
            }
            outcome
        });
        (receiver, keeping)
    }
}

/// Writes down what was begun, in one transaction. When each began is reckoned back from now, by how long it took.
fn record(history: &mut History, run: RunId, ended: &[(Begun, Written)]) -> Result<(), HistoryError> {
    let now = Timestamp::now();
    let mut trials = Vec::new();
    for (_, Written { attempts, .. }) in ended.iter().filter(|(begun, _)| *begun == Begun::Yes) {
        for (place, (_, result)) in attempts.iter().enumerate() {
            let behind: u64 = attempts[place..].iter().map(|(finished, _)| finished.wall_ns).sum();
            let started = now.checked_sub(Duration::from_nanos(behind)).unwrap_or(now);
            trials.push(NewTrial { result, started, discarded: place + 1 < attempts.len() });
        }
    }
    history.record(run, &trials)
}
