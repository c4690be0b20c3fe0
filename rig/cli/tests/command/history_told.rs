//! What `brickproof history` tells of nights that are known, because they were planted: to a person with much room and with little, and to
//! programs.
//!
//! Boundary: made-up trials, written as `run` writes them. What is counted and how is held in `brickproof-history`.
#![cfg(unix)]

use brickproof_history::{History, NewRun, NewTrial};
use brickproof_report::results::{TrialResult, World};
use jiff::tz::TimeZone;
use jiff::{Timestamp, civil};
use serde_json::{Value, json};

use crate::desk::Desk;
use crate::terminal::{seen, shown};

/// The night from which on the new release ran, and boards connect later.
const CHANGED: i8 = 12;
const NIGHTS: i8 = 20;
const OLD: &str = "lantern-1.4";
const NEW: &str = "lantern-1.5";
const LEFT: (&str, &str) = ("left", "3f00aa01");
const RIGHT: (&str, &str) = ("right", "3f00aa02");

/// One trial of a night.
struct Planted {
    scenario: &'static str,
    cell: &'static str,
    place: (&'static str, &'static str),
    night: i8,
    number: u64,
    /// `passed`, or a verdict and who is blamed.
    came_to: &'static str,
}

impl Planted {
    fn result(&self) -> TrialResult {
        let Self { scenario, cell, place: (station, serial), night, number, came_to } = *self;
        let is_new = night >= CHANGED;
        let (verdict, blame) = came_to.split_once(' ').map_or((came_to, None), |(it, blame)| (it, Some(blame)));
        let seed = i64::from(night) as u64 * 100 + number;
        let after_ms = if is_new { 2_300 } else { 2_000 } + seed * 37 % 90;
        let stem = scenario.rsplit('/').next().and_then(|it| it.strip_suffix(".yaml")).expect("it is a path");
        let (firmware, sha256) = if is_new { (NEW, "c0ffee15") } else { (OLD, "0ddba114") };
        let aside = (scenario == ASIDE).then(|| json!({"reason": "heals no key, see issue 12", "until": "2999-12-31"}));
        let passes = verdict == "passed";
        serde_json::from_value(json!({
            "id": format!("{stem}.{cell}.{seed}-5f3a09c2"),
            "scenario": {"path": scenario, "sha256": "aa11", "title": "A board survives it"},
            "parameters": {"slot": cell}, "board": "lantern-nrf51", "board_serial": serial, "station": station,
            "firmware": {"name": firmware, "sha256": format!("{sha256}{}", "0".repeat(56))},
            "seed": seed, "attempt": 1, "expected": "passed", "verdict": verdict, "blame": blame,
            "reason": if passes { "" } else { "the light was not cloud_connected within 10 s; it was red, blinking sos" },
            "evidence": [], "light": [], "duration_ns": 12_400_000_000_u64, "wall_ns": 13_100_000_000_u64,
            "faults": [], "measurements": [], "quarantine": aside, "replay": "",
            "steps": [
                {"index": 1, "line": 5, "text": "supply 5 V over USB", "verdict": "passed", "start_ns": 0, "end_ns": 1},
                {"index": 2, "line": 9, "text": "expect the light to be cloud_connected within 10 s", "verdict": verdict,
                 "start_ns": 1, "end_ns": 2},
            ],
            "time_to_connect": (blame != Some("bench")).then(|| json!({"after_ns": after_ms * 1_000_000, "seen_by": "cloud"})),
        }))
        .expect("it is written as results are")
    }
}

const PASSES: &str = "scenarios/first-light/a-board-boots-and-connects.yaml";
/// The old release fails it now and then, the new one most of the time.
const BREAKS: &str = "scenarios/battery-death/the-key-page-is-torn.yaml";
/// The new release fixes it.
const FIXED: &str = "scenarios/keys/a-blank-server-key-heals.yaml";
const STILL: &str = "scenarios/keys/a-wrong-server-key-heals.yaml";
/// Fails on one board.
const BOARD: &str = "scenarios/brown-out/twenty-in-a-row.yaml";
const ASIDE: &str = "scenarios/keys/aside.yaml";
/// Only the last night was asked.
const CAME: &str = "scenarios/dfu/the-cable-is-pulled.yaml";

fn of_night(night: i8) -> Vec<TrialResult> {
    let is_new = night >= CHANGED;
    let fails = |it: bool| if it { "failed firmware" } else { "passed" };
    let mut planted = Vec::new();
    for place in [LEFT, RIGHT] {
        let mut add = |scenario, cell, number, came_to| {
            planted.push(Planted { scenario, cell, place, night, number, came_to });
        };
        for number in 0..8 {
            add(PASSES, "server", number, if number == 7 && night % 9 == 0 { "error bench" } else { "passed" });
            add(BREAKS, "server", 20 + number, fails(is_new && number < 7));
            add(BREAKS, "device", 30 + number, "passed");
            add(FIXED, "server", 40 + number, fails(!is_new && number > 0));
        }
        for number in 0..2 {
            add(STILL, "server", 50 + number, "failed firmware");
            add(BOARD, "server", 60 + number, fails(place == LEFT && (night + i8::from(number > 0)) % 2 == 0));
        }
        add(ASIDE, "server", 70, fails(night % 5 == 0));
        if night == NIGHTS {
            add(CAME, "server", 80, "failed board");
        }
    }
    planted.iter().map(Planted::result).collect()
}

