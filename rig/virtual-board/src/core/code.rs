//! Instructions decoded once, a page at a time, and kept for as long as the page stays the same.
//!
//! Boundary: a cache. It changes how fast code is executed, never what it does: a page is used only while the chip offers the very
//! allocation it was decoded from, and since the cache holds on to that allocation, nobody can have changed it in between.

use std::{fmt, sync::Arc};

use super::encoding::{Instruction, decode, is_wide};
use crate::bus::{Bus, CodePage};

/// Pages are found by this many low bits of the address dropped: 1 KiB, the smallest flash page of the parts modelled. A larger
/// page is found under several numbers.
const SLOT_SHIFT: u32 = 10;
/// Code above 16 MiB is fetched instead, so that a strange address cannot make the table large.
const MAX_SLOTS: usize = 16 << (20 - SLOT_SHIFT);
/// An STM32 has its flash here and once more at 0: both are found under the same numbers.
const SECOND_PLACE: u32 = 0x0800_0000;

/// The number under which the page that holds `address` is found.
#[inline(always)]
const fn slot_of(address: u32) -> usize {
    ((address & !SECOND_PLACE) >> SLOT_SHIFT) as usize
}

/// A page, decoded.
pub(super) struct DecodedPage {
    base: u32,
    source: Arc<[u8]>,
    instructions: Box<[Instruction]>,
}

impl DecodedPage {
    fn new(page: CodePage<'_>) -> Self {
        let halfwords: Vec<u16> =
            page.bytes.chunks_exact(2).map(|pair| u16::from_le_bytes([pair[0], pair[1]])).collect();
        let addresses = (page.base..).step_by(2);
        let mut instructions: Vec<Instruction> = addresses
            .zip(&halfwords)
            .zip(halfwords.iter().skip(1).chain([&0]))
            .map(|((address, first), second)| decode(address, *first, *second))
            .collect();
        // The second half of a 32-bit instruction at the very end is in another page.
        if halfwords.last().is_some_and(|last| is_wide(*last)) {
            instructions.pop();
        }
        DecodedPage { base: page.base, source: Arc::clone(page.bytes), instructions: instructions.into() }
    }

    fn is_of(&self, page: CodePage<'_>) -> bool {
        self.base == page.base && Arc::ptr_eq(&self.source, page.bytes)
    }

    /// The instruction at an even address, if all of it is in this page.
    #[inline(always)]
    pub(super) fn at(&self, address: u32) -> Option<&Instruction> {
        self.instructions.get((address.wrapping_sub(self.base) >> 1) as usize)
    }
}

/// The decoded pages of one board, shared with its clones.
#[derive(Clone, Default)]
pub(super) struct CodeCache {
    slots: Arc<Vec<Option<Arc<DecodedPage>>>>,
}

impl CodeCache {
    /// The decoded page with the whole instruction at `address`, if the chip offers that page.
    #[inline]
    pub(super) fn page<B: Bus>(&mut self, bus: &B, address: u32) -> Option<&DecodedPage> {
        let offered = bus.code_page(address)?;
        let slot = slot_of(address);
        let is_current = matches!(self.slots.get(slot), Some(Some(page)) if page.is_of(offered));
        if !is_current {
            self.decode(slot, offered)?;
        }
        self.slots.get(slot)?.as_deref().filter(|page| page.at(address).is_some())
    }

    #[cold]
    fn decode(&mut self, slot: usize, page: CodePage<'_>) -> Option<()> {
        if slot >= MAX_SLOTS {
            return None;
        }
        // A larger page may have been decoded already, for another of its slots.
        let first = slot_of(page.base);
        let known = self.slots.iter().take(slot).skip(first).flatten().find(|known| known.is_of(page)).cloned();
        let slots = Arc::make_mut(&mut self.slots);
        if slots.len() <= slot {
            slots.resize(slot + 1, None);
        }
        slots[slot] = Some(known.unwrap_or_else(|| Arc::new(DecodedPage::new(page))));
        Some(())
    }
}

impl fmt::Debug for CodeCache {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "CodeCache({} pages)", self.slots.iter().flatten().count())
    }
}
