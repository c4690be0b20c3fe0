//! All trials of a record of updates, shared out among threads.
//!
//! Boundary: which trials, and their sums. A trial is `step`'s; words and columns are `table`'s.

use std::num::NonZero;
use std::ops::AddAssign;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use brickproof_virtual_board::flash::{CutPoint, FlashOperation};
use sha2::{Digest, Sha256};

use super::fate::{DeviceKey, Fate, Honesty, Survival};
use super::step::Step;

/// Before the operation, each of `denominator - 1` fractions of it, and after it.
pub fn cut_points(denominator: u32) -> Vec<CutPoint> {
    let fraction = |numerator| CutPoint::Fraction { numerator, denominator };
    std::iter::once(CutPoint::Before).chain((1..denominator).map(fraction)).chain([CutPoint::After]).collect()
}

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

impl Tally {
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

/// What came of cutting one operation, at all its cut points and with all seeds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OperationOutcome {
    /// The operation.
    pub operation: FlashOperation,
    /// Its trials.
    pub tally: Tally,
    digest: [u8; 32],
}

#[cfg(test)]
impl OperationOutcome {
    pub(super) fn new(operation: FlashOperation, tally: Tally) -> Self {
        Self { operation, tally, digest: [0; 32] }
    }
}

/// What came of a sweep.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Sweep {
    /// In the order in which the board did the operations.
    pub operations: Vec<OperationOutcome>,
}

impl Sweep {
    /// All trials.
    pub fn total(&self) -> Tally {
        self.operations.iter().fold(Tally::default(), |mut sum, outcome| {
            sum += outcome.tally;
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

/// Cuts each step at each of `points` with the seeds 0 to `seeds` - 1.
pub fn sweep(steps: &[Step], points: &[CutPoint], seeds: u64, threads: NonZero<usize>) -> Sweep {
    let operations = in_parallel(steps, threads, |step| cut_everywhere(step, points, seeds));
    Sweep { operations }
}

fn cut_everywhere(step: &Step, points: &[CutPoint], seeds: u64) -> OperationOutcome {
    let mut tally = Tally::default();
    let mut digest = Sha256::new();
    for point in points {
        for seed in 0..seeds {
            let fate = step.cut(*point, seed);
            tally.count(fate.as_ref());
            digest.update(fate.map_or_else(|| vec![u8::MAX], |fate| fate.bytes()));
        }
    }
    OperationOutcome { operation: step.operation().operation, tally, digest: digest.finalize().into() }
}

/// What came of cutting the boots after first cuts.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SecondCuts {
    /// First cuts that were made.
    pub first_cuts: usize,
    /// Those of them after which the board wrote to its flash.
    pub healed: usize,
    /// The flash operations of all these boots, and what cutting them came to.
    pub sweep: Sweep,
}

/// Cuts every `stride`th step once, each at the next cut point and with the next seed, and then every flash operation of the boot
/// after that at each of `points` with the seeds 0 to `seeds` - 1.
pub fn sweep_healing(
    steps: &[Step],
    stride: NonZero<usize>,
    points: &[CutPoint],
    seeds: u64,
    threads: NonZero<usize>,
) -> SecondCuts {
    let chosen = steps.iter().step_by(stride.get());
    let firsts: Vec<_> =
        chosen.zip(points.iter().cycle()).zip(0..).map(|((step, point), seed)| (step, *point, seed)).collect();
    let healings = in_parallel(&firsts, threads, |(step, point, seed)| {
        let healing = step.healing(*point, *seed);
        healing.iter().map(|step| cut_everywhere(step, points, seeds)).collect::<Vec<_>>()
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
