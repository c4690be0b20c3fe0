//! The command line.
//!
//! Boundary: its grammar and its help. What a command does is in `commands`.

use std::path::PathBuf;

use brickproof_explore::{Exhaustive, SoakBoards};
use brickproof_scenario::Override;
use brickproof_scenario::plan::CellModel;
use brickproof_units::{Ratio, Size, Span, Voltage};
use clap::{Args, Parser, Subcommand, ValueEnum};

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
    /// The boards that are known
    Board(Board),
    /// Let a virtual board live by the clock on the wall, for other people's tools
    Virtual(Virtual),
}

#[derive(Debug, Args)]
pub(crate) struct Diagnose {
    /// A log of its console, the `timeline.jsonl` of a trial, or the folder of one; `-` reads a log from standard input
    #[arg(value_name = "LOG", required_unless_present_any = ["seen", "bench"], conflicts_with = "bench")]
    pub(crate) log: Option<PathBuf>,
    /// What somebody saw or tells: "cyan fast, then one red"; may be given several times
    #[arg(long, value_name = "WORDS", allow_hyphen_values = true)]
    pub(crate) seen: Vec<String>,
    /// The kind of board; if not given, one of Device OS's with either transport
    #[arg(long, value_name = "BOARD", conflicts_with = "bench")]
    pub(crate) board: Option<String>,
    /// Look and listen to the board of a station of this bench
    #[arg(long, value_name = "FILE")]
    pub(crate) bench: Option<PathBuf>,
    /// Which station; needed if the bench has several
    #[arg(long, value_name = "STATION", requires = "bench")]
    pub(crate) station: Option<String>,
    /// Look so long
    #[arg(long = "for", value_name = "TIME", default_value = "120s", requires = "bench")]
    pub(crate) looks_for: Span,
    /// How the answer is printed
    #[arg(long, value_enum, default_value_t)]
    pub(crate) format: Format,
}

#[derive(Debug, Args)]
pub(crate) struct Autopsy {
    /// Read the board of a station of this bench, and do nothing else to it
    #[arg(long, value_name = "FILE", required_unless_present_any = ["image", "dct"], conflicts_with_all = ["image", "dct"])]
    pub(crate) bench: Option<PathBuf>,
    /// Which station; needed if the bench has several
    #[arg(long, value_name = "STATION", requires = "bench")]
    pub(crate) station: Option<String>,
    /// A dump of the whole flash that was made elsewhere, raw
    #[arg(long, value_name = "FILE", requires = "board")]
    pub(crate) image: Option<PathBuf>,
    /// A dump of its user configuration registers from the first one on, raw
    #[arg(long, value_name = "FILE", requires = "image")]
    pub(crate) uicr: Option<PathBuf>,
    /// A dump of what stands behind the alternate setting with the keys of its bootloader, as dfu-util makes it: the way to the keys of Particle's
    /// boards. Without --image there is no scenario
    #[arg(long, value_name = "FILE", requires = "board")]
    pub(crate) dct: Option<PathBuf>,
    /// The kind of board that the dump is of
    #[arg(long, value_name = "BOARD", conflicts_with = "bench")]
    pub(crate) board: Option<String>,
    /// A key that belongs on this unit: a backup of its key area, or one key or server address as it stands in its slot; may be given several times
    #[arg(long, value_name = "FILE")]
    pub(crate) known: Vec<PathBuf>,
    /// The same, of what belonged there before
    #[arg(long, value_name = "FILE")]
    pub(crate) stale: Vec<PathBuf>,
    /// Write report, scenario and state to this folder, which must not be there yet. THE STATE HOLDS PRIVATE KEYS
    #[arg(long, value_name = "DIR")]
    pub(crate) out: PathBuf,
    /// How the report is printed
    #[arg(long, value_enum, default_value_t)]
    pub(crate) format: Format,
}

#[derive(Debug, Args)]
pub(crate) struct Board {
    #[command(subcommand)]
    pub(crate) command: BoardCommand,
}

