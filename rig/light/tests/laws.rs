//! What holds for every recording.

#[path = "bench/drive.rs"]
#[expect(dead_code, reason = "shared with the other tests, which use the rest")]
mod drive;
#[path = "bench/optics.rs"]
#[expect(dead_code, reason = "shared with the other tests, which use the rest")]
mod optics;

use brickproof_light::{Recogniser, Rhythm, Sample, Sight};
use brickproof_units::{Instant, Span};
use drive::statuses;
use optics::{Bench, Dice};
use proptest::prelude::*;

fn recording(status: usize, brightness: f64, seed: u64) -> Vec<Sample> {
    let statuses = statuses();
    let drive = &statuses[status % statuses.len()].drive;
    Bench { brightness, ..Bench::quiet() }.watch(drive, 6_000, &mut Dice(seed))
}

fn told(samples: &[Sample]) -> Recogniser {
    let mut recogniser = Recogniser::default();
    samples.iter().for_each(|sample| recogniser.feed(sample));
    recogniser
}

/// Whether two statements say the same. A breath has no edges: how long it takes is read off a curve, on which the noise of the light counts.
fn same(one: &Sight, other: &Sight) -> bool {
    match (one.rhythm, other.rhythm) {
        (Rhythm::Breathe { period: one_period }, Rhythm::Breathe { period: other_period }) => {
            let (short, long) = (one_period.min(other_period).as_nanos(), one_period.max(other_period).as_nanos());
            one.colour == other.colour && long - short <= long / 50
        }
        _ => one.to_string() == other.to_string(),
    }
}

fn any_sample() -> impl Strategy<Value = Sample> {
    let time = prop_oneof![0u64..20_000_000_000, any::<u64>()];
    let integration = prop_oneof![Just(2_400_000u64), 0u64..700_000_000, any::<u64>()];
    (time, integration, any::<[u16; 4]>()).prop_map(|(at, integration, [red, green, blue, clear])| Sample {
        at: Instant::from_nanos(at),
        integration: Span::nanos(integration),
        red,
        green,
        blue,
        clear,
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn no_samples_panic(mut samples in prop::collection::vec(any_sample(), 0..200), sorted in any::<bool>()) {
        if sorted {
            samples.sort_by_key(|sample| sample.at);
        }
        let recogniser = told(&samples);
        let _ = recogniser.now().to_string();
        let _ = recogniser.history(Span::MAX).to_string();
    }

    #[test]
    fn time_may_be_shifted(status in 0usize..30, seed in any::<u64>(), shift in 0u64..1_000_000_000_000) {
        let samples = recording(status, 0.4, seed);
        let shifted: Vec<_> = samples.iter().map(|sample| Sample { at: sample.at + Span::nanos(shift), ..*sample }).collect();
        let (here, there) = (told(&samples).now(), told(&shifted).now());
        prop_assert_eq!(here.to_string(), there.to_string());
        prop_assert_eq!(here.since + Span::nanos(shift), there.since);
        prop_assert_eq!(here.confidence, there.confidence);
    }

    /// Where there is light enough, that is: power off is 7 % of it.
    #[test]
    fn brightness_does_not_matter(status in 0usize..17, seed in any::<u64>(), brightness in 0.15..1.0f64) {
        let seen = |brightness| told(&recording(status, brightness, seed)).now();
        let (dim, usual) = (seen(brightness), seen(0.6));
        prop_assert!(same(&dim, &usual), "{} and {}", dim, usual);
    }

    #[test]
    fn a_clone_goes_on_like_its_original(status in 0usize..30, seed in any::<u64>(), cut in 0usize..1_200) {
        let samples = recording(status, 0.4, seed);
        let (before, after) = samples.split_at(cut.min(samples.len()));
        let original = told(before);
        let mut fork = original.clone();
        after.iter().for_each(|sample| fork.feed(sample));
        prop_assert_eq!(fork.history(Span::MAX), told(&samples).history(Span::MAX));
        prop_assert_eq!(original.now(), told(before).now());
    }

    #[test]
    fn history_has_neither_holes_nor_overlaps(status in 0usize..30, seed in any::<u64>(), brightness in 0.05..1.0f64) {
        let history = told(&recording(status, brightness, seed)).history(Span::MAX);
        for pair in history.segments().windows(2) {
            prop_assert_eq!(pair[0].sight.until, pair[1].sight.since);
            prop_assert!(pair[0].sight.since <= pair[0].sight.until);
        }
    }
}
