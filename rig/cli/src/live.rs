//! What this process is at, told to whoever looks: by a thread of its own, at most four times a second.
//!
//! Boundary: from trials that run to `brickproof_report::live`. Nothing waits for it and nothing fails with it: news that cannot be written is
//! worth one note.

use std::collections::{BTreeMap, VecDeque};
use std::io;
use std::path::Path;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use brickproof_bench::driver::{Onlooker, View};
use brickproof_bench::file::Station;
use brickproof_boards::LedIndex;
use brickproof_console::{Lines, display};
use brickproof_light::{Rhythm, Sight};
use brickproof_report::Secrets;
use brickproof_report::live::folder::{DEFAULT_FOLDER, HEARTBEAT, Place};
use brickproof_report::live::{self, Ended, Light, Live, Progress, SCHEMA, Stage, Step};
use brickproof_report::results::{TrialResult, World};
use brickproof_scenario::plan::Plan;
use brickproof_trial::Happening;
use brickproof_units::Voltage;

use crate::jobs::Job;
use crate::output;

/// Nothing is written, and nothing looked at, more often.
const EVERY: Duration = Duration::from_millis(250);
/// So many trials that ended are told, and so many that did not pass.
const ENDED: usize = 8;
/// A key may go over many lines, and is known by its beginning: so much of what was said before a line is looked through with it. It holds
/// any key that `Secrets` knows.
const HEARD: usize = 10 * 1024;
/// The verdict of which thousands may come in a second.
const PASSED: &str = "passed";
/// Longer texts are cut.
const LONGEST: usize = 400;

/// What a process is going to be at.
pub(crate) struct Beginning {
    /// What it was asked, for people.
    pub(crate) title: String,
    pub(crate) world: World,
    pub(crate) bench: Option<String>,
    /// The number of its run.
    pub(crate) run: Option<u64>,
    pub(crate) total: Option<u64>,
}

/// The number of the run whose evidence goes to `folder`, if that is one of the numbered ones.
pub(crate) fn number_of(folder: &Path) -> Option<u64> {
    let numbered = folder.parent() == Some(Path::new(brickproof_report::evidence::DEFAULT_FOLDER));
    folder.file_name()?.to_str()?.parse().ok().filter(|_| numbered)
}

/// News goes out as long as this is kept.
pub(crate) struct Telling {
    teller: Teller,
    thread: Option<JoinHandle<()>>,
}

impl Telling {
    pub(crate) fn begin(beginning: Beginning) -> Self {
        let teller = Teller(Arc::new(Shared { board: Mutex::new(Board::new(beginning)), changed: Condvar::new() }));
        let shared = Arc::clone(&teller.0);
        // Without a thread there is no news, and everything else as ever.
        let thread = thread::Builder::new().name("live news".to_owned()).spawn(move || tell(&shared)).ok();
        Self { teller, thread }
    }

    /// A hand to tell with.
    pub(crate) fn teller(&self) -> Teller {
        self.teller.clone()
    }
}

