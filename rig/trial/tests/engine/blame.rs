//! Whose fault it is. The board comes last.

use brickproof_cloud::{CloudEvent, Rejection};
use brickproof_trial::Command;

use brickproof_units::Voltage;

use crate::station::{Reply, Rule, Station, answers, at, key};

const CONNECT: &str = "steps:\n  - expect: { light: cloud_connected, within: 10s }\n";

#[test]
fn a_genuine_cloud_that_does_not_answer_is_the_benchs_failure() {
    insta::assert_snapshot!(Station::new(CONNECT).hello(1_000, false).run().account());
}

#[test]
fn not_even_a_missing_line_is_held_against_a_board_that_gets_no_answer() {
    let body = "steps:\n  - expect: { console: Cloud connected, within: 10s }\n";
    assert_eq!(Station::new(body).hello(1_000, false).run().outcome(), "error, bench");
}

#[test]
fn a_cloud_that_is_silent_by_order_is_the_scenarios_mistake() {
    let body = format!("cloud: silent\n{CONNECT}");
    insta::assert_snapshot!(Station::new(&body).hello(1_000, false).run().account());
    let by_step = "steps:\n  - cloud: silent\n  - expect: { light: cloud_connected, within: 10s }\n";
    assert_eq!(Station::new(by_step).hello(1_000, false).run().outcome(), "error, scenario");
}

#[test]
fn an_ordered_cloud_fault_is_the_scenarios_whatever_was_waited_for() {
    for step in [
        "expect: { console: Cloud connected, within: 10s }",
        "expect: { light: { colour: cyan, breathe: 4s }, within: 10s }",
        "measure: { boot: { until: { console: Cloud connected }, within: 10s } }",
    ] {
        let body = format!("cloud: silent\nsteps:\n  - {step}\n");
        assert_eq!(Station::new(&body).hello(1_000, false).run().outcome(), "error, scenario", "{step}");
        assert_eq!(Station::new(&body).run().outcome(), "failed, firmware", "{step}: it did not even try");
    }
    let never = "cloud: silent\nsteps:\n  - never: { console: erasing, for: 10s }\n";
    let station = Station::new(never).hello(1_000, false).line(2_000, "erasing key page").run();
    assert_eq!(station.outcome(), "failed, firmware", "nothing that was ordered made it do that");
}

#[test]
fn an_answer_that_the_scenario_delays_beyond_the_deadline_is_the_scenarios_mistake() {
    let body = format!("cloud: {{ behaviour: genuine, latency: 12s }}\n{CONNECT}");
    insta::assert_snapshot!(Station::new(&body).cloud(1_000, CloudEvent::LinkOpened).run().account());
}

#[test]
fn a_silence_that_is_ordered_only_later_excuses_nobody_now() {
    let body = format!("{CONNECT}  - cloud: silent\n");
    assert_eq!(Station::new(&body).hello(1_000, false).run().outcome(), "error, bench");
}

#[test]
fn a_board_that_does_not_try_again_when_the_cloud_is_back_has_failed() {
    let body = "cloud: silent\nsteps:\n  - wait: 2s\n  - cloud: genuine\n  - expect: { light: cloud_connected, within: 30s }\n";
    assert_eq!(Station::new(body).hello(1_000, false).run().outcome(), "failed, firmware");
}

#[test]
fn an_impostor_by_order_is_rightly_refused() {
    let body = format!("cloud: wrong\n{CONNECT}");
    assert_eq!(Station::new(&body).hello(1_000, true).run().outcome(), "error, scenario");
}

#[test]
fn a_board_that_refuses_the_genuine_cloud_has_failed() {
    insta::assert_snapshot!(Station::new(CONNECT).hello(1_000, true).run().account());
}

#[test]
fn a_board_that_is_rejected_has_failed() {
    let rejected = CloudEvent::Rejected { fingerprint: key(9), reason: Rejection::UnknownIdentity };
    insta::assert_snapshot!(Station::new(CONNECT).hello(1_000, true).cloud(1_100, rejected).run().account());
}

