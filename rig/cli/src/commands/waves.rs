//! `brickproof waves`: waveforms and traces of trials whose evidence is kept, for other people's viewers.
//!
//! Boundary: which folder and which trials. What is in the files is the report's.

use brickproof_report::evidence;
use brickproof_scenario::counted;

use crate::arguments::Waves;
use crate::exit::{Exit, Problem};
use crate::output;

pub(crate) fn waves(arguments: &Waves) -> Result<Exit, Problem> {
    let made = evidence::make_waves(&arguments.folder, &arguments.trial).map_err(Problem::Report)?;
    if made.is_empty() {
        return Err(Problem::Selection {
            what: format!("{} has no such trial", arguments.folder.display()),
            help: "its results.json names them; without --trial the files of all are made".to_owned(),
        });
    }
    for place in &made {
        output::line(&place.display().to_string());
    }
    let [waveforms, trace] = brickproof_report::waves::FILES;
    output::line(&format!("{waveforms} and {trace} of {}", counted(made.len(), "trial")));
    Ok(Exit::Passed)
}
