//! The README against the command: what it quotes is printed, what it tells to type works.
//!
//! Boundary: instants and durations are not compared, nor what the README cuts off with `…`.

use crate::desk::{Desk, repository};

fn readme() -> String {
    std::fs::read_to_string(repository().join("README.md")).expect("it is committed")
}

/// The lines of the quoted block whose first line begins like this.
fn block(beginning: &str) -> Vec<String> {
    let text = readme();
    let quoted = text.split("```").skip(1).step_by(2).map(|block| block.split_once('\n').map_or("", |(_, text)| text));
    let found = quoted.into_iter().find(|block| block.starts_with(beginning)).expect("the README quotes it");
    found.lines().map(str::to_owned).collect()
}

/// Without what differs from run to run or with every change of a firmware: numbers that are times, and the blanks that align them.
fn without_times(line: &str) -> String {
    let words = line.split_whitespace().map(|word| {
        let is_time = |part: &str| {
            let number = part.trim_matches(|c: char| !c.is_ascii_digit());
            let unit = part.ends_with('s') || part.ends_with("s,") || part.ends_with("s)") || part.ends_with("s;");
            let uptime = number.len() == 10 && number.bytes().all(|c| c.is_ascii_digit());
            uptime || number.contains('.') && unit
        };
        let parts = word.split('-').map(|part| if is_time(part) { "[t]" } else { part });
        parts.collect::<Vec<_>>().join("-")
    });
    words.collect::<Vec<_>>().join(" ")
}

/// Whether the README may show `printed` as `quoted`.
fn shows(quoted: &str, printed: &str) -> bool {
    let (quoted, printed) = (without_times(quoted), without_times(printed));
    match quoted.strip_suffix('…') {
        // The last word may be cut off in the middle of a time.
        Some(begun) => printed.starts_with(begun.rsplit_once(' ').map_or("", |(whole, _)| whole)),
        None => quoted == printed,
    }
}

#[test]
fn the_trials_that_are_quoted_are_those_that_run() {
    let desk = Desk::with_shipped("scenarios");
    let quoted = block("passed ");
    let trials: Vec<&String> = quoted.iter().filter(|line| line.starts_with("passed ")).collect();
    assert!(trials.len() >= 5);
    for line in trials {
        let id = line.split_whitespace().nth(1).expect("the id stands second");
        let called = desk.call(&["replay", id]);
        called.exits(0);
        let printed = called.out.lines().next().unwrap_or_default();
        assert!(shows(line, printed), "the README says\n{line}\nand it is\n{printed}");
    }
    // Not all that ships is for the virtual bench.
    let run = desk.call(&["run", "scenarios"]);
    let (total, _) = run.out.split_once(" trials in the virtual world: ").expect("it counts the trials");
    let total = format!("{} trials in the virtual world: ", total.lines().last().unwrap_or_default());
    assert!(quoted.iter().any(|line| line.starts_with(&total)), "the README does not say {total:?}");
}

#[test]
fn the_failure_that_is_quoted_is_what_its_command_prints() {
    let desk = Desk::with_shipped("scenarios");
    let text = readme();
    let asked = text.lines().find(|line| line.contains(" --firmware ")).and_then(|line| line.split_once(" -- "));
    let words: Vec<&str> = asked.expect("the README says how").1.split_whitespace().collect();
    let called = desk.call(&words);
    called.exits(1);
    let quoted = block("FAILED ");
    let printed: Vec<&str> = called.out.lines().skip_while(|line| !line.contains("(virtual), blame:")).collect();
    for (quoted, printed) in quoted.iter().zip(&printed) {
        assert!(shows(quoted, printed), "the README says\n{quoted}\nand it is\n{printed}");
    }
    assert_eq!(quoted.len() + 1, printed.len(), "all but where the evidence is:\n{}", called.out);
}

#[test]
fn the_first_scenario_can_be_typed_in() {
    let desk = Desk::with(&[("first.yaml", &block("scenario: ").join("\n"))]);
    let text = readme();
    let commands = text.lines().filter(|line| line.contains(" first.yaml")).filter_map(|line| line.split_once(" -- "));
    let commands: Vec<&str> = commands.map(|(_, words)| words.split('#').next().unwrap_or(words)).collect();
    assert_eq!(commands.len(), 3);
    for words in commands {
        desk.call(&words.split_whitespace().collect::<Vec<_>>()).exits(0);
    }
}

#[test]
fn the_diagnosis_that_is_quoted_is_what_its_command_prints() {
    let desk = Desk::with_shipped("scenarios");
    let told = desk.call(&["diagnose", "--board", "argon", "--seen", "cyan fast, one red after 45 s"]);
    told.exits(0);
    assert!(readme().contains("-- diagnose --board argon --seen \"cyan fast, one red after 45 s\""));
    for quoted in block("1. network_blocked").iter().filter(|line| *line != "…") {
        assert!(told.out.lines().any(|line| line == quoted), "the README says\n{quoted}\nand it is\n{}", told.out);
    }
}

#[test]
fn the_campaigns_that_are_quoted_answer_so() {
    let desk = Desk::with_shipped("scenarios");
    let text = readme();
    let commands = text.lines().filter_map(|line| line.split_once(" -- campaign ")).map(|(_, file)| file);
    let answers: Vec<String> = commands.map(|file| desk.call(&["campaign", file])).map(|called| called.out).collect();
    assert_eq!(answers.len(), 2);
    for quoted in block("At which instants").iter().filter(|line| *line != "…") {
        let is_printed = answers.iter().flat_map(|answer| answer.lines()).any(|printed| shows(quoted, printed));
        assert!(is_printed, "the README says\n{quoted}\nand it is\n{}", answers.join("\n"));
    }
}

/// To be copied from `picture.svg` of that campaign where a change was meant.
#[test]
fn the_picture_that_is_shown_is_the_one_that_is_drawn() {
    let desk = Desk::with_shipped("scenarios");
    let text = readme();
    assert!(
        text.contains("(`campaign scenarios/campaigns/how-deep.yaml`)")
            && text.contains("(fixtures/pictures/how-deep.svg)")
    );
    desk.call(&["campaign", "scenarios/campaigns/how-deep.yaml", "--report", "deep"]).exits(0);
    let shown = std::fs::read_to_string(repository().join("fixtures/pictures/how-deep.svg")).expect("it is committed");
    assert!(
        desk.read("deep/picture.svg") == shown,
        "fixtures/pictures/how-deep.svg is another picture than the one that is drawn"
    );
}
