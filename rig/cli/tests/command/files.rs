//! The files for other people's tools, read by other people's tools: `junit.xml`, `timeline.vcd`, `trace.json`.
//!
//! `xmllint` and Python are programs of the system, and the Python readers are found by `BRICKPROOF_READERS`, a folder with `junitparser`, `vcdvcd` and
//! `chrometrace`. Where one is missing the test says so loudly and does not ask it; with `BRICKPROOF_REQUIRE_ORACLES=1`, as in the gate, that is a
//! failure.

use std::collections::BTreeMap;
use std::process::Command;

use serde_json::Value;
use wellen::SignalValue;

use crate::desk::{BOOTS, Desk, FAILS, NO_TRIGGER, ids, repository};

/// Reports failures and errors, with text that means something to each of the formats.
fn reported() -> Desk {
    let hostile = FAILS.replace("A board with", "<b>&amp; ]]> \\u0007 \\\"quoted\\\", A board with");
    let hostile = hostile.replacen("scenario: ", "scenario: \"", 1).replacen("connects\n", "connects\"\n", 1);
    let files = [("boots.yaml", BOOTS), ("fails.yaml", &hostile), ("no-trigger.yaml", NO_TRIGGER)];
    let desk = Desk::with(&files);
    desk.call(&["run", ".", "--report", "report"]).exits(1);
    desk
}

/// Says that something was not checked, and whether that is a failure.
fn not_checked(missing: &str) {
    eprintln!("NOT CHECKED: {missing}");
    let required = std::env::var("BRICKPROOF_REQUIRE_ORACLES").is_ok_and(|value| value == "1");
    assert!(!required, "{missing}, and BRICKPROOF_REQUIRE_ORACLES is 1");
}

/// What a Python program prints as JSON that has the readers.
fn python(desk: &Desk, program: &str, arguments: &[&str]) -> Option<Value> {
    let Some(readers) = std::env::var_os("BRICKPROOF_READERS") else {
        not_checked("BRICKPROOF_READERS is not set");
        return None;
    };
    let mut command = Command::new("python3");
    command.arg("-c").arg(program).args(arguments).env("PYTHONPATH", readers).current_dir(desk.path("."));
    let output = command.output().expect("there is Python where its packages are");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    Some(serde_json::from_slice(&output.stdout).expect("it prints JSON"))
}

fn xmllint(desk: &Desk, file: &str) -> Option<(bool, String)> {
    let schema = repository().join("fixtures/schemas/junit-10.xsd");
    let mut command = Command::new("xmllint");
    command.args(["--noout", "--nonet", "--schema"]).arg(schema).arg(desk.path(file));
    match command.output() {
        Ok(output) => Some((output.status.success(), String::from_utf8_lossy(&output.stderr).into_owned())),
        Err(_) => {
            not_checked("there is no xmllint");
            None
        }
    }
}

#[test]
fn junit_keeps_to_the_schema_of_jenkins_and_what_is_spoiled_does_not() {
    let desk = reported();
    let Some((valid, told)) = xmllint(&desk, "report/junit.xml") else { return };
    assert!(valid, "{told}\n{}", desk.read("report/junit.xml"));
    let spoiled = desk.read("report/junit.xml").replacen("<testcase ", "<testcase line=\"7\" ", 1);
    desk.put("spoiled.xml", spoiled.as_bytes());
    let (valid, told) = xmllint(&desk, "spoiled.xml").expect("it was there before");
    assert!(!valid && told.contains("'line' is not allowed"), "{told}");
}

/// Suites, cases and what is in them.
const JUNIT: &str = r"
import json, sys
from junitparser import JUnitXml, Failure, Error
def case(it):
    return {'name': it.name, 'class': it.classname, 'time': it.time, 'out': it.system_out,
            'result': [[type(r).__name__, r.type, r.message, r.text] for r in it.result]}
xml = JUnitXml.fromfile(sys.argv[1])
print(json.dumps([{'name': s.name, 'properties': {p.name: p.value for p in s.properties()},
                   'counts': [s.tests, s.failures, s.errors], 'cases': [case(c) for c in s]} for s in xml]))
";

