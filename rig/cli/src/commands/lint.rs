//! `brickproof lint`: every mistake, with its line; nothing is executed.

use std::fs;
use std::path::{Path, PathBuf};

use brickproof_scenario::{Diagnostics, counted};

use crate::arguments::Lint;
use crate::exit::{Exit, Problem};
use crate::{files, output};

pub(crate) fn lint(arguments: &Lint) -> Result<Exit, Problem> {
    let is_campaign = |path: &&PathBuf| path.is_file() && files::is_campaign(path).unwrap_or(false);
    let (campaigns, paths): (Vec<&PathBuf>, Vec<&PathBuf>) = arguments.paths.iter().partition(is_campaign);
    let mistakes: Vec<_> = campaigns.iter().filter_map(|path| campaign(path).transpose()).collect::<Result<_, _>>()?;
    if !mistakes.is_empty() {
        return Err(Problem::Mistakes(mistakes));
    }
    if !campaigns.is_empty() {
        output::line(&format!("no mistakes in {}", counted(campaigns.len(), "campaign")));
    }
    if paths.is_empty() {
        return Ok(Exit::Passed);
    }
    let scenarios = files::load_all(&paths.into_iter().cloned().collect::<Vec<_>>())?;
    let trials: usize = scenarios.iter().map(|it| it.cells.len()).sum();
    output::line(&format!("no mistakes in {}, {}", counted(scenarios.len(), "scenario"), counted(trials, "trial")));
    Ok(Exit::Passed)
}

/// The mistakes of a campaign's file, if it has any.
fn campaign(path: &Path) -> Result<Option<Diagnostics>, Problem> {
    let bytes = fs::read(path).map_err(|source| Problem::Unreadable { path: path.to_owned(), source })?;
    Ok(brickproof_explore::load(&files::label(path), bytes).err())
}
