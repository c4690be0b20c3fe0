//! Benches whose devices are not there, as a person sees them.

use std::os::unix::fs::PermissionsExt;
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
        &["enter", "settings_reset", "--bench", "bench.yaml", "--station", "left"],
        &["enter", "dfuu", "--bench", "bench.yaml", "--station", "left"],
        &["enter", "factory_reset", "--bench", "bench.yaml", "--station", "left"],
        &["enter", "dfu", "--bench", "bench.yaml", "--station", "left", "--by", "baud"],
        &["enter", "dfu", "--bench", "bench.yaml", "--station", "right"],
        &["enter", "safe", "--bench", "bench.yaml", "--station", "left", "--within", "1s"],
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

/// Lines and a supply that note what they were asked, and do it.
const OBEYS: &str = "\
#!/bin/bash
while read -r request; do
    echo \"$request\" >>asked
    case $request in
        *lines) echo 'value brickproof-command/1 drive' ;;
        *supply) echo 'value brickproof-command/1 switch' ;;
        *) echo ok ;;
    esac
done
";

const BUTTONS: &str = "\
bench: bare
stations:
  one:
    board: lantern-nrf51
    lines: { driver: command, program: ./obeys, lines: [reset, mode], uncertainty: 10ms }
";

#[test]
fn a_mode_is_asked_for_by_the_buttons_and_a_board_whose_power_would_go_is_left_alone() {
    let supply = "    supply: { driver: command, program: ./obeys, voltage_ceiling: 5V }\n";
    let desk = Desk::with(&[("bench.yaml", BUTTONS), ("fed.yaml", &format!("{BUTTONS}{supply}")), ("obeys", OBEYS)]);
    let executable = std::fs::Permissions::from_mode(0o755);
    std::fs::set_permissions(desk.path("obeys"), executable).expect("it is ours");

    let off = call(&desk, &["enter", "safe", "--bench", "fed.yaml"]);
    off.exits(2);
    assert!(
        off.err.contains("its source is off") && off.err.contains("`brickproof power on --stay` first"),
        "{}",
        off.err
    );
    assert!(!desk.read("asked").contains("asserted"), "{}", desk.read("asked"));

    // How late a program is nobody knows: a press of 2 s might be one of 4 s.
    desk.put("vague.yaml", BUTTONS.replace(", uncertainty: 10ms", "").as_bytes());
    let vague = call(&desk, &["enter", "safe", "--bench", "vague.yaml"]);
    vague.exits(2);
    assert!(vague.err.contains("are known to within 1s only"), "{}", vague.err);

    let entered = call(&desk, &["enter", "safe", "--bench", "bench.yaml"]);
    entered.exits(0);
    let [asked, why] =
        ["one: safe asked for by buttons, held for 2", "nothing confirms safe on one: it has no `light` that sees"];
    assert!(entered.out.contains(asked) && entered.out.contains(why), "{}", entered.out);
    let log = desk.read("asked");
    let driven: Vec<&str> = log.lines().filter(|line| line.starts_with("drive")).collect();
    let pressed = ["drive mode asserted", "drive reset asserted", "drive reset released", "drive mode released"];
    assert!(driven.windows(4).any(|four| four == pressed), "{driven:?}");

    desk.put(
        "obeys",
        OBEYS.replace("*) echo ok", "*asserted) echo 'error cannot: it is stuck' ;; *) echo ok").as_bytes(),
    );
    let stuck = call(&desk, &["enter", "dfu", "--bench", "bench.yaml"]);
    stuck.exits(3);
    assert!(stuck.err.contains("dfu was asked for by buttons") && stuck.err.contains("it is stuck"), "{}", stuck.err);
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
