//! Memory written through the board's bootloader, as a DfuSe client does it: page by page, what is erased with the bytes put back, block by block,
//! and read back at the end.
//!
//! Boundary: order and time. What an operation does to the flash, and what a loss of power does to it, is the board's.

use std::sync::Arc;

use brickproof_trial::{Achieved, ActionId, CommandError, Download};
use brickproof_units::Span;

use super::{Due, World};

/// Bytes that are written at a time. Progress is told for each.
const BLOCK: usize = 1024;
/// What the bus takes for a block, either way: sixteen packets of 64 bytes, a few in each frame (assumption).
const BLOCK_ON_THE_BUS: Span = Span::millis(3);
/// How often it is looked whether the flash is done: as long as a bootloader's poll timeout usually is.
const POLL: Span = Span::millis(1);
const BOOTLOADER: &str = "the bootloader";

/// A download that is under way.
#[derive(Clone, Debug)]
pub(super) struct Downloading {
    id: ActionId,
    what: Arc<Download>,
    /// So many of its bytes are written.
    done: usize,
    stage: Stage,
}

#[derive(Clone, Debug)]
enum Stage {
    /// The next page is to be erased.
    Page,
    /// This is to come to the page at `base`, from `at` on.
    Blocks { base: u32, content: Vec<u8>, at: usize },
    /// Everything is written; so much of it was read back.
    ReadingBack { at: usize },
}

impl World {
    pub(super) fn download(&mut self, id: ActionId, download: &Arc<Download>) {
        let failed = |happened: &str| CommandError::Failed {
            instrument: BOOTLOADER.into(),
            asked: format!("write {} bytes at {:#010x}", download.bytes.len(), download.address).into(),
            happened: happened.into(),
        };
        let mut there = vec![0; download.bytes.len()];
        let refused = if !self.has_bootloader() {
            Some("the board is not in its bootloader: `enter: dfu` brings it there")
        } else if download.alternate != 0 || self.board.flash().read_raw(download.address, &mut there).is_err() {
            Some("it has no such memory")
        } else {
            None
        };
        if let Some(happened) = refused {
            return self.put(self.now, Due::Answer(id, Err(failed(happened))));
        }
        self.leave_to_the_whole_seed();
        self.go_on(Box::new(Downloading { id, what: Arc::clone(download), done: 0, stage: Stage::Page }));
    }

    pub(super) fn go_on(&mut self, mut downloading: Box<Downloading>) {
        if !self.has_bootloader() {
            return self.cut_short(&downloading, "the board left USB in the middle");
        }
        if self.board.is_bootloader_busy() {
            return self.put(self.now + POLL, Due::GoOn(downloading));
        }
        let Downloading { id, what, done, stage } = &mut *downloading;
        let wait = match stage {
            Stage::Page if *done == what.bytes.len() => {
                *stage = Stage::ReadingBack { at: 0 };
                Span::ZERO
            }
            Stage::Page => {
                let first = what.address + *done as u32;
                let Some((base, size)) = self.page_of(first) else {
                    return self.cut_short(&downloading, "its memory ends in the middle");
                };
                let mut content = vec![0; size as usize];
                let _ = self.board.flash().read_raw(base, &mut content);
                let start = (first - base) as usize;
                let count = (content.len() - start).min(what.bytes.len() - *done);
                content[start..start + count].copy_from_slice(&what.bytes[*done..*done + count]);
                if self.board.bootloader_erase(base).is_err() {
                    return self.cut_short(&downloading, "the board left its bootloader");
                }
                let blocks = content.len().div_ceil(BLOCK) as u64;
                *stage = Stage::Blocks { base, content, at: 0 };
                // It was read over the bus first.
                Span::nanos(BLOCK_ON_THE_BUS.as_nanos() * blocks)
            }
            Stage::Blocks { base, content, at } => {
                let end = (*at + BLOCK).min(content.len());
                let address = *base + *at as u32;
                if self.board.bootloader_program(address, &content[*at..end]).is_err() {
                    return self.cut_short(&downloading, "the board left its bootloader");
                }
                *at = end;
                // What stood around the bytes is no progress.
                let reached = (u64::from(*base) + end as u64).saturating_sub(u64::from(what.address)) as usize;
                *done = reached.clamp(*done, what.bytes.len());
                if *at == content.len() {
                    *stage = Stage::Page;
                }
                let (id, done, of) = (*id, *done as u32, what.bytes.len() as u32);
                self.tell_progress(id, done, of);
                BLOCK_ON_THE_BUS
            }
            Stage::ReadingBack { at } if *at >= what.bytes.len() => {
                let mut there = vec![0; what.bytes.len()];
                let _ = self.board.flash().read_raw(what.address, &mut there);
                let result = match there.iter().zip(&*what.bytes).position(|(there, wanted)| there != wanted) {
                    None => Ok(Achieved::Done),
                    Some(place) => Err(CommandError::Failed {
                        instrument: BOOTLOADER.into(),
                        asked: format!("write {} bytes at {:#010x}", what.bytes.len(), what.address).into(),
                        happened: format!("{:#010x} reads back as something else", what.address + place as u32).into(),
                    }),
                };
                let id = *id;
                return self.answer(id, result);
            }
            Stage::ReadingBack { at } => {
                *at += BLOCK;
                BLOCK_ON_THE_BUS
            }
        };
        self.put(self.now + wait, Due::GoOn(downloading));
    }

    fn cut_short(&mut self, downloading: &Downloading, why: &str) {
        let (done, of) = (downloading.done as u32, downloading.what.bytes.len() as u32);
        self.answer(downloading.id, Ok(Achieved::CutShort { done, of, why: why.into() }));
    }

    pub(super) fn leave_dfu(&mut self) -> Result<Achieved, CommandError> {
        self.board.leave_bootloader().map(|()| Achieved::Done).map_err(|_| CommandError::Failed {
            instrument: BOOTLOADER.into(),
            asked: "start the application".into(),
            happened: "the board is not in its bootloader".into(),
        })
    }

    /// What is erased with that address: where it begins and how long it is.
    fn page_of(&self, address: u32) -> Option<(u32, u32)> {
        let sector = self.board.flash().geometry().sector_at(address)?;
        Some((sector.address, sector.size))
    }
}
