//! A board that goes from trial to trial keeps what its flash holds and how often it was erased.

use std::sync::Arc;

use brickproof_firmware::Firmware;
use brickproof_scenario::plan::Plan;
use brickproof_scenario::{Library, load};
use brickproof_sim::Simulation;
use brickproof_trial::VerdictKind;
use brickproof_virtual_board::flash::Flash;

const ROTATES: &str = "\
scenario: The device key is rewritten
board: lantern-nrf51
firmware: lantern-heal-full
steps:
  - supply: { usb: 5V }
  - expect: { console: Cloud connected, within: 30s }
  - send: keys rotate
  - expect: { identity: rotated, within: 8s }
cleanup:
  - supply: off
";

fn plan() -> Arc<Plan> {
    let scenario = load("t.yaml", ROTATES, &Library::built_in()).unwrap_or_else(|it| panic!("{}", it.render(100)));
    Arc::new(scenario.cells.into_iter().next().expect("it has one cell"))
}

fn firmware() -> Firmware {
    Firmware::shipped("lantern-heal-full").expect("it ships")
}

/// A trial on a new board or a used one; the flash after it.
fn cycle(flash: Option<Flash>, seed: u64) -> Flash {
    let mut simulation = match flash {
        None => Simulation::new(plan(), &firmware(), seed),
        Some(flash) => Simulation::on_a_used_board(plan(), &firmware(), seed, flash),
    };
    simulation.run();
    let (trial, flash) = simulation.into_trial_and_flash();
    assert_eq!(trial.verdict().map(|it| it.kind), Some(VerdictKind::Passed), "{:?}", trial.verdict());
    flash
}

#[test]
fn erases_add_up_over_the_trials_of_a_board_and_the_same_trials_wear_it_the_same() {
    let worn = |cycles: u64| {
        let last = (0..cycles).fold(None, |flash, seed| Some(cycle(flash, seed))).expect("there were some");
        last.erases().collect::<Vec<_>>()
    };
    let (one, five) = (worn(1), worn(5));
    assert!(!one.is_empty(), "a rewritten key erases its page");
    // From the second trial on the factory's keys have to be written back over the rotated ones.
    for (page, count) in &one {
        let after_five = five.iter().find(|(it, _)| it == page).map_or(0, |(_, count)| *count);
        assert!(after_five >= 5 * count, "{page:#x}: {count} in one trial, {after_five} in five");
    }
    assert_eq!(five, worn(5));
}
