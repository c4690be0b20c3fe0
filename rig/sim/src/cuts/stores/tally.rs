//! The fates of stores, counted.
//!
//! Boundary: sums.

use std::ops::AddAssign;

use super::fate::{Fate, Finding, Found};
use super::listening::ITEMS;
use crate::cuts;
use crate::cuts::table::grouped;

/// How often each item was lost or corrupt.
pub type Losses = [u64; ITEMS];

/// What trials came to.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    /// How many there were.
    pub trials: u64,
    /// Everything was there, and the update in flight had not happened.
    pub old: u64,
    /// Everything was there, and the update in flight had happened.
    pub new: u64,
    /// Everything was there, and the next update was refused.
    pub read_only: u64,
    /// Acknowledged items were gone, unreadable or older.
    pub lost: u64,
    /// The store gave out a value that nobody wrote.
    pub corrupt: u64,
    /// The store could not be mounted.
    pub unmountable: u64,
    /// The firmware panicked.
    pub panicked: u64,
    /// The firmware did not answer.
    pub silent: u64,
    /// Of all that is not well: what was seen only after one more update.
    pub later: u64,
    /// Everything was there, and some cells may read differently next time.
    pub weak: u64,
    /// How often which item was lost or corrupt.
    pub items: Losses,
}

impl cuts::Tally for Tally {
    type Fate = Fate;

    const COLUMNS: &'static [&'static str] = &[
        "old",
        "new",
        "read only",
        "items lost",
        "corrupt",
        "unmountable",
        "panicked",
        "silent",
        "seen later",
        "weak cells",
    ];

    fn count(&mut self, fate: Option<&Fate>) {
        self.trials += 1;
        // A board that the cut missed is one that was not told.
        let Some(fate) = fate else {
            self.silent += 1;
            return;
        };
        *match fate.finding {
            Finding::Old => &mut self.old,
            Finding::New => &mut self.new,
            Finding::ReadOnly => &mut self.read_only,
            Finding::Lost => &mut self.lost,
            Finding::Corrupt => &mut self.corrupt,
            Finding::Unmountable => &mut self.unmountable,
            Finding::Panicked => &mut self.panicked,
            Finding::Silent => &mut self.silent,
        } += 1;
        self.later += u64::from(fate.found == Found::Later);
        self.weak += u64::from(!fate.is_loss() && fate.weak_cells > 0);
        let hit = |(item, count): (usize, &mut u64)| *count += u64::from(fate.items.contains(item));
        self.items.iter_mut().enumerate().for_each(hit);
    }

    fn trials(&self) -> u64 {
        self.trials
    }

    fn lost(&self) -> u64 {
        self.trials - self.old - self.new
    }

    fn counts(&self) -> Vec<u64> {
        let Self { old, new, read_only, lost, corrupt, unmountable, panicked, silent, later, weak, .. } = *self;
        vec![old, new, read_only, lost, corrupt, unmountable, panicked, silent, later, weak]
    }

    fn losses(&self) -> String {
        let Self { read_only, lost, corrupt, unmountable, panicked, silent, .. } = *self;
        let kinds = [
            ("read only", read_only),
            ("items lost", lost),
            ("corrupt", corrupt),
            ("unmountable", unmountable),
            ("panicked", panicked),
            ("silent", silent),
        ];
        let items = self.items.iter().enumerate().map(|(item, count)| (format!("item {item}"), *count));
        let all = kinds.into_iter().map(|(kind, count)| (kind.to_owned(), count)).chain(items);
        let words: Vec<_> =
            all.filter(|(_, count)| *count > 0).map(|(what, count)| format!("{what} {}", grouped(count))).collect();
        words.join(", ")
    }
}

impl AddAssign for Tally {
    fn add_assign(&mut self, other: Self) {
        self.trials += other.trials;
        self.old += other.old;
        self.new += other.new;
        self.read_only += other.read_only;
        self.lost += other.lost;
        self.corrupt += other.corrupt;
        self.unmountable += other.unmountable;
        self.panicked += other.panicked;
        self.silent += other.silent;
        self.later += other.later;
        self.weak += other.weak;
        self.items.iter_mut().zip(other.items).for_each(|(sum, count)| *sum += count);
    }
}
