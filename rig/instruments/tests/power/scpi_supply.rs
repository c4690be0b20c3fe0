//! The driver of bench supplies against instruments whose parser, number formats and error queue other people wrote (the `scpi` crate),
//! over real TCP and a real pty, and against ends that answer late, in part, or with something else.

use std::io::{self, Write};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use brickproof_ends::scpi::{Instrument, Supplied, Wrong};
use brickproof_ends::{Device as End, Then};
use brickproof_instruments::{Deadline, Failure, FailureKind, Output, Settings, Supply, Switch, Value};
use brickproof_units::{Baud, Current, Span, Voltage};
use scpi::error::{Error, ErrorCode};

use crate::ends::{Running, behind_pty, behind_tcp, open_supply, soon};

fn device(wrong: Option<(&'static str, usize, Wrong)>, supplied: Supplied) -> (Arc<Mutex<Supplied>>, Instrument) {
    Instrument::new(wrong, supplied)
}

fn settings(at: &str) -> Settings {
    Settings::new()
        .with("at", Value::Text(at.to_owned()))
        .with("identity", Value::Text("SN0042".to_owned()))
        .with("voltage_ceiling", Value::Voltage(Voltage::new(3_600_000)))
        .with("current_ceiling", Value::Current(Current::new(500_000)))
}

fn volts(millivolts: i64) -> Output {
    Output { voltage: Voltage::new(millivolts * 1_000), limit: None }
}

fn open(end: &Running) -> Box<dyn Supply> {
    open_supply("scpi", &settings(&end.at), soon()).expect("it answers")
}

/// The message without the address, which differs from run to run.
fn told(failure: &Failure) -> String {
    let device = failure.device();
    failure.to_string().replace(device, "scpi supply HERE")
}

fn works(end: Running, supplied: &Mutex<Supplied>) {
    supplied.lock().unwrap().on = [true, true];
    let mut supply = open(&end);
    assert!(!supplied.lock().unwrap().on[0], "opened, it is in its safe state");
    assert_eq!(supplied.lock().unwrap().amperes[0], 0.5, "and limited");
    let limit = Some(Current::new(120_000));
    supply.set(Output { voltage: Voltage::new(3_300_000), limit }, soon()).unwrap();
    let moment = supply.switch(Switch::On, soon()).unwrap();
    assert!(moment.uncertainty >= Span::millis(20), "the device's own reaction is part of it");
    let reading = supply.measure(soon()).unwrap();
    assert_eq!(reading.voltage, Some(Voltage::new(3_300_000)));
    assert_eq!(reading.current, Some(Current::new(25_000)));
    supply.set(volts(2_800), soon()).unwrap();
    supply.switch(Switch::Off, soon()).unwrap();
    supply.prove_off(Voltage::new(100_000), soon()).unwrap();
    let supplied = supplied.lock().unwrap();
    assert_eq!((supplied.volts[0], supplied.amperes[0], supplied.on[0]), (2.8, 0.12, false));
    assert!(supplied.on[1], "the other output is not ours");
}

#[test]
fn a_supply_that_others_wrote_does_what_it_is_told_over_tcp() {
    let (supplied, device) = device(None, Supplied::default());
    works(behind_tcp(device), &supplied);
}

#[test]
fn and_over_a_serial_line() {
    let (supplied, device) = device(None, Supplied::default());
    works(behind_pty(device), &supplied);
}

#[test]
fn a_channel_is_selected_before_everything_else() {
    let (supplied, device) = device(None, Supplied { on: [true, true], ..Supplied::default() });
    let end = behind_tcp(device);
    let settings = settings(&end.at).with("channel", Value::Number(2));
    let mut supply = open_supply("scpi", &settings, soon()).unwrap();
    // Somebody selects the other one at the front panel.
    supplied.lock().unwrap().selected = 0;
    supply.set(volts(1_800), soon()).unwrap();
    let supplied = supplied.lock().unwrap();
    assert_eq!((supplied.volts, supplied.on), ([0.0, 1.8], [true, false]));
}

#[test]
fn nothing_above_a_ceiling_reaches_the_device() {
    let (supplied, device) = device(None, Supplied::default());
    let end = behind_tcp(device);
    let mut supply = open(&end);
    let heard = supplied.lock().unwrap().heard.len();
    let failures = [
        supply.set(volts(5_000), soon()).unwrap_err(),
        supply
            .set(Output { voltage: Voltage::new(3_300_000), limit: Some(Current::new(600_000)) }, soon())
            .unwrap_err(),
        supply.set(volts(-100), soon()).unwrap_err(),
    ];
    assert_eq!(supplied.lock().unwrap().heard.len(), heard);
    let on = supply.switch(Switch::On, soon()).unwrap_err();
    assert!(!supplied.lock().unwrap().on[0]);
    let told: Vec<String> = failures.iter().chain([&on]).map(told).collect();
    insta::assert_snapshot!(told.join("\n"), @r"
    scpi supply HERE failed to set 5V: refused: 5V is above this supply's ceiling of 3.6V
    scpi supply HERE failed to set 3.3V: refused: 600mA is above this supply's ceiling of 500mA
    scpi supply HERE failed to set -100mV: refused: -100mV is negative
    scpi supply HERE failed to switch its output on: refused: no voltage was set
    ");
}

#[test]
fn a_knob_turned_since_keeps_the_output_off() {
    let (supplied, device) = device(None, Supplied::default());
    let end = behind_tcp(device);
    let mut supply = open(&end);
    supply.set(volts(3_300), soon()).unwrap();
    supplied.lock().unwrap().volts[0] = 12.0;
    let failure = supply.switch(Switch::On, soon()).unwrap_err();
    assert!(matches!(failure.kind(), FailureKind::ReadBack(_)), "{failure}");
    assert_eq!(supplied.lock().unwrap().highest, 0.0);
}

#[test]
fn a_supply_that_sets_something_else_is_switched_off() {
    let (supplied, device) = device(None, Supplied::default());
    let end = behind_tcp(device);
    let mut supply = open(&end);
    supply.set(volts(3_300), soon()).unwrap();
    supply.switch(Switch::On, soon()).unwrap();
    supplied.lock().unwrap().stuck = Some(3.5);
    let failure = supply.set(volts(3_000), soon()).unwrap_err();
    assert!(!supplied.lock().unwrap().on[0]);
    insta::assert_snapshot!(told(&failure), @"scpi supply HERE failed to set 3V: read back differently: 3V was set, and it says 3.5V");
}

#[test]
fn an_output_that_stays_alive_is_not_off() {
    let (_, device) = device(None, Supplied { residue: 1.7, ..Supplied::default() });
    let end = behind_tcp(device);
    let mut supply = open(&end);
    supply.switch(Switch::Off, soon()).unwrap();
    let failure = supply.prove_off(Voltage::new(200_000), Deadline::after(Span::millis(500))).unwrap_err();
    insta::assert_snapshot!(told(&failure), @"scpi supply HERE failed to measure that off is off: read back differently: 1.7V at the output after 500ms");
    assert!(failure.help().is_some());
}

#[test]
fn the_whole_error_queue_is_told() {
    let (supplied, device) = device(None, Supplied::default());
    let end = behind_tcp(device);
    let mut supply = open(&end);
    supplied.lock().unwrap().errors.push_back(Error::new(ErrorCode::HardwareError));
    supplied.lock().unwrap().errors.push_back(Error::new(ErrorCode::ExecutionError));
    let failure = supply.set(volts(3_300), soon()).unwrap_err();
    insta::assert_snapshot!(told(&failure), @r#"scpi supply HERE failed to set 3.3V: unexpected answer: -240,"Hardware error"; -200,"Execution error""#);
    assert!(supply.set(volts(3_300), soon()).is_ok(), "the queue is empty now");
}

#[test]
fn a_limit_that_the_device_refuses_is_its_own_words() {
    let (_, device) = device(None, Supplied::default());
    let end = behind_tcp(device);
    let settings = settings(&end.at).with("current_ceiling", Value::Current(Current::new(10_000_000)));
    let failure = open_supply("scpi", &settings, soon()).err().expect("it delivers 3 A");
    insta::assert_snapshot!(told(&failure), @r#"scpi supply HERE failed to limit its current: unexpected answer: -222,"Data out of range""#);
}

#[test]
fn another_device_is_not_driven() {
    let (supplied, device) = device(None, Supplied::default());
    let end = behind_tcp(device);
    let settings = settings(&end.at).with("identity", Value::Text("SN0043".to_owned()));
    let failure = open_supply("scpi", &settings, soon()).err().expect("it is another one");
    insta::assert_snapshot!(told(&failure), @r#"scpi supply HERE failed to switch its output off: unexpected answer: it says it is "ACME,PS2,SN0042,1.0", and the bench file says "SN0043""#);
    assert_eq!(supplied.lock().unwrap().heard, ["*IDN?"]);
}

#[test]
fn nobody_there_is_missing() {
    let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    for at in [free.to_string(), "/dev/does-not-exist".to_owned()] {
        let failure = open_supply("scpi", &settings(&at), soon()).err().expect("nobody is there");
        assert!(matches!(failure.kind(), FailureKind::Missing(_)), "{failure}");
    }
}

/// Opens, lets one fault happen to a measurement, and tells the failure; then the next one must be right again.
fn with_a_fault(wrong: Wrong, put: impl FnOnce(Instrument) -> Running) -> Failure {
    let (_, device) = device(Some(("MEAS:VOLT?", 1, wrong)), Supplied { residue: 0.75, ..Supplied::default() });
    let end = put(device);
    let mut supply = open(&end);
    let failure = supply.measure(Deadline::after(Span::millis(500))).unwrap_err();
    if !matches!(wrong, Wrong::Unplugged(_)) {
        if let Wrong::Late(late) = wrong {
            thread::sleep(late);
        }
        assert_eq!(supply.measure(soon()).unwrap().voltage, Some(Voltage::new(750_000)), "after {failure}");
    }
    failure
}

#[test]
fn broken_answers_are_failures_and_are_not_taken_for_the_next_one() {
    // A late answer of 0.75 V would be taken for the current if it were still in the line.
    let late = Wrong::Late(Duration::from_millis(700));
    let mut told_all = Vec::new();
    for wrong in [
        late,
        Wrong::Instead(b"3.3.3\n"),
        Wrong::Instead(b"\xff\xfe\n"),
        Wrong::Instead(b"+3.3"),
        Wrong::Instead(b"9.91E37\n"),
    ] {
        let over = [with_a_fault(wrong, behind_tcp), with_a_fault(wrong, behind_pty)];
        assert_eq!(told(&over[0]), told(&over[1]));
        told_all.push(told(&over[0]));
    }
    insta::assert_snapshot!(told_all.join("\n"), @r#"
    scpi supply HERE failed to measure its output: no answer within 500ms
    scpi supply HERE failed to measure its output: unexpected answer: "3.3.3" to "MEAS:VOLT?"
    scpi supply HERE failed to measure its output: unexpected answer: "��" to "MEAS:VOLT?"
    scpi supply HERE failed to measure its output: no answer within 500ms
    scpi supply HERE failed to measure its output: unexpected answer: "9.91E37" to "MEAS:VOLT?"
    "#);
}

#[test]
fn unplugged_in_the_middle_of_an_answer_is_gone() {
    let tcp = with_a_fault(Wrong::Unplugged(b"+3.3"), behind_tcp);
    insta::assert_snapshot!(told(&tcp), @r#"scpi supply HERE failed to measure its output: gone: it closed the connection in the middle of an answer, after "+3.3""#);
    let pty = with_a_fault(Wrong::Unplugged(b"+3.3"), behind_pty);
    assert!(matches!(pty.kind(), FailureKind::Gone(_)), "{pty}");
}

#[test]
fn a_supply_that_was_restarted_is_switched_off_all_the_same() {
    let (supplied, device) = device(Some(("MEAS:CURR?", 1, Wrong::Unplugged(b"0.025\n"))), Supplied::default());
    let end = behind_tcp(device);
    let mut supply = open(&end);
    supply.set(volts(3_300), soon()).unwrap();
    supply.switch(Switch::On, soon()).unwrap();
    supply.measure(soon()).unwrap();
    thread::sleep(Duration::from_millis(100));
    supply.switch(Switch::Off, soon()).unwrap();
    assert!(!supplied.lock().unwrap().on[0]);
}

/// A Korad as its protocol is recalled: no ends of lines in either direction.
struct Korad {
    set: [String; 2],
    on: bool,
    heard: Arc<Mutex<Vec<String>>>,
}

impl End for Korad {
    fn hear(&mut self, bytes: &[u8], say: &mut dyn Write) -> io::Result<Then> {
        // It takes a command for finished when the line falls quiet, so two in one read are one that it does not know.
        let command = String::from_utf8_lossy(bytes).into_owned();
        self.heard.lock().unwrap().push(command.clone());
        match command.split_once(':') {
            Some(("VSET1", value)) => self.set[0] = value.to_owned(),
            Some(("ISET1", value)) => self.set[1] = value.to_owned(),
            _ => match command.as_str() {
                "*IDN?" => say.write_all(b"KORADKA3005PV2.0 SN0042")?,
                "VSET1?" => write!(say, "{:0>5}", self.set[0])?,
                "ISET1?" => write!(say, "{:0>5}", self.set[1])?,
                "OUT1" => self.on = true,
                "OUT0" => self.on = false,
                "STATUS?" => say.write_all(&[if self.on { 0x51 } else { 0x11 }])?,
                "VOUT1?" => write!(say, "{:0>5}", if self.on { self.set[0].as_str() } else { "00.00" })?,
                "IOUT1?" => say.write_all(b"0.025")?,
                _ => {}
            },
        }
        Ok(Then::Stay)
    }
}

#[test]
fn a_korad_is_told_one_thing_at_a_time() {
    let heard = Arc::new(Mutex::new(Vec::new()));
    let korad = Korad { set: ["12.00".to_owned(), "5.000".to_owned()], on: true, heard: Arc::clone(&heard) };
    let end = behind_pty(korad);
    let settings =
        settings(&end.at).with("dialect", Value::Text("korad".to_owned())).with("baud", Value::Baud(Baud::new(9_600)));
    let mut supply = open_supply("scpi", &settings, soon()).unwrap();
    supply.set(volts(3_305), soon()).unwrap();
    supply.switch(Switch::On, soon()).unwrap();
    assert_eq!(supply.measure(soon()).unwrap().voltage, Some(Voltage::new(3_300_000)));
    supply.switch(Switch::Off, soon()).unwrap();
    supply.prove_off(Voltage::new(100_000), soon()).unwrap();
    insta::assert_snapshot!(heard.lock().unwrap().join(" "), @"*IDN? OUT0 STATUS? ISET1:0.500 ISET1? VSET1:3.30 VSET1? VSET1? OUT1 STATUS? VOUT1? IOUT1? OUT0 STATUS? VOUT1? IOUT1?");
}
