//! `brickproof run`: the scenarios' trials on the virtual bench, several at a time, reported in the order of the files.

use std::collections::BTreeSet;
use std::num::NonZero;
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, mpsc};
use std::thread;
use std::time::Instant;

use brickproof_firmware::Firmware;
use brickproof_report::results::{Finished, FirmwareRef, Results, TrialResult, World};
use brickproof_report::terminal;
use brickproof_report::{Secrets, evidence};
use brickproof_scenario::plan::Plan;
use brickproof_sim::Simulation;
use brickproof_trial::TrialId;

use crate::arguments::{Format, Output, Run};
use crate::exit::{Exit, Problem};
use crate::files::Source;
use crate::output::Progress;
use crate::{files, output};

/// Where `replay` looks for scenarios by itself.
const DEFAULT_SCENARIOS: &str = "scenarios/";
/// The name of the virtual bench's only station.
const STATION: &str = "virtual";

/// A trial that is to be run.
pub(crate) struct Job {
    pub(crate) id: TrialId,
    pub(crate) plan: Arc<Plan>,
    pub(crate) firmware: Firmware,
    /// The command that runs it again.
    replay: String,
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
        let id = TrialId::new(&plan, firmware.sha256(), seed);
        let replay = replay_command(&id, source, &plan, from);
        Ok(Self { id, plan: Arc::new(plan), firmware, replay })
    }
}

/// Everything that `replay` cannot know from the id or find where it looks by itself, even when no evidence is kept.
fn replay_command(id: &TrialId, source: &Source, plan: &Plan, from: FirmwareFrom) -> String {
    let mut command = format!("brickproof replay {id}");
    if !plan.scenario.path.starts_with(DEFAULT_SCENARIOS) {
        command.push_str(&format!(" --scenarios {}", quoted(&plan.scenario.path)));
    }
    if from == FirmwareFrom::Asked && Firmware::shipped(&plan.firmware.0).is_none() {
        command.push_str(&format!(" --firmware {}", quoted(&plan.firmware.0)));
    }
    for (axis, value) in &plan.parameters {
        if source.values(axis).is_some() && !source.lists(axis, value) {
            command.push_str(&format!(" --set {}", quoted(&format!("{axis}={value}"))));
        }
    }
    command
}

/// `text` as one word of a shell.
fn quoted(text: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_./=:,@%+".contains(c);
    if !text.is_empty() && text.chars().all(plain) {
        text.to_owned()
    } else {
        format!("'{}'", text.replace('\'', r"'\''"))
    }
}

pub(crate) fn run(arguments: &Run) -> Result<Exit, Problem> {
    let from = if arguments.selection.firmware.is_some() { FirmwareFrom::Asked } else { FirmwareFrom::Scenario };
    let (mut jobs, mut known) = (Vec::new(), BTreeSet::new());
    for (source, scenario) in files::load(&arguments.selection)? {
        for plan in scenario.cells {
            let job = Job::new(&source, plan, from, arguments.seed)?;
            // One id, one trial: copies of a file would only write over each other's evidence.
            if known.insert(job.id.clone()) {
                jobs.push(job);
            }
        }
    }
    let at_once = arguments.jobs.map_or_else(processors, usize::from);
    execute(&jobs, at_once, &arguments.output)
}

fn processors() -> usize {
    thread::available_parallelism().map_or(1, NonZero::get)
}

