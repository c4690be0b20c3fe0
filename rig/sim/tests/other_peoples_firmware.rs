//! The virtual nRF51822 boots firmware that was not written for it: MicroPython for the micro:bit v1, as its makers publish it.
//!
//! Boundary: the image is not in the repository. It is a part of the Python package `uflash` 1.3.0 (MIT); `BRICKPROOF_MICROPYTHON` names
//! the extracted Intel HEX file, as `.ci/run` makes it. Without it the test says so loudly and checks nothing; with
//! `BRICKPROOF_REQUIRE_ORACLES=1`, as in the gate, that is a failure.

use brickproof_firmware::Firmware;
use brickproof_sim::board_with;
use brickproof_units::{Instant, Span};
use brickproof_virtual_board::board::{Board, BoardConfig};
use brickproof_virtual_board::chip::Chip;

/// Lets `board` run for `time` and returns what its console printed meanwhile.
fn console_for(board: &mut Board, time: Span) -> String {
    board.run_until(board.now() + time);
    board.take_console().iter().map(|byte| char::from(byte.value)).collect()
}

fn type_line(board: &mut Board, line: &str) {
    let mut at = board.now();
    for byte in line.bytes().chain(*b"\r") {
        // The interpreter's input buffer is short, and it echoes: a person types slower than the line.
        at = board.console_input(at + Span::millis(1), byte);
    }
}

#[test]
fn micropython_for_the_microbit_boots_and_computes() {
    let Some(path) = std::env::var_os("BRICKPROOF_MICROPYTHON") else {
        println!("\nNOT CHECKED: whether other people's firmware boots: BRICKPROOF_MICROPYTHON names no image\n");
        assert!(std::env::var_os("BRICKPROOF_REQUIRE_ORACLES").is_none(), "BRICKPROOF_MICROPYTHON is not set");
        return;
    };
    let hex = std::fs::read(&path).expect("the image can be read");
    let firmware = Firmware::from_file("micropython.hex", &hex).expect("Intel HEX");
    let mut board = board_with(&firmware, BoardConfig::new(Chip::Nrf51822)).expect("it fits");
    let greeting = console_for(&mut board, Span::secs(3));
    println!("{greeting}");
    assert!(greeting.contains("MicroPython"), "{greeting:?}");
    assert!(greeting.trim_end().ends_with(">>>"), "{greeting:?}");
    type_line(&mut board, "print(sum(range(1000)), 2**0.5)");
    let answer = console_for(&mut board, Span::secs(1));
    println!("{answer}");
    assert!(answer.contains("499500 1.41421"), "{answer:?}");
    type_line(
        &mut board,
        "from microbit import *; display.show(Image.HEART); sleep(50); print(running_time() > 1000, temperature())",
    );
    let answer = console_for(&mut board, Span::secs(1));
    println!("{answer}");
    assert!(answer.contains("True 2"), "{answer:?}");
    assert!(board.now() > Instant::START + Span::secs(4));
}
