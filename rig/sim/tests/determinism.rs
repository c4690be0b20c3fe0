//! One id, one timeline: byte for byte the same on every run, on every thread, and forked anywhere.

use std::sync::Arc;
use std::thread;

use brickproof_report::timeline::to_json_lines;
use brickproof_report::{Backstage, Secrets};
use brickproof_scenario::Setting;
use brickproof_scenario::plan::Plan;
use brickproof_sim::Simulation;
use brickproof_trial::{Happening, VerdictKind};
use brickproof_units::{Instant, Span};

#[path = "common/shipped.rs"]
mod shipped;

use shipped::{cell, cells, cells_of, simulation};

const BROWN_OUT: &str = "scenarios/battery-death/brown-out.yaml";
const LOAD_STEP: &str = "scenarios/battery-death/load-step.yaml";

/// Two boards, two ends, two kinds of fault.
fn subjects() -> [Plan; 3] {
    [
        cell(BROWN_OUT, "lantern-nrf51", "heal-full"),
        cell(BROWN_OUT, "lantern-nrf52840", "no-heal"),
        cell(LOAD_STEP, "lantern-nrf51", "heal-parse"),
    ]
}

fn ended(mut simulation: Simulation) -> String {
    simulation.run();
    record(&simulation)
}

/// Everything that is kept of a trial.
fn record(simulation: &Simulation) -> String {
    let timeline = simulation.trial().timeline();
    let console: String = timeline.raw_console().iter().map(|byte| format!("{byte:02x}")).collect();
    format!(
        "{}{console}\n{:?}\n",
        to_json_lines(timeline, &[], &Backstage::default(), &Secrets::default()),
        simulation.trial().verdict()
    )
}

/// Fails with the first line that differs, not with two megabytes.
fn assert_same(left: &str, right: &str, what: &str) {
    let differing = left.lines().zip(right.lines()).enumerate().find(|(_, (left, right))| left != right);
    if let Some((number, (left, right))) = differing {
        panic!("{what}: line {} differs\n{left}\n{right}", number + 1);
    }
    assert_eq!(left.len(), right.len(), "{what}: one goes on");
}

#[test]
fn two_runs_are_the_same_and_so_are_runs_on_threads() {
    for plan in subjects() {
        let here = ended(simulation(plan.clone(), 1));
        let there = thread::scope(|scope| {
            let runs = [0, 1].map(|_| scope.spawn(|| ended(simulation(plan.clone(), 1))));
            runs.map(|run| run.join().expect("the trial does not panic"))
        });
        there.iter().for_each(|run| assert_same(&here, run, &plan.firmware.0));
    }
}

#[test]
fn another_seed_is_another_trial() {
    let [plan, ..] = subjects();
    assert_ne!(ended(simulation(plan.clone(), 1)), ended(simulation(plan, 2)));
}

/// The instant at which the fault of a finished trial was asked to strike.
fn fault_at(simulation: &Simulation) -> Instant {
    simulation.trial().faults().first().expect("the trial has a fault").asked.at
}

#[test]
fn a_fork_anywhere_ends_like_the_trial_that_was_never_forked() {
    for plan in subjects() {
        let mut straight = simulation(plan.clone(), 1);
        straight.run();
        let (whole, struck) = (record(&straight), fault_at(&straight));
        let over = straight.trial().now();
        let before = [Span::nanos(1), Span::micros(50), Span::millis(5), Span::millis(60), Span::secs(1)];
        let after = [Span::ZERO, Span::micros(20), Span::millis(1), Span::millis(100), Span::millis(900)];
        let mut points: Vec<Instant> = before.iter().map(|span| struck - *span).collect();
        points.extend(after.iter().map(|span| struck + *span));
        points.push(Instant::START);
        points.push(over - Span::millis(1));
        points.sort();
        let mut trunk = simulation(plan.clone(), 1);
        for (position, point) in points.into_iter().enumerate() {
            assert!(trunk.run_until(|it| it.trial().now() >= point), "{point} is within the trial");
            // Sharing what happened so far must make no difference.
            if position % 2 == 0 {
                trunk.freeze();
            }
            assert_same(&whole, &ended(trunk.clone()), &format!("{}, forked at {point}", plan.firmware.0));
        }
        assert_same(&whole, &ended(trunk), &format!("{}, forked from", plan.firmware.0));
    }
}

#[test]
fn a_fork_between_the_trigger_and_the_fault_does_not_disturb_its_siblings() {
    let [plan, ..] = subjects();
    let mut trunk = simulation(plan, 1);
    let injected = |it: &Simulation| !it.trial().faults().is_empty();
    assert!(trunk.run_until(injected), "the fault is asked for");
    trunk.freeze();
    let before = record(&trunk);
    let forks: Vec<String> = (0..3).map(|_| ended(trunk.clone())).collect();
    assert!(forks.windows(2).all(|pair| pair[0] == pair[1]));
    assert_eq!(record(&trunk), before, "the trunk has not moved");
}

