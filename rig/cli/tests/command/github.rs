//! What GitHub's runner reads: annotations at the lines that failed or are wrong, and nothing that a board or a file says.
//!
//! Boundary: what is printed. How the runner takes it is known from its source (actions/runner, `ActionCommand.cs`).

use crate::desk::{BOOTS, Called, Desk, FAILS};

/// A scenario whose every word is a command to the runner, if it is let.
const HOSTILE: &str = "\
scenario: \"::stop-commands::x\"
board: lantern-nrf51
tags: [\"##[error]tag\"]
firmware: lantern-no-heal
steps:
  - supply: { usb: 5V }
  - send: \"::add-mask::s ##[error]e\\r\\n::error::x\"
  - expect: { console: \"::warning file=a::b ##[group]\", within: 1s }
";

fn by_runner(desk: &Desk, arguments: &[&str]) -> Called {
    let mut command = desk.command(arguments);
    let folder = desk.path(".").canonicalize().expect("it is there");
    command.env("GITHUB_ACTIONS", "true").env("GITHUB_WORKSPACE", folder.parent().expect("it is in another"));
    command.output().expect("the command was built").into()
}

/// The lines that the runner takes for commands.
fn obeyed(called: &Called) -> Vec<String> {
    let lines = called.out.split(['\n', '\r']).chain(called.err.split(['\n', '\r']));
    lines.filter(|line| line.trim_start().starts_with("::") || line.contains("##[")).map(str::to_owned).collect()
}

/// How the runner calls a file of the desk: from the root of what was checked out.
fn in_workspace(desk: &Desk, file: &str) -> String {
    let folder = desk.path(".").canonicalize().expect("it is there");
    format!("{}/{file}", folder.file_name().expect("it has a name").display())
}

#[test]
fn a_trial_that_fails_is_shown_at_its_step() {
    let desk = Desk::with(&[("boots.yaml", BOOTS), ("fails.yaml", FAILS)]);
    let called = by_runner(&desk, &["run", "boots.yaml", "fails.yaml"]);
    let commands = obeyed(called.exits(1));
    let [command] = commands.as_slice() else { panic!("{commands:#?}") };
    let beginning = format!("::error file={},line=8,title=failed fails.1-", in_workspace(&desk, "fails.yaml"));
    assert!(command.starts_with(&beginning), "{command}");
    assert!(command.contains(" (virtual world)%2C blame%3A firmware::step 4, expect the light"), "{command}");
    assert!(command.contains("%0Areplay: brickproof replay fails.1-"), "{command}");
    assert!(called.err.contains(command) && !called.out.contains("::error"), "results stay what they are");
    assert!(obeyed(&by_runner(&desk, &["run", "boots.yaml"])).is_empty(), "nothing failed");
    assert!(obeyed(&desk.call(&["run", "fails.yaml"])).is_empty(), "nobody reads along");
    let lines = by_runner(&desk, &["run", "fails.yaml", "--format", "json"]).out;
    assert!(lines.lines().all(|line| serde_json::from_str::<serde_json::Value>(line).is_ok()), "{lines}");
}

#[test]
fn a_mistake_is_shown_at_its_line_and_column() {
    let desk = Desk::with(&[("wrong.yaml", &BOOTS.replace("board: lantern-nrf51", "board: lantern,nrf51"))]);
    let commands = obeyed(by_runner(&desk, &["lint", "wrong.yaml"]).exits(2));
    let file = in_workspace(&desk, "wrong.yaml");
    let wanted = format!(
        "::error file={file},line=2,col=8,title=unknown-name::unknown board `lantern,nrf51`%0Ahelp: did you mean `lantern-nrf51`?"
    );
    assert_eq!(commands, [wanted]);
}

#[test]
fn nothing_that_a_file_or_a_board_says_is_a_command() {
    let desk = Desk::with(&[("hostile.yaml", HOSTILE), ("::error::.yaml", "scenario: [\"##[error]\", \"::x\"]\n")]);
    for arguments in [
        &["run", "hostile.yaml"][..],
        &["run", "hostile.yaml", "--matrix"],
        &["run", "hostile.yaml", "--format", "json"],
        &["explain", "hostile.yaml"],
        &["lint", "::error::.yaml"],
        &["lint", "::error::nobody"],
        &["replay", "::error::"],
    ] {
        let called = by_runner(&desk, arguments);
        let commands = obeyed(&called);
        let foreign: Vec<&String> = commands.iter().filter(|line| !line.starts_with("::error file=")).collect();
        assert!(foreign.is_empty(), "{arguments:?}: {foreign:#?}");
        assert!(commands.iter().all(|line| !line.contains("##[")), "{arguments:?}: {commands:#?}");
    }
    let plain = desk.call(&["explain", "hostile.yaml"]);
    assert!(plain.out.contains("::stop-commands::x") && !plain.out.contains('\u{200b}'), "{}", plain.out);
}
