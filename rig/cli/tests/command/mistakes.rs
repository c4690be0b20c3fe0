//! Broken files: every mistake is told, by `lint`, by `run` and by `bench lint`, and nothing is executed.

use crate::desk::{BOOTS, Called, Desk};

const FOLDER: &str = "fixtures/broken-scenarios";

/// The number of mistakes that the command counted.
fn counted(called: &Called) -> usize {
    let last = called.err.lines().rev().find_map(|line| line.strip_prefix("error: ")).expect("it says how many");
    assert!(last.ends_with("nothing was executed"), "{last}");
    last.split(' ').next().and_then(|word| word.parse().ok()).expect("the line begins with a number")
}

#[test]
fn every_planted_mistake_is_told_by_lint_and_by_run() {
    let desk = Desk::with_shipped(FOLDER);
    let files = desk.files(FOLDER);
    assert!(files.len() >= 10);
    let mut all = 0;
    for (name, _) in files {
        let path = format!("{FOLDER}/{name}");
        let header = desk.read(&path).lines().next().and_then(|it| it.strip_prefix("# mistakes: ")?.parse().ok());
        let planted: usize = header.expect("it says how many were planted");
        for called in [desk.call(&["lint", &path]), desk.call(&["run", &path, "--report", "report"])] {
            called.exits(2);
            assert_eq!(counted(&called), planted, "{path}\n{}", called.err);
            assert!(called.err.contains(&path), "it says in which file");
        }
        all += planted;
    }
    assert_eq!(counted(desk.call(&["lint", FOLDER]).exits(2)), all, "all files at once");
    assert!(!desk.path(".brickproof").exists() && !desk.path("report").exists(), "nothing was executed");
}

#[test]
fn one_broken_file_keeps_the_good_ones_from_running() {
    let desk = Desk::with(&[("a.yaml", BOOTS), ("b.yaml", "scenario: T\n")]);
    desk.call(&["run", "."]).exits(2);
    assert!(!desk.path(".brickproof").exists());
    desk.call(&["lint", "a.yaml"]).exits(0);
}

#[test]
fn every_firmware_file_that_is_missing_is_told_by_lint_and_by_run() {
    let with = |firmware: &str| BOOTS.replace("lantern-${release}", firmware);
    let [one, two] = ["build/${release}.bin", "other.hex"].map(with);
    let desk = Desk::with(&[
        ("one.yaml", one.as_str()),
        (
            "two.yaml",
            two.replace("  release: [no-heal, heal-full]\n", "  release: [a]\n")
                .replace("steps:\n", "steps:\n  - send: ${release}\n")
                .as_str(),
        ),
    ]);
    for command in ["lint", "run"] {
        let called = desk.call(&[command, "one.yaml", "two.yaml"]);
        assert_eq!(counted(called.exits(2)), 2, "{}", called.err);
        for told in [
            "build/no-heal.bin could not be read",
            "build/heal-full.bin could not be read",
            "other.hex could not be read",
        ] {
            assert!(called.err.contains(told), "{command}: {told:?} is not in\n{}", called.err);
        }
    }
    desk.call(&["run", "one.yaml", "--firmware", "lantern-heal-full"]).exits(0);
}

#[test]
fn every_planted_mistake_of_a_bench_is_told() {
    const BENCHES: &str = "fixtures/broken-benches";
    let desk = Desk::with_shipped(BENCHES);
    for (name, _) in desk.files(BENCHES) {
        let path = format!("{BENCHES}/{name}");
        let header = desk.read(&path).lines().next().and_then(|it| it.strip_prefix("# mistakes: ")?.parse().ok());
        let called = desk.call(&["bench", "lint", &path]);
        called.exits(2);
        assert_eq!(Some(counted(&called)), header, "{path}\n{}", called.err);
    }
}

#[test]
fn a_bench_without_mistakes_is_told_by_its_stations() {
    let desk = Desk::with_shipped("hardware/benches");
    let one = |name: &str| format!("hardware/benches/{name}.yaml");
    let called = desk.call(&["bench", "lint", &one("pi-one"), &one("pi-eight"), &one("pc-scpi"), &one("virtual")]);
    called.exits(0);
    let told: Vec<&str> = called.out.lines().collect();
    assert_eq!(told.len(), 12, "{}", called.out);
    insta::assert_snapshot!([told[0], told[11]].join("\n"), @r"
    pi-one/desk: lantern-nrf52840 (hardware): lines gpiocdev, console serial, supply load-switch, probe probe-rs, light tcs3472, cloud console
    virtual/nrf52840: lantern-nrf52840 (virtual): lines virtual, console virtual, supply virtual, probe virtual, light virtual, cloud console
    ");
}
