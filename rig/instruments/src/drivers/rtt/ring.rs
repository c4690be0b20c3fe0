//! One channel of RTT: a ring in the chip's RAM that the firmware writes and a debugger reads, and one the other way.
//!
//! Boundary: memory. What a look costs and when the next one is due is the [reader's](super::reader). Probe-rs has a reader of such rings; it
//! has no place for the two questions that decide here whether bytes were lost or a pointer of another life is written over: was the core
//! reset before this look, and was it during it?
//!
//! Layout: SEGGER UM08001, "RTT control block"; as the crates rtt-target 0.6 and defmt-rtt 1.3 have it. The firmware owns the pointer that it
//! writes at, and this end the one that it reads at.

use brickproof_units::{Instant, Span};

use crate::clock::{Deadline, now};
use crate::failure::FailureKind;
use crate::kinds::{Memory, Region};

use super::elf::Segment;

const ID: &[u8; 16] = b"SEGGER RTT\0\0\0\0\0\0";
/// The id and the two counts.
const HEADER: u32 = 24;
/// One channel: name, buffer, size, where is written, where is read, flags.
const CHANNEL: u32 = 24;
const WRITTEN: u32 = 12;
const READ: u32 = 16;
const FLAGS: u32 = 20;
/// The part of the flags that is the mode.
const MODE: u32 = 3;
/// More channels than this nobody has: such a block is none, or not finished. As in probe-rs.
const MOST_CHANNELS: u32 = 255;
/// Taken in one look: some 50 ms over a probe of full-speed USB.
const MOST: usize = 4096;
/// Searched in one look.
const PIECE: u32 = 4096;
/// Compared with the ELF in one look: some 3 ms over a probe of full-speed USB, so that the ring does not wait long for it.
const COMPARED: usize = 256;
/// Firmware that was reset and has not begun the ring anew after this long keeps it over a reset; assumed, far beyond any start-up code.
const BEGINS: Span = Span::secs(1);

/// Where the control block is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Block {
    At(u32),
    /// It is searched for in the chip's RAM.
    Anywhere,
}

/// What the firmware does when the ring is full.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Mode {
    Skip = 0,
    Trim = 1,
    Wait = 2,
}

/// Which channel.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Place {
    pub(crate) block: Block,
    pub(crate) up: u32,
    pub(crate) down: u32,
    /// `None` leaves it as the firmware has it.
    pub(crate) mode: Option<Mode>,
}

/// What a look saw.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Seen {
    /// There is no ring to be read, for now.
    Nothing {
        why: String,
        next: Next,
    },
    Bytes(Heard),
}

/// When it is worth to look again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Next {
    AtOnce,
    Later,
}

/// What was read from the ring.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Heard {
    /// None, if nothing was written.
    pub(crate) bytes: Vec<u8>,
    pub(crate) at: Instant,
    /// All of them were written after this instant, if it was this life of the ring in which they were.
    pub(crate) since: Instant,
    pub(crate) life: Life,
    /// Where the board holds something else than the firmware's ELF says.
    pub(crate) differs: Option<u32>,
    pub(crate) next: Next,
}

/// Whether what is read follows on what was read last.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Life {
    Same,
    /// The ring began anew: what was written since `since` and not read then is lost.
    Anew,
}

/// Where the parts of a channel are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Found {
    up: u32,
    buffer: u32,
    size: u32,
    /// `Err` tells how many there are.
    down: Result<u32, u32>,
}

/// A reset is known of, and not yet that the ring began anew.
#[derive(Clone, Copy, Debug)]
struct Pending {
    since: Instant,
    /// A pointer of the life before was perhaps written over one of the next.
    torn: bool,
}

