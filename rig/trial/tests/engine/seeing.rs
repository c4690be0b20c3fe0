//! What must come, what must stay, what must not come, and what is measured.

use brickproof_cloud::CloudEvent;
use brickproof_scenario::plan::{Edge, SlotContent};
use brickproof_trial::{Command, Happening, MeasuredValue, Observation};
use brickproof_units::{Current, Span, Voltage};

use crate::station::{Light, Reply, Station, answers, at, key};

const GREEN_FOR_2S: &str = "steps:\n  - expect: { light: { solid: green }, within: 3s, holds: 2s }\n";

#[test]
fn a_line_that_comes_in_time_passes() {
    let station = Station::new("steps:\n  - expect: { console: ready, within: 5s }\n").line(4_999, "I am ready").run();
    assert_eq!(station.outcome(), "passed");
    assert_eq!(station.steps(), "passed");
}

#[test]
fn a_line_at_the_last_instant_counts_and_one_after_it_does_not() {
    let body = "steps:\n  - expect: { console: ready, within: 5s }\n";
    let seen = Observation::Console(b"ready".into());
    assert_eq!(Station::new(body).observe(5_000, seen.clone()).run().outcome(), "passed");
    assert_eq!(Station::new(body).observe(5_001, seen).run().outcome(), "failed, firmware");
}

#[test]
fn a_line_that_does_not_come_is_told_with_the_nearest_one() {
    let station = Station::new("steps:\n  - expect: { console: Cloud connected, within: 5s }\n")
        .line(1_000, "0000001000 [app] INFO: hello")
        .line(2_000, "0000002000 [system] INFO: Cloud disconnected")
        .line(3_000, "0000003000 [app] ERROR: out of tea")
        .line(4_000, "0000004000 [app] INFO: waiting")
        .line(4_500, "0000004500 [app] INFO: still waiting")
        .run();
    insta::assert_snapshot!(station.account());
}

#[test]
fn one_line_does_not_serve_two_steps() {
    let body = "steps:\n  - expect: { console: boot, within: 1s }\n  - expect: { console: boot, within: 1s }\n";
    let once = Station::new(body).line(100, "boot").run();
    assert_eq!((once.outcome().as_str(), once.steps().as_str()), ("failed, firmware", "passed failed"));
    assert_eq!(Station::new(body).line(100, "boot boot").run().outcome(), "passed");
}

#[test]
fn what_was_printed_before_the_step_does_not_count_even_in_the_same_chunk() {
    let body = "steps:\n  - expect: { console: first, within: 1s }\n  - expect: { console: second, within: 1s }\n";
    assert_eq!(Station::new(body).line(100, "first second").run().outcome(), "passed");
    assert_eq!(Station::new(body).line(100, "second first").run().outcome(), "failed, firmware");
}

#[test]
fn a_light_must_hold_from_when_it_came() {
    let station = Station::new(GREEN_FOR_2S).light(0..1_000, Light::Red).light(1_000..5_000, Light::Green).run();
    assert_eq!(station.outcome(), "passed");
    let ended = station.trial.steps()[0].ran.map(|(_, ended)| ended).unwrap();
    assert!(ended >= at(2_950) && ended <= at(3_100), "{ended}");
}

#[test]
fn a_hold_may_reach_past_the_deadline() {
    let station = Station::new(GREEN_FOR_2S).light(0..1_500, Light::Red).light(1_500..6_000, Light::Green).run();
    assert_eq!(station.outcome(), "passed");
    let ended = station.trial.steps()[0].ran.map(|(_, ended)| ended).unwrap();
    assert!(ended >= at(3_450), "past the deadline: {ended}");
}

#[test]
fn a_broken_hold_that_is_regained_in_time_passes() {
    let station = Station::new(GREEN_FOR_2S)
        .light(0..1_000, Light::Green)
        .light(1_000..1_500, Light::Red)
        .light(1_500..5_000, Light::Green)
        .run();
    assert_eq!(station.outcome(), "passed");
    let ended = station.trial.steps()[0].ran.map(|(_, ended)| ended).unwrap();
    assert!(ended >= at(3_450), "the first second does not count: {ended}");
}

