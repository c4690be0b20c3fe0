//! `junit.xml` of results of every kind, and of attempts that were made again.
//!
//! `xmllint` is a program of the system. Where it is missing the test says so loudly and does not ask it; with `BRICKPROOF_REQUIRE_ORACLES=1`, as
//! in the gate, that is a failure.

use std::process::Command;

use brickproof_report::{Results, TrialResult, World, junit};
use serde_json::{Value, json};

/// A trial with this id, attempt and verdict, and what else differs.
fn trial(id: &str, attempt: u32, verdict: &str, others: Value) -> TrialResult {
    let mut trial = json!({
        "id": id, "scenario": { "path": "scenarios/a.yaml", "sha256": "aa", "title": "A <b>title</b> & more" },
        "parameters": { "release": "no-heal" }, "board": "lantern-nrf51", "board_serial": null, "station": "virtual",
        "firmware": { "name": "lantern-no-heal", "sha256": "ff" }, "seed": 1, "attempt": attempt, "expected": "passed",
        "verdict": verdict, "blame": null, "reason": "", "evidence": [], "light": [], "duration_ns": 1, "wall_ns": 1_500_000,
        "faults": [], "measurements": [], "replay": format!("brickproof replay {id}"),
        "steps": [{ "index": 1, "line": 7, "text": "wait 1s", "verdict": "passed", "start_ns": 0, "end_ns": 1 }],
    });
    for (key, value) in others.as_object().expect("a mapping") {
        trial[key] = value.clone();
    }
    serde_json::from_value(trial).expect("it is a trial")
}

fn of_every_kind() -> Results {
    let late = json!({ "blame": "bench", "reason": "the fault struck 3ms late" });
    let failing = json!([{ "index": 2, "line": 21, "text": "expect \u{1b}[31m]]>", "verdict": "failed", "start_ns": 0, "end_ns": 9 }]);
    let evidence = json!([{ "at_ns": 1_500_000_000_u64, "kind": "console", "text": "<error> & ]]> \u{0}\u{1b}[31mred", "explained": [] }]);
    let failed = json!({
        "blame": "firmware", "reason": "the light \"did not\" come", "steps": failing, "evidence": evidence, "light": ["1s-2s  cyan"],
    });
    let measured = json!([{ "name": "boot", "value": 7, "unit": "ns", "within_limits": true, "step": 1 }]);
    let elsewhere = json!({ "board_serial": "6c1f", "station": "desk", "blame": "bench", "reason": "no supply" });
    let aside = json!({
        "blame": "firmware", "reason": "it went dark", "quarantine": { "reason": "known, #<7>", "until": "2026-12-31" },
    });
    let trials = vec![
        trial("a.plain.1-00000000", 1, "passed", json!({ "measurements": measured })),
        trial("a.again.1-00000001", 1, "inconclusive", late.clone()),
        trial("a.again.1-00000001", 2, "passed", json!({ "reason": "bricked, as expected: it went dark" })),
        trial("a.fails.1-00000002", 1, "inconclusive", late),
        trial("a.fails.1-00000002", 2, "failed", failed),
        trial("a.other.1-00000003", 1, "error", elsewhere),
        trial("a.aside.1-00000004", 1, "failed", aside),
    ];
    Results::new(World::Hardware, trials).begun("2026-11-27T10:00:00Z".to_owned())
}

#[test]
fn each_end_has_its_element_and_discarded_attempts_are_beside_the_last() {
    insta::assert_snapshot!(junit::to_xml(&of_every_kind()).expect("it is written"));
}

#[test]
fn the_schema_of_jenkins_has_nothing_against_it() {
    let folder = tempfile::tempdir().expect("there is room");
    let path = folder.path().join("junit.xml");
    std::fs::write(&path, junit::to_xml(&of_every_kind()).expect("it is written")).expect("the folder is ours");
    let schema = concat!(env!("CARGO_MANIFEST_DIR"), "/../../fixtures/schemas/junit-10.xsd");
    let Ok(output) = Command::new("xmllint").args(["--noout", "--nonet", "--schema", schema]).arg(&path).output()
    else {
        eprintln!("NOT CHECKED: there is no xmllint");
        let required = std::env::var("BRICKPROOF_REQUIRE_ORACLES").is_ok_and(|value| value == "1");
        assert!(!required, "there is no xmllint, and BRICKPROOF_REQUIRE_ORACLES is 1");
        return;
    };
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}
