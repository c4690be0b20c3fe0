//! Scenarios that sometimes fail: does it follow the board, the firmware or neither?
//!
//! Boundary: an account of trials that were made for other purposes, not an experiment. What it assumes: given the board, the firmware and
//! what was asked, trials fail independently of each other. In the virtual world, where the same id always gives the same outcome, they do not:
//! there, "now and then" means in some seeds or cells.
//!
//! A board is compared with the other boards only where they were asked the same with the same firmware, and a firmware with the others
//! only where they were asked the same on the same board (`fisher_stratified`): a board that only got the worse firmware is not blamed for
//! it, and where a board and a firmware were never apart neither is. Of all the comparisons of a report that could show anything, Holm's correction keeps
//! the probability that any board or firmware is blamed for nothing at 5 %.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::hash::Hash;

use brickproof_report::results::World;
use brickproof_statistics::{Counts, Probability, Stratified, fisher_stratified, holm};
use serde::Serialize;

use crate::database::History;
use crate::dimensions::{Dimensions, Filter, Image, Place};
use crate::error::HistoryError;
use crate::facts::Group;
use crate::question::{Question, Questions};
use crate::rate::Rate;
use crate::rates::of_worlds;

/// How often, at most, a report may blame any board or firmware for nothing.
pub const ALPHA: f64 = 0.05;

/// What follows what, in one world.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Flakiness {
    /// Where the verdicts were found.
    pub world: World,
    /// Boards that fail more than the others, whatever the scenario.
    pub bad_boards: Vec<Follows>,
    /// Every scenario that both passed and failed, those that failed most often first.
    pub scenarios: Vec<FlakyScenario>,
    /// How many scenarios never passed: those are not flaky.
    pub never_passed: usize,
    /// How many comparisons were corrected for.
    pub comparisons: usize,
}

/// A scenario that both passed and failed.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct FlakyScenario {
    /// Its path.
    pub scenario: String,
    /// Of its trials.
    #[serde(flatten)]
    pub rate: Rate,
    /// Whether it follows a board.
    pub boards: Side,
    /// Whether it follows a firmware.
    pub firmwares: Side,
}

/// Whether failures follow the boards, or the firmwares.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Side {
    /// How many there are.
    pub number: usize,
    /// On how many of them it failed.
    pub failed_on: usize,
    /// Those that stand out.
    pub follows: Vec<Follows>,
    /// Whether any could have: with few failures, or with one board alone, no outcome would have shown anything.
    pub could_tell: bool,
}

/// A board or a firmware that fails more than the others where they were asked the same.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Follows {
    /// Which.
    pub name: String,
    /// Failures there, of how many.
    pub there: (u64, u64),
    /// Failures of the others, of how many.
    pub elsewhere: (u64, u64),
    /// How often chance alone would do that, corrected for the number of comparisons.
    pub p: f64,
}

impl History {
    /// What follows what among the trials that are asked for, in each world.
    ///
    /// # Errors
    /// The history cannot be read.
    pub fn flakiness(&self, filter: &Filter) -> Result<Vec<Flakiness>, HistoryError> {
        let _snapshot = self.snapshot()?;
        let dimensions = self.dimensions()?;
        let groups = self.groups(&dimensions, filter)?;
        Ok(of_worlds(&dimensions, &groups).map(|(world, groups)| flakiness(&dimensions, world, &groups)).collect())
    }
}

/// The trials of one question, on one board, with one firmware. Boards and firmwares by their places in lists of names.
#[derive(Clone, Copy)]
struct Cellful {
    scenario: usize,
    question: Question,
    board: usize,
    image: usize,
    counts: Counts,
}

/// A list of names without doubles.
#[derive(Default)]
struct Names<T> {
    places: HashMap<T, usize>,
    list: Vec<T>,
}

impl<T: Clone + Eq + Hash> Names<T> {
    fn place(&mut self, name: T) -> usize {
        *self.places.entry(name.clone()).or_insert_with(|| {
            self.list.push(name);
            self.list.len() - 1
        })
    }
}

/// One of several, compared with the others.
struct Comparison<K> {
    of: K,
    there: Counts,
    elsewhere: Counts,
    found: Stratified,
}

