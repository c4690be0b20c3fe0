//! A product with two lights on one board: each has its own sensor, and neither is taken for the other.

use std::sync::Arc;

use brickproof_boards::LedIndex;
use brickproof_firmware::Firmware;
use brickproof_scenario::{Library, load};
use brickproof_sim::Simulation;
use brickproof_trial::{Happening, Trial, VerdictKind};

/// An amber diode where lantern says that its modem draws its current: lit while it shakes hands, and for 200 ms now and then when it is
/// connected (fixtures/firmware/PROTOCOL.md).
const LAMP: &str = "
board: lamp
like: lantern-nrf52840
about: A lamp with a lantern in it
virtual_chip: nRF52840
leds: { filament: { amber: { pin: P0.16, active: high } } }
light:
  lamp_on: { led: filament, amber }
  lamp_flash: { led: filament, flash: amber, on: 200ms }
";

fn run(steps: &str, seed: u64) -> Trial {
    let mut library = Library::built_in();
    library.add_board("lamp.yaml", LAMP).unwrap_or_else(|it| panic!("{}", it.render(100)));
    let text =
        format!("scenario: T\nboard: lamp\nfirmware: lantern-heal-full\nsteps:\n  - supply: {{ usb: 5V }}\n{steps}");
    let scenario = load("t.yaml", text, &library).unwrap_or_else(|it| panic!("{}", it.render(100)));
    let plan = Arc::new(scenario.cells.into_iter().next().expect("it has one cell"));
    let mut simulation = Simulation::new(plan, &Firmware::shipped("lantern-heal-full").expect("it ships"), seed);
    simulation.run();
    simulation.into_trial()
}

fn verdict(steps: &str) -> (VerdictKind, String) {
    let trial = run(steps, 7);
    let verdict = trial.verdict().expect("the trial is over");
    (verdict.kind, verdict.reason.clone())
}

#[test]
fn each_light_is_seen_by_its_own_sensor() {
    let connected =
        "  - expect: { light: cloud_connected, within: 30s }\n  - expect: { light: lamp_flash, within: 15s }\n";
    assert_eq!(verdict(connected).0, VerdictKind::Passed, "{:?}", verdict(connected));
    let waiting = "  - cloud: silent\n  - expect: { light: { led: filament, amber }, within: 10s, holds: 20s }\n  \
                   - expect: { light: cloud_handshake, within: 1s }\n";
    assert_eq!(verdict(waiting).0, VerdictKind::Passed, "{:?}", verdict(waiting));
    let off = "  - expect: { light: cloud_connected, within: 30s }\n  - expect: { light: { led: filament, off }, within: 2s }\n";
    assert_eq!(verdict(off).0, VerdictKind::Passed, "{:?}", verdict(off));
}

#[test]
fn what_one_light_shows_is_not_looked_for_on_the_other() {
    // The status light never shows solid amber, and the filament never breathes cyan.
    let (kind, reason) = verdict("  - expect: { light: { solid: amber }, within: 40s }\n");
    assert_eq!(kind, VerdictKind::Failed, "{reason}");
    let (kind, reason) = verdict("  - expect: { light: { led: filament, amber, breathe: 4s }, within: 40s }\n");
    assert_eq!(kind, VerdictKind::Failed, "{reason}");
    assert!(reason.contains("on `filament`"), "{reason}");
}

#[test]
fn a_second_light_changes_nothing_of_what_the_first_one_shows() {
    let steps = "  - expect: { light: cloud_connected, within: 30s, holds: 8s }\n";
    let of_first = |trial: &Trial| -> Vec<_> {
        let samples = trial.timeline().samples.iter().filter(|glimpse| glimpse.led == LedIndex::FIRST);
        samples.map(|glimpse| glimpse.sample).collect()
    };
    let (alone, beside) =
        (run(steps, 3), run(&format!("{steps}  - expect: {{ light: lamp_flash, within: 15s }}\n"), 3));
    let (alone, beside) = (of_first(&alone), of_first(&beside));
    let common = alone.len().min(beside.len());
    assert!(common > 1_000, "{common} samples");
    assert_eq!(alone[..common], beside[..common]);
}

#[test]
fn sights_say_which_light_they_are_of_and_the_same_id_sees_the_same() {
    let steps = "  - expect: { light: lamp_flash, within: 30s }\n";
    let sights = || -> Vec<_> {
        let trial = run(steps, 11);
        let events = trial.timeline().events.iter().filter_map(|event| match &event.what {
            Happening::Light { led, sight } => Some((event.at, *led, sight.to_string())),
            _ => None,
        });
        events.collect()
    };
    let seen = sights();
    assert!(seen.iter().any(|(_, led, sight)| *led == LedIndex(1) && sight.contains("yellow")), "{seen:?}");
    assert_eq!(seen, sights());
}
