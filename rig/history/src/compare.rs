//! Two nights, two runs or two firmwares: what newly fails, what is fixed, what still fails.
//!
//! Boundary: like is compared with like: the same scenario and cell, but for the axes that only say which firmware runs. Whether a
//! difference could be chance is told by Fisher's exact test, corrected by Holm's method for the number of comparisons.

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

use brickproof_report::results::{SeenBy, World};
use brickproof_statistics::{Counts, Probability, fisher_differ, holm};
use jiff::civil::Date;
use serde::Serialize;

use crate::database::History;
use crate::dimensions::{Dimensions, Filter, WORLDS};
use crate::error::HistoryError;
use crate::facts::{Connected, Group};
use crate::question::{Question, Questions};
use crate::rate::Rate;
use crate::record::RunId;
use crate::times::Times;

/// Which trials one side of a comparison is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Selector {
    /// Those of a run.
    Run(RunId),
    /// Those of a night.
    Night(Date),
    /// Those with a firmware, by its name or the beginning of its SHA-256.
    Firmware(String),
    /// Those of the newest night.
    Last,
    /// Those of the night before that.
    Previous,
}

/// The text names no side of a comparison.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is neither a run (`17`), a night (`2026-11-27`, `last`, `previous`) nor a firmware")]
pub struct ParseSelectorError(String);

impl FromStr for Selector {
    type Err = ParseSelectorError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let wrong = || ParseSelectorError(text.to_owned());
        let is_number = |text: &str| !text.is_empty() && text.len() < 19 && text.bytes().all(|c| c.is_ascii_digit());
        let run = |text: &str| text.parse().map(|number| Self::Run(RunId::new(number))).map_err(|_| wrong());
        match text.split_once(':') {
            Some(("run", number)) if is_number(number) => return run(number),
            Some(("night", night)) => return night.parse().map(Self::Night).map_err(|_| wrong()),
            Some(("firmware", name)) if !name.is_empty() => return Ok(Self::Firmware(name.to_owned())),
            _ => {}
        }
        let is_date = text.len() == 10 && text.bytes().all(|c| c.is_ascii_digit() || c == b'-');
        match text {
            "" => Err(wrong()),
            "last" => Ok(Self::Last),
            "previous" => Ok(Self::Previous),
            _ if is_number(text) => run(text),
            _ if is_date => text.parse().map(Self::Night).map_err(|_| wrong()),
            _ => Ok(Self::Firmware(text.to_owned())),
        }
    }
}

impl fmt::Display for Selector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Run(run) => write!(f, "run {run}"),
            Self::Night(night) => write!(f, "night {night}"),
            Self::Firmware(name) => write!(f, "firmware {name}"),
            Self::Last => f.write_str("the last night"),
            Self::Previous => f.write_str("the night before"),
        }
    }
}

/// How the outcomes of a question went from one side to the other.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Change {
    /// It did not fail, and now does.
    NewlyFails,
    /// It failed, and still does.
    StillFails,
    /// It failed, and no longer does.
    Fixed,
    /// It is judged on the second side alone, and fails.
    FailsSinceJudged,
    /// It is judged on the first side alone.
    NoLongerJudged,
    /// It is judged, and never failed.
    Passes,
    /// It is judged on neither side.
    NotJudged,
}

/// One question on both sides.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Compared {
    /// The scenario's path.
    pub scenario: String,
    /// The values of its cell, but for those that say which firmware runs.
    pub cell: String,
    /// How it went.
    pub change: Change,
    /// On the first side.
    pub a: Rate,
    /// On the second.
    pub b: Rate,
    /// How often chance alone would make such a difference, corrected for the number of comparisons; null where one side was not asked.
    pub p: Option<f64>,
}

/// Times to connect of one kind of board on both sides.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ComparedTimes {
    /// The board profile.
    pub board: String,
    /// Who saw them connect.
    pub seen_by: SeenBy,
    /// On the first side, over the questions that both were asked.
    pub a: Option<Times>,
    /// On the second.
    pub b: Option<Times>,
}

/// Two sides, in one world.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Comparison {
    /// Where the verdicts were found.
    pub world: World,
    /// What the first side is, and the second: `night 2026-11-27`.
    pub sides: [String; 2],
    /// All trials of the first side.
    pub a: Rate,
    /// All trials of the second.
    pub b: Rate,
    /// Every question, those that newly fail first.
    pub questions: Vec<Compared>,
    /// Times to connect.
    pub times: Vec<ComparedTimes>,
}

/// Differences that chance makes more often than this are told as such.
pub const CHANCE: f64 = 0.05;

/// A side that selects nothing.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CompareError {
    /// There is no such night.
    #[error("there is no trial of {0}: the history is of one night alone, or of none")]
    NoNight(Selector),
    /// No trial is selected.
    #[error("there is no trial of {0}")]
    Nothing(Selector),
    /// The history cannot be read.
    #[error(transparent)]
    History(#[from] HistoryError),
}