#[test]
fn junit_tells_another_parser_what_the_results_say() {
    let desk = reported();
    let Some(suites) = python(&desk, JUNIT, &["report/junit.xml"]) else { return };
    let results = desk.json("report/results.json");
    let suites = suites.as_array().expect("a list");
    let cases: Vec<(&Value, &Value)> = suites
        .iter()
        .flat_map(|suite| suite["cases"].as_array().expect("a list").iter().map(move |case| (suite, case)))
        .collect();
    let trials = results["trials"].as_array().expect("a list");
    assert_eq!(cases.len(), trials.len());
    for trial in trials {
        let (suite, case) = cases.iter().find(|(_, case)| case["name"] == trial["id"]).expect("each trial is a case");
        let properties = &suite["properties"];
        assert_eq!(properties["world"], "virtual");
        assert_eq!(properties["board"], trial["board"]);
        assert_eq!(properties["firmware"], trial["firmware"]["name"]);
        assert_eq!(properties["firmware_sha256"], trial["firmware"]["sha256"]);
        let out = case["out"].as_str().expect("a text");
        assert!(out.contains(trial["replay"].as_str().expect("a text")), "{out}");
        let result = &case["result"][0];
        match trial["verdict"].as_str() {
            Some("passed") => assert!(result.is_null(), "{result}"),
            verdict => {
                let wanted = if verdict == Some("failed") { "Failure" } else { "Error" };
                assert_eq!((&result[0], &result[1]), (&wanted.into(), &trial["blame"]));
                assert_eq!(result[2], trial["reason"]);
                let text = result[3].as_str().expect("a text");
                let step =
                    trial["steps"].as_array().expect("a list").iter().find(|it| it["verdict"].as_str() == verdict);
                let at =
                    format!("{}:{}: ", trial["scenario"]["path"].as_str().expect("a text"), step.expect("one")["line"]);
                assert!(text.starts_with(&at), "{text}");
                for line in trial["evidence"].as_array().expect("a list") {
                    assert!(text.contains(line["text"].as_str().expect("a text")), "{text}");
                }
            }
        }
    }
    let count = |at: usize| suites.iter().filter_map(|suite| suite["counts"][at].as_u64()).sum::<u64>();
    assert_eq!((count(0), count(1), count(2)), (4, 1, 1));
}

#[test]
fn every_line_of_a_timeline_keeps_to_its_schema_and_what_is_spoiled_does_not() {
    let schema = std::fs::read_to_string(repository().join("fixtures/schemas/timeline.json")).expect("it is committed");
    let validator = jsonschema::validator_for(&serde_json::from_str(&schema).expect("JSON")).expect("it is a schema");
    let desk = reported();
    // The ways through the board's own USB have kinds of lines that others do not.
    let shipped = Desk::with_shipped("scenarios");
    let names = ["transitions/there-and-back-through-dfu", "particle/dead-keys", "battery-death/protection"];
    let paths = names.map(|name| format!("scenarios/{name}.yaml"));
    let run: Vec<&str> = ["run", "--report", "report"].into_iter().chain(paths.iter().map(String::as_str)).collect();
    shipped.call(&run).exits(0);
    let mut kinds = std::collections::BTreeSet::new();
    for desk in [&desk, &shipped] {
        for id in ids(&desk.json("report/results.json")) {
            for line in desk.read(&format!("report/trials/{id}/timeline.jsonl")).lines() {
                let line: Value = serde_json::from_str(line).expect("JSON");
                let told: Vec<String> = validator.iter_errors(&line).map(|it| it.to_string()).collect();
                assert!(told.is_empty(), "{line}\n{told:#?}");
                let kind = line["kind"].as_str().expect("a word").to_owned();
                let mut foreign = line.clone();
                foreign["kind"] = "nothing".into();
                assert!(!validator.is_valid(&foreign));
                if kinds.insert(kind) {
                    let mut spoiled = line.clone();
                    spoiled.as_object_mut().expect("a line").shift_remove("t");
                    assert!(!validator.is_valid(&spoiled));
                }
            }
        }
    }
    // No instrument of the virtual bench fails by itself.
    assert_eq!(kinds.len(), 18, "{kinds:?}");
}

