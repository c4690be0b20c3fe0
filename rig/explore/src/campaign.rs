//! What is asked: the question, the range in which it is asked, and how much it may cost.
//!
//! Boundary: values that were checked against each other. Where they come from, a reviewed file or a command line, is all the same.

use std::sync::Arc;

use brickproof_scenario::{Knob, Setting};
use brickproof_statistics::{Asked, DesignError, GridError, Probability, WindowError};
use brickproof_units::{Instant, Size, Span};

use crate::soak::SoakSettings;
use crate::strata::Strata;

use crate::places::{Exhaustive, Place};

/// A campaign without mistakes. The scenario it belongs to is the caller's.
#[derive(Clone, Debug, PartialEq)]
pub struct Campaign {
    /// Its question as a sentence.
    pub title: String,
    /// What is asked.
    pub kind: Kind,
    /// What its trials share up to the fault; only the lower half counts.
    pub seed: u64,
    /// When to stop whatever is known by then.
    pub budget: Budget,
}

impl Campaign {
    /// The latest instant after the trigger that is tried; zero if instants are not varied.
    pub fn latest(&self) -> Span {
        match &self.kind {
            Kind::Sweep(SweepSettings::Places(places)) => {
                places.iter().map(|place| place.after).max().unwrap_or_default()
            }
            _ => {
                let instants = self.ends().into_iter().filter(|end| end.knob() == Knob::After);
                Span::nanos(instants.map(|end| end.amount().unsigned_abs()).max().unwrap_or(0))
            }
        }
    }

    /// Both ends of every range: where a scenario allows them, it allows what lies between.
    pub fn ends(&self) -> Vec<Setting> {
        let ranges: &[Range] = match &self.kind {
            Kind::Sweep(SweepSettings::Ranges { ranges, .. }) => ranges,
            Kind::Sweep(SweepSettings::Places(_) | SweepSettings::Exhaustive(_)) | Kind::Soak(_) => &[],
            Kind::FindWindow(asked) => std::slice::from_ref(&asked.range),
            Kind::Prove(settings) => &settings.ranges,
        };
        ranges.iter().flat_map(|range| [range.from, range.to]).collect()
    }
}

/// How much a campaign may cost.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Budget {
    /// No more trials than these.
    pub trials: Option<u64>,
    /// None is begun after so long.
    pub time: Option<Span>,
    /// So much of the disk for the evidence of a soak. Other campaigns keep none: their trials are made again by their ids.
    pub evidence: Option<Size>,
}

/// The questions.
#[derive(Clone, Debug, PartialEq)]
pub enum Kind {
    /// What happens over a range?
    Sweep(SweepSettings),
    /// At which instants does it fail?
    FindWindow(WindowAsked),
    /// Is the candidate fixed?
    Prove(ProveSettings),
    /// Does it last?
    Soak(SoakSettings),
}

impl Kind {
    /// As commands and files call it.
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Sweep(_) => "sweep",
            Self::FindWindow(_) => "find-window",
            Self::Prove(_) => "prove",
            Self::Soak(_) => "soak",
        }
    }
}

/// Where a knob may stand: both ends included.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Range {
    from: Setting,
    to: Setting,
    /// So many places, evenly apart; `None`: anywhere between the ends.
    points: Option<u32>,
}

impl Range {
    /// A range of one knob.
    ///
    /// # Errors
    /// It ends before it begins, belongs to two knobs, or has no point.
    pub fn new(from: Setting, to: Setting, points: Option<u32>) -> Result<Self, CampaignError> {
        if from.knob() != to.knob() || to.amount() < from.amount() {
            return Err(CampaignError::Backwards { knob: from.knob(), from, to });
        }
        if points == Some(0) {
            return Err(CampaignError::NoPoints { knob: from.knob() });
        }
        Ok(Self { from, to, points })
    }

    /// Which knob.
    pub const fn knob(&self) -> Knob {
        self.from.knob()
    }

