//! Laws: how a driver cuts the console's stream, how late it wakes the trial, and where a trial is cloned make no difference.

use brickproof_trial::{Command, Observation, Stamp};
use proptest::prelude::*;

use crate::station::{Light, Reply, Station, at};

const BODY: &str = "throughout:\n  - not: { console: panic }\nsteps:\n  - expect: { console: ab, within: 2s }\n  \
                    - on: { console: ba, within: 2s }\n    fault: { power_cut: { after: 3ms, hold: 50ms } }\n  \
                    - expect: { light: { solid: green }, within: 3s, holds: 200ms }\n  - never: { console: aab, for: 300ms }\n  \
                    - measure: { back: { until: { console: \"/b+a/\" }, within: 2s, at_most: 1s } }\n  \
                    - expect: { slot: device_private, is: [old, new], within: 1s }\n";

/// What a board prints, and when: times in ms, letters that make and miss the patterns above.
fn script() -> impl Strategy<Value = Vec<(u64, String)>> {
    prop::collection::vec((0_u64..6_000, "[ab\n]{1,6}|panic\n"), 0..14).prop_map(|mut lines| {
        lines.sort();
        lines
    })
}

fn moody(command: &Command) -> Reply {
    match command {
        Command::ReadSlot { .. } => Reply::Content(brickproof_scenario::plan::SlotContent::New),
        _ => Reply::Usual,
    }
}

/// The script, each text in pieces of these lengths, all at the text's instant.
fn station(script: &[(u64, String)], cuts: &[usize]) -> Station {
    let mut station = Station::with_rule(BODY, moody).light(1_000..6_000, Light::Green);
    let mut cuts = cuts.iter().cycle();
    for (millis, text) in script {
        let mut rest = text.as_bytes();
        while !rest.is_empty() {
            let length = cuts.next().map_or(rest.len(), |cut| (*cut).min(rest.len()));
            let (piece, after) = rest.split_at(length);
            station = station.observe(*millis, Observation::Console(piece.to_vec().into()));
            rest = after;
        }
    }
    station
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, ..ProptestConfig::default() })]

    #[test]
    fn the_same_bytes_in_any_pieces_give_the_same_trial(script in script(), cuts in prop::collection::vec(1_usize..5, 1..8)) {
        let whole = station(&script, &[]).run();
        let pieces = station(&script, &cuts).run();
        prop_assert_eq!(whole.verdict(), pieces.verdict());
        prop_assert_eq!(whole.events(), pieces.events());
        prop_assert_eq!(whole.trial.timeline().raw_console(), pieces.trial.timeline().raw_console());
    }

    #[test]
    fn a_clone_goes_on_as_the_original_does(script in script(), fork_at in 0_u64..7_000, freeze in any::<bool>()) {
        let straight = station(&script, &[]).run();
        let mut original = station(&script, &[]).run_until(fork_at);
        if freeze {
            original.trial.freeze();
        }
        let fork = original.clone();
        for ended in [fork.run(), original.run()] {
            prop_assert_eq!(straight.verdict(), ended.verdict());
            prop_assert_eq!(straight.events(), ended.events());
            prop_assert_eq!(straight.trial.steps(), ended.trial.steps());
            prop_assert_eq!(straight.trial.faults(), ended.trial.faults());
            prop_assert_eq!(straight.trial.measurements(), ended.trial.measurements());
        }
    }

    #[test]
    fn no_order_or_instant_of_observations_stops_the_rig(
        observations in prop::collection::vec((any::<u64>(), "[ab]{0,4}", any::<u32>()), 0..40)
    ) {
        let mut station = Station::new(BODY);
        for (nanos, text, id) in observations {
            let stamp = Stamp::exact(brickproof_units::Instant::from_nanos(nanos));
            station.trial.observe(stamp, Observation::Console(text.as_bytes().to_vec().into()));
            let id = brickproof_trial::ActionId(id);
            station.trial.observe(stamp, Observation::Answered { id, result: Ok(brickproof_trial::Achieved::Done) });
            station.trial.wake(stamp.at);
        }
        prop_assert!(station.trial.verdict().is_none_or(|verdict| !verdict.reason.is_empty()));
    }
}

#[test]
fn a_driver_that_is_late_changes_nothing() {
    let body = "steps:\n  - wait: 1s\n  - expect: { console: up, within: 1s }\n  - wait: 1s\n";
    let begun = || Station::new(body).run_until(1);
    let (mut punctual, mut late) = (begun(), begun());
    for millis in 1..=2_000 {
        punctual.trial.wake(at(millis));
    }
    // The line comes after the deadline, and the driver did not wake the trial since the beginning.
    for station in [&mut punctual, &mut late] {
        station.trial.observe(Stamp::exact(at(2_500)), Observation::Console(b"up\n".into()));
    }
    let (punctual, late) = (punctual.run(), late.run());
    assert_eq!(punctual.outcome(), "failed, firmware");
    assert_eq!(punctual.verdict().at, at(2_000));
    assert_eq!(punctual.events(), late.events());
}
