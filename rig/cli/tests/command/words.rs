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
    desk.call(&["run", "scenarios/battery-death", "--firmware", "lantern-heal-full"]).exits(0);
}

#[test]
fn everything_that_ships_comes_out_as_it_says() {
    let desk = Desk::with_shipped("scenarios");
    desk.call(&["lint", "scenarios"]).exits(0);
    desk.call(&["run", "scenarios/first-light.yaml", "scenarios/firewall", "scenarios/battery-death"]).exits(0);
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
    told(&desk.call(&["run", "boots.yaml", "--firmware", "lantern-heal-ful"]), "lantern-heal-ful could not be read");
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
