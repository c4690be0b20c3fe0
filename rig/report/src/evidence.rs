//! The evidence folder: results, JUnit, and for each trial its timeline and raw console.
//!
//! Boundary: the only part of this crate that touches the file system. A file is complete or absent, since it is written beside its place
//! and then renamed; a folder without `results.json`, which is written last, is still in the making.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use crate::junit;
use crate::results::{Finished, Results};
use crate::timeline;

/// Where evidence goes when nobody says where.
pub const DEFAULT_FOLDER: &str = ".brickproof/runs";
/// How many runs are kept there.
pub const RUNS_KEPT: usize = 20;

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
    /// The results could not be put into a format.
    #[error("evidence could not be put into words")]
    Format(#[source] Box<dyn std::error::Error + Send + Sync>),
}

/// Writes one run into `folder`, which is made; the trials of an earlier run in the same place are removed.
pub fn write(folder: &Path, results: &Results, finished: &[Finished]) -> Result<(), EvidenceError> {
    make_folder(folder)?;
    forget_earlier_run(folder)?;
    let json = serde_json::to_string_pretty(results).map_err(|error| EvidenceError::Format(error.into()))?;
    let xml = junit::to_xml(results).map_err(|error| EvidenceError::Format(error.into()))?;
    write_file(&folder.join("junit.xml"), xml.as_bytes())?;
    for trial in finished {
        let place = folder.join("trials").join(trial.id.to_string());
        make_folder(&place)?;
        let record = trial.trial.timeline();
        write_file(&place.join("timeline.jsonl"), timeline::to_json_lines(record).as_bytes())?;
        write_file(&place.join("console.raw"), &record.raw_console())?;
    }
    // Last, so that a folder with results is a folder with everything.
    write_file(&folder.join("results.json"), format!("{json}\n").as_bytes())
}

/// Removes the evidence of an earlier run, if that is what is there: trials beside results. Anything else is left alone.
fn forget_earlier_run(folder: &Path) -> Result<(), EvidenceError> {
    let (results, trials) = (folder.join("results.json"), folder.join("trials"));
    if !results.is_file() || !trials.is_dir() {
        return Ok(());
    }
    fs::remove_file(&results).map_err(|source| EvidenceError::Write { path: results, source })?;
    fs::remove_dir_all(&trials).map_err(|source| EvidenceError::Write { path: trials, source })
}

/// Writes one run into a new folder under `root`, removes the oldest ones, and returns the new folder. Runs are numbered: `000001`, ...
pub fn keep(root: &Path, results: &Results, finished: &[Finished]) -> Result<PathBuf, EvidenceError> {
    make_folder(root)?;
    let runs = runs(root);
    let mut number = runs.last().map_or(1, |(number, _)| number + 1);
    let folder = loop {
        let folder = root.join(format!("{number:06}"));
        match fs::create_dir(&folder) {
            Ok(()) => break folder,
            // Another run of the same moment took the number.
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => number += 1,
            Err(source) => return Err(EvidenceError::Write { path: folder, source }),
        }
    };
    write(&folder, results, finished)?;
    let surplus = (runs.len() + 1).saturating_sub(RUNS_KEPT);
    for (_, old) in runs.into_iter().take(surplus) {
        match fs::remove_dir_all(&old) {
            // Another run of the same moment has removed it.
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            removed => removed.map_err(|source| EvidenceError::Write { path: old, source })?,
        }
    }
    Ok(folder)
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
    let mut runs: Vec<(u64, PathBuf)> = entries.filter_map(numbered).collect();
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
    use super::{RUNS_KEPT, keep, read_runs};
    use crate::results::{Results, World};

    #[test]
    fn the_newest_runs_are_kept_and_found() {
        let root = std::env::temp_dir().join(format!("brickproof-evidence-{}", std::process::id()));
        let results = Results::new(World::Virtual, Vec::new());
        for _ in 0..RUNS_KEPT + 3 {
            keep(&root, &results, &[]).unwrap();
        }
        let names: Vec<String> =
            read_runs(&root).map(|(path, _)| path.file_name().unwrap().to_string_lossy().into_owned()).collect();
        std::fs::remove_dir_all(&root).unwrap();
        assert_eq!(names.len(), RUNS_KEPT);
        assert_eq!((names[0].as_str(), names[RUNS_KEPT - 1].as_str()), ("000023", "000004"));
    }
}
