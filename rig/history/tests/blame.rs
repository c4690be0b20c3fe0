//! Who is blamed for what fails now and then, where it is known: because the test planted it.
//!
//! Boundary: made-up trials of two boards and two firmwares on one scenario.

mod support;

use brickproof_history::{ALPHA, Filter, FlakyScenario, Follows};
use brickproof_report::results::{TrialResult, World};
use support::{PASSES, Told, begin, empty, record};

const LEFT: (&str, &str) = ("left", "3f00aa01");
const RIGHT: (&str, &str) = ("right", "3f00aa02");
const OLD: &str = "lantern-heal-blank";
const NEW: &str = "lantern-heal-full";

/// Trials of one firmware on one board, so many of which failed.
struct Planted((&'static str, &'static str), &'static str, u64, u64);

fn trials(planted: &[Planted]) -> Vec<TrialResult> {
    let of = |Planted((station, serial), firmware, failed, all): &Planted| {
        let came_to = |seed| if seed < *failed { "failed firmware" } else { "passed" };
        let trial =
            |seed| Told { station, serial: Some(serial), firmware, seed, came_to: came_to(seed), ..PASSES }.result();
        (0..*all).map(trial).collect::<Vec<_>>()
    };
    planted.iter().flat_map(of).collect()
}

fn found(planted: &[Planted]) -> (Vec<Follows>, FlakyScenario) {
    let (mut history, _folder) = empty();
    let run = begin(&mut history, "2026-11-27", World::Hardware);
    record(&mut history, run, &trials(planted));
    let mut worlds = history.flakiness(&Filter::default()).expect("it can be read");
    assert_eq!(worlds.len(), 1);
    let mut world = worlds.remove(0);
    assert_eq!(world.scenarios.len(), 1);
    (world.bad_boards, world.scenarios.remove(0))
}

fn names(follows: &[Follows]) -> Vec<&str> {
    follows.iter().map(|it| it.name.as_str()).collect()
}

#[test]
fn a_bad_board_is_told_from_good_ones_with_the_same_firmware() {
    let planted =
        [Planted(LEFT, OLD, 9, 12), Planted(LEFT, NEW, 8, 12), Planted(RIGHT, OLD, 0, 20), Planted(RIGHT, NEW, 0, 20)];
    let (bad, scenario) = found(&planted);
    assert_eq!(names(&scenario.boards.follows), ["3f00aa01 (lantern-nrf51)"]);
    let blamed = &scenario.boards.follows[0];
    assert_eq!((blamed.there, blamed.elsewhere), ((17, 24), (0, 40)));
    assert!(blamed.p > 0.0 && blamed.p <= ALPHA, "{}", blamed.p);
    assert_eq!(names(&scenario.firmwares.follows), [""; 0], "both firmwares fail there");
    assert_eq!(names(&bad), ["3f00aa01 (lantern-nrf51)"]);
}

#[test]
fn a_bad_firmware_is_told_from_good_ones_on_the_same_boards() {
    let planted =
        [Planted(LEFT, OLD, 8, 12), Planted(RIGHT, OLD, 9, 12), Planted(LEFT, NEW, 0, 12), Planted(RIGHT, NEW, 0, 12)];
    let (bad, scenario) = found(&planted);
    let blamed: Vec<&str> = names(&scenario.firmwares.follows);
    assert!(matches!(&blamed[..], [one] if one.starts_with(OLD)), "{blamed:?}");
    assert_eq!((names(&scenario.boards.follows), names(&bad)), (vec![], vec![]));
}

#[test]
fn what_fails_everywhere_now_and_then_follows_neither() {
    let planted =
        [Planted(LEFT, OLD, 3, 20), Planted(RIGHT, OLD, 2, 20), Planted(LEFT, NEW, 2, 20), Planted(RIGHT, NEW, 3, 20)];
    let (bad, scenario) = found(&planted);
    let blamed = [&scenario.boards.follows, &scenario.firmwares.follows, &bad].map(|it| it.len());
    assert_eq!(blamed, [0; 3]);
    assert!(scenario.boards.could_tell && scenario.firmwares.could_tell, "it would have been seen");
    assert_eq!((scenario.boards.number, scenario.boards.failed_on), (2, 2));
}

/// Whether it is the board or the firmware nobody can know.
#[test]
fn a_board_that_alone_had_the_worse_firmware_is_not_blamed() {
    let (bad, scenario) = found(&[Planted(LEFT, OLD, 15, 20), Planted(RIGHT, NEW, 0, 20)]);
    let blamed = [&scenario.boards.follows, &scenario.firmwares.follows, &bad].map(|it| it.len());
    assert_eq!(blamed, [0; 3]);
    assert!(!scenario.boards.could_tell && !scenario.firmwares.could_tell);
}