fn keep(history: &mut History, night: i8, world: World, bench: &str, trials: &[TrialResult]) {
    let evening = civil::date(2026, 3, night).at(22, 0, 0, 0);
    let started = evening.to_zoned_datetime(TimeZone::UTC).expect("UTC has every hour");
    let evidence = format!(".brickproof/runs/{night:06}");
    let run = NewRun { started: &started, world, bench, evidence: std::path::Path::new(&evidence) };
    let run = history.begin_run(&run).expect("there is room");
    let started: Timestamp = started.timestamp();
    let trials: Vec<NewTrial<'_>> =
        trials.iter().map(|result| NewTrial { result, started, discarded: false }).collect();
    history.record(run, &trials).expect("there is room");
}

/// Twenty nights of a bench, and on the day after the last one something on a virtual board.
fn desk() -> Desk {
    let desk = Desk::with(&[]);
    let aside =
        format!("quarantine:\n  - scenario: {ASIDE}\n    reason: heals no key, see issue 12\n    until: 2999-12-31\n");
    desk.put("quarantine.yaml", aside.as_bytes());
    let mut history = History::open(&desk.path(".brickproof/history.sqlite")).expect("there is room");
    for night in 1..=NIGHTS {
        keep(&mut history, night, World::Hardware, "pi-one", &of_night(night));
    }
    keep(&mut history, NIGHTS + 1, World::Virtual, "", &of_night(NIGHTS)[..4]);
    desk
}

/// A report by its name, and the words that ask for it.
const REPORTS: [(&str, &[&str]); 9] = [
    ("rates", &["rates"]),
    ("trend", &["trend"]),
    ("trend_by_firmware", &["trend", "--by", "firmware"]),
    ("flaky", &["flaky"]),
    ("compare", &["compare", "lantern-1.4", "lantern-1.5"]),
    ("compare_nights", &["compare", "previous", "last"]),
    ("show", &["show", "the-key-page-is-torn.server.1220-5f3a09c2"]),
    ("runs", &["runs"]),
    ("quarantine", &["quarantine"]),
];

/// Wherever it goes that is no terminal, nothing is made to fit.
#[test]
fn a_person_reads_what_became_of_the_nights() {
    let desk = desk();
    for (name, words) in REPORTS {
        let called = desk.call(&[&["history"], words].concat());
        called.exits(0);
        insta::assert_snapshot!(format!("history_{name}"), called.out);
    }
}

#[test]
fn a_narrow_window_leaves_nothing_out_and_breaks_no_word_that_fits() {
    let desk = desk();
    for (name, words) in REPORTS {
        let (mut terminal, exit) = shown(60, &[], &desk, &[&["history"], words].concat());
        assert_eq!(exit, Some(0));
        let broken: Vec<String> = terminal.rows().into_iter().filter(|(_, goes_on)| *goes_on).map(|it| it.0).collect();
        // A digest or a path is one word.
        assert!(broken.iter().all(|row| !row.trim().contains("  ") || row.contains("firmware ")), "{name}: {broken:?}");
        insta::assert_snapshot!(format!("history_{name}_60"), seen(&mut terminal));
    }
}

/// The names of fields and the kinds of their values, without those of a list that are like the one before.
fn shape(value: &Value) -> Value {
    match value {
        Value::Null => "null".into(),
        Value::Bool(_) => "boolean".into(),
        Value::Number(it) if it.is_f64() => "fraction".into(),
        Value::Number(_) => "number".into(),
        Value::String(_) => "text".into(),
        Value::Array(list) => {
            let mut shapes: Vec<Value> = list.iter().map(shape).collect();
            shapes.dedup();
            shapes.into()
        }
        Value::Object(fields) => fields.iter().map(|(name, it)| (name.clone(), shape(it))).collect(),
    }
}

#[test]
fn a_program_gets_a_line_for_each_row() {
    let desk = desk();
    for (name, words) in REPORTS {
        let called = desk.call(&[&["history"], words, &["--format", "json"]].concat());
        called.exits(0);
        let rows: Vec<Value> = called.out.lines().map(|line| serde_json::from_str(line).expect(line)).collect();
        let mut shapes = rows.iter().map(|row| serde_json::to_string_pretty(&shape(row)).expect("it is JSON"));
        let last = shapes.next_back().expect("there is a row");
        insta::assert_snapshot!(format!("history_{name}_json"), format!("{} of this shape\n{last}", rows.len()));
    }
}
