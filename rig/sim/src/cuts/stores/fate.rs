//! What became of one store.
//!
//! Boundary: judges reports against what is owed.

use std::fmt;

use super::listening::{Deaf, ITEMS, Listener, Report, State};
use super::tally::Tally;
use super::workload::Duty;
use crate::cuts::Outcome;

/// Some of the items.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct ItemSet(u8);

impl ItemSet {
    fn of(items: impl Iterator<Item = usize>) -> Self {
        Self(items.fold(0, |set, item| set | 1 << item))
    }

    /// Whether there are none.
    pub const fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// Whether this one is among them.
    pub const fn contains(self, item: usize) -> bool {
        self.0 >> item & 1 == 1
    }

    const fn and(self, others: Self) -> Self {
        Self(self.0 | others.0)
    }
}

impl fmt::Display for ItemSet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let items: Vec<_> = (0..ITEMS).filter(|item| self.contains(*item)).map(|item| item.to_string()).collect();
        f.write_str(&items.join(", "))
    }
}

/// What is to be said of a store, the worst that applies.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Finding {
    /// Everything is there, and the item in flight is as it was.
    Old,
    /// Everything is there, and the item in flight is new.
    New,
    /// Everything is there, and nothing more can be written.
    ReadOnly,
    /// Items are not what was acknowledged: gone, unreadable or older.
    Lost,
    /// The store gave out a value that nobody ever wrote.
    Corrupt,
    /// The store could not be mounted.
    Unmountable,
    /// The firmware panicked in the store.
    Panicked,
    /// The firmware never answered.
    Silent,
}

impl Finding {
    /// In a word or two.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Old => "old",
            Self::New => "new",
            Self::ReadOnly => "read only",
            Self::Lost => "items lost",
            Self::Corrupt => "corrupt",
            Self::Unmountable => "unmountable",
            Self::Panicked => "panicked",
            Self::Silent => "silent",
        }
    }

    /// In words.
    pub const fn text(self) -> &'static str {
        match self {
            Self::Old => "intact, the update in flight did not happen",
            Self::New => "intact, the update in flight happened",
            Self::ReadOnly => "read only: the next update is refused",
            Self::Lost => "lost what was acknowledged",
            Self::Corrupt => "gave out a value that nobody wrote",
            Self::Unmountable => "cannot be mounted",
            Self::Panicked => "panicked",
            Self::Silent => "does not answer",
        }
    }
}

/// When it was found.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Found {
    /// At the first boot after the cut.
    AtBoot,
    /// Only after one more update.
    Later,
}

/// What became of one store.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fate {
    /// The worst that can be said of it.
    pub finding: Finding,
    /// When that was found. What is not bad was found at the boot.
    pub found: Found,
    /// Items that are lost or corrupt.
    pub items: ItemSet,
    /// Cells left near the read threshold. Only under `marginal`.
    pub weak_cells: usize,
}

impl Fate {
    /// Lets a board that was just switched on boot and tell, write the update in flight again, and tell again.
    pub(super) fn after_boot(listener: &mut Listener<'_>, duty: &Duty) -> Self {
        let at_boot = match listener.until_report() {
            Ok(report) => Judgement::of(&report, duty),
            Err(deaf) => return Self::deaf(deaf, Found::AtBoot, listener),
        };
        if at_boot.finding.is_loss() {
            return at_boot.fate(Found::AtBoot, listener);
        }
        match Self::after_one_more(listener, duty) {
            Ok(later) if later.finding > Finding::New => later.fate(Found::Later, listener),
            Ok(_) => at_boot.fate(Found::AtBoot, listener),
            Err(deaf) => Self::deaf(deaf, Found::Later, listener),
        }
    }

    /// One more update, of a generation that no value had yet.
    fn after_one_more(listener: &mut Listener<'_>, duty: &Duty) -> Result<Judgement, Deaf> {
        let update = duty.once_more().in_flight;
        if !listener.write(update)? {
            return Ok(Judgement { finding: Finding::ReadOnly, items: ItemSet::default() });
        }
        let mut acknowledged = duty.acknowledged;
        acknowledged[update.item] = update.generation;
        Ok(Judgement::of(&listener.report()?, &Duty { acknowledged, in_flight: update }))
    }

    fn deaf(deaf: Deaf, found: Found, listener: &Listener<'_>) -> Self {
        let finding = match deaf {
            Deaf::Unmountable => Finding::Unmountable,
            Deaf::Panicked => Finding::Panicked,
            Deaf::Silent => Finding::Silent,
        };
        Judgement { finding, items: ItemSet::default() }.fate(found, listener)
    }

