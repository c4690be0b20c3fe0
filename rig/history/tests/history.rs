//! What is written down is found again: counted, by itself, by other people's tools, and by two processes at once.

mod support;

use std::fs;
use std::process::Command;

use brickproof_history::{Filter, Glob, History, HistoryError, Rate};
use brickproof_report::results::{TrialResult, World};
use proptest::prelude::*;
use support::{PASSES, Told, begin, record};
use tempfile::TempDir;

fn empty() -> (History, TempDir) {
    let folder = tempfile::tempdir().expect("there is room");
    (History::open(&folder.path().join("below/history.sqlite")).expect("there is room"), folder)
}

const FAILS: Told<'static> = Told { came_to: "failed firmware", connect_ms: None, seed: 2, ..PASSES };

#[test]
fn a_trial_is_found_again_as_it_was_told() {
    let (mut history, folder) = empty();
    let run = begin(&mut history, "2026-11-27", World::Hardware);
    record(&mut history, run, &[PASSES.result(), FAILS.result()]);
    drop(history);
    let history = History::open_read_only(&folder.path().join("below/history.sqlite")).expect("it is there");
    let result = FAILS.result();
    let found = history.trial(&result.id, 10).expect("it can be read");
    let [found] = &found[..] else { panic!("one trial: {found:?}") };
    assert_eq!((&found.id, found.run, found.world), (&result.id, run, World::Hardware));
    assert_eq!(
        (found.bench.as_str(), found.station.as_str(), found.board_serial.as_str()),
        ("pi-one", "left", "3f00aa01")
    );
    assert_eq!((found.verdict.as_str(), found.blame.as_deref()), ("failed", Some("firmware")));
    assert_eq!(found.reason, result.reason);
    assert_eq!(found.step, Some((2, 6, "expect the light to be cloud_connected within 10s".to_owned())));
    assert_eq!((found.duration_ns, found.wall_ns, found.connect_ns), (12_000_000_000, 20_000_000, None));
    assert_eq!(found.parameters, serde_json::json!({"supply": "usb"}));
    assert_eq!(found.evidence, format!(".brickproof/runs/000001/trials/{}", result.id));
    assert_eq!(
        (found.night.to_string(), found.started.to_string()),
        ("2026-11-27".into(), "2026-11-27T22:00:00Z".into())
    );
    let passed = history.trial(&PASSES.result().id, 10).expect("it can be read").remove(0);
    assert_eq!(
        (passed.connect_ns, passed.connect_by.as_deref(), passed.blame),
        (Some(2_000_000_000), Some("cloud"), None)
    );
    assert_eq!(history.trial("boots.usb.3-5f3a09c2", 10).expect("it can be read"), []);
}

