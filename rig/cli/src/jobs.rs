//! Trials that are to be run, and how somebody runs one of them again.
//!
//! Boundary: what a job is and who can do it. Carrying it out is `commands::run` and `stations`.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use brickproof_firmware::{Firmware, private_keys, private_keys_of};
use brickproof_report::Secrets;
use brickproof_report::results::{Finished, NotAsked, TrialResult};
use brickproof_scenario::Knob;
use brickproof_scenario::plan::Plan;
use brickproof_trial::TrialId;

use crate::exit::Problem;
use crate::files::{Reached, Source};
use crate::{files, library};

/// Where `replay` looks for scenarios by itself.
const DEFAULT_SCENARIOS: &str = "scenarios/";
/// A trial that is to be run.
pub(crate) struct Job {
    pub(crate) id: TrialId,
    pub(crate) plan: Arc<Plan>,
    pub(crate) firmware: Firmware,
    /// The command that runs it again.
    pub(crate) replay: String,
    /// How its scenario was come by.
    pub(crate) reached: Reached,
}

/// A job that is done, by its place among the jobs.
pub(crate) struct Ended {
    pub(crate) position: usize,
    /// In their order; all but the last were discarded. There is at least one.
    pub(crate) attempts: Vec<Finished>,
    pub(crate) begun: Begun,
}

/// A job that is done and written down, by its place among the jobs.
pub(crate) struct Written {
    pub(crate) position: usize,
    /// As in [`Ended`], each with what came of it.
    pub(crate) attempts: Vec<(Finished, TrialResult)>,
}

/// Whether a station began a trial, or none was left for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Begun {
    Yes,
    No,
}

/// Whose firmware runs in a trial.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum FirmwareFrom {
    /// The scenario names it.
    Scenario,
    /// It was asked for.
    Asked,
}

impl Job {
    pub(crate) fn new(source: &Source, plan: Plan, from: FirmwareFrom, seed: u64) -> Result<Self, Problem> {
        let firmware = files::firmware_of(&plan)?;
        let id = TrialId::new(&plan, &firmware.sha256_of_all(), seed);
        let replay = replay_command(&id, source, &plan, from);
        Ok(Self { id, plan: Arc::new(plan), firmware, replay, reached: source.reached.clone() })
    }

    /// The path that somebody named to have it run.
    pub(crate) fn asked_for(&self) -> &str {
        match &self.reached {
            Reached::Named => &self.plan.scenario.path,
            Reached::InFolder(folder) => folder,
        }
    }
}

/// Everything that `replay` cannot know from the id or find where it looks by itself, even when no evidence is kept.
pub(crate) fn replay_command(id: &TrialId, source: &Source, plan: &Plan, from: FirmwareFrom) -> String {
    let mut command = format!("brickproof replay {id}");
    if !plan.scenario.path.starts_with(DEFAULT_SCENARIOS) {
        command.push_str(&format!(" --scenarios {}", quoted(&plan.scenario.path)));
    }
    if from == FirmwareFrom::Asked && Firmware::shipped(&plan.firmware.0).is_none() {
        command.push_str(&format!(" --firmware {}", quoted(&plan.firmware.0)));
    }
    for (axis, value) in &plan.parameters {
        let is_knob = Knob::is_meant(axis);
        if is_knob || source.values(axis).is_some() && !source.lists(axis, value) {
            command.push_str(&format!(" --set {}", quoted(&format!("{axis}={value}"))));
        }
    }
    for path in library::besides() {
        command.push_str(&format!(" --profiles {}", quoted(&path.to_string_lossy())));
    }
    command
}

/// `text` as one word of a shell.
pub(crate) fn quoted(text: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_./=:,@%+".contains(c);
    if !text.is_empty() && text.chars().all(plain) {
        text.to_owned()
    } else {
        format!("'{}'", text.replace('\'', r"'\''"))
    }
}

/// The private keys that may turn up where boards begin with these images: the rig's own, and those of a board that was read out.
pub(crate) fn secrets_of<'j>(boards: impl Iterator<Item = (&'j Arc<Plan>, &'j Firmware)>) -> Secrets {
    let found = boards.flat_map(|(plan, firmware)| private_keys_of(&plan.board, firmware));
    let keys: Vec<_> = private_keys().into_iter().chain(found).collect();
    Secrets::new(&keys)
}

/// The jobs that virtual boards can do, and what the others want. Somebody who names a file none of whose trials can be done, or a folder
/// without any that can, has not got what they asked for: that is refused.
pub(crate) fn those_for_virtual_boards(jobs: Vec<Job>) -> Result<(Vec<Job>, Vec<NotAsked>), Problem> {
    let is_done = |job: &Job| library::check_virtual(&job.plan).is_ok();
    let of_one = |job: &Job, other: &Job| job.plan.scenario.path == other.plan.scenario.path;
    let in_vain = jobs.iter().find(|job| {
        let named = job.reached == Reached::Named;
        (named && !jobs.iter().any(|other| of_one(job, other) && is_done(other))) || !jobs.iter().any(is_done)
    });
    if let Some(job) = in_vain {
        library::check_virtual(&job.plan)?;
    }
    let (done, left): (Vec<Job>, Vec<Job>) = jobs.into_iter().partition(is_done);
    Ok((done, not_asked(&left)))
}

/// What is wanted of boards that are not here, and the commands that ask it: one for each board where its trials say on an axis that they
/// are for it, since a bench without the others would refuse theirs.
fn not_asked(left: &[Job]) -> Vec<NotAsked> {
    let mut wanted: BTreeMap<(&str, Option<&str>), Vec<&Job>> = BTreeMap::new();
    for job in left {
        let board = job.plan.board.name.as_str();
        let axis = job.plan.parameters.iter().find(|(_, value)| value == board).map(|(axis, _)| axis.as_str());
        wanted.entry((board, axis)).or_default().push(job);
    }
    let told = wanted.into_iter().map(|((board, axis), jobs)| {
        let scenarios: BTreeSet<&str> = jobs.iter().map(|job| job.plan.scenario.path.as_str()).collect();
        let (paths, set) = match axis {
            Some(axis) => {
                let paths: BTreeSet<&str> = jobs.iter().map(|job| job.asked_for()).collect();
                (paths, format!(" --set {}", quoted(&format!("{axis}={board}"))))
            }
            None => (scenarios.clone(), String::new()),
        };
        let paths: Vec<String> = paths.into_iter().map(quoted).collect();
        NotAsked {
            board: board.to_owned(),
            trials: jobs.len(),
            scenarios: scenarios.into_iter().map(str::to_owned).collect(),
            command: format!("brickproof run {}{set} --bench FILE", paths.join(" ")),
        }
    });
    told.collect()
}