#[test]
fn a_hold_that_breaks_after_the_deadline_fails_and_says_that_it_came() {
    let station = Station::new(GREEN_FOR_2S)
        .light(0..2_000, Light::Red)
        .light(2_000..3_500, Light::Green)
        .light(3_500..8_000, Light::Red)
        .run();
    insta::assert_snapshot!(station.account());
}

#[test]
fn a_rail_holds_while_every_reading_is_on_its_side() {
    let body = "steps:\n  - supply: { usb: 5V }\n  - expect: { rail: 3V3, above: 3V, within: 1s, holds: 500ms }\n";
    let good = Voltage::new(3_300_000);
    let dip = Voltage::new(2_900_000);
    assert_eq!(Station::new(body).rail(0..2_000, good).run().outcome(), "passed");
    let dipped = Station::new(body).rail(0..300, good).rail(300..301, dip).rail(301..2_000, good).run();
    assert_eq!(dipped.outcome(), "passed");
    assert_eq!(dipped.trial.steps()[1].ran.map(|(_, ended)| ended), Some(at(801)));
    let broken = Station::new(body).rail(0..300, good).rail(300..3_000, dip).run();
    assert_eq!(broken.outcome(), "error, bench", "the supply is the bench's");
}

#[test]
fn a_supply_that_is_not_read_is_the_benchs_failure() {
    for body in [
        "steps:\n  - expect: { rail: 3V3, below: 1V, within: 1s }\n",
        "steps:\n  - never: { rail: 3V3, below: 1V, for: 1s }\n",
        "steps:\n  - measure: { sag: { lowest: 3V3, during: 1s } }\n",
    ] {
        let station = Station::new(body).run();
        assert_eq!(station.outcome(), "error, bench", "{body}");
        assert!(station.verdict().reason.contains("no reading came"), "{}", station.verdict().reason);
    }
}

#[test]
fn a_supply_is_read_only_as_long_as_somebody_looks() {
    let body = "steps:\n  - expect: { rail: 3V3, above: 3V, within: 1s }\n  - wait: 1s\n";
    let station = Station::new(body).rail(0..10, Voltage::new(3_300_000)).run();
    let readings: Vec<_> = station.asked.iter().filter(|it| matches!(it, Command::ReadSupply { .. })).collect();
    let expected = [Command::ReadSupply { every: Some(Span::millis(1)) }, Command::ReadSupply { every: None }];
    assert_eq!(readings, expected.iter().collect::<Vec<_>>());
}

#[test]
fn what_must_never_come_is_watched_to_the_end_of_its_time() {
    let body = "steps:\n  - never: { console: reboot, for: 2s }\n";
    assert_eq!(Station::new(body).line(2_001, "reboot").run().outcome(), "passed");
    insta::assert_snapshot!(Station::new(body).line(1_999, "a reboot").run().account());
}

#[test]
fn throughout_is_watched_from_the_first_step_to_the_last_and_not_in_cleanup() {
    let body = "throughout:\n  - not: { console: panic }\nsteps:\n  - wait: 1s\n  - expect: { console: end, within: 5s }\n\
                cleanup:\n  - wait: 1s\n";
    assert_eq!(Station::new(body).line(2_000, "end").line(2_500, "panic").run().outcome(), "passed");
    let station = Station::new(body).line(500, "panic").run();
    assert_eq!(station.steps(), "failed not_run");
    insta::assert_snapshot!(station.account());
}

