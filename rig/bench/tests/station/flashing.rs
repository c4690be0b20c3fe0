//! Releases written to a board in the course of a trial, through the real driver of probes; what came of it is read by stock probe-rs alone.
//!
//! Boundary: the board is served over TCP as a Black Magic probe, and whoever reads its flash beside the rig is nobody of the rig's.

use std::time::Duration;

use brickproof_bench::driver::Outcome;
use brickproof_bench::file::{Driver, Identity};
use brickproof_firmware::{Firmware, pieces};
use brickproof_instruments::{Kind, Settings, Value, driver};
use brickproof_paced::serve::{ServeOptions, Served, serve};
use brickproof_scenario::Library;
use brickproof_scenario::plan::Plan;
use brickproof_trial::{FaultRecord, Happening, Progress};
use brickproof_units::{Instant, Voltage};
use brickproof_virtual_board::board::BoardState;
use probe_rs::probe::list::Lister;
use probe_rs::probe::{DebugProbeSelector, WireProtocol};
use probe_rs::{MemoryInterface as _, Permissions};

use crate::passing::everything_was_answered;
use crate::rig::{Rig, scenario, verdict};

const CHIP: &str = "nRF51822_xxAA";
const OLD: &str = "lantern-no-heal";
const NEW: &str = "lantern-heal-full";

/// The model's station with the driver of real probes in place of the model's.
fn through_probe_rs() -> (Rig, Served) {
    let mut rig = Rig::new();
    let served = serve(&rig.model.hand(), ServeOptions::default()).expect("a port");
    let text = |text: &str| Value::Text(text.to_owned());
    let settings = Settings::new()
        .with("usb", text("1d50:6018"))
        .with("serial", text(&served.debug().to_string()))
        .with("chip", text(CHIP));
    let factory = driver(Kind::Probe, "probe-rs").expect("it is in the list");
    rig.file.instruments.insert(Kind::Probe, Driver::Real(factory, settings));
    let id = rig.model.hand().with_board(|board| board.soc().unique_id());
    rig.file.serial = Some(Identity::of(id));
    (rig, served)
}

/// So many bytes of flash from its first on, as stock probe-rs reads them from a board that is fed for it.
fn read_by_stock_probe_rs(rig: &Rig, served: &Served, length: usize) -> Vec<u8> {
    let hand = rig.model.hand();
    hand.feed_from_usb(Some(Voltage::new(5_000_000)));
    while matches!(hand.state(), BoardState::Off) {
        std::thread::sleep(Duration::from_millis(1));
    }
    let serial_number = Some(served.debug().to_string());
    let selector = DebugProbeSelector { vendor_id: 0x1D50, product_id: 0x6018, interface: None, serial_number };
    let mut probe = Lister::new().open(selector).expect("it is served");
    probe.select_protocol(WireProtocol::Swd).expect("it speaks SWD");
    let mut session = probe.attach(CHIP, Permissions::default()).expect("the board has power");
    let mut bytes = vec![0; length];
    session.core(0).expect("it has one").read(0, &mut bytes).expect("it is flash");
    drop(session);
    hand.feed_from_usb(None);
    bytes
}

fn image(name: &str) -> Vec<u8> {
    Firmware::shipped(name).expect("it is shipped").image().to_vec()
}