#[test]
fn results_keep_to_their_schema_and_what_is_spoiled_does_not() {
    let schema = std::fs::read_to_string(repository().join("fixtures/schemas/results.json")).expect("it is committed");
    let validator = jsonschema::validator_for(&serde_json::from_str(&schema).expect("JSON")).expect("it is a schema");
    let results = reported().json("report/results.json");
    let told: Vec<String> = validator.iter_errors(&results).map(|it| it.to_string()).collect();
    assert!(told.is_empty(), "{told:#?}");
    let mut later = results.clone();
    later["trials"][0]["added_later"] = "by another version".into();
    assert!(validator.is_valid(&later), "fields are added");
    let spoil: [(&str, &str, Value); 8] = [
        ("", "schema", "brickproof/results/2".into()),
        ("", "trials", Value::Object(serde_json::Map::new())),
        ("/rig", "world", "moon".into()),
        ("/trials/0", "verdict", "green".into()),
        ("/trials/0", "seed", "one".into()),
        ("/trials/0/steps/0", "line", "-1".into()),
        ("/trials/0/measurements/0", "unit", "mV".into()),
        ("/trials/0", "blame", "nobody".into()),
    ];
    for (place, key, value) in spoil {
        let mut spoiled = results.clone();
        spoiled.pointer_mut(place).expect("it is there")[key] = value;
        assert!(!validator.is_valid(&spoiled), "{place} {key}");
    }
    for key in ["id", "scenario", "firmware", "verdict", "steps"] {
        let mut spoiled = results.clone();
        spoiled["trials"][0].as_object_mut().expect("a trial").shift_remove(key);
        assert!(!validator.is_valid(&spoiled), "without {key}");
    }
}

/// The changes of a signal: when, and to what.
type Changes = Vec<(u64, String)>;

/// What the timeline says of some signals, by their names in the waveforms.
fn told_by(timeline: &str) -> BTreeMap<String, Changes> {
    let mut told: BTreeMap<String, Changes> = BTreeMap::new();
    let mut note = |at: u64, name: &str, value: String| told.entry(name.to_owned()).or_default().push((at, value));
    let mut lines = 0;
    for line in timeline.lines() {
        let line: Value = serde_json::from_str(line).expect("JSON");
        let (at, text) = (line["t"].as_u64().expect("an instant"), |key: &str| line[key].as_str().map(str::to_owned));
        match line["kind"].as_str().expect("a kind") {
            "rail" => {
                note(at, "supply.voltage_V", (line["uv"].as_i64().expect("a number") as f64 / 1e6).to_string());
                note(at, "supply.current_A", (line["ua"].as_i64().expect("a number") as f64 / 1e6).to_string());
            }
            "step_began" => note(at, "trial.step", line["step"].to_string()),
            "step_ended" => note(at, "trial.step", "0".to_owned()),
            "answered" => {
                if let Some(began) = line["achieved"]["began_ns"].as_u64() {
                    note(began, "trial.fault", "1".to_owned());
                    note(at, "trial.fault", "0".to_owned());
                }
            }
            "edge" => {
                let level = if line["edge"] == "rising" { "1" } else { "0" };
                note(at, &format!("lines.{}", text("line").expect("a name")), level.to_owned());
            }
            "light" => note(at, "light.seen", text("sight").expect("words")),
            "verdict" => note(at, "trial.verdict", text("verdict").expect("a word")),
            "console" => {
                lines += 1;
                note(at, "console.lines", lines.to_string());
                note(at, "console.text", text("text").expect("a line").chars().take(200).collect());
            }
            "light_samples" => {
                for sample in line["samples"].as_array().expect("a list") {
                    let at = at + sample[0].as_u64().expect("a number");
                    for (index, name) in ["red", "green", "blue", "clear"].iter().enumerate() {
                        note(at, &format!("light.{name}"), sample[index + 1].to_string());
                    }
                }
            }
            _ => {}
        }
    }
    told.into_iter().map(|(name, changes)| (name, tidy(changes))).collect()
}

/// One change at an instant, the last; and none to what there is already.
fn tidy(mut changes: Changes) -> Changes {
    changes.sort_by_key(|(at, _)| *at);
    let mut tidied: Changes = Vec::new();
    for (at, value) in changes {
        match tidied.last_mut() {
            Some((last, before)) if *last == at => *before = value,
            Some((_, before)) if *before == value => {}
            _ => tidied.push((at, value)),
        }
    }
    tidied
}