#[derive(Debug, Subcommand)]
pub(crate) enum BoardCommand {
    /// A line for each
    List,
    /// All that is known of one
    Show {
        /// Its name
        #[arg(value_name = "BOARD")]
        board: String,
    },
    /// A profile of a board that shows a theme of its own, out of a dump of its device configuration table
    Theme {
        /// The dump, or the 64 bytes of its theme alone
        #[arg(value_name = "FILE")]
        dump: PathBuf,
        /// The board that it is of
        #[arg(long, value_name = "BOARD")]
        board: String,
    },
    /// Show every mistake in board profiles
    Lint {
        /// Files, or folders of them
        #[arg(required = true, value_name = "PATH")]
        files: Vec<PathBuf>,
    },
}

#[derive(Debug, Args)]
pub(crate) struct Virtual {
    #[command(subcommand)]
    pub(crate) command: VirtualCommand,
}

#[derive(Debug, Subcommand)]
pub(crate) enum VirtualCommand {
    /// Its console as a pseudo-terminal, its debug port as a Black Magic probe on TCP, until Ctrl-C
    Serve(VirtualServe),
    /// A whole station around it, plugged into this computer's kernel as USB devices, until Ctrl-C: needs root and the module vhci-hcd
    Attach(VirtualAttach),
}

/// Which virtual board.
#[derive(Debug, Args)]
pub(crate) struct VirtualBoard {
    /// Its profile
    #[arg(long, value_name = "BOARD", default_value = "lantern-nrf51")]
    pub(crate) board: String,
    /// What it runs: a shipped name, or a .bin, .hex or .elf file
    #[arg(long, value_name = "FIRMWARE", default_value = "lantern-heal-full")]
    pub(crate) firmware: String,
    /// Decides its unique id and everything random about it
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = seed, allow_hyphen_values = true)]
    pub(crate) seed: u64,
}

#[derive(Debug, Args)]
pub(crate) struct VirtualServe {
    #[command(flatten)]
    pub(crate) board: VirtualBoard,
    /// Where the debug port listens; port 0 is any that is free
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:0")]
    pub(crate) debug: std::net::SocketAddr,
}

#[derive(Debug, Args)]
pub(crate) struct VirtualAttach {
    #[command(flatten)]
    pub(crate) board: VirtualBoard,
    /// The serial number of each of its devices
    #[arg(long, value_name = "SERIAL", default_value = "VB0001")]
    pub(crate) serial: String,
}

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
    pub(crate) output: Output,
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

fn cell_model(text: &str) -> Result<CellModel, String> {
    let known = || CellModel::ALL.map(CellModel::name).join(", ");
    CellModel::from_name(text.trim()).ok_or_else(|| format!("models of cells are {}", known()))
}

fn seed(text: &str) -> Result<u64, String> {
    text.parse().map_err(|_| format!("a seed is a whole number from 0 to {}", u64::MAX))
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

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum Format {
    /// For people
    #[default]
    Human,
    /// One JSON object a line
    Json,
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

#[derive(Debug, Args)]
pub(crate) struct Lint {
    /// Scenario files, or folders of them
    #[arg(required = true, value_name = "PATH")]
    pub(crate) paths: Vec<PathBuf>,
}

#[derive(Debug, Args)]
pub(crate) struct Explain {
    #[command(flatten)]
    pub(crate) selection: Selection,
    #[command(flatten)]
    pub(crate) on: Where,
}

#[derive(Debug, Args)]
pub(crate) struct Bench {
    #[command(subcommand)]
    pub(crate) command: BenchCommand,
}

#[derive(Debug, Subcommand)]
pub(crate) enum BenchCommand {
    /// Show every mistake in bench files; open nothing, drive nothing
    Lint(BenchLint),
    /// Drive every instrument, read it back, and say what works
    Check(BenchCheck),
    /// Draft a bench file of what is plugged in
    Discover(BenchDiscover),
    /// Force the safe state: source off, lines released, network open
    MakeSafe(BenchMakeSafe),
}

/// Stations of a bench.
#[derive(Debug, Args)]
pub(crate) struct Stations {
    /// The bench file
    #[arg(value_name = "FILE")]
    pub(crate) file: PathBuf,
    /// Only this station of it; may be given several times
    #[arg(long, value_name = "STATION")]
    pub(crate) station: Vec<String>,
}

#[derive(Debug, Args)]
pub(crate) struct BenchCheck {
    #[command(flatten)]
    pub(crate) on: Stations,
    /// Cut the power so often to measure how fast that comes; 0: not at all. If not given, 10 times, and only where the board can be held in
    /// reset meanwhile
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(..=10_000))]
    pub(crate) cuts: Option<u32>,
    /// How findings are printed
    #[arg(long, value_enum, default_value_t)]
    pub(crate) format: Format,
}

