//! Trials on the stations of a bench file: which station can run which, all of them at the same time, each left safe.
//!
//! Boundary: from jobs to finished trials. What a station does is `brickproof-bench`'s; what is printed is the caller's.

use std::collections::{BTreeMap, VecDeque};
use std::fs;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError, mpsc};
use std::time::Instant;

use brickproof_bench::desk::{self, AtHand, Purpose, Source};
use brickproof_bench::driver::{self, Stop};
use brickproof_bench::file::{self, Bench, Driver, Station, World};
use brickproof_bench::fitness::unfit;
use brickproof_bench::state::StateFolder;
use brickproof_bench::{Failure, OpenError, OpenStation};
use brickproof_report::results::{self, Finished, FirmwareRef};
use brickproof_report::{Backstage, Secrets};
use brickproof_scenario::plan::Plan;
use brickproof_scenario::suggestion;
use brickproof_trial::{Achieved, Command, CommandError, Observation, Stamp, Trial};
use tokio::sync::watch;

use crate::arguments::{OneStation, Where};
use crate::exit::{Exit, Problem};
use crate::jobs::{Begun, Ended, Job};
use crate::library::library;
use crate::live::{StationTeller, Teller};
use crate::{files, output};

/// Reads a bench file.
pub(crate) fn read(path: &Path) -> Result<Bench, Problem> {
    let bytes = fs::read(path).map_err(|source| Problem::Unreadable { path: path.to_owned(), source })?;
    file::load(&files::label(path), bytes, library()).map_err(|mistakes| Problem::Mistakes(vec![mistakes]))
}

/// The station that was asked for, with the name of its bench; the only one if none was.
pub(crate) fn one(on: &OneStation) -> Result<(String, Station), Problem> {
    let wanted: Vec<String> = on.station.iter().cloned().collect();
    let (bench, mut stations) = several(&on.bench, &wanted)?;
    match (stations.pop(), stations.is_empty()) {
        (Some(station), true) => Ok((bench, station)),
        _ => Err(Problem::Selection {
            what: format!("{} has several stations", on.bench.display()),
            help: "say which with --station; `brickproof bench lint FILE` lists them".to_owned(),
        }),
    }
}

/// The stations that were asked for, with the name of their bench; all of it if none was. None of them is virtual.
pub(crate) fn several(path: &Path, wanted: &[String]) -> Result<(String, Vec<Station>), Problem> {
    let bench = read(path)?;
    know(path, &bench, wanted)?;
    let is_wanted = |station: &Station| wanted.is_empty() || wanted.contains(&station.name);
    let stations: Vec<Station> = bench.stations.into_iter().filter(is_wanted).collect();
    match stations.iter().find(|station| station.world == World::Virtual) {
        Some(station) => Err(Problem::Selection {
            what: format!("station {}/{} is virtual", bench.name, station.name),
            help: "there is no instrument that could be driven; `brickproof run` runs scenarios on it".to_owned(),
        }),
        None => Ok((bench.name, stations)),
    }
}

/// Refuses stations that the bench does not have.
fn know(path: &Path, bench: &Bench, wanted: &[String]) -> Result<(), Problem> {
    let known: Vec<&str> = bench.stations.iter().map(|station| station.name.as_str()).collect();
    match wanted.iter().find(|name| !known.contains(&name.as_str())) {
        None => Ok(()),
        Some(unknown) => Err(Problem::Selection {
            what: format!("{} has no station `{unknown}`", path.display()),
            help: suggestion("stations", unknown, known.into_iter()),
        }),
    }
}

/// Has the tasks of a command run to their end, with the folder in which stations are remembered.
pub(crate) fn block_on<R>(work: impl AsyncFnOnce(StateFolder) -> Result<R, Problem>) -> Result<R, Problem> {
    let state = StateFolder::find().map_err(|error| Problem::Bench(vec![error.to_string()]))?;
    on_threads(work(state))
}

