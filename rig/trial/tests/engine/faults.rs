//! Faults: when they strike, what is recorded of them, and what becomes of a trial whose fault did not come.

use brickproof_trial::{Command, Happening, StepVerdict};
use brickproof_units::{Span, Voltage};

use crate::station::{Light, Reply, Station, answers, at};

const ON_ERASE: &str = "steps:\n  - on: { console: erasing, within: 5s }\n    fault: { brown_out: { after: 12.4ms, \
                        rail: 3V3, floor: 1.2V, fall: 50us/V, hold: 200ms } }\n  - wait: 1s\n";

#[test]
fn a_fault_strikes_after_its_cause_and_is_recorded_as_asked_and_as_achieved() {
    let station = Station::new(ON_ERASE).line(2_000, "erasing key page").run();
    assert_eq!(station.outcome(), "passed");
    let [fault] = station.trial.faults() else { panic!("one fault") };
    assert_eq!((fault.step, fault.triggered), (1, at(2_000)));
    assert_eq!(fault.asked.at, at(2_000) + Span::micros(12_400));
    let achieved = fault.achieved.expect("it happened");
    assert_eq!((achieved.began, achieved.lowest), (fault.asked.at, Voltage::new(1_200_000)));
    assert_eq!(station.happened(|it| matches!(it, Happening::Triggered { step: 1 })), 1);
}

#[test]
fn a_fault_without_a_cause_strikes_at_once() {
    let station = Station::new("steps:\n  - wait: 1s\n  - fault: { power_cut: { after: 5ms, hold: 1s } }\n").run();
    assert_eq!(station.trial.faults()[0].asked.at, at(1_005));
    assert_eq!(station.outcome(), "passed");
}

#[test]
fn a_light_can_set_a_fault_off_and_the_past_is_never_asked_for() {
    let body = "steps:\n  - on: { light: { solid: red }, within: 5s }\n    fault: { power_cut: { hold: 10ms } }\n";
    let station = Station::new(body).light(0..1_000, Light::Green).light(1_000..3_000, Light::Red).run();
    assert_eq!(station.outcome(), "passed");
    let fault = &station.trial.faults()[0];
    assert!(fault.asked.at >= at(1_000) && fault.asked.at < at(2_500), "{:?}", fault.asked);
    let seen = station.trial.timeline().events.iter().find(|it| matches!(it.what, Happening::Triggered { .. }));
    assert_eq!(seen.map(|it| it.at), Some(fault.asked.at), "what is asked lies not before it is known");
}

#[test]
fn a_cause_that_does_not_come_from_a_living_board_is_the_scenarios_mistake() {
    let station = Station::new(ON_ERASE).line(1_000, "erased key page").line(2_000, "going on").run();
    assert!(station.trial.faults().is_empty());
    assert_eq!(station.steps(), "error not_run");
    insta::assert_snapshot!(station.account());
}

#[test]
fn a_cause_that_does_not_come_from_a_silent_board_is_the_firmwares_failure() {
    let station = Station::new(ON_ERASE).run();
    insta::assert_snapshot!(station.account());
}

#[test]
fn a_fault_that_missed_its_floor_is_the_benchs_failure() {
    let station = Station::with_rule(ON_ERASE, answers!(Command::Inject(_) => Reply::Lowest(Voltage::new(1_900_000))));
    let station = station.line(2_000, "erasing").run();
    assert_eq!(station.trial.faults()[0].achieved.map(|it| it.lowest), Some(Voltage::new(1_900_000)));
    insta::assert_snapshot!(station.account());
}

#[test]
fn a_floor_that_is_missed_by_little_is_the_fault_that_was_asked_for() {
    let station = Station::with_rule(ON_ERASE, answers!(Command::Inject(_) => Reply::Lowest(Voltage::new(1_240_000))));
    assert_eq!(station.line(2_000, "erasing").run().outcome(), "passed");
}

/// A cut that may be 5 ms off, and is so late, with the instant known to a millisecond.
fn tolerant(late: crate::station::Rule, expected: &str) -> Station {
    let body = "steps:\n  - on: { console: erasing, within: 5s }\n    fault: { power_cut: { after: 12ms, tolerance: 5ms, hold: 200ms } }\n  \
                - wait: 1s\n";
    let station = Station::with_rule(body, late).line(2_000, "erasing").run();
    assert_eq!(station.outcome(), expected);
    station
}

