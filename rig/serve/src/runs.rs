//! The runs that are kept, and what of them is known without reading them whole each time.
//!
//! Boundary: reads files below `.brickproof`; what they look like is `pages`', what they mean `brickproof-report`'s.

use std::collections::BTreeMap;
use std::fs;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant, SystemTime};

use brickproof_history::{Filter, History, HistoryError, TrendBy};
use brickproof_report::evidence::trial_folder;
use brickproof_report::live::Live;
use brickproof_report::live::folder::{self as live, Pulse};
use brickproof_report::results::{Results, SCHEMA, Summary, World};
use serde::Deserialize;

use crate::clock;
use crate::files;
use crate::pages::history::Told;

pub(crate) const RESULTS: &str = "results.json";
pub(crate) const REPORT: &str = "report.html";

/// So many runs are listed.
const MOST: usize = 200;
/// Results of more bytes are not read: a run of a hundred thousand trials has fewer.
const LONGEST: u64 = 512 << 20;
/// What could not be read is not asked for again within this time: whoever has it locked keeps each that asks waiting.
const FAILURE_HOLDS: Duration = Duration::from_secs(2);
/// So many titles of a run are told.
const TITLES: usize = 3;

/// Everything below `.brickproof`.
#[derive(Debug)]
pub(crate) struct Shelf {
    runs: PathBuf,
    live: PathBuf,
    /// What runs came to, by their number, as long as their results are those that were read.
    known: Mutex<BTreeMap<u64, (Stamp, Arc<Run>)>>,
    history: PathBuf,
    /// What the history said, as long as nothing was written to it since.
    told: Mutex<Option<(Stamps, Instant, Answer)>>,
}

/// Tells whether a file is still the one that was read.
type Stamp = (SystemTime, u64);
/// The same for a database and the log beside it, in which stands what was written last.
type Stamps = [Option<Stamp>; 2];

/// What the history says, or what keeps it from that.
type Answer = Result<Arc<Told>, Arc<HistoryError>>;

/// What a run came to.
#[derive(Clone, Debug)]
pub(crate) struct Run {
    pub(crate) number: u64,
    pub(crate) world: World,
    pub(crate) summary: Summary,
    /// Of its scenarios, the first few.
    pub(crate) titles: Vec<String>,
    /// How many scenarios there were.
    pub(crate) scenarios: usize,
    /// When its results were written.
    pub(crate) ended_unix_ms: u64,
    pub(crate) has_report: bool,
}

/// What is read of results to list them.
#[derive(Deserialize)]
struct Head {
    schema: String,
    rig: HeadRig,
    summary: Summary,
    trials: Vec<HeadTrial>,
}

#[derive(Deserialize)]
struct HeadRig {
    world: World,
}

#[derive(Deserialize)]
struct HeadTrial {
    scenario: HeadScenario,
}

#[derive(Deserialize)]
struct HeadScenario {
    title: String,
}

impl Shelf {
    pub(crate) fn new(folder: &Path) -> Self {
        Self {
            runs: folder.join("runs"),
            live: folder.join("live"),
            known: Mutex::default(),
            history: folder.join("history.sqlite"),
            told: Mutex::default(),
        }
    }

    /// Processes that run trials now, and those that were killed lately.
    pub(crate) fn now(&self) -> Vec<(Pulse, Live)> {
        live::read(&self.live)
    }

    /// The runs that are over, newest first.
    pub(crate) fn runs(&self) -> Vec<Arc<Run>> {
        let numbers = self.numbers();
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        known.retain(|number, _| numbers.contains(number));
        let listed = numbers.iter().take(MOST);
        listed.filter_map(|number| self.run_of(*number, &mut known)).collect()
    }

    /// One of them.
    pub(crate) fn run(&self, number: u64) -> Option<Arc<Run>> {
        self.run_of(number, &mut self.known.lock().unwrap_or_else(PoisonError::into_inner))
    }