impl Drop for Telling {
    fn drop(&mut self) {
        self.teller.change(|board| board.over = true);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

/// Takes what is to be told, and never waits for its being told.
#[derive(Clone)]
pub(crate) struct Teller(Arc<Shared>);

struct Shared {
    board: Mutex<Board>,
    changed: Condvar,
}

impl Shared {
    fn board(&self) -> MutexGuard<'_, Board> {
        self.board.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What is to be told.
struct Board {
    beginning: Beginning,
    began_unix_ms: u64,
    progress: Progress,
    stations: BTreeMap<String, AtStation>,
    ended: VecDeque<Ended>,
    failures: VecDeque<Ended>,
    /// When a trial that passed was last put among those that ended: thousands of them may end in a second.
    put: Option<Instant>,
    is_news: bool,
    over: bool,
}

#[derive(Clone)]
struct AtStation {
    board: String,
    trial: Option<Running>,
}

/// A trial that is running, as it was seen.
#[derive(Clone)]
struct Running {
    id: String,
    attempt: u32,
    plan: Arc<Plan>,
    secrets: Secrets,
    began_unix_ms: u64,
    glance: Glance,
}

/// A trial at one instant. Nothing of it has been masked.
#[derive(Clone)]
struct Glance {
    stage: Stage,
    /// Counted from 1.
    step: Option<usize>,
    lights: BTreeMap<LedIndex, Sight>,
    /// The last lines of the console, as many as a key may take.
    heard: VecDeque<Arc<[u8]>>,
    rail: Option<Voltage>,
}

impl Board {
    fn new(beginning: Beginning) -> Self {
        let progress = Progress { total: beginning.total, ..Progress::default() };
        Self {
            beginning,
            began_unix_ms: unix_ms(),
            progress,
            stations: BTreeMap::new(),
            ended: VecDeque::new(),
            failures: VecDeque::new(),
            put: None,
            is_news: true,
            over: false,
        }
    }

    fn count(&mut self, verdict: &str) {
        self.progress.done += 1;
        let count = match verdict {
            PASSED => &mut self.progress.passed,
            "failed" => &mut self.progress.failed,
            "error" => &mut self.progress.error,
            _ => &mut self.progress.inconclusive,
        };
        *count += 1;
    }
}

fn unix_ms() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
}

impl Teller {
    fn change(&self, change: impl FnOnce(&mut Board)) {
        let mut board = self.0.board();
        change(&mut board);
        board.is_news = true;
        drop(board);
        self.0.changed.notify_all();
    }

    /// A trial is over. Only the last of its attempts is.
    pub(crate) fn ended(&self, last: &TrialResult) {
        self.change(|board| {
            board.count(&last.verdict);
            if last.verdict != PASSED {
                board.failures.push_front(ended(last));
                board.failures.truncate(ENDED);
            } else if board.put.is_some_and(|put| put.elapsed() < EVERY) {
                return;
            } else {
                board.put = Some(Instant::now());
            }
            board.ended.push_front(ended(last));
            board.ended.truncate(ENDED);
        });
    }

    /// How far a campaign is.
    pub(crate) fn campaign(&self, done: u64, failures: u64, told: String) {
        self.change(|board| {
            let passed = done.saturating_sub(failures);
            board.progress = Progress { done, failed: failures, passed, told, ..board.progress.clone() };
        });
    }

    /// A station is driven from now on.
    pub(crate) fn station(&self, station: &Station) -> StationTeller {
        let at = AtStation { board: station.board.name.clone(), trial: None };
        self.change(|board| drop(board.stations.insert(station.name.clone(), at)));
        StationTeller { teller: self.clone(), name: station.name.clone() }
    }
}

fn ended(trial: &TrialResult) -> Ended {
    Ended {
        id: trial.id.clone(),
        station: trial.station.clone(),
        scenario: cut(trial.scenario.title.clone()),
        verdict: trial.verdict.clone(),
        blame: trial.blame.clone(),
        reason: cut(trial.reason.clone()),
        duration_ns: trial.duration_ns,
    }
}

/// Tells of one station, as long as it is kept.
pub(crate) struct StationTeller {
    teller: Teller,
    name: String,
}

impl StationTeller {
    fn change(&self, change: impl FnOnce(&mut AtStation)) {
        self.teller.change(|board| {
            if let Some(station) = board.stations.get_mut(&self.name) {
                change(station);
            }
        });
    }

    /// Looks on while a trial runs.
    pub(crate) fn watch(&self, job: &Job, attempt: u32, secrets: &Secrets) -> Watching<'_> {
        self.begin(job.id.to_string(), &job.plan, attempt, secrets)
    }

    fn begin(&self, id: String, plan: &Arc<Plan>, attempt: u32, secrets: &Secrets) -> Watching<'_> {
        let glance = Glance {
            stage: Stage::Provisioning,
            step: None,
            lights: BTreeMap::new(),
            heard: VecDeque::new(),
            rail: None,
        };
        let running = Running {
            id,
            attempt,
            plan: Arc::clone(plan),
            secrets: secrets.clone(),
            began_unix_ms: unix_ms(),
            glance: glance.clone(),
        };
        self.change(|station| station.trial = Some(running));
        Watching { station: self, glance, events: 0, looked: None }
    }
}

impl Drop for StationTeller {
    fn drop(&mut self) {
        self.teller.change(|board| drop(board.stations.remove(&self.name)));
    }
}

