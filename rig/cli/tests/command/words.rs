//! What a person reads, and what the shell gets.

use crate::desk::{BOOTS, Called, Desk, FAILS, NO_TRIGGER};

/// Digests change with the rig's version, and instants with the firmware; neither is what these snapshots are about.
fn with_filters(assert: impl FnOnce()) {
    let mut settings = insta::Settings::clone_current();
    settings.add_filter(r"-[0-9a-f]{8}\b", "-[digest]");
    settings.add_filter(r"in \d+\.\d\ds\b", "in [wall]");
    settings.add_filter(r" *\b\d+\.\d{2,3}s", " [t]");
    settings.add_filter(r"\b\d{10}\b", "[uptime]");
    settings.bind(assert);
}

#[test]
fn a_run_that_passes_says_so_in_a_line_for_each_trial() {
    let desk = Desk::with(&[("boots.yaml", BOOTS)]);
    let called = desk.call(&["run", "boots.yaml", "--jobs", "1"]);
    called.exits(0);
    assert_eq!(called.err, "", "nothing but results");
    with_filters(|| insta::assert_snapshot!(called.out));
}

#[test]
fn a_failure_is_told_with_blame_step_fault_console_light_and_how_to_see_it_again() {
    let desk = Desk::with(&[("fails.yaml", FAILS)]);
    let called = desk.call(&["run", "fails.yaml"]);
    called.exits(1);
    with_filters(|| insta::assert_snapshot!(called.out));
}

#[test]
fn the_exit_status_names_the_worst_that_happened() {
    let desk = Desk::with(&[("boots.yaml", BOOTS), ("fails.yaml", FAILS), ("no-trigger.yaml", NO_TRIGGER)]);
    desk.call(&["run", "boots.yaml"]).exits(0);
    desk.call(&["run", "boots.yaml", "no-trigger.yaml"]).exits(3);
    desk.call(&["run", "boots.yaml", "no-trigger.yaml", "fails.yaml"]).exits(1);
}

#[test]
fn releases_that_brick_fail_when_asked_to_survive_and_the_one_that_heals_passes() {
    let desk = Desk::with_shipped("scenarios");
    let bricks = desk.call(&["run", "scenarios/battery-death", "--firmware", "lantern-no-heal"]);
    bricks.exits(1);
    for wanted in ["FAILED", "blame: firmware", "  console  ", "  light: ", "  fault ", "replay: brickproof replay "] {
        assert!(bricks.out.contains(wanted), "{wanted:?} is not in\n{}", bricks.out);
    }
    let death = |name: &str| format!("scenarios/battery-death/{name}.yaml");
    let [brown_out, load_step, protection] = ["brown-out", "load-step", "protection"].map(death);
    desk.call(&["run", &brown_out, &load_step, &protection, "--firmware", "lantern-heal-full"]).exits(0);
    // What is written at a rail that is too low is torn without a loss of power, and it does not see to that.
    desk.call(&["run", &death("low-voltage-erase"), "--firmware", "lantern-heal-full"]).exits(1);
}

#[test]
fn everything_that_ships_comes_out_as_it_says() {
    let desk = Desk::with_shipped("scenarios");
    desk.call(&["lint", "scenarios"]).exits(0);
    desk.call(&[
        "run",
        "scenarios/first-light.yaml",
        "scenarios/firewall",
        "scenarios/battery-death",
        "scenarios/particle",
    ])
    .exits(0);
}

#[test]
fn what_a_scenario_says_does_not_steer_the_terminal() {
    let text = BOOTS.replace("console: Cloud connected", "console: \"\\e[31mX\\x01\"").replace("10s", "1s");
    let desk = Desk::with(&[("odd.yaml", &text.replace("A board boots and connects", "\"\\e[2JA board\""))]);
    for command in ["run", "explain"] {
        let called = desk.call(&[command, "odd.yaml"]);
        assert!(called.out.contains("\\x1b[31mX\\x01"), "{}{}", called.out, called.err);
        assert!(!called.out.chars().any(|c| c.is_control() && c != '\n'), "{:?}", called.out);
    }
}

#[test]
fn json_is_one_object_a_line_and_the_summary_last() {
    let desk = Desk::with(&[("boots.yaml", BOOTS), ("fails.yaml", FAILS)]);
    let called = desk.call(&["run", "boots.yaml", "fails.yaml", "--format", "json"]);
    called.exits(1);
    let lines: Vec<serde_json::Value> = called.out.lines().map(|it| serde_json::from_str(it).expect(it)).collect();
    let verdicts: Vec<_> = lines.iter().filter_map(|line| line["verdict"].as_str()).collect();
    assert_eq!(verdicts, ["passed", "passed", "failed"], "in the order of the files");
    let summary = &lines.last().expect("there are lines")["summary"];
    assert_eq!((summary["passed"].as_u64(), summary["failed"].as_u64()), (Some(2), Some(1)));
}

