//! `brickproof lint`: every mistake, with its line; nothing is executed.

use brickproof_scenario::counted;

use crate::arguments::Lint;
use crate::exit::{Exit, Problem};
use crate::{files, output};

pub(crate) fn lint(arguments: &Lint) -> Result<Exit, Problem> {
    let scenarios = files::load_all(&arguments.paths)?;
    let trials: usize = scenarios.iter().map(|it| it.cells.len()).sum();
    output::line(&format!("no mistakes in {}, {}", counted(scenarios.len(), "scenario"), counted(trials, "trial")));
    Ok(Exit::Passed)
}
