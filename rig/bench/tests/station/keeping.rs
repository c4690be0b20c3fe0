//! What outlives a process: who holds a station, and that it was not left safe.

use std::sync::Arc;
use std::time::{Duration, Instant};

use brickproof_bench::{OpenError, OpenStation};
use brickproof_instruments::{Drive, Kind, Output};
use brickproof_units::Voltage;

use crate::model::{How, When};
use crate::rig::Rig;

async fn open_again(rig: &Rig) -> Result<(Arc<OpenStation>, Option<brickproof_bench::Restored>), OpenError> {
    OpenStation::open("model", &rig.file, &rig.state).await
}

/// A process that ends while its board is fed and nothing of it is left but the note on the disk.
async fn leave_unsafe(rig: &Rig) {
    let station = rig.open().await;
    station.leave_safe_state("brown-out.1-0123").expect("it can be noted");
    station.power_on(Output { voltage: Voltage::new(5_000_000), limit: None }).await.expect("it works");
    station.drive("mode", Drive::Asserted).await.expect("they work");
    assert!(rig.model.is_on() && !rig.model.is_safe());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whoever_comes_second_is_told_who_holds_the_station() {
    let rig = Rig::new();
    let first = rig.open().await;
    let told = open_again(&rig).await.expect_err("it is held").to_string();
    assert!(told.starts_with(&format!("station model/desk is held by process {}", std::process::id())), "{told}");
    drop(first);
    open_again(&rig).await.expect("nobody holds it any more");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_station_that_was_left_unsafe_is_made_safe_at_the_next_opening_and_that_is_told() {
    let rig = Rig::new();
    leave_unsafe(&rig).await;
    let (_station, restored) = open_again(&rig).await.expect("it opens");
    let told = restored.expect("it was left unsafe").to_string();
    assert!(told.contains("ended without leaving model/desk safe, in brown-out.1-0123: it is safe now"), "{told}");
    assert!(rig.model.is_safe() && !rig.journal().exists());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn it_is_made_safe_and_told_though_another_instrument_is_missing() {
    let rig = Rig::new();
    leave_unsafe(&rig).await;
    rig.model.fails(Kind::Light, How::Gone, When::Opened);
    let told = open_again(&rig).await.expect_err("the light is missing").to_string();
    assert!(told.contains("the model's light failed to be opened: gone: it was unplugged"), "{told}");
    assert!(told.contains("in brown-out.1-0123: it is safe now"), "{told}");
    assert!(rig.model.is_safe() && !rig.journal().exists());
    rig.model.works_again(Kind::Light);
    let (_station, restored) = open_again(&rig).await.expect("it opens");
    assert_eq!(restored, None);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_station_whose_supply_is_missing_stays_unsafe_until_it_is_there_again() {
    for how in [How::Gone, How::Wrong] {
        let rig = Rig::new();
        leave_unsafe(&rig).await;
        rig.model.fails(Kind::Supply, how, When::Opened);
        let told = open_again(&rig).await.expect_err("the supply is missing").to_string();
        assert!(told.contains("it could not be made safe"), "{told}");
        // What can be made safe is.
        assert!(rig.model.asserted().is_empty() && rig.journal().exists());
        rig.model.works_again(Kind::Supply);
        let (_station, restored) = open_again(&rig).await.expect("it opens");
        assert!(restored.is_some_and(|restored| restored.still_unsafe.is_none()));
        assert!(rig.model.is_safe() && !rig.journal().exists());
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_station_that_cannot_be_made_safe_is_not_opened() {
    let rig = Rig::new();
    leave_unsafe(&rig).await;
    rig.model.is_fed_from_elsewhere();
    let told = open_again(&rig).await.expect_err("it is not off").to_string();
    assert!(told.contains("it could not be made safe") && told.contains("cables"), "{told}");
    assert!(rig.journal().exists());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_is_switched_on_between_the_safe_state_and_the_next_trial() {
    let rig = Rig::new();
    let station = rig.open().await;
    let on = || station.power_on(Output { voltage: Voltage::new(5_000_000), limit: None });
    for _ in 0..2 {
        station.leave_safe_state("a trial").unwrap();
        on().await.unwrap();
        station.drive("mode", Drive::Asserted).await.unwrap();
        station.make_safe().await.unwrap();
        let refused = [
            on().await.map_err(|it| it.to_string()).err(),
            station.drive("mode", Drive::Asserted).await.map_err(|it| it.to_string()).err(),
        ];
        for told in refused {
            assert!(told.as_deref().is_some_and(|told| told.contains("the station is being made safe")), "{told:?}");
        }
        station.drive("mode", Drive::Released).await.unwrap();
        assert!(rig.model.is_safe());
    }
}

#[test]
fn an_instrument_that_hangs_when_it_is_opened_keeps_neither_the_others_nor_the_process() {
    let began = Instant::now();
    {
        let runtime = tokio::runtime::Runtime::new().unwrap();
        let rig = Rig::new();
        runtime.block_on(leave_unsafe(&rig));
        rig.model.fails(Kind::Console, How::Hangs, When::Opened);
        let told = runtime.block_on(open_again(&rig)).expect_err("the console hangs").to_string();
        assert!(told.contains("console model failed to be opened: no answer within 10s"), "{told}");
        assert!(rig.model.is_safe() && !rig.journal().exists());
    }
    // The runtime is gone too.
    assert!(began.elapsed() < Duration::from_secs(20), "{:?}", began.elapsed());
}
