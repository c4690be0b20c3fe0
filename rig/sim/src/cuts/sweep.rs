//! All trials of a record of updates, shared out among threads.
//!
//! Boundary: which trials, and their sums. A trial is `step`'s; words and columns are `table`'s.

use std::collections::BTreeMap;
use std::num::NonZero;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use brickproof_virtual_board::flash::{CutPoint, FlashOperation};
use sha2::{Digest, Sha256};

use super::step::{Cut, Step, Trial};
use super::subject::{Outcome, Subject, Tally, UNTOLD};

/// Before the operation, each of `denominator - 1` fractions of it, and after it.
pub fn cut_points(denominator: u32) -> Vec<CutPoint> {
    let fraction = |numerator| CutPoint::Fraction { numerator, denominator };
    std::iter::once(CutPoint::Before).chain((1..denominator).map(fraction)).chain([CutPoint::After]).collect()
}

/// What came of cutting one operation, at all its cut points and with all seeds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OperationOutcome<T> {
    /// The operation.
    pub operation: FlashOperation,
    /// Its trials.
    pub tally: T,
    /// The first trial of each kind of loss ([`Outcome::loss`]), to be made again alone.
    pub losses: BTreeMap<&'static str, Trial>,
    digest: [u8; 32],
}

#[cfg(test)]
impl<T> OperationOutcome<T> {
    pub(super) fn new(operation: FlashOperation, tally: T) -> Self {
        Self { operation, tally, losses: BTreeMap::new(), digest: [0; 32] }
    }
}

/// What came of a sweep.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Sweep<T> {
    /// In the order in which the board did the operations.
    pub operations: Vec<OperationOutcome<T>>,
}

impl<T: Tally> Sweep<T> {
    /// All trials.
    pub fn total(&self) -> T {
        self.operations.iter().fold(T::default(), |mut sum, outcome| {
            sum += outcome.tally.clone();
            sum
        })
    }

    /// SHA-256 over the fate of every trial in order: two sweeps with the same digest went the same, trial by trial.
    pub fn digest(&self) -> [u8; 32] {
        let mut all = Sha256::new();
        self.operations.iter().for_each(|outcome| all.update(outcome.digest));
        all.finalize().into()
    }
}

/// What the trials of a subject come to.
pub type TallyOf<S> = <<S as Subject>::Fate as Outcome>::Tally;

/// Cuts each step at each of `points` with the seeds 0 to `seeds` - 1.
pub fn sweep<S: Subject>(
    steps: &[Step<S>],
    points: &[CutPoint],
    seeds: u64,
    threads: NonZero<usize>,
) -> Sweep<TallyOf<S>> {
    let operations = in_parallel(steps, threads, |step| sweep_step(step, points, seeds));
    Sweep { operations }
}

/// Cuts one step at each of `points` with the seeds 0 to `seeds` - 1: the piece of work that [`sweep()`] shares out, for whoever wants to tell
/// in between how far it is, or to stop.
pub fn sweep_step<S: Subject>(step: &Step<S>, points: &[CutPoint], seeds: u64) -> OperationOutcome<TallyOf<S>> {
    cut_everywhere(step, None, points, seeds)
}

fn cut_everywhere<S: Subject>(
    step: &Step<S>,
    before: Option<Cut>,
    points: &[CutPoint],
    seeds: u64,
) -> OperationOutcome<TallyOf<S>> {
    let mut tally = TallyOf::<S>::default();
    let mut losses = BTreeMap::new();
    let mut digest = Sha256::new();
    for at in points {
        for seed in 0..seeds {
            let fate = step.cut(*at, seed);
            tally.count(fate.as_ref());
            if let Some(kind) = fate.as_ref().map_or(Some(UNTOLD), Outcome::loss) {
                let cut = Cut { operation: step.operation().index, at: *at, seed };
                let trial =
                    before.map_or(Trial { first: cut, second: None }, |first| Trial { first, second: Some(cut) });
                losses.entry(kind).or_insert(trial);
            }
            digest.update(fate.map_or_else(|| vec![u8::MAX], |fate| fate.bytes()));
        }
    }
    OperationOutcome { operation: step.operation().operation, tally, losses, digest: digest.finalize().into() }
}

/// What came of cutting the boots after first cuts.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SecondCuts<T> {
    /// First cuts that were made.
    pub first_cuts: usize,
    /// Those of them after which the board wrote to its flash while it healed.
    pub healed: usize,
    /// The flash operations of all these boots, and what cutting them came to.
    pub sweep: Sweep<T>,
}

/// Cuts every `stride`th step once, each at the next cut point and with the next seed, and then every flash operation of the boot
/// after that at each of `points` with the seeds 0 to `seeds` - 1.
pub fn sweep_healing<S: Subject>(
    steps: &[Step<S>],
    stride: NonZero<usize>,
    points: &[CutPoint],
    seeds: u64,
    threads: NonZero<usize>,
) -> SecondCuts<TallyOf<S>> {
    let chosen = steps.iter().step_by(stride.get());
    let firsts: Vec<_> =
        chosen.zip(points.iter().cycle()).zip(0..).map(|((step, point), seed)| (step, *point, seed)).collect();
    let healings = in_parallel(&firsts, threads, |(step, point, seed)| {
        let first = Cut { operation: step.operation().index, at: *point, seed: *seed };
        let healing = step.healing(*point, *seed);
        healing.iter().map(|step| cut_everywhere(step, Some(first), points, seeds)).collect::<Vec<_>>()
    });
    SecondCuts {
        first_cuts: firsts.len(),
        healed: healings.iter().filter(|healing| !healing.is_empty()).count(),
        sweep: Sweep { operations: healings.into_iter().flatten().collect() },
    }
}

/// Does the work for each item; the results are in the order of the items, however many threads there are.
fn in_parallel<T: Sync, R: Send>(items: &[T], threads: NonZero<usize>, work: impl Fn(&T) -> R + Sync) -> Vec<R> {
    let next = AtomicUsize::new(0);
    let done = Mutex::new(Vec::with_capacity(items.len()));
    let worker = || {
        let mut own = Vec::new();
        while let Some((index, item)) = claim(&next, items) {
            own.push((index, work(item)));
        }
        done.lock().unwrap_or_else(std::sync::PoisonError::into_inner).extend(own);
    };
    std::thread::scope(|scope| {
        for _ in 0..threads.get() {
            scope.spawn(worker);
        }
    });
    let mut done = done.into_inner().unwrap_or_else(std::sync::PoisonError::into_inner);
    done.sort_by_key(|(index, _)| *index);
    done.into_iter().map(|(_, result)| result).collect()
}

fn claim<'a, T>(next: &AtomicUsize, items: &'a [T]) -> Option<(usize, &'a T)> {
    let index = next.fetch_add(1, Ordering::Relaxed);
    items.get(index).map(|item| (index, item))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cut_points_go_from_before_to_after() {
        let points = cut_points(17);
        assert_eq!((points.len(), points[0], points[17]), (18, CutPoint::Before, CutPoint::After));
        assert_eq!(points[16], CutPoint::Fraction { numerator: 16, denominator: 17 });
    }

    #[test]
    fn results_come_in_the_order_of_their_items() {
        let items: Vec<u64> = (0..1000).collect();
        for threads in 1..5 {
            let squares = in_parallel(&items, NonZero::new(threads).unwrap(), |item| item * item);
            assert!(squares.iter().zip(&items).all(|(square, item)| *square == item * item));
        }
    }
}
