//! How trials end: cleaned up and safe, whatever happened.

use brickproof_trial::{Command, Happening, VerdictKind};

use crate::station::{Reply, Station, answers, at};

const TIDY: &str =
    "steps:\n  - expect: { console: up, within: 1s }\ncleanup:\n  - cloud: genuine\n  - wait: 1s\n  - supply: off\n";

/// What was asked after the steps.
fn cleaned_up(station: &Station) -> bool {
    let asked: Vec<&Command> = station.asked.iter().rev().take(3).collect();
    matches!(asked[..], [Command::MakeSafe, Command::Supply(_), Command::Cloud(_)])
}

#[test]
fn cleanup_runs_whatever_happened() {
    let passed = Station::new(TIDY).line(10, "up").run();
    let failed = Station::new(TIDY).run();
    let rule = answers!(Command::Provision => Reply::Refusal);
    let in_error = Station::with_rule(TIDY, rule).run();
    let mut aborted = Station::new(TIDY).run_until(500);
    aborted.trial.abort("interrupted");
    let aborted = aborted.run();
    for (station, outcome) in
        [(passed, "passed"), (failed, "failed, firmware"), (in_error, "error, bench"), (aborted, "inconclusive, bench")]
    {
        assert_eq!(station.outcome(), outcome);
        assert!(cleaned_up(&station), "{outcome}: {:?}", station.asked);
        let waited = station.trial.now().since(station.verdict().at);
        assert_eq!(waited, brickproof_units::Span::secs(1), "{outcome}");
    }
}

#[test]
fn there_is_no_verdict_before_the_station_is_safe() {
    let mut station = Station::new(TIDY).line(10, "up").run_until(500);
    assert_eq!(station.happened(|it| matches!(it, Happening::Verdict(_))), 1, "it is decided");
    assert_eq!(station.trial.verdict(), None, "but not over");
    while station.step() {}
    assert_eq!(station.verdict().kind, VerdictKind::Passed);
    assert_eq!(station.trial.next_wake(), None);
}

#[test]
fn a_station_that_cannot_be_made_safe_is_an_error_that_keeps_what_was_found() {
    let rule = answers!(Command::MakeSafe => Reply::Refusal);
    insta::assert_snapshot!(Station::with_rule(TIDY, rule).run().account());
    let unanswered = answers!(Command::MakeSafe => Reply::Silence);
    let station = Station::with_rule(TIDY, unanswered).line(10, "up").run();
    assert_eq!(station.outcome(), "error, bench");
    assert_eq!(station.trial.now(), at(31_010));
    assert_eq!(station.happened(|it| matches!(it, Happening::Verdict(_))), 2, "the first one was not the last");
}

#[test]
fn a_cleanup_that_fails_is_an_error_and_the_rest_of_it_still_runs() {
    let rule = answers!(Command::Supply(_) => Reply::Refusal);
    let station = Station::with_rule(TIDY, rule).line(10, "up").run();
    assert!(cleaned_up(&station));
    insta::assert_snapshot!(station.account());
}

#[test]
fn an_abort_leaves_the_station_safe_and_decides_nothing() {
    let mut station = Station::new(TIDY).run_until(500);
    station.trial.abort("interrupted by the operator");
    assert_eq!(station.trial.verdict(), None);
    let station = station.run();
    insta::assert_snapshot!(station.account());
    assert!(matches!(station.asked.last(), Some(Command::MakeSafe)));
}

#[test]
fn an_abort_while_cleaning_up_skips_the_waiting_and_nothing_else() {
    let mut station = Station::new(&TIDY.replace("wait: 1s", "wait: 100000h")).line(10, "up").run_until(500);
    let interrupted = station.trial.now();
    station.trial.abort("once more");
    let station = station.run();
    assert_eq!(station.outcome(), "passed");
    assert!(cleaned_up(&station), "{:?}", station.asked);
    assert_eq!(station.trial.now(), interrupted);
}

#[test]
fn an_abort_after_the_verdict_changes_nothing() {
    let mut station = Station::new(TIDY).line(10, "up").run_until(500);
    station.trial.abort("too late");
    let mut station = station.run();
    station.trial.abort("much too late");
    assert_eq!(station.outcome(), "passed");
}
