//! Firmware that comes to the board in the course of a trial, in the time that this takes.
//!
//! Boundary: through a probe sector by sector as a programmer does it, with the flash's own physics; a board that loses its power keeps what its
//! flash has by then. Through the bootloader it is `bootloader`'s. How the image is cut into pieces, and which firmware a flash holds, is
//! `brickproof_firmware`'s.

use std::collections::VecDeque;

use brickproof_firmware::{Firmware, KeyStore, Piece, pieces, which};
use brickproof_scenario::plan::{self, Door, FirmwareContent, FirmwareName};
use brickproof_trial::{Achieved, ActionId, CommandError, Observation, Progress};
use brickproof_units::{Instant, Ratio, Span};
use brickproof_virtual_board::flash::FlashOperation;

use super::bootloader::{self, Session, Tell, WRITE_FIRMWARE, Work};
use super::{Due, World};
use crate::memory::{InFlash, PROBE};

/// Bytes a second from the host into the chip's RAM. Assumed, as for the patience of a bench: a CMSIS-DAP probe of full-speed USB moves one report of
/// 64 bytes each way in a frame of a millisecond, some of which is its own.
const SENT_PER_SECOND: u64 = 30 << 10;
/// Bytes a second the other way: 4096 in some 50 ms over such a probe (the driver of probe-rs, `rig/instruments`).
const READ_PER_SECOND: u64 = 80 << 10;
/// How often the programmer looks at its board: a frame of full-speed USB.
const LOOK: Span = Span::millis(1);
/// The same while its flash should be done any moment.
const LOOK_AGAIN: Span = Span::micros(1);

/// A transfer under way.
#[derive(Clone, Debug)]
pub(super) struct Transfer {
    id: ActionId,
    image: Firmware,
    /// What is still to be written, the one under way first.
    pieces: VecDeque<Piece>,
    done: u32,
    total: u32,
    /// The byte at which its progress is told beside each sector's end.
    tell_at: Option<u32>,
    power_losses: u64,
    stage: Stage,
}

#[derive(Clone, Debug)]
enum Stage {
    /// A piece is on its way into the chip's RAM.
    Sending { until: Instant },
    /// The flash works; `rest` is what it does once the progress was told.
    Writing { until: Instant, rest: Vec<FlashOperation> },
    /// What was written is read back.
    Reading { until: Instant },
}

impl World {
    /// Begins to write an image; it ends with the answer to `id`.
    pub(super) fn begin_transfer(
        &mut self,
        id: ActionId,
        wanted: &plan::Transfer,
        tell_at: Option<Ratio>,
    ) -> Result<(), CommandError> {
        let flash = &self.profile.flash;
        let Some(image) = self.images.iter().find(|image| image.name() == wanted.image.0).cloned() else {
            return Err(cannot_write("there is no such image for this board"));
        };
        let pieces = pieces(&image, flash);
        let total = pieces.iter().map(|piece| piece.bytes.len() as u32).sum();
        let at = tell_at.map(|at| Progress::place(at, total));
        if wanted.through == Door::Dfu {
            self.expect_bootloader(WRITE_FIRMWARE)?;
            self.tell_progress(id, 0, total);
            let session = Session::writing(id, Work::Firmware(image), pieces, Some(Tell { total, at }));
            self.go_on_after(Span::ZERO, Box::new(session));
            return Ok(());
        }
        if !self.board.is_powered() {
            return Err(cannot_write(
                "the board has no power, and a probe reaches none without: feed it in a step before",
            ));
        }
        self.board.press_reset();
        let until = self.now + time_for(pieces.first(), SENT_PER_SECOND);
        self.transfer = Some(Transfer {
            id,
            image,
            pieces: pieces.into(),
            done: 0,
            total,
            tell_at: at,
            power_losses: self.board.power_losses(),
            stage: Stage::Sending { until },
        });
        self.tell_progress(id, 0, total);
        self.put(self.now + LOOK, Due::Transfer);
        Ok(())
    }

