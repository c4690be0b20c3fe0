//! Every code block of every document: YAML is read by the reader that it is for, commands are ones that there are, output is what is printed.
//!
//! Boundary: it finds the blocks, and knows of each kind how it is held. A block of no kind fails the test: say here how it is checked, or in
//! [`NOT_RUN`] why it cannot be. What the README quotes of the command's output is compared in `readme`.

use std::fs;
use std::path::{Path, PathBuf};

use crate::desk::{Desk, repository};

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
    ("hardware/README.md", "for group in gpio", "changes the groups and rules of the machine"),
    ("fixtures/editors/README.md", "npm ci", "fetches packages; the gate does it before the test that uses them"),
    ("THIRD-PARTY.md", "cargo deny", "the gate runs it, where cargo-deny is installed"),
];

/// What `readme` compares with what is printed, by its beginning.
const COMPARED: &[&str] = &["passed ", "FAILED ", "1. network_blocked", "At which instants"];

/// Programs of others that a line may call.
const OTHERS: &[&str] = &[
    "cargo test",
    "cargo fmt",
    "cargo clippy",
    "cargo run --release -p brickproof-sim",
    ".ci/run",
    "fixtures/firmware/build.sh",
];

/// What somebody types or reads.
#[derive(Debug)]
struct Block {
    document: String,
    line: usize,
    language: String,
    text: String,
}

/// Every document of the repository, with its path in it.
fn documents() -> Vec<(String, String)> {
    let root = repository();
    let (mut found, mut open) = (Vec::new(), vec![root.clone()]);
    while let Some(folder) = open.pop() {
        for entry in fs::read_dir(folder).expect("it is a folder") {
            let path: PathBuf = entry.expect("it is there").path();
            let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
            if path.is_dir() && !name.starts_with('.') && name != "target" {
                open.push(path);
            } else if name.ends_with(".md") {
                let place = path.strip_prefix(&root).expect("it was found there").to_string_lossy().into_owned();
                found.push((place, fs::read_to_string(&path).expect("it is text")));
            }
        }
    }
    found.sort();
    found
}

/// The fenced blocks of a document, and the indented ones behind a blank line.
fn blocks_of(document: &str, text: &str) -> Vec<Block> {
    let mut blocks: Vec<Block> = Vec::new();
    let (mut fenced, mut indented, mut blank) = (false, false, true);
    for (number, line) in text.lines().enumerate() {
        let begin = |language: &str| Block {
            document: document.to_owned(),
            line: number + 1,
            language: language.to_owned(),
            text: String::new(),
        };
        if let Some(language) = line.strip_prefix("```") {
            fenced = !fenced;
            if fenced {
                blocks.push(begin(language.trim()));
            }
        } else if let (true, Some(block)) = (fenced, blocks.last_mut()) {
            block.text.push_str(&format!("{line}\n"));
        } else if let Some(typed) = line.strip_prefix("    ").filter(|_| blank || indented) {
            if !indented {
                blocks.push(begin("indented"));
            }
            if let Some(block) = blocks.last_mut() {
                block.text.push_str(&format!("{typed}\n"));
            }
            indented = true;
            continue;
        }
        indented = false;
        blank = line.trim().is_empty();
    }
    blocks
}

fn blocks() -> Vec<Block> {
    documents().iter().flat_map(|(place, text)| blocks_of(place, text)).collect()
}