#[test]
fn a_board_without_power_is_not_blamed() {
    let (dark, good) = (Voltage::new(0), Voltage::new(3_300_000));
    let expect = "expect: { console: up, within: 10s }";
    let unfed = Station::new(&format!("steps:\n  - {expect}\n")).rail(0..1, dark).run();
    insta::assert_snapshot!(unfed.account());
    for (supply, outcome) in [
        ("off", "error, scenario"),
        ("{ bench: { voltage: 5V, current_limit: 1mA } }", "error, scenario"),
        ("{ battery: { cell: 1200mAh, charge: 0% } }", "error, scenario"),
        ("{ usb: 5V }", "error, bench"),
    ] {
        let body = format!("steps:\n  - supply: {supply}\n  - {expect}\n");
        let station = Station::new(&body).rail(0..1, dark);
        assert_eq!(station.clone().run().outcome(), outcome, "{supply}");
        let dipped = station.clone().rail(5..6, good).rail(3_000..3_001, dark).rail(3_001..3_002, good).run();
        assert_eq!(dipped.outcome(), outcome, "{supply}: it was short for a moment");
        let came_up = station.rail(5..6, good).run();
        assert_eq!(came_up.outcome(), "failed, firmware", "{supply}: it had its power");
    }
    let cut = format!("steps:\n  - fault: {{ power_cut: {{}} }}\n  - {expect}\n");
    let cut = Station::new(&cut).rail(0..1, good).rail(20..21, dark).run();
    assert_eq!(cut.outcome(), "error, scenario");
    let trigger = "steps:\n  - on: { console: up, within: 5s }\n    fault: { power_cut: { hold: 1s } }\n";
    assert_eq!(Station::new(trigger).rail(0..1, dark).run().outcome(), "error, scenario");
}

#[test]
fn an_instrument_that_fails_is_the_benchs_failure() {
    let cases: [(&str, Rule); 7] = [
        ("supply: { usb: 5V }", answers!(Command::Supply(_) => Reply::Refusal)),
        ("send: hello", answers!(Command::Send(_) => Reply::Refusal)),
        ("reset: pin", answers!(Command::Reset { .. } => Reply::Refusal)),
        ("press: { button: mode, for: 3s }", answers!(Command::Press { .. } => Reply::Refusal)),
        ("corrupt: { slot: server_public, class: blank }", answers!(Command::Corrupt { .. } => Reply::Refusal)),
        ("expect: { slot: server_public, is: old }", answers!(Command::ReadSlot { .. } => Reply::Refusal)),
        ("measure: { sag: { lowest: 3V3, during: 1s } }", answers!(Command::ReadSupply { .. } => Reply::Refusal)),
    ];
    for (step, rule) in cases {
        let station = Station::with_rule(&format!("steps:\n  - {step}\n"), rule).run();
        assert_eq!(station.outcome(), "error, bench", "{step}");
        assert_eq!(station.verdict().reason, "the instrument failed to obey: the cable is off", "{step}");
        assert!(matches!(station.asked.last(), Some(Command::MakeSafe)), "{step}");
    }
}

#[test]
fn a_board_that_cannot_be_provisioned_is_not_judged() {
    let rule = answers!(Command::Provision => Reply::Refusal);
    let station = Station::with_rule("steps:\n  - wait: 1s\n", rule).run();
    assert_eq!((station.outcome().as_str(), station.steps().as_str()), ("error, bench", "not_run"));
}

#[test]
fn what_is_never_answered_ends_in_time_and_is_the_benchs_failure() {
    let silent = |rule: Rule, body: &str| Station::with_rule(body, rule).run();
    let send = silent(answers!(Command::Send(_) => Reply::Silence), "steps:\n  - send: hello\n");
    assert_eq!(send.verdict().at, at(30_000));
    let provision = silent(answers!(Command::Provision => Reply::Silence), "steps:\n  - wait: 1s\n");
    let slot = silent(
        answers!(Command::ReadSlot { .. } => Reply::Silence),
        "steps:\n  - expect: { slot: server_public, is: old, within: 1s }\n",
    );
    for station in [&send, &provision, &slot] {
        assert_eq!(station.outcome(), "error, bench");
    }
    insta::assert_snapshot!(format!("{}\n\n{}\n\n{}", send.account(), provision.account(), slot.account()));
}

#[test]
fn of_earlier_lines_those_accompany_a_verdict_that_complain_in_their_level_and_not_only_in_their_words() {
    let body = "steps:\n  - expect: { console: Cloud connected, within: 10s }\n";
    let station = Station::new(body)
        .line(1_000, "0000001000 [app] ERROR: no sensor")
        .line(1_100, "ERROR in a line of no log")
        .line(1_200, "0000001200 [app] INFO: 0 WARNINGS, no ERROR, no PANIC")
        .line(1_300, "0000001300 [app] INFO: one")
        .line(1_400, "0000001400 [app] INFO: two")
        .run();
    let told = &station.verdict().evidence;
    let console: Vec<&str> = told.iter().filter(|it| it.kind == "console").map(|it| it.text.as_str()).collect();
    let complaints = ["0000001000 [app] ERROR: no sensor", "ERROR in a line of no log"];
    assert_eq!(console, [complaints[0], complaints[1], "0000001300 [app] INFO: one", "0000001400 [app] INFO: two"]);
}
