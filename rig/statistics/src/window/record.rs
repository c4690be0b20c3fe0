//! Every trial of a search, in order of its instant, and what their places alone say.
//!
//! Boundary: it looks at instants and outcomes; it weighs no hypothesis.

use brickproof_units::{Instant, Span};

use crate::{Counts, Outcome, Probability};

/// One trial.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Trial {
    pub(super) at: Instant,
    pub(super) outcome: Outcome,
}

/// All trials, in order of their instants.
#[derive(Clone, Debug, Default)]
pub(super) struct Record {
    trials: Vec<Trial>,
}

/// Away from an instant, towards one end of the range.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Side {
    /// Towards the opening edge.
    Earlier,
    /// Towards the closing edge.
    Later,
}

impl Side {
    pub(super) const BOTH: [Self; 2] = [Self::Earlier, Self::Later];

    /// The instant so far away from `anchor`.
    pub(super) fn at(self, anchor: Instant, distance: f64) -> Instant {
        let span = Span::nanos(libm::round(distance) as u64);
        match self {
            Self::Earlier => anchor - span,
            Self::Later => anchor + span,
        }
    }

    /// How far `at` is away; nothing if it lies on the other side.
    pub(super) fn distance(self, anchor: Instant, at: Instant) -> Option<f64> {
        let (near, far) = match self {
            Self::Earlier => (at, anchor),
            Self::Later => (anchor, at),
        };
        (near <= far).then(|| far.since(near).as_nanos() as f64)
    }
}

/// How far the trials around an instant have to do with the window there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Reach {
    /// To the end of what may be searched.
    End,
    /// To so many survivals in a row that the window ended before.
    Quiet(Instant),
    /// To a failure beyond survivals in a row that this window cannot explain: another window's, or a stray.
    Gap(Instant),
}

/// After so many survivals in a row, without a failure beyond them yet, the window is over: even if only one in ten fails inside, this
/// happens once in 850 windows.
const QUIET: u64 = 64;

/// How likely a row of survivals between two failures may be and still be part of one window, divided by the trials that were seen
/// there: where many trials were made, a long row comes by chance.
const SAME_WINDOW: f64 = 1e-3;

impl Record {
    pub(super) fn len(&self) -> u64 {
        self.trials.len() as u64
    }

    pub(super) fn add(&mut self, trial: Trial) {
        let place = self.trials.partition_point(|other| other.at <= trial.at);
        self.trials.insert(place, trial);
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &Trial> {
        self.trials.iter()
    }

    /// Failures and trials from `from` to `to`, ends included.
    pub(super) fn counts(&self, from: Instant, to: Instant) -> Counts {
        let first = self.trials.partition_point(|trial| trial.at < from);
        let end = self.trials.partition_point(|trial| trial.at <= to);
        let part = self.trials.get(first..end).unwrap_or_default();
        Counts::of(failures(part), part.len() as u64)
    }

    /// Groups of trials at the same instant, from `anchor` outwards; those at `anchor` itself first.
    fn outwards(&self, anchor: Instant, side: Side) -> Box<dyn Iterator<Item = &[Trial]> + '_> {
        let same = |a: &Trial, b: &Trial| a.at == b.at;
        match side {
            Side::Earlier => {
                let end = self.trials.partition_point(|trial| trial.at <= anchor);
                Box::new(self.trials[..end].chunk_by(same).rev())
            }
            Side::Later => {
                let start = self.trials.partition_point(|trial| trial.at < anchor);
                Box::new(self.trials[start..].chunk_by(same))
            }
        }
    }

    /// How far the trials on one side of a failure at `anchor` have to do with its window, up to `end`.
    pub(super) fn reach(&self, anchor: Instant, side: Side, end: Instant) -> Reach {
        let mut seen = Counts::default();
        let mut row = 0;
        for group in self.outwards(anchor, side).take_while(|group| side.distance(group[0].at, end).is_some()) {
            let failed = failures(group);
            if failed > 0 {
                if row > 0 && !explains(seen, row) {
                    return Reach::Gap(group[0].at);
                }
                seen = Counts::of(seen.failures() + failed, seen.trials() + row + group.len() as u64);
                row = 0;
            } else {
                row += group.len() as u64;
                if row >= QUIET && self.quiet_from(group[0].at, side, end) {
                    return Reach::Quiet(group[0].at);
                }
            }
        }
        Reach::End
    }

    /// Whether the next survivals go on without a failure: as many again.
    fn quiet_from(&self, at: Instant, side: Side, end: Instant) -> bool {
        let beyond = self.outwards(at, side).take_while(|group| side.distance(group[0].at, end).is_some());
        let mut trials = 0;
        for group in beyond {
            if failures(group) > 0 {
                return false;
            }
            trials += group.len() as u64;
            if trials > QUIET {
                break;
            }
        }
        true
    }

    /// Whether every stretch of `width` in the range has at least `trials` trials; if not, the middle of one that has fewer.
    pub(super) fn uncovered(&self, from: Instant, to: Instant, width: Span, trials: usize) -> Option<Instant> {
        let place = |index: usize| match index {
            0 => from,
            i => self.trials.get(i - 1).map_or(to, |trial| trial.at),
        };
        // The ends of the range stand for trials that are just outside of it.
        let places = self.trials.len() + 2;
        let wide = (0..places.saturating_sub(1)).find(|first| {
            let last = (first + trials).min(places - 1);
            place(last).since(place(*first)) > width
        })?;
        let (first, last) = (place(wide), place((wide + trials).min(places - 1)));
        Some(widest_gap_middle((wide..(wide + trials).min(places - 1)).map(|i| (place(i), place(i + 1))), first, last))
    }

    /// Whether each stretch of `width` around `at` has at least `trials` trials already.
    pub(super) fn covered_at(&self, at: Instant, from: Instant, to: Instant, width: Span, trials: usize) -> bool {
        let after = self.trials.partition_point(|trial| trial.at <= at);
        let place = |index: usize| match index {
            0 => from,
            i => self.trials.get(i - 1).map_or(to, |trial| trial.at),
        };
        let last_place = self.trials.len() + 1;
        (after.saturating_sub(trials - 1)..=after)
            .all(|first| place((first + trials).min(last_place)).since(place(first)) <= width)
    }
}

fn widest_gap_middle(gaps: impl Iterator<Item = (Instant, Instant)>, first: Instant, last: Instant) -> Instant {
    let (from, to) = gaps.max_by_key(|(from, to)| to.since(*from)).unwrap_or((first, last));
    from + Span::nanos(to.since(from).as_nanos() / 2)
}

fn failures(trials: &[Trial]) -> u64 {
    trials.iter().filter(|trial| trial.outcome == Outcome::Failed).count() as u64
}

/// Whether a window that failed like `seen` may survive `row` trials in a row.
fn explains(seen: Counts, row: u64) -> bool {
    let allows = |p: f64| row as f64 * libm::log1p(-p) >= libm::log(SAME_WINDOW / seen.trials().max(1) as f64);
    // The bound is below the estimate, and takes longer to compute.
    seen.estimate().is_none_or(|share| allows(share.get().min(0.999)))
        || allows(seen.lower_bound(Probability::clamped(0.95)).get())
}
