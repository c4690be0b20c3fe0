//! What comes of a history that cannot be used: what was acknowledged stays, and whoever asks is told what to try.
//!
//! Boundary: files and locks. A full disk and a folder that may not be written are met by the command.

mod support;

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use brickproof_history::{Filter, History, HistoryError, NewTrial, RunId};
use brickproof_report::results::{TrialResult, World};
use rusqlite::Connection;
use support::{PASSES, Told, begin, empty, record};
use tempfile::TempDir;

const FAILS: Told<'static> = Told { came_to: "failed firmware", connect_ms: None, seed: 2, ..PASSES };
/// Nobody of these tests waits longer than that.
const SOON: Duration = Duration::from_millis(50);

/// What is told, without the folder of the test.
fn told(error: &HistoryError, path: &Path) -> String {
    let folder = path.parent().expect("it is in a folder").display().to_string();
    error.to_string().replace(&folder, "[folder]")
}

fn passed(path: &Path) -> u64 {
    let history = History::open_read_only(path).expect("it is there");
    history.rates(&Filter::default()).expect("it can be read").iter().map(|it| it.all.passed).sum()
}

fn new(result: &TrialResult) -> NewTrial<'_> {
    NewTrial { result, started: "2026-11-27T22:00:00Z".parse().expect("an instant"), discarded: false }
}

#[test]
fn somebody_elses_file_is_left_alone() {
    let folder = tempfile::tempdir().expect("there is room");
    let refused = |name: &str| {
        let path = folder.path().join(name);
        let before = fs::read(&path).expect("it is there");
        let (one, other) = (History::open(&path).unwrap_err(), History::open_read_only(&path).unwrap_err());
        assert!(
            matches!(one, HistoryError::Foreign { .. }) && matches!(other, HistoryError::Foreign { .. }),
            "{one} {other}"
        );
        assert_eq!(fs::read(&path).expect("it is there"), before);
    };
    fs::write(
        folder.path().join("notes.txt"),
        "milk, eggs, a board with 64 KiB, and then some more text to be long".repeat(9),
    )
    .expect("there is room");
    refused("notes.txt");
    let other = Connection::open(folder.path().join("other.sqlite")).expect("there is room");
    other.execute_batch("CREATE TABLE trial (id INTEGER); PRAGMA user_version = 1").expect("there is room");
    drop(other);
    refused("other.sqlite");
}

#[test]
fn a_newer_history_is_refused_with_what_to_do() {
    let (history, folder) = empty();
    let path = history.path().to_owned();
    drop(history);
    Connection::open(&path).expect("it is there").pragma_update(None, "user_version", 99).expect("it is ours");
    for error in [History::open(&path).unwrap_err(), History::open_read_only(&path).unwrap_err()] {
        let told = error.to_string().replace(&folder.path().display().to_string(), "");
        assert_eq!(
            told,
            "/below/history.sqlite was written by a newer Brickproof: its history has version 99, and this one reads up to 1; use the newer one, or keep another history with --history FILE"
        );
    }
}

#[test]
fn where_there_is_none_that_is_told() {
    let folder = tempfile::tempdir().expect("there is room");
    let path = folder.path().join("history.sqlite");
    let told = || History::open_read_only(&path).unwrap_err().to_string();
    assert!(told().contains("`brickproof run` makes it"), "{}", told());
    assert!(!path.exists());
    // Whoever began it was stopped at that.
    fs::write(&path, "").expect("there is room");
    assert!(told().contains("`brickproof run` makes it"), "{}", told());
}

/// One with many trials in many pages, that nobody has open.
fn long() -> (PathBuf, RunId, TempDir) {
    let (mut history, folder) = empty();
    let run = begin(&mut history, "2026-11-27", World::Virtual);
    let many: Vec<TrialResult> = (0..2_000).map(|seed| Told { seed, ..FAILS }.result()).collect();
    record(&mut history, run, &many);
    (history.path().to_owned(), run, folder)
}