#[test]
fn a_scenario_is_explained_in_plain_words() {
    let desk = Desk::with(&[("fails.yaml", FAILS)]);
    let called = desk.call(&["explain", "fails.yaml"]);
    called.exits(0);
    insta::assert_snapshot!(called.out);
    assert!(!desk.path(".brickproof").exists(), "nothing was run");
}

#[test]
fn a_selection_of_nothing_is_a_mistake() {
    let desk = Desk::with(&[("boots.yaml", BOOTS), ("empty/readme.md", "no scenario")]);
    let told = |called: &Called, text: &str| {
        called.exits(2);
        assert!(called.err.contains(text), "{text:?} is not in\n{}", called.err);
        assert!(!desk.path(".brickproof").exists(), "nothing was run");
    };
    told(&desk.call(&["run", "boots.yaml", "--tag", "nightly"]), "no trial is left");
    told(&desk.call(&["run", "empty"]), "there is no scenario in empty");
    told(&desk.call(&["run", "missing.yaml"]), "missing.yaml could not be read");
    told(&desk.call(&["explain", "boots.yaml", "--tag", "nightly"]), "no trial is left");
    told(&desk.call(&["run", "boots.yaml", "--firmware", "lantern-heal-ful"]), "did you mean `lantern-heal-full`?");
    told(&desk.call(&["run", "boots.yaml", "--firmware", "mine.bin"]), "mine.bin could not be read");
    told(&desk.call(&["run", "boots.yaml", "--set", "relase=no-heal"]), "did you mean `release`?");
    told(&desk.call(&["run", "boots.yaml", "--set", "release=heal-ful"]), "did you mean `lantern-heal-full`?");
    told(&desk.call(&["run", "boots.yaml", "--seed", "-1"]), "a seed is a whole number from 0 to");
    desk.call(&["run", "boots.yaml", "--tag", "quick"]).exits(0);
}

#[test]
fn an_image_that_is_none_or_does_not_fit_is_refused() {
    let desk = Desk::with(&[("boots.yaml", BOOTS)]);
    desk.put("empty.bin", &[]);
    desk.put("large.bin", &[0; 300 * 1024]);
    for (image, text) in [("empty.bin", "it is empty"), ("large.bin", "the flash of lantern-nrf51 only 256KiB")] {
        let called = desk.call(&["run", "boots.yaml", "--firmware", image]);
        called.exits(2);
        assert!(called.err.contains(text), "{}", called.err);
        assert!(!desk.path(".brickproof").exists(), "nothing was run");
    }
}

