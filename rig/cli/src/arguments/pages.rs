//! Pages for a browser.
//!
//! Boundary: grammar and help.

use std::net::SocketAddr;
use std::path::PathBuf;

use clap::Args;

#[derive(Debug, Args)]
pub(crate) struct Serve {
    /// Where to listen; port 0 is any that is free. An address that other computers reach needs a token, which is printed if none is given,
    /// and is spoken to in plain HTTP: beyond a network that you trust, listen here and come through `ssh -L`
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:4911")]
    pub(crate) listen: SocketAddr,
    /// Ask for the token in this file, on this computer too: 16 to 256 letters, digits, `-`, `_`, `.` or `~`
    #[arg(long, value_name = "FILE")]
    pub(crate) token_file: Option<PathBuf>,
    /// Answer under this name, too, and not only under addresses and `localhost`; may be given several times
    #[arg(long, value_name = "HOST")]
    pub(crate) name: Vec<String>,
    /// Show what is kept below this folder
    #[arg(long, value_name = "DIR", default_value = ".brickproof")]
    pub(crate) folder: PathBuf,
}
