//! The evidence folder: results, their page, JUnit, and for each trial its timeline and raw console.
//!
//! Boundary: with live news the only part of this crate that touches the file system. A file is complete or absent, since it is written
//! beside its place and then renamed; a folder without `results.json`, which is written last, is still in the making.

use std::ffi::OsStr;
use std::fs;
use std::io;
use std::num::NonZero;
use std::path::{Component, Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;

use brickproof_trial::Trial;
use serde::Deserialize;

use crate::backstage::Backstage;
use crate::junit;
use crate::page;
use crate::results::{Finished, Results, SCHEMA, TrialResult};
use crate::secrets::Secrets;
use crate::timeline;
use crate::waves;

/// Where evidence goes when nobody says where.
pub const DEFAULT_FOLDER: &str = ".brickproof/runs";
/// How many runs are kept there.
pub const RUNS_KEPT: usize = 20;

/// Waveforms and traces are as large again as all other evidence. Of a run with more trials than these, those that passed have none: they are
/// made when somebody asks for them.
const FEW: usize = 50;

const RESULTS: &str = "results.json";
const TRIALS: &str = "trials";
const TIMELINE: &str = "timeline.jsonl";
/// The page for people.
pub const PAGE: &str = "report.html";
/// The longest name of a trial's folder, in bytes; the usual file systems take 255.
const LONGEST_NAME: usize = 200;

/// Evidence could not be kept.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum EvidenceError {
    /// A file or folder could not be written.
    #[error("evidence could not be written to {path}")]
    Write {
        /// Which one.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// A file could not be read.
    #[error("evidence could not be read from {path}")]
    Read {
        /// Which one.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// A file of somebody else stands where evidence would go.
    #[error("{path} was not written by Brickproof and would be lost: give the evidence a folder of its own")]
    Foreign {
        /// Which one.
        path: PathBuf,
    },
    /// The results could not be put into a format.
    #[error("evidence could not be put into words")]
    Format(#[source] Box<dyn std::error::Error + Send + Sync>),
}

/// The place for the evidence of one run. It is looked at before the run, so that a run whose evidence cannot be kept need not begin.
#[derive(Debug)]
pub struct Folder {
    path: PathBuf,
}

/// What is read of the results of an earlier run.
#[derive(Deserialize)]
struct Earlier {
    schema: String,
    trials: Vec<EarlierTrial>,
}

#[derive(Deserialize)]
struct EarlierTrial {
    id: String,
    #[serde(default = "first")]
    attempt: u32,
}

fn first() -> u32 {
    1
}

impl Folder {
    /// The folder at `path`, which is made. What an earlier run left there is replaced when evidence is written.
    ///
    /// # Errors
    /// It cannot be written, or evidence would overwrite files of another tool.
    pub fn at(path: &Path) -> Result<Self, EvidenceError> {
        make_folder(path)?;
        let folder = Self { path: path.to_owned() };
        let junit = path.join("junit.xml");
        if folder.earlier()?.is_none() && junit.exists() && !is_ours(&junit) {
            return Err(EvidenceError::Foreign { path: junit });
        }
        let probe = path.join("brickproof.part");
        let written = fs::write(&probe, b"").and_then(|()| fs::remove_file(&probe));
        written.map_err(|source| EvidenceError::Write { path: path.to_owned(), source })?;
        Ok(folder)
    }

    /// A new folder under `root`; the oldest ones there are removed. Runs are numbered: `000001`, ...
    ///
    /// # Errors
    /// It cannot be made, or an old one cannot be removed.
    pub fn numbered(root: &Path) -> Result<Self, EvidenceError> {
        make_folder(root)?;
        let runs = runs(root);
        let mut number = runs.last().map_or(1, |(number, _)| number + 1);
        let path = loop {
            let path = root.join(format!("{number:06}"));
            match fs::create_dir(&path) {
                Ok(()) => break path,
                // Another run of the same moment took the number.
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => number += 1,
                Err(source) => return Err(EvidenceError::Write { path, source }),
            }
        };
        let surplus = (runs.len() + 1).saturating_sub(RUNS_KEPT);
        for (_, old) in runs.into_iter().take(surplus) {
            match fs::remove_dir_all(&old) {
                // Another run of the same moment has removed it.
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                removed => removed.map_err(|source| EvidenceError::Write { path: old, source })?,
            }
        }
        Ok(Self { path })
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Writes one run; the trials of an earlier one are removed.
    ///
    /// # Errors
    /// A file or folder cannot be written.
    pub fn write(&self, results: &Results, finished: &[Finished]) -> Result<(), EvidenceError> {
        self.forget_earlier_run()?;
        let json = serde_json::to_string_pretty(results).map_err(|error| EvidenceError::Format(error.into()))?;
        let xml = junit::to_xml(results).map_err(|error| EvidenceError::Format(error.into()))?;
        write_file(&self.path.join("junit.xml"), xml.as_bytes())?;
        let trials: Vec<(&Finished, &TrialResult)> = finished.iter().zip(&results.trials).collect();
        shared_out(&trials, |(finished, told)| self.write_trial(finished, told, trials.len()))?;
        self.write_page(results)?;
        // Last, so that a folder with results is a folder with everything.
        write_file(&self.path.join(RESULTS), format!("{json}\n").as_bytes())
    }

    /// Writes what is kept of one trial of so many.
    fn write_trial(&self, finished: &Finished, told: &TrialResult, trials: usize) -> Result<(), EvidenceError> {
        let Finished { id, trial, attempt, secrets, backstage, .. } = finished;
        let place = self.path.join(TRIALS).join(trial_folder(&id.to_string(), *attempt));
        let mut files = files_of(trial, backstage, secrets);
        if trials <= FEW || told.verdict != "passed" {
            let waves = files.first().map(|(_, timeline)| waves_of(timeline, told)).transpose()?;
            files.extend(waves.unwrap_or_default());
        }
        write_files(&place, &files)
    }

    /// What is kept at `path` of a run.
    ///
    /// # Errors
    /// There is none, or its results cannot be read.
    pub fn kept(path: &Path) -> io::Result<(Self, Results)> {
        let text = fs::read(path.join(RESULTS))?;
        let results: Results = serde_json::from_slice(&text)?;
        if results.schema != SCHEMA {
            return Err(io::Error::new(io::ErrorKind::InvalidData, format!("its schema is not {SCHEMA}")));
        }
        Ok((Self { path: path.to_owned() }, results))
    }

    /// Writes the page of results whose trials are kept here already, and says where.
    ///
    /// # Errors
    /// It cannot be written.
    pub fn write_page(&self, results: &Results) -> Result<PathBuf, EvidenceError> {
        let path = self.path.join(PAGE);
        write_file(&path, page::html(results, |trial| self.timeline_of(trial)).as_bytes())?;
        Ok(path)
    }

    /// Writes the page of one trial into its folder, and says where; `None` if there is no such trial.
    ///
    /// # Errors
    /// It cannot be written.
    pub fn write_page_of(&self, results: &Results, id: &str) -> Result<Option<PathBuf>, EvidenceError> {
        let Some(page) = page::html_of_one(results, id, |trial| self.timeline_of(trial)) else { return Ok(None) };
        let place = self.path.join(TRIALS).join(trial_folder(id, 1));
        make_folder(&place)?;
        write_file(&place.join(PAGE), page.as_bytes())?;
        Ok(Some(place.join(PAGE)))
    }

    /// The lines of a trial's timeline, where they are kept.
    pub fn timeline_of(&self, trial: &TrialResult) -> Option<String> {
        let place = self.path.join(TRIALS).join(trial_folder(&trial.id, trial.attempt));
        fs::read_to_string(place.join(TIMELINE)).ok()
    }

    /// The trials of the earlier run whose results stand here.
    fn earlier(&self) -> Result<Option<Vec<EarlierTrial>>, EvidenceError> {
        let path = self.path.join(RESULTS);
        let text = match fs::read(&path) {
            Ok(text) => text,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(source) => return Err(EvidenceError::Write { path, source }),
        };
        match serde_json::from_slice::<Earlier>(&text) {
            Ok(earlier) if earlier.schema == SCHEMA => Ok(Some(earlier.trials)),
            _ => Err(EvidenceError::Foreign { path }),
        }
    }

    fn forget_earlier_run(&self) -> Result<(), EvidenceError> {
        let Some(trials) = self.earlier()? else { return Ok(()) };
        let results = self.path.join(RESULTS);
        fs::remove_file(&results).map_err(|source| EvidenceError::Write { path: results, source })?;
        let folder = self.path.join(TRIALS);
        // A name that leads elsewhere was not written by us.
        let ours = |name: &String| Path::new(name).components().eq([Component::Normal(OsStr::new(name))]);
        for name in trials.iter().map(|trial| trial_folder(&trial.id, trial.attempt)).filter(ours) {
            let path = folder.join(name);
            match fs::remove_dir_all(&path) {
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                removed => removed.map_err(|source| EvidenceError::Write { path, source })?,
            }
        }
        Ok(())
    }
}

/// Does something with each of them, as many at a time as there are processors. After a failure no more are begun.
fn shared_out<T: Sync>(all: &[T], act: impl Fn(&T) -> Result<(), EvidenceError> + Sync) -> Result<(), EvidenceError> {
    let (next, failed) = (AtomicUsize::new(0), AtomicBool::new(false));
    let work = || {
        while let Some(one) = all.get(next.fetch_add(1, Ordering::Relaxed)).filter(|_| !failed.load(Ordering::Relaxed))
        {
            act(one).inspect_err(|_| failed.store(true, Ordering::Relaxed))?;
        }
        Ok(())
    };
    let threads = thread::available_parallelism().map_or(1, NonZero::get).min(all.len());
    thread::scope(|scope| {
        let threads: Vec<_> = (0..threads).map(|_| scope.spawn(work)).collect();
        let ended = threads.into_iter().map(|it| it.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic)));
        ended.fold(Ok(()), Result::and)
    })
}

/// Whether a JUnit file is one that an interrupted run left without its results.
fn is_ours(junit: &Path) -> bool {
    fs::read_to_string(junit).is_ok_and(|text| text.contains("<testsuites name=\"brickproof "))
}

/// What is kept of one trial: files, each with its name. Private keys are masked.
pub fn files_of(trial: &Trial, backstage: &Backstage, secrets: &Secrets) -> Vec<(&'static str, Vec<u8>)> {
    let record = trial.timeline();
    let console = record.raw_console();
    let secrets = &secrets.and_those_in(&console);
    vec![
        (TIMELINE, timeline::to_json_lines(record, &trial.calibrations(), backstage, secrets).into_bytes()),
        ("console.raw", secrets.masked(&console).into_owned()),
    ]
}

fn waves_of(timeline: &[u8], trial: &TrialResult) -> Result<Vec<(&'static str, Vec<u8>)>, EvidenceError> {
    let timeline = String::from_utf8_lossy(timeline);
    waves::files(&timeline, trial).map_err(|error| EvidenceError::Format(error.into()))
}

/// Makes waveforms and a trace of each trial whose evidence is kept in `folder`, or of those with the ids of `wanted`, beside its timeline; the
/// folders that have them now.
///
/// # Errors
/// There is no evidence of that kind, or it cannot be written.
pub fn make_waves(folder: &Path, wanted: &[String]) -> Result<Vec<PathBuf>, EvidenceError> {
    let read = |path: PathBuf| fs::read(&path).map_err(|source| EvidenceError::Read { path, source });
    let path = folder.join(RESULTS);
    let results: Results = serde_json::from_slice(&read(path.clone())?).map_err(|_| EvidenceError::Foreign { path })?;
    let mut made = Vec::new();
    for trial in results.trials.iter().filter(|it| wanted.is_empty() || wanted.contains(&it.id)) {
        let name = trial_folder(&trial.id, trial.attempt);
        // A name that leads elsewhere was not written by us.
        if !Path::new(&name).components().eq([Component::Normal(OsStr::new(&name))]) {
            return Err(EvidenceError::Foreign { path: folder.join(TRIALS).join(name) });
        }
        let place = folder.join(TRIALS).join(name);
        let timeline = read(place.join("timeline.jsonl"))?;
        write_files(&place, &waves_of(&timeline, trial)?)?;
        made.push(place);
    }
    Ok(made)
}

/// Writes files into a folder, which is made.
///
/// # Errors
/// It cannot be made, or one of them cannot be written.
pub fn write_files(place: &Path, files: &[(&'static str, Vec<u8>)]) -> Result<(), EvidenceError> {
    make_folder(place)?;
    files.iter().try_for_each(|(name, bytes)| write_file(&place.join(name), bytes))
}

/// The name of a trial's folder below `trials`: its id, with the middle left out where file systems would refuse it. Seed and digest stay, so
/// that no two share one. An attempt after the first says which it is.
pub fn trial_folder(id: &str, attempt: u32) -> String {
    let folder = first_folder(id);
    if attempt > 1 { format!("{folder}.attempt-{attempt}") } else { folder }
}

fn first_folder(id: &str) -> String {
    let Some((_, end)) = id.rsplit_once('.').filter(|_| id.len() > LONGEST_NAME) else { return id.to_owned() };
    let room = LONGEST_NAME.saturating_sub(end.len() + 1);
    // Ids are ASCII; a foreign one may be anything.
    let cut = (0..=room).rev().find(|at| id.is_char_boundary(*at)).unwrap_or(0);
    format!("{}.{end}", &id[..cut])
}

/// The results of the runs under `root`, newest first. What cannot be read is passed over: it may be in the making.
pub fn read_runs(root: &Path) -> impl Iterator<Item = (PathBuf, Results)> {
    runs(root).into_iter().rev().filter_map(|(_, folder)| {
        let text = fs::read_to_string(folder.join("results.json")).ok()?;
        Some((folder, serde_json::from_str(&text).ok()?))
    })
}

/// The numbered folders under `root`, oldest first.
fn runs(root: &Path) -> Vec<(u64, PathBuf)> {
    let entries = fs::read_dir(root).into_iter().flatten().flatten();
    let numbered = |entry: fs::DirEntry| Some((entry.file_name().to_str()?.parse().ok()?, entry.path()));
    let mut runs: Vec<(u64, PathBuf)> = entries.filter_map(numbered).filter(|(_, path)| path.is_dir()).collect();
    runs.sort();
    runs
}

fn make_folder(path: &Path) -> Result<(), EvidenceError> {
    fs::create_dir_all(path).map_err(|source| EvidenceError::Write { path: path.to_owned(), source })
}

fn write_file(path: &Path, bytes: &[u8]) -> Result<(), EvidenceError> {
    let beside = path.with_extension("part");
    let written = fs::write(&beside, bytes).and_then(|()| fs::rename(&beside, path));
    written.map_err(|source| EvidenceError::Write { path: path.to_owned(), source })
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::{EvidenceError, Folder, LONGEST_NAME, RUNS_KEPT, read_runs, trial_folder};
    use crate::results::{Results, World};

    fn nothing() -> Results {
        Results::new(World::Virtual, Vec::new())
    }

    #[test]
    fn the_newest_runs_are_kept_and_found_and_what_is_no_run_is_left_alone() {
        let root = tempfile::tempdir().unwrap();
        fs::write(root.path().join("000000"), "mine").unwrap();
        for _ in 0..RUNS_KEPT + 3 {
            Folder::numbered(root.path()).unwrap().write(&nothing(), &[]).unwrap();
        }
        let names: Vec<String> =
            read_runs(root.path()).map(|(path, _)| path.file_name().unwrap().to_string_lossy().into_owned()).collect();
        assert_eq!(names.len(), RUNS_KEPT);
        assert_eq!((names[0].as_str(), names[RUNS_KEPT - 1].as_str()), ("000023", "000004"));
        assert_eq!(fs::read_to_string(root.path().join("000000")).unwrap(), "mine");
    }

    #[test]
    fn an_earlier_run_makes_room_and_what_is_not_of_it_stays() {
        let folder = tempfile::tempdir().unwrap();
        let put = |name: &str, text: &str| {
            let path = folder.path().join(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        };
        let is_there = |name: &str| folder.path().join(name).exists();
        put("results.json", r#"{"schema":"brickproof/results/1","trials":[{"id":"t.1-00000000"},{"id":"../notes"}]}"#);
        put("junit.xml", "<testsuites/>");
        put("trials/t.1-00000000/console.raw", "");
        put("trials/mine/notes.txt", "");
        put("notes/all.txt", "");
        Folder::at(folder.path()).unwrap().write(&nothing(), &[]).unwrap();
        assert!(!is_there("trials/t.1-00000000"), "a trial of the earlier run");
        assert!(is_there("trials/mine/notes.txt") && is_there("notes/all.txt"), "nobody else's files");
    }

    #[test]
    fn results_of_another_tool_are_not_overwritten() {
        for (name, text) in [
            ("results.json", r#"{"results":[]}"#),
            ("results.json", "no JSON"),
            ("junit.xml", r#"<testsuites name="nextest"/>"#),
        ] {
            let folder = tempfile::tempdir().unwrap();
            let path = folder.path().join(name);
            fs::write(&path, text).unwrap();
            let refused = Folder::at(folder.path()).unwrap_err();
            assert!(matches!(&refused, EvidenceError::Foreign { path: found } if *found == path), "{refused}");
            assert_eq!(fs::read_to_string(&path).unwrap(), text);
        }
    }

    #[test]
    fn a_place_that_cannot_be_written_is_told_at_once() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("file");
        fs::write(&file, "").unwrap();
        assert!(matches!(Folder::at(&file), Err(EvidenceError::Write { .. })));
        assert!(matches!(Folder::numbered(&file), Err(EvidenceError::Write { .. })));
    }

    #[test]
    fn a_long_id_keeps_its_seed_and_digest_in_the_name_of_its_folder() {
        assert_eq!(trial_folder("a.b.1-00000000", 1), "a.b.1-00000000");
        assert_eq!(trial_folder("a.b.1-00000000", 2), "a.b.1-00000000.attempt-2");
        let long = |digest: &str| trial_folder(&format!("a.{}.1-{digest}", "x".repeat(300)), 1);
        assert_eq!(long("00000000").len(), LONGEST_NAME);
        assert!(long("00000000").starts_with("a.xxx") && long("00000000").ends_with("x.1-00000000"));
        assert_ne!(long("00000000"), long("00000001"));
    }
}
