//! A few facts from end to end: battery, rail, brown-out reset, flash and keys, as one.

use brickproof_scenario::plan::{Expected, Plan};
use brickproof_sim::Simulation;
use brickproof_trial::{Blame, Happening, ShapeAchieved, VerdictKind};
use brickproof_units::{Instant, Span, Voltage};

#[path = "common/shipped.rs"]
mod shipped;

use shipped::{cell, cells_of, simulation};

/// The brown-out reset of both parts strikes at about this voltage (nRF51822, recalled).
const BROWN_OUT: Voltage = Voltage::new(1_700_000);

/// A key rotation with this supply, after which the slot must hold one key or the other; `during` strikes while the key page is being
/// erased.
fn rotation(supply: &str, during: &str) -> Plan {
    let text = format!(
        "scenario: T\nboard: lantern-nrf51\nfirmware: lantern-no-heal\nsteps:\n  - supply: {supply}\n  \
         - expect: {{ console: Cloud connected, within: 30s }}\n  - send: keys rotate\n  \
         - on: {{ console: erasing key page, within: 5s }}\n    fault: {during}\n  \
         - wait: 5s\n  - expect: {{ slot: device_private, is: [old, new] }}\n"
    );
    let [plan] = <[Plan; 1]>::try_from(cells_of("t.yaml", &text)).expect("one cell");
    plan
}

fn run(plan: Plan) -> Simulation {
    let mut simulation = simulation(plan, 1);
    simulation.run();
    simulation
}

fn verdict(simulation: &Simulation) -> VerdictKind {
    simulation.trial().verdict().expect("the trial is over").kind
}

fn achieved(simulation: &Simulation) -> ShapeAchieved {
    simulation.trial().faults().first().and_then(|fault| fault.achieved).expect("the fault came")
}

/// How often the board has booted: every boot reports its keys in one line.
fn boots(simulation: &Simulation) -> usize {
    let is_report = |bytes: &[u8]| String::from_utf8_lossy(bytes).contains("device=");
    let events = simulation.trial().timeline().events.iter();
    events.filter(|event| matches!(&event.what, Happening::ConsoleLine { bytes, .. } if is_report(bytes))).count()
}

const BURST: &str = "{ load_step: { after: 4ms, current: 400mA, hold: 300ms } }";

#[test]
fn a_burst_on_an_old_battery_browns_the_board_out_inside_the_erase_and_costs_the_key() {
    let simulation = run(rotation("{ battery: { cell: 1200mAh, aged: true, charge: 6% } }", BURST));
    let shape = achieved(&simulation);
    assert!(shape.lowest < BROWN_OUT, "the rail fell to {}", shape.lowest);
    assert!(shape.below_brown_out > Span::ZERO);
    assert_eq!(verdict(&simulation), VerdictKind::Failed);
}

#[test]
fn the_same_burst_on_a_stiff_usb_port_does_nothing() {
    let simulation = run(rotation("{ usb: 5V }", BURST));
    let shape = achieved(&simulation);
    assert!(shape.lowest > BROWN_OUT, "the rail fell to {}", shape.lowest);
    assert_eq!(shape.below_brown_out, Span::ZERO);
    assert_eq!(boots(&simulation), 1, "no reset");
    assert_eq!(verdict(&simulation), VerdictKind::Passed, "{:?}", simulation.trial().verdict());
}

#[test]
fn a_dip_that_stays_above_the_brown_out_level_does_nothing() {
    let dip = "{ brown_out: { after: 4ms, rail: 3V3, floor: 2V, fall: 50us/V, hold: 50ms } }";
    let simulation = run(rotation("{ usb: 5V }", dip));
    assert_eq!((boots(&simulation), achieved(&simulation).below_brown_out), (1, Span::ZERO));
    assert_eq!(verdict(&simulation), VerdictKind::Passed);
}

