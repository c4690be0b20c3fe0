//! `brickproof run`: the scenarios' trials on the virtual bench or on real stations, several at a time, reported in the order of the files.

use std::collections::{BTreeMap, BTreeSet};
use std::num::NonZero;
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::mpsc::RecvTimeoutError;
use std::sync::{Arc, mpsc};
use std::thread;
use std::time::{Duration, Instant};

use brickproof_firmware::{Firmware, private_keys, private_keys_of};
use brickproof_report::matrix::matrices;
use brickproof_report::results::{Finished, FirmwareRef, NotAsked, Results, TrialResult, World};
use brickproof_report::terminal;
use brickproof_report::{FlashKind, FlashWork, Secrets, evidence};
use brickproof_scenario::Knob;
use brickproof_scenario::plan::Plan;
use brickproof_sim::{Backstage, Simulation, WorldConfig};
use brickproof_trial::TrialId;
use brickproof_virtual_board::board::Records;
use brickproof_virtual_board::flash::{FlashOperation, FlashRecord};

use crate::arguments::{Execution, Format, Output, Run};
use crate::exit::{Exit, Problem};
use crate::files::{Reached, Source};
use crate::live::{self, Beginning, Teller, Telling};
use crate::output::Progress;
use crate::remembering::{Memory, SetAside};
use crate::stations::{self, Chosen, Interrupted};
use crate::{files, library, output, runner, signals};

/// Where `replay` looks for scenarios by itself.
const DEFAULT_SCENARIOS: &str = "scenarios/";
/// What the place of a virtual board is called when no bench file gives it a name.
const STATION: &str = "virtual";
/// While no trial ends, the clock goes on at least.
const TOLD_EVERY: Duration = Duration::from_millis(500);

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
    fn asked_for(&self) -> &str {
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
    execute(jobs, at_once, &arguments.execution)
}

fn processors() -> usize {
    thread::available_parallelism().map_or(1, NonZero::get)
}

/// Runs the jobs, prints and keeps what came out.
pub(crate) fn execute(mut jobs: Vec<Job>, at_once: usize, execution: &Execution) -> Result<Exit, Problem> {
    let Execution { on, attempts, remembered, output: wanted } = execution;
    let set_aside = SetAside::of(remembered)?;
    let chosen = Chosen::of(on)?;
    if let (Some(chosen), Some(path)) = (&chosen, &on.bench) {
        chosen.check(&jobs)?;
        for job in &mut jobs {
            job.replay.push_str(&format!(" --bench {}", quoted(&path.to_string_lossy())));
        }
    }
    let mut not_asked = Vec::new();
    if chosen.as_ref().is_none_or(Chosen::is_virtual) {
        (jobs, not_asked) = those_for_virtual_boards(jobs)?;
    }
    let folder = match &wanted.report {
        Some(folder) => evidence::Folder::at(folder).map_err(Problem::Report)?,
        None => evidence::Folder::numbered(Path::new(evidence::DEFAULT_FOLDER))?,
    };
    let jobs: Vec<Arc<Job>> = jobs.into_iter().map(Arc::new).collect();
    let secrets = secrets_of(jobs.iter().map(|job| (&job.plan, &job.firmware)));
    let showing = Showing::of(wanted);
    let world = chosen.as_ref().map_or(World::Virtual, Chosen::world);
    let bench = chosen.as_ref().filter(|it| !it.is_virtual()).map(|it| it.bench.clone());
    let memory = Memory::of(remembered, world, bench.as_deref().unwrap_or_default(), folder.path(), &set_aside)?;
    let telling = Telling::begin(Beginning {
        title: title_of(&jobs),
        world,
        bench,
        run: live::number_of(folder.path()),
        total: Some(jobs.len() as u64),
    });
    let teller = &telling.teller();
    let began = Instant::now();
    let (sender, receiver) = mpsc::channel();
    let (finished, outcome, remembered) = thread::scope(|scope| {
        let (jobs, secrets, chosen) = (&jobs, &secrets, &chosen);
        let work = scope.spawn(move || match chosen {
            Some(chosen) if !chosen.is_virtual() => {
                stations::run_all(chosen, jobs, *attempts, secrets, &sender, teller)
            }
            _ => Ok(run_all(jobs, chosen.as_ref(), at_once, secrets, &sender)),
        });
        let (receiver, keeping) = memory.between(scope, receiver, &set_aside);
        (print_all(jobs.len(), receiver, showing, teller), work.join(), keeping.join())
    });
    let (finished, trials): (Vec<Finished>, Vec<TrialResult>) = finished.into_iter().unzip();
    set_aside.tell_idle(&trials);
    let results = Results::new(world, trials).beside(not_asked).begun(set_aside.started());
    let mut came_to = match outcome.unwrap_or_else(|panic| std::panic::resume_unwind(panic)) {
        // Nothing was driven: there is nothing to tell but that.
        Err(problem) if finished.is_empty() => return Err(problem),
        Err(problem) => Exit::of(&results).min(output::problem(&problem)),
        Ok(Interrupted::Yes) => Exit::Interrupted,
        Ok(Interrupted::No) => Exit::of(&results),
    };
    report(&results, began.elapsed(), showing);
    let annotated = results.last_attempts().filter(|it| it.verdict != "passed");
    annotated.filter_map(|it| runner::of_trial(it, world)).for_each(|command| output::annotation(&command));
    let kept = folder.write(&results, &finished).map(|()| folder.path());
    let kept = kept.map_err(|error| came_to = came_to.min(output::problem(&error.into()))).ok();
    if let (Some(kept), Format::Human) = (kept, wanted.format) {
        output::line(&format!("evidence: {}", kept.display()));
    }
    if let Err(error) = remembered.unwrap_or_else(|panic| std::panic::resume_unwind(panic)) {
        came_to = came_to.min(output::problem(&Problem::NotRemembered(error)));
    }
    if wanted.format == Format::Json {
        output::json(&summary(&results, kept));
    }
    Ok(came_to)
}

