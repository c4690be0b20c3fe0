//! Programs of a lab: the example of the documentation, and ones that hang, die, chatter or speak another version.

use std::fs;
use std::path::{Path, PathBuf};

use brickproof_instruments::{
    Deadline, Drive, Failure, FailureKind, Instrument, Kind, LineState, Output, Settings, Supply, Switch, Value, driver,
};
use brickproof_units::{Current, Span, Voltage};

use crate::ends::{open_supply, soon};

fn program(path: &str, arguments: &[&str]) -> Settings {
    Settings::new()
        .with("program", Value::Text(path.to_owned()))
        .with("arguments", Value::TextList(arguments.iter().map(|&argument| argument.to_owned()).collect()))
        .with("voltage_ceiling", Value::Voltage(Voltage::new(3_600_000)))
        .with("current_ceiling", Value::Current(Current::new(500_000)))
}

/// A supply in shell: `measure` is answered by `on_measure`, everything else as it should be.
fn supply_with(on_measure: &str) -> Result<Box<dyn Supply>, Failure> {
    let script = format!(
        r#"while read -r request; do case $request in
        hello*) echo "value brickproof-command/1 switch set limit measure-voltage measure-current" ;;
        measure) {on_measure} ;;
        *) echo ok ;;
        esac; done"#
    );
    open_supply("command", &program("/bin/sh", &["-c", &script]), soon())
}

fn measured(on_measure: &str) -> Failure {
    supply_with(on_measure).unwrap().measure(Deadline::after(Span::secs(1))).unwrap_err()
}

fn example() -> String {
    let path: PathBuf = [env!("CARGO_MANIFEST_DIR"), "..", "..", "hardware", "command-example.sh"].iter().collect();
    path.to_string_lossy().into_owned()
}

fn relay(state: &Path) -> String {
    fs::read_to_string(state).unwrap().trim().to_owned()
}

#[test]
fn the_documented_example_switches_a_supply() {
    let folder = tempfile::tempdir().unwrap();
    let state = folder.path().join("relay");
    fs::write(&state, "1\n").unwrap();
    let mut supply = open_supply("command", &program(&example(), &[&state.to_string_lossy()]), soon()).unwrap();
    assert_eq!(relay(&state), "0", "opened, it is in its safe state");
    let moment = supply.switch(Switch::On, soon()).unwrap();
    assert!(moment.uncertainty >= Span::secs(1), "nobody stated how fast it is");
    assert_eq!(relay(&state), "1");
    let set = supply.set(Output { voltage: Voltage::new(3_300_000), limit: None }, soon()).unwrap_err();
    assert!(matches!(set.kind(), FailureKind::Unsupported(_)), "{set}");
    drop(supply);
    assert_eq!(relay(&state), "0", "its input ended, so it made things safe");
}

#[test]
fn the_documented_example_drives_a_line() {
    let folder = tempfile::tempdir().unwrap();
    let state = folder.path().join("relay");
    fs::write(&state, "1\n").unwrap();
    let settings = program(&example(), &[&state.to_string_lossy()])
        .with("lines", Value::TextList(vec!["reset".to_owned(), "mode".to_owned()]));
    let factory = driver(Kind::Lines, "command").unwrap();
    let failure = factory.open(&settings, soon()).err().expect("the example has one line");
    assert_eq!(failure.kind().to_string(), "unexpected answer: cannot: drive mode released");
    let settings = settings.with("lines", Value::TextList(vec!["reset".to_owned()]));
    let Ok(Instrument::Lines(mut lines)) = factory.open(&settings, soon()) else { panic!("it opens") };
    lines.drive("reset", Drive::Asserted, soon()).unwrap();
    assert_eq!((relay(&state).as_str(), lines.read("reset", soon()).unwrap()), ("1", LineState::Active));
    lines.make_safe(soon()).unwrap();
    assert_eq!((relay(&state).as_str(), lines.read("reset", soon()).unwrap()), ("0", LineState::Inactive));
    let unknown = lines.drive("reset asserted\ndrive reset", Drive::Asserted, soon()).unwrap_err();
    assert!(matches!(unknown.kind(), FailureKind::Missing(_)), "{unknown}");
    assert!(lines.edges().unwrap().is_none(), "a program's lines are not watched");
}