    /// Where it begins.
    pub const fn from(&self) -> Setting {
        self.from
    }

    /// Where it ends.
    pub const fn to(&self) -> Setting {
        self.to
    }

    /// How many places it has, if they are counted.
    pub const fn points(&self) -> Option<u32> {
        self.points
    }

    /// The `index`-th of its points.
    pub(crate) fn point(&self, index: u32) -> Setting {
        let gaps = u64::from(self.points.unwrap_or(1).saturating_sub(1).max(1));
        self.part(u64::from(index), gaps)
    }

    /// This part of the way from its beginning to its end.
    pub(crate) fn part(&self, part: u64, whole: u64) -> Setting {
        let length = i128::from(self.to.amount()) - i128::from(self.from.amount());
        let way = length * i128::from(part) / i128::from(whole.max(1));
        // Between two numbers of that size.
        self.from.at(i64::try_from(i128::from(self.from.amount()) + way).unwrap_or(self.to.amount()))
    }

    /// Whether it has so many places.
    pub fn holds(&self, places: u32) -> bool {
        let length = i128::from(self.to.amount()) - i128::from(self.from.amount());
        i128::from(places) <= length + 1 && self.points.is_none_or(|points| places <= points)
    }

    /// Into how many bands it is cut if `count` are asked for.
    pub(crate) fn bands(&self, count: u32) -> Result<usize, CampaignError> {
        if self.holds(count) {
            Ok(count.max(1) as usize)
        } else {
            Err(CampaignError::TooManyStrata { strata: count, knob: self.knob() })
        }
    }

    /// In which of so many even bands a setting lies.
    pub(crate) fn band(&self, setting: Setting, bands: usize) -> usize {
        let length = i128::from(self.to.amount()) - i128::from(self.from.amount()) + 1;
        let way = i128::from(setting.amount()) - i128::from(self.from.amount());
        // Clamped to the bands.
        (way * bands as i128 / length).clamp(0, bands as i128 - 1) as usize
    }
}

/// What a sweep goes over.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SweepSettings {
    /// Ranges, each trial at a place that was not tried, evenly whenever it is stopped. With points in every range each is tried
    /// `each` times.
    Ranges {
        /// One per knob.
        ranges: Vec<Range>,
        /// How often each point is tried.
        each: u32,
    },
    /// Exactly these places, each once.
    Places(Arc<[Place]>),
    /// Every flash operation. Its places have to be found ([`Exhaustive::places`]) before it can be asked.
    Exhaustive(Exhaustive),
}

/// What a search for windows is to find out.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct WindowAsked {
    /// Instants after the trigger.
    pub range: Range,
    /// How wide the credible interval of an edge may be.
    pub resolution: Span,
    /// How much belief it holds.
    pub credibility: Probability,
    /// How narrow a window may be and still be met.
    pub narrowest: Span,
    /// How rarely a trial inside a window may fail and it still be met.
    pub weakest: Probability,
    /// How surely such a window is met.
    pub confidence: Probability,
}

/// What a proof is to show, and how surely.
#[derive(Clone, Debug, PartialEq)]
pub struct ProveSettings {
    /// The test.
    pub asked: Asked,
    /// Where the fault's knobs may stand; both firmwares meet the same faults.
    pub ranges: Vec<Range>,
    /// What is told apart.
    pub strata: Strata,
}

