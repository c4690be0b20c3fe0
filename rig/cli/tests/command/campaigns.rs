//! Campaigns as a person starts them: what they say, that being killed costs nothing, and that wrong questions are refused.

use std::collections::BTreeSet;
use std::process::Stdio;
use std::time::Duration;

use crate::desk::Desk;

const BROWN_OUT: &str = include_str!("../../../../fixtures/scenarios/rotate.yaml");

fn desk() -> Desk {
    Desk::with(&[("rotate.yaml", BROWN_OUT)])
}

const PROVE: [&str; 4] = ["prove", "rotate.yaml", "--vary", "fault.after=0ms..60ms"];

#[test]
fn a_release_that_heals_is_fixed_one_that_does_not_is_not_and_a_baseline_that_never_fails_shows_nothing() {
    let desk = desk();
    let say = |baseline: &str, candidate: &str| {
        let firmware =
            ["--baseline", baseline, "--candidate", candidate, "--good", "1%", "--bad", "10%", "--cap", "60"];
        desk.call(&[&PROVE[..], &firmware].concat())
    };
    let fixed = say("lantern-no-heal", "lantern-heal-full");
    fixed.exits(0);
    assert!(
        fixed.out.contains("FIXED: the candidate fails less often than 10.0 %, and the baseline more often"),
        "{}",
        fixed.out
    );
    assert!(fixed.out.contains("(virtual world)"), "{}", fixed.out);
    let not_fixed = say("lantern-no-heal", "lantern-heal-blank");
    not_fixed.exits(1);
    assert!(not_fixed.out.contains("NOT FIXED"), "{}", not_fixed.out);
    let nothing = say("lantern-heal-full", "lantern-heal-full");
    nothing.exits(4);
    assert!(nothing.out.contains("the baseline never failed"), "{}", nothing.out);
}

#[test]
fn a_trial_of_a_campaign_is_made_again_by_the_line_that_is_printed() {
    let desk = desk();
    let swept = desk.call(&[
        "sweep",
        "rotate.yaml",
        "--firmware",
        "lantern-no-heal",
        "--vary",
        "fault.after=0ms..20ms/3",
        "--report",
        "swept",
    ]);
    swept.exits(0);
    assert!(swept.out.contains("2 of 3 failed"), "{}", swept.out);
    let line = swept.out.lines().find_map(|line| line.split_once("brickproof ")).expect("it is told").1;
    let words: Vec<&str> = line.split_whitespace().collect();
    desk.call(&words).exits(1);
}

/// With the journal where it is kept by itself, the id alone does.
#[test]
fn an_id_of_a_campaign_is_enough() {
    let desk = Desk::with(&[("scenarios/rotate.yaml", BROWN_OUT)]);
    let sweep =
        ["sweep", "scenarios/rotate.yaml", "--firmware", "lantern-no-heal", "--vary", "fault.after=0ms..20ms/3"];
    let swept = desk.call(&sweep);
    let line = swept.out.lines().find_map(|line| line.split_once("brickproof replay ")).expect("it is told").1;
    desk.call(&["replay", line.split_whitespace().next().expect("an id")]).exits(1);
}

#[test]
fn every_flash_operation_after_the_trigger_is_struck_once_at_each_place() {
    let desk = desk();
    let exhaustive = [
        "sweep",
        "rotate.yaml",
        "--firmware",
        "lantern-heal-full",
        "--exhaustive",
        "--fractions",
        "1",
        "--window",
        "30ms",
        "--report",
        "all",
    ];
    let swept = desk.call(&exhaustive);
    swept.exits(0);
    let journal = desk.read("all/journal.jsonl");
    let instants: Vec<&str> =
        journal.lines().skip(1).filter_map(|line| line.split("fault.after\",\"").nth(1)).collect();
    let distinct: BTreeSet<&str> = instants.iter().copied().collect();
    assert_eq!(distinct.len(), instants.len(), "each once");
    assert_eq!(instants.len() % 3, 0, "before, inside, after");
    assert!(swept.out.contains(&format!("0 of {} failed", instants.len())), "{}", swept.out);
}

/// The lines of a journal: the shots' numbers in their order.
fn shots(journal: &str) -> Vec<u64> {
    let number = |line: &str| serde_json::from_str::<serde_json::Value>(line).expect("a whole line")["shot"].as_u64();
    journal.lines().skip(1).filter_map(number).collect()
}

/// How often; the figure that is published is made with `BRICKPROOF_KILLS=100`.
fn kills() -> u32 {
    std::env::var("BRICKPROOF_KILLS").ok().and_then(|text| text.parse().ok()).unwrap_or(5)
}