/// Has the tasks of a command that drives no station run to their end.
pub(crate) fn on_threads<R>(work: impl Future<Output = Result<R, Problem>>) -> Result<R, Problem> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .map_err(|error| Problem::Bench(vec![format!("no threads are to be had: {error}")]))?;
    let outcome = runtime.block_on(work);
    // What hangs in a driver must not keep the command from ending.
    runtime.shutdown_background();
    outcome
}

/// What becomes of a station after an act.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Afterwards {
    /// It is made safe.
    Safe,
    /// Its source stays on if the act succeeded.
    Stays,
}

/// One station for one act of somebody at a desk.
pub(crate) struct AtDesk {
    pub(crate) station: Arc<OpenStation>,
    pub(crate) source: Source,
}

impl AtDesk {
    pub(crate) async fn open(
        bench: &str,
        station: &Station,
        state: &StateFolder,
        purpose: Purpose,
    ) -> Result<Self, Problem> {
        let opened = desk::open(bench, station, state, purpose).await;
        let AtHand { station, restored, source } = opened.map_err(|error| Problem::Bench(vec![told(&error)]))?;
        if let Some(restored) = restored {
            output::note(&restored.to_string());
        }
        Ok(Self { station, source })
    }

    /// Has the act done under the journal, and makes the station safe after it.
    pub(crate) async fn work(
        &self,
        doing: &str,
        act: impl Future<Output = Result<Exit, Problem>>,
        afterwards: Afterwards,
    ) -> Result<Exit, Problem> {
        self.station.leave_safe_state(doing).map_err(|error| Problem::Bench(vec![error.to_string()]))?;
        let outcome = act.await;
        if afterwards == Afterwards::Stays && matches!(outcome, Ok(Exit::Passed)) {
            return outcome;
        }
        match (outcome, self.end().await) {
            (outcome, Ok(())) => outcome,
            (Ok(_), Err(problem)) => Err(problem),
            (Err(first), Err(second)) => {
                output::problem(&first);
                Err(second)
            }
        }
    }

    /// Makes the station safe.
    pub(crate) async fn end(&self) -> Result<(), Problem> {
        let name = self.station.name();
        self.station.make_safe().await.map_err(|failures| {
            Problem::Bench(
                failures.iter().map(|failure| format!("{name} is not known to be safe: {failure}")).collect(),
            )
        })
    }
}

/// An instrument that did not do what it was asked, and what to try.
pub(crate) fn failed(failure: &Failure) -> Problem {
    Problem::Bench(vec![brickproof_bench::told(failure)])
}

/// The stations that were asked for, with the name of their bench.
#[derive(Clone)]
pub(crate) struct Chosen {
    pub(crate) bench: String,
    pub(crate) stations: Vec<Station>,
    world: World,
}

impl Chosen {
    /// `None` if no bench was asked for.
    pub(crate) fn of(on: &Where) -> Result<Option<Self>, Problem> {
        let Some(path) = &on.bench else { return Ok(None) };
        let bench = read(path)?;
        know(path, &bench, &on.station)?;
        let wanted = |station: &Station| on.station.is_empty() || on.station.contains(&station.name);
        let stations: Vec<Station> = bench.stations.into_iter().filter(wanted).collect();
        let worlds: Vec<World> = stations.iter().map(|station| station.world).collect();
        match worlds.as_slice() {
            [world, others @ ..] if others.iter().all(|other| other == world) => {
                Ok(Some(Self { bench: bench.name, stations, world: *world }))
            }
            _ => Err(Problem::Selection {
                what: format!("{} has virtual stations and others, and one run has one world", path.display()),
                help: "say which stations with --station".to_owned(),
            }),
        }
    }

    /// Whether there is nothing to be opened.
    pub(crate) fn is_virtual(&self) -> bool {
        self.stations.iter().all(|station| station.instruments.values().any(|it| matches!(it, Driver::Virtual)))
    }

    /// As results call it.
    pub(crate) fn world(&self) -> results::World {
        match self.world {
            World::Virtual => results::World::Virtual,
            World::Lane => results::World::Lane,
            World::Hardware => results::World::Hardware,
        }
    }

