//! Devices that a test made up, and what their clocks are taken for.
//!
//! Boundary: the story knows what the device did; the clock sees stamps and arrivals only.

use brickproof_console::{Boot, ClockLimits, DeviceClock, DeviceMillis, RateBounds};
use brickproof_units::{Instant, Ratio, Span};
use proptest::prelude::*;

/// Nanoseconds in a millisecond.
const MILLI: i128 = 1_000_000;
/// Milliseconds until a clock of 32 bits shows 0 again.
const ROUND: i128 = 1 << 32;

/// A line of a device that a test made up: times are nanoseconds of the timeline.
#[derive(Clone, Copy, Debug)]
struct True {
    boot: usize,
    began: i128,
    said: i128,
    /// Nanoseconds on the device's clock.
    uptime: i128,
    arrived: i128,
}

/// A line: the time since the one before, its share of the latency and of the uncertainty.
type Spoken = (u64, f64, f64);

#[derive(Clone, Debug)]
struct Story {
    latency: i128,
    uncertainty: i128,
    /// Of the device's clock, in parts per million.
    drift: i128,
    first_uptime: u32,
    /// The time between a start and what came before, and the lines after it.
    boots: Vec<(u64, Vec<Spoken>)>,
}

const MOST_DRIFT: i128 = 500;

fn story() -> impl Strategy<Value = Story> {
    // Mostly seconds, sometimes weeks of silence.
    let pause = prop_oneof![6 => 0_u64..20_000_000_000, 1 => 0_u64..3_000_000_000_000_000];
    let line = (pause, 0.0..=1.0, -1.0..=1.0);
    let boot = (0_u64..100_000_000_000, prop::collection::vec(line, 1..12));
    let first = prop_oneof![2 => 0_u32..100_000, 1 => any::<u32>(), 1 => u32::MAX - 100_000..=u32::MAX];
    (0_i128..200_000_000, 0_i128..5_000_000, -MOST_DRIFT..=MOST_DRIFT, first, prop::collection::vec(boot, 1..5))
        .prop_map(|(latency, uncertainty, drift, first_uptime, boots)| Story {
            latency,
            uncertainty,
            drift,
            first_uptime,
            boots,
        })
}

/// What the device really did, and what the rig sees of it.
fn tell(story: &Story) -> Vec<(True, Instant)> {
    let on_timeline = |uptime: i128| uptime + uptime * story.drift / 1_000_000;
    let mut began = 1_000_000_000 - on_timeline(i128::from(story.first_uptime) * MILLI);
    let mut uptime = i128::from(story.first_uptime) * MILLI;
    let mut told: Vec<(True, Instant)> = Vec::new();
    for (number, (pause, lines)) in story.boots.iter().enumerate() {
        if let Some((last, _)) = told.last() {
            // Starts that are closer together than all that is uncertain are not told apart, and are no part of the law.
            let age = last.said - began + i128::from(lines[0].0);
            let unsure =
                2 * story.latency + 4 * story.uncertainty + 4 * MILLI + 5 * MOST_DRIFT * (age / 1_000_000 + 1_000_000);
            began = last.said.max(began + unsure) + i128::from(*pause);
            uptime = 0;
        }
        for (pause, late, wrong) in lines {
            // The first line of all comes within the first round: of rounds before it nobody knows.
            uptime += if told.is_empty() { 0 } else { i128::from(*pause) };
            let said = began + on_timeline(uptime);
            let before = told.last().map_or(0, |(last, _)| last.arrived);
            // A console delivers in order.
            let arrived = before.max(said + (story.latency as f64 * late) as i128);
            let seen = arrived + (story.uncertainty as f64 * wrong) as i128;
            let truth = True { boot: number + 1, began, said, uptime, arrived };
            told.push((truth, Instant::from_nanos(u64::try_from(seen.max(0)).expect("no story lasts for centuries"))));
        }
    }
    told
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    /// Whatever the device did, if its lines came within the limits: no start is missed or invented, every round is counted, and every
    /// line was said, every start made and the clock as wrong as is claimed.
    #[test]
    fn what_a_device_did_is_recovered(story in story()) {
        let told = tell(&story);
        // A start exactly whole rounds after another shows the same stamps. One that is silent for rounds shows the stamps of a later one.
        let starts: Vec<True> = told.iter().map(|(truth, _)| *truth).collect::<Vec<_>>().chunk_by(|one, next| one.boot == next.boot).map(|boot| boot[0]).collect();
        for pair in starts.windows(2) {
            let apart = (pair[1].began - pair[0].began) / MILLI;
            let off = (apart + ROUND / 2).rem_euclid(ROUND) - ROUND / 2;
            prop_assume!(apart < ROUND / 2 || off.abs() > apart / 100);
            prop_assume!(pair[1].uptime < ROUND / 2 * MILLI);
        }
        let limits = ClockLimits { latency: Span::nanos(story.latency as u64), drift: Ratio::new(MOST_DRIFT as u64) };
        let mut clock = DeviceClock::new(limits);
        for (truth, seen) in &told {
            let stamp = DeviceMillis::new((truth.uptime / MILLI).rem_euclid(ROUND) as u32);
            let heard = clock.hear(*seen, Span::nanos(story.uncertainty as u64), stamp);
            let said = heard.said();
            prop_assert!(said.is_some(), "{truth:?} {clock:?}");
            let said = said.unwrap();
            prop_assert_eq!((said.boot, i128::from(said.uptime.as_nanos())), (truth.boot, truth.uptime / MILLI * MILLI));
            let (earliest, latest) = (i128::from(said.earliest.as_nanos()), i128::from(said.latest.as_nanos()));
            prop_assert!(earliest <= truth.said && truth.said <= latest, "{said:?} {truth:?}");
        }
        let boots: Vec<Boot> = clock.boots().collect();
        prop_assert_eq!(boots.len(), starts.len());
        for (boot, truth) in boots.iter().zip(&starts) {
            if let Some((earliest, latest)) = boot.began {
                let holds = i128::from(earliest.as_nanos()) <= truth.began.max(0) && truth.began <= i128::from(latest.as_nanos());
                prop_assert!(holds, "{boot:?} {truth:?}");
            } else {
                prop_assert!(truth.began < 0);
            }
            if let Some(RateBounds { least, most }) = boot.rate {
                let drift = i128::from(least)..=i128::from(most);
                prop_assert!(drift.contains(&story.drift), "{boot:?}");
            }
        }
    }
}
