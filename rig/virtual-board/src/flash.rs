//! Flash that obeys physics: operations take time, and power lost inside one leaves cells partly changed.
//!
//! Boundary: the array and its controller's operations. Registers (NVMC) are the chip's, and when power fails is decided by whoever
//! owns the supply: it calls `Flash::cut` on the operation that is under way, with the share that the supply gave it.

mod array;
mod cells;
mod geometry;
mod marginal;
mod operation;
#[cfg(test)]
mod tests;
mod wear;

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use brickproof_units::{Instant, Ratio, Span, Voltage};

pub use cells::Cells;
pub use geometry::{FlashGeometry, Sector, Sectors};
pub(crate) use operation::COMPLETE;
pub use operation::{CutPoint, FlashCut, FlashOperation, FlashRecord};

use array::FlashArray;
use cells::Cut;
use wear::Wear;

/// Where the user information configuration registers (UICR) begin on every nRF5 part.
pub const UICR: u32 = 0x1000_1000;
/// Bytes of UICR that are modelled: one leaf, more than any part implements.
const UICR_SIZE: u32 = 4096;

/// What an STM32F205 keeps beside its array, in the layout of FLASH_OPTCR, as ST delivers it: no brown-out reset, no protection.
const OPTION_BYTES_AS_DELIVERED: u32 = 0x0FFF_AAEC;

/// The address range is not flash, or not all of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{len} bytes at {address:#010x} are not flash of this part")]
pub struct OutsideFlash {
    address: u32,
    len: usize,
}

/// An operation that has begun and not ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct UnderWay {
    pub(crate) operation: FlashOperation,
    pub(crate) index: u64,
    pub(crate) start: Instant,
    pub(crate) needed: Span,
    /// The rail that it takes for full strength, if it was asked for in a way that takes another than the part's lowest.
    pub(crate) rail: Option<Voltage>,
    pub(crate) pc: u32,
}

/// How an operation is asked for, where the controller leaves that to its user.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Manner {
    /// The time that it takes.
    pub(crate) needed: Span,
    /// The rail that it takes for full strength.
    pub(crate) rail: Voltage,
}

/// The flash of one part: code memory and UICR. Clones share what neither changes.
#[derive(Clone, Debug)]
pub struct Flash {
    geometry: FlashGeometry,
    cells: Cells,
    seed: u64,
    code: FlashArray,
    uicr: FlashArray,
    under_way: Option<UnderWay>,
    /// Operations that the same instruction, or the bootloader, asked for meanwhile: the words of an STM behind the first, those of a block.
    waiting: VecDeque<(FlashOperation, Option<Manner>)>,
    operations: u64,
    log: Vec<FlashRecord>,
    /// Writes per word since its last erase, by sector; only sectors that were programmed since the board was made.
    writes: BTreeMap<u32, Arc<[u8]>>,
    excess_writes: u64,
    epoch: u64,
    wear: Wear,
    option_bytes: u32,
}

impl Flash {
    /// Erased flash.
    pub fn new(geometry: FlashGeometry, cells: Cells, seed: u64) -> Self {
        Self {
            geometry,
            cells,
            seed,
            code: FlashArray::erased(geometry.size as usize, seed),
            uicr: FlashArray::erased(UICR_SIZE as usize, !seed),
            under_way: None,
            waiting: VecDeque::new(),
            operations: 0,
            log: Vec::new(),
            writes: BTreeMap::new(),
            excess_writes: 0,
            epoch: 0,
            wear: Wear::default(),
            option_bytes: OPTION_BYTES_AS_DELIVERED,
        }
    }

    /// Its size and timing.
    pub fn geometry(&self) -> &FlashGeometry {
        &self.geometry
    }

    /// Copies bytes as they last settled (weak cells: as they read at the last power-up), without taking time.
    pub fn read_raw(&self, address: u32, into: &mut [u8]) -> Result<(), OutsideFlash> {
        let (array, offset) = self.locate(address, into.len())?;
        array.copy_out(offset, into).ok_or(OutsideFlash { address, len: into.len() })
    }

