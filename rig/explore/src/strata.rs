//! What a proof tells apart: classes of damage, and parts of a range in each of them.
//!
//! Boundary: which trial lies where, and what that is called. The boards are told apart beside it, by who made a trial.

use brickproof_scenario::Setting;

use crate::campaign::{CampaignError, Range};

/// What a proof tells apart, besides the boards: the cells of the scenario, and in each of them the parts of the first range.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Strata {
    /// Cells, by what an axis says there: each fault is met in the next one. Empty if the scenario has only one.
    pub cells: Vec<String>,
    /// Into so many parts the first range is cut.
    pub bands: u32,
}

impl Strata {
    /// So many parts of the first range, in one cell.
    pub const fn bands(count: u32) -> Self {
        Self { cells: Vec::new(), bands: count }
    }

    /// How many cells of the scenario are met.
    pub(crate) fn cell_count(&self) -> usize {
        self.cells.len().max(1)
    }

    /// How many there are, where the first range is this.
    pub(crate) fn count(&self, range: Option<&Range>) -> Result<usize, CampaignError> {
        let bands = match range {
            Some(range) => range.bands(self.bands)?,
            None if self.bands > 1 => return Err(CampaignError::NoRangeToCut { strata: self.bands }),
            None => 1,
        };
        Ok(self.cell_count() * bands)
    }

    /// In which of `count` a trial in this cell lies whose first knob stands there.
    pub(crate) fn index(&self, count: usize, cell: usize, first: Option<(&Range, Setting)>) -> usize {
        let bands = count / self.cell_count();
        let band = first.map_or(0, |(range, setting)| range.band(setting, bands));
        (cell * bands + band).min(count - 1)
    }

    /// What each of `count` is called.
    pub(crate) fn names(&self, count: usize, range: Option<&Range>) -> Vec<String> {
        let bands = (count / self.cell_count()) as u64;
        let band = |it: u64| match range {
            Some(range) if bands > 1 || self.cells.is_empty() => {
                Some(format!("{} {} to {}", range.knob(), range.part(it, bands), range.part(it + 1, bands)))
            }
            _ => None,
        };
        let name = |cell: Option<&String>, it: u64| match (cell, band(it)) {
            (Some(cell), Some(band)) => format!("{cell}, {band}"),
            (Some(cell), None) => cell.clone(),
            (None, Some(band)) => band,
            (None, None) => "all".to_owned(),
        };
        (0..self.cell_count())
            .flat_map(|cell| (0..bands).map(move |it| (cell, it)))
            .map(|(cell, it)| name(self.cells.get(cell), it))
            .collect()
    }
}
