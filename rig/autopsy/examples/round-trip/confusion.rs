//! What was done against what was found, slot by slot.
//!
//! Boundary: counts and a table.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::{self, Display};

use brickproof_autopsy::Findings;
use brickproof_keys::lantern_layout::Area;

use crate::damage::Damaged;

/// How often each class was found where each thing was done.
#[derive(Default)]
pub(crate) struct Confusion {
    counts: BTreeMap<(&'static str, &'static str), usize>,
    /// Slots in which something was found that cannot come of what was done.
    pub(crate) wrong: Vec<String>,
}

impl Confusion {
    /// Counts the slots of a board.
    pub(crate) fn count(&mut self, damaged: &Damaged, findings: &Findings) {
        for (area, at) in findings.areas.iter().zip([Area::A, Area::B]) {
            for slot in &area.slots {
                let (done, can_be) = damaged.done.to(damaged.store, at, slot.slot);
                let found = slot.state.class();
                *self.counts.entry((done, found)).or_default() += 1;
                if !can_be.contains(&found) {
                    let Damaged { board, done, .. } = damaged;
                    self.wrong.push(format!("{}: {done:?}: area {at}, {}: {}", board.name, slot.slot, slot.state));
                }
            }
        }
    }

    /// How many slots were looked at.
    pub(crate) fn slots(&self) -> usize {
        self.counts.values().sum()
    }
}

impl Display for Confusion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let rows: BTreeSet<_> = self.counts.keys().map(|(done, _)| *done).collect();
        let columns: BTreeSet<_> = self.counts.keys().map(|(_, found)| *found).collect();
        write!(f, "{:16}", "done \\ found")?;
        columns.iter().try_for_each(|column| write!(f, " {column:>13}"))?;
        for row in rows {
            write!(f, "\n{row:16}")?;
            for column in &columns {
                match self.counts.get(&(row, *column)) {
                    Some(count) => write!(f, " {count:>13}")?,
                    None => write!(f, " {:>13}", ".")?,
                }
            }
        }
        Ok(())
    }
}
