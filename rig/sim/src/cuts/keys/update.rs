//! The updates that are cut: a board with its cloud, which rotates the device key again and again.
//!
//! Boundary: everything up to the cut, undisturbed.

use std::sync::Arc;

use brickproof_firmware::{KeyStore, PUBLISHED};
use brickproof_keys::lantern_layout::{Area, Store};
use brickproof_virtual_board::board::{BoardConfig, PauseOn};
use brickproof_virtual_board::chip::{Chip, UartTiming};
use brickproof_virtual_board::flash::{Cells, FlashOperation, FlashRecord};

use super::release::Release;
use super::station::{CONNECTED, Station};
use super::{KeyChange, Keys};
use crate::cuts::record::History;
use crate::cuts::{CutsError, Step};
use crate::memory::{InFlash, board_with, layout};

/// Each key page is erased at least so often.
const ERASES: usize = 2;
const UPDATED: &str = "key update done";

/// What happens to a board that updates its device key undisturbed.
#[derive(Clone, Debug)]
pub struct Updates {
    /// Every flash operation in order, each with the board right before it.
    pub steps: Vec<Step<Keys>>,
    /// How many keys followed each other.
    pub rotations: usize,
}

/// Provisions a board with the published keys, connects it and rotates its device key until each key page that the release uses was
/// erased twice. What the seed decides here is only what the cloud hands out; the cells play no part until something is cut.
///
/// # Errors
/// If the board does not connect or update: its image is broken.
pub fn record(chip: Chip, release: Release, cells: Cells, seed: u64) -> Result<Updates, CutsError> {
    let firmware = release.firmware(chip);
    let subject = Keys { release, store: KeyStore { chip: layout(chip), store: firmware.store(), found: None } };
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
    let replayed = board.clone();
    let (history, rotations) =
        rotate_until_worn(Station::new(board, vec![PUBLISHED.device_old.clone()], seed), &subject)?;
    Ok(Updates { steps: history.steps(replayed, &subject), rotations })
}

fn rotate_until_worn(mut station: Station, subject: &Keys) -> Result<(History<KeyChange>, usize), CutsError> {
    let mut history = History::new();
    let mut rotations = 0;
    station.wait_for([CONNECTED])?;
    while !is_worn(&history.operations, subject.store) {
        let old = subject.device_key(&station.board)?;
        station.type_line(station.board.now(), b"keys rotate\n");
        station.wait_for([UPDATED])?;
        let change = Arc::new(KeyChange { old, new: subject.device_key(&station.board)? });
        let done = station.board.take_flash_log();
        history.operations.extend(done.into_iter().map(|record| (record, Arc::clone(&change))));
        rotations += 1;
        station.wait_for([CONNECTED])?;
    }
    history.typed = station.typed;
    Ok((history, rotations))
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