/// Kills the campaign at random instants, again from the beginning whenever it came to its end, and lets it end at last.
fn killed_again_and_again(campaign: &[&str]) {
    let desk = desk();
    let kept = |report: &'static str| [campaign, &["--report", report]].concat();
    let unbroken = desk.call(&kept("unbroken"));
    // Any sequence does, as long as it is the same each time.
    let (mut random, mut died) = (0x9E37_79B9_7F4A_7C15_u64, 0);
    for _ in 0..kills() {
        random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        let mut child =
            desk.command(&kept("killed")).stdout(Stdio::null()).stderr(Stdio::null()).spawn().expect("it starts");
        std::thread::sleep(Duration::from_millis((random >> 33) % 400));
        child.kill().expect("it can be killed");
        died += u32::from(child.wait().expect("it ended").code().is_none());
        let so_far = std::fs::read_to_string(desk.path("killed/journal.jsonl")).unwrap_or_default();
        let whole = so_far.rfind('\n').map_or("", |end| &so_far[..=end]);
        assert!(desk.read("unbroken/journal.jsonl").starts_with(whole), "each once and in order: {:?}", shots(whole));
        if desk.path("killed/answer.txt").exists() {
            std::fs::remove_dir_all(desk.path("killed")).expect("it is there");
        }
    }
    assert!(died > 0, "none was killed at work");
    eprintln!("{died} of {} were killed at work", kills());
    desk.call(&kept("killed")).exits(unbroken.exit.expect("it ended by itself"));
    assert_eq!(desk.read("killed/journal.jsonl"), desk.read("unbroken/journal.jsonl"));
    assert_eq!(desk.read("killed/answer.txt"), desk.read("unbroken/answer.txt"));
}

#[test]
fn a_sweep_that_is_killed_again_and_again_counts_every_trial_once() {
    let vary = ["--vary", "fault.after=0ms..60ms/100", "--each", "4"];
    killed_again_and_again(&[&["sweep", "rotate.yaml", "--firmware", "lantern-no-heal"], &vary[..]].concat());
}

/// The baseline goes on alone once the candidate is through.
#[test]
fn a_proof_that_is_killed_again_and_again_counts_every_trial_once() {
    let firmware = ["--baseline", "lantern-no-heal", "--candidate", "lantern-heal-full"];
    let vary = ["--vary", "fault.after=55ms..60ms", "--good", "1%", "--bad", "10%", "--cap", "120", "--jobs", "4"];
    killed_again_and_again(&[&["prove", "rotate.yaml"], &firmware[..], &vary[..]].concat());
}

/// Its boards are brought to where they were each time.
#[test]
fn a_soak_that_is_killed_again_and_again_counts_every_cycle_once() {
    killed_again_and_again(&[
        "soak",
        "rotate.yaml",
        "--firmware",
        "lantern-no-heal",
        "--cycles",
        "60",
        "--boards",
        "2",
    ]);
}

#[test]
fn a_campaign_at_work_is_not_disturbed_by_another_that_would_begin_it_anew() {
    let desk = desk();
    let soak = ["soak", "rotate.yaml", "--firmware", "lantern-no-heal", "--cycles", "100000", "--report", "kept"];
    let mut child = desk.command(&soak).stdout(Stdio::null()).stderr(Stdio::null()).spawn().expect("it starts");
    let journal = desk.path("kept/journal.jsonl");
    while std::fs::read_to_string(&journal).unwrap_or_default().lines().count() < 3 {
        std::thread::yield_now();
    }
    let other = desk.call(&[&soak[..], &["--fresh"]].concat());
    other.exits(2);
    assert!(other.err.contains("another process is at this campaign"), "{}", other.err);
    child.kill().expect("it can be killed");
    child.wait().expect("it ended");
    assert_eq!(shots(&desk.read("kept/journal.jsonl"))[..2], [0, 1], "its journal is whole");
}

#[test]
fn one_job_or_several_find_the_same() {
    let desk = desk();
    for jobs in ["1", "3"] {
        let find = [
            "find-window",
            "rotate.yaml",
            "--firmware",
            "lantern-no-heal",
            "--to",
            "60ms",
            "--resolution",
            "2ms",
            "--narrowest",
            "10ms",
            "--jobs",
            jobs,
            "--report",
            jobs,
        ];
        desk.call(&find).exits(0);
    }
    assert_eq!(desk.read("1/journal.jsonl"), desk.read("3/journal.jsonl"));
}

