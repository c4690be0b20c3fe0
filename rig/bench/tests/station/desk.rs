//! Single acts of somebody at a desk.

use brickproof_bench::desk::{self, AtHand, Keys, Purpose, Source};
use brickproof_bench::{OpenError, OpenStation};
use brickproof_firmware::Firmware;
use brickproof_instruments::Kind;
use brickproof_units::{Span, Voltage};

use crate::model::{How, When};
use crate::rig::Rig;

pub(crate) async fn at_hand(rig: &Rig, purpose: Purpose) -> AtHand {
    desk::open("model", &rig.file, &rig.state, purpose).await.expect("it opens")
}

/// Puts a release on the board.
pub(crate) async fn with_firmware(rig: &Rig) -> desk::Written {
    let firmware = Firmware::shipped("lantern-heal-full").expect("an image that ships");
    let desk = at_hand(rig, Purpose::Flash).await;
    desk.station.leave_safe_state("flash").expect("the journal can be written");
    desk::feed(&desk.station, None).await.expect("the supply works");
    let written = desk::flash(&desk.station, &firmware, Keys::Genuine).await.expect("the probe works");
    desk.station.make_safe().await.expect("nothing fails");
    written
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn firmware_is_written_once_and_the_board_is_left_without_power() {
    let rig = Rig::new();
    let first = with_firmware(&rig).await;
    assert!(first.firmware > 1_000 && first.keys.is_some_and(|bytes| bytes > 100), "{first:?}");
    let second = with_firmware(&rig).await;
    assert_eq!((second.firmware, second.keys), (0, Some(0)), "it was there");
    assert!(rig.model.is_safe() && !rig.journal().exists());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_is_written_to_another_board() {
    let rig = Rig::new();
    rig.model.is_another_board([7; 8]);
    let firmware = Firmware::shipped("lantern-heal-full").expect("an image that ships");
    let desk = at_hand(&rig, Purpose::Flash).await;
    desk.station.leave_safe_state("flash").expect("the journal can be written");
    desk::feed(&desk.station, None).await.unwrap();
    let failure = desk::flash(&desk.station, &firmware, Keys::AsTheyAre).await.unwrap_err();
    assert!(failure.to_string().contains("0707070707070707"), "{failure}");
    assert_eq!(rig.model.written(), []);
    desk.station.make_safe().await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_source_that_was_left_on_stays_on_until_somebody_wants_the_whole_station() {
    let rig = Rig::new();
    let desk = at_hand(&rig, Purpose::Power).await;
    assert_eq!(desk.source, Source::Ours);
    desk.station.leave_safe_state("power on").unwrap();
    let reading = desk::feed(&desk.station, Some(Voltage::new(4_500_000))).await.unwrap();
    assert!(reading.is_some_and(|reading| reading.voltage > Some(Voltage::new(4_000_000))), "{reading:?}");
    desk.station.leave_on().unwrap();
    drop(desk);

    let beside = at_hand(&rig, Purpose::Reset).await;
    assert_eq!(beside.source, Source::LeftOn);
    beside.station.leave_safe_state("reset").unwrap();
    desk::reset(&beside.station, Span::millis(10)).await.unwrap();
    beside.station.make_safe().await.unwrap();
    assert!(rig.model.is_on() && rig.model.asserted().is_empty() && rig.journal().exists());
    drop(beside);

    let (_station, restored) = OpenStation::open("model", &rig.file, &rig.state).await.unwrap();
    assert!(restored.is_some_and(|restored| restored.to_string().contains("power on --stay")));
    assert!(rig.model.is_safe() && !rig.journal().exists());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_power_is_to_be_had_while_another_tool_has_console_and_probe() {
    let rig = Rig::new();
    rig.model.fails(Kind::Console, How::Gone, When::Opened);
    rig.model.fails(Kind::Probe, How::Gone, When::Opened);
    assert_eq!(at_hand(&rig, Purpose::Power).await.source, Source::Ours);
    let refused = desk::open("model", &rig.file, &rig.state, Purpose::Console).await.unwrap_err();
    assert!(matches!(refused, OpenError::Instruments { .. }), "{refused}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_safe_state_is_forced_and_a_station_that_cannot_be_switched_off_is_told() {
    let rig = Rig::new();
    assert_eq!(desk::make_safe("model", &rig.file, &rig.state).await, Ok(None));
    rig.model.fails(Kind::Supply, How::Gone, When::Opened);
    let problems = desk::make_safe("model", &rig.file, &rig.state).await.unwrap_err();
    insta::assert_snapshot!(problems.join("\n"), @"the model's supply failed to be opened: gone: it was unplugged");
    rig.model.works_again(Kind::Supply);
    let held = rig.open().await;
    let problems = desk::make_safe("model", &rig.file, &rig.state).await.unwrap_err();
    assert!(problems[0].contains("is held by process"), "{problems:?}");
    drop(held);
}
