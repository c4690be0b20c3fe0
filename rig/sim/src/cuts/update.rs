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
use super::step::{KeyChange, Step, Subject, kept_before};
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
    let start = Station::new(board, cloud(seed));

    let (records, changes) = rotate_until_worn(start.clone(), &subject)?;
    let mut again = start;
    let mut steps = Vec::with_capacity(records.len());
    for (record, change) in records {
        let before = again.kept_before(&record, &mut rotations_begun(&changes))?;
        steps.push(Step { subject, change: Arc::clone(&changes[change]), record, before });
    }
    Ok(Updates { steps, rotations: changes.len() })
}