#[derive(Debug, Args)]
pub(crate) struct BenchDiscover {
    /// The kind of board that it is for
    #[arg(long, value_name = "NAME")]
    pub(crate) board: Option<String>,
    /// Write it here, where nothing may be yet, instead of printing it
    #[arg(long, value_name = "FILE")]
    pub(crate) out: Option<PathBuf>,
    /// Read addresses on I2C buses too. That may disturb other devices that have them
    #[arg(long)]
    pub(crate) probe_i2c: bool,
}

#[derive(Debug, Args)]
pub(crate) struct BenchMakeSafe {
    #[command(flatten)]
    pub(crate) on: Stations,
}

/// One station of a bench.
#[derive(Debug, Args)]
pub(crate) struct OneStation {
    /// The bench file
    #[arg(long, value_name = "FILE")]
    pub(crate) bench: PathBuf,
    /// The station; needed if the bench has several
    #[arg(long, value_name = "STATION")]
    pub(crate) station: Option<String>,
}

#[derive(Debug, Args)]
pub(crate) struct Power {
    #[command(subcommand)]
    pub(crate) command: PowerCommand,
}

#[derive(Debug, Subcommand)]
pub(crate) enum PowerCommand {
    /// Switch it on, until Ctrl-C. Console and probe are free for other tools meanwhile
    On(PowerOn),
    /// Switch it off, and measure that it is
    Off(PowerOff),
    /// Keep it off for a while, then as `on`
    Cycle(PowerCycle),
}

#[derive(Debug, Args)]
pub(crate) struct PowerOn {
    #[command(flatten)]
    pub(crate) on: OneStation,
    /// With this voltage; what the board usually gets if not given
    #[arg(long, value_name = "V")]
    pub(crate) voltage: Option<Voltage>,
    /// Leave it on and end. `reset`, `enter`, `flash` and `console` work on the board meanwhile; everything else makes the station safe first
    #[arg(long)]
    pub(crate) stay: bool,
}

#[derive(Debug, Args)]
pub(crate) struct PowerOff {
    #[command(flatten)]
    pub(crate) on: OneStation,
}

#[derive(Debug, Args)]
pub(crate) struct PowerCycle {
    #[command(flatten)]
    pub(crate) then: PowerOn,
    /// Off for this long
    #[arg(long = "for", value_name = "TIME", default_value = "1s")]
    pub(crate) off_for: Span,
}

#[derive(Debug, Args)]
pub(crate) struct Reset {
    #[command(flatten)]
    pub(crate) on: OneStation,
    /// Hold it for this long
    #[arg(long, value_name = "TIME", default_value = "100ms")]
    pub(crate) hold: Span,
}

