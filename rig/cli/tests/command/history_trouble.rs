//! A history that cannot be written, or not now: the run goes on, its results are printed and kept, and its end says what is missing.
//!
//! Boundary: locks of real processes, a disk that is really full, a file system that may really not be written.
#![cfg(unix)]

use std::process::{Command, Stdio};
use std::time::Duration;

use serde_json::Value;

use crate::desk::{BOOTS, Called, Desk, ids};

fn desk() -> Desk {
    Desk::with(&[("boots.yaml", BOOTS)])
}

/// How many trials the history has that passed.
fn passed(desk: &Desk) -> u64 {
    let called = desk.call(&["history", "--format", "json"]);
    called.exits(0);
    let rows = called.out.lines().map(|line| serde_json::from_str::<Value>(line).expect(line));
    rows.filter_map(|row| row["all"]["passed"].as_u64()).sum()
}

/// What the shell does in a world of file systems of its own, which ends with it: `None` if nobody may have one here.
fn with_own_file_systems(desk: &Desk, script: &str) -> Option<Called> {
    let unshare = |script: &str| {
        let mut command = Command::new("unshare");
        let command = command.args(["--map-root-user", "--mount", "sh", "-ec", script]);
        command.env("BRICKPROOF", env!("CARGO_BIN_EXE_brickproof")).env("NO_COLOR", "1").env_remove("GITHUB_ACTIONS");
        command.current_dir(desk.path(".")).stdin(Stdio::null()).output()
    };
    let may = unshare("mount -t tmpfs none /mnt").is_ok_and(|it| it.status.success());
    if !may {
        assert!(std::env::var_os("BRICKPROOF_REQUIRE_ORACLES").is_none(), "no file system can be mounted here");
        eprintln!("NOT CHECKED: no file system can be mounted here");
    }
    may.then(|| unshare(script).expect("it was here a moment ago").into())
}

/// Nothing of the folder of a test, nor of SQLite's own words for a failed write, of which there are several.
fn error_of(called: &Called) -> &str {
    called.err.lines().find(|line| line.contains("in the history")).unwrap_or_else(|| panic!("{}", called.err))
}

/// The disk is full at once, or after the history was opened, or in the middle of the trials, or not at all.
#[test]
fn a_full_disk_costs_the_history_its_trials_and_nothing_else() {
    const KIB: [u64; 6] = [0, 36, 48, 60, 72, 240];
    let desk = desk();
    desk.call(&["run", "boots.yaml"]).exits(0);
    let script = format!(
        "
        mkdir small && mount -t tmpfs -o size=480k none small
        for room in {}; do
            cp .brickproof/history.sqlite small/
            dd if=/dev/zero of=small/filling bs=4k 2>dd || true
            truncate -s -${{room}}k small/filling
            $BRICKPROOF run boots.yaml --history small/history.sqlite --report report-$room && echo exit 0 || echo exit $?
            rm small/filling
            $BRICKPROOF history --history small/history.sqlite --format json
            rm small/history*
        done",
        KIB.map(|room| room.to_string()).join(" ")
    );
    let Some(called) = with_own_file_systems(&desk, &script) else { return };
    called.exits(0);
    let exits: Vec<&str> = called.out.lines().filter_map(|line| line.strip_prefix("exit ")).collect();
    assert_eq!((exits.len(), exits[0], exits[5]), (6, "3", "0"), "{}", called.err);
    for room in KIB {
        assert_eq!(ids(&desk.json(&format!("report-{room}/results.json"))).len(), 2);
    }
    assert_eq!(called.out.matches("2 passed of 2 trials").count(), 6, "{}", called.out);
    let missing = |told: &str| -> u64 {
        assert!(told.contains(" of this run could not be kept in the history: "), "{told}");
        assert!(told.contains("the disk is full") && told.contains("make room"), "{told}");
        let number = told.strip_prefix("error: ").and_then(|it| it.split(' ').next()).expect(told);
        number.parse().expect(told)
    };
    let mut missing = called.err.lines().map(missing);
    let wanted: Vec<u64> =
        exits.iter().map(|it| 4 - if *it == "0" { 0 } else { missing.next().expect("it is told") }).collect();
    assert_eq!(missing.next(), None, "{}", called.err);
    let counted = called.out.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
    let counted: Vec<u64> = counted.filter_map(|it| it["all"]["passed"].as_u64()).collect();
    assert_eq!(counted, wanted, "what is not told to be missing is there: {}", called.err);
    assert!(called.err.contains("could not be written"), "it was met in the middle, too: {}", called.err);
}

