//! What a program reads with `--format json`: every line of standard output is an object, whatever the command came to, and mistakes are among
//! them.
//!
//! Boundary: the shapes. That nothing in them steers a terminal is held in `hostile`.

use std::io::{BufRead, BufReader, Read};
use std::os::unix::fs::PermissionsExt;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::desk::{BOOTS, Called, Desk, FAILS};
use crate::serve::{Running, begin};
use crate::stations::{self, Fed, Station, bench_of};

/// Each line of standard output, which has nothing else.
fn objects(called: &Called) -> Vec<Value> {
    assert!(called.out.is_empty() || called.out.ends_with('\n'), "the last line is whole: {}", called.out);
    let object = |line: &str| serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}"));
    let objects: Vec<Value> = called.out.lines().map(object).collect();
    assert!(objects.iter().all(Value::is_object), "{}", called.out);
    objects
}

/// The command, and the lines that it prints.
fn told(desk: &Desk, words: &[&str], exit: i32) -> String {
    let words = [words, &["--format", "json"]].concat();
    let mut command = desk.command(&words);
    let called = Called::from(command.env("BRICKPROOF_STATE", desk.path("state")).output().expect("it was built"));
    called.exits(exit);
    objects(&called);
    format!("$ {}\n{}", words.join(" "), called.out)
}

/// Without what is another number each time.
fn without_digests(text: &str) -> String {
    regex::Regex::new("\"sha256\":\"[0-9a-f]{64}\"")
        .expect("it is a pattern")
        .replace_all(text, "\"sha256\":\"…\"")
        .into_owned()
}

const WRONG: &str = "\
scenario: Two mistakes, and one in two cells
board: lantern-nrf51
matrix:
  hold: [20, 30]
firmware: lantern-no-heel
steps:
  - supply: { usb: 5V }
  - wait: ${hold}
";

const BENCH: &str = "\
bench: bare
stations:
  one:
    board: lantern-nrf51
    lines: { driver: command, program: ./obeys, lines: [reset, mode], uncertainty: 10ms }
    supply: { driver: command, program: ./obeys, voltage_ceiling: 5V, measures: [voltage] }
";

/// Lines, and a supply that measures what it was told to give.
const OBEYS: &str = "\
#!/bin/bash
volts=0V
while read -r request; do
    case $request in
        *lines) echo 'value brickproof-command/1 drive' ;;
        *supply) echo 'value brickproof-command/1 switch set measure-voltage' ;;
        measure) echo \"value $volts -\" ;;
        'switch on') volts=5V; echo ok ;;
        'switch off') volts=0V; echo ok ;;
        *) echo ok ;;
    esac
done
";

fn bare_desk() -> Desk {
    let without_supply: Vec<&str> = BENCH.lines().filter(|line| !line.contains("supply")).collect();
    let desk = Desk::with(&[("bench.yaml", BENCH), ("unfed.yaml", &without_supply.join("\n")), ("obeys", OBEYS)]);
    std::fs::set_permissions(desk.path("obeys"), std::fs::Permissions::from_mode(0o755)).expect("it is ours");
    desk
}

/// What the documents show of a mistake is what is printed for it.
#[test]
fn the_lines_that_are_shown_are_those_that_are_printed() {
    let wrong = "scenario: T\nboard: lantern-nrf51\ntags: [shown]\n# The name of an image that there is not:\nfirmware: lantern-no-heel\nsteps:\n  - \
                 supply: { usb: 5V }\n";
    let told = told(&Desk::with(&[("wrong.yaml", wrong)]), &["lint", "wrong.yaml"], 2);
    let document =
        std::fs::read_to_string(crate::desk::repository().join("scenarios/README.md")).expect("it is committed");
    let shown = document.split("```text\n").find(|block| block.starts_with("{\"mistake\"")).expect("it shows one");
    assert_eq!(told.split_once('\n').map(|(_, lines)| lines), shown.split("```").next());
}