/// A scenario with an axis that no other has, and a firmware file.
const PAUSES: &str = "\
scenario: A board that is left alone for ${pause}
board: lantern-nrf51
tags: [\"for-${pause}\"]
matrix: { pause: [10ms, 20ms] }
firmware: lantern-no-heal
steps:
  - supply: { usb: 5V }
  - wait: ${pause}
";

#[test]
fn what_is_set_picks_cells_out_of_several_files() {
    let desk = Desk::with(&[("boots.yaml", BOOTS), ("pauses.yaml", PAUSES)]);
    let trials = |arguments: &[&str]| {
        let called = desk.call(&[&["run", "boots.yaml", "pauses.yaml", "--report", "report"], arguments].concat());
        called.exits(0);
        let ids = crate::desk::ids(&desk.json("report/results.json"));
        let names =
            ids.iter().filter_map(|id| id.rsplit_once('-').map(|(name, _)| name.to_owned())).collect::<Vec<_>>();
        (names.join(" "), called.err)
    };
    assert_eq!(trials(&[]).0, "boots.no-heal.1 boots.heal-full.1 pauses.10ms.1 pauses.20ms.1");
    assert_eq!(trials(&["--set", "pause=20ms"]), ("pauses.20ms.1".into(), String::new()));
    assert_eq!(trials(&["--set", "pause=20ms", "--set", "pause=10ms"]).0, "pauses.20ms.1 pauses.10ms.1");
    let (names, told) = trials(&["--set", "pause=30ms"]);
    assert_eq!(names, "pauses.30ms.1", "a value that nobody lists is tried");
    assert!(told.contains("note: no scenario here lists pause=30ms"), "{told}");
    assert_eq!(trials(&["--tag", "for-20ms"]).0, "pauses.20ms.1", "the tags of a cell are those with its values");
    assert_eq!(trials(&["./boots.yaml", ".", "--set", "release=no-heal"]).0, "boots.no-heal.1", "each file once");
}

#[test]
fn trials_with_another_firmware_are_called_after_it() {
    let desk = Desk::with(&[("boots.yaml", BOOTS)]);
    let called = desk.call(&["run", "boots.yaml", "--firmware", "lantern-heal-parse", "--report", "report"]);
    called.exits(0);
    let results = desk.json("report/results.json");
    assert_eq!(results["trials"].as_array().map(Vec::len), Some(1), "two releases that do not run are one question");
    assert_eq!(results["trials"][0]["parameters"], serde_json::json!({ "firmware": "lantern-heal-parse" }));
    assert!(called.out.starts_with("passed    boots.lantern-heal-parse.1-"), "{}", called.out);
}

#[cfg(unix)]
#[test]
fn a_link_that_leads_back_up_is_followed_once() {
    let desk = Desk::with(&[("all/boots.yaml", BOOTS)]);
    std::os::unix::fs::symlink(".", desk.path("all/again")).expect("links can be made");
    let called = desk.call(&["lint", "all", "all/again/boots.yaml"]);
    called.exits(0);
    assert_eq!(called.out, "no mistakes in 1 scenario, 2 trials\n");
}

#[cfg(target_os = "linux")]
#[test]
fn results_that_cannot_be_printed_are_no_success() {
    let desk = Desk::with(&[("boots.yaml", BOOTS), ("fails.yaml", FAILS)]);
    for (file, status) in [("boots.yaml", 3), ("fails.yaml", 1)] {
        let full = std::fs::OpenOptions::new().write(true).open("/dev/full").expect("Linux has one");
        let called: Called = desk.command(&["run", file]).stdout(full).output().expect("the command was built").into();
        called.exits(status);
        assert!(called.err.contains("results could not be printed"), "{}", called.err);
    }
}

const WANTS_AN_ARGON: &str = "scenario: A question to an Argon
board: ${board}
matrix: { board: [lantern-nrf51, argon] }
firmware: ${board}
steps:
  - supply: { usb: 5V }
";

#[test]
fn what_wants_a_board_that_is_not_here_is_counted_and_named_and_never_passed() {
    // One cell with an image, one that leaves the board as it is.
    let text = WANTS_AN_ARGON
        .replace("[lantern-nrf51, argon] }", "[lantern-nrf51, argon], image: [lantern-no-heal, as_found] }\nexclude: [{ board: argon, image: lantern-no-heal }, { board: lantern-nrf51, image: as_found }]")
        .replace("firmware: ${board}", "firmware: ${image}");
    let only = text
        .replace("matrix: { board: [lantern-nrf51, argon], image: [lantern-no-heal, as_found] }", "")
        .replace("exclude: [{ board: argon, image: lantern-no-heal }, { board: lantern-nrf51, image: as_found }]", "")
        .replace("${board}", "photon")
        .replace("${image}", "as_found");
    let desk = Desk::with(&[("both/both.yaml", &text), ("both/only.yaml", &only), ("none/only.yaml", &only)]);
    let called = desk.call(&["run", "both"]);
    called.exits(0);
    with_filters(|| insta::assert_snapshot!(called.out));
    let json = desk.call(&["run", "both", "--format", "json"]);
    json.exits(0);
    let last: serde_json::Value = serde_json::from_str(json.out.lines().last().expect("a summary")).expect("JSON");
    assert_eq!((&last["summary"]["passed"], &last["summary"]["not_asked"]), (&1.into(), &2.into()));
    assert_eq!(last["not_asked"][0]["command"], "brickproof run both --set board=argon --bench FILE");
    // A file that was named beside it is run for what it can; one that can do nothing is refused, and so is a folder of such.
    desk.call(&["run", "both/both.yaml"]).exits(0);
    for named in
        [&["run", "both/only.yaml", "both/both.yaml"][..], &["run", "none"], &["run", "both", "--set", "board=argon"]]
    {
        let refused = desk.call(named);
        refused.exits(2);
        assert!(refused.err.contains("nothing was executed") && refused.out.is_empty(), "{}", refused.err);
    }
    // A virtual board has no firmware that could be found on it.
    let found = desk.call(&["run", "both/both.yaml", "--firmware", "as_found", "--set", "board=lantern-nrf51"]);
    found.exits(2);
    assert!(found.err.contains("a virtual one has none"), "{}", found.err);
}
