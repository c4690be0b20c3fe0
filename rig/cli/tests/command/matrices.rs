//! `run --matrix`: what came of the cells, in tables, what was not expected marked.

use crate::desk::Desk;

/// Two releases, two damages, on two boards; one cell is expected otherwise than it comes.
const SCENARIO: &str = "
scenario: The server key is damaged
board: lantern-${geometry}
matrix:
  geometry: [nrf51, nrf52840]
  release: [no-heal, heal-full]
  damage: [blank, rewritten]
firmware: lantern-${release}
steps:
  - supply: { usb: 5V }
  - expect: { light: cloud_connected, within: 30s }
  - supply: off
  - corrupt: { slot: server_public, class: \"${damage}\" }
  - supply: { usb: 5V }
  - expect: { light: cloud_connected, within: 60s, holds: 8s }
outcome:
  - { release: no-heal, damage: blank, geometry: nrf51, then: bricked }
  - then: passed
";

#[test]
fn cells_are_shown_in_tables_and_what_was_not_expected_is_marked() {
    let desk = Desk::with(&[("damage.yaml", SCENARIO)]);
    let called = desk.call(&["run", "damage.yaml", "--matrix", "--report", "report"]);
    let tables = called.exits(1).out.split("\nFAILED").next().unwrap_or_default();
    insta::assert_snapshot!(tables.trim_end());
    let results = desk.json("report/results.json");
    let expected: Vec<_> =
        results["trials"].as_array().expect("a list").iter().map(|trial| &trial["expected"]).collect();
    assert_eq!(expected, ["bricked", "passed", "passed", "passed", "passed", "passed", "passed", "passed"]);
}

#[test]
fn boards_that_came_to_the_same_share_a_table_and_one_axis_makes_none() {
    let alike = SCENARIO.replace(", geometry: nrf51, then", ", then");
    let desk = Desk::with(&[("damage.yaml", &alike), ("boots.yaml", crate::desk::BOOTS)]);
    let called = desk.call(&["run", "damage.yaml", "boots.yaml", "--matrix", "--report", "report"]);
    insta::assert_snapshot!(called.exits(0).out.split(" of board time").next().unwrap_or_default());
}