/// A channel, and what is remembered of it from look to look.
#[derive(Debug)]
pub(crate) struct Ring {
    place: Place,
    /// What the chip holds if it runs the firmware of the ELF; nothing if none was given.
    image: Vec<Segment>,
    /// Up to which segment, and byte of it, that was looked at in this life.
    compared: (usize, usize),
    found: Option<Found>,
    /// What the pointer that is ours was left as.
    left: Option<u32>,
    pending: Option<Pending>,
    life: Life,
    /// When it was last seen empty.
    emptied: Instant,
    /// The flags as the firmware had them, once they were changed.
    flags: Option<u32>,
    /// Where the search goes on.
    searched: (usize, u32),
    /// [`BEGINS`], but for tests.
    begins: Span,
}

fn nothing(why: impl Into<String>) -> Seen {
    Seen::Nothing { why: why.into(), next: Next::Later }
}

impl Ring {
    pub(crate) fn new(place: Place, image: Vec<Segment>) -> Self {
        Self {
            place,
            image,
            compared: (0, 0),
            found: None,
            left: None,
            pending: None,
            life: Life::Same,
            emptied: now(),
            flags: None,
            searched: (0, 0),
            begins: BEGINS,
        }
    }

    /// Reads what is in the ring, and gives the firmware its room back.
    pub(crate) fn look(&mut self, memory: &mut dyn Memory) -> Result<Seen, FailureKind> {
        if memory.take_reset()? {
            self.was_reset(false);
        }
        let looked = now();
        let found = match self.find(memory)? {
            Ok(found) => found,
            Err(seen) => return Ok(seen),
        };
        let mut channel = [0; (CHANNEL / 4) as usize];
        memory.read_words(found.up, &mut channel)?;
        let [_, buffer, size, written, read, flags] = channel;
        if (buffer, size) != (found.buffer, found.size) || written >= size || read >= size {
            self.lose();
            return Ok(nothing(format!("the channel at {:#010x} is none any more", found.up)));
        }
        if let Some(seen) = self.unsettled(memory, found, written, read)? {
            return Ok(seen);
        }
        self.set_mode(memory, found, flags)?;
        // What the pointer that is ours says now, whether it was left so or began anew.
        let mut at = self.left.unwrap_or(read);
        let waiting = (written + size - at) % size;
        let mut bytes = vec![0; (waiting as usize).min(MOST)];
        let mut rest = bytes.as_mut_slice();
        while !rest.is_empty() {
            let straight = ((size - at) as usize).min(rest.len());
            let (here, there) = rest.split_at_mut(straight);
            memory.read(buffer + at, here)?;
            at = (at + straight as u32) % size;
            rest = there;
        }
        if !bytes.is_empty() {
            // These may be of either life, and the pointer is not to be written over the next one's.
            if memory.take_reset()? {
                self.was_reset(false);
                return Ok(nothing("the board was reset while its ring was read"));
            }
            memory.write_word(found.up + READ, at)?;
            self.left = Some(at);
            if memory.take_reset()? {
                self.was_reset(true);
            }
        }
        let next = if bytes.len() < waiting as usize { Next::AtOnce } else { Next::Later };
        let since = self.emptied;
        if next == Next::Later {
            self.emptied = looked;
        }
        let (at, life) = (now(), std::mem::replace(&mut self.life, Life::Same));
        // What keeps the chip from being read here keeps the next look from it too, and these bytes are taken.
        let differs = self.compare(memory).unwrap_or_default();
        Ok(Seen::Bytes(Heard { bytes, at, since, life, differs, next }))
    }

    /// Compares the next piece of the image; answers where they differ, once in a life.
    fn compare(&mut self, memory: &mut dyn Memory) -> Result<Option<u32>, FailureKind> {
        let (index, offset) = self.compared;
        let Some(segment) = self.image.get(index) else { return Ok(None) };
        let expected = segment.bytes.get(offset..).unwrap_or_default();
        let expected = expected.get(..COMPARED).unwrap_or(expected);
        let address = segment.address.wrapping_add(offset as u32);
        let mut held = vec![0; expected.len()];
        if !held.is_empty() {
            memory.read(address, &mut held)?;
        }
        let first = held.iter().zip(expected).position(|(held, expected)| held != expected);
        let end = offset + expected.len();
        self.compared = match first {
            Some(_) => (self.image.len(), 0),
            None if end < segment.bytes.len() => (index, end),
            None => (index + 1, 0),
        };
        Ok(first.map(|at| address.wrapping_add(at as u32)))
    }

