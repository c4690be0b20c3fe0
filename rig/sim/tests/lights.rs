//! The light that lantern's machine code drives, through PWM, room and sensor, named by the vocabulary of its profile.
//!
//! `BRICKPROOF_LIGHT_ROUNDS=500 cargo test --release -p brickproof-sim --test lights` shows each status a thousand times.

use brickproof_scenario::plan::Plan;
use brickproof_trial::{Happening, Trial, VerdictKind};

#[path = "common/shipped.rs"]
#[expect(dead_code, reason = "shared with tests that use the rest")]
mod shipped;

use shipped::{cells_of, simulation};

/// What lantern shows when it is told to (fixtures/firmware/PROTOCOL.md, section 6), and two periods of it and a second, in ms.
const SHOWN: [(&str, u64); 13] = [
    ("network_off", 9_000),
    ("network_on", 9_000),
    ("network_connecting", 1_400),
    ("network_dhcp", 1_200),
    ("network_connected", 9_000),
    ("cloud_connecting", 1_400),
    ("cloud_handshake", 1_200),
    ("cloud_connected", 9_000),
    ("safe_mode", 9_000),
    ("listening_mode", 2_000),
    ("dfu_mode", 1_400),
    ("firmware_update", 1_200),
    ("key_generation", 1_400),
];

/// Times that each status is shown on each board.
fn rounds() -> u64 {
    std::env::var("BRICKPROOF_LIGHT_ROUNDS").ok().and_then(|rounds| rounds.parse().ok()).unwrap_or(5)
}

fn run(board: &str, status: &str, within: u64, seed: u64) -> Trial {
    let text = format!(
        "scenario: T\nboard: {board}\nfirmware: lantern-heal-full\nsteps:\n  - supply: {{ usb: 5V }}\n  \
         - expect: {{ console: Cloud connected, within: 30s }}\n  - send: led off\n  - expect: {{ light: off, within: 5s }}\n  \
         - send: led {status}\n  - expect: {{ light: {status}, within: {within}ms }}\n"
    );
    let [plan] = <[Plan; 1]>::try_from(cells_of("t.yaml", &text)).expect("one cell");
    let mut simulation = simulation(plan, seed);
    simulation.run();
    simulation.into_trial()
}

#[test]
fn every_status_that_lantern_shows_is_named_in_time_and_as_nothing_else() {
    for board in ["lantern-nrf51", "lantern-nrf52840", "lantern-stm32f205"] {
        for (status, within) in SHOWN {
            for seed in 1..=rounds() {
                let trial = run(board, status, within, seed);
                let verdict = trial.verdict().expect("the trial is over");
                assert_eq!(verdict.kind, VerdictKind::Passed, "{board} {status} {seed}: {}", verdict.reason);
                let events = trial.timeline().events.iter();
                let told =
                    events.skip_while(|event| !is_sent(&event.what, status)).filter_map(|event| match &event.what {
                        Happening::Light { sight, .. } => Some(*sight),
                        _ => None,
                    });
                let named = |sight: &_| {
                    let vocabulary = &trial.plan().board.light;
                    vocabulary.iter().find(|it| it.look.pattern().matches(sight)).map(|it| it.name.clone())
                };
                let names: Vec<String> = told.filter_map(|sight| named(&sight)).collect();
                assert!(names.iter().all(|name| name == status), "{board} {status} {seed}: {names:?}");
            }
        }
    }
}

fn is_sent(what: &Happening, status: &str) -> bool {
    let Happening::Asked { command: brickproof_trial::Command::Send(line), .. } = what else { return false };
    **line == format!("led {status}")
}
