//! The command line.
//!
//! Boundary: its grammar and its help, a module for each kind of command. What a command does is in `commands`.

mod boards;
mod campaigns;
mod history;
mod pages;
mod stations;
mod tools;
mod trials;
mod units;

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};

pub(crate) use boards::{Board, BoardCommand, Virtual, VirtualAttach, VirtualBoard, VirtualCommand, VirtualServe};
pub(crate) use campaigns::{Asked, Campaign, Conduct, FindWindow, Prove, Soak, Sweep};
pub(crate) use history::{HistoryArguments, HistoryCommand, HistoryOf, Points, Remembered, WorldWord};
pub(crate) use pages::Serve;
pub(crate) use stations::{
    Bench, BenchCheck, BenchCommand, BenchDiscover, BenchLint, BenchMakeSafe, Console, Enter, Flash, OneStation, Power,
    PowerCommand, PowerCycle, PowerOff, PowerOn, Reset, WayWord,
};
pub(crate) use tools::{Completions, Described, Man, Schema, Waves};
pub(crate) use trials::{Execution, Explain, Lint, Output, Replay, Report, Run, Selection};
pub(crate) use units::{Autopsy, CloudWord, Diagnose, KeyWork, Keys, ThroughWord};

/// Runs scenarios against boards, injects the faults that brick products in the field, and says whether the firmware survived.
#[derive(Debug, Parser)]
#[command(name = "brickproof", version, max_term_width = 110)]
pub(crate) struct Arguments {
    #[command(subcommand)]
    pub(crate) command: Command,
    /// Know the board profiles in this file or folder, too; may be given several times
    #[arg(long, global = true, value_name = "PATH")]
    pub(crate) profiles: Vec<PathBuf>,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Run scenarios and keep the evidence
    Run(Run),
    /// Run one trial again, by its id
    Replay(Replay),
    /// Ask a question that takes many trials, as a reviewed file says it
    Campaign(Campaign),
    /// What happens when a fault is varied over a range?
    Sweep(Sweep),
    /// At which instants does the firmware fail? Both edges of every window
    FindWindow(FindWindow),
    /// Is the candidate fixed? Baseline and candidate meet the same faults until a test with known errors decides
    Prove(Prove),
    /// Does it last? Many cycles of the same
    Soak(Soak),
    /// Make the page of a run or of a campaign once more, out of what is kept of it
    Report(Report),
    /// Show every mistake in scenario files; run nothing
    Lint(Lint),
    /// Say in plain words what a scenario does and needs
    Explain(Explain),
    /// Look after benches of real boards
    Bench(Bench),
    /// Switch the source of a station
    Power(Power),
    /// Reset the board of a station
    Reset(Reset),
    /// Put the board of a station into a mode, and say what confirms it
    Enter(Enter),
    /// Write firmware to the board of a station
    Flash(Flash),
    /// Show, save, write back and renew the keys of a board
    Keys(Keys),
    /// Talk to the board of a station
    Console(Console),
    /// What is wrong with a board, by its light, its log, or what somebody tells: ranked causes, and what to measure next
    Diagnose(Diagnose),
    /// Read a returned unit out before anything else, say what it holds, and write a scenario that begins with exactly that
    Autopsy(Autopsy),
    /// What the trials of a bench say together: pass rates, trends, what failures follow, what changed
    History(HistoryArguments),
    /// A page of what is running now and what ran, for a browser, until Ctrl-C
    Serve(Serve),
    /// The boards that are known
    Board(Board),
    /// Let a virtual board live by the clock on the wall, for other people's tools
    Virtual(Virtual),
    /// Make waveforms and traces of kept trials, for GTKWave, PulseView and Perfetto
    Waves(Waves),
    /// JSON Schemas of the files, for editors and other programs
    Schema(Schema),
    /// Completions for a shell
    Completions(Completions),
    /// The manual pages
    Man(Man),
}

impl Command {
    /// For whom standard output is.
    pub(crate) fn format(&self) -> Format {
        match self {
            Self::Run(it) => it.execution.output.format,
            Self::Replay(it) => it.execution.output.format,
            Self::Campaign(it) => it.conduct.format,
            Self::Sweep(it) => it.conduct.format,
            Self::FindWindow(it) => it.conduct.format,
            Self::Prove(it) => it.conduct.format,
            Self::Soak(it) => it.conduct.format,
            Self::Lint(it) => it.format,
            Self::Explain(it) => it.format,
            Self::Bench(it) => match &it.command {
                BenchCommand::Lint(it) => it.format,
                BenchCommand::Check(it) => it.format,
                BenchCommand::Discover(it) => it.format,
                BenchCommand::MakeSafe(it) => it.format,
            },
            Self::Power(it) => match &it.command {
                PowerCommand::On(it) => it.format,
                PowerCommand::Off(it) => it.format,
                PowerCommand::Cycle(it) => it.then.format,
            },
            Self::Reset(it) => it.format,
            Self::Enter(it) => it.format,
            Self::Flash(it) => it.format,
            Self::Keys(it) => it.work.of().format,
            Self::Diagnose(it) => it.format,
            Self::Autopsy(it) => it.format,
            Self::History(it) => it.of.format,
            Self::Board(it) => match &it.command {
                BoardCommand::List { format }
                | BoardCommand::Show { format, .. }
                | BoardCommand::Lint { format, .. } => *format,
                BoardCommand::Theme { .. } => Format::Human,
            },
            Self::Report(_)
            | Self::Console(_)
            | Self::Serve(_)
            | Self::Virtual(_)
            | Self::Waves(_)
            | Self::Schema(_)
            | Self::Completions(_)
            | Self::Man(_) => Format::Human,
        }
    }
}

/// Where trials run. The virtual bench, if nothing is said.
#[derive(Debug, Default, Args)]
pub(crate) struct Where {
    /// Run on the stations of this bench file
    #[arg(long, value_name = "FILE")]
    pub(crate) bench: Option<PathBuf>,
    /// Only on this station of it; may be given several times
    #[arg(long, value_name = "STATION", requires = "bench")]
    pub(crate) station: Vec<String>,
}

fn seed(text: &str) -> Result<u64, String> {
    text.parse().map_err(|_| format!("a seed is a whole number from 0 to {}", u64::MAX))
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum Format {
    /// For people
    #[default]
    Human,
    /// One JSON object a line
    Json,
}
