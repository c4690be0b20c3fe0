//! `brickproof replay`: one trial again, found by its id.
//!
//! Boundary: the id names scenario, cell and seed and carries a digest of everything else. Kept evidence says quickest which file, firmware
//! and values it was, and the journals of campaigns where the knobs of its fault stood; without it, every scenario of that name below `--scenarios` is tried with every shipped firmware and with `--firmware`.

use std::path::{Path, PathBuf};

use brickproof_firmware::Firmware;
use brickproof_report::evidence;
use brickproof_scenario::Override;
use brickproof_scenario::plan::FirmwareName;
use brickproof_trial::{TrialId, stem_of};

use super::run::execute;
use crate::arguments::Replay;
use crate::campaigns;
use crate::exit::{Exit, Problem};
use crate::files;
use crate::jobs::{FirmwareFrom, Job};
use crate::library::library;
use crate::output;

pub(crate) fn replay(arguments: &Replay) -> Result<Exit, Problem> {
    let id: TrialId =
        arguments.id.parse().map_err(|error: brickproof_trial::ParseTrialIdError| Problem::Selection {
            what: error.to_string(),
            help: "copy it from the line of the trial or from results.json".to_owned(),
        })?;
    let job = find(&id, arguments)?;
    execute(vec![job], 1, &arguments.execution)
}

fn find(id: &TrialId, arguments: &Replay) -> Result<Job, Problem> {
    let mut near = None;
    for candidate in candidates(id, arguments)? {
        if candidate.id == *id {
            return Ok(candidate);
        }
        if candidate.id.names_the_same(id) {
            near = Some(candidate.id);
        }
    }
    let help = match near {
        Some(other) => format!("its scenario, firmware or the rig changed since; today it is {other}"),
        None => format!(
            "no scenario called `{}` has such a cell; say where with --scenarios PATH, and with which --firmware or --set",
            id.stem()
        ),
    };
    Err(Problem::Selection { what: format!("{id} cannot be run again"), help })
}

/// What a trial was run with, besides its seed.
struct Circumstances {
    scenarios: Vec<PathBuf>,
    firmware: Option<String>,
    values: Vec<Override>,
}

/// Every trial that might be meant, those for which there is evidence first.
fn candidates(id: &TrialId, arguments: &Replay) -> Result<Vec<Job>, Problem> {
    // Evidence of a file that has gone or is broken now is no reason not to look further.
    let kept = evidence_of(id).and_then(|kept| jobs(id, &kept).ok()).unwrap_or_default();
    if kept.iter().any(|job| job.id == *id) {
        return Ok(kept);
    }
    // A default folder that is not there must not hide that the id is unknown.
    let scenarios = arguments.scenarios.iter().filter(|path| path.exists()).cloned().collect();
    let values = if arguments.set.is_empty() { settings_of(id) } else { arguments.set.clone() };
    let asked = Circumstances { scenarios, firmware: arguments.firmware.clone(), values };
    Ok(kept.into_iter().chain(jobs(id, &asked)?).collect())
}

/// What a trial that was kept had been run with.
fn evidence_of(id: &TrialId) -> Option<Circumstances> {
    let id = id.to_string();
    evidence::read_runs(Path::new(evidence::DEFAULT_FOLDER)).find_map(|(_, results)| {
        let trial = results.trials.into_iter().find(|trial| trial.id == id)?;
        let value =
            |(axis, value): (String, serde_json::Value)| Some(Override { axis, value: value.as_str()?.to_owned() });
        Some(Circumstances {
            scenarios: vec![trial.scenario.path.into()],
            firmware: Some(trial.firmware.name),
            values: trial.parameters.into_iter().filter_map(value).collect(),
        })
    })
}

/// Where the knobs of a trial stood that a campaign made, if its journal is kept.
fn settings_of(id: &TrialId) -> Vec<Override> {
    let id = id.to_string();
    let setting = |(axis, value): (String, String)| Override { axis, value };
    let Some(kept) = campaigns::kept(&id) else { return Vec::new() };
    if let Some(folder) = kept.of_a_soak {
        output::note(&format!(
            "it was a cycle of a soak, whose board may have had a past, and this is the same on a new board; what was kept is in {}",
            folder.display()
        ));
    }
    kept.settings.into_iter().map(setting).collect()
}

fn jobs(id: &TrialId, with: &Circumstances) -> Result<Vec<Job>, Problem> {
    let mut sources = files::read(&with.scenarios)?;
    sources.retain(|source| stem_of(&source.label) == id.stem());
    // The firmware that was asked for stands among the values of its trial, and is no axis.
    let is_axis = |it: &&Override| sources.iter().any(|source| source.values(&it.axis).is_some());
    let (values, settings) = files::told_apart(&with.values)?;
    let values: Vec<Override> = values.iter().filter(is_axis).cloned().collect();
    let mut jobs = Vec::new();
    for (source, mut scenario) in files::understand(sources, &values, library())? {
        // A scenario whose fault has no such number is not the one that is looked for.
        scenario.cells = scenario.cells.iter().filter_map(|plan| plan.turned(&settings).ok()).collect();
        // The scenario's own firmware is among them: asked to survive with `--firmware`, it is another trial.
        for name in Firmware::shipped_names().map(str::to_owned).chain(with.firmware.clone()) {
            for plan in scenario.clone().with_firmware(&FirmwareName(name)).cells {
                jobs.push(Job::new(&source, plan, FirmwareFrom::Asked, id.seed())?);
            }
        }
        // A firmware file of the scenario that has gone does not matter where another one was asked for.
        let own = |plan| Job::new(&source, plan, FirmwareFrom::Scenario, id.seed()).ok();
        jobs.extend(scenario.cells.into_iter().filter_map(own));
    }
    Ok(jobs)
}
