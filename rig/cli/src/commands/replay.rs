//! `brickproof replay`: one trial again, found by its id alone.
//!
//! Boundary: the id names scenario, cell and seed and carries a digest of everything else. Kept evidence says quickest which file and
//! firmware it was; without it, every scenario below `--scenarios` is tried with every shipped firmware.

use std::path::{Path, PathBuf};

use brickproof_report::evidence;
use brickproof_scenario::Scenario;
use brickproof_scenario::plan::FirmwareName;
use brickproof_sim::Firmware;
use brickproof_trial::{TrialId, stem_of};

use super::run::{Job, execute};
use crate::arguments::Replay;
use crate::exit::{Exit, Problem};
use crate::files;

pub(crate) fn replay(arguments: &Replay) -> Result<Exit, Problem> {
    let id: TrialId =
        arguments.id.parse().map_err(|error: brickproof_trial::ParseTrialIdError| Problem::Selection {
            what: error.to_string(),
            help: "copy it from the line of the trial or from results.json".to_owned(),
        })?;
    let job = find(&id, &arguments.scenarios)?;
    execute(&[job], 1, &arguments.output)
}

fn find(id: &TrialId, scenarios: &[PathBuf]) -> Result<Job, Problem> {
    let mut near = None;
    for candidate in candidates(id, scenarios)? {
        if candidate.id == *id {
            return Ok(candidate);
        }
        if candidate.id.names_the_same(id) {
            near = Some(candidate.id);
        }
    }
    let help = match near {
        Some(other) => format!("its scenario, firmware or the rig changed since; today it is {other}"),
        None => format!("no scenario called `{}` has such a cell; say where with --scenarios PATH", id.stem()),
    };
    Err(Problem::Selection { what: format!("{id} cannot be run again"), help })
}

/// Every trial that might be meant, those for which there is evidence first.
fn candidates(id: &TrialId, scenarios: &[PathBuf]) -> Result<Vec<Job>, Problem> {
    let mut jobs = Vec::new();
    if let Some((path, firmware)) = evidence_of(id)
        && let Ok(kept) = files::load_all(&[path], &[])
    {
        jobs.extend(jobs_of(id, kept, Some(&firmware))?);
    }
    if jobs.iter().any(|job| job.id == *id) {
        return Ok(jobs);
    }
    // A default folder that is not there must not hide that the id is unknown.
    let there: Vec<PathBuf> = scenarios.iter().filter(|path| path.exists()).cloned().collect();
    let found = files::load_all(&there, &[])?;
    jobs.extend(jobs_of(id, found, None)?);
    Ok(jobs)
}

/// The scenario's path and the firmware's name of a trial that was kept.
fn evidence_of(id: &TrialId) -> Option<(PathBuf, String)> {
    let id = id.to_string();
    evidence::read_runs(Path::new(evidence::DEFAULT_FOLDER)).find_map(|(_, results)| {
        let trial = results.trials.into_iter().find(|trial| trial.id == id)?;
        Some((trial.scenario.path.into(), trial.firmware.name))
    })
}

fn jobs_of(id: &TrialId, scenarios: Vec<Scenario>, extra: Option<&str>) -> Result<Vec<Job>, Problem> {
    let mut jobs = Vec::new();
    for plan in scenarios.into_iter().filter(|it| stem_of(&it.id.path) == id.stem()).flat_map(|it| it.cells) {
        // The scenario's own firmware is among them: asked to survive with `--firmware`, it is another trial.
        for name in Firmware::shipped_names().map(str::to_owned).chain(extra.map(str::to_owned)) {
            let asked = plan.clone().with_firmware(FirmwareName(name));
            let firmware = files::firmware_of(&asked)?;
            jobs.push(Job::new(asked, firmware, id.seed()));
        }
        let own = files::firmware_of(&plan)?;
        jobs.push(Job::new(plan, own, id.seed()));
    }
    Ok(jobs)
}
