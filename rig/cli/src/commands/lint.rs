//! `brickproof lint`: every mistake, with its line; nothing is executed.

use std::path::PathBuf;

use brickproof_scenario::counted;

use serde_json::json;

use crate::arguments::{Format, Lint};
use crate::commands::campaign;
use crate::exit::{Exit, Problem};
use crate::{files, output};

pub(crate) fn lint(arguments: &Lint) -> Result<Exit, Problem> {
    let campaigns = files::campaigns(&arguments.paths)?;
    let mut mistakes = Vec::new();
    for path in &campaigns {
        match campaign::prepared(path) {
            Err(Problem::Mistakes(found)) => mistakes.extend(found),
            prepared => drop(prepared?),
        }
    }
    let is_scenario = |path: &&PathBuf| !campaigns.contains(path);
    let paths: Vec<PathBuf> = arguments.paths.iter().filter(is_scenario).cloned().collect();
    let scenarios = if paths.is_empty() { Ok(Vec::new()) } else { files::load_all(&paths) };
    let scenarios = match scenarios {
        Err(Problem::Mistakes(found)) => {
            mistakes.extend(found);
            Vec::new()
        }
        scenarios => scenarios?,
    };
    if !mistakes.is_empty() {
        return Err(Problem::Mistakes(mistakes));
    }
    let trials: usize = scenarios.iter().map(|it| it.cells.len()).sum();
    if arguments.format == Format::Json {
        let summary = json!({ "scenarios": scenarios.len(), "trials": trials, "campaigns": campaigns.len() });
        output::json(&json!({ "summary": summary }));
        return Ok(Exit::Passed);
    }
    let mut checked = vec![counted(scenarios.len(), "scenario"), counted(trials, "trial")];
    if !campaigns.is_empty() {
        checked.push(counted(campaigns.len(), "campaign"));
    }
    output::line(&format!("no mistakes in {}", checked.join(", ")));
    Ok(Exit::Passed)
}
