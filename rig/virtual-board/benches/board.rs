//! What a trial on the whole board costs: a clone, five seconds of a breathing LED, a cut and the boot after it.
//!
//! Boundary: figures of this machine; nothing here passes or fails. The core alone is measured in `core.rs`.

use std::hint::black_box;

use brickproof_units::{Instant, Span};
use brickproof_virtual_board::board::{Board, BoardConfig, Pause};
use brickproof_virtual_board::flash::{CutPoint, FlashCut};
use brickproof_virtual_board::nrf::{Chip, UartTiming};
use criterion::{BatchSize, Criterion, criterion_group, criterion_main};

const LANTERN: &[u8] = include_bytes!("../../../fixtures/firmware/images/lantern-no-heal.bin");
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

fn cuts(c: &mut Criterion) {
    let ready = running(Chip::Nrf51822, UartTiming::Instant);
    let first = ready.flash().operations();
    c.bench_function("cut and boot nrf51", |b| {
        b.iter_batched_ref(
            || {
                let mut board = ready.clone();
                board.aim(FlashCut { operation: first + 3, at: CutPoint::Fraction { numerator: 1, denominator: 3 } });
                board
            },
            |board| {
                send(board, "keys put device 3041\n");
                let pause = board.run_until(board.now() + Span::secs(2));
                assert!(pause == Pause::PowerCut || pause == Pause::Reached);
                board.power_on();
                board.run_until(board.now() + Span::millis(30))
            },
            BatchSize::SmallInput,
        );
    });
}

criterion_group!(benches, clones, breathing, cuts);
criterion_main!(benches);