#[test]
fn a_fault_that_struck_outside_its_tolerance_is_discarded_whatever_the_board_did() {
    let late = answers!(Command::Inject(_) => Reply::Late(Span::millis(5)));
    let station = tolerant(late, "inconclusive, bench");
    assert!(station.trial.was_discarded());
    assert_eq!(station.trial.faults()[0].beyond_tolerance(), Some(Span::millis(6)));
    assert_eq!(station.steps(), "error not_run");
    insta::assert_snapshot!(station.account());
}

#[test]
fn a_fault_that_struck_within_its_tolerance_is_judged() {
    let station = tolerant(answers!(Command::Inject(_) => Reply::Late(Span::millis(4))), "passed");
    assert!(!station.trial.was_discarded());
    assert_eq!(station.trial.faults()[0].beyond_tolerance(), None);
}

#[test]
fn a_fault_that_strikes_a_board_without_power_was_not_made() {
    for fault in [
        "power_cut: { hold: 10ms }",
        "load_step: { current: 300mA, hold: 10ms }",
        "brown_out: { rail: 3V3, floor: 0V, fall: 50us/V, hold: 200ms }",
    ] {
        let body = format!("steps:\n  - wait: 1s\n  - fault: {{ {fault} }}\n");
        let dark = Station::new(&body).rail(0..1_000, Voltage::new(0)).run();
        assert_eq!(dark.outcome(), "error, scenario", "{fault}");
        assert!(dark.verdict().reason.contains("no power when it struck"), "{}", dark.verdict().reason);
        let fed = Station::new(&body).rail(0..1_000, Voltage::new(3_300_000)).run();
        assert_eq!(fed.outcome(), "passed", "{fault}");
    }
}

#[test]
fn a_cut_that_the_board_did_not_feel_was_not_made() {
    let body =
        "steps:\n  - fault: { power_cut: { hold: 1us } }\n  - expect: { console: up, within: 1s }\noutcome: bricked\n";
    let station = Station::with_rule(body, answers!(Command::Inject(_) => Reply::Unfelt)).run();
    insta::assert_snapshot!(station.account());
}

#[test]
fn a_slow_shape_has_the_time_that_it_takes() {
    let body = "steps:\n  - fault: { brown_out: { rail: 3V3, floor: 1.2V, fall: 20s/V, hold: 200ms } }\n";
    let lost = Station::with_rule(body, answers!(Command::Inject(_) => Reply::Silence)).run();
    // 2.4 V down from the rail's maximum and up again, and the deadline of every request.
    assert_eq!(lost.verdict().at, at(2 * 48_000 + 200 + 30_000));
}

#[test]
fn a_load_step_must_reach_what_it_was_asked_to() {
    let body = |reaches: &str| {
        format!("steps:\n  - fault: {{ load_step: {{ current: 300mA, hold: 10ms, reaches: {reaches} }} }}\n")
    };
    assert_eq!(Station::new(&body("1.7V")).run().outcome(), "passed");
    let station = Station::new(&body("1.2V")).run();
    assert_eq!(station.outcome(), "error, bench");
    assert!(station.verdict().reason.contains("fell to 1.5V, not to 1.2V"), "{}", station.verdict().reason);
}

#[test]
fn a_fault_that_fails_or_is_not_proven_is_the_benchs_failure() {
    let with = |rule| Station::with_rule(ON_ERASE, rule).line(2_000, "erasing").run();
    let refused = with(answers!(Command::Inject(_) => Reply::Refusal));
    let unproven = with(answers!(Command::Inject(_) => Reply::BareDone));
    let lost = with(answers!(Command::Inject(_) => Reply::Silence));
    for station in [&refused, &unproven, &lost] {
        assert_eq!(station.outcome(), "error, bench");
        assert_eq!(station.trial.faults()[0].achieved, None, "what did not happen was not achieved");
        assert_eq!(station.trial.steps()[0].verdict, StepVerdict::Error);
    }
    insta::assert_snapshot!(format!("{}\n\n{}\n\n{}", refused.account(), unproven.account(), lost.account()));
}