#[test]
fn a_rail_is_watched_throughout() {
    let body =
        "throughout:\n  - not: { rail: 3V3, below: 3V }\nsteps:\n  - supply: { usb: 5V }\n  - wait: 1s\n  - wait: 1s\n";
    let good = Voltage::new(3_300_000);
    let station = Station::new(body).rail(0..3_000, good).run();
    assert_eq!(station.outcome(), "passed");
    let asked = station.asked.iter().filter(|it| matches!(it, Command::ReadSupply { .. })).count();
    assert_eq!(asked, 2, "on once and off once");
    let sagged = Station::new(body).rail(0..1_500, good).rail(1_500..1_501, Voltage::new(2_500_000)).run();
    assert_eq!((sagged.outcome().as_str(), sagged.steps().as_str()), ("error, bench", "passed passed error"));
    insta::assert_snapshot!(sagged.account());
}

#[test]
fn an_edge_counts_in_its_direction_and_from_the_step_on() {
    let body = "steps:\n  - wait: 1s\n  - on: { line: radio, edge: rising, within: 1s }\n    fault: { power_cut: { hold: 10ms } }\n";
    let edge = |edge| Observation::Edge { line: "radio".into(), edge };
    let station = Station::new(body).observe(500, edge(Edge::Rising)).observe(1_500, edge(Edge::Falling)).run();
    assert!(station.trial.faults().is_empty(), "{}", station.account());
    let station = Station::new(body).observe(1_500, edge(Edge::Rising)).run();
    assert_eq!(station.trial.faults()[0].asked.at, at(1_500));
}

#[test]
fn any_of_several_will_do() {
    let body = "steps:\n  - expect: { any: [{ console: north }, { console: south }], within: 1s }\n";
    assert_eq!(Station::new(body).line(10, "south").run().outcome(), "passed");
    assert_eq!(Station::new(body).line(10, "east").run().outcome(), "failed, firmware");
}

#[test]
fn an_identity_is_the_one_of_the_last_connection() {
    let body = |accepts: &str| format!("steps:\n  - wait: 1s\n  - expect: {{ identity: {accepts} }}\n");
    let connected = |station: Station, millis: u64, it: u8| {
        station.cloud(millis, CloudEvent::LinkOpened).cloud(millis, CloudEvent::Connected { fingerprint: key(it) })
    };
    let rotated = |accepts: &str| {
        let station = connected(Station::new(&body(accepts)), 100, 1);
        let station = station.cloud(200, CloudEvent::KeyOffered { old: key(1), new: key(2) });
        connected(station, 300, 2).run()
    };
    assert_eq!(rotated("rotated").outcome(), "passed");
    assert_eq!(rotated("[unchanged, rotated]").outcome(), "passed");
    insta::assert_snapshot!(rotated("unchanged").account());
    assert_eq!(connected(Station::new(&body("unchanged")), 100, 1).run().outcome(), "passed");
    assert_eq!(Station::new(&body("unchanged")).run().outcome(), "failed, firmware", "never connected");
}

#[test]
fn a_slot_is_looked_up_before_it_is_judged() {
    let body = "steps:\n  - expect: { slot: device_private, is: [old, new] }\n";
    assert_eq!(Station::new(body).run().outcome(), "passed");
    let torn = Station::with_rule(body, answers!(Command::ReadSlot { .. } => Reply::Content(SlotContent::Torn)));
    insta::assert_snapshot!(torn.run().account());
}

#[test]
fn a_slot_is_read_again_until_it_holds_what_it_should() {
    let body = "steps:\n  - expect: { slot: device_private, is: new, within: 1s }\n";
    let station = Station::new(body).run();
    assert_eq!(station.outcome(), "failed, firmware");
    let reads = station.asked.iter().filter(|it| matches!(it, Command::ReadSlot { .. })).count();
    assert_eq!(reads, 11, "at once and every 100 ms up to the deadline");
}

#[test]
fn slots_are_told_apart() {
    let body = "steps:\n  - expect: { any: [{ slot: device_private, is: torn }, { slot: server_public, is: blank }], within: 1s }\n";
    let rule = |command: &Command| match command {
        Command::ReadSlot { slot } if slot.to_string() == "server_public" => Reply::Content(SlotContent::Blank),
        _ => Reply::Usual,
    };
    assert_eq!(Station::with_rule(body, rule).run().outcome(), "passed");
}