    /// Whether our pointer is known to be one of this life, and brings that about where it can be. Otherwise, what there is to see instead.
    fn unsettled(
        &mut self,
        memory: &mut dyn Memory,
        found: Found,
        written: u32,
        read: u32,
    ) -> Result<Option<Seen>, FailureKind> {
        let mut ours = read;
        match (self.left, self.pending) {
            // Nobody but start-up code, or another debugger, writes it.
            (Some(left), _) if left != read => {
                self.life = Life::Anew;
                self.left = None;
                self.pending = None;
                // This reset is known of now. What another one since makes of the pointers is seen in another look.
                memory.take_reset()?;
                return Ok(Some(Seen::Nothing { why: "the ring began anew".to_owned(), next: Next::AtOnce }));
            }
            (Some(1..), Some(pending)) if now().since(pending.since) < self.begins => {
                let why = "the board was reset, and its firmware has not begun the ring anew";
                return Ok(Some(nothing(why)));
            }
            (Some(_), Some(Pending { torn: true, .. })) => {
                self.life = Life::Anew;
                memory.write_word(found.up + READ, written)?;
                ours = written;
            }
            // It began at nought in this life as in the one before.
            (Some(0), Some(_)) => self.life = Life::Anew,
            _ => {}
        }
        self.left = Some(ours);
        self.pending = None;
        Ok(None)
    }

    /// Writes into the ring to the firmware as much as there is room for; answers how much that was.
    pub(crate) fn write(&mut self, memory: &mut dyn Memory, bytes: &[u8]) -> Result<usize, FailureKind> {
        let Ok(found) = self.find(memory)? else { return Ok(0) };
        let down = found.down.map_err(|count| missing("down", self.place.down, count))?;
        let mut channel = [0; (CHANNEL / 4) as usize];
        memory.read_words(down, &mut channel)?;
        let [_, buffer, size, written, read, _] = channel;
        if buffer == 0 || !lies_in_ram(memory, buffer, size) || written >= size || read >= size {
            return Ok(0);
        }
        // One byte stays free, or full would look like empty.
        let room = (read + size - written - 1) % size;
        let bytes = bytes.get(..room as usize).unwrap_or(bytes);
        let (mut at, mut rest) = (written, bytes);
        while !rest.is_empty() {
            let (here, there) = rest.split_at(((size - at) as usize).min(rest.len()));
            memory.write(buffer + at, here)?;
            at = (at + here.len() as u32) % size;
            rest = there;
        }
        if !bytes.is_empty() {
            memory.write_word(down + WRITTEN, at)?;
        }
        Ok(bytes.len())
    }

    /// Has the firmware do again what it wants when the ring is full: nobody may come to read it.
    pub(crate) fn release(&mut self, memory: &mut dyn Memory) -> Result<(), FailureKind> {
        match (self.found, self.flags.take()) {
            (Some(found), Some(flags)) => memory.write_word(found.up + FLAGS, flags),
            _ => Ok(()),
        }
    }

    /// The chip did not answer: whatever is there when it does again has to be found.
    pub(crate) fn lose(&mut self) {
        self.found = None;
        self.flags = None;
        self.compared = (0, 0);
    }

    fn was_reset(&mut self, torn: bool) {
        self.lose();
        if self.left.is_some() {
            let torn = torn || self.pending.is_some_and(|pending| pending.torn);
            self.pending = Some(Pending { since: now(), torn });
        }
    }

    fn set_mode(&mut self, memory: &mut dyn Memory, found: Found, flags: u32) -> Result<(), FailureKind> {
        let Some(mode) = self.place.mode.filter(|mode| *mode as u32 != flags & MODE) else { return Ok(()) };
        memory.write_word(found.up + FLAGS, flags & !MODE | mode as u32)?;
        self.flags.get_or_insert(flags);
        Ok(())
    }

