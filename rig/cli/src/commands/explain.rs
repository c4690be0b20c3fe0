//! `brickproof explain`: the plan in plain words, what the station must offer, and whether the virtual bench can make its faults.

use crate::arguments::Explain;
use crate::exit::{Exit, Problem};
use crate::{files, output};

/// The world of `brickproof-sim` carries out every command that a plan can contain; what it is asked in vain, a button that the board does
/// not have, is a mistake of the scenario.
const VIRTUAL_BENCH: &str = "The virtual bench offers all of this and can make every fault.";

pub(crate) fn explain(arguments: &Explain) -> Result<Exit, Problem> {
    for (_, scenario) in files::load(&arguments.selection)? {
        for plan in &scenario.cells {
            output::line(&brickproof_scenario::explain(plan));
            output::line(&format!("{VIRTUAL_BENCH}\n"));
        }
    }
    Ok(Exit::Passed)
}