#[test]
fn a_damaged_history_is_told_and_how_to_save_what_can_be_read() {
    let (path, _, _folder) = long();
    let mut bytes = fs::read(&path).expect("it is there");
    let middle = bytes.len() / 3;
    bytes[middle..].fill(0xA5);
    fs::write(&path, &bytes).expect("it is ours");
    let history = History::open_read_only(&path).expect("its beginning is whole");
    let error = history.rates(&Filter::default()).unwrap_err();
    assert!(error.to_string().contains("the file is damaged; move it away"), "{error}");
}

#[test]
fn a_page_that_is_damaged_in_the_middle_is_told_and_the_rest_is_left_as_it_was() {
    const PAGE: usize = 4096;
    let (path, run, _folder) = long();
    let whole = fs::read(&path).expect("it is there");
    let sql = "SELECT rootpage FROM sqlite_schema WHERE name = 'trial_facts'";
    let root: usize =
        Connection::open(&path).and_then(|it| it.query_row(sql, [], |row| row.get(0))).expect("it can be read");
    let page = (root - 1) * PAGE..root * PAGE;
    let mut bytes = whole.clone();
    bytes[page.clone()].fill(0xA5);
    fs::write(&path, &bytes).expect("it is ours");
    let reader = History::open_read_only(&path).expect("its beginning is whole");
    let reading = reader.rates(&Filter::default()).unwrap_err();
    insta::assert_snapshot!("damaged_read", told(&reading, &path));
    drop(reader);
    let mut history = History::open(&path).expect("its beginning is whole");
    let writing = history.record(run, &[new(&PASSES.result())]).unwrap_err();
    insta::assert_snapshot!("damaged_written", told(&writing, &path));
    assert!(!reading.may_pass() && !writing.may_pass());
    drop(history);
    // With its page back, everything that was acknowledged is there, and nothing of what was refused.
    let mut bytes = fs::read(&path).expect("it is there");
    bytes[page.clone()].copy_from_slice(&whole[page]);
    fs::write(&path, &bytes).expect("it is ours");
    let rates = History::open_read_only(&path).expect("it is there").rates(&Filter::default()).expect("it is whole");
    assert_eq!((rates[0].all.failed, rates[0].all.passed), (2_000, 0));
}

#[test]
fn who_is_kept_out_for_long_is_told_and_writes_it_later() {
    let (mut history, _folder) = empty();
    let path = history.path().to_owned();
    let run = begin(&mut history, "2026-11-27", World::Virtual);
    record(&mut history, run, &[PASSES.result()]);
    history.set_patience(SOON).expect("it can be set");
    let other = Connection::open(&path).expect("it is there");
    other.execute_batch("BEGIN IMMEDIATE").expect("nobody writes");
    let result = Told { seed: 2, ..PASSES }.result();
    let error = history.record(run, &[new(&result)]).unwrap_err();
    insta::assert_snapshot!("locked_written", told(&error, &path));
    assert!(error.may_pass());
    assert_eq!(passed(&path), 1, "who only reads is not kept out");
    other.execute_batch("ROLLBACK").expect("it is its own");
    history.record(run, &[new(&result)]).expect("nobody has it locked any more");
    assert_eq!(passed(&path), 2);
}

#[test]
fn who_cannot_even_read_is_told() {
    let (history, _folder) = empty();
    let path = history.path().to_owned();
    drop(history);
    let other = Connection::open(&path).expect("it is there");
    let keeps_it = "PRAGMA locking_mode = EXCLUSIVE; BEGIN IMMEDIATE; UPDATE run SET night = night; COMMIT";
    other.execute_batch(keeps_it).expect("nobody else has it");
    let error = History::open_read_only(&path).unwrap_err();
    assert!(error.may_pass());
    insta::assert_snapshot!("locked_read", told(&error, &path));
}

#[test]
fn what_is_no_file_is_told() {
    let folder = tempfile::tempdir().expect("there is room");
    let path = folder.path().join("history.sqlite");
    fs::create_dir(&path).expect("there is room");
    insta::assert_snapshot!("a_folder", told(&History::open(&path).unwrap_err(), &path));
    let below_a_file = folder.path().join("notes.txt/history.sqlite");
    fs::write(folder.path().join("notes.txt"), "mine").expect("there is room");
    let error = History::open(&below_a_file).unwrap_err();
    assert!(matches!(error, HistoryError::Folder { .. }), "{error}");
    insta::assert_snapshot!("below_a_file", told(&error, &below_a_file));
}
