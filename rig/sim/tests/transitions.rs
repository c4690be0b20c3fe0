//! From one release to another on the machine code of both: the shipped scenarios, and the power that fails anywhere on the way through a
//! bootloader, which survives it.

use std::sync::Arc;
use std::thread;

use brickproof_scenario::Setting;
use brickproof_scenario::plan::Plan;
use brickproof_sim::Simulation;
use brickproof_trial::{Achieved, Happening, Trial, VerdictKind};
use brickproof_units::Ratio;

#[path = "common/shipped.rs"]
#[expect(dead_code, reason = "shared with tests that use the rest")]
mod shipped;

use shipped::{cells, cells_of, simulation};

fn ended(mut simulation: Simulation) -> Trial {
    simulation.run();
    simulation.into_trial()
}

fn passed(trial: &Trial, what: &str) {
    let verdict = trial.verdict().expect("it is over");
    assert_eq!(verdict.kind, VerdictKind::Passed, "{what} {:?}: {}", trial.plan().parameters, verdict.reason);
}

/// Runs all of them, on as many threads as there are.
fn all_pass(plans: &[Plan]) {
    let threads = thread::available_parallelism().map_or(1, usize::from);
    thread::scope(|scope| {
        for share in plans.chunks(plans.len().div_ceil(threads)) {
            scope.spawn(|| {
                share.iter().for_each(|plan| passed(&ended(simulation(plan.clone(), 1)), &plan.scenario.path));
            });
        }
    });
}

#[test]
fn what_is_shipped_for_the_bootloader_comes_out_as_it_says() {
    for file in ["there-and-back-through-dfu", "cut-in-its-bootloader", "rescued-through-its-bootloader"] {
        all_pass(&cells(&format!("scenarios/transitions/{file}.yaml")));
    }
}

#[test]
fn what_is_shipped_for_the_probe_comes_out_as_it_says() {
    for file in ["cut", "cut-and-flashed-again", "damaged-after-the-upgrade", "rotated-then-downgraded"] {
        all_pass(&cells(&format!("scenarios/transitions/{file}.yaml")));
    }
}

/// What the flash was found to hold, one reading after the other.
fn firmware_found(trial: &Trial) -> Vec<String> {
    let events = trial.timeline().events.iter();
    let found = events.filter_map(|event| match &event.what {
        Happening::Answered { result: Ok(Achieved::Firmware(content)), .. } => Some(content.to_string()),
        _ => None,
    });
    found.collect()
}

/// The cut is swept over the whole transfer, its readback too: whatever is left, the board comes back through its bootloader, with its keys.
#[test]
fn wherever_the_power_fails_the_bootloader_takes_the_release_again() {
    let text = "scenario: T
board: lantern-nrf52840
firmware: lantern-no-heal
steps:
  - supply: { usb: 5V }
  - expect: { light: cloud_connected, within: 30s }
  - enter: dfu
  - on: { flash: { image: lantern-heal-full, through: dfu }, at: 0% }
    fault: { power_cut: { after: 2ms, hold: 200ms } }
  - expect: { firmware: [lantern-no-heal, lantern-heal-full, torn] }
  - enter: { mode: dfu, by: buttons }
  - flash: { image: lantern-heal-full, through: dfu }
  - expect: { firmware: lantern-heal-full }
  - expect: { light: cloud_connected, within: 30s, holds: 1s }
  - expect: { identity: unchanged }
";
    let [plan] = <[Plan; 1]>::try_from(cells_of("t.yaml", text)).expect("one cell");
    let begins = plan.only_fault().map(|step| step - 1);
    let mut trunk = simulation(plan.clone(), 1);
    assert!(trunk.run_until(|it| it.trial().current_step() == begins));
    let mut left = Vec::new();
    for share in (0..=100).step_by(10) {
        let at = Setting::parse("fault.at", &format!("{share}%")).expect("a share");
        let turned = plan.turned(&[at]).expect("its fault hangs on a transfer");
        let trial = ended(trunk.turned(Arc::new(turned), 1).expect("the transfer is still to come"));
        passed(&trial, &format!("at {share}%"));
        let (asked, reached) = trial.faults()[0].progress.expect("it hung on a transfer");
        assert_eq!(asked, Ratio::new(share * 10_000));
        assert!(u64::from(reached.done) >= u64::from(reached.total) * share / 100, "{reached:?}");
        left.push(firmware_found(&trial)[0].clone());
    }
    assert!(left[..10].iter().all(|held| held == "torn"), "{left:?}");
    assert_eq!(left[10], "lantern-heal-full", "all of it was there, and only its readback was cut");
}

/// Keys are where the new release keeps them from the moment on that it is there, whichever way it came.
#[test]
fn keys_are_looked_for_where_the_release_keeps_them_that_came_through_the_bootloader() {
    let text = "scenario: T
board: lantern-nrf52840
firmware: lantern-no-heal
matrix: { through: [probe, dfu] }
steps:
  - supply: { usb: 5V }
  - expect: { light: cloud_connected, within: 30s }
  - enter: dfu
  - flash: { image: lantern-heal-full, through: \"${through}\" }
  - expect: { light: cloud_connected, within: 30s }
  - send: keys rotate
  - expect: { identity: rotated, within: 30s }
  - expect: { slot: device_private, is: new }
  - enter: dfu
  - keys: { save: rotated, through: dfu }
  - corrupt: { slot: device_private, class: torn_tail, through: dfu }
  - expect: { slot: device_private, is: new } # by its other copy
  - keys: { verify: rotated, through: dfu }
  - reset: pin
  - expect: { identity: rotated, within: 30s }
";
    all_pass(&cells_of("t.yaml", text));
}