#[test]
fn a_campaign_is_a_file_too() {
    let desk = Desk::with(&[("scenarios/rotate.yaml", BROWN_OUT)]);
    let file = "campaign: Which instants brick no-heal?\nscenario: ../scenarios/rotate.yaml\nfirmware: lantern-no-heal\nbudget: { trials: 6 }\nsweep: { vary: { fault.after: { from: 0ms, to: 20ms } } }\n";
    std::fs::create_dir(desk.path("questions")).expect("there is room");
    desk.put("questions/which.yaml", file.as_bytes());
    let called = desk.call(&["campaign", "questions/which.yaml", "--format", "json"]);
    called.exits(0);
    let last: serde_json::Value =
        serde_json::from_str(called.out.lines().last().expect("it says something")).expect("it is JSON");
    assert_eq!((last["answer"]["world"].as_str(), last["progress"]["done"].as_u64()), (Some("virtual"), Some(6)));
}

#[test]
fn a_proof_over_an_axis_says_in_which_of_its_values_the_candidate_still_fails() {
    let desk = Desk::with_shipped("scenarios/heal-matrix");
    let prove = [
        "prove",
        "scenarios/heal-matrix/server-key.yaml",
        "--set",
        "geometry=nrf51",
        "--over",
        "damage",
        "--baseline",
        "lantern-no-heal",
        "--candidate",
        "lantern-heal-parse",
    ];
    let said = desk.call(&prove);
    said.exits(1);
    assert!(said.out.contains("it still fails in: damage stale_copy; damage valid_but_wrong\n"), "{}", said.out);
    desk.call(&[&prove[..], &["--strata", "3"]].concat()).exits(2);
    let unknown: Vec<&str> = prove.iter().map(|word| if *word == "damage" { "harm" } else { *word }).collect();
    let refused = desk.call(&unknown);
    refused.exits(2);
    assert!(refused.err.contains("has no axis `harm` to go over"), "{}", refused.err);
}

#[test]
fn lint_reads_campaigns_with_all_that_they_name() {
    let desk = Desk::with(&[("scenarios/rotate.yaml", BROWN_OUT)]);
    let file = |scenario: &str, firmware: &str| {
        format!(
            "campaign: Which?\nscenario: {scenario}\nfirmware: {firmware}\nsweep: {{ vary: {{ fault.after: {{ from: 0ms, to: 20ms, points: 3 }} }} }}\n"
        )
    };
    desk.put("scenarios/which.yaml", file("rotate.yaml", "lantern-no-heal").as_bytes());
    let clean = desk.call(&["lint", "scenarios"]);
    clean.exits(0);
    assert_eq!(clean.out, "no mistakes in 1 scenario, 2 trials, 1 campaign\n");
    desk.put("scenarios/which.yaml", file("rotate.yaml", "lantern-no-hell").as_bytes());
    let unknown = desk.call(&["lint", "scenarios"]);
    unknown.exits(2);
    assert!(unknown.err.contains("did you mean `lantern-no-heal`?"), "{}", unknown.err);
    desk.put("scenarios/which.yaml", file("rotat.yaml", "lantern-no-heal").as_bytes());
    desk.call(&["lint", "scenarios"]).exits(2);
}

#[test]
fn what_cannot_be_asked_is_refused_before_anything_runs() {
    let desk = desk();
    let refused = |words: &[&str], told: &str| {
        let called = desk.call(words);
        called.exits(2);
        assert!(called.err.contains(told), "{words:?}: {}", called.err);
    };
    let sweep = ["sweep", "rotate.yaml"];
    let with = |rest: &[&'static str]| [&sweep[..], rest].concat();
    refused(&with(&["--vary", "fault.after=0ms..1ms/2"]), "has 2 cells, and a campaign varies one");
    refused(&with(&["--firmware", "lantern-no-heal", "--vary", "fault.after=0ms..1ms"]), "how many trials");
    refused(&with(&["--firmware", "lantern-no-heal", "--vary", "fault.after=0ms-1ms"]), "has no `..`");
    refused(
        &with(&["--firmware", "lantern-no-heal", "--vary", "fault.current=1mA..2mA/2"]),
        "a brown_out has no `fault.current`",
    );
    refused(&with(&["--firmware", "lantern-no-heal", "--vary", "fault.floor=0V..9V/2"]), "the floor lies between");
    refused(&with(&["--firmware", "lantern-no-heal", "--vary", "fault.after=0s..2h/2"]), "nobody waits longer than");
    refused(
        &with(&["--firmware", "lantern-no-heal", "--vary", "fault.after=0ms..1ms", "--trials", "0"]),
        "a number of trials of 0",
    );
    refused(&["soak", "rotate.yaml", "--firmware", "lantern-no-heal", "--cycles", "0"], "a number of cycles of 0");
    refused(
        &with(&["--firmware", "lantern-no-heal", "--vary", "fault.after=0ms..1ms/2", "--report", "rotate.yaml"]),
        "nothing was executed",
    );
    assert!(!desk.path(".brickproof").exists(), "nothing was kept of it");
}
