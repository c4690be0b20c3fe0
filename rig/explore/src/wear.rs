//! How much of the erases that its sectors may see a board has had.
//!
//! Boundary: counts of erases by sector. They come from the board where it tells, and from what the campaign declares otherwise; how many a
//! part bears is its data sheet's to say.

use std::collections::BTreeMap;

use crate::boards::BoardNumber;

/// What one trial cost one sector.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Erased {
    /// Which one: its address, or what the campaign calls it.
    pub sector: String,
    /// How often it was erased.
    pub times: u64,
}

/// What a board's sectors may see, and what a cycle costs them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Wear {
    /// How many erases each sector may see.
    pub endurance: u64,
    /// What a cycle costs each sector of a board that does not tell; empty if only boards that do are asked.
    pub per_cycle: Vec<Erased>,
}

/// The sector that was erased most.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Worn {
    pub(crate) board: BoardNumber,
    pub(crate) sector: String,
    pub(crate) erases: u64,
}

/// What the sectors of all boards have had.
#[derive(Clone, Debug, Default)]
pub(crate) struct WearTally {
    erases: BTreeMap<(BoardNumber, String), u64>,
    /// What a cycle cost a sector at the most.
    dearest: BTreeMap<String, u64>,
    /// How much the sector that was erased most had, cycle by cycle.
    course: Vec<u64>,
}

impl WearTally {
    pub(crate) fn record(&mut self, board: BoardNumber, erased: &[Erased]) {
        for Erased { sector, times } in erased {
            let erases = self.erases.entry((board, sector.clone())).or_default();
            // A journal may say anything: what is beyond counting is worn out.
            *erases = erases.saturating_add(*times);
            let dearest = self.dearest.entry(sector.clone()).or_default();
            *dearest = (*dearest).max(*times);
        }
        self.course.push(self.most().map_or(0, |worn| worn.erases));
    }

    /// Another board took the place of this one.
    pub(crate) fn replaced(&mut self, board: BoardNumber) {
        self.erases.retain(|(of, _), _| *of != board);
    }

    /// The first of those that were erased most.
    pub(crate) fn most(&self) -> Option<Worn> {
        let most = self.erases.iter().max_by(|(a, most), (b, other)| most.cmp(other).then_with(|| b.cmp(a)));
        most.map(|((board, sector), erases)| Worn { board: *board, sector: sector.clone(), erases: *erases })
    }

    /// The sector that could see more than `endurance` erases in a further cycle, if one could.
    pub(crate) fn exhausted(&self, endurance: u64) -> Option<Worn> {
        let dearest = |sector: &String| self.dearest.get(sector).copied().unwrap_or(0);
        let over =
            self.erases.iter().filter(|((_, sector), erases)| erases.saturating_add(dearest(sector)) > endurance);
        let worst = over.max_by(|(a, most), (b, other)| most.cmp(other).then_with(|| b.cmp(a)));
        worst.map(|((board, sector), erases)| Worn { board: *board, sector: sector.clone(), erases: *erases })
    }

    /// What a cycle cost that sector at the most.
    pub(crate) fn dearest(&self, sector: &str) -> u64 {
        self.dearest.get(sector).copied().unwrap_or(0)
    }

    /// How much the sector that was erased most had after each cycle.
    pub(crate) fn course(&self) -> &[u64] {
        &self.course
    }
}
