//! Instruments that fail in the middle of a trial: the bench is to blame, the reason says which device, and the station is safe all the same.

use std::time::{Duration, Instant};

use brickproof_bench::driver::Outcome;
use brickproof_instruments::Kind;
use brickproof_trial::{Blame, VerdictKind};
use tokio::task::JoinSet;

use crate::model::{How, When};
use crate::passing::everything_was_answered;
use crate::rig::{Rig, scenario, verdict};

/// Provisioning feeds the board once; the second time is the trial's.
const IN_THE_TRIAL: When = When::Fed(2, Duration::from_millis(700));
/// The longest that a call to one instrument is waited for (reading a slot: 10 s), and then the way to the safe state (12 s, see
/// `OpenStation::make_safe`), on a busy computer.
const BOUND: Duration = Duration::from_secs(30);

/// What looks at everything, for longer than it takes to fail.
const WATCHFUL: &str = "steps:
  - supply: { usb: 5V }
  - expect: { console: Cloud connected, within: 20s }
  - never: { any: [{ light: sos }, { console: handshake failed }], for: 20s }
cleanup:
  - supply: off
";

const PRESSING: &str = "steps:
  - supply: { usb: 5V }
  - wait: 900ms
  - press: { button: mode, for: 50ms }
cleanup:
  - supply: off
";

const READING: &str = "steps:
  - supply: { usb: 5V }
  - wait: 900ms
  - expect: { slot: device_private, is: old }
cleanup:
  - supply: off
";

async fn failing(kind: Kind, how: How, steps: &'static str) -> (Rig, Outcome, Duration) {
    let rig = Rig::new();
    rig.model.fails(kind, how, IN_THE_TRIAL);
    let began = Instant::now();
    let outcome = rig.run(scenario("heal-full", steps)).await;
    (rig, outcome, began.elapsed())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_bench_is_to_blame_whatever_fails_and_the_rest_is_made_safe() {
    let cases = [
        (Kind::Console, How::Gone, WATCHFUL),
        (Kind::Console, How::Hangs, WATCHFUL),
        (Kind::Console, How::Wrong, WATCHFUL),
        (Kind::Light, How::Gone, WATCHFUL),
        (Kind::Light, How::Hangs, WATCHFUL),
        (Kind::Light, How::Wrong, WATCHFUL),
        (Kind::Probe, How::Gone, READING),
        (Kind::Probe, How::Hangs, READING),
        (Kind::Probe, How::Wrong, READING),
        (Kind::Lines, How::Gone, PRESSING),
        (Kind::Lines, How::Hangs, PRESSING),
        (Kind::Lines, How::Wrong, PRESSING),
        (Kind::Supply, How::Gone, WATCHFUL),
        (Kind::Supply, How::Hangs, WATCHFUL),
        (Kind::Supply, How::Wrong, WATCHFUL),
    ];
    let mut running = JoinSet::new();
    for (kind, how, steps) in cases {
        running.spawn(async move { (kind, how, failing(kind, how, steps).await) });
    }
    for (kind, how, (rig, outcome, took)) in running.join_all().await {
        let decided = outcome.trial.verdict().expect("it is over");
        println!("{kind} {how:?}: {} after {took:.1?}", verdict(&outcome));
        assert_eq!((decided.kind, decided.blame), (VerdictKind::Error, Some(Blame::Bench)), "{}", verdict(&outcome));
        assert!(took < BOUND, "{kind} {how:?}: {took:?}");
        // Of these one call that hangs is waited for, and no second one.
        assert!(
            took < Duration::from_secs(9) || !matches!(kind, Kind::Console | Kind::Light),
            "{kind} {how:?}: {took:?}"
        );
        everything_was_answered(&outcome);
        let words = match how {
            How::Gone => "it was unplugged",
            How::Wrong => "a picture of a cat",
            How::Hangs => "no answer within",
            How::Late(_) => "late",
        };
        assert!(decided.reason.contains(words), "{}", decided.reason);
        let device = if kind == Kind::Lines { "lines" } else { &kind.to_string() };
        assert!(decided.reason.contains(device) || decided.reason.contains("edges"), "{}", decided.reason);
        match kind {
            // Nobody can switch it off then; but the rest is safe, and it is told that this is not.
            Kind::Supply => {
                assert!(rig.model.asserted().is_empty() && rig.model.is_on());
                assert!(decided.reason.contains("switch off"), "{}", decided.reason);
                assert!(outcome.retired.is_some() && rig.journal().exists());
            }
            Kind::Lines => {
                assert!(!rig.model.is_on());
                assert!(decided.reason.contains("release all lines"), "{}", decided.reason);
                assert!(outcome.retired.is_some() && rig.journal().exists());
            }
            _ => {
                assert!(rig.model.is_safe() && !rig.journal().exists(), "{kind} {how:?}");
                assert_eq!(outcome.retired, None);
            }
        }
    }
}

/// The board is not judged by a light that hangs, though its time is over before anybody gave up on the sensor.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_hanging_instrument_did_not_show_is_not_the_boards_fault() {
    let light = "steps:
  - supply: { usb: 5V }
  - expect: { light: cloud_handshake, within: 800ms }
";
    let console = "steps:
  - supply: { usb: 5V }
  - wait: 600ms
  - expect: { console: never said, within: 300ms }
";
    for (kind, steps) in [(Kind::Light, light), (Kind::Console, console)] {
        let (rig, outcome, _) = failing(kind, How::Hangs, steps).await;
        let decided = outcome.trial.verdict().expect("it is over");
        assert_eq!((decided.kind, decided.blame), (VerdictKind::Error, Some(Blame::Bench)), "{}", verdict(&outcome));
        assert!(rig.model.is_safe());
    }
}

