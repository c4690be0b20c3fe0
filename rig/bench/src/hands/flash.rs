//! Another firmware in the course of a trial, written through the station's probe.
//!
//! Boundary: the order of it, sector by sector, and what is told meanwhile. How a sector is erased and programmed is the probe's.

use std::sync::PoisonError;

use brickproof_firmware::{Firmware, KeyStore, Piece, ReadMemory, StoreError, pieces, which};
use brickproof_instruments::{Failure, FailureKind, Moment};
use brickproof_scenario::plan::{FirmwareContent, FirmwareName, Transfer};
use brickproof_trial::{Achieved, ActionId, CommandError, Observation, Progress, Stamp};
use brickproof_units::Span;

use super::{Hands, News, Writes, in_words};
use crate::asking::ask;
use crate::provision::{self, Probed};

/// Erasing, programming and reading back all of a part over a slow probe or bus, a sector at a time; assumed. A trial waits 300 s.
pub(super) const TRANSFERRING: Span = Span::secs(240);

impl Hands {
    /// Writes an image sector by sector, tells before each how much is written, and reads everything back. Whatever the probe says when the board
    /// loses its power meanwhile is the end of it: nothing is tried again. Answers when the board began anew, too: what it says from then on is the
    /// new firmware's, and comes before the probe has let go.
    pub(super) async fn flash(&self, id: ActionId, transfer: &Transfer) -> Result<(Stamp, Achieved), CommandError> {
        let words = |failure: Failure| in_words(&failure);
        if !self.is_fed() {
            return Err(
                self.cannot_write("the board has no power, and a probe reaches none without: feed it in a step before")
            );
        }
        let Some(image) = self.image(transfer) else {
            return Err(self.cannot_write("there is no such image for this board"));
        };
        provision::right_board(&self.station).await.map_err(|unready| words(unready.into_failure()))?;
        let pieces = pieces(&image, &self.station.board().flash);
        let total = total(&pieces);
        let hands = self.clone();
        let probe = self.station.probe().map_err(words)?;
        let written = ask(probe, "write the firmware", TRANSFERRING, move |probe, deadline| {
            let tell = |progress| hands.tell_progress(id, progress);
            write_pieces(&mut Probed::new(probe, deadline), &pieces, "probe", Probed::write_once, tell)?;
            probe.detach(deadline)
        });
        written.await.map_err(words)?;
        // Nobody listens any more once the trial is over.
        let _ = self.news.send(News::BeginsAnew(id));
        let began = provision::restart(&self.station).await.map_err(words)?;
        let began_anew = self.began_anew(began);
        *self.keys.lock().unwrap_or_else(PoisonError::into_inner) = self.kept_as_by(&image);
        Ok((began_anew, Achieved::Flashed { bytes: total }))
    }

    /// As early as it may have been: the board does nothing before.
    pub(super) fn began_anew(&self, began: Moment) -> Stamp {
        Stamp { at: self.clock.of(began.at) - began.uncertainty, uncertainty: began.uncertainty + began.uncertainty }
    }

    /// What is to be written.
    pub(super) fn image(&self, transfer: &Transfer) -> Option<Firmware> {
        self.images.iter().find(|image| image.name() == transfer.image.0).cloned()
    }

    /// How keys are kept by this firmware. What was found at the beginning stays what was found.
    pub(super) fn kept_as_by(&self, image: &Firmware) -> Option<KeyStore> {
        let before = self.keys();
        let store = KeyStore::of(self.station.board(), image)?;
        Some(KeyStore { found: before.and_then(|before| before.found), ..store })
    }

    pub(super) fn tell_progress(&self, id: ActionId, progress: Progress) {
        self.tell(self.now(), Observation::Progress { id, progress });
    }

    fn cannot_write(&self, happened: &str) -> CommandError {
        CommandError::Failed {
            instrument: format!("probe of {}", self.station.name()).into(),
            asked: "write the firmware".into(),
            happened: happened.into(),
        }
    }

    /// Which of the plan's firmwares the flash holds.
    pub(super) async fn read_firmware(&self) -> Result<Achieved, CommandError> {
        let (images, first) = (self.images.clone(), self.station.board().flash.at.0);
        let read = move |memory: &mut Probed<'_>| {
            let held = which(images.iter(), first, memory)
                .map_err(|failure| StoreError { asked: "read the firmware", happened: failure.to_string() })?;
            let image = |image: &Firmware| FirmwareContent::Image(FirmwareName(image.name().to_owned()));
            Ok(Achieved::Firmware(held.map_or(FirmwareContent::Torn, image)))
        };
        self.with_memory("read the firmware", provision::WRITING_A_SLOT, Writes::No, read).await
    }
}

/// How many bytes they are.
pub(super) fn total(pieces: &[Piece]) -> u32 {
    pieces.iter().map(|piece| piece.bytes.len() as u32).sum()
}

/// Writes one piece after the other, tells before each how much is written, and reads everything back.
pub(super) fn write_pieces<M: ReadMemory<Error = Failure>>(
    memory: &mut M,
    pieces: &[Piece],
    device: &'static str,
    write: impl Fn(&mut M, u32, &[u8]) -> Result<(), Failure>,
    tell: impl Fn(Progress),
) -> Result<(), Failure> {
    let (mut done, total) = (0, total(pieces));
    for piece in pieces {
        let length = piece.bytes.len() as u32;
        tell(Progress { done, uncertainty: length, total });
        write(memory, piece.address, &piece.bytes)?;
        done += length;
    }
    tell(Progress { done, uncertainty: 0, total });
    for piece in pieces {
        let mut there = vec![0; piece.bytes.len()];
        memory.read(piece.address, &mut there)?;
        if there != piece.bytes {
            let kind = FailureKind::ReadBack(format!("other bytes from {:#010x} on than were written", piece.address));
            return Err(Failure::new(device, "read the firmware back", kind));
        }
    }
    Ok(())
}