#[test]
fn a_fork_that_is_turned_before_its_trigger_ends_like_the_trial_that_was_always_so() {
    for plan in subjects() {
        let mut scout = simulation(plan.clone(), 1);
        scout.run();
        let triggered = scout.trial().faults()[0].triggered;
        let mut trunk = simulation(plan.clone(), 1);
        assert!(trunk.run_to(triggered - Span::micros(10)));
        trunk.freeze();
        let early = 1 + (7 << 32);
        for (after, seed) in
            [(Span::ZERO, 1), (Span::micros(333), early), (Span::millis(7), early), (Span::millis(90), 1)]
        {
            let turned = plan.turned(&[Setting::after(after)]).expect("its only fault can be turned");
            let fork = trunk.turned(Arc::new(turned.clone()), seed).expect("the fault is still to come");
            assert_same(&ended(simulation(turned, seed)), &ended(fork), &format!("{}, {after}", plan.firmware.0));
        }
    }
}

#[test]
fn the_upper_half_of_a_seed_decides_from_the_first_fault_on_and_not_before() {
    let [_, plan, _] = subjects();
    let mut straight = simulation(plan.clone(), 1);
    straight.run();
    let struck = fault_at(&straight);
    let past = |simulation: &Simulation| {
        let events = simulation.trial().timeline().events.iter().take_while(|event| event.at < struck);
        format!("{:?}", events.collect::<Vec<_>>())
    };
    let mut other = simulation(plan, 1 + (7 << 32));
    other.run();
    assert_same(&past(&straight), &past(&other), "before the fault");
    assert_ne!(record(&straight), record(&other));
}

#[test]
fn a_fork_is_not_turned_to_what_would_have_been_another_past() {
    let [plan, _, other] = subjects();
    let mut trunk = simulation(plan.clone(), 1);
    assert!(trunk.turned(Arc::new(other), 1).is_err(), "another firmware");
    assert!(trunk.turned(Arc::new(plan.clone()), 2).is_err(), "another beginning");
    assert!(trunk.run_until(|it| !it.trial().faults().is_empty()));
    let turned = plan.turned(&[Setting::after(Span::millis(1))]).expect("its only fault can be turned");
    assert!(trunk.turned(Arc::new(turned), 1).is_err(), "the fault is on its way");
}

#[test]
fn time_never_runs_backwards_on_a_timeline() {
    for plan in subjects() {
        let mut simulation = simulation(plan, 1);
        simulation.run();
        let instants: Vec<Instant> = simulation.trial().timeline().events.iter().map(|event| event.at).collect();
        let fallen = instants.windows(2).find(|pair| pair[0] > pair[1]);
        assert_eq!(fallen, None);
    }
}

const LONG: &str = "scenario: T\nboard: lantern-nrf51\nfirmware: lantern-no-heal\nsteps:\n  - supply: { usb: 5V }\n  \
                    - wait: 10min\ncleanup:\n  - supply: off\n";

#[test]
fn a_trial_that_is_told_to_stop_stops_soon_safe_and_undecided() {
    let [plan] = <[Plan; 1]>::try_from(cells_of("t.yaml", LONG)).expect("one cell");
    let mut simulation = simulation(plan, 1);
    let looks = std::cell::Cell::new(0);
    simulation.run_while(|| {
        looks.set(looks.get() + 1);
        looks.get() < 5
    });
    let verdict = simulation.trial().verdict().expect("it is over");
    assert_eq!((verdict.kind, verdict.reason.as_str()), (VerdictKind::Inconclusive, "interrupted"));
    assert!(simulation.trial().now() < Instant::START + Span::secs(10), "{}", simulation.trial().now());
    let asked = |it: &Happening| match it {
        Happening::Asked { command, .. } => Some(format!("{command:?}")),
        _ => None,
    };
    let commands: Vec<String> = simulation.trial().timeline().events.iter().filter_map(|it| asked(&it.what)).collect();
    assert_eq!(commands[commands.len() - 2..], ["Supply(Off)", "MakeSafe"]);
}

/// A worn cell under which the modem pulls the rail through its least voltage again and again.
const DYING: &str = "scenario: T\nboard: lantern-nrf51\nfirmware: lantern-no-heal\nsteps:\n  \
                     - supply: { battery: { cell: 300mAh, aged: true, charge: 6% } }\n  - wait: 3s\n";

