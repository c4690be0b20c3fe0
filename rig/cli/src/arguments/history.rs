//! The history of a bench: what is kept there, and what is asked of it.
//!
//! Boundary: grammar and help.

use std::path::PathBuf;

use clap::{Args, Subcommand, ValueEnum};

use super::Format;

/// What becomes of trials beyond their run.
#[derive(Debug, Args)]
pub(crate) struct Remembered {
    /// Keep the trials in this history instead of .brickproof/history.sqlite
    #[arg(long, value_name = "FILE")]
    pub(crate) history: Option<PathBuf>,
    /// Keep the trials in no history
    #[arg(long, conflicts_with = "history")]
    pub(crate) no_history: bool,
    /// Set aside the trials that this file lists, with a reason and an end: they run and are reported, and do not fail the run. Without it,
    /// quarantine.yaml of this folder does if there is one
    #[arg(long, value_name = "FILE")]
    pub(crate) quarantine: Option<PathBuf>,
    /// Set nothing aside
    #[arg(long, conflicts_with = "quarantine")]
    pub(crate) no_quarantine: bool,
}

#[derive(Debug, Args)]
pub(crate) struct HistoryArguments {
    /// What is asked; pass rates if nothing is said
    #[command(subcommand)]
    pub(crate) asked: Option<HistoryCommand>,
    #[command(flatten)]
    pub(crate) of: HistoryOf,
}

#[derive(Debug, Subcommand)]
pub(crate) enum HistoryCommand {
    /// Pass rates of each scenario, board and firmware
    Rates,
    /// Time to connect, from night to night
    Trend {
        /// What its points are
        #[arg(long, value_enum, default_value_t)]
        by: Points,
    },
    /// Scenarios that sometimes fail: does it follow the board, the firmware or neither?
    Flaky,
    /// What newly fails, is fixed and still fails. A side is a run (`17`), a night (`2026-11-27`, `last`, `previous`) or a firmware
    Compare {
        #[arg(value_name = "A")]
        a: String,
        #[arg(value_name = "B")]
        b: String,
    },
    /// All that is known of a trial
    Show {
        /// Its id, as printed beside the trial
        #[arg(value_name = "TRIAL-ID")]
        id: String,
    },
    /// The runs, newest first
    Runs,
    /// What is set aside, how it did since, and what could be lifted
    Quarantine {
        /// The file that lists it
        #[arg(long, value_name = "FILE", default_value = "quarantine.yaml")]
        quarantine: PathBuf,
    },
}

/// What the points of a trend are.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum Points {
    #[default]
    Night,
    Firmware,
}

/// Of which trials, and how it is told.
#[derive(Debug, Args)]
pub(crate) struct HistoryOf {
    /// The history
    #[arg(long, global = true, value_name = "FILE", default_value = brickproof_history::DEFAULT_FILE)]
    pub(crate) history: PathBuf,
    /// Only of this world; each has its own report
    #[arg(long, global = true, value_enum)]
    pub(crate) world: Option<WorldWord>,
    /// Not of a night before this one, as in 2026-11-27: the day on which its run began
    #[arg(long, global = true, value_name = "DAY", value_parser = day)]
    pub(crate) since: Option<jiff::civil::Date>,
    /// Not of a night after this one
    #[arg(long, global = true, value_name = "DAY", value_parser = day)]
    pub(crate) until: Option<jiff::civil::Date>,
    /// Only of scenarios with this path or name; `*`, `**` and `?` stand for what they do in a shell
    #[arg(long, global = true, value_name = "PATH")]
    pub(crate) scenario: Option<String>,
    /// Only of boards of this kind
    #[arg(long, global = true, value_name = "BOARD")]
    pub(crate) board: Option<String>,
    /// Only of this station, or of the board with this unique id
    #[arg(long, global = true, value_name = "STATION")]
    pub(crate) station: Option<String>,
    /// Only with this firmware: its name, or how its SHA-256 begins
    #[arg(long, global = true, value_name = "FIRMWARE")]
    pub(crate) firmware: Option<String>,
    /// Every row of long tables
    #[arg(long, global = true)]
    pub(crate) all: bool,
    /// How it is printed
    #[arg(long, global = true, value_enum, default_value_t)]
    pub(crate) format: Format,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum WorldWord {
    Virtual,
    Lane,
    Hardware,
}

fn day(text: &str) -> Result<jiff::civil::Date, String> {
    text.parse().map_err(|_| "a day is written as in 2026-11-27".to_owned())
}
