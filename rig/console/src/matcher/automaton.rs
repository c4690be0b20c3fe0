//! The steps computed so far, as a table: one lookup per byte for all patterns together.
//!
//! Boundary: a cache. It never decides anything that [`step`] did not decide, and emptying it at any time changes nothing but the speed.

use std::collections::HashMap;
use std::sync::Arc;

use super::threads::{Situation, step};
use crate::pattern::Pattern;

/// Bytes of memory that the table may take before it is emptied and begun anew.
const MEMORY_LIMIT: usize = 4 * 1024 * 1024;

/// The top bit of an entry: the run over the table has to stop here.
const STOP: u32 = 1 << 31;

/// An entry that has not been computed yet.
const UNKNOWN: u32 = u32::MAX;

/// A row of the table, as the offset of its first entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Row(u32);

/// How far a run over bytes went.
pub(super) struct Run {
    /// The row reached.
    pub(super) row: Row,
    /// How many bytes led there.
    pub(super) consumed: usize,
    pub(super) stop: Stop,
}

/// Why a run over bytes stopped.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Stop {
    /// All bytes are consumed, and nothing was found.
    EndOfBytes,
    /// The last byte consumed ended or settled a match: see [`Automaton::situation`].
    Found,
    /// The step over the next byte is not in the table yet.
    Unknown,
}

#[derive(Clone, Debug)]
pub(super) struct Automaton {
    /// Bytes that no pattern tells apart share a class, and so a column.
    class_of: Box<[u8; 256]>,
    row_bits: u32,
    table: Vec<u32>,
    situations: Vec<Arc<Situation>>,
    rows: HashMap<Arc<Situation>, Row>,
    situation_memory: usize,
    memory_limit: usize,
}

impl Automaton {
    pub(super) fn new<'a>(patterns: impl Iterator<Item = &'a Pattern>) -> Self {
        let (class_of, class_count) = byte_classes(patterns);
        Self {
            class_of,
            row_bits: class_count.next_power_of_two().trailing_zeros(),
            table: Vec::new(),
            situations: Vec::new(),
            rows: HashMap::new(),
            situation_memory: 0,
            memory_limit: MEMORY_LIMIT,
        }
    }

    /// The same with room for little, so that it is emptied often.
    #[cfg(test)]
    pub(super) fn with_memory_limit(mut self, limit: usize) -> Self {
        self.memory_limit = limit;
        self
    }

    pub(super) fn situation(&self, row: Row) -> &Arc<Situation> {
        &self.situations[(row.0 >> self.row_bits) as usize]
    }

    /// The row of `situation`, which is added if it is new.
    pub(super) fn enter(&mut self, situation: Situation) -> Row {
        if let Some(row) = self.rows.get(&situation) {
            return *row;
        }
        if self.memory() > self.memory_limit {
            self.forget();
        }
        // The memory limit keeps the table far below 2^31 entries.
        let row = Row(self.table.len() as u32);
        self.table.resize(self.table.len() + (1 << self.row_bits), UNKNOWN);
        self.situation_memory += situation.memory();
        let situation = Arc::new(situation);
        self.situations.push(Arc::clone(&situation));
        self.rows.insert(situation, row);
        row
    }

    /// Computes the step from `row` over `byte` and remembers it.
    pub(super) fn learn<'a>(&mut self, patterns: impl Iterator<Item = &'a Pattern>, row: Row, byte: u8) -> Run {
        let from = Arc::clone(self.situation(row));
        let to = self.enter(step(patterns, &from, byte));
        let (stop, flag) = if self.situation(to).found_nothing() { (Stop::EndOfBytes, 0) } else { (Stop::Found, STOP) };
        // Entering may have emptied the table, and then `row` is no longer in it.
        if self.situations.get((row.0 >> self.row_bits) as usize).is_some_and(|there| Arc::ptr_eq(there, &from)) {
            let column = usize::from(self.class_of[usize::from(byte)]);
            self.table[row.0 as usize + column] = to.0 | flag;
        }
        Run { row: to, consumed: 1, stop }
    }

    /// Follows the table from `row` over `bytes` as far as it goes.
    #[inline]
    pub(super) fn run(&self, row: Row, bytes: &[u8]) -> Run {
        let table = self.table.as_slice();
        let class_of = &*self.class_of;
        let mut row = row.0;
        for (consumed, byte) in bytes.iter().enumerate() {
            let entry = table[row as usize + usize::from(class_of[usize::from(*byte)])];
            if entry & STOP != 0 {
                return match entry {
                    UNKNOWN => Run { row: Row(row), consumed, stop: Stop::Unknown },
                    found => Run { row: Row(found & !STOP), consumed: consumed + 1, stop: Stop::Found },
                };
            }
            row = entry;
        }
        Run { row: Row(row), consumed: bytes.len(), stop: Stop::EndOfBytes }
    }

    fn memory(&self) -> usize {
        self.table.len() * size_of::<u32>() + self.situation_memory
    }

    fn forget(&mut self) {
        self.table.clear();
        self.situations.clear();
        self.rows.clear();
        self.situation_memory = 0;
    }
}

/// Numbers the bytes so that two share a number exactly if no pattern tells them apart. The classes of an NFA heed its assertions too.
fn byte_classes<'a>(patterns: impl Iterator<Item = &'a Pattern>) -> (Box<[u8; 256]>, usize) {
    let patterns: Vec<&Pattern> = patterns.collect();
    let mut numbers: HashMap<Vec<u8>, u8> = HashMap::new();
    let mut class_of = Box::new([0; 256]);
    for byte in 0..=255 {
        let by_pattern = patterns.iter().map(|pattern| pattern.nfa().byte_classes().get(byte)).collect();
        // At most 256 distinct keys, the first of which has number 0.
        let fresh = numbers.len() as u8;
        class_of[usize::from(byte)] = *numbers.entry(by_pattern).or_insert(fresh);
    }
    (class_of, numbers.len())
}