    pub(super) fn tell_progress(&mut self, id: ActionId, done: u32, total: u32) {
        let progress = Progress { done, uncertainty: 0, total };
        self.seen.push_back((self.now, Observation::Progress { id, progress }));
    }

    /// Looks at the transfer under way and goes on with it.
    pub(super) fn go_on_with_transfer(&mut self) {
        let Some(mut transfer) = self.transfer.take() else { return };
        if !self.board.is_powered() || self.board.power_losses() != transfer.power_losses {
            self.board.release_reset();
            let happened = format!("the board lost its power after {} of {} bytes", transfer.done, transfer.total);
            return self.answer(transfer.id, Err(cannot_write(&happened)));
        }
        let now = self.now;
        match &mut transfer.stage {
            Stage::Sending { until } if now >= *until => self.write_piece(&mut transfer),
            Stage::Writing { until, .. } if now >= *until && !self.board.is_erasing() => {
                self.piece_written(&mut transfer);
            }
            Stage::Reading { until } if now >= *until => return self.end_transfer(&transfer),
            _ => {}
        }
        let due = match &transfer.stage {
            Stage::Writing { until, .. } if now >= *until => now + LOOK_AGAIN,
            Stage::Sending { until } | Stage::Writing { until, .. } | Stage::Reading { until } => {
                (*until).min(now + LOOK)
            }
        };
        self.transfer = Some(transfer);
        self.put(due, Due::Transfer);
    }

    /// Begins to write the first piece that is left, up to where its progress has to be told if that is inside it.
    fn write_piece(&mut self, transfer: &mut Transfer) {
        let Some(piece) = transfer.pieces.front() else { return };
        let operations = self.operations_for(piece);
        let pause = transfer.tell_at.and_then(|at| at.checked_sub(transfer.done));
        let pause = pause.filter(|pause| *pause > 0 && (*pause as usize) < piece.bytes.len());
        let is_before = |operation: &FlashOperation| match (operation, pause) {
            (FlashOperation::Program { address, .. }, Some(pause)) => *address < piece.address + pause,
            _ => true,
        };
        let split = operations.iter().position(|operation| !is_before(operation)).unwrap_or(operations.len());
        let (first, rest) = operations.split_at(split);
        transfer.stage = self.writing(first, rest.to_vec());
    }

    fn writing(&mut self, operations: &[FlashOperation], rest: Vec<FlashOperation>) -> Stage {
        let geometry = *self.board.flash().geometry();
        let needed = operations.iter().map(|operation| match operation {
            FlashOperation::Program { .. } => geometry.program,
            FlashOperation::ErasePage { address } => geometry.sector_at(*address).map_or(Span::ZERO, |it| it.erase),
            FlashOperation::EraseUicr => geometry.erase_user,
            FlashOperation::EraseAll => geometry.erase_all,
        });
        let until = needed.fold(self.now, |at, needed| at + needed);
        self.board.have_flash_do(operations.iter().copied());
        Stage::Writing { until, rest }
    }

    fn piece_written(&mut self, transfer: &mut Transfer) {
        let Stage::Writing { rest, .. } = &mut transfer.stage else { return };
        let rest = std::mem::take(rest);
        if !rest.is_empty() {
            self.tell_progress(transfer.id, transfer.tell_at.unwrap_or(transfer.done), transfer.total);
            transfer.stage = self.writing(&rest, Vec::new());
            return;
        }
        if let Some(piece) = transfer.pieces.pop_front() {
            transfer.done += piece.bytes.len() as u32;
            self.tell_progress(transfer.id, transfer.done, transfer.total);
        }
        transfer.stage = match transfer.pieces.front() {
            Some(piece) => Stage::Sending { until: self.now + time_for(Some(piece), SENT_PER_SECOND) },
            None => Stage::Reading { until: self.now + time_of(transfer.total.into(), READ_PER_SECOND) },
        };
    }

