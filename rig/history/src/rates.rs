//! Pass rates: for each scenario, board and firmware.
//!
//! Boundary: each is a view of the same trials; that two rates differ is no proof that what they are named after is why, see
//! [`flaky`](crate::flaky).

use std::collections::BTreeMap;

use brickproof_report::results::World;
use serde::Serialize;

use crate::database::History;
use crate::dimensions::{Dimensions, Filter, Image, Place, WORLDS};
use crate::error::HistoryError;
use crate::facts::Group;
use crate::rate::Rate;

/// The pass rates of one world.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Rates {
    /// Where the verdicts were found.
    pub world: World,
    /// All trials of it.
    pub all: Rate,
    /// Of each scenario, by its path.
    pub scenarios: Vec<(String, Rate)>,
    /// Of each board in its station.
    pub boards: Vec<(Place, Rate)>,
    /// Of each image.
    pub firmwares: Vec<(Image, Rate)>,
}

impl History {
    /// Pass rates of what is asked for, for each world that there are trials of.
    ///
    /// # Errors
    /// The history cannot be read.
    pub fn rates(&self, filter: &Filter) -> Result<Vec<Rates>, HistoryError> {
        let _snapshot = self.snapshot()?;
        let dimensions = self.dimensions()?;
        let groups = self.groups(&dimensions, filter)?;
        Ok(of_worlds(&dimensions, &groups).map(|(world, groups)| rates(&dimensions, world, &groups)).collect())
    }
}

/// The groups of each world apart.
pub(crate) fn of_worlds<'d>(
    dimensions: &'d Dimensions,
    groups: &'d [Group],
) -> impl Iterator<Item = (World, Vec<Group>)> + 'd {
    WORLDS.into_iter().filter_map(|world| {
        let is_there = |group: &&Group| dimensions.is_in(world, group.place);
        let groups: Vec<Group> = groups.iter().filter(is_there).copied().collect();
        (!groups.is_empty()).then_some((world, groups))
    })
}

fn rates(dimensions: &Dimensions, world: World, groups: &[Group]) -> Rates {
    let summed = |key: fn(&Group) -> i64| {
        let mut sums: BTreeMap<i64, Rate> = BTreeMap::new();
        for group in groups {
            let sum = sums.entry(key(group)).or_default();
            *sum = sum.and(group.rate);
        }
        sums
    };
    Rates {
        world,
        all: groups.iter().fold(Rate::default(), |sum, group| sum.and(group.rate)),
        scenarios: named(summed(|it| it.scenario), |number| dimensions.scenarios.get(&number).cloned()),
        boards: named(summed(|it| it.place), |number| dimensions.places.get(&number).cloned()),
        firmwares: named(summed(|it| it.image), |number| dimensions.images.get(&number).cloned()),
    }
}

/// The sums by name; what has several numbers and one name (a scenario that was edited) is one.
fn named<N: Ord>(sums: BTreeMap<i64, Rate>, name: impl Fn(i64) -> Option<N>) -> Vec<(N, Rate)> {
    let mut by_name: BTreeMap<N, Rate> = BTreeMap::new();
    for (number, rate) in sums {
        if let Some(name) = name(number) {
            let sum = by_name.entry(name).or_default();
            *sum = sum.and(rate);
        }
    }
    by_name.into_iter().collect()
}
