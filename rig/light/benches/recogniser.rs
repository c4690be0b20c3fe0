//! What one sample costs, and what a clone costs: a simulation feeds a thousand samples per trial and forks a trial at the fault.

use std::hint::black_box;
use std::time::Duration;

use brickproof_light::{Recogniser, Sample};
use brickproof_units::{Instant, Span};
use criterion::{Criterion, Throughput, criterion_group, criterion_main};

const SAMPLES: u64 = 1_000;

/// 4.8 s at 208 Hz, with the brightness at each millisecond.
fn recording(brightness: impl Fn(u64) -> u16) -> Vec<Sample> {
    let samples = (1..=SAMPLES).map(|cycle| {
        let at = Instant::START + Span::micros(4_800 * cycle);
        let light = brightness(at.as_nanos() / 1_000_000);
        Sample { at, integration: Sample::STEP, red: 3, green: light, blue: light, clear: light }
    });
    samples.collect()
}

fn recogniser(c: &mut Criterion) {
    let blinking = recording(|ms| if ms % 100 < 50 { 300 } else { 2 });
    let breathing = recording(|ms| (ms % 4_000).abs_diff(2_000) as u16 / 5);
    let mut group = c.benchmark_group("recogniser");
    group.throughput(Throughput::Elements(SAMPLES));
    for (name, samples) in [("blinking", &blinking), ("breathing", &breathing)] {
        group.bench_function(name, |b| {
            b.iter(|| {
                let mut recogniser = Recogniser::default();
                samples.iter().for_each(|sample| recogniser.feed(black_box(sample)));
                recogniser.now()
            });
        });
    }
    group.finish();
    let mut used = Recogniser::default();
    blinking.iter().for_each(|sample| used.feed(sample));
    c.bench_function("clone", |b| b.iter(|| black_box(&used).clone()));
}

criterion_group! {
    name = benches;
    // All benches together take some four minutes.
    config = Criterion::default().warm_up_time(Duration::from_secs(1)).measurement_time(Duration::from_secs(3));
    targets = recogniser
}
criterion_main!(benches);
