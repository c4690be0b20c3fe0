//! Sweeps over every flash operation: models of cells, second cuts, trials told by their first second, and each made again by its id.

use std::collections::BTreeSet;

use serde_json::Value;

use crate::desk::Desk;

const BROWN_OUT: &str = "\
scenario: A brown-out strikes while the device key is being rewritten
board: lantern-nrf51
firmware: lantern-heal-parse
steps:
  - supply: { usb: 5V }
  - expect: { light: cloud_connected, within: 30s }
  - send: keys rotate
  - on: { console: erasing key page, within: 5s }
    fault: { brown_out: { after: 1ms, rail: 3V3, floor: 1.2V, fall: 50us/V, hold: 200ms } }
  - expect: { light: cloud_connected, within: 10s }
";

const CAMPAIGN: &str = "\
campaign: Every operation?
scenario: rotate.yaml
budget: { trials: 240 }
sweep: { exhaustive: { window: 60ms, fractions: 1, cells: [ideal, marginal], second_cuts: true } }
";

const SWEEP: [&str; 12] = [
    "sweep",
    "scenarios/rotate.yaml",
    "--exhaustive",
    "--window",
    "60ms",
    "--fractions",
    "1",
    "--cells",
    "ideal,marginal",
    "--second-cuts",
    "--trials",
    "240",
];

fn desk() -> Desk {
    Desk::with(&[("scenarios/rotate.yaml", BROWN_OUT), ("scenarios/every.yaml", CAMPAIGN)])
}

fn lines(journal: &str) -> Vec<Value> {
    journal.lines().skip(1).map(|line| serde_json::from_str(line).expect("a whole line")).collect()
}

fn outcomes(journal: &str) -> Vec<(String, String)> {
    let text = |line: &Value, key: &str| line[key].as_str().expect("it is a text").to_owned();
    lines(journal).iter().map(|line| (text(line, "id"), text(line, "outcome"))).collect()
}

#[test]
fn models_of_cells_and_second_cuts_are_counted_apart_and_most_trials_told_by_their_first_second() {
    let desk = desk();
    let swept = desk.call(&[&SWEEP[..], &["--report", "all", "--jobs", "1"]].concat());
    swept.exits(0);
    for group in ["ideal, first cuts: ", "ideal, second cuts: ", "marginal, first cuts: ", "marginal, second cuts: "] {
        assert!(swept.out.contains(group), "{}", swept.out);
    }
    assert!(swept.out.contains("told by the first second of their board"), "{}", swept.out);
    let journal = desk.read("all/journal.jsonl");
    let told = lines(&journal).iter().filter(|line| line["told"] == Value::Bool(true)).count();
    assert!(told > 120, "{told} of 240 were told");
    let ids: BTreeSet<String> = outcomes(&journal).into_iter().map(|(id, _)| id).collect();
    assert_eq!(ids.len(), 240, "each place once");
    let whole = desk.call(&[&SWEEP[..], &["--report", "whole", "--whole"]].concat());
    assert!(!whole.out.contains("told by the first second"), "{}", whole.out);
    assert_eq!(outcomes(&desk.read("whole/journal.jsonl")), outcomes(&journal), "each ends as it was told");
}

#[test]
fn a_second_cut_is_made_again_by_its_id() {
    let desk = desk();
    desk.call(&SWEEP).exits(0);
    let journal = std::fs::read_dir(desk.path(".brickproof/campaigns")).expect("it was kept").flatten().next();
    let journal =
        std::fs::read_to_string(journal.expect("one campaign").path().join("journal.jsonl")).expect("its journal");
    let lines = lines(&journal);
    let is_second = |line: &&Value| line["settings"].to_string().contains("fault.again");
    for outcome in ["survived", "locked out"] {
        let line = lines.iter().filter(is_second).find(|line| line["outcome"] == outcome).expect("there is one");
        let id = line["id"].as_str().expect("it is a text");
        desk.call(&["replay", id]).exits(i32::from(outcome != "survived"));
    }
}

#[test]
fn a_file_asks_the_same_and_a_program_reads_the_groups() {
    let desk = desk();
    desk.call(&[&SWEEP[..], &["--report", "asked"]].concat()).exits(0);
    let filed = desk.call(&["campaign", "scenarios/every.yaml", "--report", "filed", "--format", "json"]);
    filed.exits(0);
    assert_eq!(outcomes(&desk.read("filed/journal.jsonl")), outcomes(&desk.read("asked/journal.jsonl")));
    let last: Value = serde_json::from_str(filed.out.lines().last().expect("the answer")).expect("it is JSON");
    let groups = last["groups"].as_array().expect("they are listed");
    assert_eq!(groups.len(), 4, "{last}");
    let counted: u64 = groups
        .iter()
        .flat_map(|group| group["classes"].as_object().expect("by class").values())
        .filter_map(Value::as_u64)
        .sum();
    assert_eq!(counted, 240);
}

#[test]
fn models_that_are_none_or_come_twice_are_refused() {
    let desk = desk();
    let with = |cells: &str| desk.call(&["sweep", "scenarios/rotate.yaml", "--exhaustive", "--cells", cells]);
    let unknown = with("ideal,marginel");
    unknown.exits(2);
    assert!(unknown.err.contains("models of cells are ideal, fractional, marginal"), "{}", unknown.err);
    let twice = with("ideal,ideal");
    twice.exits(2);
    assert!(twice.err.contains("--cells names `ideal` twice"), "{}", twice.err);
}

/// What was told and not made stays known to be so, and nothing takes it for made.
#[test]
fn trials_that_were_told_by_their_first_second_stay_told() {
    let desk = desk();
    let sweep = [&SWEEP[..], &["--report", "kept"]].concat();
    desk.call(&sweep).exits(0);
    let told = desk.read("kept/journal.jsonl").matches("\"told\":true").count();
    assert!(told > 0);
    let whole = desk.call(&[&sweep[..], &["--whole"]].concat());
    whole.exits(2);
    assert!(
        whole.err.contains(&format!("{told} of its trials were told by the first second of their board")),
        "{}",
        whole.err
    );
    // Going on makes nothing more, and still says so, beside the answer too.
    let again = desk.call(&sweep);
    again.exits(0);
    for text in [&again.out, &desk.read("kept/answer.txt")] {
        assert!(text.contains(&format!("which was that of one of them: {told};")), "{text}");
    }
}