    /// Whether the store failed in anything that it owes.
    pub fn is_loss(&self) -> bool {
        self.finding.is_loss()
    }
}

impl Finding {
    pub(super) fn is_loss(self) -> bool {
        self > Self::New
    }
}

impl fmt::Display for Fate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.finding.text())?;
        if !self.items.is_empty() {
            write!(f, ": item {}", self.items)?;
        }
        if self.found == Found::Later {
            f.write_str(", seen only after one more update")?;
        }
        Ok(())
    }
}

impl Outcome for Fate {
    type Tally = Tally;

    fn bytes(&self) -> Vec<u8> {
        let head = [self.finding as u8, self.found as u8, self.items.0];
        [&head[..], &(self.weak_cells as u64).to_le_bytes()].concat()
    }

    fn loss(&self) -> Option<&'static str> {
        self.is_loss().then(|| self.finding.name())
    }
}

/// What one report says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Judgement {
    finding: Finding,
    items: ItemSet,
}

impl Judgement {
    fn of(report: &Report, duty: &Duty) -> Self {
        let is_owed = |item: usize, state: State| match state {
            State::Generation(generation) => duty.allows(item, generation),
            State::Missing | State::Corrupt | State::Unreadable => false,
        };
        let in_flight = duty.in_flight.item;
        let is_new = report[in_flight] != State::Generation(duty.acknowledged[in_flight]);
        let was_ever_written = |item: usize, state: State| match state {
            State::Generation(generation) => (1..=duty.acknowledged[item]).contains(&generation),
            State::Corrupt => false,
            State::Missing | State::Unreadable => true,
        };
        let failed = || report.iter().copied().enumerate().filter(|(item, state)| !is_owed(*item, *state));
        let corrupt =
            ItemSet::of(failed().filter(|(item, state)| !was_ever_written(*item, *state)).map(|(item, _)| item));
        let lost = ItemSet::of(failed().map(|(item, _)| item));
        let finding = match (corrupt.is_empty(), lost.is_empty()) {
            (false, _) => Finding::Corrupt,
            (true, false) => Finding::Lost,
            (true, true) if is_new => Finding::New,
            (true, true) => Finding::Old,
        };
        Self { finding, items: lost.and(corrupt) }
    }

    fn fate(self, found: Found, listener: &Listener<'_>) -> Fate {
        let weak_cells = listener.board().flash().weak_cells();
        Fate { finding: self.finding, found, items: self.items, weak_cells }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cuts::stores::workload::Update;

    const DUTY: Duty = Duty { acknowledged: [5; ITEMS], in_flight: Update { item: 2, generation: 6 } };

    fn judged(item: usize, state: State) -> (Finding, String) {
        let mut report = [State::Generation(5); ITEMS];
        report[item] = state;
        let Judgement { finding, items } = Judgement::of(&report, &DUTY);
        (finding, items.to_string())
    }

    #[test]
    fn the_update_in_flight_may_have_happened_and_no_other() {
        assert_eq!(judged(0, State::Generation(5)), (Finding::Old, String::new()));
        assert_eq!(judged(2, State::Generation(6)), (Finding::New, String::new()));
        assert_eq!(judged(3, State::Generation(6)), (Finding::Corrupt, "3".to_owned()));
        assert_eq!(judged(2, State::Generation(7)), (Finding::Corrupt, "2".to_owned()));
    }

    #[test]
    fn while_an_update_is_made_once_more_each_attempt_may_have_happened() {
        let once_more = DUTY.once_more();
        let allowed = |item| (0..9).filter(|generation| once_more.allows(item, *generation)).collect::<Vec<_>>();
        assert_eq!((allowed(2), allowed(3)), (vec![5, 6, 7], vec![5]));
    }

    #[test]
    fn what_is_gone_unreadable_or_older_is_lost_and_what_nobody_wrote_is_corrupt() {
        for state in [State::Missing, State::Unreadable, State::Generation(4)] {
            assert_eq!(judged(7, state), (Finding::Lost, "7".to_owned()), "{state:?}");
            assert_eq!(judged(2, state), (Finding::Lost, "2".to_owned()), "{state:?}");
        }
        assert_eq!(judged(7, State::Corrupt), (Finding::Corrupt, "7".to_owned()));
        assert_eq!(judged(7, State::Generation(0)), (Finding::Corrupt, "7".to_owned()));
    }
}
