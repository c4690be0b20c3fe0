//! A board with somebody at its console.
//!
//! Boundary: lines out of the board and bytes into it, at line rate. Who answers what is the subject's business.

use brickproof_console::{Line, Lines};
use brickproof_units::{Instant, Span};
use brickproof_virtual_board::board::{Board, Pause};

/// One byte at 115200 baud. Without line time the console still takes six bytes at once and no more.
const BYTE_TIME: Span = Span::micros(90);

/// Lets the board run until it has completed a line, at most until `until`. The board pauses on console bytes.
pub(super) fn next_line(board: &mut Board, lines: &mut Lines, until: Instant) -> Option<Line> {
    while let Pause::ConsoleByte(byte) = board.run_until(until) {
        if let Some(line) = lines.push(byte.at, &[byte.value]).into_iter().next() {
            return Some(line);
        }
    }
    None
}

/// Whether the line contains the text.
pub(super) fn says(line: &Line, text: &str) -> bool {
    line.bytes.windows(text.len()).any(|window| window == text.as_bytes())
}

/// Lets the board run, whatever it says.
pub(super) fn run_to(board: &mut Board, until: Instant) {
    while let Pause::ConsoleByte(_) = board.run_until(until) {}
}

/// Types at line rate, from `at` on or from now on. Answers when each byte arrives.
pub(super) fn type_line(board: &mut Board, at: Instant, bytes: &[u8]) -> impl Iterator<Item = Keystroke> {
    let mut at = at.max(board.now());
    bytes.iter().map(move |byte| {
        at = board.console_input(at + BYTE_TIME, *byte);
        Keystroke { at, byte: *byte }
    })
}

/// A byte that went into the console, and when it arrived.
#[derive(Clone, Copy, Debug)]
pub(super) struct Keystroke {
    pub(super) at: Instant,
    pub(super) byte: u8,
}
