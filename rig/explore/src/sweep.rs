//! Sweep: what happens over a range, evenly whenever it is stopped.
//!
//! Boundary: which point comes next, and what came of each.

use std::sync::Arc;

use brickproof_scenario::Setting;
use brickproof_statistics::{GridOrder, Sequence};
use brickproof_units::Span;

use crate::asking::Question;
use crate::campaign::{Budget, CampaignError, PLACES, Range, SweepSettings, check_count, check_ranges};
use crate::outcome::Class;
use crate::places::Place;
use crate::shot::{Finding, Shot, seed_of};

/// A sweep under way.
#[derive(Clone, Debug)]
pub(crate) struct Sweep {
    order: Order,
    seed: u64,
    /// How many trials it takes.
    size: u64,
    asked: u64,
    tried: Vec<(Vec<Setting>, Class)>,
}

/// In which order the points come.
#[derive(Clone, Debug)]
enum Order {
    /// Anywhere in the ranges.
    Spread { ranges: Vec<Range>, sequence: Sequence },
    /// Every point of a grid, and all of it again for the next round.
    Grid { ranges: Vec<Range>, order: GridOrder },
    /// A list.
    Listed { places: Arc<[Place]>, order: GridOrder },
}

impl Sweep {
    pub(crate) fn new(settings: &SweepSettings, seed: u64, budget: Budget) -> Result<Self, CampaignError> {
        let (order, all) = match settings {
            SweepSettings::Ranges { ranges, each } => {
                check_ranges(ranges)?;
                let sizes: Option<Vec<u32>> = ranges.iter().map(Range::points).collect();
                match sizes {
                    Some(sizes) => {
                        let order = GridOrder::new(&sizes, seed)?;
                        let all = order.len() as u64 * u64::from(*each);
                        (Order::Grid { ranges: ranges.clone(), order }, Some(all))
                    }
                    None if *each > 1 => return Err(CampaignError::EachWithoutPoints),
                    None => {
                        let sequence = Sequence::new(ranges.len(), seed);
                        (Order::Spread { ranges: ranges.clone(), sequence }, None)
                    }
                }
            }
            SweepSettings::Places(places) => {
                let count = u32::try_from(places.len()).unwrap_or(u32::MAX);
                let order = GridOrder::new(&[count], seed)?;
                (Order::Listed { places: Arc::clone(places), order }, Some(u64::from(count)))
            }
            SweepSettings::Exhaustive(_) => return Err(CampaignError::NotAimed),
        };
        let size = match (all, budget.trials) {
            (Some(all), Some(most)) => all.min(most),
            (Some(size), None) | (None, Some(size)) => size,
            (None, None) => return Err(CampaignError::NoEnd),
        };
        check_count("a number of trials", size)?;
        Ok(Self { order, seed, size, asked: 0, tried: Vec::new() })
    }

    /// What came of each point, in the order of trying.
    pub(crate) fn tried(&self) -> &[(Vec<Setting>, Class)] {
        &self.tried
    }

    /// Where the knobs stand, and the number that chance follows.
    fn point(&self, number: u64) -> (Vec<Setting>, u64) {
        let of_grid = |order: &GridOrder| {
            let index = usize::try_from(number % (order.len() as u64).max(1)).unwrap_or(0);
            order.cell(index).unwrap_or_default()
        };
        match &self.order {
            Order::Spread { ranges, sequence } => {
                let place = |(dimension, range): (usize, &Range)| {
                    let share = sequence.coordinate(number, dimension).of(Span::nanos(PLACES));
                    range.part(share.as_nanos(), PLACES)
                };
                (ranges.iter().enumerate().map(place).collect(), number)
            }
            Order::Grid { ranges, order } => {
                (ranges.iter().zip(of_grid(order)).map(|(range, index)| range.point(index)).collect(), number)
            }
            Order::Listed { places, order } => {
                let index = of_grid(order).first().copied().unwrap_or(0) as usize;
                places.get(index).map_or((Vec::new(), number), |place| (place.settings(), u64::from(place.chance)))
            }
        }
    }
}

