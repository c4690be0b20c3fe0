//! The history: what runs leave in it, what it tells, and what is set aside.

use serde_json::Value;

use crate::desk::{BOOTS, Desk, FAILS, ids};

fn desk() -> Desk {
    Desk::with(&[("boots.yaml", BOOTS), ("fails.yaml", FAILS)])
}

fn rows(out: &str) -> Vec<Value> {
    out.lines().map(|line| serde_json::from_str(line).expect(line)).collect()
}

#[test]
fn runs_are_kept_wherever_their_evidence_goes_and_told_with_their_intervals() {
    let desk = desk();
    desk.call(&["run", "boots.yaml", "fails.yaml"]).exits(1);
    desk.call(&["run", "boots.yaml", "--report", "report"]).exits(0);
    desk.call(&["run", "boots.yaml", "--no-history"]).exits(0);
    let told = desk.call(&["history"]);
    told.exits(0);
    assert!(
        told.out.starts_with("virtual world, trials that were judged: 4 of 5 passed, 80.0 % (28.4 % to 99.49 %)\n"),
        "{}",
        told.out
    );
    assert!(told.out.contains("fails.yaml  0 of 1  0 %    0 % to 97.5 %"), "{}", told.out);
    let runs = rows(&desk.call(&["history", "runs", "--format", "json"]).out);
    let counted: Vec<_> =
        runs.iter().map(|it| (it["run"].as_u64(), it["passed"].as_u64(), it["failed"].as_u64())).collect();
    assert_eq!(counted, [(Some(2), Some(2), Some(0)), (Some(1), Some(2), Some(1))]);
    assert_eq!(runs[0]["evidence"], "report");
    let id = &ids(&desk.json("report/results.json"))[0];
    let shown = rows(&desk.call(&["history", "show", id, "--format", "json"]).out);
    assert_eq!(shown.len(), 2, "in both runs");
    let kept = &desk.json("report/results.json")["trials"][0];
    assert_eq!(shown[0]["connect_ns"], kept["time_to_connect"]["after_ns"]);
    assert!(kept["time_to_connect"]["after_ns"].as_u64().is_some_and(|it| it > 0), "{kept}");
    let compared = desk.call(&["history", "compare", "1", "2"]);
    compared.exits(0);
    assert!(compared.out.contains("was not judged in B: 1"), "{}", compared.out);
    desk.call(&["history", "flaky"]).exits(0);
    let trend = desk.call(&["history", "trend"]);
    assert!(
        trend
            .out
            .contains("virtual world, lantern-nrf51: time from power to the cloud, undisturbed, as the cloud saw it"),
        "{}",
        trend.out
    );
    desk.call(&["history", "show", "no-such.trial.1-00000000"]).exits(2);
    desk.call(&["history", "compare", "1", "77"]).exits(2);
}

#[test]
fn a_time_to_connect_is_that_of_a_start_that_nothing_disturbed() {
    let desk = desk();
    let disturbed = "scenario: T\nboard: lantern-nrf51\nfirmware: lantern-heal-full\nsteps:\n  - supply: { usb: 5V }\n  - wait: 100ms\n  - supply: off\n  - supply: { usb: 5V }\n  - expect: { light: cloud_connected, within: 30s }\n";
    desk.put("disturbed.yaml", disturbed.as_bytes());
    desk.call(&["run", "boots.yaml", "disturbed.yaml", "--report", "report"]).exits(0);
    let results = desk.json("report/results.json");
    let trials = results["trials"].as_array().expect("a list");
    let measured = |trial: &Value| trial["measurements"][0]["value"].as_u64();
    // The board says it once the answer of the cloud has come over its line, and its own line is out.
    for trial in &trials[..2] {
        let after = trial["time_to_connect"]["after_ns"].as_u64();
        let apart = after.zip(measured(trial)).map(|(after, said)| said.abs_diff(after));
        assert!(apart.is_some_and(|it| it < 100_000_000), "{after:?} and {:?}", measured(trial));
    }
    assert_eq!(trials[2]["time_to_connect"], Value::Null);
}

fn quarantine(until: &str) -> String {
    format!(
        "quarantine:\n  - scenario: fails.yaml\n    firmware: lantern-no-heal\n    reason: heals no key, see issue 12\n    until: {until}\n  - scenario: other/*.yaml\n    reason: nobody knows\n    until: 2999-01-01\n"
    )
}

