//! What light costs: one sample through optics, registers and the real driver; one edge of the LED.

use std::hint::black_box;
use std::time::Duration;

use brickproof_units::{Instant, Span};
use brickproof_virtual_board::led::{Colour, Die, Led, Window};
use brickproof_virtual_board::sensor::{Optics, SensorHead, SensorSettings};
use criterion::{BatchSize, Criterion, criterion_group, criterion_main};

/// One virtual second of a breathing LED.
const EDGES: u64 = 800;
const SAMPLES: u64 = 208;

fn sample(c: &mut Criterion) {
    let mut head = SensorHead::new(Instant::START, SensorSettings::default(), Optics::default(), 1).expect("one step");
    let mut led = Led::new();
    c.bench_function("sensor/sample", |b| b.iter(|| head.sample(black_box(&mut led))));
}

fn edges(c: &mut Criterion) {
    let mut led = Led::new();
    let mut at = Instant::START;
    c.bench_function("led/800 edges and 208 windows", |b| {
        b.iter(|| {
            for edge in 0..EDGES {
                let die = if edge % 2 == 0 { Die::Lit } else { Die::Dark };
                led.edge(at + Span::micros(edge * 1_250), Colour::Green, die);
            }
            for window in 0..SAMPLES {
                let start = at + Span::micros(window * 4_800 + 2_400);
                black_box(led.on_time(Window { start, end: start + Span::micros(2_400) }));
            }
            at += Span::secs(1);
        });
    });
}

fn clone(c: &mut Criterion) {
    let head = SensorHead::new(Instant::START, SensorSettings::default(), Optics::default(), 1).expect("one step");
    c.bench_function("sensor/clone", |b| b.iter_batched(|| (), |()| black_box(head.clone()), BatchSize::SmallInput));
}

criterion_group! {
    name = benches;
    // All benches together take some four minutes.
    config = Criterion::default().warm_up_time(Duration::from_secs(1)).measurement_time(Duration::from_secs(3));
    targets = sample, edges, clone
}
criterion_main!(benches);
