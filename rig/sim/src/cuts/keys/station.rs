//! A board whose console leads to its cloud.
//!
//! Boundary: carries lines both ways and waits for log lines. The cloud is genuine and answers at once.

use std::collections::VecDeque;

use brickproof_cloud::{Behaviour, Cloud, CloudConfig};
use brickproof_console::{Line, Lines};
use brickproof_firmware::PUBLISHED;
use brickproof_keys::SlotContent;
use brickproof_units::{Instant, Span};
use brickproof_virtual_board::board::Board;

use crate::cuts::CutsError;
use crate::cuts::terminal::{Keystroke, next_line, says, type_line};

/// The cloud has accepted the board.
pub(super) const CONNECTED: &str = "Cloud connected";

const LATENCY: Span = Span::millis(50);
const PATIENCE: Span = Span::secs(20);

/// A board and its cloud.
pub(super) struct Station {
    pub(super) board: Board,
    /// All that went into the console.
    pub(super) typed: Vec<Keystroke>,
    cloud: Cloud,
    lines: Lines,
    answers: VecDeque<(Instant, Vec<u8>)>,
}

impl Station {
    /// The cloud knows `devices` and the published server keys; nonces and the keys it hands out follow from the seed.
    pub(super) fn new(board: Board, devices: Vec<SlotContent>, seed: u64) -> Self {
        let cloud = Cloud::new(CloudConfig {
            behaviour: Behaviour::Genuine,
            latency: LATENCY,
            devices,
            server: PUBLISHED.server.clone(),
            address: PUBLISHED.address.clone(),
            next_device_keys: Vec::new(),
            seed,
        });
        Self { board, typed: Vec::new(), cloud, lines: Lines::new(), answers: VecDeque::new() }
    }

    /// Lets time pass until a line says one of these; says which.
    pub(super) fn wait_for<const N: usize>(&mut self, awaited: [&'static str; N]) -> Result<&'static str, CutsError> {
        let deadline = self.board.now() + PATIENCE;
        loop {
            let next = self.answers.front().map_or(deadline, |(due, _)| deadline.min(*due));
            match next_line(&mut self.board, &mut self.lines, next) {
                Some(line) => {
                    if let Some(said) = awaited.into_iter().find(|text| says(&line, text)) {
                        return Ok(said);
                    }
                    self.hear(&line);
                }
                None if next == deadline => {
                    return Err(CutsError::NoLine { awaited: awaited.join("` or `"), within: PATIENCE });
                }
                None => self.answer(),
            }
        }
    }

    /// Types at line rate, from `at` on or from now on.
    pub(super) fn type_line(&mut self, at: Instant, bytes: &[u8]) {
        self.typed.extend(type_line(&mut self.board, at, bytes));
    }

    fn hear(&mut self, line: &Line) {
        self.cloud.observe_line(line.completed, &line.bytes);
        while let Some((due, send)) = self.cloud.poll() {
            self.answers.push_back((due, send.bytes));
        }
    }

    fn answer(&mut self) {
        if let Some((due, bytes)) = self.answers.pop_front() {
            self.type_line(due, &bytes);
        }
    }
}
