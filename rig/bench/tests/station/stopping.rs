//! Somebody wants it to stop, whatever is going on: the station is safe, nothing is decided, and nothing is switched on afterwards.

use std::sync::Arc;
use std::time::{Duration, Instant};

use brickproof_bench::driver::{Outcome, Stop, run};
use brickproof_instruments::Kind;
use brickproof_trial::{Blame, VerdictKind};
use tokio::sync::watch;
use tokio::task::JoinSet;

use crate::model::{Deaf, How, When};
use crate::passing::everything_was_answered;
use crate::rig::{Rig, job, scenario, verdict};

/// Whatever hangs nowhere ends in far less.
const BOUND: Duration = Duration::from_secs(8);

/// Runs, stops when `reached` holds, and waits until it is over.
async fn stopped(rig: &Rig, steps: &str, stop: Stop, reached: impl Fn(&Rig) -> bool) -> (Outcome, Duration) {
    let station = rig.open().await;
    let (order, stops) = watch::channel(Stop::No);
    let trial = tokio::spawn({
        let (station, job) = (Arc::clone(&station), job(scenario("heal-full", steps)));
        async move { run(&station, &job, stops, &mut ()).await.expect("the journal can be written") }
    });
    while !reached(rig) {
        assert!(!trial.is_finished(), "it ended before it was stopped");
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    let began = Instant::now();
    order.send(stop).expect("it still listens");
    let outcome = trial.await.expect("it does not panic");
    (outcome, began.elapsed())
}

async fn is_left_alone(rig: &Rig, outcome: &Outcome, what: &str) {
    let decided = outcome.trial.verdict().expect("it is over");
    assert_eq!(
        (decided.kind, decided.blame),
        (VerdictKind::Inconclusive, Some(Blame::Bench)),
        "{what}: {}",
        verdict(outcome)
    );
    assert_eq!(outcome.retired, None, "{what}");
    let fed = rig.model.times_fed();
    assert!(rig.model.is_safe() && !rig.journal().exists(), "{what}");
    // Longer than anything that was going on.
    tokio::time::sleep(Duration::from_millis(1_500)).await;
    assert!(rig.model.is_safe(), "{what}");
    assert_eq!(rig.model.times_fed(), fed, "{what}");
    everything_was_answered(outcome);
}

const WAITING: &str = "steps:
  - supply: { usb: 5V }
  - never: { console: nonsense, for: 30s }
cleanup:
  - supply: off
";

/// Whatever was not ended would go on while the cleanup waits.
const LINGERING: &str = "steps:
  - supply: { usb: 5V }
  - never: { console: nonsense, for: 30s }
cleanup:
  - wait: 3s
  - supply: off
";

/// The cleanup waits, and the cut would be over meanwhile.
const CUTTING: &str = "steps:
  - supply: { usb: 5V }
  - wait: 300ms
  - fault: { power_cut: { hold: 3s } }
cleanup:
  - wait: 4s
  - supply: off
";

const HOLDING: &str = "steps:
  - supply: { usb: 5V }
  - press: { button: mode, for: 2s }
cleanup:
  - supply: off
";

type Reached = fn(&Rig) -> bool;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn it_stops_wherever_it_is() {
    let provisioning: Reached = |rig| rig.model.times_fed() == 1;
    let waiting: Reached = |rig| rig.model.times_fed() == 2 && rig.model.is_on();
    let cutting: Reached = |rig| rig.model.times_fed() == 2 && !rig.model.is_on();
    let holding: Reached = |rig| rig.model.times_fed() == 2 && !rig.model.asserted().is_empty();
    let phases = [
        ("at once", WAITING, (|_| true) as Reached, 0),
        ("provisioning", WAITING, provisioning, 1),
        ("waiting", WAITING, waiting, 2),
        ("cutting", CUTTING, cutting, 2),
        ("holding", HOLDING, holding, 2),
    ];
    let mut running = JoinSet::new();
    for (phase, steps, reached, fed) in phases {
        for stop in [Stop::Soon, Stop::Now] {
            running.spawn(async move {
                let rig = Rig::new();
                let (outcome, took) = stopped(&rig, steps, stop, reached).await;
                let what = format!("{phase} {stop:?}");
                println!("{what}: {} after {took:.1?}", verdict(&outcome));
                // Not even while it was cleaned up.
                assert_eq!(rig.model.times_fed(), fed, "{what}");
                is_left_alone(&rig, &outcome, &what).await;
                assert!(took < BOUND, "{what}: {took:?}");
                // A cleanup that waits is waited for, unless it has to be over now.
                assert_eq!(took > Duration::from_millis(3_900), phase == "cutting" && stop == Stop::Soon, "{what}");
            });
        }
    }
    running.join_all().await;
}

/// On every rung of the ladder, by which the board would be fed and reset again.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_ladder_ends_with_the_trial() {
    let reset: Reached = |rig| !rig.model.asserted().is_empty();
    let power_cycle: Reached = |rig| rig.model.times_fed() == 1 && !rig.model.is_on();
    for (what, reached) in [("reset", reset), ("power cycle", power_cycle)] {
        let rig = Rig::new();
        rig.model.probe_is_deaf(Deaf::ForGood);
        let (outcome, took) = stopped(&rig, LINGERING, Stop::Soon, reached).await;
        println!("{what}: {} after {took:.1?}", verdict(&outcome));
        // Not even while the cleanup waits.
        assert_eq!(rig.model.times_fed(), 1, "{what}");
        is_left_alone(&rig, &outcome, what).await;
    }
}

/// A stop is not kept waiting by an instrument that hangs beside the ones that make the station safe.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_console_or_light_that_hangs_does_not_keep_the_station_from_its_safe_state() {
    for kind in [Kind::Console, Kind::Light] {
        let rig = Rig::new();
        rig.model.fails(kind, How::Hangs, When::Fed(2, Duration::from_millis(300)));
        let reached = |rig: &Rig| {
            let fed = rig.model.fed_at(2);
            fed.is_some_and(|at| brickproof_instruments::now().since(at) > brickproof_units::Span::millis(400))
        };
        let (outcome, took) = stopped(&rig, WAITING, Stop::Now, reached).await;
        println!("{kind}: {} after {took:.1?}", verdict(&outcome));
        assert!(rig.model.is_safe() && took < Duration::from_secs(4), "{kind}: {took:?}");
    }
}
