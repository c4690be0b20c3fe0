//! The board's memory through its bootloader, as a DfuSe client goes about it: what is to be known is read, what is to be written goes page by page
//! and block by block, what is erased with it is put back, and everything is read back.
//!
//! Boundary: order and time. What an operation does to the flash, and what a loss of power does to it, is the board's; what is written where,
//! and what comes of it, is `transfer`'s and `keys`' to say.

use std::collections::VecDeque;
use std::sync::Arc;

use brickproof_firmware::{Firmware, Piece};
use brickproof_trial::{ActionId, CommandError};
use brickproof_units::Span;

use super::keys::{KeysThere, Once};
use super::{Due, World};

/// Bytes that are written at a time. Progress is told for each.
const BLOCK: usize = 1024;
/// What the bus takes for a block, either way: sixteen packets of 64 bytes, a few in each frame (assumption).
const BLOCK_ON_THE_BUS: Span = Span::millis(3);
/// How often it is looked whether the flash is done: as long as a bootloader's poll timeout usually is.
const POLL: Span = Span::millis(1);
/// The same where the very byte is awaited.
const LOOK_AGAIN: Span = Span::micros(1);
pub(super) const BOOTLOADER: &str = "the bootloader";
pub(super) const WRITE_FIRMWARE: &str = "write the firmware";

/// Something that is done through the bootloader.
#[derive(Clone, Debug)]
pub(super) struct Session {
    id: ActionId,
    work: Work,
    stage: Stage,
}

/// What it is for.
#[derive(Clone, Debug)]
pub(super) enum Work {
    /// Another firmware.
    Firmware(Firmware),
    /// Keys, which are to be looked at before it is known what to write.
    Keys(KeysThere),
    /// What is to be done about keys is written: as somebody asked for it, and what comes of it.
    Once(Arc<str>, Once),
}

#[derive(Clone, Debug)]
enum Stage {
    /// What has to be known first was read.
    Read,
    Writing(Writing),
    /// Everything was read back.
    ReadBack(Vec<Piece>),
}

/// Pieces on their way.
#[derive(Clone, Debug)]
struct Writing {
    /// Those that are not all written, the one under way first.
    left: VecDeque<Piece>,
    written: Vec<Piece>,
    /// The page under way.
    page: Option<Page>,
    /// So many bytes of the first piece are written.
    of_first: usize,
    /// And of those before it.
    before: usize,
    tell: Option<Tell>,
}

/// To whom it is told how far it has come.
#[derive(Clone, Copy, Debug)]
pub(super) struct Tell {
    /// So many bytes there are.
    pub(super) total: u32,
    /// Told exactly with this one, beside the end of each block.
    pub(super) at: Option<u32>,
}

/// What a page is to hold, and how far it is.
#[derive(Clone, Debug)]
struct Page {
    base: u32,
    content: Vec<u8>,
    /// So many bytes of it are there.
    at: usize,
    step: Step,
}

#[derive(Clone, Copy, Debug)]
enum Step {
    Erase,
    /// The next block goes over the bus.
    Send,
    /// It is there.
    Program,
    /// It is programmed up to here once the flash is done.
    Done {
        end: usize,
    },
}

/// What is to be done next, or what has come of it.
enum Next {
    /// Look again after so long.
    Wait(Span),
    /// It has been read; what there is to write is for the work to say.
    HasRead,
    /// It is written, and reads back as it was written.
    HasWritten,
    /// It has not come to its end.
    Failed(String),
}

impl Session {
    /// Begins with looking at the memory.
    pub(super) fn reading(id: ActionId, work: Work) -> Self {
        Self { id, work, stage: Stage::Read }
    }

    /// Begins with writing.
    pub(super) fn writing(id: ActionId, work: Work, pieces: Vec<Piece>, tell: Option<Tell>) -> Self {
        let left = pieces.into();
        let writing = Writing { left, written: Vec::new(), page: None, of_first: 0, before: 0, tell };
        Self { id, work, stage: Stage::Writing(writing) }
    }

    fn asked(&self) -> Arc<str> {
        match &self.work {
            Work::Firmware(_) => WRITE_FIRMWARE.into(),
            Work::Keys(keys) => keys.asked().into(),
            Work::Once(asked, _) => Arc::clone(asked),
        }
    }
}

