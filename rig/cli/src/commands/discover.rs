//! `brickproof bench discover`: a bench file of what is plugged in, for a person to complete.
//!
//! Boundary: printing it, or writing it where nothing is yet.

use std::fs::OpenOptions;
use std::io::Write as _;

use brickproof_bench::discover::{ReadI2c, draft};
use brickproof_scenario::counted;
use serde_json::json;

use crate::arguments::{BenchDiscover, Format};
use crate::exit::{Exit, Problem};
use crate::{library, output};

pub(crate) fn discover(arguments: &BenchDiscover) -> Result<Exit, Problem> {
    let board = arguments.board.as_deref().map(library::board).transpose()?;
    let i2c = if arguments.probe_i2c { ReadI2c::Yes } else { ReadI2c::No };
    let known: Vec<&str> = library::library().board_names().collect();
    let draft = draft(board.map(|board| &**board), &known, i2c);
    match draft.found {
        0 => output::note("nothing was found that a driver could drive; this is a skeleton"),
        found => output::note(&format!("{} found", counted(found, "device"))),
    }
    let tell = |people: &str| match arguments.format {
        Format::Human => output::line(people),
        Format::Json => {
            output::json(&json!({ "devices": draft.found, "draft": draft.text, "file": arguments.out }));
        }
    };
    let Some(path) = &arguments.out else {
        tell(draft.text.trim_end());
        return Ok(Exit::Passed);
    };
    // A bench file that somebody has completed is not written over.
    let file = OpenOptions::new().write(true).create_new(true).open(path);
    let written = file.and_then(|mut file| file.write_all(draft.text.as_bytes()));
    written.map_err(|error| Problem::Selection {
        what: format!("{} could not be written: {error}", path.display()),
        help: "name a file that is not there yet".to_owned(),
    })?;
    tell(&format!("{} is to be completed; then `brickproof bench lint {0}`", path.display()));
    Ok(Exit::Passed)
}
