//! A trial again, by its id alone.

use crate::desk::{BOOTS, Desk, FAILS, ids};

#[test]
fn a_trial_is_the_same_again_with_and_without_its_evidence() {
    let desk = Desk::with(&[("scenarios/boots.yaml", BOOTS), ("scenarios/fails.yaml", FAILS)]);
    desk.call(&["run", "scenarios", "--seed", "7"]).exits(1);
    let kept = ".brickproof/runs/000001";
    let ids = ids(&desk.json(&format!("{kept}/results.json")));
    assert_eq!(ids.len(), 3);
    let timelines: Vec<String> =
        ids.iter().map(|id| desk.read(&format!("{kept}/trials/{id}/timeline.jsonl"))).collect();
    for forgotten in [false, true] {
        if forgotten {
            std::fs::remove_dir_all(desk.path(".brickproof")).expect("it is there");
        }
        for (id, timeline) in ids.iter().zip(&timelines) {
            let status = i32::from(id.starts_with("fails"));
            desk.call(&["replay", id, "--report", "again"]).exits(status);
            assert!(*timeline == desk.read(&format!("again/trials/{id}/timeline.jsonl")), "{id} is another trial now");
        }
    }
}

#[test]
fn a_firmware_that_was_asked_to_survive_is_asked_again() {
    let bricks = format!("{FAILS}outcome: bricked\n");
    let desk = Desk::with(&[("scenarios/bricks.yaml", &bricks)]);
    desk.call(&["run", "scenarios", "--report", "expected"]).exits(0);
    desk.call(&["run", "scenarios", "--firmware", "lantern-no-heal", "--report", "asked"]).exits(1);
    desk.call(&["run", "scenarios", "--firmware", "lantern-heal-full", "--report", "other"]).exits(0);
    for (report, status) in [("expected", 0), ("asked", 1), ("other", 0)] {
        let [id] = <[String; 1]>::try_from(ids(&desk.json(&format!("{report}/results.json")))).expect("one trial");
        desk.call(&["replay", &id, "--report", "again"]).exits(status);
        let timeline = |folder: &str| desk.read(&format!("{folder}/trials/{id}/timeline.jsonl"));
        assert!(timeline(report) == timeline("again"), "{report}");
    }
}

#[test]
fn a_firmware_file_is_found_again() {
    let desk = Desk::with(&[("boots.yaml", BOOTS)]);
    let image = std::fs::read(crate::desk::repository().join("fixtures/firmware/images/lantern-heal-parse.bin"));
    desk.put("mine.bin", &image.expect("it is committed"));
    desk.call(&["run", "boots.yaml", "--set", "release=no-heal", "--firmware", "mine.bin"]).exits(0);
    let [id] = <[String; 1]>::try_from(ids(&desk.json(".brickproof/runs/000001/results.json"))).expect("one trial");
    desk.call(&["replay", &id]).exits(0);
}

#[test]
fn an_id_that_names_nothing_is_refused_with_help() {
    let desk = Desk::with(&[("scenarios/boots.yaml", BOOTS)]);
    for (id, text) in [
        ("rubbish", "is no trial id"),
        ("unknown.1-00000000", "say where with --scenarios"),
        ("boots.no-heal.1-00000000", "changed since; today it is boots.no-heal.1-"),
        ("boots.half-heal.1-00000000", "say where with --scenarios"),
    ] {
        let called = desk.call(&["replay", id]);
        called.exits(2);
        assert!(called.err.contains("help: ") && called.err.contains(text), "{id}: {}", called.err);
        assert!(!desk.path(".brickproof").exists(), "nothing was run");
    }
}

#[test]
fn a_folder_without_scenarios_is_no_reason_to_say_nothing_of_the_id() {
    let called = Desk::with(&[]).call(&["replay", "unknown.1-00000000"]);
    called.exits(2);
    assert!(called.err.contains("unknown.1-00000000 cannot be run again"), "{}", called.err);
}

/// The replay line of the first trial that is told at length, without the command's name.
fn replay_line(out: &str) -> Vec<String> {
    let line = out.lines().find_map(|line| line.trim().strip_prefix("replay: brickproof ")).expect("it is printed");
    line.split(' ').map(|word| word.trim_matches('\'').to_owned()).collect()
}

#[test]
fn the_line_that_is_printed_works_whatever_the_trial_was_run_with() {
    let fails = FAILS.replace("steps:\n", "matrix: { delay: [10ms] }\nsteps:\n  - wait: ${delay}\n");
    let desk = Desk::with(&[("mine/fails.yaml", &fails)]);
    let image = std::fs::read(crate::desk::repository().join("fixtures/firmware/images/lantern-no-heal.bin"));
    desk.put("my.bin", &image.expect("it is committed"));
    let run = ["run", "mine/fails.yaml", "--set", "delay=77ms", "--firmware", "my.bin", "--report", "first"];
    let called = desk.call(&run);
    called.exits(1);
    let line = replay_line(&called.out);
    let mut words: Vec<&str> = line.iter().map(String::as_str).collect();
    words.extend(["--report", "second"]);
    let again = desk.call(&words);
    again.exits(1);
    assert_eq!(replay_line(&again.out), line, "and tells how to run it once more");
    assert_eq!(desk.files("first/trials"), desk.files("second/trials"));
    assert_eq!(desk.json("first/results.json")["trials"][0]["replay"], format!("brickproof {}", line.join(" ")));
}

#[test]
fn a_fault_that_was_turned_is_another_trial_and_is_found_again() {
    let desk = Desk::with(&[("mine/fails.yaml", FAILS)]);
    let called = desk.call(&["run", "mine/fails.yaml", "--set", "fault.after=1.5s", "--report", "first"]);
    called.exits(1);
    let line = replay_line(&called.out);
    assert!(line.iter().any(|word| word == "fault.after=1.5s"), "{line:?}");
    let mut words: Vec<&str> = line.iter().map(String::as_str).collect();
    words.extend(["--report", "second"]);
    desk.call(&words).exits(1);
    assert_eq!(desk.files("first/trials"), desk.files("second/trials"));
    let refused = desk.call(&["run", "mine/fails.yaml", "--set", "fault.current=1A"]);
    refused.exits(2);
    assert!(refused.err.contains("a brown_out has no `fault.current`"), "{}", refused.err);
}

#[test]
fn kept_evidence_knows_the_values_that_were_tried() {
    let text =
        BOOTS.replace("matrix:\n", "matrix:\n  delay: [10ms]\n").replace("steps:\n", "steps:\n  - wait: ${delay}\n");
    let desk = Desk::with(&[("mine/boots.yaml", &text)]);
    desk.call(&["run", "mine", "--set", "delay=77ms", "--set", "release=no-heal"]).exits(0);
    let [id] = <[String; 1]>::try_from(ids(&desk.json(".brickproof/runs/000001/results.json"))).expect("one trial");
    desk.call(&["replay", &id]).exits(0);
}