/// Fails unless the waveforms have exactly these changes, after what they have for before the first.
fn assert_same(name: &str, told: &Changes, read: &Changes) {
    let read = tidy(read.clone());
    let read = if read.len() > told.len() { &read[1..] } else { &read };
    let words = |text: &str| text.replace(|c: char| c.is_whitespace(), "_");
    let same = |(one, other): (&(u64, String), &(u64, String))| {
        let numbers = one.1.parse::<f64>().ok().zip(other.1.parse::<f64>().ok());
        one.0 == other.0 && numbers.map_or(words(&one.1) == other.1, |(one, other)| one == other)
    };
    let differs = told.iter().zip(read).find(|pair| !same(*pair));
    assert!(differs.is_none() && told.len() == read.len(), "{name}: {differs:?}, {} and {}", told.len(), read.len());
}

fn read_with_wellen(desk: &Desk, file: &str) -> BTreeMap<String, Changes> {
    let mut waves = wellen::simple::read(desk.path(file)).expect("it is a value change dump");
    let signals: Vec<(String, wellen::SignalRef)> = {
        let hierarchy = waves.hierarchy();
        hierarchy.iter_vars().map(|var| (var.full_name(hierarchy), var.signal_ref())).collect()
    };
    waves.load_signals(&signals.iter().map(|(_, signal)| *signal).collect::<Vec<_>>());
    let shown = |value: SignalValue<'_>| match value {
        SignalValue::String(text) => text.to_owned(),
        SignalValue::Real(real) => real.to_string(),
        bits => {
            let bits = bits.to_bit_string().expect("it is bits");
            u64::from_str_radix(&bits, 2).map_or(bits, |number| number.to_string())
        }
    };
    let changes = |signal| {
        let signal = waves.get_signal(signal).expect("it was loaded");
        signal.iter_changes().map(|(at, value)| (waves.time_table()[at as usize], shown(value))).collect()
    };
    let name = |full: String| full.trim_start_matches("brickproof.").to_owned();
    signals.into_iter().map(|(full, signal)| (name(full), changes(signal))).collect()
}

/// Every signal's changes, as a reader of somebody else's sees them.
const VCD: &str = r"
import json, sys
from vcdvcd import VCDVCD
vcd = VCDVCD(sys.argv[1])
def value(text):
    try:
        return str(int(text, 2)) if set(text) <= {'0', '1'} else text
    except ValueError:
        return text
def real(name):
    return vcd[name].var_type == 'real'
print(json.dumps({name.removeprefix('brickproof.'): [[t, v if real(name) else value(v)] for t, v in vcd[name].tv]
                  for name in vcd.signals}))
";

#[test]
fn waveforms_have_the_values_of_the_timeline_at_its_instants() {
    let desk = reported();
    for id in ids(&desk.json("report/results.json")) {
        let folder = format!("report/trials/{id}");
        let told = told_by(&desk.read(&format!("{folder}/timeline.jsonl")));
        assert!(told.len() > 9, "{:?}", told.keys());
        let file = format!("{folder}/timeline.vcd");
        let read = read_with_wellen(&desk, &file);
        for (name, changes) in &told {
            assert_same(name, changes, read.get(name).unwrap_or_else(|| panic!("no {name} in {:?}", read.keys())));
        }
        let Some(by_python) = python(&desk, VCD, &[&file]) else { continue };
        // This one reads no texts.
        let reads = |name: &str| by_python[name].as_array().is_some_and(|changes| !changes.is_empty());
        for (name, changes) in told.iter().filter(|(name, _)| reads(name)) {
            let pairs = by_python[name].as_array().expect("a list").iter();
            let read =
                pairs.map(|it| (it[0].as_u64().expect("an instant"), it[1].as_str().expect("a value").to_owned()));
            assert_same(name, changes, &read.collect());
        }
        let numbers = ["supply.voltage_V", "light.red", "lines.radio", "trial.step", "console.lines"];
        assert!(numbers.into_iter().all(reads), "{by_python}");
    }
}

/// Every event of a trace as a reader of somebody else's sees it, which refuses what it does not know.
const TRACE: &str = r"
import json, sys
from chrometrace import TraceEvent, TraceEventType
# It knows an instant by its older letter alone, and no ids.
def read(event):
    event['ph'] = TraceEventType({'i': 'I'}.get(event['ph'], event['ph']))
    event.pop('id', None)
    return TraceEvent.from_dict(event)
