//! Exit statuses, and the problems that end a command before its work is done.
//!
//! Boundary: numbers and messages; printing is `output`'s.

use std::path::PathBuf;
use std::process::ExitCode;

use brickproof_report::evidence::EvidenceError;
use brickproof_report::results::{Results, TrialResult};
use brickproof_scenario::Diagnostics;

/// What the shell gets. Where several apply, the first of this list.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Exit {
    /// Interrupted, after the safe state was reached.
    Interrupted,
    /// A board or its firmware failed.
    Failed,
    /// The input is wrong; nothing was executed.
    BadInput,
    /// The bench failed.
    BenchFailed,
    /// Undecided.
    Inconclusive,
    /// All as it should be.
    Passed,
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(match exit {
            Exit::Interrupted => 130,
            Exit::Failed => 1,
            Exit::BadInput => 2,
            Exit::BenchFailed => 3,
            Exit::Inconclusive => 4,
            Exit::Passed => 0,
        })
    }
}

impl Exit {
    /// The status for trials that came to their end.
    pub(crate) fn of(results: &Results) -> Self {
        let any = |wanted: fn(&TrialResult) -> bool| results.trials.iter().any(wanted);
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
    #[error("{path} could not be read: {source}")]
    Unreadable {
        path: PathBuf,
        #[source]
        source: std::io::Error,
    },
    /// The arguments select nothing, or something that does not exist.
    #[error("{what}")]
    Selection { what: String, help: String },
    /// Evidence could not be kept.
    #[error(transparent)]
    Evidence(#[from] EvidenceError),
}

fn mistakes(files: &[Diagnostics]) -> usize {
    files.iter().map(|it| it.mistakes().len()).sum()
}

/// `1 file`, `2 files`.
fn counted(number: usize, what: &str) -> String {
    let plural = if number == 1 { "" } else { "s" };
    format!("{number} {what}{plural}")
}

impl Problem {
    pub(crate) fn exit(&self) -> Exit {
        match self {
            Self::Mistakes(_) | Self::Unreadable { .. } | Self::Selection { .. } => Exit::BadInput,
            Self::Evidence(_) => Exit::BenchFailed,
        }
    }
}