/// Looks at one trial, now and then.
pub(crate) struct Watching<'s> {
    station: &'s StationTeller,
    glance: Glance,
    /// How many events of its timeline were looked at.
    events: usize,
    looked: Option<Instant>,
}

impl Onlooker for Watching<'_> {
    fn look(&mut self, View { trial, rail }: View<'_>) {
        if self.looked.is_some_and(|looked| looked.elapsed() < EVERY) {
            return;
        }
        self.looked = Some(Instant::now());
        let events = &trial.timeline().events;
        let fresh = events.len() - self.events;
        self.events = events.len();
        let (mut lights, mut lines, mut heard) = (BTreeMap::new(), Vec::new(), 0);
        for event in events.iter().rev().take(fresh) {
            match &event.what {
                Happening::Light { led, sight } => drop(lights.entry(*led).or_insert(*sight)),
                Happening::ConsoleLine { bytes, .. } if heard < HEARD => {
                    heard += bytes.len();
                    lines.push(Arc::clone(bytes));
                }
                _ => {}
            }
        }
        let glance = &mut self.glance;
        glance.lights.extend(lights);
        glance.heard.extend(lines.into_iter().rev());
        while glance.heard.iter().skip(1).map(|line| line.len()).sum::<usize>() >= HEARD {
            glance.heard.pop_front();
        }
        glance.rail = rail;
        glance.step = trial.current_step();
        glance.stage = match glance.step {
            Some(_) => Stage::Steps,
            None if trial.is_decided() => Stage::Ending,
            None => Stage::Provisioning,
        };
        self.station.change(|station| {
            if let Some(running) = &mut station.trial {
                running.glance = self.glance.clone();
            }
        });
    }
}

impl Drop for Watching<'_> {
    fn drop(&mut self) {
        self.station.change(|station| station.trial = None);
    }
}

/// Writes what is new until it is over.
fn tell(shared: &Shared) {
    let mut writer = Writer::default();
    let mut masked = BTreeMap::new();
    loop {
        let board = shared.board();
        let waits = |board: &mut Board| !board.is_news && !board.over;
        let (mut board, _) =
            shared.changed.wait_timeout_while(board, HEARTBEAT, waits).unwrap_or_else(PoisonError::into_inner);
        if board.over {
            return;
        }
        board.is_news = false;
        let stations = board.stations.clone();
        let mut live = without_stations(&board);
        drop(board);
        live.stations = stations.into_iter().map(|(name, at)| station(name, at, &mut masked)).collect();
        writer.write(&live);
        let board = shared.board();
        let until = shared.changed.wait_timeout_while(board, EVERY, |board| !board.over);
        drop(until.unwrap_or_else(PoisonError::into_inner));
    }
}

/// Where news is written.
#[derive(Default)]
struct Writer {
    place: Option<Place>,
    /// Somebody was told that there is none.
    complained: bool,
}

impl Writer {
    fn write(&mut self, live: &Live) {
        if let Err(error) = self.try_to_write(live)
            && !std::mem::replace(&mut self.complained, true)
        {
            output::note(&format!(
                "{DEFAULT_FOLDER} cannot be written ({error}): `brickproof serve` shows this late or not at all; evidence is kept all the same"
            ));
        }
    }

    /// There may be room again, whatever came of it before.
    fn try_to_write(&mut self, live: &Live) -> io::Result<()> {
        let place = match self.place.take() {
            Some(place) => place,
            None => Place::take(Path::new(DEFAULT_FOLDER))?,
        };
        self.place.insert(place).put(live)
    }
}

fn without_stations(board: &Board) -> Live {
    let Beginning { title, world, bench, run, total: _ } = &board.beginning;
    Live {
        schema: SCHEMA.to_owned(),
        version: env!("CARGO_PKG_VERSION").to_owned(),
        pid: std::process::id(),
        title: cut(title.clone()),
        world: *world,
        bench: bench.clone(),
        run: *run,
        began_unix_ms: board.began_unix_ms,
        told_unix_ms: unix_ms(),
        progress: board.progress.clone(),
        stations: Vec::new(),
        ended: board.ended.iter().cloned().collect(),
        failures: board.failures.iter().cloned().collect(),
    }
}