fn flakiness(dimensions: &Dimensions, world: World, groups: &[Group]) -> Flakiness {
    let (mut scenarios, mut boards, mut images) = (Names::default(), Names::default(), Names::default());
    let mut rates: BTreeMap<usize, Rate> = BTreeMap::new();
    let mut questions = Questions::default();
    let mut all = Vec::new();
    for group in groups {
        let path = dimensions.scenarios.get(&group.scenario).map_or("", String::as_str);
        let scenario = scenarios.place(path);
        let rate = rates.entry(scenario).or_default();
        *rate = rate.and(group.rate);
        if group.rate.judged() > 0 {
            all.push(Cellful {
                scenario,
                question: questions.of(dimensions, group),
                board: boards.place(dimensions.places.get(&group.place).map(board_of).unwrap_or_default()),
                image: images.place(dimensions.images.get(&group.image).map(Image::label).unwrap_or_default()),
                counts: group.rate.counts(),
            });
        }
    }
    // What never failed says nothing about who is to blame: strata without a failure are passed over.
    let is_mixed = |scenario: &usize| rates.get(scenario).is_some_and(|rate| rate.passed > 0 && rate.failed > 0);
    let mixed: Vec<Cellful> = all.iter().filter(|it| is_mixed(&it.scenario)).copied().collect();
    let by_board = compared(&mixed, |it| (it.scenario, it.board), |it| (it.scenario, it.question, it.image));
    let by_image = compared(&mixed, |it| (it.scenario, it.image), |it| (it.scenario, it.question, it.board));
    let bad = compared(&all, |it| it.board, |it| (it.scenario, it.question, it.image));
    let (corrected, comparisons) =
        corrected(by_board.iter().chain(&by_image).map(|it| it.found).chain(bad.iter().map(|it| it.found)));
    let (of_boards, rest) = corrected.split_at(by_board.len());
    let (of_images, of_bad) = rest.split_at(by_image.len());
    let side = |scenario: usize,
                number: BTreeSet<usize>,
                failed_on: usize,
                found: &[Comparison<(usize, usize)>],
                p: &[Option<Probability>],
                names: &[String]| {
        let own = || found.iter().zip(p).filter(|(it, _)| it.of.0 == scenario);
        let could_tell = own().any(|(it, _)| it.found.least.get() * comparisons.max(1) as f64 <= ALPHA);
        let follows = own().filter_map(|(it, p)| blamed(it, *p, &names[it.of.1])).collect();
        Side { number: number.len(), failed_on, follows, could_tell }
    };
    let mut flaky: Vec<FlakyScenario> = Vec::new();
    for (scenario, rate) in rates.iter().filter(|(scenario, _)| is_mixed(scenario)) {
        let own = || mixed.iter().filter(|it| it.scenario == *scenario);
        let failed = || own().filter(|it| it.counts.failures() > 0);
        let distinct = |key: fn(&Cellful) -> usize| -> (BTreeSet<usize>, usize) {
            (own().map(key).collect(), failed().map(key).collect::<BTreeSet<_>>().len())
        };
        let (of_board, failed_boards) = distinct(|it| it.board);
        let (of_image, failed_images) = distinct(|it| it.image);
        flaky.push(FlakyScenario {
            scenario: scenarios.list[*scenario].to_owned(),
            rate: *rate,
            boards: side(*scenario, of_board, failed_boards, &by_board, of_boards, &boards.list),
            firmwares: side(*scenario, of_image, failed_images, &by_image, of_images, &images.list),
        });
    }
    flaky.sort_by(|a, b| b.rate.failed.cmp(&a.rate.failed).then_with(|| a.scenario.cmp(&b.scenario)));
    let bad_boards = bad.iter().zip(of_bad).filter_map(|(it, p)| blamed(it, *p, &boards.list[it.of])).collect();
    let never_passed = rates.values().filter(|rate| rate.passed == 0 && rate.failed > 0).count();
    Flakiness { world, bad_boards, scenarios: flaky, never_passed, comparisons }
}

/// A board is known by its unique id wherever it sits, and by its place where that is not known.
fn board_of(place: &Place) -> String {
    match place.board_serial.as_str() {
        "" => format!("{} ({})", place.label(), place.board),
        serial => format!("{serial} ({})", place.board),
    }
}

fn blamed<K>(comparison: &Comparison<K>, p: Option<Probability>, name: &str) -> Option<Follows> {
    let p = p.filter(|p| p.get() <= ALPHA)?;
    let told = |counts: Counts| (counts.failures(), counts.trials());
    Some(Follows {
        name: name.to_owned(),
        there: told(comparison.there),
        elsewhere: told(comparison.elsewhere),
        p: p.get(),
    })
}

/// Each `one` against the others within each `stratum`.
fn compared<K: Copy + Ord + Hash, S: Copy + Ord + Hash>(
    all: &[Cellful],
    one: impl Fn(&Cellful) -> K,
    stratum: impl Fn(&Cellful) -> S,
) -> Vec<Comparison<K>> {
    let mut totals: HashMap<S, (u64, u64)> = HashMap::new();
    let mut own: BTreeMap<K, BTreeMap<S, (u64, u64)>> = BTreeMap::new();
    let count = |sum: &mut (u64, u64), counts: Counts| {
        *sum = (sum.0 + counts.failures(), sum.1 + counts.trials());
    };
    for it in all {
        count(totals.entry(stratum(it)).or_default(), it.counts);
    }
    for it in all {
        count(own.entry(one(it)).or_default().entry(stratum(it)).or_default(), it.counts);
    }
    let compare = |(of, strata): (K, BTreeMap<S, (u64, u64)>)| {
        let (mut there, mut elsewhere) = ((0, 0), (0, 0));
        let mut sides = Vec::new();
        for (stratum, (failures, trials)) in strata {
            let (all_failures, all_trials) = totals[&stratum];
            let counts = |failures, trials| Counts::new(failures, trials).unwrap_or_default();
            let (first, others) = (counts(failures, trials), counts(all_failures - failures, all_trials - trials));
            if others.trials() > 0 {
                count(&mut there, first);
                count(&mut elsewhere, others);
                // Where nothing or everything failed there is nothing to compare.
                if 0 < all_failures && all_failures < all_trials {
                    sides.push((first, others));
                }
            }
        }
        let counts = |(failures, trials)| Counts::new(failures, trials).unwrap_or_default();
        Comparison { of, there: counts(there), elsewhere: counts(elsewhere), found: fisher_stratified(sides) }
    };
    own.into_iter().map(compare).collect()
}

/// The p-values after Holm's correction, and how many it was for: those that no outcome could have made small are no part of it, which
/// is known from the sums alone, before it is looked who failed.
fn corrected(found: impl Iterator<Item = Stratified>) -> (Vec<Option<Probability>>, usize) {
    let found: Vec<Stratified> = found.collect();
    let could_show = |it: &&Stratified| it.least.get() <= ALPHA;
    let values: Vec<Probability> = found.iter().filter(could_show).map(|it| it.p).collect();
    let mut adjusted = holm(&values).into_iter();
    let corrected = found.iter().map(|it| if could_show(&it) { adjusted.next() } else { None }).collect();
    (corrected, values.len())
}