#[test]
fn a_history_whose_folder_may_not_be_written_is_told_and_a_copy_can_be_read() {
    let desk = desk();
    desk.call(&["run", "boots.yaml"]).exits(0);
    let script = "
        cp -r .brickproof kept
        mount --bind kept kept && mount -o remount,bind,ro kept
        $BRICKPROOF run boots.yaml --history kept/history.sqlite --report report && exit 90 || echo exit $?
        $BRICKPROOF history --history kept/history.sqlite && exit 91 || echo exit $?
        cp kept/history.sqlite copy.sqlite
        $BRICKPROOF history --history copy.sqlite --format json";
    let Some(called) = with_own_file_systems(&desk, script) else { return };
    called.exits(0);
    assert!(called.out.contains("2 passed of 2 trials") && called.out.contains("exit 3\nexit 2\n"), "{}", called.out);
    assert_eq!(ids(&desk.json("report/results.json")).len(), 2);
    let told = error_of(&called);
    assert!(told.contains("kept/history.sqlite") && told.contains("whether its folder may be written"), "{told}");
    assert!(called.err.contains("a copy in another folder can be read with --history FILE"), "{}", called.err);
    assert!(called.out.contains(r#""passed":2"#), "{}", called.out);
}

#[test]
fn who_has_it_locked_for_a_while_costs_the_history_nothing() {
    let desk = desk();
    desk.call(&["run", "boots.yaml"]).exits(0);
    let other = rusqlite::Connection::open(desk.path(".brickproof/history.sqlite")).expect("it is there");
    other.execute_batch("BEGIN IMMEDIATE").expect("nobody writes");
    let mut run = desk.command(&["run", "boots.yaml", "--report", "report"]);
    let run = run.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("the command was built");
    // Longer than a run takes that waits for nobody.
    std::thread::sleep(Duration::from_secs(3));
    assert_eq!(passed(&desk), 2, "who only reads is not kept out");
    other.execute_batch("COMMIT").expect("it is its own");
    let called: Called = run.wait_with_output().expect("it is our child").into();
    called.exits(0);
    assert_eq!((called.err.as_str(), passed(&desk)), ("", 4));
}

#[test]
fn several_runs_write_one_history_and_reports_are_read_meanwhile() {
    let desk = desk();
    let words = |number: usize| [vec!["run", "boots.yaml", "--report"], vec![["a", "b", "c", "d"][number]]].concat();
    let runs: Vec<_> = (0..4)
        .map(|number| {
            let mut command = desk.command(&words(number));
            command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("the command was built")
        })
        .collect();
    let mut seen = 0;
    let ended = |desk: &Desk| ["a", "b", "c", "d"].iter().all(|it| desk.path(it).join("results.json").exists());
    while !ended(&desk) {
        for report in ["rates", "flaky", "runs"] {
            let called = desk.call(&["history", report, "--format", "json"]);
            // At the very beginning there is none.
            assert!(called.exit == Some(0) || called.err.contains("there is no history"), "{}", called.err);
        }
        if desk.call(&["history"]).exit == Some(0) {
            let now = passed(&desk);
            assert!(now >= seen, "what was there once stays: {seen}, then {now}");
            seen = now;
        }
    }
    for run in runs {
        let called: Called = run.wait_with_output().expect("it is our child").into();
        called.exits(0);
        assert_eq!(called.err, "");
    }
    assert_eq!(passed(&desk), 8);
}