/// What the bus takes for so many bytes.
pub(super) fn over_the_bus(bytes: usize) -> Span {
    Span::nanos(BLOCK_ON_THE_BUS.as_nanos() * bytes.div_ceil(BLOCK) as u64)
}

/// As a station reports it.
pub(super) fn failed(asked: &str, happened: impl Into<String>) -> CommandError {
    CommandError::Failed { instrument: BOOTLOADER.into(), asked: asked.into(), happened: happened.into().into() }
}

impl World {
    /// Fails if the board is not there to be written to.
    pub(super) fn expect_bootloader(&self, asked: &str) -> Result<(), CommandError> {
        let away = "the board is not in its bootloader: `enter: dfu` in a step before brings it there";
        if self.has_bootloader() { Ok(()) } else { Err(failed(asked, away)) }
    }

    /// Has a session go on after so long.
    pub(super) fn go_on_after(&mut self, wait: Span, session: Box<Session>) {
        self.put(self.now + wait, Due::ThroughDfu(session));
    }

    pub(super) fn go_on_through_dfu(&mut self, mut session: Box<Session>) {
        match (self.next_of(&mut session), &session.work) {
            (Next::Wait(wait), _) => self.go_on_after(wait, session),
            (Next::HasRead, Work::Keys(keys)) => self.keys_were_read(session.id, keys),
            (Next::HasWritten, Work::Firmware(image)) => self.firmware_is_there(session.id, image),
            (Next::HasWritten, Work::Once(_, once)) => {
                let achieved = self.come_of(once.clone());
                self.answer(session.id, Ok(achieved));
            }
            (Next::HasRead | Next::HasWritten, _) => {}
            (Next::Failed(happened), _) => self.answer(session.id, Err(failed(&session.asked(), happened))),
        }
    }

    /// Lets a session go on as far as it goes by now.
    fn next_of(&mut self, session: &mut Session) -> Next {
        if !self.has_bootloader() {
            return Next::Failed(match &session.stage {
                Stage::Writing(writing) => format!("the board left USB after {}", writing.reached()),
                Stage::Read | Stage::ReadBack(_) => "the board left USB while it was read".to_owned(),
            });
        }
        let writing = match &mut session.stage {
            Stage::Read => return Next::HasRead,
            Stage::ReadBack(pieces) => {
                return match pieces.iter().find_map(|piece| self.differs(piece)) {
                    None => Next::HasWritten,
                    Some(address) => Next::Failed(format!("{address:#010x} reads back as something else")),
                };
            }
            Stage::Writing(writing) => writing,
        };
        match self.next_of_writing(session.id, writing) {
            Ok(Some(wait)) => Next::Wait(wait),
            Ok(None) => {
                let written = std::mem::take(&mut writing.written);
                let wait = over_the_bus(written.iter().map(|piece| piece.bytes.len()).sum());
                session.stage = Stage::ReadBack(written);
                Next::Wait(wait)
            }
            Err(happened) => Next::Failed(happened.to_owned()),
        }
    }