#[test]
fn what_is_asked_for_is_counted_and_nothing_else() {
    let (mut history, _folder) = empty();
    let virtually = begin(&mut history, "2026-11-25", World::Virtual);
    record(&mut history, virtually, &[FAILS.result(), PASSES.result()]);
    let really = begin(&mut history, "2026-11-26", World::Hardware);
    let other =
        Told { scenario: "scenarios/dies.yaml", firmware: "lantern-no-heal", station: "right", serial: None, ..PASSES };
    let undecided = Told { came_to: "inconclusive bench", ..PASSES };
    let in_error = Told { came_to: "error bench", ..PASSES };
    let crashed = Told { came_to: "error firmware", ..PASSES };
    record(&mut history, really, &[PASSES, other, undecided, in_error, crashed].map(|it| it.result()));
    let rate = |passed, failed, error, inconclusive| Rate { passed, failed, error, inconclusive, discarded: 0 };
    let of = |filter: Filter| -> Vec<(World, Rate)> {
        history.rates(&filter).expect("it can be read").iter().map(|it| (it.world, it.all)).collect()
    };
    let really = rate(2, 1, 1, 1);
    assert_eq!(of(Filter::default()), [(World::Virtual, rate(1, 1, 0, 0)), (World::Hardware, really)]);
    assert_eq!(of(Filter { world: Some(World::Hardware), ..Filter::default() }), [(World::Hardware, really)]);
    let since = "2026-11-26".parse().ok();
    assert_eq!(of(Filter { since, ..Filter::default() }), [(World::Hardware, really)]);
    let until = "2026-11-25".parse().ok();
    assert_eq!(of(Filter { until, ..Filter::default() }), [(World::Virtual, rate(1, 1, 0, 0))]);
    let one = [(World::Hardware, rate(1, 0, 0, 0))];
    let hardware = || Filter { world: Some(World::Hardware), ..Filter::default() };
    assert_eq!(of(Filter { scenario: Some(Glob::new("dies.yaml")), ..hardware() }), one);
    assert_eq!(of(Filter { station: Some("right".into()), ..hardware() }), one);
    assert_eq!(of(Filter { station: Some("3f00aa01".into()), ..hardware() }), [(World::Hardware, rate(1, 1, 1, 1))]);
    assert_eq!(of(Filter { firmware: Some("lantern-no-heal".into()), ..hardware() }), one);
    assert_eq!(of(Filter { board: Some("photon".into()), ..hardware() }), []);
    let run = history.runs(&hardware(), 5).expect("it can be read");
    assert_eq!((run.len(), run[0].rate), (1, really));
    let nights = |since: &str, until: &str| {
        let filter = Filter { since: since.parse().ok(), until: until.parse().ok(), ..Filter::default() };
        history.runs(&filter, 5).expect("it can be read").len()
    };
    assert_eq!(nights("2026-11-25", "2026-11-26"), 2, "both days belong to it");
    assert_eq!([nights("2026-11-26", "2026-11-26"), nights("2026-11-25", "2026-11-25")], [1, 1]);
    assert_eq!([nights("2026-11-27", "2026-11-30"), nights("2026-11-01", "2026-11-24")], [0, 0]);
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
    let other = rusqlite::Connection::open(folder.path().join("other.sqlite")).expect("there is room");
    other.execute_batch("CREATE TABLE trial (id INTEGER); PRAGMA user_version = 1").expect("there is room");
    drop(other);
    refused("other.sqlite");
}

#[test]
fn a_newer_history_is_refused_with_what_to_do() {
    let (history, folder) = empty();
    let path = history.path().to_owned();
    drop(history);
    rusqlite::Connection::open(&path)
        .expect("it is there")
        .pragma_update(None, "user_version", 99)
        .expect("it is ours");
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
    let error = History::open_read_only(&folder.path().join("history.sqlite")).unwrap_err();
    assert!(error.to_string().contains("`brickproof run` makes it"), "{error}");
    assert!(!folder.path().join("history.sqlite").exists());
}

#[test]
fn a_damaged_history_is_told_and_how_to_save_what_can_be_read() {
    let (mut history, _folder) = empty();
    let run = begin(&mut history, "2026-11-27", World::Virtual);
    let many: Vec<TrialResult> = (0..2_000).map(|seed| Told { seed, ..FAILS }.result()).collect();
    record(&mut history, run, &many);
    let path = history.path().to_owned();
    drop(history);
    let mut bytes = fs::read(&path).expect("it is there");
    let middle = bytes.len() / 3;
    bytes[middle..].fill(0xA5);
    fs::write(&path, &bytes).expect("it is ours");
    let history = History::open_read_only(&path).expect("its beginning is whole");
    let error = history.rates(&Filter::default()).unwrap_err();
    assert!(error.to_string().contains("the file is damaged; move it away"), "{error}");
}

/// Somebody else's reader, through the view that is made for it.
#[test]
fn stock_tools_read_it() {
    let (mut history, _folder) = empty();
    let run = begin(&mut history, "2026-11-27", World::Hardware);
    record(&mut history, run, &[PASSES.result(), FAILS.result(), Told { seed: u64::MAX, ..FAILS }.result()]);
    let sql =
        "SELECT id, seed, world, station, verdict, blame, step_line, connect_ns, started FROM trials ORDER BY number";
    let script = "import sqlite3, sys\nfor row in sqlite3.connect(sys.argv[1]).execute(sys.argv[2]):\n    print('|'.join('' if it is None else str(it) for it in row))\n";
    let path = history.path().as_os_str();
    let mut asked = 0;
    for (tool, words) in
        [("sqlite3", vec![path, sql.as_ref()]), ("python3", vec!["-c".as_ref(), script.as_ref(), path, sql.as_ref()])]
    {
        let Ok(output) = Command::new(tool).args(words).output() else { continue };
        assert!(output.status.success(), "{tool}: {}", String::from_utf8_lossy(&output.stderr));
        let expected = "\
boots.usb.1-5f3a09c2|1|hardware|left|passed|||2000000000|2026-11-27T22:00:00.000Z
boots.usb.2-5f3a09c2|2|hardware|left|failed|firmware|6||2026-11-27T22:00:00.000Z
boots.usb.18446744073709551615-5f3a09c2|18446744073709551615|hardware|left|failed|firmware|6||2026-11-27T22:00:00.000Z
";
        assert_eq!(String::from_utf8_lossy(&output.stdout).replace("\r\n", "\n"), expected, "{tool}");
        asked += 1;
    }
    if asked == 0 {
        assert!(std::env::var_os("BRICKPROOF_REQUIRE_ORACLES").is_none(), "neither sqlite3 nor python3 is here");
        eprintln!("NOT CHECKED: neither sqlite3 nor python3 is here to read a history");
    }
}