impl History {
    /// The two sides of what is asked for, in each world that both have trials in. Which night is the last one is told in each world by
    /// itself: a trial on a virtual board in the morning makes no night of a bench.
    ///
    /// # Errors
    /// A side has no trial, or the history cannot be read.
    pub fn compare(&self, filter: &Filter, a: &Selector, b: &Selector) -> Result<Vec<Comparison>, CompareError> {
        let _snapshot = self.snapshot()?;
        let dimensions = self.dimensions()?;
        let (mut found_a, mut found_b) = (Err(CompareError::NoNight(a.clone())), Err(CompareError::NoNight(b.clone())));
        let (mut sides, mut comparisons) = (Vec::new(), Vec::new());
        for world in WORLDS.into_iter().filter(|world| dimensions.has_runs_in(filter, *world)) {
            let first = self.side(&dimensions, filter, (a, world), &mut sides, &mut found_a)?;
            let second = self.side(&dimensions, filter, (b, world), &mut sides, &mut found_b)?;
            if let (Some(first), Some(second)) = (first, second) {
                comparisons.push(comparison(&dimensions, world, &sides[first], &sides[second]));
            }
        }
        found_a.and(found_b).map(|()| comparisons)
    }

    /// Which of `sides` is what is asked for in a world, read if it was not yet; nothing if no trial of it is there. What was found of it in
    /// any world is kept in `found`.
    fn side(
        &self,
        dimensions: &Dimensions,
        filter: &Filter,
        (asked, world): (&Selector, World),
        sides: &mut Vec<Side>,
        found: &mut Result<(), CompareError>,
    ) -> Result<Option<usize>, HistoryError> {
        let Some(selector) = self.resolved(asked, world)? else { return Ok(None) };
        let place = match sides.iter().position(|it| it.selector == selector) {
            Some(place) => place,
            None => {
                let filter = narrowed(filter, &selector);
                let (groups, starts) = (self.groups(dimensions, &filter)?, self.connected(dimensions, &filter)?);
                sides.push(Side { selector, groups, starts });
                sides.len() - 1
            }
        };
        if sides[place].groups.iter().any(|group| dimensions.is_in(world, group.place)) {
            *found = Ok(());
            return Ok(Some(place));
        }
        if found.is_err() {
            *found = Err(CompareError::Nothing(asked.clone()));
        }
        Ok(None)
    }

    /// The last night, or the one before that, by its day in this world.
    fn resolved(&self, asked: &Selector, world: World) -> Result<Option<Selector>, HistoryError> {
        Ok(match asked {
            Selector::Last => self.nights(world)?.0.map(Selector::Night),
            Selector::Previous => self.nights(world)?.1.map(Selector::Night),
            other => Some(other.clone()),
        })
    }
}

/// The trials of one side, in every world that is asked for: read once, since that is what takes long.
struct Side {
    selector: Selector,
    groups: Vec<Group>,
    starts: Vec<Connected>,
}

/// What is asked for, of one side alone.
fn narrowed(filter: &Filter, side: &Selector) -> Filter {
    let filter = filter.clone();
    match side {
        Selector::Run(run) => Filter { run: Some(*run), ..filter },
        Selector::Night(night) => Filter { since: Some(*night), until: Some(*night), ..filter },
        Selector::Firmware(name) => Filter { firmware: Some(name.clone()), ..filter },
        // They are nights by now.
        Selector::Last | Selector::Previous => filter,
    }
}

fn comparison(dimensions: &Dimensions, world: World, first: &Side, second: &Side) -> Comparison {
    let mut questions = Questions::default();
    let mut sides: BTreeMap<Question, (Rate, Rate)> = BTreeMap::new();
    for group in first.groups.iter().filter(|it| dimensions.is_in(world, it.place)) {
        let (a, _) = sides.entry(questions.of(dimensions, group)).or_default();
        *a = a.and(group.rate);
    }
    for group in second.groups.iter().filter(|it| dimensions.is_in(world, it.place)) {
        let (_, b) = sides.entry(questions.of(dimensions, group)).or_default();
        *b = b.and(group.rate);
    }
    let sum = |side: fn(&(Rate, Rate)) -> Rate| sides.values().fold(Rate::default(), |sum, it| sum.and(side(it)));
    let (a, b) = (sum(|it| it.0), sum(|it| it.1));
    let mut times = Starts::new(world, &sides);
    first.starts.iter().for_each(|start| times.add(dimensions, &mut questions, start, |it| &mut it.0));
    second.starts.iter().for_each(|start| times.add(dimensions, &mut questions, start, |it| &mut it.1));
    let (times, names) = (times.told(), [first, second].map(|side| side.selector.to_string()));
    Comparison { world, sides: names, a, b, times, questions: compared(&questions, sides) }
}