    /// What the board at a station is called: with its id, where the bench file says it, so that another one there is another one.
    pub(crate) fn board_of(&self, station: usize) -> String {
        let Station { name, serial, .. } = &self.stations[station];
        serial.as_ref().map_or_else(|| name.clone(), |serial| format!("{name} ({serial})"))
    }

    /// The same bench with this station alone.
    pub(crate) fn alone(&self, station: usize) -> Self {
        Self { bench: self.bench.clone(), stations: vec![self.stations[station].clone()], world: self.world }
    }

    /// The stations that can run it.
    pub(crate) fn fit_for(&self, plan: &Plan) -> Vec<usize> {
        (0..self.stations.len()).filter(|index| unfit(plan, &self.stations[*index]).is_empty()).collect()
    }

    /// The name of the first station that can run it.
    pub(crate) fn first_fit_for(&self, plan: &Plan) -> Option<&str> {
        self.fit_for(plan).first().and_then(|index| self.stations.get(*index)).map(|station| station.name.as_str())
    }

    /// Refuses trials that no station can run, before anything is opened.
    pub(crate) fn check(&self, jobs: &[Job]) -> Result<(), Problem> {
        let mut refused: BTreeMap<String, Vec<String>> = BTreeMap::new();
        for job in jobs.iter().filter(|job| self.fit_for(&job.plan).is_empty()) {
            let told = refused.entry(job.plan.scenario.path.clone()).or_default();
            for refusal in self.refusals(&job.plan) {
                // The cells of a scenario mostly lack the same.
                if !told.contains(&refusal) {
                    told.push(refusal);
                }
            }
        }
        if refused.is_empty() { Ok(()) } else { Err(Problem::Unfit(refused)) }
    }

    /// What keeps each station from running `plan`; stations with another board are not worth a word if one has the right one.
    fn refusals(&self, plan: &Plan) -> Vec<String> {
        let same_board = |station: &&Station| station.board.name == plan.board.name;
        let mut candidates: Vec<&Station> = self.stations.iter().filter(same_board).collect();
        if candidates.is_empty() {
            candidates = self.stations.iter().collect();
        }
        let told = |station: &Station| {
            let name = format!("{}/{}", self.bench, station.name);
            unfit(plan, station).into_iter().map(move |unfit| format!("{name}: {unfit}"))
        };
        candidates.into_iter().flat_map(told).collect()
    }
}

/// Trials to be done, and which stations are fit for each.
struct Queue {
    waiting: Mutex<VecDeque<(usize, Vec<usize>)>>,
}

impl Queue {
    fn next_for(&self, station: usize) -> Option<usize> {
        let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        let place = waiting.iter().position(|(_, fit)| fit.contains(&station))?;
        waiting.remove(place).map(|(job, _)| job)
    }
}

/// Runs the jobs, which have been checked, and hands each over with its position as it ends.
pub(crate) fn run_all(
    chosen: &Chosen,
    jobs: &[Arc<Job>],
    attempts: u32,
    secrets: &Secrets,
    ended: &mpsc::Sender<Ended>,
    live: &Teller,
) -> Result<Interrupted, Problem> {
    let waiting = jobs.iter().enumerate().map(|(index, job)| (index, chosen.fit_for(&job.plan))).collect();
    let queue = Arc::new(Queue { waiting: Mutex::new(waiting) });
    block_on(async |state| {
        let stop = watch_signals();
        let opened = open(chosen, jobs, &state).await?;
        let mut problems = Vec::new();
        let tasks: Vec<_> = opened
            .into_iter()
            .map(|(index, station)| {
                let work = Work {
                    index,
                    station: Arc::clone(&station),
                    jobs: jobs.to_vec(),
                    queue: Arc::clone(&queue),
                    attempts,
                    secrets: secrets.clone(),
                    ended: ended.clone(),
                    live: live.clone(),
                    stop: stop.clone(),
                };
                (station, tokio::spawn(work.all()))
            })
            .collect();
        for (station, task) in tasks {
            match task.await {
                Ok(told) => problems.extend(told),
                Err(error) => {
                    // A defect of the rig itself: the station is made safe all the same.
                    let safe = station.make_safe().await;
                    let state = if safe.is_ok() { "was made safe" } else { "could not be made safe" };
                    problems.push(format!("{}: the rig failed ({error}); the station {state}", station.name()));
                }
            }
        }
        let interrupted = if *stop.borrow() == Stop::No { Interrupted::No } else { Interrupted::Yes };
        if interrupted == Interrupted::No {
            leave_over(chosen, &queue, jobs, secrets, ended);
        }
        if problems.is_empty() { Ok(interrupted) } else { Err(Problem::Bench(problems)) }
    })
}

