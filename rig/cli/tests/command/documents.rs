//! Every code block of every document: YAML is read by the reader that it is for, whole scenarios run, commands are carried out where nothing but the
//! virtual bench is needed, and output is what is printed.
//!
//! Boundary: it knows of each kind of block how it is held. A block of no kind fails the test: say here how it is checked, or in [`NOT_RUN`] why it
//! cannot be. What the README quotes of the command's output is compared in `readme`.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

use serde_json::Value;

use crate::desk::{Desk, repository};
use typed::Typist;

#[path = "documents/found.rs"]
mod found;
#[path = "documents/typed.rs"]
mod typed;
#[path = "documents/yaml.rs"]
mod yaml;

/// Blocks that nothing can run, by the document and what they begin with, and why.
const NOT_RUN: &[(&str, &str, &str)] = &[
    (
        "fixtures/firmware/PROTOCOL.md",
        "D  ~",
        "the words of a protocol: `brickproof-cloud` and lantern's own tests speak it",
    ),
    (
        "fixtures/firmware/stores/README.md",
        "store ekv",
        "what a console says: `rig/sim` reads it in its tests of stores",
    ),
    ("hardware/wiring/pi-one.md", "enable_uart=1", "lines for the firmware of a Raspberry Pi"),
    ("hardware/wiring/pi-eight.md", "dtparam=spi=off", "lines for the firmware of a Raspberry Pi"),
    ("hardware/access.md", "for group in gpio", "changes the groups and rules of the machine"),
    ("fixtures/editors/README.md", "npm ci", "fetches packages; the gate does it before the test that uses them"),
    ("THIRD-PARTY.md", "cargo deny", "the gate runs it, where cargo-deny is installed"),
];

/// What `readme` and `lines` compare with what is printed, by its beginning.
const COMPARED: &[&str] = &["passed ", "FAILED ", "1. network_blocked", "At which instants", "{\"mistake\""];

#[test]
fn every_block_of_the_documents_is_what_it_says() {
    let desk = Desk::with_shipped("scenarios");
    let elf = repository().join("fixtures/firmware/images/telltale-defmt.elf");
    desk.put("telltale-defmt.elf", &fs::read(elf).expect("it is committed"));
    let blocks = found::blocks();
    let first = blocks.iter().find(|block| block.document == "README.md" && block.text.starts_with("scenario: "));
    let first = first.map(|block| block.text.as_str()).expect("the README has a first scenario");
    let mut typists: BTreeMap<&str, Typist> = BTreeMap::new();
    let (mut checked, mut excused) = (0, 0);
    for block in &blocks {
        let begins = |begin: &str| block.text.trim_start().starts_with(begin);
        let is_excused = |(document, begin, _): &&(&str, &str, &str)| *document == block.document && begins(begin);
        if NOT_RUN.iter().any(|it| is_excused(&it)) {
            excused += 1;
            continue;
        }
        checked += 1;
        match block.language.as_str() {
            "yaml" => yaml::read(&desk, block),
            "" if begins("console:") => yaml::read(&desk, block),
            // What stands for a line in a bench file is a line in one.
            "indented" if begins("reset: \"17\"") => yaml::places(&desk, block),
            "sh" | "indented" => {
                typists.entry(&block.document).or_insert_with(|| Typist::new(first)).types(block);
            }
            "text" if COMPARED.iter().any(|begin| begins(begin)) => {}
            _ => panic!("{}:{}: nothing here checks this block:\n{}", block.document, block.line, block.text),
        }
    }
    assert!(checked >= 20, "{checked} blocks");
    assert_eq!(excused, NOT_RUN.len() + 1, "an excuse for a block that is gone; the protocol has two");
}

#[test]
fn what_a_sentence_tells_to_type_is_known() {
    let desk = Desk::with(&[]);
    let spoken: BTreeSet<String> = found::spans().into_iter().map(|(_, _, words)| words).collect();
    let checked = spoken.iter().filter(|words| typed::is_spoken_of(&desk, words)).count();
    assert!(checked >= 20, "{checked} calls");
}

/// The keys that the schema of a file knows.
fn keys_of(schema: &Value) -> BTreeSet<&str> {
    let mut keys = BTreeSet::new();
    let mut open = vec![schema];
    while let Some(value) = open.pop() {
        match value {
            Value::Object(fields) => {
                if let Some(Value::Object(properties)) = fields.get("properties") {
                    keys.extend(properties.keys().map(String::as_str));
                }
                open.extend(fields.values());
            }
            Value::Array(items) => open.extend(items),
            _ => {}
        }
    }
    keys
}

