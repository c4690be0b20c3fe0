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

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const END: Instant = Instant::from_nanos(1000);

    fn record(trials: impl IntoIterator<Item = (u64, Outcome)>) -> Record {
        let mut record = Record::default();
        trials.into_iter().for_each(|(at, outcome)| record.add(Trial { at: Instant::from_nanos(at), outcome }));
        record
    }

    fn survivals(at: impl IntoIterator<Item = u64>) -> impl Iterator<Item = (u64, Outcome)> {
        at.into_iter().map(|at| (at, Outcome::Survived))
    }

    fn failures(at: impl IntoIterator<Item = u64>) -> impl Iterator<Item = (u64, Outcome)> {
        at.into_iter().map(|at| (at, Outcome::Failed))
    }

    #[test]
    fn a_window_reaches_as_far_as_nothing_speaks_against_it() {
        let anchor = Instant::from_nanos(100);
        let few = record(failures([100, 110, 150]).chain(survivals([105, 120, 130, 500])));
        assert_eq!(few.reach(anchor, Side::Later, END), Reach::End);
        assert_eq!(few.reach(anchor, Side::Earlier, Instant::START), Reach::End);
    }

    #[test]
    fn a_failure_beyond_many_survivals_is_another_windows() {
        let two = record(failures((100..130).chain([300])).chain(survivals(140..160)));
        let beyond = Reach::Gap(Instant::from_nanos(300));
        assert_eq!(two.reach(Instant::from_nanos(100), Side::Later, END), beyond);
        assert_eq!(two.reach(Instant::from_nanos(100), Side::Later, Instant::from_nanos(200)), Reach::End);
        // From the other one a single failure is known, which says nothing about how long rows of survivals can be.
        assert_eq!(two.reach(Instant::from_nanos(300), Side::Earlier, Instant::START), Reach::End);
    }

    #[test]
    fn where_everything_survives_the_window_is_over() {
        let quiet = record(failures([100]).chain(survivals(200..400)));
        assert_eq!(quiet.reach(Instant::from_nanos(100), Side::Later, END), Reach::Quiet(Instant::from_nanos(263)));
    }

    proptest! {
        #[test]
        fn what_is_called_covered_has_enough_trials_everywhere(
            places in prop::collection::vec(0u64..=1000, 0..80), width in 50u64..400, trials in 1usize..6,
        ) {
            let record = record(survivals(places.iter().copied()));
            let (from, width) = (Instant::START, Span::nanos(width));
            let fewest = |length: u64| {
                let within = |start: u64| places.iter().filter(|at| (start..=start + length).contains(at)).count();
                (0..=1000 - length).map(within).min().unwrap_or_default()
            };
            match record.uncovered(from, END, width, trials) {
                None => prop_assert!(fewest(width.as_nanos()) >= trials),
                Some(gap) => {
                    prop_assert!(fewest(width.as_nanos() - 1) < trials);
                    prop_assert!(!record.covered_at(gap, from, END, width, trials));
                }
            }
        }

        /// Each gap that is filled brings the end nearer.
        #[test]
        fn filling_what_is_uncovered_ends(width in 20u64..400, trials in 1usize..6) {
            let mut record = Record::default();
            let most = trials * usize::try_from(2 * 1000 / width + 4).unwrap() * 2;
            for _ in 0..most {
                let Some(at) = record.uncovered(Instant::START, END, Span::nanos(width), trials) else { return Ok(()) };
                record.add(Trial { at, outcome: Outcome::Survived });
            }
            prop_assert!(false, "still uncovered after {}", most);
        }
    }
}