    /// Puts bytes as a programmer with all the time in the world would, without taking time. Nothing is written on error. A page of which a
    /// bit has to be set is erased for it, and written anew.
    pub fn write_raw(&mut self, address: u32, bytes: &[u8]) -> Result<(), OutsideFlash> {
        self.locate(address, bytes.len())?;
        self.count_erases_to_write(address, bytes);
        let (array, offset) = self.locate_mut(address);
        array.put(offset, bytes).ok_or(OutsideFlash { address, len: bytes.len() })
    }

    /// The code memory from its first byte to its last, in pieces.
    pub fn contents(&self) -> impl Iterator<Item = &[u8]> {
        self.code.settled()
    }

    /// Operations begun since the board was made; the index of the next one.
    pub fn operations(&self) -> u64 {
        self.operations
    }

    /// What was done since the log was last taken.
    pub fn log(&self) -> &[FlashRecord] {
        &self.log
    }

    /// Takes the log.
    pub fn take_log(&mut self) -> Vec<FlashRecord> {
        std::mem::take(&mut self.log)
    }

    pub(crate) fn forget_log(&mut self) {
        self.log.clear();
    }

    /// Times a word was programmed more often between two erases than the part allows ([`FlashGeometry::writes_per_word`]). The
    /// model obeys nevertheless: on silicon the result is out of specification, not refused.
    pub fn excess_writes(&self) -> u64 {
        self.excess_writes
    }

