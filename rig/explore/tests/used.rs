//! A virtual board that goes from trial to trial: what its last one left is there in the next.

use std::sync::Arc;

use brickproof_explore::{Class, Erased, Finding, UsedBoard};
use brickproof_firmware::Firmware;
use brickproof_scenario::plan::Plan;
use brickproof_scenario::{Library, load};

const ROTATES: &str = "\
scenario: The device key is rewritten
board: lantern-nrf51
firmware: lantern-no-heal
steps:
  - supply: { usb: 5V }
  - expect: { console: Cloud connected, within: 30s }
  - send: keys rotate
  - expect: { identity: rotated, within: 8s }
";

fn plan() -> Arc<Plan> {
    let scenario = load("t.yaml", ROTATES, &Library::built_in()).unwrap_or_else(|it| panic!("{}", it.render(100)));
    Arc::new(scenario.cells.into_iter().next().expect("it has one cell"))
}

#[test]
fn a_used_board_has_its_keys_written_back_and_a_new_one_has_not() {
    let firmware = Firmware::shipped("lantern-no-heal").expect("it ships");
    let cycle = |board: &mut UsedBoard, seed| {
        let (trial, erased) = board.make(plan(), &firmware, seed);
        assert_eq!(Finding::of(&trial).map(|it| (it.class, it.heard)), Some((Class::Survived, true)));
        erased
    };
    let (mut used, mut new) = (UsedBoard::new(), UsedBoard::new());
    let first = cycle(&mut used, 1);
    assert_eq!(first, cycle(&mut new, 1), "the same trial costs the same");
    let [Erased { sector, times: 1 }] = &first[..] else { panic!("one page, once: {first:?}") };
    // The firmware erases the page, and before that whoever writes the factory's key over the rotated one.
    for seed in 2..5 {
        assert_eq!(cycle(&mut used, seed), [Erased { sector: sector.clone(), times: 2 }]);
    }
}