/// The last line of each station's console that was looked through for keys, and what it came to.
type Masked = BTreeMap<String, (Arc<[u8]>, String)>;

fn station(name: String, at: AtStation, masked: &mut Masked) -> live::Station {
    let trial = at.trial.map(|running| {
        let Running { id, attempt, plan, secrets, began_unix_ms, glance } = running;
        let step = glance.step.and_then(|index| plan.steps.get(index - 1).map(|step| (index, step)));
        live::Trial {
            id,
            attempt,
            scenario: cut(plan.scenario.title.clone()),
            began_unix_ms,
            stage: glance.stage,
            step: step.map(|(index, step)| Step {
                index,
                count: plan.steps.len(),
                text: cut(secrets.masked_text(&step.text)),
            }),
            lights: glance.lights.iter().map(|(led, sight)| light(&plan, *led, sight)).collect(),
            console: last_line(&name, &glance.heard, &secrets, masked),
            rail_uv: glance.rail.map(Voltage::get),
        }
    });
    live::Station { name, board: at.board, trial }
}

fn last_line(station: &str, heard: &VecDeque<Arc<[u8]>>, secrets: &Secrets, masked: &mut Masked) -> Option<String> {
    let last = heard.back()?;
    if let Some((_, text)) = masked.get(station).filter(|(line, _)| Arc::ptr_eq(line, last)) {
        return Some(text.clone());
    }
    let (mut lines, mut begin) = (Vec::new(), 0);
    for line in heard {
        begin = lines.len();
        lines.extend(&**line);
        // One that was cut goes on in the next.
        if line.len() < Lines::DEFAULT_LIMIT {
            lines.push(b'\n');
        }
    }
    let secrets = secrets.and_those_in(&lines);
    let text = cut(display(&secrets.masked(&lines)[begin..][..last.len()]));
    masked.insert(station.to_owned(), (Arc::clone(last), text.clone()));
    Some(text)
}

fn light(plan: &Plan, led: LedIndex, sight: &Sight) -> Light {
    let millis = |span: brickproof_units::Span| span.as_nanos() / 1_000_000;
    let rhythm = match sight.rhythm {
        Rhythm::Blink { period, .. } => live::Rhythm::Blink { period_ms: millis(period) },
        Rhythm::Breathe { period } => live::Rhythm::Breathe { period_ms: millis(period) },
        Rhythm::Burst { .. } | Rhythm::Sos { .. } => live::Rhythm::Flashes,
        Rhythm::Unknown | Rhythm::Off | Rhythm::Solid => live::Rhythm::Steady,
    };
    Light {
        name: plan.board.led(led).map(|light| light.name.clone()).unwrap_or_default(),
        words: sight.to_string(),
        colour: sight.colour.to_string(),
        rhythm,
    }
}

fn cut(mut text: String) -> String {
    if let Some((at, _)) = text.char_indices().nth(LONGEST) {
        text.truncate(at);
        text.push('…');
    }
    text
}

#[cfg(test)]
mod tests {
    use brickproof_firmware::Firmware;
    use brickproof_keys::device_key_from_seed;
    use brickproof_scenario::{Library, load};
    use brickproof_sim::Simulation;
    use brickproof_units::{Instant as BoardTime, Span};

    use super::*;

    const SCENARIO: &str = "\
scenario: A board connects
board: lantern-nrf51
firmware: lantern-heal-full
steps:
  - supply: { usb: 5V }
  - expect: { console: Cloud connected, within: 10s }
  - wait: 30s
";

    fn plan() -> Arc<Plan> {
        let mut cells = load("live.yaml", SCENARIO, &Library::built_in()).expect("it has no mistakes").cells;
        Arc::new(cells.remove(0))
    }

    fn telling() -> Teller {
        let beginning =
            Beginning { title: "a".into(), world: World::Lane, bench: Some("pair".into()), run: None, total: Some(1) };
        Teller(Arc::new(Shared { board: Mutex::new(Board::new(beginning)), changed: Condvar::new() }))
    }

