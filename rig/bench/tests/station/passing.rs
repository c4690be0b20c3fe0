//! Trials as they should go, on a board that the model lets live in real time.

use brickproof_bench::driver::{Onlooker, Stop, View, run};
use brickproof_scenario::plan::Plan;
use brickproof_trial::{Achieved, Happening};
use brickproof_units::{Span, Voltage};
use tokio::sync::watch;
use tokio::task::JoinSet;

use crate::rig::{Rig, job, run_on, scenario, shipped, verdict};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_healthy_board_passes_first_light_and_is_left_safe() {
    let rig = Rig::new();
    let outcome = rig.run(shipped("scenarios/first-light.yaml", "heal-full")).await;
    assert_eq!(verdict(&outcome), "passed: ", "{:?}", outcome.trial.verdict());
    assert!(rig.model.is_safe() && !rig.journal().exists());
    assert_eq!(outcome.retired, None);
    everything_was_answered(&outcome);
}

/// Keeps what it was shown.
#[derive(Default)]
struct Shown {
    steps: Vec<usize>,
    highest: Voltage,
    events: usize,
}

impl Onlooker for Shown {
    fn look(&mut self, View { trial, rail }: View<'_>) {
        let step = trial.current_step();
        self.steps.extend(step.filter(|step| self.steps.last() != Some(step)));
        self.highest = self.highest.max(rail.unwrap_or_default());
        self.events = trial.timeline().events.len();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whoever_looks_on_is_shown_every_step_and_the_rail_of_which_the_trial_is_told_its_passages_only() {
    let rig = Rig::new();
    let plan = scenario(
        "heal-full",
        "steps:\n  - supply: { usb: 5V }\n  - expect: { console: Cloud connected, within: 20s }\n  - wait: 300ms\ncleanup:\n  - supply: off\n",
    );
    let station = rig.open().await;
    let (_keep, stop) = watch::channel(Stop::No);
    let mut shown = Shown::default();
    let outcome = run(&station, &job(plan), stop, &mut shown).await.expect("the journal can be written");
    assert_eq!(verdict(&outcome), "passed: ");
    assert_eq!(shown.steps, [1, 2, 3]);
    let events = &outcome.trial.timeline().events;
    assert_eq!(shown.events, events.len(), "to its end");
    let told = events.iter().filter(|it| matches!(it.what, Happening::Rail { .. })).count();
    assert!(told < 10, "the timeline is as it would be without anybody: {told}");
    assert!(shown.highest > Voltage::new(3_000_000), "{}", shown.highest);
}

/// Of a cut while the key page is erased, which takes 22 ms.
fn cut_in_the_erase(release: &str, expected: &str) -> Plan {
    scenario(
        release,
        &format!(
            "steps:
  - supply: {{ usb: 5V }}
  - expect: {{ console: Cloud connected, within: 20s }}
  - send: keys rotate
  - on: {{ console: erasing key page, within: 5s }}
    fault: {{ power_cut: {{ after: 8ms, hold: 500ms }} }}
  - expect: {{ console: Cloud connected, within: 8s }}
  - expect: {{ identity: [unchanged, rotated] }}
cleanup:
  - supply: off
outcome: {expected}
"
        ),
    )
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_cut_while_the_key_is_rewritten_bricks_the_release_that_does_not_heal_and_no_other() {
    for (release, expected, begins) in
        [("no-heal", "bricked", "passed: bricked, as expected"), ("heal-full", "passed", "passed: ")]
    {
        let rig = Rig::new();
        let outcome = rig.run(cut_in_the_erase(release, expected)).await;
        assert!(verdict(&outcome).starts_with(begins), "{release}: {}", verdict(&outcome));
        let [fault] = outcome.trial.faults() else { panic!("one fault: {:?}", outcome.trial.faults()) };
        let achieved = fault.achieved.expect("it was achieved");
        let late = achieved.began.since(fault.asked.at);
        println!(
            "{release}: asked {}, {late} late, ±{}, below for {}",
            fault.asked.at, achieved.uncertainty, achieved.below_brown_out
        );
        assert!(achieved.began + Span::micros(1) >= fault.asked.at && late < Span::millis(100), "{achieved:?}");
        assert!(achieved.below_brown_out > Span::millis(100), "{achieved:?}");
        assert!(rig.model.is_safe());
        everything_was_answered(&outcome);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_battery_death_for_real_boards_runs_as_it_is_shipped() {
    let rig = Rig::new();
    let outcome = rig.run(shipped("scenarios/battery-death/protection.yaml", "heal-full")).await;
    assert_eq!(verdict(&outcome), "passed: ");
    assert!(rig.model.is_safe());
    everything_was_answered(&outcome);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_rig_is_a_cloud_that_falls_silent_and_speaks_again() {
    let plan = scenario(
        "heal-full",
        "cloud: silent
steps:
  - supply: { usb: 5V }
  - expect: { console: Starting handshake, within: 10s }
  - never: { console: Cloud connected, for: 2s }
  - cloud: genuine
  - reset: pin
  - expect: { console: Cloud connected, within: 20s }
  - expect: { identity: unchanged }
",
    );
    let rig = Rig::new();
    let outcome = rig.run(plan).await;
    assert_eq!(verdict(&outcome), "passed: ");
    everything_was_answered(&outcome);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn slots_are_read_and_damaged_through_the_probe_and_healed_by_the_board() {
    let plan = scenario(
        "heal-parse",
        "steps:
  - supply: { usb: 5V }
  - expect: { console: Cloud connected, within: 20s }
  - expect: { slot: device_private, is: old }
  - supply: off
  - corrupt: { slot: server_public, class: zeroed }
  - supply: { usb: 5V }
  - expect: { console: Cloud connected, within: 20s }
  - expect: { slot: server_public, is: old, within: 5s }
  - corrupt: { slot: server_public, class: torn_tail }
  - expect: { console: Server settings are invalid, within: 5s }
  - expect: { console: Cloud connected, within: 20s }
",
    );
    let rig = Rig::new();
    let outcome = rig.run(plan).await;
    assert_eq!(verdict(&outcome), "passed: ", "{:?}", outcome.trial.verdict());
    everything_was_answered(&outcome);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_edge_of_a_watched_line_goes_the_way_the_board_drove_it() {
    let plan = scenario(
        "heal-full",
        "steps:
  - supply: { usb: 5V }
  - on: { line: radio, edge: rising, within: 10s }
    fault: { power_cut: { hold: 150ms } }
  - expect: { console: Cloud connected, within: 20s }
",
    );
    let rig = Rig::new();
    let outcome = rig.run(plan).await;
    assert_eq!(verdict(&outcome), "passed: ");
    let edges = outcome.trial.timeline().events.iter().filter_map(|event| match &event.what {
        Happening::Edge { edge, .. } => Some(format!("{edge:?}")),
        _ => None,
    });
    // A line that rose fell before it rose again.
    let edges: Vec<String> = edges.collect();
    assert!(edges.iter().enumerate().all(|(at, edge)| (at % 2 == 0) == (edge == "Rising")), "{edges:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_written_stays_written_and_is_not_written_again() {
    let plan = || {
        scenario("heal-full", "steps:\n  - supply: { usb: 5V }\n  - expect: { console: device=good, within: 10s }\n")
    };
    let rig = Rig::new();
    let station = rig.open().await;
    for first in [true, false] {
        let before = rig.model.written().len();
        let outcome = run_on(&station, plan()).await;
        assert_eq!(verdict(&outcome), "passed: ");
        assert_eq!(rig.model.written().len() > before, first);
        // Whatever the first trial had under way, the second begins with its own.
        assert!(rig.model.is_safe());
    }
    assert_eq!(rig.model.written().iter().filter(|(address, _)| *address == 0).count(), 1);
}

/// The model's board outlasts a cut of 8 ms and not one of 20 ms, and its supply shows the same of both.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_cut_that_the_board_may_outlast_is_no_reason_to_judge_it() {
    for hold in ["8ms", "20ms"] {
        let rig = Rig::new();
        let steps = format!(
            "steps:
  - supply: {{ usb: 5V }}
  - expect: {{ console: Cloud connected, within: 20s }}
  - fault: {{ power_cut: {{ after: 60ms, hold: {hold} }} }}
  - expect: {{ identity: unchanged, within: 4s }}
"
        );
        let plan = scenario("heal-full", &steps);
        let unfit = brickproof_bench::fitness::unfit(&plan, &rig.file);
        assert!(unfit.iter().any(|it| it.why.contains("whether the board stopped")), "{unfit:?}");
        let outcome = rig.run(plan).await;
        let told = verdict(&outcome);
        assert!(told.starts_with("error, blame: bench: ") && told.contains("capacitors may carry it"), "{told}");
    }
}

/// Through a reset and while it runs; what was achieved is told.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_button_is_held_as_long_as_its_mode_takes() {
    let mut running = JoinSet::new();
    for (mode, aim) in [("safe", Span::secs(2)), ("dfu", Span::millis(4_500)), ("listening", Span::secs(4))] {
        let steps = format!(
            "steps:\n  - supply: {{ usb: 5V }}\n  - expect: {{ console: Cloud connected, within: 20s }}\n  - enter: {mode}\n"
        );
        running.spawn(async move { (mode, aim, Rig::new().run(scenario("heal-full", &steps)).await) });
    }
    for (mode, aim, outcome) in running.join_all().await {
        assert_eq!(verdict(&outcome), "passed: ", "{mode}");
        let held: Vec<_> = outcome
            .trial
            .timeline()
            .events
            .iter()
            .filter_map(|event| match event.what {
                Happening::Answered { result: Ok(Achieved::Asked { held, .. }), .. } => held,
                _ => None,
            })
            .collect();
        let [(hold, uncertainty)] = held[..] else { panic!("{mode}: {held:?}") };
        println!("{mode}: held for {hold}, give or take {uncertainty}");
        assert!(hold + uncertainty >= aim && hold < aim + Span::secs(1), "{mode}: {hold}");
    }
}

/// How late cuts come, on whatever computer this is. The figures are printed; only what would be wrong anywhere fails.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn cuts_come_when_they_are_asked_for_never_before() {
    let cuts = "steps:
  - supply: { usb: 5V }
  - expect: { console: device=good, within: 10s }
  - repeat:
      times: 20
      steps:
        - fault: { power_cut: { after: 120ms, hold: 120ms } }
";
    let mut running = JoinSet::new();
    for _ in 0..3 {
        running.spawn(async move {
            let rig = Rig::new();
            let outcome = rig.run(scenario("heal-full", cuts)).await;
            assert_eq!(verdict(&outcome), "passed: ");
            let of = |fault: &brickproof_trial::FaultRecord| {
                let achieved = fault.achieved.expect("it was made");
                assert!(achieved.began + achieved.uncertainty >= fault.asked.at, "{fault:?}");
                (achieved.began.since(fault.asked.at), achieved.uncertainty, achieved.below_brown_out)
            };
            outcome.trial.faults().iter().map(of).collect::<Vec<_>>()
        });
    }
    let mut lates = running.join_all().await.concat();
    lates.sort();
    let at = |share: usize| lates[(lates.len() * share / 100).min(lates.len() - 1)].0;
    let longest = lates.iter().map(|(_, _, below)| *below).max().unwrap_or_default();
    let shortest = lates.iter().map(|(_, _, below)| *below).min().unwrap_or_default();
    println!(
        "{} cuts: late by median {}, p99 {}, max {}; below the minimum for {shortest} to {longest} of 120 ms",
        lates.len(),
        at(50),
        at(99),
        at(100)
    );
}

/// Each request of a trial has one answer.
pub(crate) fn everything_was_answered(outcome: &brickproof_bench::driver::Outcome) {
    let (mut asked, mut answered) = (Vec::new(), Vec::new());
    for event in outcome.trial.timeline().events.iter() {
        match &event.what {
            Happening::Asked { id, .. } => asked.push(*id),
            Happening::Answered { id, .. } => answered.push(*id),
            _ => {}
        }
    }
    asked.sort();
    answered.sort();
    assert_eq!(asked, answered);
}
