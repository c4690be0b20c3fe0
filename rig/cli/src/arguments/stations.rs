//! Benches, their stations, and what a person does to the board of one.
//!
//! Boundary: grammar and help.

use std::path::PathBuf;

use brickproof_units::{Span, Voltage};
use clap::{Args, Subcommand, ValueEnum};

use super::Format;

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
    /// How it is printed
    #[arg(long, value_enum, default_value_t)]
    pub(crate) format: Format,
}

#[derive(Debug, Args)]
pub(crate) struct BenchMakeSafe {
    #[command(flatten)]
    pub(crate) on: Stations,
    /// How it is printed
    #[arg(long, value_enum, default_value_t)]
    pub(crate) format: Format,
}

#[derive(Debug, Args)]
pub(crate) struct BenchLint {
    /// Bench files
    #[arg(required = true, value_name = "FILE")]
    pub(crate) files: Vec<PathBuf>,
    /// How it is printed
    #[arg(long, value_enum, default_value_t)]
    pub(crate) format: Format,
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
    /// How it is printed
    #[arg(long, value_enum, default_value_t)]
    pub(crate) format: Format,
}

#[derive(Debug, Args)]
pub(crate) struct PowerOff {
    #[command(flatten)]
    pub(crate) on: OneStation,
    /// How it is printed
    #[arg(long, value_enum, default_value_t)]
    pub(crate) format: Format,
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
    /// How it is printed
    #[arg(long, value_enum, default_value_t)]
    pub(crate) format: Format,
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
    /// How it is printed
    #[arg(long, value_enum, default_value_t)]
    pub(crate) format: Format,
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
    /// How it is printed
    #[arg(long, value_enum, default_value_t)]
    pub(crate) format: Format,
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
