//! What an exhaustive sweep counts apart: by the model of the cells, first cuts from second ones.
//!
//! Boundary: counting. What is said of it is the answer's.

use std::collections::BTreeMap;

use brickproof_scenario::plan::CellModel;
use brickproof_scenario::{Knob, Setting};
use brickproof_statistics::Counts;

use crate::outcome::Class;

/// Which cut of a board a trial ends with.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Cut {
    /// The only one.
    First,
    /// One in the boot after the first.
    Second,
}

impl Cut {
    /// As answers call it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::First => "first cuts",
            Self::Second => "second cuts",
        }
    }
}

/// The trials of one kind.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Group {
    /// The model of the cells; `None`: the usual one.
    pub cells: Option<CellModel>,
    /// Which cut they end with.
    pub cut: Cut,
    /// How many trials ended in each class, without the classes in which none did.
    pub classes: Vec<(Class, u64)>,
}

impl Group {
    /// Failures among those that are counted.
    pub fn counts(&self) -> Counts {
        let sum = |is_meant: &dyn Fn(Class) -> bool| {
            self.classes.iter().filter(|(class, _)| is_meant(*class)).map(|(_, count)| count).sum()
        };
        let counted = sum(&|class| class.counted().is_some());
        Counts::new(sum(&Class::is_failure), counted).expect("each failure is a trial")
    }

    /// `marginal, second cuts`.
    pub fn name(&self) -> String {
        match self.cells {
            Some(cells) => format!("{}, {}", cells.name(), self.cut.name()),
            None => self.cut.name().to_owned(),
        }
    }
}

/// The groups of a sweep; none if it has but one kind of trials.
pub(crate) fn groups(tried: &[(Vec<Setting>, Class)]) -> Vec<Group> {
    let mut counted: BTreeMap<(Option<CellModel>, Cut), BTreeMap<Class, u64>> = BTreeMap::new();
    for (settings, class) in tried {
        let cells = settings.iter().find_map(|setting| setting.cell_model());
        let is_second = settings.iter().any(|setting| setting.knob() == Knob::Again);
        let cut = if is_second { Cut::Second } else { Cut::First };
        *counted.entry((cells, cut)).or_default().entry(*class).or_default() += 1;
    }
    if counted.len() < 2 && counted.keys().all(|(cells, cut)| cells.is_none() && *cut == Cut::First) {
        return Vec::new();
    }
    let group =
        |((cells, cut), classes): (_, BTreeMap<_, _>)| Group { cells, cut, classes: classes.into_iter().collect() };
    counted.into_iter().map(group).collect()
}

#[cfg(test)]
mod tests {
    use brickproof_units::Span;

    use super::*;
    use crate::places::Place;

    fn tried(cells: Option<CellModel>, again: Option<Span>, class: Class) -> (Vec<Setting>, Class) {
        (Place { after: Span::millis(1), cells, again, chance: 0 }.settings(), class)
    }

    #[test]
    fn models_and_cuts_are_counted_apart_and_every_trial_once() {
        let [ideal, marginal] = [Some(CellModel::Ideal), Some(CellModel::Marginal)];
        let again = Some(Span::millis(4));
        let tried = [
            tried(ideal, None, Class::Survived),
            tried(marginal, None, Class::LockedOut),
            tried(marginal, again, Class::Survived),
            tried(marginal, again, Class::Silent),
            tried(marginal, again, Class::Invalid),
        ];
        let told: Vec<String> = groups(&tried)
            .iter()
            .map(|it| format!("{}: {} of {}", it.name(), it.counts().failures(), it.counts().trials()))
            .collect();
        assert_eq!(
            told,
            ["ideal, first cuts: 0 of 1", "marginal, first cuts: 1 of 1", "marginal, second cuts: 1 of 2"]
        );
    }

    #[test]
    fn a_sweep_of_one_kind_has_no_groups() {
        assert_eq!(groups(&[tried(None, None, Class::Survived), tried(None, None, Class::Silent)]), []);
    }
}