    fn find(&mut self, memory: &mut dyn Memory) -> Result<Result<Found, Seen>, FailureKind> {
        if let Some(found) = self.found {
            return Ok(Ok(found));
        }
        let found = match self.place.block {
            Block::At(address) => self.found_at(memory, address)?,
            Block::Anywhere => self.search(memory)?,
        };
        if let Ok(found) = found {
            self.found = Some(found);
        }
        Ok(found)
    }

    /// The channel, if a block is there and is finished.
    fn found_at(&self, memory: &mut dyn Memory, block: u32) -> Result<Result<Found, Seen>, FailureKind> {
        let none = || Ok(Err(nothing(format!("there is no control block of RTT at {block:#010x}"))));
        if !has_id(memory, block)? {
            return none();
        }
        let mut counts = [0; 2];
        memory.read_words(block + ID.len() as u32, &mut counts)?;
        let [ups, downs] = counts;
        if ups > MOST_CHANNELS || downs > MOST_CHANNELS {
            return none();
        }
        if self.place.up >= ups {
            // Start-up code may have cleared it since: then that says nothing about the firmware.
            return if has_id(memory, block)? { Err(missing("up", self.place.up, ups)) } else { none() };
        }
        let up = block + HEADER + CHANNEL * self.place.up;
        let mut channel = [0; 3];
        memory.read_words(up, &mut channel)?;
        let [_, buffer, size] = channel;
        if buffer == 0 || size < 2 || !lies_in_ram(memory, buffer, size) {
            return Ok(Err(nothing(format!("up channel {} has no buffer", self.place.up))));
        }
        let down = block + HEADER + CHANNEL * (ups + self.place.down);
        let down = if self.place.down < downs { Ok(down) } else { Err(downs) };
        Ok(Ok(Found { up, buffer, size, down }))
    }

    /// Searches the next piece of RAM.
    fn search(&mut self, memory: &mut dyn Memory) -> Result<Result<Found, Seen>, FailureKind> {
        let (index, offset) = self.searched;
        let Some(region) = memory.ram().get(index).copied() else {
            self.searched = (0, 0);
            return Ok(Err(nothing("there is no control block of RTT in the chip's RAM")));
        };
        let at = region.address + offset;
        let length = PIECE.min(region.length - offset);
        let mut piece = vec![0; length as usize];
        memory.read(at, &mut piece)?;
        // A block lies at a word. What only looks like one has no channel.
        let candidates = piece.windows(ID.len()).step_by(4).enumerate().filter(|(_, window)| *window == ID);
        for block in candidates.map(|(word, _)| at + 4 * word as u32).collect::<Vec<_>>() {
            if let Ok(found) = self.found_at(memory, block)? {
                return Ok(Ok(found));
            }
        }
        // An id may lie across two pieces.
        let on = offset + length - (ID.len() as u32 - 4);
        self.searched = if offset + length < region.length { (index, on) } else { (index + 1, 0) };
        Ok(Err(Seen::Nothing { why: format!("searched up to {:#010x}", at + length), next: Next::AtOnce }))
    }
}

fn has_id(memory: &mut dyn Memory, block: u32) -> Result<bool, FailureKind> {
    let mut id = [0; ID.len()];
    memory.read(block, &mut id)?;
    Ok(id == *ID)
}

fn missing(which: &str, number: u32, count: u32) -> FailureKind {
    FailureKind::Unsupported(format!("{which} channel {number}: the firmware has {count} of them, counted from 0"))
}

fn lies_in_ram(memory: &dyn Memory, buffer: u32, size: u32) -> bool {
    let regions = memory.ram();
    let within = |region: &Region| {
        buffer.checked_sub(region.address).and_then(|at| at.checked_add(size)).is_some_and(|end| end <= region.length)
    };
    regions.is_empty() || regions.iter().any(within)
}

/// How long a look may take: of a probe that hangs, nobody waits for the answer.
pub(crate) fn look_deadline() -> Deadline {
    Deadline::after(Span::secs(2))
}

#[cfg(test)]
mod tests;
