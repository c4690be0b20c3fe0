//! Modes by every way into them, on the machine code that reads them: what is entered at every threshold of the board's profile, a millisecond and a
//! step of the debouncing to each side of it, and where the rig aims; and at every rate and request, and those beside them.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::sync::Arc;

use brickproof_boards::{Held, Hold, Modes, Shelf};
use brickproof_firmware::Firmware;
use brickproof_scenario::plan::{Plan, StepAction, UsbPresence};
use brickproof_sim::Simulation;
use brickproof_trial::{Blame, Happening, Trial, VerdictKind};
use brickproof_units::{Baud, Span};

#[path = "common/shipped.rs"]
#[expect(dead_code, reason = "shared with tests that use the rest")]
mod shipped;

use shipped::{cells_of, simulation};

const BOARDS: [&str; 3] = ["lantern-nrf51", "lantern-nrf52840", "lantern-stm32f205"];
const WITH_USB: [&str; 2] = ["lantern-nrf52840", "lantern-stm32f205"];

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

/// What the firmware of a board is in after MODE was held for so long.
fn after(board: &str, held: Held, hold: Span) -> &'static str {
    let steps = match held {
        Held::ThroughReset => format!(
            "  - supply: {{ usb: 5V }}\n  - wait: 500ms\n  - press: {{ button: mode, for: {hold}, through: reset }}\n  - wait: 2s\n"
        ),
        Held::WhileRunning => format!(
            "  - supply: {{ usb: 5V }}\n  - expect: {{ console: Cloud connected, within: 30s }}\n  - press: {{ button: mode, for: {hold} }}\n  - wait: 1s\n"
        ),
    };
    entered(&run(board, &steps))
}

fn modes_of(board: &str) -> Modes {
    let profile = Shelf::shipped().board(board).cloned().expect("a profile that ships");
    profile.modes.clone().expect("it has modes")
}

/// The modes with a press of that kind, and the presses.
fn holds(modes: &Modes, held: Held) -> Vec<(&'static str, Hold)> {
    let holds = modes.modes.iter().filter_map(|mode| Some((mode.target.name(), mode.hold?)));
    holds.filter(|(_, hold)| hold.held == held).collect()
}

const WAYS: [(Held, &str); 2] =
    [(Held::ThroughReset, "MODE held through reset"), (Held::WhileRunning, "MODE held while it runs")];

/// A press is counted in steps of the debouncing, so a step from the threshold it has to be decided. What comes after the last mode is not
/// the profile's to say: the rig only stays away from it.
#[test]
fn a_step_inside_its_threshold_a_press_means_its_mode_and_a_step_outside_another() {
    for board in BOARDS {
        let modes = modes_of(board);
        let step = modes.debounce;
        let mut judged = 0;
        for (held, way) in WAYS {
            let holds = holds(&modes, held);
            for (mode, hold) in &holds {
                for inside in [hold.from + step, hold.aim, hold.to - step] {
                    assert_eq!(after(board, held, inside), *mode, "{board}, {way} for {inside}");
                }
                let sooner = hold.from - step;
                assert_ne!(after(board, held, sooner), *mode, "{board}, {way} for {sooner}");
                if let Some((next, _)) = holds.iter().find(|(_, next)| next.from == hold.to) {
                    let later = hold.to + step;
                    assert_eq!(after(board, held, later), *next, "{board}, {way} for {later}");
                }
                judged += 1;
            }
        }
        assert_eq!(judged, modes.modes.len(), "{board} has a mode without a press");
    }
}

