//! Kinds of boards, and virtual ones that live.
//!
//! Boundary: grammar and help.

use std::path::PathBuf;

use clap::{Args, Subcommand};

use super::{Format, seed};

#[derive(Debug, Args)]
pub(crate) struct Board {
    #[command(subcommand)]
    pub(crate) command: BoardCommand,
}

#[derive(Debug, Subcommand)]
pub(crate) enum BoardCommand {
    /// A line for each
    List {
        /// How it is printed
        #[arg(long, value_enum, default_value_t)]
        format: Format,
    },
    /// All that is known of one
    Show {
        /// Its name
        #[arg(value_name = "BOARD")]
        board: String,
        /// How it is printed
        #[arg(long, value_enum, default_value_t)]
        format: Format,
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
        /// How it is printed
        #[arg(long, value_enum, default_value_t)]
        format: Format,
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