#[test]
fn a_brown_out_resets_the_board_and_is_as_deep_and_as_long_as_it_was_asked_to_be() {
    let dip = "{ brown_out: { after: 4ms, rail: 3V3, floor: 1.2V, fall: 50us/V, hold: 50ms } }";
    let simulation = run(rotation("{ usb: 5V }", dip));
    let shape = achieved(&simulation);
    assert!(shape.lowest.get().abs_diff(1_200_000) <= 10_000, "{}", shape.lowest);
    assert!(shape.below_brown_out >= Span::millis(50) && shape.below_brown_out < Span::millis(51));
    assert_eq!(shape.began, simulation.trial().faults()[0].asked.at);
    assert!(boots(&simulation) >= 2, "it boots again");
    assert_eq!(verdict(&simulation), VerdictKind::Failed, "one copy does not survive a cut erase");
}

#[test]
fn a_cut_without_an_end_leaves_the_board_dark_until_the_next_supply() {
    let text = "scenario: T\nboard: lantern-nrf51\nfirmware: lantern-no-heal\nsteps:\n  - supply: { usb: 5V }\n  \
                - expect: { console: Cloud connected, within: 30s }\n  - fault: { power_cut: { after: 1ms } }\n  \
                - expect: { rail: 3V3, below: 0.5V, within: 5s, holds: 1s }\n  - never: { console: \"device=\", for: 2s }\n  \
                - supply: { usb: 5V }\n  - expect: { console: Cloud connected, within: 30s }\n";
    let [plan] = <[Plan; 1]>::try_from(cells_of("t.yaml", text)).expect("one cell");
    let simulation = run(plan);
    assert_eq!(verdict(&simulation), VerdictKind::Passed, "{:?}", simulation.trial().verdict());
    assert_eq!(boots(&simulation), 2);
}

/// What comes of these steps on a board that has connected.
fn after_connecting(steps: &str) -> Simulation {
    let text = format!(
        "scenario: T\nboard: lantern-nrf51\nfirmware: lantern-no-heal\nsteps:\n  - supply: {{ usb: 5V }}\n  \
         - expect: {{ console: Cloud connected, within: 30s }}\n{steps}"
    );
    let [plan] = <[Plan; 1]>::try_from(cells_of("t.yaml", &text)).expect("one cell");
    run(plan)
}

#[test]
fn off_is_measured_off_before_the_next_step_begins() {
    let simulation = after_connecting(
        "  - supply: off\n  - never: { rail: 3V3, above: 0.5V, for: 1ms }\n  - supply: { usb: 5V }\n  \
         - expect: { console: \"device=good\", within: 1s }\n",
    );
    assert_eq!(verdict(&simulation), VerdictKind::Passed, "{:?}", simulation.trial().verdict());
}

#[test]
fn a_board_that_runs_on_below_its_minimum_is_still_connected() {
    let dip = "  - fault: { brown_out: { rail: 3V3, floor: 1.77V, fall: 1ms/V, hold: 20ms } }\n  \
               - expect: { identity: unchanged }\n";
    let simulation = after_connecting(dip);
    assert_eq!(verdict(&simulation), VerdictKind::Passed, "{:?}", simulation.trial().verdict());
    assert_eq!(boots(&simulation), 1);
}

#[test]
fn a_cut_without_an_end_tells_how_far_and_how_long_the_rail_fell() {
    let shape = achieved(&after_connecting("  - fault: { power_cut: {} }\n"));
    assert!(shape.lowest < Voltage::new(500_000), "{}", shape.lowest);
    assert!(shape.below_brown_out > Span::millis(100), "{}", shape.below_brown_out);
}

#[test]
fn a_rail_is_read_even_in_a_step_that_is_shorter_than_the_time_between_two_readings() {
    let steps = "  - never: { rail: 3V3, below: 1.8V, for: 500us }\n".repeat(3);
    let simulation = after_connecting(&steps);
    assert_eq!(verdict(&simulation), VerdictKind::Passed, "{:?}", simulation.trial().verdict());
}

