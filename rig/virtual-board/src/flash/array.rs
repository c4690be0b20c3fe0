//! A flash array in leaves of 4 KiB that clones of a board share until one of them changes a leaf.
//!
//! Boundary: bytes and weak cells at offsets into this array. Addresses, time and operations are the controller's.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::flash::cells::{Disturbance, WeakCell};
use crate::seed::Noise;

/// Bytes per leaf. A leaf is the unit of sharing, not of erasure: 4 KiB suits both parts and is what a core decodes at once.
pub(crate) const LEAF: usize = 4096;

/// The content of one flash array.
#[derive(Clone, Debug)]
pub(crate) struct FlashArray {
    // Shared twice, so that a clone costs one reference count and not one per leaf.
    leaves: Arc<[Arc<[u8]>]>,
    /// The cells that a cut left near the read threshold, by leaf, in the order of their bits. Nearly always empty.
    weak: BTreeMap<usize, Arc<Vec<WeakCell>>>,
    /// Reads of weak words so far: each such read is a new throw of the dice.
    unstable_reads: u64,
    seed: u64,
}

impl FlashArray {
    /// An erased array of `size` bytes, rounded up to whole leaves.
    pub(crate) fn erased(size: usize, seed: u64) -> Self {
        let blank: Arc<[u8]> = vec![0xFF; LEAF].into();
        let leaves: Vec<_> = (0..size.div_ceil(LEAF)).map(|_| Arc::clone(&blank)).collect();
        Self { leaves: leaves.into(), weak: BTreeMap::new(), unstable_reads: 0, seed }
    }

    /// Weak cells drift and read by another seed from here on.
    pub(crate) fn reseed(&mut self, seed: u64) {
        self.seed = seed;
    }

    /// The leaf that holds `offset`.
    #[inline]
    fn leaf(&self, offset: u32) -> Option<&Arc<[u8]>> {
        self.leaves.get(offset as usize / LEAF)
    }

    /// The leaf that holds `offset`, if every read of it gives the same: it has no weak cells.
    #[inline]
    pub(crate) fn stable_leaf(&self, offset: u32) -> Option<&Arc<[u8]>> {
        if self.weak.is_empty() || !self.weak.contains_key(&(offset as usize / LEAF)) {
            self.leaf(offset)
        } else {
            None
        }
    }

    /// `N` bytes at `offset`, which is a multiple of `N`; weak cells as this read finds them.
    #[inline]
    pub(crate) fn read<const N: usize>(&mut self, offset: u32) -> Option<[u8; N]> {
        let within = offset as usize % LEAF;
        let bytes: [u8; N] = self.leaf(offset)?.get(within..within + N)?.try_into().ok()?;
        if self.weak.is_empty() {
            return Some(bytes);
        }
        Some(self.read_unstable(offset, bytes))
    }

    #[cold]
    fn read_unstable<const N: usize>(&mut self, offset: u32, mut bytes: [u8; N]) -> [u8; N] {
        let Some(cells) = self.weak.get(&(offset as usize / LEAF)) else { return bytes };
        let first = (offset as usize % LEAF * 8) as u32;
        let read_here = cells_in(cells, first, first + 8 * N as u32);
        if read_here.is_empty() {
            return bytes;
        }
        let mut noise = Noise::at(self.seed, &[u64::from(offset), self.unstable_reads]);
        self.unstable_reads += 1;
        for cell in read_here {
            set_bit(&mut bytes, cell.bit - first, cell.reads_as(&mut noise));
        }
        bytes
    }

    /// The bytes as they last settled, without reading the cells again.
    pub(crate) fn settled(&self) -> impl Iterator<Item = &[u8]> {
        self.leaves.iter().map(|leaf| &**leaf)
    }

    /// Copies the settled bytes from `offset` on into `into`; `None` if they end before.
    pub(crate) fn copy_out(&self, offset: u32, into: &mut [u8]) -> Option<()> {
        for_each_leaf_part(offset, into.len(), |leaf, within, part| {
            into[part].copy_from_slice(self.leaves.get(leaf)?.get(within)?);
            Some(())
        })
    }

    /// Puts `bytes` at `offset`, fully charged or discharged; `None` (and nothing past the end written) if they do not fit.
    pub(crate) fn put(&mut self, offset: u32, bytes: &[u8]) -> Option<()> {
        for_each_leaf_part(offset, bytes.len(), |leaf, within, part| {
            self.forget_weak(leaf, within.start as u32 * 8, within.end as u32 * 8);
            let leaf = &mut Arc::make_mut(&mut self.leaves)[..].get_mut(leaf)?;
            Arc::make_mut(leaf).get_mut(within)?.copy_from_slice(&bytes[part]);
            Some(())
        })
    }

    /// Clears the bits of the word at `offset` that are zero in `value`. Weak cells that are not programmed stay weak.
    pub(crate) fn clear_bits(&mut self, offset: u32, value: u32) -> Option<()> {
        let (leaf, within) = (offset as usize / LEAF, offset as usize % LEAF);
        let first = within as u32 * 8;
        self.retain_weak(leaf, |cell| {
            let programmed = (first..first + 32).contains(&cell.bit) && value >> (cell.bit - first) & 1 == 0;
            !programmed
        });
        let bytes = Arc::make_mut(Arc::make_mut(&mut self.leaves).get_mut(leaf)?).get_mut(within..within + 4)?;
        bytes.iter_mut().zip(value.to_le_bytes()).for_each(|(byte, mask)| *byte &= mask);
        Some(())
    }