fn passed(outcome: &Outcome) {
    assert_eq!(verdict(outcome), "passed: ", "{:?}", outcome.trial.verdict());
    everything_was_answered(outcome);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_board_goes_to_another_release_and_back() {
    let (rig, served) = through_probe_rs();
    let there = "steps:
  - supply: { usb: 5V }
  - expect: { firmware: lantern-no-heal, within: 5s }
  - flash: lantern-heal-full
  - expect: { console: '/lantern \\S+ heal-full/', within: 5s }
  - expect: { firmware: lantern-heal-full }
  - expect: { console: Cloud connected, within: 30s }
  - expect: { identity: unchanged }
";
    let back = "  - flash: lantern-no-heal
  - expect: { console: '/lantern \\S+ no-heal/', within: 5s }
  - expect: { firmware: [lantern-no-heal, lantern-heal-full] }
  - expect: { console: Cloud connected, within: 30s }
  - expect: { identity: unchanged }
";
    for (steps, left) in [(there.to_owned(), NEW), (format!("{there}{back}"), OLD)] {
        passed(&rig.run(scenario("no-heal", &steps)).await);
        assert!(rig.model.is_safe());
        let image = image(left);
        assert!(read_by_stock_probe_rs(&rig, &served, image.len()) == image, "it is not {left}");
    }
}

/// A trial that is struck so long after `at` of the new release was written, and what is to be there then.
fn cut_at(at: &str, after: &str, firmware: &str) -> Plan {
    scenario(
        "no-heal",
        &format!(
            "steps:
  - supply: {{ usb: 5V }}
  - expect: {{ console: Cloud connected, within: 30s }}
  - on: {{ flash: lantern-heal-full, at: {at} }}
    fault: {{ power_cut: {{ after: {after}, hold: 300ms }} }}
  - expect: {{ firmware: {firmware}, within: 10s }}
"
        ),
    )
}

/// What was told of the transfer last before an instant, and what was told of it at all: a board that is cut off lives on what its capacitors
/// hold, and may be written to until they are empty.
fn told_before_and_at_last(outcome: &Outcome, at: Instant) -> [Progress; 2] {
    let events = outcome.trial.timeline().events.iter();
    let told: Vec<(Instant, Progress)> = events
        .filter_map(|event| match event.what {
            Happening::Progress { progress, .. } => Some((event.at, progress)),
            _ => None,
        })
        .collect();
    let before = told.iter().rev().find(|(told, _)| *told <= at);
    [before, told.last()].map(|it| it.expect("it was told").1)
}

/// Counted in the order in which an image is written: up to where a flash holds the new one, and from where on the old one.
fn new_until_and_old_from(flash: &[u8]) -> (usize, usize) {
    let new = Firmware::shipped(NEW).expect("it is shipped");
    let mut old = image(OLD);
    old.resize(flash.len(), 0xFF);
    let map = Library::built_in().board("lantern-nrf51").expect("it ships").flash.clone();
    let (mut written, mut new_until, mut old_from) = (0, None, 0);
    for piece in pieces(&new, &map) {
        let place = piece.address as usize..piece.address as usize + piece.bytes.len();
        if flash[place.clone()] != piece.bytes {
            new_until.get_or_insert(written);
        }
        written += piece.bytes.len();
        if flash[place.clone()] != old[place] {
            old_from = written;
        }
    }
    (new_until.unwrap_or(written), old_from)
}

/// What was told of a transfer is what the flash holds: new where it was surely written, old where it surely was not.
fn held_to_the_flash([struck, last]: [Progress; 2], flash: &[u8]) {
    let (new_until, old_from) = new_until_and_old_from(flash);
    assert!(
        struck.done as usize <= new_until && old_from <= (last.done + last.uncertainty) as usize,
        "struck at {struck:?}, told at last {last:?}, new to {new_until}, old from {old_from}"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn power_that_fails_in_the_middle_leaves_a_torn_release_where_the_timeline_says_and_writing_it_again_heals() {
    let (rig, served) = through_probe_rs();
    let outcome = rig.run(cut_at("40%", "2ms", "torn")).await;
    passed(&outcome);
    let [FaultRecord { achieved: Some(achieved), progress: Some((_, triggered)), .. }] = outcome.trial.faults() else {
        panic!("one fault that was made: {:?}", outcome.trial.faults());
    };
    let told = told_before_and_at_last(&outcome, achieved.began);
    println!("triggered at {triggered:?}, struck, and told at last: {told:?}");
    let (old, new) = (image(OLD), image(NEW));
    let flash = read_by_stock_probe_rs(&rig, &served, old.len().max(new.len()));
    assert!(!flash.starts_with(&old) && !flash.starts_with(&new), "it is torn between them");
    held_to_the_flash(told, &flash);
    let asked = new.len() * 4 / 10;
    assert!(triggered.done as usize <= asked && asked < (triggered.done + triggered.uncertainty) as usize);

    let healed = "scenario: It is written again
board: lantern-nrf51
firmware: as_found
steps:
  - supply: { usb: 5V }
  - flash: lantern-heal-full
  - expect: { firmware: lantern-heal-full }
  - expect: { console: Cloud connected, within: 30s }
  - expect: { identity: unchanged }
";
    passed(&rig.run(crate::rig::plan(healed)).await);
    assert!(read_by_stock_probe_rs(&rig, &served, new.len()) == new, "it is not the new release");
}

/// What a fault found is what was told last before it struck, not what was told when it was triggered.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_cut_that_comes_late_finds_as_much_written_as_the_timeline_says_by_then() {
    let (rig, served) = through_probe_rs();
    let outcome = rig.run(cut_at("10%", "600ms", "torn")).await;
    passed(&outcome);
    let [FaultRecord { achieved: Some(achieved), progress: Some((_, triggered)), .. }] = outcome.trial.faults() else {
        panic!("one fault that was made: {:?}", outcome.trial.faults());
    };
    let told = told_before_and_at_last(&outcome, achieved.began);
    assert!(told[0].done > triggered.done, "triggered at {triggered:?}, struck, and told at last: {told:?}");
    held_to_the_flash(told, &read_by_stock_probe_rs(&rig, &served, image(NEW).len()));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn power_that_fails_once_all_of_it_is_written_leaves_the_new_release() {
    let (rig, served) = through_probe_rs();
    passed(&rig.run(cut_at("100%", "2ms", NEW)).await);
    assert!(read_by_stock_probe_rs(&rig, &served, image(NEW).len()) == image(NEW));
}