trace = json.load(open(sys.argv[1]))
print(json.dumps([[e.event_type.name, e.name, e.timestamp_us, e.duration_us] for e in map(read, trace['traceEvents'])]))
";

#[test]
fn a_trace_has_the_steps_the_fault_and_the_console_at_their_instants() {
    let desk = reported();
    let results = desk.json("report/results.json");
    for trial in results["trials"].as_array().expect("a list") {
        let folder = format!("report/trials/{}", trial["id"].as_str().expect("a text"));
        let trace = desk.json(&format!("{folder}/trace.json"));
        let events = trace["traceEvents"].as_array().expect("a list");
        let of = |phase: &'static str, row: u64| events.iter().filter(move |it| it["ph"] == phase && it["tid"] == row);
        let ran = trial["steps"].as_array().expect("a list").iter().filter(|step| !step["start_ns"].is_null());
        let slices: Vec<&Value> = of("X", 1).collect();
        assert_eq!(slices.len(), ran.clone().count());
        for (step, slice) in ran.zip(slices) {
            let micros = |key: &str| step[key].as_u64().expect("an instant") as f64 / 1e3;
            assert_eq!(slice["ts"].as_f64(), Some(micros("start_ns")), "{slice}");
            let text = format!("{}. {}", step["index"], step["text"].as_str().expect("a text"));
            assert_eq!(slice["name"].as_str(), Some(text.as_str()));
        }
        let faults = trial["faults"].as_array().expect("a list").iter().filter(|it| !it["achieved"].is_null());
        let began: Vec<Option<f64>> = faults.map(|it| it["achieved"]["began_ns"].as_f64().map(|it| it / 1e3)).collect();
        assert_eq!(of("X", 2).map(|it| it["ts"].as_f64()).collect::<Vec<_>>(), began);
        let timeline = desk.read(&format!("{folder}/timeline.jsonl"));
        assert_eq!(of("i", 4).count(), timeline.lines().filter(|it| it.contains("\"kind\":\"console\"")).count());
        let begun = events.iter().filter(|it| it["ph"] == "b").count();
        assert_eq!(begun, events.iter().filter(|it| it["ph"] == "e").count(), "each request has an end");
        let Some(read) = python(&desk, TRACE, &[&format!("{folder}/trace.json")]) else { continue };
        assert_eq!(read.as_array().map(Vec::len), Some(events.len()));
    }
}

#[test]
fn waveforms_of_trials_that_passed_in_a_long_run_are_made_when_they_are_asked_for() {
    let values: Vec<String> = (1..=51).map(|it| format!("{it}s")).collect();
    let many = format!(
        "scenario: Nothing happens\nboard: lantern-nrf51\nfirmware: lantern-no-heal\nmatrix: {{ for: [{}] }}\nsteps:\n  - wait: ${{for}}\n",
        values.join(", ")
    );
    let desk = Desk::with(&[("many.yaml", &many), ("fails.yaml", FAILS)]);
    desk.call(&["run", "many.yaml", "fails.yaml", "--report", "report"]).exits(1);
    let results = desk.json("report/results.json");
    let has = |id: &str| desk.path(&format!("report/trials/{id}/timeline.vcd")).exists();
    let trials = results["trials"].as_array().expect("a list");
    for trial in trials {
        assert_eq!(has(trial["id"].as_str().expect("a text")), trial["verdict"] == "failed", "{trial}");
    }
    let one = trials[0]["id"].as_str().expect("a text");
    let called = desk.call(&["waves", "report", "--trial", one]);
    assert!(called.exits(0).out.ends_with("timeline.vcd and trace.json of 1 trial\n"), "{}", called.out);
    assert!(has(one) && !has(trials[1]["id"].as_str().expect("a text")));
    let failed = ids(&results).into_iter().find(|id| has(id) && id != one).expect("one failed");
    let kept = desk.read(&format!("report/trials/{failed}/timeline.vcd"));
    desk.call(&["waves", "report"]).exits(0);
    assert!(ids(&results).iter().all(|id| has(id)));
    assert_eq!(desk.read(&format!("report/trials/{failed}/timeline.vcd")), kept, "the same file whenever it is made");
    assert!(desk.call(&["waves", "report", "--trial", "nobody.1-00000000"]).exits(2).err.contains("no such trial"));
    assert!(desk.call(&["waves", "."]).exits(2).err.contains("results.json"));
}
