//! What the first second of a board tells is what its trial comes to when it is made to its end.

use std::path::Path;
use std::sync::Arc;

use brickproof_explore::{Arm, Exhaustive, Finding, Laboratory, SecondCuts, Seen, Shot};
use brickproof_firmware::Firmware;
use brickproof_scenario::plan::{CellModel, FirmwareName, Plan};
use brickproof_scenario::{Library, load};

const SCENARIO: &str = "scenarios/battery-death/brown-out.yaml";

fn plan(release: &str, geometry: &str) -> Plan {
    let text = std::fs::read(Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").join(SCENARIO)).expect("it ships");
    let scenario =
        load(SCENARIO, text, &Library::built_in()).unwrap_or_else(|mistakes| panic!("{}", mistakes.render(110)));
    let cells = scenario.with_firmware(&FirmwareName(release.to_owned())).cells;
    let is_meant = |plan: &Plan| plan.parameters.contains(&("geometry".to_owned(), geometry.to_owned()));
    cells.into_iter().find(is_meant).expect("it has that cell")
}

/// Of the places that are asked for every `stride`-th. Gives how many were told by their first second.
fn compare(release: &str, geometry: &str, asked: &Exhaustive, stride: usize) -> u64 {
    let plan = Arc::new(plan(release, geometry));
    let firmware = Firmware::shipped(release).expect("it ships");
    let found = asked.places(&plan, &firmware, 1).expect("it can be struck");
    let laboratory = Laboratory::new(plan, firmware, 1).sparing();
    for (number, place) in (0..).zip(found.places.iter().step_by(stride)) {
        let seed = 1 | (u64::from(place.chance) + 1) << 32;
        let shot = Shot { number, arm: Arm::Only, cell: 0, settings: place.settings(), seed, board: None };
        let plan = laboratory.plan_of(&shot.settings).expect("it can be turned");
        let (found, seen) = laboratory.find(Arc::clone(&plan), &shot);
        if seen == Seen::FirstSecond {
            let made = Finding::of(&laboratory.make(plan, &shot));
            assert_eq!(Some(found), made, "{release} {geometry} {place:?}");
        }
    }
    let spared = laboratory.spared();
    eprintln!("{release} {geometry}: {spared:?}");
    assert_eq!(spared.contradicted, 0, "{release} {geometry}");
    spared.told
}

/// Under every model of cells.
fn first_cuts() -> Exhaustive {
    let cells = CellModel::ALL.to_vec();
    Exhaustive {
        window: Exhaustive::WINDOW,
        fractions: Exhaustive::FRACTIONS,
        cells,
        second_cuts: SecondCuts::None,
        each: 1,
    }
}

fn second_cuts() -> Exhaustive {
    Exhaustive { fractions: 1, cells: Vec::new(), second_cuts: SecondCuts::Every, ..first_cuts() }
}

/// One place in so many; the figures that are published are made with `BRICKPROOF_STRIDE=1`.
fn one_in(usual: usize) -> usize {
    std::env::var("BRICKPROOF_STRIDE").ok().and_then(|text| text.parse().ok()).unwrap_or(usual)
}

#[test]
fn releases_that_do_not_heal_end_as_they_are_told() {
    for release in ["lantern-no-heal", "lantern-heal-blank"] {
        assert!(compare(release, "nrf51", &first_cuts(), one_in(40)) > 10);
    }
}

#[test]
fn releases_that_heal_end_as_they_are_told() {
    for release in ["lantern-heal-parse", "lantern-heal-full"] {
        assert!(compare(release, "nrf51", &first_cuts(), one_in(40)) > 10);
    }
}

#[test]
fn boards_that_were_struck_again_while_they_healed_end_as_they_are_told() {
    for release in ["lantern-heal-parse", "lantern-heal-full"] {
        assert!(compare(release, "nrf51", &second_cuts(), one_in(2_000)) > 0);
    }
}

#[test]
fn the_other_part_ends_as_it_is_told() {
    for release in ["lantern-heal-parse", "lantern-heal-full"] {
        assert!(compare(release, "nrf52840", &first_cuts(), one_in(300)) > 0);
    }
}