#[test]
fn a_fork_of_a_board_on_a_dying_cell_ends_like_the_trial_that_was_never_forked() {
    let [plan] = <[Plan; 1]>::try_from(cells_of("t.yaml", DYING)).expect("one cell");
    let whole = ended(simulation(plan.clone(), 1));
    let passages = whole.matches("\"rail\"").count();
    assert!(passages > 5, "{passages} readings");
    let mut trunk = simulation(plan, 1);
    for point in [300_001, 1_000_003, 2_500_007].map(|micros| Instant::START + Span::micros(micros)) {
        assert!(trunk.run_until(|it| it.trial().now() >= point), "{point} is within the trial");
        assert_same(&whole, &ended(trunk.clone()), &format!("forked at {point}"));
    }
}

#[test]
fn a_trial_that_is_not_told_to_stop_is_the_one_that_nobody_could_stop() {
    let plans = subjects().into_iter().chain(cells_of("t.yaml", DYING));
    for plan in plans {
        let mut watched = simulation(plan.clone(), 1);
        let backstage = watched.run_while(|| true);
        assert_same(&ended(simulation(plan, 1)), &record(&watched), "looked at every second, and closely at its fault");
        // At one instant it may be looked at before and after a source was plugged in.
        assert!(backstage.rail.windows(2).all(|pair| pair[0].0 <= pair[1].0), "the course of the rail goes on in time");
        for fault in watched.trial().faults() {
            let shape = fault.achieved.expect("it struck");
            let struck = shape.began..=shape.began + shape.below_brown_out;
            let lowest = backstage.rail.iter().filter(|(at, _)| struck.contains(at)).map(|(_, rail)| rail.get()).min();
            let lowest = lowest.expect("it was looked at while it lasted");
            assert!((lowest - shape.lowest.get()).abs() <= 20_000, "{lowest} uV, and the fault says {}", shape.lowest);
        }
    }
}

/// The power fails once 40 % of another firmware is written, through the probe and through the bootloader.
fn torn_transfers() -> [Plan; 2] {
    ["scenarios/transitions/cut.yaml", "scenarios/transitions/cut-in-its-bootloader.yaml"].map(|path| {
        let is_that = |plan: &Plan| plan.parameters.iter().any(|(axis, value)| axis == "at" && value == "40%");
        cells(path).into_iter().find(is_that).expect("it has that cell")
    })
}

#[test]
fn a_fork_inside_a_transfer_ends_like_the_trial_that_was_never_forked() {
    for plan in torn_transfers() {
        let mut straight = simulation(plan.clone(), 1);
        straight.run();
        let (whole, struck) = (record(&straight), fault_at(&straight));
        let before = [Span::secs(1), Span::millis(300), Span::millis(31), Span::micros(77), Span::nanos(1)];
        let mut points: Vec<Instant> = before.iter().map(|span| struck - *span).collect();
        let after = [Span::micros(20), Span::millis(30), Span::millis(60), Span::millis(900)];
        points.extend(after.map(|span| struck + span));
        let mut trunk = simulation(plan, 1);
        for point in points {
            assert!(trunk.run_until(|it| it.trial().now() >= point), "{point} is within the trial");
            trunk.freeze();
            assert_same(&whole, &ended(trunk.clone()), &format!("forked at {point}"));
        }
        assert_same(&whole, &ended(trunk), "forked from");
    }
}

#[test]
fn a_fork_before_a_transfer_that_is_struck_elsewhere_ends_like_the_trial_that_was_always_so() {
    for plan in torn_transfers() {
        let step = plan.only_fault().expect("it has one");
        let mut trunk = simulation(plan.clone(), 1);
        assert!(trunk.run_until(|it| it.trial().current_step() == Some(step - 1)));
        let at = |text: &str| Setting::parse("fault.at", text).expect("a share");
        for share in ["0%", "12.5%", "70%", "100%"] {
            let turned = plan.turned(&[at(share)]).expect("its fault hangs on a transfer");
            let mut fork = trunk.turned(Arc::new(turned.clone()), 1).expect("the transfer is still to come");
            fork.run();
            assert_same(&ended(simulation(turned, 1)), &record(&fork), share);
            let (asked, progress) = fork.trial().faults()[0].progress.expect("it hung on a transfer");
            let place = brickproof_trial::Progress::place(asked, progress.total);
            assert!((place..place + 4).contains(&progress.done), "{share}: {progress:?}, not {place}");
        }
        assert!(trunk.run_until(|it| it.trial().current_step() == Some(step)));
        assert!(trunk.turned(Arc::new(plan.turned(&[at("70%")]).unwrap()), 1).is_err(), "it has begun");
    }
}