#[test]
fn a_slot_that_must_never_be_torn_is_read_all_the_while() {
    let body = "steps:\n  - never: { slot: device_private, is: torn, for: 1s }\n";
    assert_eq!(Station::new(body).run().outcome(), "passed");
    let torn = Station::with_rule(body, answers!(Command::ReadSlot { .. } => Reply::Content(SlotContent::Torn)));
    assert_eq!(torn.run().outcome(), "failed, firmware");
}

#[test]
fn a_time_is_measured_and_judged_by_its_limits() {
    let body = "steps:\n  - measure: { boot: { until: { console: up }, within: 10s, at_least: 2s, at_most: 4s } }\n";
    let took = |millis| Station::new(body).line(millis, "up").run();
    assert_eq!(took(3_000).outcome(), "passed");
    let fast = took(1_000);
    assert_eq!(fast.trial.measurements()[0].value, MeasuredValue::Span(Span::secs(1)));
    assert!(!fast.trial.measurements()[0].within_limits);
    insta::assert_snapshot!(fast.account());
    assert_eq!(took(4_000).outcome(), "passed", "a limit belongs to what it allows");
    assert_eq!(took(4_001).outcome(), "failed, firmware");
    assert_eq!(took(11_000).trial.measurements(), [], "what did not come has no value");
}

#[test]
fn the_lowest_voltage_is_that_of_its_step() {
    let body = "steps:\n  - supply: { usb: 5V }\n  - wait: 1s\n  - measure: { sag: { lowest: 3V3, during: 1s, at_least: 3V } }\n";
    let volts = Voltage::new;
    let station = Station::new(body).rail(0..1_000, volts(1_000_000)).rail(1_000..1_900, volts(3_200_000));
    let station = station.rail(1_900..1_901, volts(3_000_000)).run();
    assert_eq!(station.outcome(), "passed");
    assert_eq!(station.trial.measurements()[0].value, MeasuredValue::Voltage(volts(3_000_000)));
    let low = Station::new(body).rail(1_500..1_501, volts(2_999_999)).run();
    assert_eq!(low.outcome(), "error, bench", "the board has no say in its rail");
    let current = Current::new(20_000);
    assert_eq!(low.happened(|it| *it == Happening::Rail { voltage: volts(2_999_999), current }), 1);
}

/// A rail that comes up from 0 V at 1 s, and there falls to 2.5 V at 1.5 s.
fn rising_and_sagging(body: &str) -> Station {
    let volts = Voltage::new;
    let station = Station::new(body).rail(1_000..1_001, volts(0)).rail(1_001..1_003, volts(1_900_000));
    station.rail(1_003..1_500, volts(3_300_000)).rail(1_500..1_510, volts(2_500_000))
}

#[test]
fn a_rail_that_is_only_coming_up_is_not_complained_about() {
    for (what, rising, sagging) in [
        ("never: { rail: 3V3, below: 3V, for: 400ms }", "passed", "error, bench"),
        ("measure: { sag: { lowest: 3V3, during: 400ms, at_least: 3V } }", "passed", "error, bench"),
    ] {
        let ends = |wait: &str| {
            let body = format!("steps:\n  - wait: 1s\n  - supply: {{ usb: 5V }}\n{wait}  - {what}\n");
            rising_and_sagging(&body).run().outcome()
        };
        assert_eq!(ends(""), rising, "{what}");
        assert_eq!(ends("  - wait: 400ms\n"), sagging, "{what}");
    }
    let throughout = |cause: &str| {
        let body = format!(
            "throughout:\n  - not: {{ rail: 3V3, below: 3V }}\nsteps:\n  - wait: 1s\n  - supply: {{ usb: 5V }}\n  \
             - wait: 450ms\n  - {cause}\n  - wait: 100ms\n"
        );
        rising_and_sagging(&body).run().outcome()
    };
    assert_eq!(throughout("wait: 1ms"), "error, bench");
    assert_eq!(throughout("supply: off"), "passed", "it falls because it was switched off");
}