    /// What it waits for; nothing once all is written.
    fn next_of_writing(&mut self, id: ActionId, writing: &mut Writing) -> Result<Option<Span>, &'static str> {
        const LEFT: &str = "the board left its bootloader";
        let Some(piece) = writing.left.front() else { return Ok(None) };
        let Some(page) = &mut writing.page else {
            let (page, wait) = self.page_for(piece, writing.of_first).ok_or("it has no such memory")?;
            writing.page = Some(page);
            return Ok(Some(wait));
        };
        if self.board.is_bootloader_busy() {
            return Ok(Some(writing.patience()));
        }
        match page.step {
            Step::Erase => {
                self.board.bootloader_erase(page.base).map_err(|_| LEFT)?;
                page.step = Step::Send;
                Ok(Some(POLL))
            }
            Step::Send => {
                page.step = Step::Program;
                Ok(Some(BLOCK_ON_THE_BUS))
            }
            Step::Program => {
                let end = writing.end_of_chunk();
                let Some(page) = &mut writing.page else { return Ok(Some(Span::ZERO)) };
                let chunk = &page.content[page.at..end];
                self.board.bootloader_program(page.base + page.at as u32, chunk).map_err(|_| LEFT)?;
                let words = chunk.chunks(4).filter(|word| word.iter().any(|byte| *byte != 0xFF)).count() as u64;
                page.step = Step::Done { end };
                let exactly = Span::nanos(self.board.flash().geometry().program.as_nanos() * words);
                Ok(Some(if writing.is_awaited(end) { exactly } else { POLL }))
            }
            Step::Done { end } => {
                let told = writing.come_to(end);
                if let (Some(tell), true) = (writing.tell, told) {
                    self.tell_progress(id, writing.done(), tell.total);
                }
                Ok(Some(Span::ZERO))
            }
        }
    }

    /// The page that is next for a piece of which so much is written, and how long it takes to read what it holds beside the piece.
    fn page_for(&self, piece: &Piece, written: usize) -> Option<(Page, Span)> {
        let first = piece.address.checked_add(written as u32)?;
        let sector = self.board.flash().geometry().sector_at(first)?;
        let mut content = vec![0; sector.size as usize];
        self.board.flash().read_raw(sector.address, &mut content).ok()?;
        let start = (first - sector.address) as usize;
        let count = (content.len() - start).min(piece.bytes.len() - written);
        content[start..start + count].copy_from_slice(&piece.bytes[written..written + count]);
        let reads = if count == content.len() { Span::ZERO } else { over_the_bus(content.len()) };
        Some((Page { base: sector.address, content, at: 0, step: Step::Erase }, reads))
    }

    /// The first address at which the memory is not as it was written.
    fn differs(&self, piece: &Piece) -> Option<u32> {
        let mut there = vec![0; piece.bytes.len()];
        let _ = self.board.flash().read_raw(piece.address, &mut there);
        let place = there.iter().zip(&piece.bytes).position(|(there, wanted)| there != wanted)?;
        Some(piece.address + place as u32)
    }
}

impl Writing {
    fn done(&self) -> u32 {
        (self.before + self.of_first) as u32
    }

    fn reached(&self) -> String {
        let left: usize = self.left.iter().map(|piece| piece.bytes.len()).sum();
        format!("{} of {} bytes", self.done(), self.before + left)
    }

    /// Where in the page the byte is that progress is told with, made up to a whole word, if it is in this page.
    fn awaited(&self) -> Option<usize> {
        let (piece, page) = (self.left.front()?, self.page.as_ref()?);
        let at =
            (self.tell?.at? as usize).checked_sub(self.before).filter(|at| (1..=piece.bytes.len()).contains(at))?;
        let offset = (u64::from(piece.address) + at as u64).checked_sub(u64::from(page.base))? as usize;
        Some(offset.next_multiple_of(4)).filter(|offset| *offset <= page.content.len())
    }

    fn is_awaited(&self, end: usize) -> bool {
        self.awaited() == Some(end)
    }

    /// How far the flash is to program: to the end of the block, or to the byte that is awaited inside it.
    fn end_of_chunk(&self) -> usize {
        let Some(page) = &self.page else { return 0 };
        let end = ((page.at / BLOCK + 1) * BLOCK).min(page.content.len());
        self.awaited().filter(|awaited| (page.at + 1..end).contains(awaited)).unwrap_or(end)
    }

    /// How soon a busy flash is looked at again.
    fn patience(&self) -> Span {
        match self.page.as_ref().map(|page| page.step) {
            Some(Step::Done { end }) if self.is_awaited(end) => LOOK_AGAIN,
            _ => POLL,
        }
    }

    /// The page is programmed up to there. Whether anything of a piece was.
    fn come_to(&mut self, end: usize) -> bool {
        let (Some(piece), Some(page)) = (self.left.front(), &mut self.page) else { return false };
        page.at = end;
        page.step = if end.is_multiple_of(BLOCK) { Step::Send } else { Step::Program };
        // What stands around the bytes is no progress.
        let reached = (u64::from(page.base) + end as u64).saturating_sub(u64::from(piece.address)) as usize;
        let (before, length) = (self.of_first, piece.bytes.len());
        self.of_first = reached.clamp(before, length);
        let has_gone_on = self.of_first > before;
        if end == page.content.len() {
            self.page = None;
            if self.of_first == length {
                self.before += length;
                self.of_first = 0;
                self.written.extend(self.left.pop_front());
            }
        }
        has_gone_on
    }
}
