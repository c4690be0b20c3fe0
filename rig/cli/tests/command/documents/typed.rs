//! Lines of documents that somebody types.
//!
//! Boundary: which of them call the command, and whether it knows their words. What takes nothing but the virtual bench is carried out, in the order of
//! its document and in one folder for each, so that what a line leaves is there for the next.

use std::collections::BTreeSet;

use super::found::Block;
use crate::desk::Desk;

/// Programs of others that a line may call.
const OTHERS: &[&str] = &[
    "cargo test",
    "cargo fmt",
    "cargo clippy",
    "cargo install --locked --path rig/cli",
    "cargo run --release -p brickproof-",
    ".ci/run",
    "fixtures/firmware/build.sh",
];

/// What `readme` carries out, and compares with what is quoted.
const COMPARED: &[&str] = &[
    "run scenarios",
    "campaign scenarios/campaigns/which-instants.yaml",
    "campaign scenarios/campaigns/is-it-fixed.yaml",
];

/// Words with which a line takes what is not here, and what that is.
const ELSEWHERE: &[(&str, &str)] = &[
    ("bench.yaml", "a station"),
    ("unit-0042", "a unit that came back"),
    ("serve", "somebody who ends it"),
    ("previous last", "two nights"),
    ("history flaky", "what happened on a bench"),
];

/// Words that stand for something else.
const STAND_INS: &[&str] = &["…", "[", "|", "DIR", "FILE", "ID", "KIND", "NAME", "PATH", ">", "dct.bin"];

/// The folder in which the lines of a document are typed, with what was typed there.
pub(super) struct Typist {
    desk: Desk,
    typed: BTreeSet<String>,
}

impl Typist {
    /// With what ships, and the scenario that the README has somebody write.
    pub(super) fn new(first: &str) -> Self {
        let desk = Desk::with_shipped("scenarios");
        desk.put("first.yaml", first.as_bytes());
        Self { desk, typed: BTreeSet::new() }
    }

    /// Types each line of a block.
    pub(super) fn types(&mut self, block: &Block) {
        for line in block.text.lines().map(|line| line.split(" #").next().unwrap_or(line).trim()) {
            let called = ["cargo run --release -- ", "brickproof "].iter().find_map(|begin| line.strip_prefix(begin));
            let is_done_elsewhere = called.is_some_and(|called| COMPARED.contains(&called))
                || ELSEWHERE.iter().any(|(taken, _)| line.contains(taken));
            match called.map(words) {
                _ if line.is_empty() => {}
                None => {
                    let is_known = OTHERS.iter().any(|other| line.starts_with(other));
                    assert!(is_known, "{}:{}: nothing here checks `{line}`", block.document, block.line);
                }
                Some(words) if is_done_elsewhere => knows(&self.desk, &words),
                Some(words) if self.typed.insert(line.to_owned()) => {
                    let words: Vec<&str> = words.iter().map(String::as_str).collect();
                    // The release that does not survive is there to be seen failing.
                    self.desk.call(&words).exits(i32::from(line.contains("--firmware lantern-no-heal")));
                }
                Some(_) => {}
            }
        }
    }
}

/// Holds what a sentence calls the command with to its grammar; false if it is only spoken of.
pub(super) fn is_spoken_of(desk: &Desk, span: &str) -> bool {
    let Some(arguments) = span.strip_prefix("brickproof ") else { return false };
    let words = words(arguments);
    // Behind a word that stands for something else nothing can be held to anything.
    let end = words.iter().position(|word| STAND_INS.iter().any(|it| word.contains(it))).unwrap_or(words.len());
    // An option is read with its value, or not at all.
    let end = if words[..end].last().is_some_and(|word| word.starts_with("--")) { end - 1 } else { end };
    knows(desk, &words[..end]);
    true
}

/// With `--help` nothing is done, and everything before it must be known.
fn knows(desk: &Desk, words: &[String]) {
    let arguments: Vec<&str> = words.iter().map(String::as_str).chain(["--help"]).collect();
    desk.call(&arguments).exits(0);
}

/// The words of a line, as a shell would part them.
fn words(line: &str) -> Vec<String> {
    let (mut words, mut quoted) = (vec![String::new()], false);
    for c in line.chars() {
        match c {
            '"' => quoted = !quoted,
            ' ' if !quoted => words.push(String::new()),
            c => words.last_mut().expect("there is one").push(c),
        }
    }
    words.retain(|word| !word.is_empty());
    words
}