#[test]
fn every_answer_that_is_none_is_a_failure_with_what_the_program_said() {
    let mut told = String::new();
    for on_measure in [
        "echo error the relay card does not answer",
        "echo 3.3V",
        "echo value 3.3V",
        "echo value 3.3 0.1",
        "echo ok; echo ok",
        "exec sleep 60",
        "echo 'no route to pdu' >&2; exit 3",
        "kill -9 $$",
    ] {
        let failure = measured(on_measure);
        told += &format!("{on_measure}\n  {failure}; {}\n", failure.help().unwrap_or("no help"));
    }
    insta::assert_snapshot!(told, @r#"
    echo error the relay card does not answer
      command /bin/sh failed to measure its output: unexpected answer: the relay card does not answer; no help
    echo 3.3V
      command /bin/sh failed to measure its output: unexpected answer: "3.3V" to "measure"; no help
    echo value 3.3V
      command /bin/sh failed to measure its output: unexpected answer: "3.3V" to "measure"; no help
    echo value 3.3 0.1
      command /bin/sh failed to measure its output: unexpected answer: "3.3 0.1" to "measure"; no help
    echo ok; echo ok
      command /bin/sh failed to measure its output: unexpected answer: "" to "measure"; no help
    exec sleep 60
      command /bin/sh failed to measure its output: no answer within 1s; no help
    echo 'no route to pdu' >&2; exit 3
      command /bin/sh failed to measure its output: gone: it ended: exit status: 3; it said: no route to pdu
    kill -9 $$
      command /bin/sh failed to measure its output: gone: it ended: signal: 9 (SIGKILL); no help
    "#);
}

#[test]
fn a_value_is_read_with_its_units_and_what_is_not_measured_is_none() {
    let reading = supply_with("echo value 3301mV -").unwrap().measure(soon()).unwrap();
    assert_eq!((reading.voltage, reading.current), (Some(Voltage::new(3_301_000)), None));
    let mut supply = supply_with("echo value 0V 25uA").unwrap();
    supply.prove_off(Voltage::new(100_000), soon()).unwrap();
}

#[test]
fn a_line_that_nobody_asked_for_is_not_taken_for_the_next_answer() {
    let mut supply = supply_with("echo value 3.3V -; echo value 0V -").unwrap();
    supply.measure(soon()).unwrap();
    // The second line is under way until then.
    std::thread::sleep(std::time::Duration::from_millis(50));
    let failure = supply.measure(soon()).unwrap_err();
    insta::assert_snapshot!(failure.kind(), @r#"unexpected answer: "value 0V -", and nobody asked"#);
}

#[test]
fn a_hung_program_is_killed_with_its_children_and_the_next_call_finds_a_fresh_one() {
    const VOLTS: Output = Output { voltage: Voltage::new(3_300_000), limit: None };
    let folder = tempfile::tempdir().unwrap();
    let pids = folder.path().join("pids");
    let path = pids.to_string_lossy();
    let mut supply =
        supply_with(&format!("if [ -e {path} ]; then echo value 1V -; else sleep 600 & echo $! $$ >{path}; wait; fi"))
            .unwrap();
    supply.set(VOLTS, soon()).unwrap();
    let failure = supply.measure(Deadline::after(Span::secs(1))).unwrap_err();
    assert!(matches!(failure.kind(), FailureKind::NoAnswer(_)), "{failure}");
    let pids = fs::read_to_string(&pids).unwrap();
    for pid in pids.split_whitespace() {
        // The kernel takes a moment; a zombie that nobody reaps in a container is dead as well.
        let alive = || fs::read_to_string(format!("/proc/{pid}/stat")).is_ok_and(|stat| !stat.contains(") Z "));
        (0..100).take_while(|_| alive()).for_each(|_| std::thread::sleep(std::time::Duration::from_millis(10)));
        assert!(!alive(), "{pid} of {pids}");
    }
    assert_eq!(supply.measure(soon()).unwrap().voltage, Some(Voltage::new(1_000_000)));
    let forgotten = supply.switch(Switch::On, soon()).unwrap_err();
    assert!(matches!(forgotten.kind(), FailureKind::Refused(_)), "{forgotten}");
}

#[test]
fn what_the_bench_file_promises_is_held_against_the_hello() {
    let hello = |answer: &str, measures: &str| {
        let script = format!("read -r hello; echo '{answer}'; while read -r any; do echo ok; done");
        let settings =
            program("/bin/sh", &["-c", &script]).with("measures", Value::TextList(vec![measures.to_owned()]));
        open_supply("command", &settings, soon()).err().map(|failure| failure.to_string()).unwrap_or_default()
    };
    let told = [
        hello("value brickproof-command/2 switch measure-voltage", "voltage"),
        hello("error I speak brickproof-command/2", "voltage"),
        hello("value brickproof-command/1 switch", "voltage"),
        hello("value brickproof-command/1 switch measure-voltage", "voltage"),
        open_supply("command", &program("/does/not/exist", &[]), soon()).err().unwrap().to_string(),
    ];
    insta::assert_snapshot!(told.join("\n"), @r#"
    command /bin/sh failed to start it: unexpected answer: "value brickproof-command/2 switch measure-voltage" to "hello brickproof-command/1 supply"
    command /bin/sh failed to start it: unexpected answer: I speak brickproof-command/2
    command /bin/sh failed to open it: unsupported: its hello does not name "measure-voltage"

    command /does/not/exist failed to start it: not found: No such file or directory (os error 2)
    "#);
}

#[test]
fn nothing_above_a_ceiling_reaches_the_program() {
    let folder = tempfile::tempdir().unwrap();
    let log = folder.path().join("log");
    let script = format!(
        "read -r hello; echo 'value brickproof-command/1 switch set limit'; while read -r any; do echo $any >>{}; echo ok; done",
        log.display()
    );
    let mut supply = open_supply("command", &program("/bin/sh", &["-c", &script]), soon()).unwrap();
    let limit = Some(Current::new(400_000));
    for output in [
        Output { voltage: Voltage::new(3_700_000), limit: None },
        Output { voltage: Voltage::new(-1), limit: None },
        Output { voltage: Voltage::new(3_300_000), limit: Some(Current::new(500_001)) },
    ] {
        assert!(matches!(supply.set(output, soon()).unwrap_err().kind(), FailureKind::Refused(_)));
    }
    assert!(matches!(supply.switch(Switch::On, soon()).unwrap_err().kind(), FailureKind::Refused(_)));
    supply.set(Output { voltage: Voltage::new(3_300_000), limit }, soon()).unwrap();
    supply.switch(Switch::On, soon()).unwrap();
    insta::assert_snapshot!(fs::read_to_string(&log).unwrap(), @r"
    switch off
    set 3300000uV 400000uA
    switch on
    ");
}