#[derive(Debug, Args)]
pub(crate) struct Enter {
    #[command(flatten)]
    pub(crate) on: OneStation,
    /// dfu, safe, listening or factory_reset
    #[arg(value_name = "MODE")]
    pub(crate) mode: String,
    /// By this way and no other; if not given, by the first that board and station have
    #[arg(long, value_enum, value_name = "WAY")]
    pub(crate) by: Option<WayWord>,
    /// Wait for it so long; if not given, as long as the board's profile says
    #[arg(long, value_name = "TIME")]
    pub(crate) within: Option<Span>,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
pub(crate) enum WayWord {
    /// RESET and MODE, held by the station's lines
    Buttons,
    /// A baud rate of the board's own serial port
    Baud,
    /// A request over USB
    Request,
}

#[derive(Debug, Args)]
pub(crate) struct Flash {
    #[command(flatten)]
    pub(crate) on: OneStation,
    /// A shipped name, or a .bin, .hex or .elf file
    #[arg(value_name = "FIRMWARE")]
    pub(crate) firmware: String,
    /// Leave the keys on the board as they are
    #[arg(long)]
    pub(crate) no_keys: bool,
}

#[derive(Debug, Args)]
pub(crate) struct Keys {
    #[command(subcommand)]
    pub(crate) work: KeyWork,
}

/// Whose keys, and how they are reached.
#[derive(Debug, Args)]
pub(crate) struct KeysOf {
    #[command(flatten)]
    pub(crate) on: OneStation,
    /// How the slots are reached; if not given, by the probe where it finds them
    #[arg(long, value_enum, value_name = "WAY")]
    pub(crate) through: Option<ThroughWord>,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
pub(crate) enum ThroughWord {
    /// The station's probe
    Probe,
    /// The board's bootloader, in which it must be
    Dfu,
}

#[derive(Debug, Subcommand)]
pub(crate) enum KeyWork {
    /// What the slots hold: fingerprints, and whether it is in order
    Show {
        #[command(flatten)]
        of: KeysOf,
    },
    /// Read the slots into a new file, private key and all, for its owner alone
    Save {
        #[command(flatten)]
        of: KeysOf,
        /// The file; it must not be there
        file: PathBuf,
    },
    /// Write back what was saved; never an identity that the cloud no longer accepts
    Load {
        #[command(flatten)]
        of: KeysOf,
        /// What `save` wrote
        file: PathBuf,
    },
    /// Exit status 1 unless the slots hold what was saved
    Verify {
        #[command(flatten)]
        of: KeysOf,
        /// What `save` wrote
        file: PathBuf,
    },
    /// Give the board a new device key. The old one is kept first, and is of no use afterwards
    Doctor {
        #[command(flatten)]
        of: KeysOf,
        /// Say that the board's identity is to be changed, for good
        #[arg(long, required = true)]
        new_identity: bool,
        /// Write the public half there, to be registered by hand, in place of having the bench file's program register it
        #[arg(long, value_name = "FILE")]
        public_key_to: Option<PathBuf>,
    },
    /// Write the genuine server key and address that the bench file names
    Server {
        #[command(flatten)]
        of: KeysOf,
    },
}

impl KeyWork {
    pub(crate) fn of(&self) -> &KeysOf {
        match self {
            Self::Show { of }
            | Self::Save { of, .. }
            | Self::Load { of, .. }
            | Self::Verify { of, .. }
            | Self::Doctor { of, .. }
            | Self::Server { of } => of,
        }
    }
}

#[derive(Debug, Args)]
pub(crate) struct Console {
    #[command(flatten)]
    pub(crate) on: OneStation,
    /// Feed the board meanwhile
    #[arg(long)]
    pub(crate) power: bool,
    /// Begin every line with the time since the beginning
    #[arg(long)]
    pub(crate) stamps: bool,
    /// Keep what comes in this file too, private keys masked
    #[arg(long, value_name = "FILE")]
    pub(crate) log: Option<PathBuf>,
    /// End after this long; with Ctrl-C if not given
    #[arg(long = "for", value_name = "TIME")]
    pub(crate) ends_after: Option<Span>,
}

#[derive(Debug, Args)]
pub(crate) struct BenchLint {
    /// Bench files
    #[arg(required = true, value_name = "FILE")]
    pub(crate) files: Vec<PathBuf>,
}
