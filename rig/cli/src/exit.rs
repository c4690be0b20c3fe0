//! Exit statuses, and the problems that end a command before its work is done.
//!
//! Boundary: numbers and messages; printing is `output`'s.

use std::collections::BTreeMap;
use std::io;
use std::path::PathBuf;
use std::process::ExitCode;

use brickproof_history::HistoryError;
use brickproof_report::evidence::EvidenceError;
use brickproof_report::results::{Results, TrialResult};
use brickproof_scenario::{Diagnostics, counted};

use crate::remembering::Forgotten;

/// What the shell gets. Where several apply, the first of this list, which is the least.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Exit {
    /// Interrupted, after the safe state was reached.
    Interrupted,
    /// A board or its firmware failed.
    Failed,
    /// The input is wrong; nothing was executed.
    BadInput,
    /// The bench failed, the scenario could not be carried out as it stands, or the evidence could not be kept.
    BenchFailed,
    /// Undecided.
    Inconclusive,
    /// All as it should be.
    Passed,
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit.status())
    }
}

impl Exit {
    /// The number.
    pub(crate) const fn status(self) -> u8 {
        match self {
            Self::Interrupted => 130,
            Self::Failed => 1,
            Self::BadInput => 2,
            Self::BenchFailed => 3,
            Self::Inconclusive => 4,
            Self::Passed => 0,
        }
    }

    /// The status for trials that came to their end.
    pub(crate) fn of(results: &Results) -> Self {
        // What a person set aside fails nobody's night.
        let any = |wanted: fn(&TrialResult) -> bool| results.last_attempts().any(|it| !it.is_set_aside() && wanted(it));
        if any(|it| it.verdict == "failed" || it.verdict == "error" && it.blame.as_deref() == Some("firmware")) {
            Self::Failed
        } else if any(|it| it.verdict == "error") {
            Self::BenchFailed
        } else if any(|it| it.verdict != "passed") {
            Self::Inconclusive
        } else {
            Self::Passed
        }
    }
}

/// Why a command could not do its work.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Problem {
    /// Scenario files have mistakes.
    #[error("{} in {}; nothing was executed", counted(mistakes(.0), "mistake"), counted(.0.len(), "file"))]
    Mistakes(Vec<Diagnostics>),
    /// A file cannot be read.
    #[error("{path} could not be read")]
    Unreadable {
        path: PathBuf,
        #[source]
        source: io::Error,
    },
    /// The arguments select nothing, or something that does not exist.
    #[error("{what}")]
    Selection { what: String, help: String },
    /// No station can run what is asked; nothing was opened.
    #[error("no station can run all of {}; nothing was executed", counted(.0.len(), "scenario"))]
    Unfit(
        /// Of each scenario what its stations lack.
        BTreeMap<String, Vec<String>>,
    ),
    /// A campaign cannot be kept there, or what is there is another one's; nothing was executed.
    #[error("{path}: {why}; nothing was executed")]
    Journal { path: PathBuf, why: String },
    /// What a campaign found could not be kept.
    #[error("{path} could not be written")]
    NotKept {
        path: PathBuf,
        #[source]
        source: io::Error,
    },
    /// Stations could not be opened, or could not go on.
    #[error("{}", counted_problems(.0))]
    Bench(Vec<String>),
    /// There can be no evidence where it was asked for.
    #[error(transparent)]
    Report(EvidenceError),
    /// Evidence could not be kept.
    #[error(transparent)]
    Evidence(#[from] EvidenceError),
    /// The history is none that can be used; nothing was executed.
    #[error(transparent)]
    History(HistoryError),
    /// Trials are not in the history.
    #[error(transparent)]
    NotRemembered(Forgotten),
    /// Results could not be printed.
    #[error("results could not be printed")]
    Print(#[source] io::Error),
}

fn counted_problems(problems: &[String]) -> String {
    match problems {
        [one] => one.clone(),
        _ => format!("{} of the bench", counted(problems.len(), "problem")),
    }
}

fn mistakes(files: &[Diagnostics]) -> usize {
    files.iter().map(|it| it.mistakes().len()).sum()
}

impl Problem {
    /// Whether there was no room for what was to be kept.
    pub(crate) fn is_full_disk(&self) -> bool {
        let kind = match self {
            Self::NotKept { source, .. } | Self::Evidence(EvidenceError::Write { source, .. }) => source.kind(),
            _ => return false,
        };
        matches!(kind, io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded)
    }

    pub(crate) fn exit(&self) -> Exit {
        match self {
            Self::Mistakes(_)
            | Self::Unreadable { .. }
            | Self::Selection { .. }
            | Self::Unfit(_)
            | Self::Report(_)
            | Self::History(_)
            | Self::Journal { .. } => Exit::BadInput,
            Self::Bench(_) | Self::NotRemembered(_) | Self::Evidence(_) | Self::Print(_) | Self::NotKept { .. } => {
                Exit::BenchFailed
            }
        }
    }
}