#[test]
fn what_is_entered_at_every_threshold_and_beside_it() {
    let mut table = String::new();
    for board in BOARDS {
        let modes = modes_of(board);
        for (held, way) in WAYS {
            writeln!(table, "{board}, {way}").expect("a string takes it");
            let beside = |at: Span| [at - Span::millis(1), at, at + Span::millis(1)];
            let of = |(_, hold): (&str, Hold)| beside(hold.from).into_iter().chain(beside(hold.to)).chain([hold.aim]);
            let presses: BTreeSet<Span> = holds(&modes, held).into_iter().flat_map(of).collect();
            for hold in presses {
                let (text, mode) = (hold.to_string(), after(board, held, hold));
                writeln!(table, "  {text:>6}  {mode}").expect("a string takes it");
            }
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

/// What the board is on USB at the end.
fn on_usb(trial: &Trial) -> &'static str {
    let seen = trial.timeline().events.iter().filter_map(|event| match event.what {
        Happening::Usb(usb) => Some(usb),
        _ => None,
    });
    // That the source is taken away at the end is no news.
    let seen: Vec<_> = seen.collect();
    let last = seen.iter().rev().find(|usb| **usb != UsbPresence::Gone);
    last.map_or("gone", |usb| usb.name())
}

/// A board is asked for a mode in this way, once what is asked was changed; nobody waits for the mode.
fn asked(board: &str, mode: &str, by: &str, change: impl Fn(&mut brickproof_scenario::plan::Entry)) -> Trial {
    let text = format!(
        "scenario: T\nboard: {board}\nfirmware: lantern-heal-full\nsteps:\n  - supply: {{ usb: 5V }}\n  - expect: {{ console: \
         Cloud connected, within: 30s }}\n  - enter: {{ mode: {mode}, by: {by} }}\n  - wait: 2s\n"
    );
    let [mut plan] = <[Plan; 1]>::try_from(cells_of("t.yaml", &text)).expect("one cell");
    for step in &mut plan.steps {
        match &mut step.action {
            StepAction::Enter(entry) => change(entry),
            StepAction::Expect(expectation) if step.index == 4 => {
                step.action = StepAction::Wait(expectation.within.min(Span::millis(1)));
            }
            _ => {}
        }
    }
    let mut simulation = simulation(plan, 1);
    simulation.run();
    simulation.into_trial()
}

#[test]
fn what_every_rate_and_request_comes_to_and_those_beside_them() {
    let mut table = String::new();
    for board in WITH_USB {
        writeln!(table, "{board}").expect("a string takes it");
        let mut row = |what: String, trial: &Trial| {
            let verdict = trial.verdict().expect("the trial is over");
            let entered = if verdict.reason.contains("refused") { "refused" } else { entered(trial) };
            writeln!(table, "  {what:>12}  {entered:<9}  {} on USB", on_usb(trial)).expect("a string takes it");
        };
        for mode in modes_of(board).modes {
            let name = mode.target.name();
            if let Some(baud) = mode.baud {
                for rate in [baud.get() - 1, baud.get(), baud.get() + 1].map(Baud::new) {
                    row(rate.to_string(), &asked(board, name, "baud", |entry| entry.baud = Some(rate)));
                }
            }
            if let Some(request) = mode.request {
                for number in [request - 1, request, request + 1] {
                    let trial = asked(board, name, "request", |entry| entry.request = Some(number));
                    row(format!("request {number}"), &trial);
                }
            }
        }
    }
    insta::assert_snapshot!(table);
}

#[test]
fn a_mode_is_entered_over_usb_and_confirmed_by_light_and_id() {
    WITH_USB.into_iter().for_each(enters_modes_over_usb);
}

fn enters_modes_over_usb(board: &str) {
    for (mode, by) in
        [("dfu", "baud"), ("dfu", "request"), ("listening", "baud"), ("listening", "request"), ("safe", "request")]
    {
        let steps = format!(
            "  - supply: {{ usb: 5V }}\n  - expect: {{ usb: normal, within: 5s }}\n  - enter: {{ mode: {mode}, by: {by} }}\n"
        );
        let trial = run(board, &steps);
        let verdict = trial.verdict().expect("the trial is over");
        assert_eq!(verdict.kind, VerdictKind::Passed, "{board} {mode} by {by}: {}", verdict.reason);
        assert_eq!(entered(&trial), mode, "{board} {by}");
    }
    // The board is away while it starts over.
    let steps = "  - supply: { usb: 5V }\n  - enter: { mode: dfu, by: baud }\n  - reset: { hold: 100ms }\n  - expect: { usb: gone, within: 1s }\n  \
                 - expect: { usb: normal, within: 5s, holds: 2s }\n";
    let trial = run(board, steps);
    assert_eq!(trial.verdict().map(|it| it.reason.as_str()), Some(""), "{board}");
}

#[test]
fn a_board_that_does_not_serve_its_usb_fails_as_that_and_is_told_of_the_buttons() {
    WITH_USB.into_iter().for_each(fails_if_it_does_not_serve_its_usb);
}

fn fails_if_it_does_not_serve_its_usb(board: &str) {
    let flash = Shelf::shipped().board(board).expect("it is shipped").flash.at.0;
    let healthy = Firmware::shipped_for(flash, "lantern-heal-full").expect("it is shipped");
    let verdict = |firmware: &Firmware, steps: &str| {
        let text = format!("scenario: T\nboard: {board}\nfirmware: lantern-heal-full\nsteps:\n{steps}");
        let [plan] = <[Plan; 1]>::try_from(cells_of("t.yaml", &text)).expect("one cell");
        let mut simulation = Simulation::new(Arc::new(plan), firmware, 1);
        simulation.run();
        simulation.into_trial().verdict().expect("the trial is over").clone()
    };
    let enter = "  - enter: { mode: dfu, by: request, within: 3s }\n";
    // It has not so much as a vector table.
    let nothing = Firmware::from_file("nothing.bin", &[0; 4096]).expect("it is an image");
    let dead = verdict(&nothing, &format!("  - supply: {{ usb: 5V }}\n{enter}"));
    assert_eq!((dead.kind, dead.blame), (VerdictKind::Failed, Some(Blame::Firmware)));
    assert!(dead.reason.contains("did not come to USB") && dead.reason.contains("`by: buttons`"), "{}", dead.reason);
    // While it signals SOS its main loop is gone, and a request is taken and not granted.
    let sos = format!(
        "  - supply: {{ usb: 5V }}\n  - expect: {{ console: Cloud connected, within: 30s }}\n  - send: panic 5\n  - wait: 1s\n{enter}"
    );
    let sos = verdict(&healthy, &sos);
    assert_eq!((sos.kind, sos.blame), (VerdictKind::Failed, Some(Blame::Firmware)), "{}", sos.reason);
    assert!(sos.reason.contains("did not come to mode dfu"), "{}", sos.reason);
    // Who feeds it from something else has not plugged it in.
    let alone = verdict(
        &healthy,
        &format!("  - supply: {{ bench: {{ voltage: 5V, current_limit: 500mA }} }}\n  - wait: 2s\n{enter}"),
    );
    assert_eq!((alone.kind, alone.blame), (VerdictKind::Error, Some(Blame::Scenario)), "{}", alone.reason);
}
