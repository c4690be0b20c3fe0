//! Completions and manual pages, judged by the programs that read them.
//!
//! Shells and `groff` are programs of the system. Where one is missing the test says so loudly and does not ask it; with
//! `BRICKPROOF_REQUIRE_ORACLES=1`, as in the gate, that is a failure.

use std::io::Write as _;
use std::process::{Command, Output, Stdio};

use crate::desk::Desk;

/// Whether a program is there.
fn has(program: &str) -> bool {
    let found = Command::new(program).arg("--version").output().is_ok_and(|output| output.status.success());
    if !found {
        eprintln!("NOT CHECKED: there is no {program}");
        let required = std::env::var("BRICKPROOF_REQUIRE_ORACLES").is_ok_and(|value| value == "1");
        assert!(!required, "there is no {program}, and BRICKPROOF_REQUIRE_ORACLES is 1");
    }
    found
}

fn fed(program: &str, arguments: &[&str], input: &str) -> Output {
    let mut command = Command::new(program);
    command.args(arguments).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().expect("it was there before");
    child.stdin.take().expect("it is piped").write_all(input.as_bytes()).expect("it reads to the end");
    child.wait_with_output().expect("it ends")
}

/// What bash offers behind these words.
fn offered(script: &str, words: &[&str]) -> Vec<String> {
    let quoted: Vec<String> = words.iter().map(|word| format!("'{word}'")).collect();
    let last = words.len() - 1;
    let asked = format!(
        "{script}\nCOMP_WORDS=({})\nCOMP_CWORD={last}\n_brickproof brickproof '{}' '{}'\nprintf '%s\\n' \"${{COMPREPLY[@]}}\"\n",
        quoted.join(" "),
        words[last],
        words[last - 1],
    );
    let output = fed("bash", &["--norc"], &asked);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8_lossy(&output.stdout).split_whitespace().map(str::to_owned).collect()
}

#[test]
fn bash_completes_commands_options_and_words() {
    if !has("bash") {
        return;
    }
    let desk = Desk::with(&[]);
    let called = desk.call(&["completions", "bash"]);
    let script = &called.exits(0).out;
    assert_eq!(offered(script, &["brickproof", "sch"]), ["schema"]);
    assert_eq!(offered(script, &["brickproof", "run", "--fir"]), ["--firmware"]);
    assert_eq!(offered(script, &["brickproof", "schema", "be"]), ["bench"]);
}

#[test]
fn every_shell_that_is_named_has_a_script() {
    let desk = Desk::with(&[]);
    for shell in ["bash", "elvish", "fish", "powershell", "zsh"] {
        let script = desk.call(&["completions", shell]);
        assert!(script.exits(0).out.contains("find-window"), "{shell}");
    }
    assert!(desk.call(&["completions", "cmd"]).exits(2).err.contains("zsh"));
}

#[test]
fn every_command_has_a_manual_page_that_groff_sets_without_a_warning() {
    let desk = Desk::with(&[]);
    let first = desk.call(&["man"]);
    assert!(first.exits(0).out.contains(".TH brickproof 1"), "{}", first.out);
    desk.call(&["man", "pages"]).exits(0);
    let pages = desk.files("pages");
    for name in ["brickproof.1", "brickproof-run.1", "brickproof-bench-check.1", "brickproof-schema.1"] {
        assert!(pages.iter().any(|(page, _)| page.ends_with(name)), "{name}");
    }
    if !has("groff") {
        return;
    }
    for (name, page) in &pages {
        let output = fed("groff", &["-man", "-ww", "-Tutf8", "-P-cbou"], &String::from_utf8_lossy(page));
        let told = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success() && told.is_empty(), "{name}: {told}");
        assert!(String::from_utf8_lossy(&output.stdout).contains("SYNOPSIS"), "{name}");
    }
}