/// Runs the jobs, prints and keeps what came out.
pub(crate) fn execute(jobs: &[Job], at_once: usize, wanted: &Output) -> Result<Exit, Problem> {
    let interrupted = Arc::new(AtomicBool::new(false));
    let flag = Arc::clone(&interrupted);
    let handler = move || {
        // The first time the trials come to their end by themselves. A virtual board is safe as soon as nobody runs it.
        if flag.swap(true, Ordering::SeqCst) {
            std::process::exit(Exit::Interrupted.status().into());
        }
    };
    // A second handler in one process is refused; the first one is as good.
    let _ = ctrlc::set_handler(handler);
    let folder = match &wanted.report {
        Some(folder) => evidence::Folder::at(folder).map_err(Problem::Report)?,
        None => evidence::Folder::numbered(Path::new(evidence::DEFAULT_FOLDER))?,
    };

    let began = Instant::now();
    let finished = run_all(jobs, at_once, &interrupted, wanted.format);
    let trials: Vec<TrialResult> = finished.iter().map(TrialResult::new).collect();
    let results = Results::new(World::Virtual, trials);
    report(&results, began.elapsed(), wanted.format);
    let came_to = if interrupted.load(Ordering::SeqCst) { Exit::Interrupted } else { Exit::of(&results) };
    if let Err(error) = folder.write(&results, &finished) {
        return Ok(came_to.min(output::problem(&error.into())));
    }
    if wanted.format == Format::Human {
        output::line(&format!("evidence: {}", folder.path().display()));
    }
    Ok(came_to)
}

/// Results in the order of `jobs`. After an interruption those that were not begun are missing.
fn run_all(jobs: &[Job], at_once: usize, interrupted: &AtomicBool, format: Format) -> Vec<Finished> {
    let next = AtomicUsize::new(0);
    let (sender, receiver) = mpsc::channel();
    let secrets = Secrets::new(&brickproof_firmware::private_keys());
    let progress = Progress::new();
    let colour = output::colour();
    thread::scope(|scope| {
        for _ in 0..at_once.min(jobs.len()) {
            let (sender, next, secrets) = (sender.clone(), &next, &secrets);
            scope.spawn(move || {
                while !interrupted.load(Ordering::SeqCst) {
                    let position = next.fetch_add(1, Ordering::SeqCst);
                    let Some(job) = jobs.get(position) else { break };
                    if sender.send((position, run_one(job, interrupted, secrets))).is_err() {
                        break;
                    }
                }
            });
        }
        drop(sender);
        let mut finished: Vec<Option<Finished>> = jobs.iter().map(|_| None).collect();
        let (mut done, mut shown) = (0, 0);
        for (position, trial) in receiver {
            finished[position] = Some(trial);
            done += 1;
            progress.clear();
            while let Some(Some(ready)) = finished.get(shown) {
                print_trial(&TrialResult::new(ready), format, colour);
                shown += 1;
            }
            if done < jobs.len() {
                progress.show(&format!("{done} of {} trials", jobs.len()));
            }
        }
        // An interruption leaves gaps; what came after a gap has not been shown yet.
        finished.iter().skip(shown).flatten().for_each(|it| print_trial(&TrialResult::new(it), format, colour));
        finished.into_iter().flatten().collect()
    })
}

fn run_one(job: &Job, interrupted: &AtomicBool, secrets: &Secrets) -> Finished {
    let began = Instant::now();
    let mut simulation = Simulation::new(Arc::clone(&job.plan), &job.firmware, job.id.seed());
    simulation.run_while(|| !interrupted.load(Ordering::Relaxed));
    Finished {
        id: job.id.clone(),
        trial: simulation.into_trial(),
        firmware: FirmwareRef::new(job.firmware.name(), job.firmware.sha256()),
        station: STATION.into(),
        wall_ns: u64::try_from(began.elapsed().as_nanos()).unwrap_or(u64::MAX),
        replay: job.replay.clone(),
        secrets: secrets.clone(),
    }
}

fn print_trial(trial: &TrialResult, format: Format, colour: terminal::Colour) {
    match format {
        Format::Human => output::line(&terminal::trial_line(trial, colour)),
        Format::Json => output::line(&serde_json::to_string(trial).unwrap_or_default()),
    }
}

fn report(results: &Results, wall: std::time::Duration, format: Format) {
    match format {
        Format::Json => output::line(&serde_json::json!({ "summary": results.summary }).to_string()),
        Format::Human => {
            let colour = output::colour();
            for trial in results.trials.iter().filter(|it| it.verdict != "passed") {
                output::line("");
                output::line(terminal::failure(trial, results.rig.world, colour).trim_end());
            }
            output::line("");
            output::line(&terminal::summary(results, wall, colour));
        }
    }
}