#[test]
fn what_is_set_aside_runs_and_is_told_and_fails_nothing() {
    let desk = desk();
    desk.put("quarantine.yaml", quarantine("2999-12-31").as_bytes());
    let called = desk.call(&["run", "boots.yaml", "fails.yaml", "--report", "report"]);
    called.exits(0);
    assert!(
        called.out.contains("failed    fails.")
            && called.out.contains("quarantined until 2999-12-31 (heals no key, see issue 12)"),
        "{}",
        called.out
    );
    assert!(called.out.contains("2 passed, 1 quarantined of 3 trials"), "{}", called.out);
    assert!(
        called.err.contains("note: quarantine.yaml:6: the entry for other/*.yaml means no trial of this run"),
        "{}",
        called.err
    );
    let results = desk.json("report/results.json");
    let summary = &results["summary"];
    assert_eq!((summary["quarantined"].as_u64(), summary["failed"].as_u64()), (Some(1), Some(0)));
    let failed = &results["trials"][2];
    assert_eq!(
        (failed["verdict"].as_str(), failed["quarantine"]["reason"].as_str()),
        (Some("failed"), Some("heals no key, see issue 12"))
    );
    let junit = desk.read("report/junit.xml");
    assert!(junit.contains("<skipped") && !junit.contains("<failure"), "{junit}");
    let page = desk.read("report/report.html");
    assert!(page.contains("<h1>2 of 3 trials passed</h1>") && page.contains("1 set aside by a person"), "{page}");
    assert!(!page.contains("to blame:"), "nobody is for what counts for nothing: {page}");
    desk.call(&["run", "fails.yaml", "--no-history", "--report", "alone"]).exits(0);
    let page = desk.read("alone/report.html");
    assert!(page.contains("<h1>The trial is set aside</h1>"), "{page}");
    assert!(page.contains("set aside until 2999-12-31: heals no key, see issue 12"), "{page}");
    let told = desk.call(&["history", "quarantine"]);
    assert!(told.out.contains("fails.yaml until 2999-12-31: heals no key, see issue 12\n  virtual world: 0 of 1 passed, 0 % (0 % to 97.5 %): it never passes"), "{}", told.out);
    assert!(told.out.contains("no trial ran under it"), "{}", told.out);
    desk.call(&["run", "fails.yaml", "--no-quarantine"]).exits(1);
    desk.put("quarantine.yaml", quarantine("2020-01-01").as_bytes());
    let over = desk.call(&["run", "fails.yaml"]);
    over.exits(1);
    assert!(
        over.err.contains(
            "note: quarantine.yaml:2: the entry for fails.yaml was over on 2020-01-01: its trials count again"
        ),
        "{}",
        over.err
    );
}

#[test]
fn a_quarantine_without_reason_or_end_is_refused_before_anything_runs() {
    let desk = desk();
    desk.put("aside.yaml", b"quarantine:\n  - scenario: fails.yaml\n    reason:\n    until: soon\n  - scenario: fails.yaml\n    untill: 2026-12-31\n");
    let called = desk.call(&["run", "fails.yaml", "--quarantine", "aside.yaml"]);
    called.exits(2);
    for told in [
        "aside.yaml:3:",
        "`soon` is not a day",
        "an entry lacks `reason`",
        "unknown key `untill`",
        "4 mistakes in 1 file; nothing was executed",
    ] {
        assert!(called.err.contains(told), "{told}: {}", called.err);
    }
    assert!(!desk.path(".brickproof").exists());
}

#[test]
fn a_damaged_history_costs_no_evidence() {
    let desk = desk();
    desk.call(&["run", "boots.yaml"]).exits(0);
    let mut bytes = std::fs::read(desk.path(".brickproof/history.sqlite")).expect("it is there");
    bytes[4096..].fill(0xA5);
    desk.put(".brickproof/history.sqlite", &bytes);
    let called = desk.call(&["run", "boots.yaml", "--report", "report"]);
    called.exits(3);
    assert!(
        called.err.contains("2 trials of this run could not be kept in the history")
            && called.err.contains("the file is damaged"),
        "{}",
        called.err
    );
    assert_eq!(ids(&desk.json("report/results.json")).len(), 2);
    desk.put("notes.txt", "some notes of mine, which are no history and must not be lost".repeat(30).as_bytes());
    let refused = desk.call(&["run", "boots.yaml", "--history", "notes.txt"]);
    refused.exits(2);
    assert!(
        refused.out.is_empty() && refused.err.contains("notes.txt is not a history of Brickproof"),
        "{}",
        refused.err
    );
}

#[test]
fn the_quarantine_that_is_shown_is_one() {
    let desk = desk();
    let shown = crate::desk::repository().join("scenarios/README.md");
    let shown = std::fs::read_to_string(shown).expect("it is committed");
    let shown = shown.split("```").find_map(|block| block.strip_prefix("yaml\nquarantine:")).expect("it shows one");
    desk.put("quarantine.yaml", format!("quarantine:{shown}").as_bytes());
    let called = desk.call(&["run", "boots.yaml"]);
    called.exits(0);
    assert!(called.err.contains("quarantine.yaml:2: the entry for battery-death/*.yaml"), "{}", called.err);
}
