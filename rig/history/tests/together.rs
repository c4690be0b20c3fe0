//! Several who write one history at the same time, and those who read it meanwhile.
//!
//! Boundary: threads, each with a connection of its own, as processes have; the command does it with processes.

mod support;

use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};

use brickproof_history::{Filter, History, Rate};
use brickproof_report::results::World;
use support::{PASSES, Told, begin, empty, record};

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

/// Each comes to an empty folder, and none is told that somebody else's file is there.
#[test]
fn many_begin_one_history_at_once() {
    for _ in 0..20 {
        let folder = tempfile::tempdir().expect("there is room");
        let path = folder.path().join("below/history.sqlite");
        std::thread::scope(|scope| {
            for seed in 0..6 {
                let path = &path;
                scope.spawn(move || {
                    let mut history = History::open(path).expect("it waits");
                    let run = begin(&mut history, "2026-11-27", World::Virtual);
                    record(&mut history, run, &[Told { seed, ..PASSES }.result()]);
                });
            }
        });
        let history = History::open_read_only(&path).expect("it is there");
        assert_eq!(history.rates(&Filter::default()).expect("it can be read")[0].all.passed, 6);
    }
}

/// Every trial brings a scenario, a board and a firmware that were not there before.
#[test]
fn a_report_is_of_one_moment_whatever_is_written_meanwhile() {
    const WRITERS: usize = 2;
    const TRIALS: u64 = 150;
    let (history, _folder) = empty();
    let path = history.path().to_owned();
    let writing = AtomicUsize::new(WRITERS);
    std::thread::scope(|scope| {
        for writer in 0..WRITERS {
            let (path, writing) = (&path, &writing);
            scope.spawn(move || {
                write_new_names(path, writer, TRIALS);
                writing.fetch_sub(1, Ordering::SeqCst);
            });
        }
        let (mut seen, mut reports) = (0, 0);
        while writing.load(Ordering::SeqCst) > 0 {
            let history = History::open_read_only(&path).expect("nobody keeps a reader out");
            let rates = history.rates(&Filter::default()).expect("nobody keeps a reader out");
            let Some(rates) = rates.first() else { continue };
            let sum = |rates: Vec<Rate>| rates.into_iter().fold(Rate::default(), Rate::and);
            assert_eq!(sum(rates.scenarios.iter().map(|it| it.1).collect()), rates.all);
            assert_eq!(sum(rates.boards.iter().map(|it| it.1).collect()), rates.all);
            assert_eq!(sum(rates.firmwares.iter().map(|it| it.1).collect()), rates.all);
            assert!(rates.all.passed >= seen, "what was there once stays");
            (seen, reports) = (rates.all.passed, reports + 1);
        }
        assert!(reports > 3, "it was read while it was written: {reports}");
    });
    let history = History::open_read_only(&path).expect("it is there");
    assert_eq!(history.rates(&Filter::default()).expect("it can be read")[0].all.passed, WRITERS as u64 * TRIALS);
}

fn write_new_names(path: &Path, writer: usize, trials: u64) {
    let mut history = History::open(path).expect("it waits");
    let run = begin(&mut history, "2026-11-27", World::Virtual);
    for seed in 0..trials {
        let (scenario, name) = (format!("s-{writer}-{seed}.yaml"), format!("n-{writer}-{seed}"));
        let told = Told { scenario: &scenario, station: &name, serial: Some(&name), firmware: &name, seed, ..PASSES };
        record(&mut history, run, &[told.result()]);
    }
}