#[test]
fn mistakes_are_lines_whoever_finds_them() {
    let desk = Desk::with(&[("wrong.yaml", WRONG), ("boots.yaml", BOOTS), ("bench.yaml", "bench: b\nstations: {}\n")]);
    desk.put("board.yaml", b"board: mine\nlike: nobody\n");
    desk.put("campaign.yaml", b"campaign: Nothing is asked\nscenario: wrong.yaml\n");
    let lint = told(&desk, &["lint", "wrong.yaml"], 2);
    insta::assert_snapshot!(lint);
    let mistakes = |told: &str| told.lines().skip(1).map(str::to_owned).collect::<Vec<_>>();
    for words in [
        &["run", "wrong.yaml", "boots.yaml"][..],
        &["explain", "wrong.yaml"],
        &["sweep", "wrong.yaml", "--vary", "fault.after=0ms..1ms"],
        &["soak", "wrong.yaml", "--cycles", "1"],
    ] {
        assert_eq!(mistakes(&told(&desk, words, 2)), mistakes(&lint), "{words:?}");
    }
    for words in [
        &["bench", "lint", "bench.yaml"][..],
        &["bench", "check", "bench.yaml"],
        &["power", "off", "--bench", "bench.yaml"],
        &["board", "lint", "board.yaml"],
        &["board", "list", "--profiles", "board.yaml"],
        &["campaign", "campaign.yaml"],
    ] {
        let told = told(&desk, words, 2);
        let lines: Vec<Value> = mistakes(&told).iter().map(|line| serde_json::from_str(line).expect("JSON")).collect();
        let (last, mistakes) = lines.split_last().expect("there are lines");
        assert!(!mistakes.is_empty() && mistakes.iter().all(|it| it["mistake"]["line"].is_u64()), "{told}");
        assert_eq!((&last["problem"]["kind"], &last["problem"]["exit"]), (&"mistakes".into(), &2.into()), "{told}");
    }
    let people = desk.call(&["lint", "wrong.yaml", "--format", "json"]);
    assert_eq!(people.err, desk.call(&["lint", "wrong.yaml"]).err, "people get the same report beside it");
}

#[test]
fn what_cannot_be_done_is_a_line_with_what_to_try() {
    let desk = bare_desk();
    desk.put("boots.yaml", BOOTS.as_bytes());
    let calls = [
        &["lint", "nowhere.yaml"][..],
        &["run", "boots.yaml", "--set", "relase=a"],
        &["run", "boots.yaml", "--bench", "bench.yaml"],
        &["board", "show", "argonn"],
        &["explain"],
        &["lint", "boots.yaml", "--tidy"],
        &["history"],
        &["replay", "nothing"],
        &["enter", "dfuu", "--bench", "bench.yaml"],
        &["autopsy", "--image", "nowhere.bin", "--board", "argon", "--out", "unit"],
        &["diagnose", "nowhere.log"],
    ];
    insta::assert_snapshot!(calls.map(|words| told(&desk, words, 2)).join("\n"));
    assert!(!desk.path(".brickproof").exists() && !desk.path("unit").exists());
}

#[test]
fn files_are_told_in_lines() {
    let desk = Desk::with(&[("boots.yaml", BOOTS), ("fails.yaml", FAILS)]);
    desk.put("bench.yaml", BENCH.as_bytes());
    desk.put("mine.yaml", b"board: mine\nlike: lantern-nrf51\nabout: one of ours\n");
    let calls = [
        &["lint", "boots.yaml", "fails.yaml"][..],
        &["board", "lint", "mine.yaml"],
        &["bench", "lint", "bench.yaml"],
        &["explain", "boots.yaml", "--set", "release=no-heal"],
        &["explain", "fails.yaml", "--bench", "bench.yaml"],
    ];
    insta::assert_snapshot!(without_digests(&calls.map(|words| told(&desk, words, 0)).join("\n")));
    let list = told(&desk, &["board", "list"], 0);
    let first = list.lines().nth(1).expect("there are boards");
    assert_eq!(
        first,
        r#"{"board":"argon","about":"Particle Argon: Wi-Fi, nRF52840, keys in a file of LittleFS","mcu":"nRF52840","virtual":false}"#
    );
    assert_eq!(list.lines().count() - 1, desk.call(&["board", "list"]).out.lines().count());
}

#[test]
fn all_that_is_known_of_a_board_is_one_object() {
    let desk = Desk::with(&[]);
    for board in desk.call(&["board", "list"]).out.lines().filter_map(|line| line.split(' ').next()) {
        told(&desk, &["board", "show", board], 0);
    }
    let photon = desk.call(&["board", "show", "photon", "--format", "json"]);
    let photon = &objects(&photon)[0];
    insta::assert_snapshot!(serde_json::to_string_pretty(photon).expect("it is JSON"));
}

