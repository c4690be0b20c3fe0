//! Scenarios: run, replayed, checked, explained.
//!
//! Boundary: grammar and help.

use std::path::PathBuf;

use brickproof_scenario::Override;
use clap::Args;

use super::{Format, Remembered, Where, seed};

/// Which scenarios, and with what.
#[derive(Debug, Args)]
pub(crate) struct Selection {
    /// Scenario files, or folders of them
    #[arg(required = true, value_name = "PATH")]
    pub(crate) paths: Vec<PathBuf>,
    /// Use this firmware in every trial and ask it to survive: a shipped name, or a .bin, .hex or .elf file. Cells that differ in their
    /// firmware alone become one
    #[arg(long, value_name = "FIRMWARE")]
    pub(crate) firmware: Option<String>,
    /// Keep only the cells in which the axis has this value; several for one axis: any of them. A value that no file lists is tried in
    /// every file that has the axis. `fault.after`, `fault.hold`, `fault.floor`, `fault.fall`, `fault.rise` and `fault.current` turn the
    /// numbers of a scenario's only fault
    #[arg(long, value_name = "AXIS=VALUE")]
    pub(crate) set: Vec<Override>,
    /// Keep only cells with this tag; several: any of them
    #[arg(long, value_name = "TAG")]
    pub(crate) tag: Vec<String>,
}

/// Where trials run, how often one is begun, and what becomes of what they show.
#[derive(Debug, Args)]
pub(crate) struct Execution {
    #[command(flatten)]
    pub(crate) on: Where,
    /// How often a trial is begun at the most. One whose fault struck outside its tolerance is discarded and begun again: on real stations
    /// only, the virtual bench strikes exactly
    #[arg(long, value_name = "N", default_value_t = 3, value_parser = clap::value_parser!(u32).range(1..))]
    pub(crate) attempts: u32,
    #[command(flatten)]
    pub(crate) remembered: Remembered,
    #[command(flatten)]
    pub(crate) output: Output,
}

#[derive(Debug, Args)]
pub(crate) struct Output {
    /// Put the evidence here instead of under .brickproof/runs
    #[arg(long, value_name = "DIR")]
    pub(crate) report: Option<PathBuf>,
    /// How results are printed
    #[arg(long, value_enum, default_value_t)]
    pub(crate) format: Format,
    /// Show what came of the cells of each matrix in tables, not in a line for each
    #[arg(long, conflicts_with = "format")]
    pub(crate) matrix: bool,
}

#[derive(Debug, Args)]
pub(crate) struct Run {
    #[command(flatten)]
    pub(crate) selection: Selection,
    /// The seed of everything random
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = seed, allow_hyphen_values = true)]
    pub(crate) seed: u64,
    /// How many trials run at the same time on the virtual bench; as many as there are processors if not given. Real stations all run at the
    /// same time, each one trial
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..))]
    pub(crate) jobs: Option<u16>,
    #[command(flatten)]
    pub(crate) execution: Execution,
}

#[derive(Debug, Args)]
pub(crate) struct Replay {
    /// The id, as printed beside the trial
    #[arg(value_name = "TRIAL-ID")]
    pub(crate) id: String,
    /// Where to look for the scenario when no evidence of the trial is kept
    #[arg(long, value_name = "PATH", default_value = "scenarios")]
    pub(crate) scenarios: Vec<PathBuf>,
    /// The firmware file that it was run with, if it does not come with the rig
    #[arg(long, value_name = "FIRMWARE")]
    pub(crate) firmware: Option<String>,
    /// The value that an axis had, if the scenario does not list it; may be given several times
    #[arg(long, value_name = "AXIS=VALUE")]
    pub(crate) set: Vec<Override>,
    #[command(flatten)]
    pub(crate) execution: Execution,
}

#[derive(Debug, Args)]
pub(crate) struct Report {
    /// Where it is kept: a folder under .brickproof/runs or .brickproof/campaigns, or what --report said
    #[arg(value_name = "DIR")]
    pub(crate) folder: PathBuf,
    /// A page of this trial alone, in its own folder: for what the page of a large run has no room for
    #[arg(long, value_name = "TRIAL-ID")]
    pub(crate) trial: Option<String>,
}

#[derive(Debug, Args)]
pub(crate) struct Lint {
    /// Scenario files, or folders of them
    #[arg(required = true, value_name = "PATH")]
    pub(crate) paths: Vec<PathBuf>,
    /// How it is printed
    #[arg(long, value_enum, default_value_t)]
    pub(crate) format: Format,
}

#[derive(Debug, Args)]
pub(crate) struct Explain {
    #[command(flatten)]
    pub(crate) selection: Selection,
    #[command(flatten)]
    pub(crate) on: Where,
    /// How it is printed
    #[arg(long, value_enum, default_value_t)]
    pub(crate) format: Format,
}