    /// What the flash has to do for a piece: its sector is erased, and every word of it is programmed that is not erased; what the sector has
    /// beside the piece is written back.
    fn operations_for(&self, piece: &Piece) -> Vec<FlashOperation> {
        let end = u64::from(piece.address) + piece.bytes.len() as u64;
        let (erase, range) = match self.profile.flash.sector_at(piece.address) {
            Some(sector) => (FlashOperation::ErasePage { address: sector.start as u32 }, sector),
            None => (FlashOperation::EraseUicr, u64::from(piece.address)..end.next_multiple_of(4)),
        };
        let mut content = vec![0xFF; (range.end - range.start) as usize];
        // What cannot be read is not flash, and is not written either.
        let _ = self.board.flash().read_raw(range.start as u32, &mut content);
        let offset = (u64::from(piece.address) - range.start) as usize;
        content[offset..offset + piece.bytes.len()].copy_from_slice(&piece.bytes);
        let words = content.as_chunks::<4>().0.iter().enumerate().map(|(index, word)| {
            let address = range.start as u32 + 4 * index as u32;
            FlashOperation::Program { address, value: u32::from_le_bytes(*word) }
        });
        let programs = words.filter(|word| !matches!(word, FlashOperation::Program { value: u32::MAX, .. }));
        std::iter::once(erase).chain(programs).collect()
    }

    /// All of an image was written through the bootloader and read back: the board is to start it.
    pub(super) fn firmware_is_there(&mut self, id: ActionId, image: &Firmware) {
        self.keys_are_kept_as_by(image);
        let bytes = pieces(image, &self.profile.flash).iter().map(|piece| piece.bytes.len() as u32).sum();
        let left = self.board.leave_bootloader();
        let stays =
            |_| bootloader::failed("start the firmware", "the board left its bootloader before it was asked to");
        self.answer(id, left.map(|()| Achieved::Flashed { bytes }).map_err(stays));
    }

    fn end_transfer(&mut self, transfer: &Transfer) {
        self.board.release_reset();
        let first = self.profile.flash.at.0;
        let held = which([&transfer.image], first, &mut InFlash(&self.board));
        let result = match held {
            Ok(Some(_)) => {
                self.keys_are_kept_as_by(&transfer.image);
                Ok(Achieved::Flashed { bytes: transfer.total })
            }
            Ok(None) => Err(cannot_write("other bytes were read back than were written")),
            Err(error) => Err(cannot_write(&error.to_string())),
        };
        self.answer(transfer.id, result);
    }

    /// From here on keys are where this firmware keeps them. What was found at the beginning stays what was found.
    fn keys_are_kept_as_by(&mut self, image: &Firmware) {
        if let Some(store) = KeyStore::of(&self.profile, image) {
            self.store = KeyStore { found: self.store.found, ..store };
        }
    }

    /// Which of the plan's firmwares the flash holds.
    pub(super) fn read_firmware(&self) -> Result<Achieved, CommandError> {
        let held = which(self.images.iter(), self.profile.flash.at.0, &mut InFlash(&self.board));
        let held = held.map_err(|error| CommandError::Failed {
            instrument: PROBE.into(),
            asked: "read the firmware".into(),
            happened: error.to_string().into(),
        })?;
        let image = |image: &Firmware| FirmwareContent::Image(FirmwareName(image.name().to_owned()));
        Ok(Achieved::Firmware(held.map_or(FirmwareContent::Torn, image)))
    }
}

fn cannot_write(happened: &str) -> CommandError {
    CommandError::Failed { instrument: PROBE.into(), asked: WRITE_FIRMWARE.into(), happened: happened.into() }
}

fn time_for(piece: Option<&Piece>, rate: u64) -> Span {
    time_of(piece.map_or(0, |piece| piece.bytes.len() as u64), rate)
}

fn time_of(bytes: u64, per_second: u64) -> Span {
    Span::nanos(bytes * 1_000_000_000 / per_second)
}