impl Question for Sweep {
    fn next(&mut self) -> Option<Shot> {
        if self.asked >= self.size {
            return None;
        }
        let number = self.asked;
        self.asked += 1;
        let (settings, chance) = self.point(number);
        Some(Shot::new(number, settings, seed_of(self.seed, chance)))
    }

    fn record(&mut self, shot: &Shot, finding: &Finding) {
        self.tried.push((shot.settings.clone(), finding.class));
    }

    fn is_answered(&self) -> bool {
        self.tried.len() as u64 >= self.size
    }

    fn size(&self) -> Option<u64> {
        Some(self.size)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use brickproof_scenario::Knob;
    use proptest::prelude::*;

    use super::*;

    fn range(knob: Knob, from: &str, to: &str, points: Option<u32>) -> Range {
        let setting = |text| Setting::of(knob, text).expect("it is one");
        Range::new(setting(from), setting(to), points).expect("it holds something")
    }

    fn all(sweep: &mut Sweep) -> Vec<Vec<Setting>> {
        std::iter::from_fn(|| sweep.next()).map(|shot| shot.settings).collect()
    }

    proptest! {
        #[test]
        fn a_grid_is_tried_point_by_point_each_as_often_as_asked(columns in 1_u32..12, rows in 1_u32..7, each in 1_u32..4, seed: u64) {
            let ranges = vec![
                range(Knob::After, "0s", "60ms", Some(columns)),
                range(Knob::Floor, "0V", "2V", Some(rows)),
            ];
            let asked = SweepSettings::Ranges { ranges, each };
            let mut sweep = Sweep::new(&asked, seed, Budget::default()).unwrap();
            let tried = all(&mut sweep);
            prop_assert_eq!(tried.len() as u32, columns * rows * each);
            let round = (columns * rows) as usize;
            for chunk in tried.chunks(round) {
                prop_assert_eq!(chunk.iter().collect::<BTreeSet<_>>().len(), round);
            }
        }

        #[test]
        fn a_range_that_is_stopped_early_was_covered_evenly(trials in 8_u64..200, seed: u64) {
            let asked = SweepSettings::Ranges { ranges: vec![range(Knob::After, "0s", "1s", None)], each: 1 };
            let budget = Budget { trials: Some(trials), ..Budget::default() };
            let mut sweep = Sweep::new(&asked, seed, budget).unwrap();
            let mut places: Vec<i64> = all(&mut sweep).iter().map(|it| it[0].amount()).collect();
            places.sort_unstable();
            let widest = places.windows(2).map(|pair| pair[1] - pair[0]).max().unwrap_or_default();
            // The golden-ratio sequence leaves no gap wider than twice the even one, and a little.
            prop_assert!(widest < 3 * 1_000_000_000 / trials as i64, "{widest}");
        }
    }

    #[test]
    fn the_ends_of_a_grid_are_tried_and_a_single_point_is_its_beginning() {
        let grid = range(Knob::After, "2ms", "8ms", Some(4));
        let places: Vec<String> = (0..4).map(|index| grid.point(index).to_string()).collect();
        assert_eq!(places, ["2ms", "4ms", "6ms", "8ms"]);
        assert_eq!(range(Knob::After, "2ms", "8ms", Some(1)).point(0).to_string(), "2ms");
    }

    #[test]
    fn what_cannot_be_swept_is_refused() {
        let [after, counted] = [None, Some(3)].map(|points| range(Knob::After, "0s", "1s", points));
        let floor = range(Knob::Floor, "0V", "1V", None);
        let refused = |ranges: Vec<Range>| {
            Sweep::new(&SweepSettings::Ranges { ranges, each: 1 }, 1, Budget::default()).unwrap_err().to_string()
        };
        assert!(refused(vec![]).contains("nothing to vary"));
        assert!(refused(vec![after, after]).contains("`fault.after` has two ranges"));
        assert!(refused(vec![counted, floor]).contains("give points to all"));
        assert!(refused(vec![after, floor]).contains("how many trials"));
    }
}
