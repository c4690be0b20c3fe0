//! What is kept: complete, readable by others, the same whatever the number of jobs, and without private keys.

use quick_xml::Reader;
use quick_xml::events::Event;
use serde_json::Value;

use crate::desk::{BOOTS, Desk, FAILS, NO_TRIGGER, ids, repository};

fn reported() -> Desk {
    let desk = Desk::with(&[("boots.yaml", BOOTS), ("fails.yaml", FAILS), ("no-trigger.yaml", NO_TRIGGER)]);
    desk.call(&["run", "boots.yaml", "fails.yaml", "no-trigger.yaml", "--report", "report"]).exits(1);
    assert!(!desk.path(".brickproof/runs").exists(), "it is put where it was asked for");
    desk
}

fn assert_has(value: &Value, fields: &[&str]) {
    fields.iter().for_each(|field| assert!(value.get(field).is_some(), "no `{field}` in {value}"));
}

#[test]
fn results_have_every_field_that_was_promised() {
    let desk = reported();
    let results = desk.json("report/results.json");
    assert_eq!(results["schema"], "brickproof/results/1");
    assert_eq!(results["rig"]["world"], "virtual");
    assert_has(&results["rig"], &["version"]);
    assert_has(&results["summary"], &["passed", "failed", "error", "inconclusive", "quarantined"]);
    let trials = results["trials"].as_array().expect("a list");
    assert_eq!(trials.len(), 4);
    for trial in trials {
        let fields = "id scenario parameters board board_serial station firmware seed attempt verdict blame reason \
                      duration_ns wall_ns faults measurements steps";
        assert_has(trial, &fields.split(' ').collect::<Vec<_>>());
        assert_has(&trial["scenario"], &["path", "sha256"]);
        assert_has(&trial["firmware"], &["name", "sha256"]);
        for step in trial["steps"].as_array().expect("a list") {
            assert_has(step, &["index", "line", "text", "verdict", "start_ns", "end_ns"]);
        }
    }
    let [passed, _, failed, in_error] = &trials[..] else { panic!("four trials") };
    assert_eq!((passed["verdict"].as_str(), passed["blame"].as_str()), (Some("passed"), None));
    assert_eq!(passed["parameters"]["release"], "no-heal");
    assert_eq!(passed["measurements"][0]["unit"], "ns");
    assert_eq!((failed["verdict"].as_str(), failed["blame"].as_str()), (Some("failed"), Some("firmware")));
    assert_has(&failed["faults"][0], &["kind", "trigger", "asked", "achieved"]);
    let steps: Vec<_> = failed["steps"].as_array().expect("a list").iter().map(|it| &it["verdict"]).collect();
    assert_eq!(steps, ["passed", "passed", "passed", "failed", "not_run"]);
    assert_eq!((in_error["verdict"].as_str(), in_error["blame"].as_str()), (Some("error"), Some("scenario")));
    assert_eq!(in_error["faults"], serde_json::json!([]), "a fault that was not made is not listed as made");
}

#[test]
fn junit_is_well_formed_and_counts_the_same() {
    let desk = reported();
    let text = desk.read("report/junit.xml");
    let mut reader = Reader::from_str(&text);
    reader.config_mut().check_end_names = true;
    let (mut cases, mut failures, mut errors, mut depth) = (0, 0, 0, 0_i32);
    loop {
        let event = reader.read_event().unwrap_or_else(|error| panic!("{error} in\n{text}"));
        let name = match &event {
            Event::Start(tag) | Event::Empty(tag) => String::from_utf8_lossy(tag.name().as_ref()).into_owned(),
            _ => String::new(),
        };
        match name.as_str() {
            "testcase" => cases += 1,
            "failure" => failures += 1,
            "error" => errors += 1,
            _ => {}
        }
        match event {
            Event::Start(_) => depth += 1,
            Event::End(_) => depth -= 1,
            Event::Eof => break,
            _ => {}
        }
    }
    assert_eq!((cases, failures, errors, depth), (4, 1, 1, 0));
}

#[test]
fn every_trial_keeps_its_timeline_and_its_console() {
    let desk = reported();
    for id in ids(&desk.json("report/results.json")) {
        let timeline = desk.read(&format!("report/trials/{id}/timeline.jsonl"));
        let events: Vec<Value> = timeline.lines().map(|it| serde_json::from_str(it).expect(it)).collect();
        let instants: Vec<u64> = events.iter().map(|it| it["t"].as_u64().expect("every line has `t`")).collect();
        let fallen = instants.windows(2).position(|pair| pair[0] > pair[1]);
        assert_eq!(fallen.map(|line| (&events[line], &events[line + 1])), None, "time never falls");
        assert!(events.iter().all(|it| it["kind"].is_string()));
        assert_eq!(events.iter().filter(|it| it["kind"] == "verdict").count(), 1);
        let said: Vec<&str> =
            events.iter().filter(|it| it["kind"] == "console").filter_map(|it| it["text"].as_str()).collect();
        let raw = desk.read(&format!("report/trials/{id}/console.raw"));
        let printed: Vec<&str> = raw.split_inclusive('\n').filter_map(|it| it.strip_suffix("\r\n")).collect();
        assert!(!said.is_empty());
        assert_eq!(said, printed, "the lines are those that the board printed");
    }
}