/// What a line types, without what is said about it.
fn typed(line: &str) -> &str {
    line.split(" #").next().unwrap_or(line).trim()
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

/// Holds a line that calls the command to its grammar; false if it calls something else.
fn is_command(desk: &Desk, line: &str) -> bool {
    let called = ["cargo run --release -- ", "brickproof "];
    let Some(arguments) = called.iter().find_map(|begin| line.strip_prefix(begin)) else { return false };
    let words = words(arguments);
    // With `--help` nothing is done, and everything before it must be known.
    let arguments: Vec<&str> = words.iter().map(String::as_str).chain(["--help"]).collect();
    desk.call(&arguments).exits(0);
    true
}

/// The steps of a block, each with the lines that belong to it.
fn steps(text: &str) -> Vec<String> {
    let mut steps: Vec<String> = Vec::new();
    for line in text.lines().filter(|line| !line.trim_start().starts_with('#')) {
        match steps.last_mut() {
            Some(step) if !line.starts_with("- ") => step.push_str(&format!("  {line}\n")),
            _ => steps.push(format!("  {line}\n")),
        }
    }
    steps
}

/// A scenario of one step that somebody reads about: with power, saved keys, and in its bootloader where it is to be.
fn scenario_of(step: &str) -> String {
    let before = if step.contains("through: dfu") { "  - enter: dfu\n" } else { "" };
    let step = step.replace("[ … ]", "[{ wait: 1s }]");
    format!(
        "scenario: T\nboard: lantern-nrf52840\nfirmware: lantern-no-heal\nsteps:\n  - supply: {{ usb: 5V }}\n  - keys: {{ save: before \
         }}\n{before}{step}"
    )
}

const CELLS: &str = "scenario: T\nboard: lantern-nrf51\nmatrix:\n  release: [no-heal, heal-blank, heal-full]\n  damage: [blank, torn_tail]\n\
                     firmware: lantern-${release}\nsteps:\n  - corrupt: { slot: server_public, class: \"${damage}\" }\n  - supply: { usb: 5V }\n  \
                     - expect: { console: Cloud connected, within: 10s }\n";

/// Lints YAML in whatever it is a part of.
fn read(desk: &Desk, block: &Block) {
    let text = block.text.as_str();
    let begins = |word: &str| text.lines().any(|line| line.starts_with(word));
    let lint = |name: &str, text: &str| {
        desk.put(name, text.as_bytes());
        let called = desk.call(&["lint", name]);
        assert_eq!(called.exit, Some(0), "{}:{}\n{text}\n{}", block.document, block.line, called.err);
    };
    if begins("scenario:") && begins("steps:") {
        lint("block.yaml", text);
    } else if begins("bench:") {
        desk.put("bench.yaml", text.as_bytes());
        desk.call(&["bench", "lint", "bench.yaml"]).exits(0);
    } else if begins("board:") {
        desk.put("board.yaml", text.as_bytes());
        desk.call(&["board", "lint", "board.yaml"]).exits(0);
    } else if begins("leds:") {
        desk.put("board.yaml", format!("board: lamp\nlike: photon\nabout: A lamp\n{text}").as_bytes());
        desk.call(&["board", "lint", "board.yaml"]).exits(0);
    } else if begins("- ") {
        steps(text).iter().for_each(|step| lint("step.yaml", &scenario_of(step)));
    } else if begins("outcome:") {
        lint("outcome.yaml", &format!("{CELLS}{text}"));
    } else if begins("sweep:") || begins("soak:") {
        lint(
            "asked.yaml",
            &format!(
                "campaign: T\nscenario: scenarios/battery-death/brown-out.yaml\nset: {{ geometry: nrf51 }}\nfirmware: lantern-no-heal\n{text}"
            ),
        );
    } else if begins("console:") {
        let elf = "defmt, elf: ../firmware/target/thumbv7em-none-eabihf/release/product";
        assert!(text.contains(elf), "{text}");
        let text = text.replace(elf, "defmt, elf: telltale-defmt.elf").replace('\n', "\n    ");
        desk.put(
            "bench.yaml",
            format!(
                "bench: b\nstations:\n  s:\n    board: lantern-nrf52840\n    serial: \"6c1f3a90d2e4b857\"\n    {text}\n"
            )
            .as_bytes(),
        );
        desk.call(&["bench", "lint", "bench.yaml"]).exits(0);
    } else if begins("quarantine:") {
        desk.put("aside.yaml", text.as_bytes());
        let first_light =
            ["run", "scenarios/first-light.yaml", "--set", "geometry=nrf51", "--set", "release=heal-full"];
        desk.call(&[&first_light[..], &["--quarantine", "aside.yaml"]].concat()).exits(0);
    } else if begins("# yaml-language-server") {
        let schema =
            text.lines().next().and_then(|line| line.split_once("$schema=../../")).expect("it leads somewhere").1;
        assert!(repository().join(schema).exists(), "{schema}");
    } else {
        panic!("{}:{}: nothing here reads this YAML:\n{text}", block.document, block.line);
    }
}

#[test]
fn every_block_of_the_documents_is_what_it_says() {
    let desk = Desk::with_shipped("scenarios");
    let elf = repository().join("fixtures/firmware/images/telltale-defmt.elf");
    desk.put("telltale-defmt.elf", &fs::read(elf).expect("it is committed"));
    let (mut checked, mut excused) = (0, 0);
    for block in blocks() {
        let begins = |begin: &str| block.text.trim_start().starts_with(begin);
        let is_excused = |(document, begin, _): &&(&str, &str, &str)| *document == block.document && begins(begin);
        if NOT_RUN.iter().any(|it| is_excused(&it)) {
            excused += 1;
            continue;
        }
        checked += 1;
        match block.language.as_str() {
            "yaml" => read(&desk, &block),
            "" if begins("console:") => read(&desk, &block),
            // What stands for a line in a bench file is a line in one.
            "indented" if begins("reset: \"17\"") => places(&desk, &block),
            "sh" | "indented" => {
                for line in block.text.lines().map(typed).filter(|line| !line.is_empty()) {
                    let is_known = OTHERS.iter().any(|other| line.starts_with(other)) || is_command(&desk, line);
                    assert!(is_known, "{}:{}: nothing here checks `{line}`", block.document, block.line);
                }
            }
            "text" if COMPARED.iter().any(|begin| begins(begin)) => {}
            _ => panic!("{}:{}: nothing here checks this block:\n{}", block.document, block.line, block.text),
        }
    }
    assert!(checked >= 20, "{checked} blocks");
    assert_eq!(excused, NOT_RUN.len() + 1, "an excuse for a block that is gone; the protocol has two");
}

/// Each line as that of a board that has it.
fn places(desk: &Desk, block: &Block) {
    for line in block.text.lines() {
        let (place, _) = line.split_at(line.find("   ").expect("what it means stands behind it"));
        let (name, board) = match place.split(':').next() {
            Some("radio") => ("watch", "lantern-nrf51"),
            _ => ("drive", "lantern-nrf51"),
        };
        let supply = if place.starts_with("power") {
            "    supply: { driver: load-switch, line: power, voltage: 5V }\n"
        } else {
            ""
        };
        let bench = format!(
            "bench: b\nstations:\n  s:\n    board: {board}\n    lines:\n      driver: gpiocdev\n      chip: pinctrl-bcm2711\n      {name}:\n        {}\n{supply}",
            place.trim()
        );
        desk.put("bench.yaml", bench.as_bytes());
        let called = desk.call(&["bench", "lint", "bench.yaml"]);
        assert_eq!(called.exit, Some(0), "{place}\n{}", called.err);
    }
}

#[test]
fn every_place_that_a_document_links_to_is_there() {
    for (document, text) in documents() {
        let folder = repository().join(Path::new(&document).parent().expect("it lies somewhere"));
        for (_, link) in text
            .match_indices("](")
            .map(|(at, _)| text[at + 2..].split_once(')').map_or(("", ""), |(link, _)| ("", link)))
        {
            let path = link.split('#').next().unwrap_or(link);
            if path.is_empty() || path.contains("://") || path.starts_with("mailto:") {
                continue;
            }
            assert!(folder.join(path).exists(), "{document} leads to {path}, which is not there");
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
