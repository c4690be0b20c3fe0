//! A unit that somebody has questions about: what is wrong with it, what it holds, its keys.
//!
//! Boundary: grammar and help.

use std::path::PathBuf;

use brickproof_units::Span;
use clap::{Args, Subcommand, ValueEnum};

use super::{Format, OneStation};

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
    /// Where the rig plays the board's cloud: how that behaves meanwhile
    #[arg(long, value_enum, value_name = "BEHAVIOUR", default_value_t, requires = "bench")]
    pub(crate) cloud: CloudWord,
    /// How the answer is printed
    #[arg(long, value_enum, default_value_t)]
    pub(crate) format: Format,
}

#[derive(Clone, Copy, Debug, Default, ValueEnum)]
pub(crate) enum CloudWord {
    /// As the real one
    #[default]
    Genuine,
    /// It answers nothing, as behind a firewall that drops packets
    Silent,
    /// It proves itself with another server's key
    Wrong,
    /// It refuses the connection
    Unreachable,
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
    /// How it is printed
    #[arg(long, value_enum, default_value_t)]
    pub(crate) format: Format,
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