/// What these are trials of, in a few words.
fn title_of(jobs: &[Arc<Job>]) -> String {
    let asked: BTreeSet<&str> = jobs.iter().map(|job| job.asked_for()).collect();
    asked.into_iter().collect::<Vec<_>>().join(", ")
}

/// The private keys that may turn up where boards begin with these images: the rig's own, and those of a board that was read out.
pub(crate) fn secrets_of<'j>(boards: impl Iterator<Item = (&'j Arc<Plan>, &'j Firmware)>) -> Secrets {
    let found = boards.flat_map(|(plan, firmware)| private_keys_of(&plan.board, firmware));
    let keys: Vec<_> = private_keys().into_iter().chain(found).collect();
    Secrets::new(&keys)
}

/// The jobs that virtual boards can do, and what the others want. Somebody who names a file none of whose trials can be done, or a folder
/// without any that can, has not got what they asked for: that is refused.
fn those_for_virtual_boards(jobs: Vec<Job>) -> Result<(Vec<Job>, Vec<NotAsked>), Problem> {
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

/// Runs the jobs on virtual boards, each handed over with its position as it ends. After an interruption those that were not begun are left
/// out.
fn run_all(
    jobs: &[Arc<Job>],
    chosen: Option<&Chosen>,
    at_once: usize,
    secrets: &Secrets,
    ended: &mpsc::Sender<Ended>,
) -> Interrupted {
    let interrupted = signals::interrupted();
    let next = AtomicUsize::new(0);
    thread::scope(|scope| {
        for _ in 0..at_once.min(jobs.len()) {
            let (next, interrupted) = (&next, &*interrupted);
            scope.spawn(move || {
                while !interrupted.load(Ordering::SeqCst) {
                    let position = next.fetch_add(1, Ordering::SeqCst);
                    let Some(job) = jobs.get(position) else { break };
                    let station = chosen.and_then(|chosen| chosen.first_fit_for(&job.plan)).unwrap_or(STATION);
                    let attempts = vec![run_one(job, station, interrupted, secrets)];
                    if ended.send(Ended { position, attempts, begun: Begun::Yes }).is_err() {
                        break;
                    }
                }
            });
        }
    });
    if interrupted.load(Ordering::SeqCst) { Interrupted::Yes } else { Interrupted::No }
}

/// Prints trials as they end, in the order of the jobs, and gathers them in that order.
fn print_all(
    jobs: usize,
    receiver: mpsc::Receiver<Written>,
    showing: Showing,
    live: &Teller,
) -> Vec<(Finished, TrialResult)> {
    let mut progress = Progress::new();
    let mut ended: Vec<Option<Vec<(Finished, TrialResult)>>> = (0..jobs).map(|_| None).collect();
    let (mut done, mut not_passed, mut shown) = (0, 0, 0);
    let print = |(_, result): &(Finished, TrialResult)| print_trial(result, showing);
    loop {
        match receiver.recv_timeout(TOLD_EVERY) {
            Ok(Written { position, attempts }) => {
                let last = attempts.last().map(|(_, result)| result);
                last.into_iter().for_each(|last| live.ended(last));
                done += 1;
                not_passed += usize::from(last.is_none_or(|last| last.verdict != "passed"));
                ended[position] = Some(attempts);
                progress.clear();
                while let Some(Some(ready)) = ended.get(shown) {
                    ready.iter().for_each(print);
                    shown += 1;
                }
            }
            Err(RecvTimeoutError::Timeout) => {}
            Err(RecvTimeoutError::Disconnected) => break,
        }
        if done < jobs {
            let bad = if not_passed > 0 { format!(", {not_passed} not passed") } else { String::new() };
            progress.show(&format!("{done} of {jobs} trials{bad}, {}", progress.elapsed()));
        }
    }
    progress.clear();
    // An interruption leaves gaps; what came after a gap has not been shown yet.
    ended.iter().skip(shown).flatten().flatten().for_each(print);
    ended.into_iter().flatten().flatten().collect()
}

fn run_one(job: &Job, station: &str, interrupted: &AtomicBool, secrets: &Secrets) -> Finished {
    let began = Instant::now();
    let config = WorldConfig { records: Records::Kept, ..WorldConfig::new(job.id.seed()) };
    let mut simulation = Simulation::with_config(Arc::clone(&job.plan), &job.firmware, config);
    let backstage = simulation.run_while(|| !interrupted.load(Ordering::Relaxed));
    Finished {
        id: job.id.clone(),
        trial: simulation.into_trial(),
        attempt: 1,
        firmware: FirmwareRef::new(job.firmware.name(), job.firmware.sha256()),
        station: station.into(),
        board_serial: None,
        wall_ns: u64::try_from(began.elapsed().as_nanos()).unwrap_or(u64::MAX),
        replay: job.replay.clone(),
        secrets: secrets.clone(),
        backstage: told(backstage),
    }
}

/// What a simulated world knows, as evidence tells it.
fn told(Backstage { rail, flash }: Backstage) -> brickproof_report::Backstage {
    let work = |record: FlashRecord| FlashWork {
        began: record.start,
        ended: record.end,
        kind: match record.operation {
            FlashOperation::Program { address, .. } => FlashKind::Program { address },
            FlashOperation::ErasePage { address } => FlashKind::Erase { address },
            FlashOperation::EraseAll | FlashOperation::EraseUicr => FlashKind::EraseAll,
        },
        completed: record.completed,
    };
    brickproof_report::Backstage { rail, flash: flash.into_iter().map(work).collect() }
}

/// What is printed of the trials.
#[derive(Clone, Copy)]
enum Showing {
    /// A line for each.
    Lines,
    /// An object for each.
    Json,
    /// Nothing for each, and tables of all of them.
    Matrices,
}

impl Showing {
    fn of(wanted: &Output) -> Self {
        match (wanted.format, wanted.matrix) {
            (Format::Json, _) => Self::Json,
            (Format::Human, false) => Self::Lines,
            (Format::Human, true) => Self::Matrices,
        }
    }
}

fn print_trial(trial: &TrialResult, showing: Showing) {
    match showing {
        Showing::Lines => output::line(&terminal::trial_line(trial, output::look())),
        Showing::Json => output::json(trial),
        Showing::Matrices => {}
    }
}

/// The last line for a program.
fn summary(results: &Results, kept: Option<&Path>) -> serde_json::Value {
    let mut last = serde_json::json!({ "summary": results.summary, "evidence": kept });
    if !results.not_asked.is_empty() {
        last["not_asked"] = serde_json::json!(results.not_asked);
    }
    last
}

fn report(results: &Results, wall: Duration, showing: Showing) {
    match showing {
        // A program gets its summary last, with the folder that has everything.
        Showing::Json => {}
        Showing::Lines | Showing::Matrices => {
            let colour = output::colour();
            if let (Showing::Matrices, Some(tables)) = (showing, matrices(results)) {
                output::line(tables.trim_end());
            }
            for trial in results.last_attempts().filter(|it| it.verdict != "passed") {
                output::line("");
                output::line(terminal::failure(trial, results.rig.world, colour).trim_end());
            }
            output::line("");
            if let Some(told) = terminal::not_passed(results, colour) {
                output::line(&format!("{told}\n"));
            }
            output::line(&terminal::summary(results, wall, colour));
            if let Some(not_asked) = terminal::not_asked(results, colour) {
                output::line(&not_asked);
            }
        }
    }
}