/// Has something done to one station, which is opened for it and safe afterwards. It is brought to its end also if somebody interrupts it,
/// which is told: whoever writes to a board does not leave it half written.
pub(crate) fn on_one<R>(
    chosen: &Chosen,
    station: usize,
    act: impl AsyncFnOnce(&Arc<OpenStation>) -> R,
) -> Result<(R, Interrupted), Problem> {
    block_on(async |state| {
        let stop = watch_signals();
        let opened = OpenStation::open(&chosen.bench, &chosen.stations[station], &state).await;
        let (opened, restored) = opened.map_err(|error| Problem::Bench(vec![told(&error)]))?;
        if let Some(restored) = restored {
            output::note(&restored.to_string());
        }
        let done = act(&opened).await;
        let interrupted = if *stop.borrow() == Stop::No { Interrupted::No } else { Interrupted::Yes };
        Ok((done, interrupted))
    })
}

/// Whether somebody ended the run early.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Interrupted {
    No,
    Yes,
}

/// Opens every station that has anything to do. If one cannot be opened, none is driven.
async fn open(
    chosen: &Chosen,
    jobs: &[Arc<Job>],
    state: &StateFolder,
) -> Result<Vec<(usize, Arc<OpenStation>)>, Problem> {
    let (mut opened, mut problems) = (Vec::new(), Vec::new());
    for (index, station) in chosen.stations.iter().enumerate() {
        if !jobs.iter().any(|job| chosen.fit_for(&job.plan).contains(&index)) {
            continue;
        }
        match OpenStation::open(&chosen.bench, station, state).await {
            Ok((station, restored)) => {
                if let Some(restored) = restored {
                    output::note(&restored.to_string());
                }
                opened.push((index, station));
            }
            Err(error) => problems.push(told(&error)),
        }
    }
    if problems.is_empty() { Ok(opened) } else { Err(Problem::Bench(problems)) }
}

pub(crate) fn told(error: &OpenError) -> String {
    error.to_string()
}

/// The first signal ends the trials, the second makes no step of their cleanup wait. The safe state is never cut short. None is lost that
/// comes after this returned.
pub(crate) fn watch_signals() -> watch::Receiver<Stop> {
    use tokio::signal::unix::{SignalKind, signal};
    let (sender, receiver) = watch::channel(Stop::No);
    let kinds = [SignalKind::interrupt(), SignalKind::terminate(), SignalKind::hangup()];
    let [Ok(mut interrupt), Ok(mut terminate), Ok(mut hangup)] = kinds.map(signal) else { return receiver };
    tokio::spawn(async move {
        loop {
            tokio::select! {
                _ = interrupt.recv() => {}
                _ = terminate.recv() => {}
                _ = hangup.recv() => {}
            }
            sender.send_modify(|stop| *stop = if *stop == Stop::No { Stop::Soon } else { Stop::Now });
        }
    });
    receiver
}

/// What one station does.
struct Work {
    index: usize,
    station: Arc<OpenStation>,
    jobs: Vec<Arc<Job>>,
    queue: Arc<Queue>,
    attempts: u32,
    secrets: Secrets,
    ended: mpsc::Sender<Ended>,
    live: Teller,
    stop: watch::Receiver<Stop>,
}

