//! Every place that is aimed at is struck: the board's own record of its flash says where each fault took its power.

use std::sync::Arc;

use brickproof_explore::{Aimed, aim_at_every_operation};
use brickproof_firmware::Firmware;
use brickproof_scenario::plan::Plan;
use brickproof_scenario::{Library, Setting, load};
use brickproof_sim::{Simulation, WorldConfig};
use brickproof_units::Span;
use brickproof_virtual_board::board::Records;
use brickproof_virtual_board::flash::{CutPoint, FlashRecord};

const BROWN_OUT: &str = include_str!("../../../fixtures/scenarios/rotate.yaml");

fn plan(text: &str) -> Plan {
    load("t.yaml", text, &Library::built_in()).unwrap_or_else(|it| panic!("{}", it.render(100))).cells.remove(0)
}

fn firmware() -> Firmware {
    Firmware::shipped("lantern-no-heal").expect("it ships")
}

/// What the flash had done between the trigger and the loss of power.
fn until_it_died(plan: &Plan, aimed: &Aimed) -> Vec<FlashRecord> {
    let turned = Arc::new(plan.turned(&[Setting::after(aimed.after)]).expect("it can be turned"));
    let config = WorldConfig { records: Records::Kept, ..WorldConfig::new(1) };
    let mut simulation = Simulation::with_config(turned, &firmware(), config);
    assert!(simulation.run_until(|it| !it.trial().faults().is_empty()));
    let triggered = simulation.trial().faults()[0].triggered;
    simulation.run_to(triggered + aimed.after + Span::millis(50));
    let log = simulation.world().board().flash().log().iter();
    log.filter(|record| record.start > triggered).copied().collect()
}

#[test]
fn each_place_of_each_operation_is_where_the_power_goes() {
    let plan = plan(BROWN_OUT);
    let aims = aim_at_every_operation(&plan, &firmware(), 1, Span::millis(100), 3).expect("it can be struck");
    assert_eq!((aims.aims.len() % 5, aims.out_of_reach), (0, 0));
    // Each operation at all of its places would take a minute.
    for aimed in aims.aims.iter().step_by(7) {
        let done = until_it_died(&plan, aimed);
        let whole = done.iter().filter(|record| record.is_complete()).count();
        let last = done.last().copied();
        match aimed.at {
            CutPoint::Before => assert_eq!((whole, done.len()), (aimed.index, aimed.index), "{aimed:?}"),
            // Its time was over; on a falling rail the last of it had less effect than its time.
            CutPoint::After => {
                assert_eq!(done.len(), aimed.index + 1, "{aimed:?}");
                assert!(last.is_some_and(|it| it.completed.get() > 980_000), "{aimed:?}: {last:?}");
            }
            CutPoint::Fraction { .. } => {
                let last = last.expect("it had begun");
                assert_eq!(
                    (whole, done.len(), last.operation),
                    (aimed.index, aimed.index + 1, aimed.operation),
                    "{aimed:?}"
                );
                let off = last.completed.get().abs_diff(aimed.at.share().get());
                assert!(off < 20_000, "{aimed:?}: {} of it was done", last.completed);
            }
        }
    }
}

/// However long the fault takes to bite: the board says when it lost its power, and from there it is counted back.
#[test]
fn a_slow_fall_is_aimed_as_much_earlier() {
    let slow = plan(&BROWN_OUT.replace("fall: 50us/V", "fall: 2ms/V"));
    let aims = aim_at_every_operation(&slow, &firmware(), 1, Span::millis(100), 1).expect("it can be struck");
    assert!(aims.out_of_reach > 0, "the erase begins too soon for it");
    for aimed in aims.aims.iter().filter(|it| it.at == CutPoint::Before).step_by(9) {
        assert_eq!(until_it_died(&slow, aimed).len(), aimed.index, "{aimed:?}");
    }
}

#[test]
fn what_does_not_strike_exactly_is_refused() {
    let refused = |fault: &str| {
        let plan = plan(
            &BROWN_OUT.replace("brown_out: { after: 1ms, rail: 3V3, floor: 1.2V, fall: 50us/V, hold: 200ms }", fault),
        );
        aim_at_every_operation(&plan, &firmware(), 1, Span::millis(100), 3).expect_err("it does not").to_string()
    };
    assert!(refused("power_cut: { hold: 200ms }").contains("only a `brown_out` strikes an instant exactly"));
    let elsewhere = plan(&BROWN_OUT.replace("erasing key page", "lantern"));
    let error = aim_at_every_operation(&elsewhere, &firmware(), 1, Span::millis(1), 3)
        .expect_err("nothing is written so early");
    assert!(error.to_string().contains("trigger") || error.to_string().contains("nothing to its flash"), "{error}");
}
