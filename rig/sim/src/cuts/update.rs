//! The updates that are cut: a board with its cloud, which rotates the device key again and again.
//!
//! Boundary: everything up to the cut, undisturbed. A second pass repeats the first to the nanosecond and keeps boards on the way.

use std::collections::VecDeque;
use std::sync::Arc;

use brickproof_cloud::{Behaviour, Cloud, CloudConfig};
use brickproof_console::{Line, Lines};
use brickproof_keys::lantern_layout::{Area, Store};
use brickproof_keys::{Slot, SlotContent};
use brickproof_units::{Instant, Span};
use brickproof_virtual_board::board::{Board, BoardConfig, PauseOn};
use brickproof_virtual_board::flash::{Cells, FlashOperation, FlashRecord};
use brickproof_virtual_board::nrf::{Chip, UartTiming};

use super::CutsError;
use super::boot::{next_line, says};
use super::release::Release;
use super::step::{KeyChange, LEAD, Step, Subject, kept_before, run_to};
use crate::keys::{KeyStore, PUBLISHED};

/// Each key page is erased at least so often.
const ERASES: usize = 2;
const LATENCY: Span = Span::millis(50);
/// One byte at 115200 baud. Without line time the console still takes six bytes at once and no more.
const BYTE_TIME: Span = Span::micros(90);
const PATIENCE: Span = Span::secs(20);
const CONNECTED: &str = "Cloud connected";
const UPDATED: &str = "key update done";

/// What happens to a board that updates its device key undisturbed.
#[derive(Clone, Debug)]
pub struct Updates {
    /// Every flash operation in order, each with the board right before it.
    pub steps: Vec<Step>,
    /// How many keys followed each other.
    pub rotations: usize,
}

/// Provisions a board with the published keys, connects it and rotates its device key until each key page that the release uses was
/// erased twice. What the seed decides here is only what the cloud hands out; the cells play no part until something is cut.
///
/// # Errors
/// If the board does not connect or update: its image is broken.
pub fn record(chip: Chip, release: Release, cells: Cells, seed: u64) -> Result<Updates, CutsError> {
    let firmware = release.firmware();
    let subject = Subject { release, store: KeyStore { chip, store: firmware.store() } };
    let config = BoardConfig {
        cells,
        uart: UartTiming::Instant,
        seed,
        // Nobody looks at the LED.
        pins: Vec::new(),
        ..BoardConfig::new(chip)
    };
    let mut board = Board::new(config, firmware.image())?;
    subject.store.provision(&mut board).map_err(|_| CutsError::KeyArea)?;
    board.pause_on(PauseOn::ConsoleByte);
    let mut replayed = board.clone();

    let History { typed, operations, rotations } = Station::new(board, cloud(seed)).rotate_until_worn(&subject)?;
    let mut typed = typed.into_iter().peekable();
    let keep = |(record, change): (FlashRecord, Arc<KeyChange>)| {
        while let Some(key) = typed.next_if(|key| key.at < record.start) {
            run_to(&mut replayed, key.at - LEAD);
            replayed.console_input(key.at, key.byte);
        }
        let before = kept_before(&mut replayed, &record);
        Step { subject, change, record, before }
    };
    Ok(Updates { steps: operations.into_iter().map(keep).collect(), rotations })
}

fn cloud(seed: u64) -> Cloud {
    Cloud::new(CloudConfig {
        behaviour: Behaviour::Genuine,
        latency: LATENCY,
        devices: vec![PUBLISHED.device_old.clone()],
        server: PUBLISHED.server.clone(),
        address: PUBLISHED.address.clone(),
        next_device_keys: Vec::new(),
        seed,
    })
}

/// A byte that went into the console, and when it arrived.
#[derive(Clone, Copy, Debug)]
struct Keystroke {
    at: Instant,
    byte: u8,
}

/// All that happened, for a second pass.
struct History {
    typed: Vec<Keystroke>,
    operations: Vec<(FlashRecord, Arc<KeyChange>)>,
    rotations: usize,
}

/// A board whose console leads to its cloud.
struct Station {
    board: Board,
    cloud: Cloud,
    lines: Lines,
    answers: VecDeque<(Instant, Vec<u8>)>,
    typed: Vec<Keystroke>,
}

impl Station {
    fn new(board: Board, cloud: Cloud) -> Self {
        Self { board, cloud, lines: Lines::new(), answers: VecDeque::new(), typed: Vec::new() }
    }

    fn rotate_until_worn(mut self, subject: &Subject) -> Result<History, CutsError> {
        let mut operations: Vec<(FlashRecord, Arc<KeyChange>)> = Vec::new();
        let mut rotations = 0;
        self.wait_for(CONNECTED)?;
        while !is_worn(&operations, subject.store) {
            let old = self.device_key(subject)?;
            self.type_line(self.board.now(), b"keys rotate\n");
            self.wait_for(UPDATED)?;
            let change = Arc::new(KeyChange { old, new: self.device_key(subject)? });
            operations.extend(self.board.take_flash_log().into_iter().map(|record| (record, Arc::clone(&change))));
            rotations += 1;
            self.wait_for(CONNECTED)?;
        }
        Ok(History { typed: self.typed, operations, rotations })
    }

    fn device_key(&self, subject: &Subject) -> Result<SlotContent, CutsError> {
        let area = subject.store.current_area(&self.board).map_err(|_| CutsError::KeyArea)?;
        let keys = subject.read(&self.board, area).ok_or(CutsError::KeyArea)?;
        Ok(keys.get(Slot::DevicePrivate).clone())
    }

    fn wait_for(&mut self, awaited: &'static str) -> Result<(), CutsError> {
        let deadline = self.board.now() + PATIENCE;
        loop {
            let next = self.answers.front().map_or(deadline, |(due, _)| deadline.min(*due));
            match next_line(&mut self.board, &mut self.lines, next) {
                Some(line) if says(&line, awaited) => return Ok(()),
                Some(line) => self.hear(&line),
                None if next == deadline => return Err(CutsError::NoLine { awaited, within: PATIENCE }),
                None => self.answer(),
            }
        }
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

    fn type_line(&mut self, at: Instant, bytes: &[u8]) {
        let mut at = at.max(self.board.now());
        for byte in bytes {
            at = self.board.console_input(at + BYTE_TIME, *byte);
            self.typed.push(Keystroke { at, byte: *byte });
        }
    }
}

/// Whether each key page was erased often enough.
fn is_worn(operations: &[(FlashRecord, Arc<KeyChange>)], keys: KeyStore) -> bool {
    let pages: &[Area] = match keys.store {
        Store::SingleCopy => &[Area::A],
        Store::TwoCopies => &[Area::A, Area::B],
    };
    let erases = |area: Area| {
        let holds = |address: u32| keys.holds(area, address);
        let is_erase =
            |record: &FlashRecord| matches!(record.operation, FlashOperation::ErasePage { address } if holds(address));
        operations.iter().filter(|(record, _)| is_erase(record)).count()
    };
    pages.iter().all(|area| erases(*area) >= ERASES)
}
