//! What the supply costs: a change of load on a stiff source and on a worn cell, a fork, a flash operation.

use std::hint::black_box;
use std::time::Duration;

use brickproof_units::{Charge, Current, Instant, Ratio, Resistance, Span, Voltage};
use brickproof_virtual_board::supply::{Battery, Source, Supply, SupplyProfile};
use criterion::{Criterion, criterion_group, criterion_main};

const USB: Source = Source::Usb { voltage: Voltage::new(5_000_000), cable: Resistance::new(250_000) };

fn aged() -> Source {
    Source::Battery(Battery::aged(Charge::new(1_200_000), Ratio::new(200_000)))
}

fn fresh() -> Source {
    Source::Battery(Battery::fresh(Charge::new(2_000_000), Ratio::new(800_000)))
}

fn running(source: Source) -> Supply {
    let mut supply = Supply::new(SupplyProfile::nrf51822());
    supply.connect(Instant::START, source);
    supply.advance(Instant::START + Span::millis(50));
    supply
}

fn set_load(c: &mut Criterion) {
    for (name, source) in [("usb", USB), ("fresh cell", fresh()), ("aged cell", aged())] {
        let mut supply = running(source);
        let mut at = Instant::START + Span::millis(60);
        let mut load = 5_000;
        c.bench_function(&format!("supply/set_load/{name}"), |b| {
            b.iter(|| {
                // Little charge per change, so that the cell lasts.
                at += Span::nanos(100);
                load ^= 4_096;
                supply.set_load(black_box(at), Current::new(load));
            });
        });
    }
}

fn fork(c: &mut Criterion) {
    let supply = running(aged());
    c.bench_function("supply/clone", |b| b.iter(|| black_box(&supply).clone()));
}

fn flash_time(c: &mut Criterion) {
    for (name, source) in [("usb", USB), ("aged cell", aged())] {
        let supply = running(source);
        let at = Instant::START + Span::millis(60);
        c.bench_function(&format!("supply/flash_time/{name}"), |b| {
            b.iter(|| supply.flash_time(black_box(at), at + Span::micros(22_300), supply.flash_range()));
        });
    }
}

criterion_group! {
    name = benches;
    // All benches together take some four minutes.
    config = Criterion::default().warm_up_time(Duration::from_secs(1)).measurement_time(Duration::from_secs(3));
    targets = set_load, fork, flash_time
}
criterion_main!(benches);
