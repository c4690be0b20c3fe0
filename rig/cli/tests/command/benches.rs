//! Benches whose devices are not there, as a person sees them.

use std::process::Command;

use serde_json::Value;

use crate::desk::{Called, Desk};

/// Nothing of this is plugged in anywhere.
const BENCH: &str = "\
bench: nowhere
stations:
  left:
    board: lantern-nrf51
    lines: { driver: command, program: /no/such/program, lines: [reset] }
    console: { driver: serial, path: /dev/no-such-port }
    supply: { driver: command, program: /no/such/program, voltage_ceiling: 5V }
  right:
    board: lantern-nrf51
    console: { driver: serial, path: /dev/no-such-port-either }
";

fn desk() -> Desk {
    Desk::with(&[("bench.yaml", BENCH), ("virtual.yaml", VIRTUAL)])
}

const VIRTUAL: &str = "\
bench: dream
stations:
  one:
    board: lantern-nrf51
    supply: { driver: virtual }
";

fn command(desk: &Desk, arguments: &[&str]) -> Command {
    let mut command = desk.command(arguments);
    command.env("BRICKPROOF_STATE", desk.path("state"));
    command
}

fn call(desk: &Desk, arguments: &[&str]) -> Called {
    command(desk, arguments).output().expect("the command was built").into()
}

#[test]
fn a_check_locates_what_is_missing_by_station_and_instrument_and_drives_nothing() {
    let desk = desk();
    let called = call(&desk, &["bench", "check", "bench.yaml"]);
    called.exits(3);
    insta::assert_snapshot!(called.out);
    assert!(!desk.path("state/nowhere.left.journal").exists());
}

#[test]
fn findings_are_a_json_object_a_line() {
    let desk = desk();
    let called = call(&desk, &["bench", "check", "bench.yaml", "--station", "right", "--format", "json"]);
    called.exits(3);
    let lines: Vec<Value> = called.out.lines().map(|line| serde_json::from_str(line).expect("it is JSON")).collect();
    assert_eq!(lines[0]["station"], "nowhere/right");
    assert_eq!((&lines[0]["instrument"], &lines[0]["outcome"]), (&"console".into(), &"failed".into()));
    assert_eq!(lines.last().expect("there are lines")["summary"]["failed"], 1);
}

#[test]
fn a_station_that_cannot_be_reached_is_not_called_safe() {
    let called = call(&desk(), &["bench", "make-safe", "bench.yaml"]);
    called.exits(3);
    insta::assert_snapshot!(format!("{}---\n{}", called.out, called.err));
}

#[test]
fn the_verbs_say_what_is_missing_before_they_do_anything() {
    let desk = desk();
    let on = ["--bench", "bench.yaml", "--station", "left"];
    let mut told = String::new();
    for verb in [&["power", "on"][..], &["power", "off"], &["power", "cycle"], &["reset"], &["console"]] {
        let called = call(&desk, &[verb, &on[..]].concat());
        called.exits(3);
        told.push_str(&format!("{}: {}", verb.join(" "), called.err));
    }
    insta::assert_snapshot!(told);
}

#[test]
fn what_cannot_be_meant_is_refused_before_anything_is_opened() {
    let desk = desk();
    let mut told = String::new();
    for arguments in [
        &["power", "off", "--bench", "bench.yaml"][..],
        &["power", "off", "--bench", "bench.yaml", "--station", "rigth"],
        &["power", "on", "--bench", "bench.yaml", "--station", "left", "--voltage", "12V"],
        &["power", "on", "--bench", "bench.yaml", "--station", "left", "--voltage", "5.2V"],
        &["console", "--bench", "bench.yaml", "--station", "right", "--power"],
        &["flash", "lantern-no-heel", "--bench", "bench.yaml", "--station", "left"],
        &["bench", "check", "virtual.yaml"],
        &["bench", "make-safe", "bench.yaml", "--station", "middle"],
    ] {
        let called = call(&desk, arguments);
        called.exits(2);
        told.push_str(&format!("{}\n{}\n", arguments.join(" "), called.err));
    }
    insta::assert_snapshot!(told);
    assert!(!desk.path("state").exists(), "nothing was taken");
}

#[test]
fn a_draft_is_printed_or_written_where_nothing_is_yet_and_is_not_taken_for_complete() {
    let desk = desk();
    let with_board = call(&desk, &["bench", "discover", "--board", "lantern-nrf51"]);
    with_board.exits(0);
    assert!(with_board.out.contains("board: lantern-nrf51"), "{}", with_board.out);
    let discover = ["bench", "discover"];
    let printed = call(&desk, &discover);
    printed.exits(0);
    let to_a_file = [&discover[..], &["--out", "draft.yaml"]].concat();
    call(&desk, &to_a_file).exits(0);
    assert_eq!(desk.read("draft.yaml").trim_end(), printed.out.trim_end());
    call(&desk, &["bench", "lint", "draft.yaml"]).exits(2);
    let again = call(&desk, &to_a_file);
    again.exits(2);
    assert!(again.err.contains("draft.yaml could not be written"), "{}", again.err);
    call(&desk, &["bench", "discover", "--board", "lantern-nrf15"]).exits(2);
}
