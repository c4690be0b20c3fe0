//! Another firmware in the course of a trial, written through the board's own bootloader.
//!
//! Boundary: the order of it, sector by sector, and what is told meanwhile; the board must be in its bootloader. How a sector is erased and
//! programmed is the bootloader's.

use std::sync::PoisonError;

use brickproof_firmware::{Memory as _, pieces};
use brickproof_instruments::Failure;
use brickproof_scenario::plan::Transfer;
use brickproof_trial::{Achieved, ActionId, CommandError, Stamp};

use super::flash::{TRANSFERRING, total, write_pieces};
use super::{Hands, News, in_words};
use crate::asking::ask;
use crate::bootloader::{self, InBootloader};
use crate::station::ACTION;

impl Hands {
    /// Writes an image sector by sector, tells before each how much is written, reads everything back and has the board start it. A board that
    /// loses its power meanwhile ends it. Answers when the board began anew, too.
    pub(super) async fn download(&self, id: ActionId, transfer: &Transfer) -> Result<(Stamp, Achieved), CommandError> {
        let words = |failure: Failure| in_words(&failure);
        let board = self.station.board();
        let Some(image) = self.image(transfer) else {
            return Err(self.cannot_download("there is no such image for this board"));
        };
        let Some(alternate) = board.flash_alternate().map(|alternate| alternate.number) else {
            return Err(self.cannot_download("its profile names no alternate setting with its flash"));
        };
        bootloader::is_ours(&self.station).map_err(words)?;
        let pieces = pieces(&image, &board.flash);
        let total = total(&pieces);
        let hands = self.clone();
        let _in_use = self.dfu_in_use.lock().await;
        let dfu = self.station.dfu().map_err(words)?;
        let written = ask(dfu, "write the firmware", TRANSFERRING, move |dfu, deadline| {
            let tell = |progress| hands.tell_progress(id, progress);
            write_pieces(&mut InBootloader::new(dfu, alternate, deadline)?, &pieces, "dfu", InBootloader::write, tell)
        });
        written.await.map_err(words)?;
        // Nobody listens any more once the trial is over.
        let _ = self.news.send(News::BeginsAnew(id));
        let left =
            ask(dfu, "leave the bootloader", ACTION, |dfu, deadline| dfu.leave(deadline)).await.map_err(words)?;
        let began_anew = self.began_anew(left);
        *self.keys.lock().unwrap_or_else(PoisonError::into_inner) = self.kept_as_by(&image);
        Ok((began_anew, Achieved::Flashed { bytes: total }))
    }

    fn cannot_download(&self, happened: &str) -> CommandError {
        CommandError::Failed {
            instrument: format!("dfu of {}", self.station.name()).into(),
            asked: "write the firmware".into(),
            happened: happened.into(),
        }
    }
}
