//! Bricks that a scenario expects: they must come, after the harm, in the way that is meant, and by the firmware's fault.

use brickproof_trial::Command;

use crate::station::{Reply, Station, answers};

const BRICK: &str = "steps:\n  - expect: { console: up, within: 1s }\n  - corrupt: { slot: server_public, class: blank }\n  \
                     - expect: { console: up, within: 5s }\noutcome: { bricked: { shows: [{ console: -7b00 }] } }\n";

#[test]
fn the_brick_that_is_meant_passes_and_says_what_it_looked_like() {
    let station = Station::new(BRICK).line(500, "up").line(2_000, "handshake failed -7b00").run();
    assert_eq!(station.steps(), "passed passed failed");
    insta::assert_snapshot!(station.account());
}

#[test]
fn a_brick_that_does_not_come_is_a_failure() {
    let station = Station::new(BRICK).line(500, "up").line(2_000, "handshake failed -7b00").line(3_000, "up").run();
    insta::assert_snapshot!(station.account());
}

#[test]
fn a_brick_without_what_it_must_show_is_a_failure() {
    insta::assert_snapshot!(Station::new(BRICK).line(500, "up").line(2_000, "handshake failed -6800").run().account());
}

#[test]
fn what_was_shown_before_the_harm_does_not_count() {
    let station = Station::new(BRICK).line(100, "handshake failed -7b00").line(500, "up").run();
    assert_eq!(station.outcome(), "failed, firmware");
}

#[test]
fn a_failure_before_any_harm_is_no_brick() {
    let station = Station::new(BRICK).line(500, "handshake failed -7b00").run();
    assert_eq!((station.outcome().as_str(), station.steps().as_str()), ("failed, firmware", "failed not_run not_run"));
    assert!(!station.verdict().reason.contains("brick"), "{}", station.verdict().reason);
}

#[test]
fn a_forbidden_sight_is_not_the_brick_that_was_expected() {
    let body = format!("throughout:\n  - not: {{ console: panic }}\n{BRICK}");
    let station = Station::new(&body).line(500, "up").line(2_000, "handshake failed -7b00").line(3_000, "panic").run();
    assert_eq!(station.outcome(), "failed, firmware");
    assert!(station.verdict().reason.starts_with("a brick was expected, but not in this way"));
}

#[test]
fn no_brick_is_told_while_the_cloud_is_silent_by_order() {
    let body = BRICK.replace(
        "  - expect: { console: up, within: 5s }",
        "  - cloud: silent\n  - expect: { console: up, within: 5s }",
    );
    let station = Station::new(&body).line(500, "up").line(2_000, "handshake failed -7b00").run();
    assert_eq!(station.outcome(), "error, scenario");
    assert!(station.verdict().reason.starts_with("no brick can be told"), "{}", station.verdict().reason);
}

#[test]
fn nothing_is_survived_where_nothing_could_harm() {
    let body = "steps:\n  - fault: { load_step: { current: 300mA, hold: 10ms } }\n  \
                - expect: { console: up, within: 1s }\noutcome: bricked\n";
    let station = Station::with_rule(body, answers!(Command::Inject(_) => Reply::Unfelt));
    insta::assert_snapshot!(station.clone().line(500, "up").run().account());
    assert_eq!(station.run().outcome(), "failed, firmware", "what goes wrong without harm is no brick");
}

#[test]
fn a_bench_that_fails_is_no_brick() {
    let body = "steps:\n  - corrupt: { slot: server_public, class: blank }\n  - send: hello\n  \
                - expect: { console: up, within: 1s }\noutcome: bricked\n";
    let rule = answers!(Command::Send(_) => Reply::Refusal);
    assert_eq!(Station::with_rule(body, rule).run().outcome(), "error, bench");
    let silent = "steps:\n  - corrupt: { slot: server_public, class: blank }\n  \
                  - expect: { light: cloud_connected, within: 10s }\noutcome: bricked\n";
    assert_eq!(Station::new(silent).hello(1_000, false).run().outcome(), "error, bench");
}