    fn run_of(&self, number: u64, known: &mut BTreeMap<u64, (Stamp, Arc<Run>)>) -> Option<Arc<Run>> {
        let folder = self.folder(number);
        let stamp = stamp(&folder.join(RESULTS))?;
        if let Some((_, run)) = known.get(&number).filter(|(known, _)| *known == stamp) {
            return Some(Arc::clone(run));
        }
        let run = Arc::new(self.read(number, stamp)?);
        known.insert(number, (stamp, Arc::clone(&run)));
        Some(run)
    }

    fn read(&self, number: u64, (written, _): Stamp) -> Option<Run> {
        let head: Head = serde_json::from_slice(&self.bytes(number)?).ok().filter(|it: &Head| it.schema == SCHEMA)?;
        let mut titles: Vec<String> = Vec::new();
        let mut scenarios = 0;
        let mut before = None;
        // Cells of one scenario stand together.
        for trial in &head.trials {
            let title = &trial.scenario.title;
            if before.replace(title) != Some(title) {
                scenarios += 1;
                if titles.len() < TITLES && !titles.contains(title) {
                    titles.push(title.clone());
                }
            }
        }
        Some(Run {
            number,
            world: head.rig.world,
            summary: head.summary,
            titles,
            scenarios,
            ended_unix_ms: clock::unix_ms(written),
            has_report: self.folder(number).join(REPORT).is_file(),
        })
    }

    /// All that a run came to.
    pub(crate) fn results(&self, number: u64) -> Option<Results> {
        serde_json::from_slice(&self.bytes(number)?).ok().filter(|it: &Results| it.schema == SCHEMA)
    }

    fn bytes(&self, number: u64) -> Option<Vec<u8>> {
        let mut bytes = Vec::new();
        let file = files::open(&self.folder(number), RESULTS)?.file;
        file.take(LONGEST).read_to_end(&mut bytes).ok()?;
        Some(bytes)
    }

    /// What all trials say together, or why nothing does. It is asked by one at a time; those who waited meanwhile hear of the same failure.
    pub(crate) fn history(&self) -> Answer {
        let mut told = self.told.lock().unwrap_or_else(PoisonError::into_inner);
        let stamps = ["sqlite", "sqlite-wal"].map(|it| stamp(&self.history.with_extension(it)));
        let holds = |(known, since, answer): &(Stamps, Instant, Answer)| {
            *known == stamps && (answer.is_ok() || since.elapsed() < FAILURE_HOLDS)
        };
        if let Some((_, _, answer)) = told.as_ref().filter(|told| holds(told)) {
            return answer.clone();
        }
        let answer = self.ask_history().map(Arc::new).map_err(Arc::new);
        *told = Some((stamps, Instant::now(), answer.clone()));
        answer
    }

    fn ask_history(&self) -> Result<Told, HistoryError> {
        let (history, all) = (History::open_read_only(&self.history)?, Filter::default());
        Ok(Told {
            rates: history.rates(&all)?,
            flakiness: history.flakiness(&all)?,
            trends: history.trends(&all, TrendBy::Night)?,
        })
    }

    /// The newest run that has this trial.
    pub(crate) fn run_with(&self, id: &str) -> Option<u64> {
        let place = format!("trials/{}", trial_folder(id, 1));
        self.numbers().into_iter().find(|number| files::is_folder(&self.folder(*number), &place))
    }

    /// Where a run is kept.
    pub(crate) fn folder(&self, number: u64) -> PathBuf {
        self.runs.join(format!("{number:06}"))
    }

    /// Newest first.
    fn numbers(&self) -> Vec<u64> {
        let entries = fs::read_dir(&self.runs).into_iter().flatten().flatten();
        let numbered = entries.filter_map(|entry| entry.file_name().to_str()?.parse().ok());
        let mut numbers: Vec<u64> = numbered.filter(|number| self.folder(*number).is_dir()).collect();
        numbers.sort_unstable_by_key(|number| std::cmp::Reverse(*number));
        numbers
    }
}

fn stamp(path: &Path) -> Option<Stamp> {
    let metadata = fs::metadata(path).ok().filter(|it| it.len() <= LONGEST)?;
    Some((metadata.modified().ok()?, metadata.len()))
}