fn compared(questions: &Questions, sides: BTreeMap<Question, (Rate, Rate)>) -> Vec<Compared> {
    let is_asked_twice = |(a, b): &(Rate, Rate)| a.judged() > 0 && b.judged() > 0;
    let differences: Vec<Probability> =
        sides.values().filter(|it| is_asked_twice(it)).map(|(a, b)| fisher_differ(a.counts(), b.counts())).collect();
    let mut corrected = holm(&differences).into_iter();
    let told = |(question, (a, b)): (Question, (Rate, Rate))| {
        let p = if is_asked_twice(&(a, b)) { corrected.next().map(Probability::get) } else { None };
        let (scenario, cell) = questions.name(question);
        Compared {
            scenario: scenario.to_owned(),
            cell: cell.to_owned(),
            change: change(a.counts(), b.counts()),
            a,
            b,
            p,
        }
    };
    let mut told: Vec<Compared> = sides.into_iter().map(told).collect();
    told.sort_by(|a, b| (a.change, &a.scenario, &a.cell).cmp(&(b.change, &b.scenario, &b.cell)));
    told
}

fn change(a: Counts, b: Counts) -> Change {
    match ((a.trials(), a.failures()), (b.trials(), b.failures())) {
        ((0, _), (0, _)) => Change::NotJudged,
        ((0, _), (_, 0)) => Change::Passes,
        ((0, _), _) => Change::FailsSinceJudged,
        (_, (0, _)) => Change::NoLongerJudged,
        ((_, 0), (_, 0)) => Change::Passes,
        ((_, 0), _) => Change::NewlyFails,
        (_, (_, 0)) => Change::Fixed,
        _ => Change::StillFails,
    }
}

/// Times of the first side, and of the second.
type BothTimes = (Vec<u64>, Vec<u64>);

/// The times of the questions that both sides were asked.
struct Starts<'s> {
    world: World,
    sides: &'s BTreeMap<Question, (Rate, Rate)>,
    times: BTreeMap<(String, SeenBy), BothTimes>,
}

impl<'s> Starts<'s> {
    fn new(world: World, sides: &'s BTreeMap<Question, (Rate, Rate)>) -> Self {
        Self { world, sides, times: BTreeMap::new() }
    }

    fn add(
        &mut self,
        dimensions: &Dimensions,
        questions: &mut Questions,
        start: &Connected,
        side: fn(&mut BothTimes) -> &mut Vec<u64>,
    ) {
        let Some(place) = dimensions.places.get(&start.place).filter(|place| place.world == self.world) else { return };
        let question = questions.about(dimensions, start.scenario, start.cell, start.image);
        if self.sides.get(&question).is_some_and(|(a, b)| a.all() > 0 && b.all() > 0) {
            side(self.times.entry((place.board.clone(), start.seen_by)).or_default()).push(start.after_ns);
        }
    }

    fn told(self) -> Vec<ComparedTimes> {
        let told = |((board, seen_by), (a, b))| ComparedTimes { board, seen_by, a: Times::of(a), b: Times::of(b) };
        self.times.into_iter().map(told).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::{Change, Selector, change};
    use crate::record::RunId;
    use brickproof_statistics::Counts;

    #[test]
    fn a_side_is_a_run_a_night_or_a_firmware() {
        let side = |text: &str| text.parse::<Selector>();
        assert_eq!(side("17"), Ok(Selector::Run(RunId::new(17))));
        assert_eq!(side("run:17"), Ok(Selector::Run(RunId::new(17))));
        assert_eq!(side("2026-11-27"), Ok(Selector::Night("2026-11-27".parse().unwrap())));
        assert_eq!(side("last"), Ok(Selector::Last));
        assert_eq!(side("previous"), Ok(Selector::Previous));
        assert_eq!(side("lantern-heal-full"), Ok(Selector::Firmware("lantern-heal-full".into())));
        assert_eq!(side("firmware:17"), Ok(Selector::Firmware("17".into())));
        for wrong in ["", "2026-13-01", "night:soon"] {
            assert!(side(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_change_is_what_became_of_failures() {
        let went =
            |a: (u64, u64), b: (u64, u64)| change(Counts::new(a.0, a.1).unwrap(), Counts::new(b.0, b.1).unwrap());
        assert_eq!(went((0, 9), (1, 9)), Change::NewlyFails);
        assert_eq!(went((9, 9), (0, 9)), Change::Fixed);
        assert_eq!(went((2, 9), (1, 9)), Change::StillFails);
        assert_eq!(went((0, 9), (0, 9)), Change::Passes);
        assert_eq!(went((0, 0), (1, 1)), Change::FailsSinceJudged);
        assert_eq!(went((0, 0), (0, 1)), Change::Passes);
        assert_eq!(went((0, 0), (0, 0)), Change::NotJudged);
        assert_eq!(went((5, 5), (0, 0)), Change::NoLongerJudged);
    }
}
