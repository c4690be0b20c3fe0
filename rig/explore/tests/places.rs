//! The places of an exhaustive sweep: each once, the second ones where the board that boots does its flash work, each made the same by itself.

use std::collections::HashSet;
use std::path::Path;
use std::sync::Arc;

use brickproof_explore::{Arm, Exhaustive, Laboratory, Place, SecondCuts, Shot};
use brickproof_firmware::Firmware;
use brickproof_scenario::plan::{CellModel, FirmwareName, Plan};
use brickproof_scenario::{Library, load};
use brickproof_sim::{Simulation, WorldConfig};
use brickproof_trial::Trial;
use brickproof_units::Span;
use brickproof_virtual_board::board::Records;
use brickproof_virtual_board::flash::FlashRecord;

const SCENARIO: &str = "scenarios/battery-death/brown-out.yaml";
const RELEASE: &str = "lantern-heal-full";

fn plan() -> Arc<Plan> {
    let text = std::fs::read(Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").join(SCENARIO)).expect("it ships");
    let scenario =
        load(SCENARIO, text, &Library::built_in()).unwrap_or_else(|mistakes| panic!("{}", mistakes.render(110)));
    Arc::new(scenario.with_firmware(&FirmwareName(RELEASE.to_owned())).cells.remove(0))
}

fn firmware() -> Firmware {
    Firmware::shipped(RELEASE).expect("it ships")
}

fn asked(cells: &[CellModel], second_cuts: SecondCuts) -> Exhaustive {
    Exhaustive { window: Span::millis(100), fractions: 1, cells: cells.to_vec(), second_cuts, each: 1 }
}

fn shot(place: &Place) -> Shot {
    let seed = 1 | (u64::from(place.chance) + 1) << 32;
    Shot { number: 0, arm: Arm::Only, cell: 0, settings: place.settings(), seed, board: None }
}

#[test]
fn every_place_is_struck_once_under_every_model() {
    let found = |cells: &[CellModel], each| {
        let asked = Exhaustive { each, ..asked(cells, SecondCuts::None) };
        asked.places(&plan(), &firmware(), 1).expect("it can be struck")
    };
    let usual = found(&[], 1);
    assert_eq!((usual.places.len(), usual.out_of_reach), (3 * usual.operations, 0), "before, inside, after");
    for cells in [&CellModel::ALL[..], &CellModel::ALL[1..]] {
        let places = found(cells, 1).places;
        let distinct: HashSet<_> = places.iter().map(|place| (place.after, place.cells)).collect();
        assert_eq!(
            (distinct.len(), places.len()),
            (cells.len() * usual.places.len(), cells.len() * usual.places.len())
        );
    }
    let twice = found(&[], 2).places;
    let chances: HashSet<u32> = twice.iter().map(|place| place.chance).collect();
    assert_eq!((twice.len(), chances.len()), (2 * usual.places.len(), twice.len()), "chance decides anew");
}

/// What the flash did in the boot after the first fault, until the board lost its power again.
fn until_it_died_again(place: &Place) -> Vec<FlashRecord> {
    let turned = Arc::new(plan().turned(&place.settings()).expect("it can be turned"));
    let config = WorldConfig { records: Records::Kept, ..WorldConfig::new(shot(place).seed) };
    let mut simulation = Simulation::with_config(turned, &firmware(), config);
    assert!(simulation.run_until(|it| it.trial().faults().len() == 2));
    let began = simulation.trial().now();
    simulation.run_to(began + place.again.expect("it strikes again") + Span::millis(50));
    let log = simulation.world().board().flash().log().iter();
    log.filter(|record| record.start > began).copied().collect()
}

#[test]
fn each_second_place_is_where_the_power_goes_in_the_boot_that_follows() {
    let found =
        asked(&[CellModel::Marginal], SecondCuts::Every).places(&plan(), &firmware(), 1).expect("it can be struck");
    let distinct: HashSet<_> = found.places.iter().map(|place| (place.after, place.again)).collect();
    assert_eq!(distinct.len(), found.places.len(), "each once");
    let mut boots: Vec<&[Place]> = found.places.chunk_by(|one, next| one.chance == next.chance).collect();
    assert_eq!(boots.len(), 3 * found.operations, "a boot for every first place");
    // All of them would take minutes.
    boots.retain(|boot| boot.len() > 1);
    for boot in boots.iter().step_by(31) {
        let (first, second) = boot.split_first().expect("the first cut itself");
        assert_eq!((first.again, second.len() % 3), (None, 0));
        for (operation, places) in second.chunks(3).enumerate().step_by(17) {
            let [before, inside, after] = [0, 1, 2].map(|place| until_it_died_again(&places[place]));
            assert_eq!(before.len(), operation, "{:?}", places[0]);
            assert_eq!((inside.len(), after.len()), (operation + 1, operation + 1), "{:?}", places[1]);
            let done = |records: &[FlashRecord]| records.last().map_or(0, |record| record.completed.get());
            assert!(done(&inside).abs_diff(500_000) < 20_000, "{:?}: {}", places[1], done(&inside));
            assert!(done(&after) > 980_000, "{:?}: {}", places[2], done(&after));
        }
    }
}

#[test]
fn a_forked_trial_is_the_same_byte_for_byte_as_one_from_the_beginning() {
    let found = asked(&CellModel::ALL, SecondCuts::Every).places(&plan(), &firmware(), 1).expect("it can be struck");
    let laboratory = Laboratory::new(plan(), firmware(), 1);
    let (once, twice): (Vec<Place>, Vec<Place>) = found.places.iter().partition(|place| place.again.is_none());
    let some = once.iter().step_by(once.len() / 4).chain(twice.iter().step_by(twice.len() / 5));
    for place in some {
        let turned = laboratory.plan_of(&place.settings()).expect("it can be turned");
        let forked = laboratory.make(Arc::clone(&turned), &shot(place));
        let mut whole = Simulation::new(turned, &firmware(), shot(place).seed);
        whole.run();
        let [forked, whole] = [&forked, whole.trial()].map(Trial::timeline);
        assert!(forked.events.iter().eq(whole.events.iter()), "{place:?}");
        assert!(forked.samples.iter().eq(whole.samples.iter()), "{place:?}");
        assert!(forked.raw_console() == whole.raw_console(), "{place:?}");
    }
}
