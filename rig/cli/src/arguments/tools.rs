//! What other tools need to know of the command and its files: schemas, completions, manual pages.
//!
//! Boundary: grammar and help.

use std::path::PathBuf;

use clap::{Args, ValueEnum};
use clap_complete::Shell;

#[derive(Debug, Args)]
pub(crate) struct Schema {
    /// Of which kind of file
    pub(crate) of: Described,
}

/// A kind of file that has a schema.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Described {
    /// Scenarios, with the boards that are known
    Scenario,
    /// Campaigns
    Campaign,
    /// Board profiles and families
    Board,
    /// Benches, with the drivers that there are
    Bench,
    /// `results.json` of a report
    Results,
    /// A line of a trial's `timeline.jsonl`
    Timeline,
}

#[derive(Debug, Args)]
pub(crate) struct Completions {
    /// For which shell
    pub(crate) shell: Shell,
}

#[derive(Debug, Args)]
pub(crate) struct Man {
    /// Write a page for each command into this folder; without it the first page is printed
    #[arg(value_name = "DIR")]
    pub(crate) folder: Option<PathBuf>,
}

#[derive(Debug, Args)]
pub(crate) struct Waves {
    /// A folder that `--report` wrote, or one below .brickproof/runs
    #[arg(value_name = "DIR")]
    pub(crate) folder: PathBuf,
    /// Only this trial; may be given several times
    #[arg(long, value_name = "TRIAL-ID")]
    pub(crate) trial: Vec<String>,
}
