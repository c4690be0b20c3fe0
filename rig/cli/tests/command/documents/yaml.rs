//! YAML of documents, held to the reader that it is for.
//!
//! Boundary: which reader that is, and what it needs around it. Whole scenarios are run.

use super::found::Block;
use crate::desk::{Desk, repository};

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
    format!(
        "scenario: T\nboard: lantern-nrf52840\nfirmware: lantern-no-heal\nsteps:\n  - supply: {{ usb: 5V }}\n  - keys: {{ save: before \
         }}\n{before}{step}"
    )
}

const CELLS: &str = "scenario: T\nboard: lantern-nrf51\nmatrix:\n  release: [no-heal, heal-blank, heal-full]\n  damage: [blank, torn_tail]\n\
                     firmware: lantern-${release}\nsteps:\n  - corrupt: { slot: server_public, class: \"${damage}\" }\n  - supply: { usb: 5V }\n  \
                     - expect: { console: Cloud connected, within: 10s }\n";

/// Lints YAML in whatever it is a part of.
pub(super) fn read(desk: &Desk, block: &Block) {
    let text = block.text.as_str();
    let begins = |word: &str| text.lines().any(|line| line.starts_with(word));
    let lint = |name: &str, text: &str| {
        desk.put(name, text.as_bytes());
        let called = desk.call(&["lint", name]);
        assert_eq!(called.exit, Some(0), "{}:{}\n{text}\n{}", block.document, block.line, called.err);
    };
    if begins("scenario:") && begins("steps:") {
        desk.put("block.yaml", text.as_bytes());
        desk.call(&["run", "block.yaml"]).exits(0);
    } else if begins("campaign:") {
        lint("campaign.yaml", text);
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
    } else if ["sweep:", "soak:", "prove:"].iter().any(|word| begins(word)) {
        // A proof names its two firmwares itself.
        let firmware = if begins("prove:") { "" } else { "firmware: lantern-no-heal\n" };
        let scenario = "scenario: scenarios/battery-death/brown-out.yaml\nset: { geometry: nrf51 }";
        lint("asked.yaml", &format!("campaign: T\n{scenario}\n{firmware}{text}"));
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

/// Each line as that of a board that has it.
pub(super) fn places(desk: &Desk, block: &Block) {
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