/// Instruments that are slow but work are no reason for an error.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn slow_instruments_are_waited_for() {
    let steps = "steps:
  - supply: { usb: 5V }
  - expect: { console: Cloud connected, within: 20s }
  - send: status
  - expect: { console: uptime, within: 10s }
  - supply: off
  - wait: 100ms
cleanup:
  - supply: off
";
    let mut running = JoinSet::new();
    for kind in [Kind::Console, Kind::Supply, Kind::Lines, Kind::Light, Kind::Probe] {
        running.spawn(async move { (kind, failing(kind, How::Late(Duration::from_millis(300)), steps).await) });
    }
    for (kind, (rig, outcome, _)) in running.join_all().await {
        assert_eq!(verdict(&outcome), "passed: ", "{kind}");
        assert!(rig.model.is_safe());
    }
}

/// The board does as it was told; that the button was let go too late is not its fault.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_press_that_may_have_meant_another_mode_is_the_bench_s_fault() {
    let press = |press: &str| format!("steps:\n  - supply: {{ usb: 5V }}\n  - wait: 900ms\n  - press: {{ {press} }}\n");
    let late = How::Late(Duration::from_millis(300));
    let mut running = JoinSet::new();
    for (asked, told) in [
        ("button: mode, for: 900ms, through: reset", Some("hold `mode` for 900ms: it was held for 1.")),
        ("button: mode, for: 2900ms", Some("hold `mode` for 2.9s: it was held for 3.")),
        ("button: mode, for: 1200ms, through: reset", None),
        ("button: mode, for: 900ms", None),
    ] {
        let rig = Rig::new();
        rig.model.fails(Kind::Lines, late, IN_THE_TRIAL);
        let plan = scenario("heal-full", &press(asked));
        running.spawn(async move { (asked, told, rig.run(plan).await) });
    }
    for (asked, told, outcome) in running.join_all().await {
        let decided = outcome.trial.verdict().expect("it is over");
        println!("{asked}: {}", verdict(&outcome));
        match told {
            None => assert_eq!(verdict(&outcome), "passed: ", "{asked}"),
            Some(told) => {
                assert_eq!((decided.kind, decided.blame), (VerdictKind::Error, Some(Blame::Bench)), "{asked}");
                assert!(decided.reason.contains(told), "{}", decided.reason);
            }
        }
    }
}

/// What takes long to be off is waited for, and nobody takes the supply that proves it for one that hangs.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn capacitors_that_take_seconds_are_no_reason_for_an_error() {
    let rig = Rig::new();
    rig.model.lingers(brickproof_units::Span::millis(3_500));
    let outcome = rig
        .run(scenario(
            "heal-full",
            "steps:
  - supply: { usb: 5V }
  - expect: { console: Cloud connected, within: 20s }
  - supply: off
  - wait: 100ms
",
        ))
        .await;
    assert_eq!(verdict(&outcome), "passed: ");
    assert!(rig.model.is_safe());
}

/// The supply hangs, and its thread is given up after 7 s; a line that is held is let go long before.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_supply_that_hangs_does_not_keep_the_lines_from_their_safe_state() {
    let rig = Rig::new();
    let station = rig.open().await;
    rig.model.fails(Kind::Supply, How::Hangs, IN_THE_TRIAL);
    let plan = scenario("heal-full", "steps:\n  - supply: { usb: 5V }\n  - press: { button: mode, for: 20s }\n");
    let trial = tokio::spawn(async move { crate::rig::run_on(&station, plan).await });
    let began = Instant::now();
    for is_held in [true, false] {
        while rig.model.asserted().is_empty() == is_held {
            assert!(!trial.is_finished() && began.elapsed() < Duration::from_secs(8));
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    }
    println!("let go after {:.1?}", began.elapsed());
    let outcome = trial.await.expect("it does not panic");
    println!("{} after {:.1?}", verdict(&outcome), began.elapsed());
    assert!(verdict(&outcome).contains("could not be left safe"), "{}", verdict(&outcome));
}

/// Off that is not off is told, and the station is of no use until somebody looks at its cables.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_board_that_is_fed_from_elsewhere_is_not_off() {
    let rig = Rig::new();
    let station = rig.open().await;
    rig.model.is_fed_from_elsewhere();
    let outcome = crate::rig::run_on(&station, scenario("heal-full", WATCHFUL)).await;
    let decided = outcome.trial.verdict().expect("it is over");
    assert_eq!((decided.kind, decided.blame), (VerdictKind::Error, Some(Blame::Bench)));
    println!("{}", verdict(&outcome));
    assert!(decided.reason.contains("at the output") && decided.reason.contains("cables"), "{}", decided.reason);
    assert!(outcome.retired.is_some() && rig.journal().exists() && !rig.model.is_on());
}
