//! A history of a million trials: how large it is, how long it takes to write one, how long each report takes.
//!
//! Boundary: it prints what it measures and holds nothing to it but that each report took less than a second. `cargo run --release -p
//! brickproof-history --example a-million-trials`, with another number of trials behind it if wanted.

#![expect(clippy::print_stdout, reason = "it prints what it measures")]

use std::path::Path;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use brickproof_history::{Filter, Glob, History, NewRun, NewTrial, Selector, TrendBy};
use brickproof_report::results::{TrialResult, World};
use jiff::civil::date;
use jiff::tz::TimeZone;
use jiff::{Timestamp, ToSpan};
use serde_json::json;

/// Trials of a night, and single ones that are written alone.
const A_NIGHT: usize = 2_000;
const SINGLE: usize = 300;

fn main() -> ExitCode {
    let trials = std::env::args().nth(1).and_then(|it| it.parse().ok()).unwrap_or(1_000_000);
    let folder = tempfile::tempdir().expect("there is room");
    let slowest = measure(trials, &folder.path().join("history.sqlite"));
    if slowest < Duration::from_secs(1) { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// Twenty-five scenarios of four cells, ten boards, four releases and a build of each night.
fn trial(number: usize, night: usize) -> TrialResult {
    let mut random = (number as u64 + 1).wrapping_mul(0x9E37_79B9_7F4A_7C15);
    let mut draw = |n: u64| {
        random ^= random >> 29;
        random = random.wrapping_mul(0xBF58_476D_1CE4_E5B9);
        random ^= random >> 32;
        random % n
    };
    let (scenario, cell, board, image) = (draw(25), draw(4), draw(10), draw(5));
    let firmware = if image == 4 { "lantern-nightly".to_owned() } else { format!("lantern-{image}") };
    let build = if image == 4 { night as u64 + 10 } else { image };
    let seed = draw(1 << 20);
    // One board is bad, one firmware is, and everything fails now and then.
    let fails = draw(100) < 1 + 10 * u64::from(board == 3) + 5 * u64::from(image == 1);
    let in_error = draw(200) == 0;
    let verdict = if in_error {
        "error"
    } else if fails {
        "failed"
    } else {
        "passed"
    };
    let blame = if in_error {
        json!("bench")
    } else if fails {
        json!("firmware")
    } else {
        json!(null)
    };
    let connect = (!fails).then(|| json!({"after_ns": 2_000_000_000 + draw(500_000_000), "seen_by": "cloud"}));
    serde_json::from_value(json!({
        "id": format!("scenario-{scenario}.{cell}.{seed}-{:08x}", draw(1 << 32)),
        "scenario": {"path": format!("scenarios/scenario-{scenario}.yaml"), "sha256": format!("{scenario:064}"), "title": "A board boots"},
        "parameters": {"cell": cell.to_string()}, "board": "lantern-nrf51", "board_serial": format!("3f00aa{board:02}"),
        "station": format!("place-{board}"), "firmware": {"name": firmware, "sha256": format!("{build:064}")},
        "seed": seed, "attempt": 1, "expected": "passed", "verdict": verdict, "blame": blame,
        "reason": if verdict == "passed" { "" } else { "the light was not cloud_connected within 10 s; it was cyan, blinking, 100 ms" },
        "evidence": [], "light": [], "duration_ns": 12_000_000_000_u64 + draw(1 << 30), "wall_ns": 12_500_000_000_u64 + draw(1 << 30),
        "faults": [], "measurements": [], "steps": [], "replay": "", "time_to_connect": connect,
    }))
    .expect("it is written as results are")
}

fn measure(trials: usize, path: &Path) -> Duration {
    let mut history = History::open(path).expect("there is room");
    let nights = trials.div_ceil(A_NIGHT);
    let first = date(2025, 1, 1);
    let started: Timestamp = "2025-01-01T22:00:00Z".parse().expect("an instant");
    let (mut batched, mut single) = (Duration::ZERO, Vec::new());
    let begin = |history: &mut History, night: usize| {
        let day = first.checked_add((night as i64).days()).expect("it is on the calendar");
        let evening = day.at(22, 0, 0, 0).to_zoned_datetime(TimeZone::UTC).expect("UTC has every hour");
        let evidence = format!(".brickproof/runs/{:06}", night + 1);
        let run = NewRun { started: &evening, world: World::Hardware, bench: "pi-one", evidence: Path::new(&evidence) };
        history.begin_run(&run).expect("there is room")
    };
    for night in 0..nights {
        let run = begin(&mut history, night);
        let these = A_NIGHT.min(trials - night * A_NIGHT);
        let results: Vec<TrialResult> = (0..these).map(|it| trial(night * A_NIGHT + it, night)).collect();
        let new = |result| NewTrial { result, started, discarded: false };
        let before = Instant::now();
        history.record(run, &results.iter().map(new).collect::<Vec<_>>()).expect("there is room");
        batched += before.elapsed();
    }
    let run = begin(&mut history, nights);
    for number in 0..SINGLE {
        let result = trial(trials + number, nights);
        let before = Instant::now();
        history.record(run, &[NewTrial { result: &result, started, discarded: false }]).expect("there is room");
        single.push(before.elapsed());
    }
    single.sort();
    drop(history);
    let size = std::fs::metadata(path).expect("it is there").len();
    println!(
        "{} trials: {:.1} MB on disk, {} bytes each",
        trials + SINGLE,
        size as f64 / 1e6,
        size / (trials + SINGLE) as u64
    );
    println!(
        "one trial, acknowledged: median {:.2} ms, 99 % within {:.2} ms (n {SINGLE})",
        single[SINGLE / 2].as_secs_f64() * 1e3,
        single[SINGLE * 99 / 100].as_secs_f64() * 1e3
    );
    println!("in transactions of {A_NIGHT}: {:.0} trials a second", trials as f64 / batched.as_secs_f64());
    reports(path)
}

/// Each as the command makes it: on a history that was just opened.
fn reports(path: &Path) -> Duration {
    let all = Filter::default();
    let one = || Filter { scenario: Some(Glob::new("scenario-7.yaml")), ..Filter::default() };
    let lately = || Filter { since: Some(date(2026, 4, 1)), ..Filter::default() };
    let id = trial(0, 0).id;
    let side = |text: &str| text.parse::<Selector>().expect("it is one");
    type Report<'r> = (&'static str, Box<dyn Fn(&History) + 'r>);
    let asked: Vec<Report<'_>> = vec![
        ("rates", Box::new(|it| drop(it.rates(&all).expect("it can be read")))),
        ("rates of one scenario", Box::new(|it| drop(it.rates(&one()).expect("it can be read")))),
        ("rates of the last nights", Box::new(|it| drop(it.rates(&lately()).expect("it can be read")))),
        ("trend by night", Box::new(|it| drop(it.trends(&all, TrendBy::Night).expect("it can be read")))),
        ("trend by firmware", Box::new(|it| drop(it.trends(&all, TrendBy::Firmware).expect("it can be read")))),
        ("flaky", Box::new(|it| drop(it.flakiness(&all).expect("it can be read")))),
        (
            "compare two nights",
            Box::new(|it| drop(it.compare(&all, &side("2"), &side("3")).expect("there are trials"))),
        ),
        (
            "compare two firmwares",
            Box::new(|it| drop(it.compare(&all, &side("lantern-0"), &side("lantern-1")).expect("there are trials"))),
        ),
        ("runs", Box::new(|it| drop(it.runs(&all, 20).expect("it can be read")))),
        ("show", Box::new(|it| assert_eq!(it.trial(&id, 20).expect("it can be read").len(), 1))),
    ];
    let mut slowest = Duration::ZERO;
    for (name, ask) in asked {
        let before = Instant::now();
        ask(&History::open_read_only(path).expect("it is there"));
        let took = before.elapsed();
        println!("{name}: {:.3} s", took.as_secs_f64());
        slowest = slowest.max(took);
    }
    slowest
}

#[cfg(test)]
mod tests {
    #[test]
    fn every_report_is_made_of_thousands() {
        let folder = tempfile::tempdir().expect("there is room");
        super::measure(20_000, &folder.path().join("history.sqlite"));
    }
}