#[test]
fn the_number_of_jobs_makes_no_difference() {
    let desk = Desk::with(&[("boots.yaml", BOOTS), ("fails.yaml", FAILS), ("no-trigger.yaml", NO_TRIGGER)]);
    for jobs in ["1", "2"] {
        desk.call(&["run", ".", "--jobs", jobs, "--report", jobs]).exits(1);
    }
    assert_eq!(desk.files("1/trials"), desk.files("2/trials"), "byte for byte");
    let [one, two] = ["1", "2"].map(|jobs| {
        let mut results = desk.json(&format!("{jobs}/results.json"));
        assert!(results["rig"]["started"].take().is_string(), "when it began");
        let trials = results["trials"].as_array_mut().expect("a list");
        assert!(trials.iter_mut().all(|it| it["wall_ns"].take().as_u64().is_some_and(|wall| wall > 0)));
        results
    });
    assert_eq!(one, two);
}

#[test]
fn evidence_is_kept_without_asking() {
    let desk = Desk::with(&[("boots.yaml", BOOTS)]);
    for run in ["000001", "000002"] {
        let called = desk.call(&["run", "boots.yaml"]);
        called.exits(0);
        let place = format!(".brickproof/runs/{run}");
        assert!(called.out.ends_with(&format!("evidence: {place}\n")), "{}", called.out);
        assert_eq!(ids(&desk.json(&format!("{place}/results.json"))).len(), 2);
    }
}

/// The bytes of a private key, as they may turn up: raw and in hex. SEC1 (RFC 5915): the scalar is 32 bytes after `30 77 02 01 01 04 20`.
fn forms(der: &[u8]) -> Vec<Vec<u8>> {
    let scalar = &der[7..39];
    let hex: String = scalar.iter().map(|byte| format!("{byte:02x}")).collect();
    vec![scalar.to_vec(), hex.to_uppercase().into_bytes(), hex.into_bytes()]
}

fn contains(bytes: &[u8], wanted: &[u8]) -> bool {
    bytes.windows(wanted.len()).any(|window| window == wanted)
}

#[test]
fn private_keys_are_in_no_evidence() {
    let desk = Desk::with_shipped("scenarios");
    let run = ["run", "scenarios/battery-death", "--set", "release=heal-full", "--report", "report"];
    let called = desk.call(&run);
    called.exits(0);
    let mut kept = desk.files("report");
    kept.push(("standard output".into(), called.out.into_bytes()));
    assert!(kept.iter().any(|(_, bytes)| contains(bytes, b"offered key")), "a key was handed out");
    for name in ["device-old", "device-new"] {
        let der = std::fs::read(repository().join(format!("fixtures/keys/{name}.sec1.der"))).expect("it is committed");
        assert_eq!(der[..7], [0x30, 0x77, 0x02, 0x01, 0x01, 0x04, 0x20]);
        for form in forms(&der) {
            // Half a key is as bad.
            for half in form.chunks(form.len() / 2) {
                let found = kept.iter().find(|(_, bytes)| contains(bytes, half));
                assert_eq!(found.map(|(file, _)| file), None, "{name} is in it");
            }
        }
    }
}

#[test]
fn where_no_evidence_can_be_kept_nothing_is_run() {
    let desk = Desk::with(&[("fails.yaml", FAILS), ("file", ""), ("taken/results.json", "{}")]);
    for (report, text) in [
        ("file", "error: evidence could not be written to file: File exists"),
        ("taken", "was not written by Brickproof"),
    ] {
        let called = desk.call(&["run", "fails.yaml", "--report", report]);
        called.exits(2);
        assert!(called.out.is_empty() && called.err.contains(text), "{}{}", called.out, called.err);
    }
    assert_eq!(desk.read("taken/results.json"), "{}");
    desk.put(".brickproof", b"");
    assert!(desk.call(&["run", "fails.yaml"]).exits(3).out.is_empty());
}

#[test]
fn a_value_longer_than_a_file_name_loses_no_evidence() {
    let long = "x".repeat(300);
    let text = BOOTS.replace("matrix:\n", &format!("matrix:\n  told: [{long}]\n"));
    let desk = Desk::with(&[("long.yaml", &text.replace("steps:\n", "steps:\n  - send: ${told}\n"))]);
    desk.call(&["run", "long.yaml", "--report", "report"]).exits(0);
    assert_eq!(desk.files("report/trials").len(), 8, "four files for each of two trials");
}