    /// What would be written of the only station.
    fn written(teller: &Teller) -> live::Station {
        let (name, at) = teller.0.board().stations.clone().pop_first().expect("it is driven");
        station(name, at, &mut BTreeMap::new())
    }

    #[test]
    fn a_trial_is_told_as_it_goes_with_its_light_and_its_last_line() {
        let (plan, teller) = (plan(), telling());
        let firmware = Firmware::shipped("lantern-heal-full").expect("it ships");
        let at = AtStation { board: "lantern-nrf51".to_owned(), trial: None };
        teller.change(|board| drop(board.stations.insert("left".to_owned(), at)));
        let station = StationTeller { teller: teller.clone(), name: "left".to_owned() };
        let mut watching = station.begin("an-id".to_owned(), &plan, 1, &Secrets::default());
        let before = written(&teller).trial.expect("it has begun");
        assert_eq!((before.stage, before.step, before.console), (Stage::Provisioning, None, None));

        let mut simulation = Simulation::new(plan, &firmware, 1);
        assert!(simulation.run_to(BoardTime::START + Span::secs(14)));
        let rail = Some(Voltage::new(3_300_000));
        watching.look(View { trial: simulation.trial(), rail });
        let during = written(&teller).trial.expect("it goes on");
        let step = during.step.expect("a step is on");
        assert_eq!((during.stage, step.index, step.count, during.rail_uv), (Stage::Steps, 3, 3, Some(3_300_000)));
        let [light] = &during.lights[..] else { panic!("one light is seen: {:?}", during.lights) };
        assert_eq!(light.colour, "cyan");
        assert!(light.words.starts_with("cyan, breathing, 4"), "{}", light.words);
        assert!(matches!(light.rhythm, live::Rhythm::Breathe { period_ms: 3_800..4_200 }), "{:?}", light.rhythm);
        let last = simulation.trial().timeline().events.iter().rev().find_map(|event| match &event.what {
            Happening::ConsoleLine { bytes, .. } => Some(display(bytes)),
            _ => None,
        });
        assert_eq!(during.console, last);

        simulation.run();
        watching.look(View { trial: simulation.trial(), rail });
        assert_eq!(written(&teller).trial.map(|it| it.stage), Some(Stage::Steps), "it is looked at now and then only");
        watching.looked = None;
        watching.look(View { trial: simulation.trial(), rail });
        assert_eq!(written(&teller).trial.map(|it| it.stage), Some(Stage::Ending));
        drop(watching);
        assert_eq!(written(&teller).trial, None);
        drop(station);
        assert!(teller.0.board().stations.is_empty());
    }

    #[test]
    fn the_last_line_is_masked_escaped_and_cut() {
        let key = device_key_from_seed(7);
        let hex: String = key.expose_used().iter().map(|byte| format!("{byte:02x}")).collect();
        let (begin, end) = hex.split_at(40);
        let line = |bytes: &[u8]| Arc::<[u8]>::from(bytes);
        let told = |lines: &[&[u8]]| {
            let heard = lines.iter().map(|it| line(it)).collect();
            last_line("left", &heard, &Secrets::default(), &mut BTreeMap::new()).expect("there is one")
        };
        let masked = told(&[begin.as_bytes(), end.as_bytes()]);
        assert!(masked.starts_with("********") && !masked.contains(&end[..16]), "{masked}");
        // The end of a line that was cut may be the beginning of a key.
        let full = [vec![b'.'; Lines::DEFAULT_LIMIT - 3], key.expose_used()[..3].to_vec()].concat();
        let masked = told(&[&full, &key.expose_used()[3..]]);
        assert!(masked.starts_with(&format!("\\x01\\x01\\x04 {}", "*".repeat(32))), "{masked}");
        assert_eq!(told(&[b"<b>\x1b[31m\xff"]), "<b>\\x1b[31m\\xff");
        assert_eq!(told(&[&[b'a'; 70_000]]).chars().count(), LONGEST + 1);
    }

    #[test]
    fn only_runs_that_are_numbered_have_a_number() {
        let numbers =
            [".brickproof/runs/000012", "out/000012", ".brickproof/runs/mine", ""].map(|it| number_of(Path::new(it)));
        assert_eq!(numbers, [Some(12), None, None, None]);
    }
}
