//! A sensor above a light that is not the board's first: what it sees is told of that light, and what it fails at of that sensor.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use brickproof_boards::LedIndex;
use brickproof_instruments::Kind;
use brickproof_scenario::plan::Plan;
use brickproof_scenario::{Library, load};
use brickproof_trial::{Blame, Happening, VerdictKind};

use crate::model::{How, When};
use crate::rig::{Rig, verdict};

/// The model's board, whose only sensor is above what the profile calls its second light.
const LAMP: &str = "
board: lamp
like: lantern-nrf51
about: A lamp with a lantern in it
leds: { lid: { red: { pin: P0.13, active: high }, green: { pin: P0.14, active: high }, blue: { pin: P0.15, active: high } } }
light:
  lid_shines: { led: lid, colour: cyan, breathe: 4s }
";
const SHINES: &str = "scenario: The lid shines\nboard: lamp\nfirmware: lantern-heal-full\nsteps:
  - supply: { usb: 5V }
  - expect: { light: lid_shines, within: 30s }
cleanup:
  - supply: off
";
const LID: LedIndex = LedIndex(1);

fn rig() -> (Rig, Plan) {
    let mut library = Library::built_in();
    library.add_board("lamp.yaml", LAMP).unwrap_or_else(|mistakes| panic!("{}", mistakes.render(110)));
    let mut rig = Rig::new();
    rig.file.board = Arc::clone(library.board("lamp").expect("it was added"));
    let sensor = rig.file.instruments.remove(&Kind::Light).expect("the model has one");
    rig.file.lights = BTreeMap::from([(LID, sensor)]);
    let mut cells =
        load("lamp.yaml", SHINES, &library).unwrap_or_else(|mistakes| panic!("{}", mistakes.render(110))).cells;
    (rig, cells.remove(0))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_sensor_sees_is_told_of_the_light_below_it() {
    let (rig, plan) = rig();
    let outcome = rig.run(plan).await;
    assert_eq!(outcome.trial.verdict().map(|it| it.kind), Some(VerdictKind::Passed), "{}", verdict(&outcome));
    let timeline = outcome.trial.timeline();
    assert!(!timeline.samples.is_empty() && timeline.samples.iter().all(|glimpse| glimpse.led == LID));
    let mut sights = timeline.events.iter().filter_map(|event| match &event.what {
        Happening::Light { led, sight } if sight.shows_light() => Some(*led),
        _ => None,
    });
    assert!(sights.all(|led| led == LID));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_sensor_that_fails_is_named_by_its_light() {
    let (rig, plan) = rig();
    rig.model.fails(Kind::Light, How::Gone, When::Fed(2, Duration::from_millis(700)));
    let outcome = rig.run(plan).await;
    let ended = outcome.trial.verdict().map(|it| (it.kind, it.blame));
    assert_eq!(ended, Some((VerdictKind::Error, Some(Blame::Bench))), "{}", verdict(&outcome));
    assert!(rig.model.is_safe());
}