impl Work {
    /// Takes trials until there are none, the station is retired or somebody wants it to stop; tells what kept it from going on.
    async fn all(self) -> Option<String> {
        let live = self.live.station(self.station.file());
        while *self.stop.borrow() == Stop::No {
            let position = self.queue.next_for(self.index)?;
            let job = self.jobs.get(position)?;
            let mut attempts = Vec::new();
            let trouble = self.begin_until_judged(job, &mut attempts, &live).await;
            if !attempts.is_empty() && self.ended.send(Ended { position, attempts, begun: Begun::Yes }).is_err() {
                return None;
            }
            if trouble.is_some() {
                return trouble;
            }
        }
        None
    }

    /// Tells what keeps the station from going on.
    async fn begin_until_judged(
        &self,
        job: &Job,
        attempts: &mut Vec<Finished>,
        live: &StationTeller,
    ) -> Option<String> {
        let with = driver::Job {
            plan: Arc::clone(&job.plan),
            firmware: job.firmware.clone(),
            seed: job.id.seed(),
            name: job.id.to_string(),
        };
        for attempt in 1..=self.attempts {
            let began = Instant::now();
            let mut onlooker = live.watch(job, attempt, &self.secrets);
            let outcome = match driver::run(&self.station, &with, self.stop.clone(), &mut onlooker).await {
                Ok(outcome) => outcome,
                Err(error) => return Some(format!("station {}: {error}", self.station.name())),
            };
            let wall_ns = u64::try_from(began.elapsed().as_nanos()).unwrap_or(u64::MAX);
            let was_discarded = outcome.trial.was_discarded();
            let mut finished = job.finished(outcome.trial, attempt, self.station.file(), wall_ns, &self.secrets);
            if let Some(found) = outcome.found_sha256 {
                finished.firmware = FirmwareRef::new(job.firmware.name(), &*found);
            }
            attempts.push(finished);
            if let Some(reason) = outcome.retired {
                return Some(format!("station {} is retired: {reason}", self.station.name()));
            }
            if !was_discarded || *self.stop.borrow() != Stop::No {
                break;
            }
        }
        None
    }
}

impl Job {
    fn finished(&self, trial: Trial, attempt: u32, station: &Station, wall_ns: u64, secrets: &Secrets) -> Finished {
        Finished {
            id: self.id.clone(),
            trial,
            attempt,
            firmware: FirmwareRef::new(self.firmware.name(), self.firmware.sha256()),
            station: station.name.as_str().into(),
            board_serial: station.serial.as_ref().map(|serial| serial.to_string().into()),
            wall_ns,
            replay: self.replay.clone(),
            secrets: secrets.clone(),
            backstage: Backstage::default(),
        }
    }
}

/// Trials for which no station is left are told as such: nothing is skipped in silence.
fn leave_over(chosen: &Chosen, queue: &Queue, jobs: &[Arc<Job>], secrets: &Secrets, ended: &mpsc::Sender<Ended>) {
    let waiting = std::mem::take(&mut *queue.waiting.lock().unwrap_or_else(PoisonError::into_inner));
    for (position, fit) in waiting {
        let (Some(job), Some(station)) = (jobs.get(position), fit.first().and_then(|it| chosen.stations.get(*it)))
        else {
            continue;
        };
        let mut trial = Trial::new(Arc::clone(&job.plan), []);
        let nobody = CommandError::Failed {
            instrument: format!("bench {}", chosen.bench).into(),
            asked: "run the trial".into(),
            happened: "every station that could run it is retired".into(),
        };
        let at = Stamp::exact(trial.now());
        trial.observe(at, Observation::InstrumentFailed(nobody));
        while let Some(action) = trial.poll_action() {
            // Nothing was driven, so nothing has to be made safe.
            if action.command == Command::MakeSafe {
                trial.observe(at, Observation::Answered { id: action.id, result: Ok(Achieved::Done) });
            }
        }
        let attempts = vec![job.finished(trial, 1, station, 0, secrets)];
        if ended.send(Ended { position, attempts, begun: Begun::No }).is_err() {
            return;
        }
    }
}