#[test]
fn what_is_done_to_a_board_is_told_in_lines() {
    let desk = bare_desk();
    let bench = ["--bench", "bench.yaml"];
    let on = |words: &[&'static str]| told(&desk, &[words, &bench].concat(), 0);
    let mut text = [on(&["power", "off"]), on(&["reset", "--hold", "20ms"])].join("\n");
    text.push_str(&told(&desk, &["bench", "make-safe", "bench.yaml"], 0));
    text.push_str(&told(&desk, &["enter", "safe", "--bench", "unfed.yaml"], 0));
    text.push_str(&told(&desk, &["enter", "safe", "--bench", "bench.yaml"], 2));
    desk.put(
        "obeys",
        OBEYS.replace("'switch off') volts=0V; echo ok", "switch*) echo 'error cannot: it is stuck'").as_bytes(),
    );
    text.push_str(&told(&desk, &["bench", "make-safe", "bench.yaml"], 3));
    let measured = regex::Regex::new("\"(held_ns|held_uncertainty_ns)\":20[0-9]+").expect("it is a pattern");
    insta::assert_snapshot!(measured.replace_all(&text, "\"$1\":20…"));
}

#[test]
fn power_that_stays_until_somebody_asks_is_told_when_it_is_on() {
    let desk = bare_desk();
    let words = ["power", "cycle", "--for", "10ms", "--bench", "bench.yaml", "--format", "json"];
    let mut running: Running = begin(&desk, &words);
    let mut out = BufReader::new(running.child().stdout.take().expect("it is piped"));
    let mut lines = String::new();
    out.read_line(&mut lines).expect("it prints");
    out.read_line(&mut lines).expect("it prints");
    running.signal("-INT");
    out.read_to_string(&mut lines).expect("it ends");
    assert_eq!(running.wait().exit, Some(0));
    insta::assert_snapshot!(lines.trim_end(), @r#"
    {"station":"bare/one","act":"power_off","measured":true}
    {"station":"bare/one","act":"power_on","voltage_uv":5000000,"current_ua":null,"stays":false}
    "#);
}

#[test]
fn keys_and_firmware_of_a_station_are_told_in_lines() {
    let station = Station::with("lantern-nrf51", "lantern-heal-full", 1);
    let desk = bench_of(&[("one", &station)], Fed::ByTheStation);
    let mut text = String::new();
    for words in [
        &["keys", "show"][..],
        &["keys", "save", "saved.json"],
        &["keys", "verify", "saved.json"],
        &["keys", "load", "saved.json"],
        &["keys", "save", "saved.json"],
        &["flash", "lantern-heal-full"],
        &["flash", "lantern-no-heal", "--no-keys"],
        &["keys", "doctor", "--new-identity", "--public-key-to", "new.pem"],
        &["keys", "verify", "saved.json"],
    ] {
        let called = stations::call(&desk, &[words, &["--format", "json"]].concat());
        objects(&called);
        text.push_str(&format!("$ {} = {}\n{}", words.join(" "), called.exit.unwrap_or(-1), called.out));
    }
    // A new identity is another one each time.
    let new = regex::Regex::new("\"(new|public|kept|fingerprint)\":\"[^\"]*\"").expect("it is a pattern");
    let doctored = text.find("$ keys doctor").expect("it was called");
    let (before, after) = text.split_at(doctored);
    let difference = regex::Regex::new("\"difference\":\"[^\"]*\"").expect("it is a pattern");
    let after = difference.replace_all(after, "\"difference\":\"…\"").into_owned();
    let text = format!("{before}{}", new.replace_all(&after, "\"$1\":\"…\""));
    insta::assert_snapshot!(without_digests(&text));
}

#[test]
fn a_run_ends_with_its_summary_and_the_folder_that_has_everything() {
    let desk = Desk::with(&[("boots.yaml", BOOTS)]);
    let run = desk.call(&["run", "boots.yaml", "--report", "kept", "--format", "json"]);
    let lines = objects(run.exits(0));
    let last = lines.last().expect("there are lines");
    assert_eq!((&last["summary"]["passed"], &last["evidence"]), (&2.into(), &"kept".into()));
    let soak = ["soak", "boots.yaml", "--set", "release=no-heal", "--cycles", "2", "--report", "soak"];
    let soak = desk.call(&[&soak[..], &["--format", "json"]].concat());
    let lines = objects(soak.exits(0));
    assert_eq!(lines.last().expect("there are lines")["kept"], "soak");
}

/// A trial whose line is longer than a pipe takes at once, and one that nobody waits for.
const LONG: &str = "\
scenario: A line that is long, and a trial that nobody waits for
board: lantern-nrf51
matrix:
  length: [1ms, 100h]
firmware: lantern-no-heal
steps:
  - supply: { usb: 5V }
  - repeat: { times: 1000, steps: [ wait: 1us ] }
  - wait: ${length}
cleanup:
  - supply: off
";

fn interrupt(id: u32) {
    let sent = Command::new("kill").args(["-INT", &id.to_string()]).status().expect("there is a kill");
    assert!(sent.success());
}

#[test]
fn an_interrupted_run_ends_with_whole_lines_and_its_summary() {
    let desk = Desk::with(&[("long.yaml", LONG)]);
    let mut command = desk.command(&["run", "long.yaml", "--jobs", "1", "--format", "json"]);
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("the command was built");
    let mut printed = BufReader::new(child.stdout.take().expect("it is piped"));
    let mut out = String::new();
    printed.read_line(&mut out).expect("it prints");
    interrupt(child.id());
    printed.read_to_string(&mut out).expect("it prints");
    let Called { exit, err, .. } = child.wait_with_output().expect("it ends").into();
    let called = Called { exit, out, err };
    let lines = objects(called.exits(130));
    assert_eq!(lines[0]["verdict"], "passed");
    assert!(lines.last().expect("there are lines")["summary"].is_object(), "{}", called.out);
}

#[test]
fn who_interrupts_twice_gets_the_rest_of_the_line_that_is_printed() {
    let desk = Desk::with(&[("long.yaml", LONG)]);
    let mut command = desk.command(&["run", "long.yaml", "--set", "length=1ms", "--format", "json"]);
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("the command was built");
    let mut printed = child.stdout.take().expect("it is piped");
    let began = Instant::now();
    let waiting = |least: u64| rustix::io::ioctl_fionread(&printed).expect("it is a pipe") >= least;
    // The pipe is full: the line is half printed.
    while !waiting(32 << 10) {
        assert!(began.elapsed() < Duration::from_secs(60), "it does not print");
        std::thread::sleep(Duration::from_millis(10));
    }
    interrupt(child.id());
    std::thread::sleep(Duration::from_millis(100));
    interrupt(child.id());
    std::thread::sleep(Duration::from_millis(300));
    let mut out = String::new();
    printed.read_to_string(&mut out).expect("it prints");
    let Called { exit, err, .. } = child.wait_with_output().expect("it ends").into();
    let called = Called { exit, out, err };
    let lines = objects(called.exits(130));
    assert!(called.out.len() > 64 << 10, "it is longer than a pipe takes");
    assert_eq!(lines[0]["verdict"], "passed");
}

#[test]
fn a_reader_that_goes_away_changes_nothing_of_what_is_kept() {
    let desk = Desk::with(&[("boots.yaml", BOOTS), ("fails.yaml", FAILS), ("wrong.yaml", WRONG)]);
    let kept = |folder: &str| -> Vec<String> { desk.files(folder).into_iter().map(|(name, _)| name).collect() };
    for format in ["human", "json"] {
        let whole = ["run", "boots.yaml", "fails.yaml", "--report", "whole", "--format", format];
        desk.call(&whole).exits(1);
        let mut command = desk.command(&["run", "boots.yaml", "fails.yaml", "--report", "cut", "--format", format]);
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("the command was built");
        let mut printed = BufReader::new(child.stdout.take().expect("it is piped"));
        printed.read_line(&mut String::new()).expect("it prints");
        drop(printed);
        let called = Called::from(child.wait_with_output().expect("it ends"));
        called.exits(1);
        assert!(!called.err.contains("panicked") && !called.err.contains("error:"), "{}", called.err);
        assert_eq!(kept("cut"), kept("whole"), "{format}");
        assert_eq!(desk.json("cut/results.json")["summary"], desk.json("whole/results.json")["summary"]);
        for folder in ["cut", "whole"] {
            std::fs::remove_dir_all(desk.path(folder)).expect("it is ours");
        }
    }
    for words in [&["lint", "wrong.yaml"][..], &["board", "list"], &["explain", "boots.yaml"]] {
        let mut command = desk.command(&[words, &["--format", "json"]].concat());
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("the command was built");
        drop(child.stdout.take());
        let called = Called::from(child.wait_with_output().expect("it ends"));
        assert_eq!(called.exit, Some(if words[0] == "lint" { 2 } else { 0 }), "{}", called.err);
        assert!(!called.err.contains("panicked"), "{}", called.err);
    }
}
