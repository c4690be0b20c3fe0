//! The driver of the PPK2 against a simulated one on a pty, whose wire bytes follow ppk2-api-python. Never seen on the device.

use std::sync::{Arc, Mutex};

use brickproof_ends::ppk2::{Kit, Ppk2};
use brickproof_instruments::{Deadline, FailureKind, Kind, Output, Settings, Supply, Switch, Value, driver};
use brickproof_units::{Current, Span, Voltage};

use crate::ends::{Running, behind_pty, open_supply, soon};

fn simulated(kit: Kit) -> (Arc<Mutex<Kit>>, Running) {
    let (kit, device) = Ppk2::new(kit);
    (kit, behind_pty(device))
}

fn settings(end: &Running) -> Settings {
    Settings::new()
        .with("at", Value::Text(end.at.clone()))
        .with("voltage_ceiling", Value::Voltage(Voltage::new(3_600_000)))
        .with("window", Value::Span(Span::millis(5)))
}

fn open(end: &Running) -> Box<dyn Supply> {
    open_supply("ppk2", &settings(end), soon()).expect("it answers")
}

const VOLTS: Output = Output { voltage: Voltage::new(3_300_000), limit: None };

#[test]
fn a_kit_that_somebody_left_sending_is_opened_switched_and_measured() {
    let (kit, end) = simulated(Kit { streaming: true, on: true, ..Kit::default() });
    let mut supply = open(&end);
    supply.set(VOLTS, soon()).unwrap();
    supply.switch(Switch::On, soon()).unwrap();
    let reading = supply.measure(soon()).unwrap();
    assert_eq!((reading.voltage, reading.current), (None, Some(Current::new(21_973))));
    assert!(reading.moment.uncertainty >= Span::micros(2_500), "half the window");
    supply.switch(Switch::Off, soon()).unwrap();
    assert_eq!(supply.measure(soon()).unwrap().current, Some(Current::new(0)));
    let kit = kit.lock().unwrap();
    assert!((kit.millivolts, kit.source, kit.on, kit.streaming) == (3_300, true, false, false));
    insta::assert_snapshot!(kit.heard.join(", "), @"average stop, metadata, running 0, mode 2, running 0, regulator 12 228, running 1, average start, average stop, running 0, average start, average stop");
}

#[test]
fn it_says_what_it_cannot_do() {
    let (kit, end) = simulated(Kit::default());
    let mut supply = open(&end);
    let mut failures = vec![supply.switch(Switch::On, soon()).unwrap_err()];
    for (millivolts, limit) in [(5_000, None), (700, None), (5_100, None), (3_300, Some(Current::new(1)))] {
        failures.push(supply.set(Output { voltage: Voltage::new(millivolts * 1_000), limit }, soon()).unwrap_err());
    }
    // Nothing is answered but measurements: after one, everything before it was heard.
    supply.measure(soon()).unwrap();
    let driven = |heard: &String| heard.starts_with("regulator") || heard == "running 1";
    assert!(!kit.lock().unwrap().heard.iter().any(driven), "nothing of it reached the device");
    failures.push(supply.prove_off(Voltage::new(100_000), soon()).unwrap_err());
    let told: Vec<String> = failures.iter().map(|failure| failure.to_string().replace(&end.at, "HERE")).collect();
    insta::assert_snapshot!(told.join("\n"), @r"
    ppk2 HERE failed to switch its output on: refused: no voltage was set since it was connected to
    ppk2 HERE failed to set 5V: refused: 5V is above this supply's ceiling of 3.6V
    ppk2 HERE failed to set 700mV: unsupported: 700mV is not between 800mV and 5V
    ppk2 HERE failed to set 5.1V: unsupported: 5.1V is not between 800mV and 5V
    ppk2 HERE failed to set 3.3V: unsupported: it has no current limit that could be set
    ppk2 HERE failed to measure that off is off: unsupported: it does not measure its voltage
    ");
    let capabilities = driver(Kind::Supply, "ppk2").unwrap().capabilities(&settings(&end));
    assert_eq!((capabilities.measures_voltage, capabilities.fall), (false, None));
    assert_eq!(capabilities.voltage.unwrap().most, Voltage::new(3_600_000));
}

#[test]
fn a_window_with_lost_samples_is_taken_again() {
    let (kit, end) = simulated(Kit { lose: vec![100, 101, 102], ..Kit::default() });
    let mut supply = open(&end);
    assert_eq!(supply.measure(soon()).unwrap().current, Some(Current::new(0)));
    let starts = kit.lock().unwrap().heard.iter().filter(|heard| *heard == "average start").count();
    assert_eq!(starts, 2);
}

#[test]
fn samples_that_are_always_lost_are_a_failure() {
    let (kit, end) = simulated(Kit { lose: (1..1_000_000).step_by(50).collect(), ..Kit::default() });
    let mut supply = open(&end);
    supply.set(VOLTS, soon()).unwrap();
    supply.switch(Switch::On, soon()).unwrap();
    let failure = supply.measure(Deadline::after(Span::secs(1))).unwrap_err();
    let FailureKind::Answer(told) = failure.kind() else { panic!("{failure}") };
    assert!(told.ends_with("samples were lost"), "{told}");
    kit.lock().unwrap().lose.clear();
    assert_eq!(supply.measure(soon()).unwrap().current, Some(Current::new(21_973)), "the board kept its power");
}

#[test]
fn unplugged_between_two_bytes_of_a_sample_is_gone() {
    let (_, end) = simulated(Kit { unplug_after: Some(300), ..Kit::default() });
    let mut supply = open(&end);
    let failure = supply.measure(soon()).unwrap_err();
    assert!(matches!(failure.kind(), FailureKind::Gone(_)), "{failure}");
    let again = supply.switch(Switch::On, soon()).unwrap_err();
    assert!(matches!(again.kind(), FailureKind::Refused(_)), "it has forgotten its voltage: {again}");
}

#[test]
fn something_else_behind_the_port_is_told_from_a_kit() {
    for (kit, expected) in [
        (Kit { mute: true, ..Kit::default() }, "no answer within 1s"),
        (Kit { metadata: "login: END", ..Kit::default() }, "unexpected answer: metadata without shunts: \"login: \""),
    ] {
        let (kit, end) = simulated(kit);
        let failure = open_supply("ppk2", &settings(&end), Deadline::after(Span::secs(1))).err();
        assert_eq!(failure.expect("it is none").kind().to_string(), expected);
        assert!(!kit.lock().unwrap().source, "it was not driven");
    }
}
