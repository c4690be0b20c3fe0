//! `brickproof schema`: JSON Schemas of the files that people write, for editors, and of the results, for other programs.
//!
//! Boundary: it prints; the schemas are made beside the readers and the types that they describe.

use crate::arguments::{Described, Schema};
use crate::exit::{Exit, Problem};
use crate::{library, output};

pub(crate) fn schema(arguments: &Schema) -> Result<Exit, Problem> {
    let schema = match arguments.of {
        Described::Scenario => brickproof_scenario::schema(library::library()),
        Described::Campaign => brickproof_explore::schema(),
        Described::Board => brickproof_boards::schema(),
        Described::Bench => brickproof_bench::file::schema(library::library()),
        Described::Results => brickproof_report::results::schema(),
        Described::Timeline => brickproof_report::timeline::schema(),
    };
    // An object of strings and numbers is always one of JSON.
    output::line(&format!("{schema:#}"));
    Ok(Exit::Passed)
}
