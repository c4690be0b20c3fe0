//! `brickproof explain`: the plan in plain words, what the station must offer, and which of its faults the virtual bench cannot make.

use crate::arguments::Explain;
use crate::exit::{Exit, Problem};
use crate::{files, output};

pub(crate) fn explain(arguments: &Explain) -> Result<Exit, Problem> {
    for scenario in files::load(&arguments.selection)? {
        for plan in &scenario.cells {
            output::line(&brickproof_scenario::explain(plan));
        }
    }
    Ok(Exit::Passed)
}