#[test]
fn a_source_that_does_not_carry_the_board_is_not_held_against_it() {
    for supply in
        ["off", "{ bench: { voltage: 5V, current_limit: 1mA } }", "{ battery: { cell: 1200mAh, charge: 0% } }"]
    {
        let text = format!(
            "scenario: T\nboard: lantern-nrf51\nfirmware: lantern-no-heal\nsteps:\n  - supply: {supply}\n  \
             - expect: {{ console: \"device=good\", within: 10s }}\n"
        );
        let [plan] = <[Plan; 1]>::try_from(cells_of("t.yaml", &text)).expect("one cell");
        let simulation = run(plan);
        let blame = simulation.trial().verdict().and_then(|verdict| verdict.blame);
        assert_eq!((verdict(&simulation), blame), (VerdictKind::Error, Some(Blame::Scenario)), "{supply}");
    }
}

/// Carries the board, but not its modem: the rail falls to the brown-out reset and is back within a millisecond.
const WEAK_BENCH: &str = "scenario: T\nboard: lantern-nrf51\nfirmware: lantern-no-heal\nsteps:\n  \
                          - supply: { bench: { voltage: 5V, current_limit: 50mA } }\n  \
                          - expect: { console: Cloud connected, within: 2s }\n";

#[test]
fn a_dip_that_is_over_at_once_is_not_held_against_the_board_either() {
    let [plan] = <[Plan; 1]>::try_from(cells_of("t.yaml", WEAK_BENCH)).expect("one cell");
    let simulation = run(plan);
    let verdict = simulation.trial().verdict().expect("the trial is over");
    assert_eq!((verdict.kind, verdict.blame), (VerdictKind::Error, Some(Blame::Scenario)), "{}", verdict.reason);
    let minimum = Voltage::new(1_800_000);
    let low = |it: &Happening| match it {
        Happening::Rail { voltage, .. } if *voltage < minimum => Some(*voltage),
        _ => None,
    };
    let events = &simulation.trial().timeline().events;
    let falls: Vec<Voltage> = events.iter().filter_map(|event| low(&event.what)).collect();
    // The first reading is that of a board without power; then every boot but the first comes after a fall.
    assert!(falls.len() > 1 && falls.len() >= boots(&simulation), "{falls:?}, {} boots", boots(&simulation));
    let late = falls[1..].iter().find(|rail| **rail < Voltage::new(1_799_000));
    assert_eq!(late, None, "each is read where it passes the minimum, not when something else happens");
}

#[test]
fn readings_that_stop_and_begin_again_come_once_a_period() {
    let text = "scenario: T\nboard: lantern-nrf51\nfirmware: lantern-no-heal\nsteps:\n  - supply: { usb: 5V }\n  \
                - repeat: { times: 5, steps: [{ expect: { rail: 3V3, above: 3V, within: 1s } }] }\n  \
                - measure: { idle: { lowest: 3V3, during: 100ms, at_least: 3V } }\n";
    let [plan] = <[Plan; 1]>::try_from(cells_of("t.yaml", text)).expect("one cell");
    let simulation = run(plan);
    assert_eq!(verdict(&simulation), VerdictKind::Passed, "{:?}", simulation.trial().verdict());
    // The passage of the watched level while the rail comes up is read besides.
    let is_up = |voltage: Voltage| voltage > Voltage::new(3_000_000);
    let is_reading = |it: &Happening| matches!(it, Happening::Rail { voltage, .. } if is_up(*voltage));
    let events = simulation.trial().timeline().events.iter();
    let readings: Vec<Instant> = events.filter(|event| is_reading(&event.what)).map(|event| event.at).collect();
    assert!(readings.len() > 100, "{readings:?}");
    assert!(readings.windows(2).all(|pair| pair[1].since(pair[0]) >= Span::millis(1)), "{readings:?}");
}

#[test]
fn the_two_copies_survive_what_the_single_one_does_not() {
    for board in ["lantern-nrf51", "lantern-nrf52840"] {
        for release in ["no-heal", "heal-full"] {
            let plan = cell("scenarios/battery-death/brown-out.yaml", board, release);
            // Asked to survive, whatever the scenario expects of it.
            let plan = Plan { outcome: Expected::Passed, ..plan };
            let expected = if release == "heal-full" { VerdictKind::Passed } else { VerdictKind::Failed };
            assert_eq!(verdict(&run(plan)), expected, "{board}, {release}");
        }
    }
}
