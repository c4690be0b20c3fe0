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

    /// Which kind it is, for programs.
    pub(crate) fn kind(&self) -> &'static str {
        match self {
            Self::Mistakes(_) => "mistakes",
            Self::Unreadable { .. } => "unreadable",
            Self::Selection { .. } => "selection",
            Self::Unfit(_) => "unfit",
            Self::Journal { .. } => "journal",
            Self::NotKept { .. } => "not_kept",
            Self::Bench(_) => "bench",
            Self::Report(_) | Self::Evidence(_) => "evidence",
            Self::History(_) => "history",
            Self::NotRemembered(_) => "not_remembered",
            Self::Print(_) => "print",
        }
    }

    /// What happened, down to what the system says where that is no part of it.
    pub(crate) fn message(&self) -> String {
        let mut text = self.to_string();
        if matches!(
            self,
            Self::Unreadable { .. }
                | Self::Journal { .. }
                | Self::NotKept { .. }
                | Self::Report(_)
                | Self::Evidence(_)
                | Self::Print(_)
        ) {
            let mut source = std::error::Error::source(self);
            while let Some(error) = source {
                text.push_str(&format!(": {error}"));
                source = error.source();
            }
        }
        text
    }

    /// What to try.
    pub(crate) fn help(&self) -> Option<&str> {
        match self {
            Self::Selection { help, .. } => Some(help),
            Self::Unfit(_) => Some(
                "--set and --tag choose cells, --station chooses stations; `brickproof explain PATH --bench FILE` tells it cell by cell",
            ),
            _ => None,
        }
    }

    /// What it is made of, where that is several: each with the scenario that it is about, if it is about one.
    pub(crate) fn reasons<'p>(&'p self) -> Vec<(Option<&'p str>, &'p str)> {
        match self {
            Self::Unfit(refused) => {
                let of_one = |(scenario, lacking): (&'p String, &'p Vec<String>)| {
                    lacking.iter().map(move |told| (Some(scenario.as_str()), told.as_str()))
                };
                refused.iter().flat_map(of_one).collect()
            }
            Self::Bench(problems) if problems.len() > 1 => problems.iter().map(|told| (None, told.as_str())).collect(),
            _ => Vec::new(),
        }
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
