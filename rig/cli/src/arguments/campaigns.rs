//! Questions that take many trials.
//!
//! Boundary: grammar and help.

use std::path::PathBuf;

use brickproof_explore::{Exhaustive, SoakBoards};
use brickproof_scenario::Override;
use brickproof_scenario::plan::CellModel;
use brickproof_units::{Ratio, Size, Span};
use clap::Args;

use super::{Format, Where};

/// How a campaign is carried out. Stopped by Ctrl-C or killed, the same command goes on where it was.
#[derive(Debug, Args)]
pub(crate) struct Conduct {
    #[command(flatten)]
    pub(crate) on: Where,
    /// How many trials run at the same time on the virtual bench; as many as there are processors if not given
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..))]
    pub(crate) jobs: Option<u16>,
    /// Keep journal, answer and pictures here instead of under .brickproof/campaigns
    #[arg(long, value_name = "DIR")]
    pub(crate) report: Option<PathBuf>,
    /// Begin anew, whatever was found before
    #[arg(long)]
    pub(crate) fresh: bool,
    /// Make every trial of an exhaustive sweep to its end, also where the first second of its board tells how it ends
    #[arg(long)]
    pub(crate) whole: bool,
    /// How progress and the answer are printed
    #[arg(long, value_enum, default_value_t)]
    pub(crate) format: Format,
}

/// Which trial is varied, and how long.
#[derive(Debug, Args)]
pub(crate) struct Asked {
    /// The scenario
    #[arg(value_name = "SCENARIO")]
    pub(crate) scenario: PathBuf,
    /// The cell in which the axis has this value
    #[arg(long, value_name = "AXIS=VALUE")]
    pub(crate) set: Vec<Override>,
    /// What the trials share up to the fault
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u32))]
    pub(crate) seed: u32,
    /// No more trials than these
    #[arg(long, value_name = "N")]
    pub(crate) trials: Option<u64>,
    /// Begin no trial after so long
    #[arg(long, value_name = "TIME")]
    pub(crate) time: Option<Span>,
}

#[derive(Debug, Args)]
pub(crate) struct Campaign {
    /// The campaign
    #[arg(value_name = "FILE")]
    pub(crate) file: PathBuf,
    #[command(flatten)]
    pub(crate) conduct: Conduct,
}

#[derive(Debug, Args)]
pub(crate) struct Sweep {
    #[command(flatten)]
    pub(crate) asked: Asked,
    /// Whose reaction; the scenario's own firmware if not given
    #[arg(long, value_name = "FIRMWARE")]
    pub(crate) firmware: Option<String>,
    /// Turn this knob of the fault over a range, at POINTS places or anywhere in it: `fault.after=0ms..60ms` or `fault.floor=0V..2V/9`
    #[arg(
        long,
        value_name = "KNOB=FROM..TO[/POINTS]",
        conflicts_with = "exhaustive",
        required_unless_present = "exhaustive"
    )]
    pub(crate) vary: Vec<String>,
    /// Strike every flash operation that follows the trigger: before it, at fractions of it, after it. On the virtual bench, by a brown-out
    #[arg(long)]
    pub(crate) exhaustive: bool,
    /// How long after the trigger operations are struck
    #[arg(long, value_name = "TIME", default_value = "200ms", requires = "exhaustive")]
    pub(crate) window: Span,
    /// At how many places inside each operation
    #[arg(long, value_name = "N", default_value_t = Exhaustive::FRACTIONS, requires = "exhaustive", value_parser = clap::value_parser!(u32).range(..=i64::from(Exhaustive::MOST_FRACTIONS)))]
    pub(crate) fractions: u32,
    /// Each place under each of these models of how flash cells take a cut: `ideal,fractional,marginal`. The usual one is fractional
    #[arg(long, value_name = "MODELS", value_delimiter = ',', requires = "exhaustive", value_parser = cell_model)]
    pub(crate) cells: Vec<CellModel>,
    /// Strike every flash operation of the boot after each fault too, each at the same places
    #[arg(long, requires = "exhaustive")]
    pub(crate) second_cuts: bool,
    /// How often each point is tried
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..))]
    pub(crate) each: u32,
    #[command(flatten)]
    pub(crate) conduct: Conduct,
}

fn cell_model(text: &str) -> Result<CellModel, String> {
    let known = || CellModel::ALL.map(CellModel::name).join(", ");
    CellModel::from_name(text.trim()).ok_or_else(|| format!("models of cells are {}", known()))
}

