//! The updates that are cut: a board with its cloud, which rotates the device key again and again.
//!
//! Boundary: everything up to the cut, undisturbed. A second pass repeats the first to the nanosecond and keeps boards on the way.

use std::sync::Arc;

use brickproof_firmware::{KeyStore, PUBLISHED};
use brickproof_keys::lantern_layout::{Area, Store};
use brickproof_virtual_board::board::{BoardConfig, PauseOn};
use brickproof_virtual_board::flash::{Cells, FlashOperation, FlashRecord};
use brickproof_virtual_board::nrf::{Chip, UartTiming};

use super::CutsError;
use super::release::Release;
use super::station::{CONNECTED, Keystroke, Station};
use super::step::{KeyChange, LEAD, Step, Subject, kept_before, run_to};
use crate::memory::{InFlash, board_with, layout};

/// Each key page is erased at least so often.
const ERASES: usize = 2;
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
    let subject = Subject { release, store: KeyStore { chip: layout(chip), store: firmware.store() } };
    let config = BoardConfig {
        cells,
        uart: UartTiming::Instant,
        seed,
        // Nobody looks at the LED.
        pins: Vec::new(),
        ..BoardConfig::new(chip)
    };
    let mut board = board_with(&firmware, config)?;
    subject.store.provision(&mut InFlash(&mut board)).map_err(|_| CutsError::KeyArea)?;
    board.pause_on(PauseOn::ConsoleByte);
    let mut replayed = board.clone();

    let History { typed, operations, rotations } = {
        let station = Station::new(board, vec![PUBLISHED.device_old.clone()], seed);
        History::rotate_until_worn(station, &subject)?
    };
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

/// All that happened, for a second pass.
struct History {
    typed: Vec<Keystroke>,
    operations: Vec<(FlashRecord, Arc<KeyChange>)>,
    rotations: usize,
}

impl History {
    fn rotate_until_worn(mut station: Station, subject: &Subject) -> Result<Self, CutsError> {
        let mut operations: Vec<(FlashRecord, Arc<KeyChange>)> = Vec::new();
        let mut rotations = 0;
        station.wait_for([CONNECTED])?;
        while !is_worn(&operations, subject.store) {
            let old = subject.device_key(&station.board)?;
            station.type_line(station.board.now(), b"keys rotate\n");
            station.wait_for([UPDATED])?;
            let change = Arc::new(KeyChange { old, new: subject.device_key(&station.board)? });
            let done = station.board.take_flash_log();
            operations.extend(done.into_iter().map(|record| (record, Arc::clone(&change))));
            rotations += 1;
            station.wait_for([CONNECTED])?;
        }
        Ok(Self { typed: station.typed, operations, rotations })
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