    /// How often each page was erased since the board was made, wholly or in part, by the page's address; those that were.
    pub fn erases(&self) -> impl Iterator<Item = (u32, u32)> + '_ {
        self.wear.erases()
    }

    /// The option bytes of an STM32, in the layout of FLASH_OPTCR.
    pub(crate) fn option_bytes(&self) -> u32 {
        self.option_bytes
    }

    pub(crate) fn set_option_bytes(&mut self, bytes: u32) {
        self.option_bytes = bytes;
    }

    /// Cells that a cut left near the read threshold, in code memory and UICR.
    pub fn weak_cells(&self) -> usize {
        self.code.weak_cells() + self.uicr.weak_cells()
    }

    /// How cells take a cut from here on. What they hold stays.
    pub(crate) fn set_cells(&mut self, cells: Cells) {
        self.cells = cells;
    }

    /// Other silicon from here on: how cells take cuts, drift and read. What they hold stays.
    pub(crate) fn reseed(&mut self, seed: u64) {
        self.seed = seed;
        self.code.reseed(seed);
        self.uicr.reseed(!seed);
    }

    /// Lets weak cells drift and settle anew: the board powers up.
    pub(crate) fn power_up(&mut self) {
        self.epoch += 1;
        self.code.power_up(self.epoch);
        self.uicr.power_up(self.epoch);
    }

    /// `N` bytes of code memory from `offset` on, a multiple of `N`.
    #[inline]
    pub(crate) fn read_code<const N: usize>(&mut self, offset: u32) -> Option<[u8; N]> {
        self.code.read(offset)
    }

    /// The word of UICR at `offset`.
    pub(crate) fn read_uicr(&mut self, offset: u32) -> u32 {
        self.uicr.read(offset & !3).map_or(u32::MAX, u32::from_le_bytes)
    }

    /// The leaf of code memory that holds `offset`, and the leaf's offset; none if weak cells make each read of it another.
    pub(crate) fn code_leaf(&self, offset: u32) -> Option<(u32, &Arc<[u8]>)> {
        self.code.stable_leaf(offset).map(|leaf| (offset & !(array::LEAF as u32 - 1), leaf))
    }

    /// Begins an operation, or lets it wait for those before it: a store that comes while the controller works stalls until it has
    /// ended. Answers what is under way now. An operation outside the flash is none: it is ignored, as the controller does.
    pub(crate) fn begin(&mut self, operation: FlashOperation, start: Instant) -> Option<UnderWay> {
        self.begin_or_wait(operation, None, start)
    }

    /// The same, in a manner of its own if one is given.
    pub(crate) fn begin_or_wait(
        &mut self,
        operation: FlashOperation,
        manner: Option<Manner>,
        start: Instant,
    ) -> Option<UnderWay> {
        let operation = self.normalised(operation)?;
        if self.under_way.is_some() {
            self.waiting.push_back((operation, manner));
        } else {
            self.start(operation, start, manner);
        }
        self.under_way
    }

    /// Begins an operation in a manner of its own. One that comes while the controller works is none.
    pub(crate) fn begin_as(&mut self, operation: FlashOperation, manner: Manner, start: Instant) -> Option<UnderWay> {
        let operation = self.normalised(operation).filter(|_| self.under_way.is_none())?;
        self.start(operation, start, Some(manner));
        self.under_way
    }

    /// Begins the operation that has waited longest, if one waits. Answers what is under way now.
    pub(crate) fn begin_waiting(&mut self, start: Instant) -> Option<UnderWay> {
        if let Some((operation, manner)) = self.waiting.pop_front() {
            self.start(operation, start, manner);
        }
        self.under_way
    }

    /// Nobody asks for the operations that wait any more: the chip was reset or lost its power.
    pub(crate) fn forget_waiting(&mut self) {
        self.waiting.clear();
    }

    fn start(&mut self, operation: FlashOperation, start: Instant, manner: Option<Manner>) {
        let usual = match operation {
            FlashOperation::Program { .. } => self.geometry.program,
            FlashOperation::ErasePage { address } => self.sector(address).erase,
            FlashOperation::EraseUicr => self.geometry.erase_user,
            FlashOperation::EraseAll => self.geometry.erase_all,
        };
        self.count_erases_of(operation);
        let needed = manner.map_or(usual, |manner| manner.needed);
        let rail = manner.map(|manner| manner.rail);
        let under_way = UnderWay { operation, index: self.operations, start, needed, rail, pc: 0 };
        self.operations += 1;
        self.under_way = Some(under_way);
    }

    /// The operation that is under way.
    pub(crate) fn under_way(&self) -> Option<UnderWay> {
        self.under_way
    }

    /// Notes which instruction started the operation that is under way.
    pub(crate) fn attribute(&mut self, pc: u32) {
        if let Some(under_way) = &mut self.under_way {
            under_way.pc = pc;
        }
    }

    /// Ends the operation that is under way, as asked for.
    pub(crate) fn complete(&mut self, end: Instant) {
        let Some(under_way) = self.under_way.take() else { return };
        match under_way.operation {
            FlashOperation::Program { address, value } => {
                self.count_write(address);
                let (array, offset) = self.locate_mut(address);
                array.clear_bits(offset, value);
            }
            FlashOperation::ErasePage { address } => {
                let size = self.sector(address).size;
                self.forget_writes(address, size);
                self.code.erase(address - self.geometry.base, size);
            }
            FlashOperation::EraseAll => {
                self.writes.clear();
                self.code.erase(0, self.geometry.size);
                self.uicr.erase(0, UICR_SIZE);
            }
            FlashOperation::EraseUicr => {
                self.forget_writes(UICR, UICR_SIZE);
                self.uicr.erase(0, UICR_SIZE);
            }
        }
        self.record(under_way, end, COMPLETE);
    }

    /// Ends the operation that is under way because power fails or the chip is reset at `end`, after `share` of its effective time.
    pub(crate) fn cut(&mut self, end: Instant, share: Ratio) {
        if share >= COMPLETE {
            return self.complete(end);
        }
        let Some(under_way) = self.under_way.take() else { return };
        if share.get() > 0 {
            self.leave_torn(under_way, share);
        }
        self.record(under_way, end, share);
    }

    fn leave_torn(&mut self, torn: UnderWay, share: Ratio) {
        let model = self.cells.model();
        let cut = |seed| Cut { share, seed, operation: torn.index };
        match torn.operation {
            FlashOperation::Program { address, value } => {
                self.count_write(address);
                let cut = cut(self.seed_at(address));
                let (array, offset) = self.locate_mut(address);
                array.disturb(offset, 4, |word, weak, place| model.cut_program(word, weak, value, place, cut));
            }
            FlashOperation::ErasePage { address } => {
                let cut = cut(self.seed);
                let (offset, size) = (address - self.geometry.base, self.sector(address).size);
                self.code.disturb(offset, size, |bytes, weak, place| model.cut_erase(bytes, weak, place, cut));
            }
            FlashOperation::EraseAll => {
                let (code, uicr) = (cut(self.seed), cut(!self.seed));
                let size = self.geometry.size;
                self.code.disturb(0, size, |bytes, weak, place| model.cut_erase(bytes, weak, place, code));
                self.uicr.disturb(0, UICR_SIZE, |bytes, weak, place| model.cut_erase(bytes, weak, place, uicr));
            }
            FlashOperation::EraseUicr => {
                let cut = cut(!self.seed);
                self.uicr.disturb(0, UICR_SIZE, |bytes, weak, place| model.cut_erase(bytes, weak, place, cut));
            }
        }
    }

    fn record(&mut self, ended: UnderWay, end: Instant, completed: Ratio) {
        let UnderWay { operation, index, start, pc, .. } = ended;
        self.log.push(FlashRecord { index, start, end, operation, pc, completed });
    }

    /// The operation with its address rounded down to what it acts on; `None` outside the flash.
    fn normalised(&self, operation: FlashOperation) -> Option<FlashOperation> {
        match operation {
            FlashOperation::Program { address, value } => {
                let address = address & !3;
                self.locate(address, 4).ok()?;
                Some(FlashOperation::Program { address, value })
            }
            FlashOperation::ErasePage { address } => {
                let Sector { address, .. } = self.geometry.sector_at(address)?;
                Some(FlashOperation::ErasePage { address })
            }
            whole => Some(whole),
        }
    }

    /// The sector of an operation, which [`Flash::normalised`] has placed inside.
    fn sector(&self, address: u32) -> Sector {
        let geometry = &self.geometry;
        let none = Sector { address, size: 0, erase: geometry.erase_user };
        geometry.sector_at(address).unwrap_or(none)
    }

    /// Code memory and UICR are different silicon: a cell's place alone does not tell them apart.
    fn seed_at(&self, address: u32) -> u64 {
        if self.geometry.contains(address) { self.seed } else { !self.seed }
    }

    fn locate(&self, address: u32, len: usize) -> Result<(&FlashArray, u32), OutsideFlash> {
        let fits = |base: u32, size: u32| {
            let offset = address.checked_sub(base)?;
            (u64::from(offset) + len as u64 <= u64::from(size)).then_some(offset)
        };
        let code = fits(self.geometry.base, self.geometry.size).map(|offset| (&self.code, offset));
        let uicr = || fits(UICR, UICR_SIZE).map(|offset| (&self.uicr, offset));
        code.or_else(uicr).ok_or(OutsideFlash { address, len })
    }

    /// The array of an address that [`Flash::locate`] found.
    fn locate_mut(&mut self, address: u32) -> (&mut FlashArray, u32) {
        if self.geometry.contains(address) {
            (&mut self.code, address - self.geometry.base)
        } else {
            (&mut self.uicr, address - UICR)
        }
    }

    fn count_erases_of(&mut self, operation: FlashOperation) {
        match operation {
            FlashOperation::Program { .. } => {}
            FlashOperation::ErasePage { address } => self.wear.erased(address),
            FlashOperation::EraseAll => {
                let sectors = self.geometry.each_sector().map(|sector| sector.address);
                sectors.chain([UICR]).for_each(|it| self.wear.erased(it));
            }
            FlashOperation::EraseUicr => self.wear.erased(UICR),
        }
    }

    fn count_erases_to_write(&mut self, address: u32, bytes: &[u8]) {
        let geometry = self.geometry;
        let sector = |at| geometry.sector_at(at).map_or(UICR, |sector| sector.address);
        let mut there = vec![0; bytes.len()];
        // The caller has located it.
        let _ = self.read_raw(address, &mut there);
        let sets = |(at, (new, old)): (u32, (&u8, &u8))| (new & !old != 0).then(|| sector(at));
        let mut pages: Vec<u32> = (address..).zip(bytes.iter().zip(&there)).filter_map(sets).collect();
        pages.dedup();
        pages.into_iter().for_each(|it| self.wear.erased(it));
    }

    fn count_write(&mut self, address: u32) {
        let Some(limit) = self.geometry.writes_per_word else { return };
        let (first, size) = self.geometry.sector_at(address).map_or((UICR, UICR_SIZE), |it| (it.address, it.size));
        let words = || vec![0; size as usize / 4].into();
        let counts = self.writes.entry(first).or_insert_with(words);
        if let Some(count) = Arc::make_mut(counts).get_mut(((address - first) / 4) as usize) {
            *count = count.saturating_add(1);
            self.excess_writes += u64::from(*count > limit);
        }
    }

    fn forget_writes(&mut self, address: u32, len: u32) {
        self.writes.retain(|sector, _| !(address..address + len).contains(sector));
    }
}