#[test]
fn two_writers_at_once_wait_for_each_other() {
    let folder = tempfile::tempdir().expect("there is room");
    let path = folder.path().join("history.sqlite");
    std::thread::scope(|scope| {
        for writer in 0..4_u64 {
            let path = &path;
            scope.spawn(move || {
                let mut history = History::open(path).expect("it waits");
                let run = begin(&mut history, "2026-11-27", World::Virtual);
                for seed in 0..25 {
                    record(&mut history, run, &[Told { seed: writer * 100 + seed, ..PASSES }.result()]);
                }
            });
        }
    });
    let history = History::open_read_only(&path).expect("it is there");
    assert_eq!(history.rates(&Filter::default()).expect("it can be read")[0].all.passed, 100);
    assert_eq!(
        history
            .runs(&Filter::default(), 10)
            .expect("it can be read")
            .iter()
            .map(|it| it.rate.passed)
            .collect::<Vec<_>>(),
        [25; 4]
    );
}

fn any_trial() -> impl Strategy<Value = TrialResult> {
    let came_to = prop::sample::select(vec![
        "passed",
        "failed firmware",
        "failed board",
        "error bench",
        "error firmware",
        "inconclusive bench",
    ]);
    let scenario = prop::sample::select(vec!["a.yaml", "b/a.yaml", "c.yaml"]);
    let station = prop::sample::select(vec!["left", "right"]);
    let firmware = prop::sample::select(vec!["lantern-no-heal", "lantern-heal-full"]);
    (came_to, scenario, station, firmware, 0..3_u64, prop::option::of(1..9_u64)).prop_map(
        |(came_to, scenario, station, firmware, seed, connect_ms)| {
            Told { scenario, station, firmware, seed, came_to, connect_ms, ..PASSES }.result()
        },
    )
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]
    #[test]
    fn counts_add_up_and_the_order_of_writing_does_not_matter(trials in prop::collection::vec(any_trial(), 1..30), parts in 1..5_usize) {
        let (mut one, _keep) = empty();
        let run = begin(&mut one, "2026-11-27", World::Virtual);
        record(&mut one, run, &trials);
        let (mut other, _keep_too) = empty();
        let run = begin(&mut other, "2026-11-27", World::Virtual);
        let backwards: Vec<TrialResult> = trials.iter().rev().cloned().collect();
        backwards.chunks(parts).for_each(|part| record(&mut other, run, part));
        let all = Filter::default();
        let rates = one.rates(&all).expect("it can be read");
        prop_assert_eq!(&rates, &other.rates(&all).expect("it can be read"));
        prop_assert_eq!(one.flakiness(&all).expect("it can be read"), other.flakiness(&all).expect("it can be read"));
        prop_assert_eq!(rates[0].all.all(), trials.len() as u64);
        let sum = |rates: Vec<Rate>| rates.into_iter().fold(Rate::default(), Rate::and);
        prop_assert_eq!(sum(rates[0].scenarios.iter().map(|it| it.1).collect()), rates[0].all);
        prop_assert_eq!(sum(rates[0].boards.iter().map(|it| it.1).collect()), rates[0].all);
        prop_assert_eq!(sum(rates[0].firmwares.iter().map(|it| it.1).collect()), rates[0].all);
        prop_assert_eq!(one.runs(&all, 1).expect("it can be read")[0].rate, rates[0].all);
    }
}
