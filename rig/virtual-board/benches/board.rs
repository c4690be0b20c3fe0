//! How fast the whole board executes, and what its part of a trial costs: a clone, five seconds of a breathing LED.
//!
//! Boundary: figures of this machine; nothing here passes or fails. The core alone is measured in `core.rs`, trials in `rig/sim`.

use std::hint::black_box;
use std::time::Duration;

use brickproof_units::{Instant, Span};
use brickproof_virtual_board::board::{Board, BoardConfig};
use brickproof_virtual_board::chip::{Chip, UartTiming};
use brickproof_virtual_board::flash::Cells;
use criterion::{BatchSize, Criterion, Throughput, criterion_group, criterion_main};

const LANTERN: &[u8] = include_bytes!("../../../fixtures/firmware/images/lantern-no-heal.bin");
const BUSY: &[u8] = include_bytes!("../../../fixtures/firmware/images/lantern-bench.bin");
const CHIPS: [(&str, Chip); 2] =
    [("nRF51822, 16 MHz, 1 KiB pages", Chip::Nrf51822), ("nRF52840, 64 MHz, 4 KiB pages", Chip::Nrf52840)];
const FIVE_SECONDS: Span = Span::secs(5);

fn running(chip: Chip, uart: UartTiming) -> Board {
    let mut board =
        Board::new(BoardConfig { uart, ..BoardConfig::new(chip) }, LANTERN).expect("the image fits both parts");
    board.run_until(Instant::START + Span::secs(3));
    board
}

fn send(board: &mut Board, line: &str) {
    let mut at = board.now();
    for byte in line.bytes() {
        at = board.console_input(at, byte) + Span::micros(200);
        board.run_until(at);
    }
}

/// A CPU that never rests: instructions per second are criterion's elements per second.
fn busy(c: &mut Criterion) {
    const STRETCH: Span = Span::millis(50);
    let mut group = c.benchmark_group("busy code (instructions)");
    for (geometry, chip) in CHIPS {
        let mut board = Board::new(BoardConfig::new(chip), BUSY).expect("the image fits both parts");
        board.run_until(Instant::START + Span::millis(100));
        let before = board.core().instructions();
        board.run_until(board.now() + STRETCH);
        let instructions = board.core().instructions() - before;
        eprintln!(
            "lantern-bench on {geometry}, {:?} cells: {instructions} instructions in {STRETCH} of board time",
            Cells::default()
        );
        group.throughput(Throughput::Elements(instructions));
        group.bench_function(format!("{chip:?}"), |b| b.iter(|| board.run_until(board.now() + STRETCH)));
    }
    group.finish();
}

fn clones(c: &mut Criterion) {
    for (name, chip) in [("clone nrf51", Chip::Nrf51822), ("clone nrf52840", Chip::Nrf52840)] {
        let board = running(chip, UartTiming::Timed);
        c.bench_function(name, |b| b.iter(|| black_box(&board).clone()));
    }
}

fn breathing(c: &mut Criterion) {
    for (name, chip) in [("5 s breathing nrf51", Chip::Nrf51822), ("5 s breathing nrf52840", Chip::Nrf52840)] {
        let mut board = running(chip, UartTiming::Timed);
        send(&mut board, "led cloud_connected\n");
        board.run_until(board.now() + Span::secs(1));
        board.take_console();
        board.take_pin_edges();
        c.bench_function(name, |b| {
            b.iter_batched_ref(
                || board.clone(),
                |board| board.run_until(board.now() + FIVE_SECONDS),
                BatchSize::SmallInput,
            );
        });
        let before = (board.core().instructions(), board.now());
        board.run_until(board.now() + FIVE_SECONDS);
        let edges = board.take_pin_edges().len();
        eprintln!("{name}: {} instructions, {edges} edges", board.core().instructions() - before.0);
    }
}

criterion_group! {
    name = benches;
    // All benches together take some four minutes.
    config = Criterion::default().warm_up_time(Duration::from_secs(1)).measurement_time(Duration::from_secs(3));
    targets = busy, clones, breathing
}
criterion_main!(benches);
