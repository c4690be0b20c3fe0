//! The fates of keys, counted.
//!
//! Boundary: sums.

use std::ops::AddAssign;

use super::fate::{DeviceKey, Fate, Honesty, Survival};
use crate::cuts;
use crate::cuts::table::grouped;

/// What trials came to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    /// How many there were.
    pub trials: u64,
    /// The device slot holds the old key.
    pub old: u64,
    /// It holds the new key.
    pub new: u64,
    /// It holds neither, and is not blank.
    pub torn: u64,
    /// It is blank.
    pub blank: u64,
    /// It holds a key that the board made itself.
    pub generated: u64,
    /// The board never got so far that its keys could be told. Counts as lost too.
    pub stuck: u64,
    /// The board cannot present itself to its cloud any more.
    pub lost: u64,
    /// The board calls a key good that is neither the old nor the new one.
    pub silently_wrong: u64,
    /// The board has its key, and some cells of its flash may read differently next time.
    pub weak: u64,
}

impl cuts::Tally for Tally {
    type Fate = Fate;

    const COLUMNS: &'static [&'static str] =
        &["old key", "new key", "torn", "blank", "generated", "stuck", "lost", "silently wrong", "weak cells"];

    fn count(&mut self, fate: Option<&Fate>) {
        self.trials += 1;
        let Some(fate) = fate else {
            self.stuck += 1;
            self.lost += 1;
            return;
        };
        *match fate.device {
            DeviceKey::Old => &mut self.old,
            DeviceKey::New => &mut self.new,
            DeviceKey::Torn => &mut self.torn,
            DeviceKey::Blank => &mut self.blank,
            DeviceKey::Generated => &mut self.generated,
        } += 1;
        self.lost += u64::from(fate.survival == Survival::Lost);
        self.silently_wrong += u64::from(fate.honesty == Honesty::SilentlyWrong);
        self.weak += u64::from(fate.survival == Survival::Alive && fate.weak_cells > 0);
    }

    fn trials(&self) -> u64 {
        self.trials
    }

    fn lost(&self) -> u64 {
        self.lost
    }

    fn counts(&self) -> Vec<u64> {
        let Self { old, new, torn, blank, generated, stuck, lost, silently_wrong, weak, trials: _ } = *self;
        vec![old, new, torn, blank, generated, stuck, lost, silently_wrong, weak]
    }

    fn losses(&self) -> String {
        let [torn, blank, silently_wrong] = [self.torn, self.blank, self.silently_wrong].map(grouped);
        format!("torn {torn}, blank {blank}, silently wrong {silently_wrong}")
    }
}

impl AddAssign for Tally {
    fn add_assign(&mut self, other: Self) {
        self.trials += other.trials;
        self.old += other.old;
        self.new += other.new;
        self.torn += other.torn;
        self.blank += other.blank;
        self.generated += other.generated;
        self.stuck += other.stuck;
        self.lost += other.lost;
        self.silently_wrong += other.silently_wrong;
        self.weak += other.weak;
    }
}
