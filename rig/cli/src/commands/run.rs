//! `brickproof run`: the scenarios' trials on the virtual bench or on real stations, several at a time, reported in the order of the files.

mod showing;

use std::collections::BTreeSet;
use std::num::NonZero;
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, mpsc};
use std::thread;
use std::time::Instant;

use brickproof_report::results::{Finished, FirmwareRef, Results, TrialResult, World};
use brickproof_report::{FlashKind, FlashWork, Secrets, evidence};
use brickproof_sim::{Backstage, Simulation, WorldConfig};
use brickproof_virtual_board::board::Records;
use brickproof_virtual_board::flash::{FlashOperation, FlashRecord};

use self::showing::{Showing, print_all, report, summary};
use crate::arguments::{Execution, Format, Run};
use crate::exit::{Exit, Problem};
use crate::jobs::{Begun, Ended, FirmwareFrom, Job, quoted, secrets_of, those_for_virtual_boards};
use crate::live::{self, Beginning, Telling};
use crate::remembering::{Memory, SetAside};
use crate::stations::{self, Chosen, Interrupted};
use crate::{files, output, runner, signals};

/// What the place of a virtual board is called when no bench file gives it a name.
const STATION: &str = "virtual";
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