#[test]
fn a_current_that_does_not_come_is_told_with_the_one_that_is() {
    let body = "steps:\n  - expect: { current: { below: 1mA }, within: 1s }\n";
    insta::assert_snapshot!(Station::new(body).rail(0..1_500, Voltage::new(3_300_000)).run().account());
}

#[test]
fn a_rail_that_does_not_come_is_told_with_what_it_is() {
    let body = "steps:\n  - expect: { rail: 3V3, above: 3V, within: 1s }\n";
    insta::assert_snapshot!(Station::new(body).rail(0..1_500, Voltage::new(2_900_000)).run().account());
}

/// Whether the green light that was on before `step` still counts after it, if nothing is sampled from then on or if it stays.
fn leftover(step: &str) -> [String; 2] {
    let body = format!(
        "steps:\n  - expect: {{ light: {{ solid: green }}, within: 3s }}\n  - {step}\n  \
         - expect: {{ light: {{ solid: green }}, within: 5s }}\n"
    );
    [1_500, 9_000].map(|end| Station::new(&body).light(0..end, Light::Green).run().steps())
}

#[test]
fn the_light_of_before_does_not_count_after_the_board_was_switched_reset_or_struck() {
    for step in [
        "supply: off",
        "supply: { usb: 5V }",
        "reset: { hold: 1ms }",
        "fault: { power_cut: { hold: 10ms } }",
        "fault: { load_step: { current: 300mA, hold: 10ms } }",
    ] {
        let [gone, stays] = leftover(step);
        assert_eq!(gone, "passed passed failed", "{step}");
        assert_eq!(stays, "passed passed passed", "{step}");
    }
    assert_eq!(leftover("send: hello")[0], "passed passed passed", "nothing happened to the board");
}

#[test]
fn an_identity_of_before_the_board_lost_its_power_or_its_key_does_not_count() {
    let body =
        |step: &str| format!("steps:\n  - wait: 1s\n  - {step}\n  - expect: {{ identity: unchanged, within: 5s }}\n");
    let connected = |station: Station, millis| {
        station.cloud(millis, CloudEvent::LinkOpened).cloud(millis, CloudEvent::Connected { fingerprint: key(1) })
    };
    for step in [
        "supply: off",
        "reset: { hold: 1ms }",
        "fault: { power_cut: { hold: 10ms } }",
        "corrupt: { slot: device_private, class: blank }",
    ] {
        let before = connected(Station::new(&body(step)), 500).run();
        assert_eq!(before.outcome(), "failed, firmware", "{step}");
        assert!(before.verdict().reason.ends_with("the board did not connect within 5s"), "{step}");
        let again = connected(connected(Station::new(&body(step)), 500), 3_000).run();
        assert_eq!(again.outcome(), "passed", "{step}");
    }
    let kept = connected(Station::new(&body("supply: { usb: 5V }")), 500).run();
    assert_eq!(kept.outcome(), "passed", "another source need not stop a board that runs");
}

#[test]
fn the_time_that_it_takes_to_recognise_a_light_is_not_the_boards() {
    let begins = |millis| {
        let body = "steps:\n  - expect: { light: { solid: green }, within: 3s }\n";
        Station::new(body).light(0..millis, Light::Red).light(millis..9_000, Light::Green).run()
    };
    let just_in_time = begins(2_900);
    assert_eq!(just_in_time.outcome(), "passed");
    assert!(just_in_time.trial.steps()[0].ran.is_some_and(|(_, ended)| ended > at(3_000)), "known later");
    assert_eq!(begins(3_100).outcome(), "failed, firmware");
}