#[derive(Debug, Args)]
pub(crate) struct FindWindow {
    #[command(flatten)]
    pub(crate) asked: Asked,
    /// Whose windows; the scenario's own firmware if not given
    #[arg(long, value_name = "FIRMWARE")]
    pub(crate) firmware: Option<String>,
    /// The first instant after the trigger
    #[arg(long, value_name = "TIME", default_value = "0ms")]
    pub(crate) from: Span,
    /// The last
    #[arg(long, value_name = "TIME")]
    pub(crate) to: Span,
    /// How wide the credible interval of an edge may be
    #[arg(long, value_name = "TIME")]
    pub(crate) resolution: Span,
    /// How narrow a window may be and still be found
    #[arg(long, value_name = "TIME")]
    pub(crate) narrowest: Span,
    /// How often a trial inside such a window fails at least
    #[arg(long, value_name = "SHARE", default_value = "50%")]
    pub(crate) weakest: Ratio,
    /// How surely such a window is found
    #[arg(long, value_name = "SHARE", default_value = "95%")]
    pub(crate) confidence: Ratio,
    /// How much belief the credible interval of an edge holds
    #[arg(long, value_name = "SHARE", default_value = "95%")]
    pub(crate) credibility: Ratio,
    #[command(flatten)]
    pub(crate) conduct: Conduct,
}

#[derive(Debug, Args)]
pub(crate) struct Prove {
    #[command(flatten)]
    pub(crate) asked: Asked,
    /// The firmware that is known to fail
    #[arg(long, value_name = "FIRMWARE")]
    pub(crate) baseline: String,
    /// The firmware that is said not to
    #[arg(long, value_name = "FIRMWARE")]
    pub(crate) candidate: String,
    /// Turn this knob of the fault over a range from trial to trial; the first one is cut into strata
    #[arg(long, value_name = "KNOB=FROM..TO[/POINTS]")]
    pub(crate) vary: Vec<String>,
    /// Into how many strata; four if it has as many places, none if `--over` tells strata apart already
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=100))]
    pub(crate) strata: Option<u32>,
    /// Meet every value of this axis of the scenario in turn, and tell them apart; with `--strata` each of them part by part
    #[arg(long, value_name = "AXIS")]
    pub(crate) over: Option<String>,
    /// A firmware that fails so often or less is to be called FIXED
    #[arg(long, value_name = "SHARE", default_value = "0.1%")]
    pub(crate) good: Ratio,
    /// A firmware that fails so often or more is to be called NOT FIXED
    #[arg(long, value_name = "SHARE", default_value = "2%")]
    pub(crate) bad: Ratio,
    /// How often, at most, a good one may be called NOT FIXED
    #[arg(long, value_name = "SHARE", default_value = "5%")]
    pub(crate) alpha: Ratio,
    /// How often, at most, a bad one may be called FIXED
    #[arg(long, value_name = "SHARE", default_value = "5%")]
    pub(crate) beta: Ratio,
    /// After so many trials of the candidate it is INCONCLUSIVE
    #[arg(long, value_name = "N", default_value_t = 1_000)]
    pub(crate) cap: u64,
    #[command(flatten)]
    pub(crate) conduct: Conduct,
}

#[derive(Debug, Args)]
pub(crate) struct Soak {
    #[command(flatten)]
    pub(crate) asked: Asked,
    /// What runs; the scenario's own firmware if not given
    #[arg(long, value_name = "FIRMWARE")]
    pub(crate) firmware: Option<String>,
    /// How many cycles
    #[arg(long, value_name = "N")]
    pub(crate) cycles: u64,
    /// Stop at so many failures
    #[arg(long, value_name = "N")]
    pub(crate) stop_at_failures: Option<u64>,
    /// How much its evidence may take of the disk: failures are kept first, and the oldest passes go first. 64MB if not given
    #[arg(long, value_name = "SIZE")]
    pub(crate) evidence: Option<Size>,
    /// How many virtual boards take turns, each going on from cycle to cycle; or `new`: a new one for each cycle. One if not given
    #[arg(long, value_name = "N|new")]
    pub(crate) boards: Option<SoakBoards>,
    /// How many erases a sector of the flash may see: the one that was erased most ends the soak. On the virtual bench, which counts them
    #[arg(long, value_name = "ERASES", value_parser = clap::value_parser!(u64).range(1..))]
    pub(crate) endurance: Option<u64>,
    #[command(flatten)]
    pub(crate) conduct: Conduct,
}
