//! Modes by their buttons, on the machine code that reads them: what is entered at every threshold, a millisecond to each side of it, and
//! where the rig aims.

use std::fmt::Write as _;

use brickproof_scenario::plan::Plan;
use brickproof_trial::{Happening, Trial, VerdictKind};

#[path = "common/shipped.rs"]
#[expect(dead_code, reason = "shared with tests that use the rest")]
mod shipped;

use shipped::{cells_of, simulation};

const BOARDS: [&str; 2] = ["lantern-nrf51", "lantern-nrf52840"];

fn run(board: &str, steps: &str) -> Trial {
    let text = format!("scenario: T\nboard: {board}\nfirmware: lantern-heal-full\nsteps:\n{steps}");
    let [plan] = <[Plan; 1]>::try_from(cells_of("t.yaml", &text)).expect("one cell");
    let mut simulation = simulation(plan, 1);
    simulation.run();
    simulation.into_trial()
}

/// What the firmware says that it is in, after a press.
fn entered(trial: &Trial) -> &'static str {
    let words = [("Safe mode", "safe"), ("DFU mode", "dfu"), ("Listening mode", "listening")];
    let said: Vec<String> = trial
        .timeline()
        .events
        .iter()
        .filter_map(|event| match &event.what {
            Happening::ConsoleLine { bytes, .. } => Some(String::from_utf8_lossy(bytes).into_owned()),
            _ => None,
        })
        .collect();
    let found = said.iter().rev().find_map(|line| words.iter().find(|(word, _)| line.ends_with(word)));
    found.map_or("-", |(_, mode)| mode)
}

#[test]
fn every_threshold_is_where_the_profile_says() {
    let mut table = String::new();
    for board in BOARDS {
        writeln!(table, "{board}, MODE held through reset").expect("a string takes it");
        for hold in
            [100, 999, 1_000, 1_001, 1_010, 1_020, 2_000, 2_999, 3_000, 3_001, 3_010, 4_500, 6_499, 6_500, 6_501, 8_000]
        {
            let steps = format!(
                "  - supply: {{ usb: 5V }}\n  - wait: 500ms\n  - press: {{ button: mode, for: {hold}ms, through: reset }}\n  - wait: 2s\n"
            );
            writeln!(table, "  {hold:5} ms  {}", entered(&run(board, &steps))).expect("a string takes it");
        }
        writeln!(table, "{board}, MODE held while it runs").expect("a string takes it");
        for hold in [500, 2_980, 2_999, 3_000, 3_001, 3_020, 4_000] {
            let steps = format!(
                "  - supply: {{ usb: 5V }}\n  - expect: {{ console: Cloud connected, within: 30s }}\n  - press: {{ button: mode, for: {hold}ms }}\n  - wait: 1s\n"
            );
            writeln!(table, "  {hold:5} ms  {}", entered(&run(board, &steps))).expect("a string takes it");
        }
    }
    insta::assert_snapshot!(table);
}

#[test]
fn a_mode_is_entered_and_confirmed_by_its_light() {
    for board in BOARDS {
        for mode in ["safe", "dfu", "listening"] {
            let steps = format!(
                "  - supply: {{ usb: 5V }}\n  - expect: {{ light: cloud_connected, within: 30s }}\n  - enter: {mode}\n"
            );
            let trial = run(board, &steps);
            let verdict = trial.verdict().expect("the trial is over");
            assert_eq!(verdict.kind, VerdictKind::Passed, "{board} {mode}: {}", verdict.reason);
            assert_eq!(entered(&trial), mode, "{board}");
        }
    }
}

/// What was seen before is not what confirms: a board that shows the wrong light fails.
#[test]
fn a_mode_that_is_not_entered_is_not_confirmed() {
    // It sits in DFU mode already, and listening is entered only by firmware that runs.
    let steps = "  - supply: { usb: 5V }\n  - enter: dfu\n  - enter: { mode: listening, within: 6s }\n";
    let trial = run(BOARDS[0], steps);
    assert_eq!(trial.verdict().map(|verdict| verdict.kind), Some(VerdictKind::Failed));
}