    /// Sets every bit of `len` bytes at `offset`.
    pub(crate) fn erase(&mut self, offset: u32, len: u32) {
        for_each_leaf_part(offset, len as usize, |leaf, within, _| {
            self.forget_weak(leaf, within.start as u32 * 8, within.end as u32 * 8);
            let leaf = Arc::make_mut(&mut self.leaves).get_mut(leaf)?;
            Arc::make_mut(leaf).get_mut(within)?.fill(0xFF);
            Some(())
        });
    }

    /// Lets `disturb` change `len` bytes at `offset`, leaf by leaf, as a cut operation does. It is given the bytes, the weak cells
    /// among them (bits counted from the first byte) and the offset of the first byte.
    pub(crate) fn disturb(
        &mut self,
        offset: u32,
        len: u32,
        mut disturb: impl FnMut(&mut [u8], &[WeakCell], u32) -> Disturbance,
    ) {
        for_each_leaf_part(offset, len as usize, |leaf, within, _| {
            let (first, end) = (within.start as u32 * 8, within.end as u32 * 8);
            let mut cells: Vec<WeakCell> = self.weak.get(&leaf).map(|cells| cells.to_vec()).unwrap_or_default();
            let before: Vec<WeakCell> =
                cells_in(&cells, first, end).iter().map(|cell| cell.moved(cell.bit - first)).collect();
            let offset = (leaf * LEAF + within.start) as u32;
            let shared = Arc::make_mut(&mut self.leaves).get_mut(leaf)?;
            let after = disturb(Arc::make_mut(shared).get_mut(within)?, &before, offset);
            cells.retain(|cell| !(first..end).contains(&cell.bit));
            cells.extend(after.weak.iter().map(|cell| cell.moved(cell.bit + first)));
            cells.sort_by_key(|cell| cell.bit);
            self.keep_weak(leaf, cells);
            Some(())
        });
    }

    /// The board powers up for the `epoch`th time: weak cells drift, and settle to what they read as now.
    pub(crate) fn power_up(&mut self, epoch: u64) {
        for leaf in self.weak.keys().copied().collect::<Vec<_>>() {
            let Some(cells) = self.weak.get_mut(&leaf) else { continue };
            let mut noise = Noise::at(self.seed, &[leaf as u64, epoch, 0x5E77_1ED0]);
            let bytes = &mut Arc::make_mut(&mut self.leaves)[leaf];
            let bytes = Arc::make_mut(bytes);
            for cell in Arc::make_mut(cells) {
                cell.drift(&mut noise);
                set_bit(bytes, cell.bit, cell.reads_as(&mut noise));
            }
        }
    }

    /// Cells near the read threshold.
    pub(crate) fn weak_cells(&self) -> usize {
        self.weak.values().map(|cells| cells.len()).sum()
    }

    fn forget_weak(&mut self, leaf: usize, first: u32, end: u32) {
        self.retain_weak(leaf, |cell| !(first..end).contains(&cell.bit));
    }

    fn retain_weak(&mut self, leaf: usize, keep: impl Fn(&WeakCell) -> bool) {
        if self.weak.is_empty() {
            return;
        }
        let kept = self.weak.get(&leaf).map(|cells| cells.iter().filter(|cell| keep(cell)).cloned().collect());
        self.keep_weak(leaf, kept.unwrap_or_default());
    }

    fn keep_weak(&mut self, leaf: usize, cells: Vec<WeakCell>) {
        if cells.is_empty() {
            self.weak.remove(&leaf);
        } else {
            self.weak.insert(leaf, Arc::new(cells));
        }
    }
}

/// Calls `visit` with each leaf that `len` bytes at `offset` touch, the range within the leaf and the range within the bytes.
fn for_each_leaf_part(
    offset: u32,
    len: usize,
    mut visit: impl FnMut(usize, std::ops::Range<usize>, std::ops::Range<usize>) -> Option<()>,
) -> Option<()> {
    let mut done = 0;
    while done < len {
        let place = (offset as usize).checked_add(done)?;
        let (leaf, start) = (place / LEAF, place % LEAF);
        let part = (LEAF - start).min(len - done);
        visit(leaf, start..start + part, done..done + part)?;
        done += part;
    }
    Some(())
}

fn cells_in(cells: &[WeakCell], first: u32, end: u32) -> &[WeakCell] {
    let from = cells.partition_point(|cell| cell.bit < first);
    let to = cells.partition_point(|cell| cell.bit < end);
    &cells[from..to]
}

fn set_bit(bytes: &mut [u8], bit: u32, value: u8) {
    if let Some(byte) = bytes.get_mut(bit as usize / 8) {
        *byte = *byte & !(1 << (bit % 8)) | value << (bit % 8);
    }
}
