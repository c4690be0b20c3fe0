//! What a real board said and showed, told to a trial in any order and as late as one likes: the trial comes to its end, and each request has
//! one answer.
//!
//! Boundary: the engine, fed as no driver should feed it.

use std::collections::BTreeSet;
use std::sync::{Arc, OnceLock};

use brickproof_boards::LedIndex;
use brickproof_light::Calibration;
use brickproof_scenario::plan::{Plan, SlotContent};
use brickproof_trial::{Achieved, ActionId, Command, Happening, Observation, ShapeAchieved, Stamp, Trial};
use brickproof_units::{Current, Instant, Span, Voltage};
use proptest::prelude::*;

use crate::rig::{Rig, scenario, verdict};

const BODY: &str = "throughout:
  - not: { light: sos }
  - not: { rail: 3V3, below: 1.8V }
steps:
  - supply: { usb: 5V }
  - expect: { console: Cloud connected, within: 3s }
  - send: keys rotate
  - on: { console: erasing key page, within: 2s }
    fault: { power_cut: { after: 8ms, hold: 200ms } }
  - expect: { console: Cloud connected, within: 3s }
  - expect: { slot: device_private, is: [old, new], within: 1s }
  - expect: { identity: [unchanged, rotated], within: 1s }
cleanup:
  - wait: 100ms
  - supply: off
";

fn plan() -> Plan {
    scenario("heal-full", BODY)
}

/// What was seen in one trial on a board in real time.
fn recorded() -> &'static [(Stamp, Observation)] {
    static RECORDED: OnceLock<Vec<(Stamp, Observation)>> = OnceLock::new();
    RECORDED.get_or_init(|| {
        let runtime = tokio::runtime::Runtime::new().expect("there is one to be had");
        let outcome = runtime.block_on(async { Rig::new().run(plan()).await });
        assert_eq!(verdict(&outcome), "passed: ");
        let timeline = outcome.trial.timeline();
        let seen = timeline.events.iter().filter_map(|event| {
            let observation = match &event.what {
                Happening::ConsoleLine { bytes, .. } => Observation::Console([bytes.as_ref(), b"\n"].concat().into()),
                Happening::Cloud(it) => Observation::Cloud(it.clone()),
                Happening::Edge { line, edge } => Observation::Edge { line: Arc::clone(line), edge: *edge },
                Happening::Rail { voltage, current } => Observation::Supply { rail: *voltage, current: *current },
                _ => return None,
            };
            Some((Stamp { at: event.at, uncertainty: event.uncertainty }, observation))
        });
        let shown =
            timeline.samples.iter().map(|glimpse| (Stamp::exact(glimpse.sample.at), Observation::Light(*glimpse)));
        seen.chain(shown).collect()
    })
}

fn achieved(command: &Command, at: Instant) -> Achieved {
    match command {
        Command::Inject(injection) => Achieved::Injected(ShapeAchieved {
            began: injection.at,
            uncertainty: Span::micros(3),
            lowest: Voltage::new(0),
            below_brown_out: at.since(injection.at).max(Span::millis(200)),
        }),
        Command::ReadSlot { .. } => Achieved::Slot(SlotContent::Old),
        _ => Achieved::Done,
    }
}

/// Tells the trial of it in the order in which it becomes known, and wakes it when it wants to be woken or never.
fn tell(mut known: Vec<(Instant, Stamp, Observation)>, answers_after: &[u64], wakes: bool) -> Trial {
    known.sort_by_key(|(known, ..)| *known);
    known.reverse();
    let mut trial = Trial::new(Arc::new(plan()), [(LedIndex::FIRST, Calibration::default())]);
    let mut delays = answers_after.iter().copied().cycle();
    let mut answers: Vec<(Instant, ActionId, Command)> = Vec::new();
    let mut now = Instant::START;
    for _ in 0..200_000 {
        while let Some(action) = trial.poll_action() {
            let due = now + Span::micros(delays.next().unwrap_or_default());
            answers.push((due, action.id, action.command));
        }
        let Some(wake) = trial.next_wake() else { return trial };
        answers.sort_by_key(|(due, id, _)| std::cmp::Reverse((*due, *id)));
        let seen = known.last().map_or(Instant::NEVER, |(known, ..)| *known);
        let answer = answers.last().map_or(Instant::NEVER, |(due, ..)| *due);
        let nothing_else = seen == Instant::NEVER && answer == Instant::NEVER;
        if (wakes || nothing_else) && wake < seen.min(answer) {
            now = now.max(wake);
            trial.wake(wake);
        } else if answer <= seen {
            let (due, id, command) = answers.pop().expect("there is one");
            now = now.max(due);
            trial.observe(Stamp::exact(due), Observation::Answered { id, result: Ok(achieved(&command, due)) });
        } else {
            let (at, stamp, observation) = known.pop().expect("there is one");
            now = now.max(at);
            trial.observe(stamp, observation);
        }
    }
    panic!("it does not come to its end");
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, max_shrink_iters: 40, ..ProptestConfig::default() })]

    #[test]
    fn no_order_and_no_lateness_keeps_a_trial_from_its_end(
        late in prop::collection::vec(prop_oneof![4 => 0_u64..2_000, 2 => 0_u64..60_000, 1 => 0_u64..5_000_000], 1..200),
        answers_after in prop::collection::vec(prop_oneof![0_u64..1_000, 0_u64..3_000_000], 1..20),
        wakes in any::<bool>(),
        blind in any::<bool>(),
    ) {
        let mut late = late.iter().copied().cycle();
        let known = recorded()
            .iter()
            .filter(|(_, observation)| !(blind && matches!(observation, Observation::Light(_))))
            .map(|(stamp, observation)| {
                (stamp.at + Span::micros(late.next().unwrap_or_default()), *stamp, observation.clone())
            })
            .chain([(
                Instant::START,
                Stamp::exact(Instant::START),
                Observation::Supply { rail: Voltage::new(0), current: Current::new(0) },
            )])
            .collect();
        let trial = tell(known, &answers_after, wakes);
        prop_assert!(trial.verdict().is_some());
        let (mut asked, mut answered) = (BTreeSet::new(), Vec::new());
        for event in trial.timeline().events.iter() {
            match &event.what {
                Happening::Asked { id, .. } => prop_assert!(asked.insert(*id), "asked twice"),
                Happening::Answered { id, .. } => answered.push(*id),
                _ => {}
            }
        }
        prop_assert!(answered.iter().all(|id| asked.contains(id)));
    }
}
