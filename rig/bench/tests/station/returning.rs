//! A board that a trial brought into its bootloader or its listening mode is itself again in the next one, however the first one ended.
//!
//! Boundary: the same station and the same board twice, with nothing between them but the safe state.

use std::sync::Arc;
use std::time::Duration;

use brickproof_bench::OpenStation;
use brickproof_bench::driver::{Stop, run};
use brickproof_virtual_board::board::BoardState;
use tokio::sync::watch;
use tokio::task::JoinSet;

use crate::rig::{Rig, job, run_on, scenario, verdict};

/// How the first trial ends, once the board is in the mode or while its button is down.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum End {
    Passed,
    Failed,
    Stopped(When),
    /// The process is gone: nothing makes the station safe but its next start.
    Killed(When),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum When {
    Holding,
    InTheMode,
}

const ENDS: [End; 6] = [
    End::Passed,
    End::Failed,
    End::Stopped(When::Holding),
    End::Stopped(When::InTheMode),
    End::Killed(When::Holding),
    End::Killed(When::InTheMode),
];

fn steps(mode: &str, end: End) -> String {
    let last = match end {
        End::Passed => "",
        End::Failed => "  - expect: { console: nonsense, within: 200ms }\n",
        End::Stopped(_) | End::Killed(_) => "  - never: { console: nonsense, for: 60s }\n",
    };
    format!(
        "steps:
  - supply: {{ usb: 5V }}
  - expect: {{ console: Cloud connected, within: 20s }}
  - enter: {mode}
{last}"
    )
}

async fn until(reached: impl Fn() -> bool) {
    while !reached() {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
}

/// Until the button has been down for a while, alone; or was let go, and the board shows the mode.
async fn reached(rig: &Rig, when: When) {
    let is_down = || rig.model.asserted() == ["mode"];
    until(is_down).await;
    // A board that is reset meanwhile is let go after a tenth of that.
    tokio::time::sleep(Duration::from_millis(500)).await;
    until(is_down).await;
    if when == When::InTheMode {
        until(|| rig.model.asserted().is_empty()).await;
        tokio::time::sleep(Duration::from_millis(500)).await;
    }
}

async fn first_trial(rig: &Rig, station: Arc<OpenStation>, mode: &str, end: End) {
    let plan = scenario("heal-full", &steps(mode, end));
    let begins = match end {
        End::Passed => "passed: ",
        End::Failed => "failed, blame: firmware: ",
        End::Stopped(_) => "inconclusive, blame: bench: interrupted",
        End::Killed(_) => "",
    };
    let outcome = match end {
        End::Passed | End::Failed => run_on(&station, plan).await,
        End::Stopped(when) | End::Killed(when) => {
            let (order, stops) = watch::channel(Stop::No);
            let trial = tokio::spawn(async move { run(&station, &job(plan), stops, &mut ()).await });
            reached(rig, when).await;
            if let End::Killed(_) = end {
                trial.abort();
                assert!(trial.await.is_err_and(|gone| gone.is_cancelled()), "{mode} {end:?}: it was over before");
                return;
            }
            order.send(Stop::Now).expect("it still listens");
            trial.await.expect("it does not panic").expect("the journal can be written")
        }
    };
    assert!(verdict(&outcome).starts_with(begins), "{mode} {end:?}: {}", verdict(&outcome));
}

async fn comes_back(mode: &str, end: End) {
    let rig = Rig::new();
    let station = rig.open().await;
    first_trial(&rig, Arc::clone(&station), mode, end).await;
    let station = match end {
        End::Killed(when) => {
            let held: &[&str] = if when == When::Holding { &["mode"] } else { &[] };
            assert!(rig.model.is_on() && rig.model.asserted() == held, "{mode} {end:?}: it is as it was left");
            // What was under way has ended with the process.
            until(|| Arc::strong_count(&station) == 1).await;
            drop(station);
            let (station, restored) = OpenStation::open("model", &rig.file, &rig.state).await.expect("it opens");
            assert!(restored.is_some(), "{mode} {end:?}: it was not left safe");
            station
        }
        _ => station,
    };
    // Not only its supply: the board itself, whatever its capacitors hold.
    assert!(rig.model.is_safe(), "{mode} {end:?}");
    let (state, supply) = (rig.model.hand().state(), rig.model.hand().read_supply());
    assert_eq!(state, BoardState::Off, "{mode} {end:?}: {supply:?}");
    let next = scenario(
        "heal-full",
        "steps:
  - supply: { usb: 5V }
  - expect: { console: '/lantern \\S+ heal-full/', within: 5s }
  - expect: { light: cloud_connected, within: 20s }
",
    );
    let outcome = run_on(&station, next).await;
    assert_eq!(verdict(&outcome), "passed: ", "{mode} {end:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_board_is_itself_again_in_the_next_trial_however_the_one_in_its_mode_ended() {
    let mut running = JoinSet::new();
    for mode in ["dfu", "listening"] {
        for end in ENDS {
            running.spawn(comes_back(mode, end));
        }
    }
    while let Some(ended) = running.join_next().await {
        ended.unwrap();
    }
}