/// What cannot be asked.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum CampaignError {
    /// A range that holds nothing.
    #[error("`{knob}` from {from} to {to} holds nothing: let it end after it begins")]
    Backwards {
        /// Whose.
        knob: Knob,
        /// Where it begins.
        from: Setting,
        /// Where it ends.
        to: Setting,
    },
    /// A range of no points.
    #[error("`{knob}` has no points: ask for at least one")]
    NoPoints {
        /// Whose.
        knob: Knob,
    },
    /// Nothing to go over.
    #[error("there is nothing to vary: give at least one range, as in `fault.after` from 0ms to 60ms")]
    NothingToVary,
    /// One knob in two ranges.
    #[error("`{0}` has two ranges")]
    Twice(Knob),
    /// Some ranges have points, and some have not.
    #[error("some ranges have points and some have not: give points to all of them for a grid, or to none")]
    HalfAGrid,
    /// A range without points has no end.
    #[error("ranges without points have no end: say how many trials there may be")]
    NoEnd,
    /// No trials, or more than can be told apart.
    #[error("{what} of {count} cannot be: ask for one to {MOST_TRIALS}")]
    Count {
        /// What is counted.
        what: &'static str,
        /// What was asked.
        count: u64,
    },
    /// Nobody has looked yet which flash operations there are.
    #[error("the places of an exhaustive sweep were not looked for yet")]
    NotAimed,
    /// Each point so often, where there are no points.
    #[error("`each` is for points, and no range has any: every trial is at a place of its own")]
    EachWithoutPoints,
    /// Strata that no trial could be in.
    #[error("`{knob}` cannot be cut into {strata} strata: it has fewer places")]
    TooManyStrata {
        /// How many were asked for.
        strata: u32,
        /// Whose range.
        knob: Knob,
    },
    /// Parts of a range where there is none.
    #[error("there is no range to be cut into {strata} strata: vary a knob of the fault")]
    NoRangeToCut {
        /// How many were asked for.
        strata: u32,
    },
    /// A search for windows goes over instants.
    #[error("a window is one of instants: `fault.after` is to be varied, not `{0}`")]
    NotInstants(Knob),
    /// Evidence of something else than a soak.
    #[error("only a soak keeps evidence; a trial of another campaign is made again by its id")]
    NoEvidence,
    /// New boards and a budget of wear.
    #[error(
        "each cycle has a new board, which no cycle wears out: leave out `wear`, or have boards go on from cycle to cycle"
    )]
    NewBoardsDoNotWear,
    /// A cycle costs more than a sector bears.
    #[error("a cycle erases {sector} {times} times, and it may see {endurance}")]
    NoCycleIsAffordable {
        /// Which sector.
        sector: String,
        /// What a cycle costs it.
        times: u64,
        /// What it may see in all.
        endurance: u64,
    },
    /// The grid is too large.
    #[error(transparent)]
    Grid(#[from] GridError),
    /// The test cannot be made.
    #[error(transparent)]
    Design(#[from] DesignError),
    /// The search cannot be made.
    #[error(transparent)]
    Window(#[from] WindowError),
}

/// Finer than any clock: a range without points has so many places.
pub(crate) const PLACES: u64 = 1 << 53;

/// Half of a seed tells the trials of a campaign apart.
pub(crate) const MOST_TRIALS: u64 = u32::MAX as u64 - 1;

/// Refuses a number of trials that is none, or more than there are seeds.
pub(crate) fn check_count(what: &'static str, count: u64) -> Result<(), CampaignError> {
    if (1..=MOST_TRIALS).contains(&count) { Ok(()) } else { Err(CampaignError::Count { what, count }) }
}

/// The instant that stands for "so long after the trigger" where instants are wanted.
pub(crate) fn as_instant(after: Span) -> Instant {
    Instant::START + after
}

/// And back.
pub(crate) fn as_span(instant: Instant) -> Span {
    instant.since(Instant::START)
}

/// Refuses ranges that cannot stand beside each other.
pub(crate) fn check_ranges(ranges: &[Range]) -> Result<(), CampaignError> {
    if ranges.is_empty() {
        return Err(CampaignError::NothingToVary);
    }
    for (place, range) in ranges.iter().enumerate() {
        if ranges[..place].iter().any(|other| other.knob() == range.knob()) {
            return Err(CampaignError::Twice(range.knob()));
        }
    }
    let counted = ranges.iter().filter(|range| range.points().is_some()).count();
    if counted != 0 && counted != ranges.len() { Err(CampaignError::HalfAGrid) } else { Ok(()) }
}