/// A key that nobody writes about is one that nobody uses.
#[test]
fn every_key_of_the_language_is_in_its_document() {
    for (schema, document) in [
        ("scenario", "scenarios/README.md"),
        ("campaign", "scenarios/campaigns/README.md"),
        ("bench", "hardware/benches/README.md"),
    ] {
        let text = fs::read_to_string(repository().join(document)).expect("it is committed");
        let schema =
            fs::read_to_string(repository().join(format!("fixtures/schemas/{schema}.json"))).expect("it is committed");
        let schema: Value = serde_json::from_str(&schema).expect("it is JSON");
        let told: BTreeSet<&str> =
            text.split(|c: char| !c.is_ascii_alphanumeric() && !matches!(c, '_' | '.' | '-')).collect();
        let missing: Vec<&str> = keys_of(&schema).into_iter().filter(|key| !told.contains(key)).collect();
        assert!(missing.is_empty(), "{document} says nothing of {}", missing.join(", "));
    }
}

/// The name by which a link finds this heading: in small letters, hyphens for blanks, and nothing else but letters and digits.
fn anchor(heading: &str) -> String {
    let kept =
        heading.trim_start_matches('#').trim().chars().filter(|c| c.is_alphanumeric() || matches!(c, ' ' | '-' | '_'));
    kept.map(|c| if c == ' ' { '-' } else { c.to_ascii_lowercase() }).collect()
}

#[test]
fn every_place_that_a_document_links_to_is_there() {
    let documents = found::documents();
    for (document, text) in &documents {
        let here = repository().join(document);
        let folder = here.parent().expect("it lies somewhere");
        for link in text.match_indices("](").filter_map(|(at, _)| text[at + 2..].split_once(')').map(|(link, _)| link))
        {
            if link.contains("://") || link.starts_with("mailto:") {
                continue;
            }
            let (path, place) = link.split_once('#').unwrap_or((link, ""));
            let leads_to = if path.is_empty() { here.clone() } else { folder.join(path) };
            assert!(leads_to.exists(), "{document} leads to {path}, which is not there");
            if !place.is_empty() {
                let text = fs::read_to_string(&leads_to).unwrap_or_default();
                let is_there =
                    text.lines().filter(|line| line.starts_with('#')).any(|heading| anchor(heading) == place);
                assert!(is_there, "{document} leads to {link}, and there is no such heading");
            }
        }
    }
}

/// The map of the house quotes what each crate says at its door.
#[test]
fn the_map_of_the_house_is_the_house() {
    let text = fs::read_to_string(repository().join("rig/README.md")).expect("it is committed");
    let map: Vec<(&str, &str)> = text
        .lines()
        .filter_map(|line| line.strip_prefix("| [")?.split_once("](")?.1.strip_suffix(" |")?.split_once(") | "))
        .collect();
    let mut rooms: Vec<String> = fs::read_dir(repository().join("rig"))
        .expect("it is there")
        .map(|entry| entry.expect("it is there"))
        .filter(|entry| entry.path().join("Cargo.toml").exists())
        .map(|entry| entry.file_name().to_string_lossy().into_owned())
        .collect();
    rooms.sort();
    assert_eq!(map.iter().map(|(room, _)| *room).collect::<Vec<_>>(), rooms, "the crates of the map and of the house");
    for (room, promise) in map {
        let source = ["lib.rs", "main.rs"].map(|door| repository().join("rig").join(room).join("src").join(door));
        let source = source.iter().find_map(|door| fs::read_to_string(door).ok()).expect("it has a door");
        let said =
            source.lines().map_while(|line| line.strip_prefix("//!")).map(str::trim).take_while(|it| !it.is_empty());
        assert_eq!(promise, said.collect::<Vec<_>>().join(" "), "rig/{room}");
    }
}

/// The recipes name files that are there.
#[test]
fn the_files_that_recipes_name_are_there() {
    for document in ["rig/README.md", "CONTRIBUTING.md"] {
        let text = fs::read_to_string(repository().join(document)).expect("it is committed");
        let folder = repository().join(Path::new(document).parent().expect("it lies somewhere"));
        for name in text.split('`').skip(1).step_by(2) {
            let is_path = name.contains('/') && !name.contains([' ', '*', ':', '!']) && !name.contains("NAME");
            let outside =
                ["src/lib.rs", "libusb/"].iter().any(|begin| name.starts_with(begin)) || name.starts_with("target");
            assert!(!is_path || outside || folder.join(name).exists(), "{document} names {name}, which is not there");
        }
    }
}
