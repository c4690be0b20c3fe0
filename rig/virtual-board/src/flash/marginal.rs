//! Cells as analog memories: charge moves along a log-normal curve of time, and a cut leaves some of it in between.
//!
//! Boundary: the physics of one cut. Reading and drifting are `WeakCell`'s. Every parameter here is an assumption to be fitted to
//! hardware; the shape follows what is published: erase programs the page to zero first (linux-mtd, Holmberg 2009); completion
//! time differs from cell to cell and cells can be left at the threshold where reads are random (Poudel et al., IEEE TC 68(2)
//! 2019). Wear and disturbed neighbours are not modelled.

use std::sync::OnceLock;

use crate::flash::cells::{CellModel, Cut, Disturbance, WeakCell};
use crate::seed::{Noise, finish};

/// Median share of the program time after which a cell crosses the threshold, and the spread of its logarithm over the cells.
const PROGRAM: Curve = Curve { median: 0.4, spread: 0.25 };
/// The same for erase. The spread is a little below the 0.2 of the survey's proposal, so that a page cut at 99 % keeps no straggler
/// and one cut at 93 % a few: the field shows single ones (one byte 0x7F in 4096).
const ERASE: Curve = Curve { median: 0.5, spread: 0.18 };
/// How much later (in the logarithm of time) a cell is full than it crosses the threshold.
const STEEPNESS: f64 = 0.06;
/// Cells whose charge is closer to the threshold than this stay weak.
const WEAK_BAND: f64 = 0.1;
/// The pre-programming phase takes between these shares of an erase, differently for each operation.
const PREPROGRAM: (f64, f64) = (0.05, 0.30);

pub(super) struct Marginal;

impl CellModel for Marginal {
    fn cut_program(&self, word: &mut [u8], weak: &[WeakCell], target: u32, place: u32, cut: Cut) -> Disturbance {
        let share = as_fraction(cut);
        let target = target.to_le_bytes();
        settle(
            word,
            weak,
            |bit, charge| {
                let kept = target.get(bit as usize / 8).is_none_or(|byte| byte >> (bit % 8) & 1 == 1);
                if kept { charge } else { charge * (1.0 - PROGRAM.progress(share, cell_rank(cut.seed, place, bit, 0))) }
            },
            cut,
            place,
        )
    }

    fn cut_erase(&self, page: &mut [u8], weak: &[WeakCell], place: u32, cut: Cut) -> Disturbance {
        let share = as_fraction(cut);
        let draw = (Noise::at(cut.seed, &[cut.operation, 0xE2A5E]).bits() >> 11) as f64 / (1u64 << 53) as f64;
        let preprogram = PREPROGRAM.0 + (PREPROGRAM.1 - PREPROGRAM.0) * draw;
        if share < preprogram {
            let share = share / preprogram;
            let drain = |bit, charge| charge * (1.0 - PROGRAM.progress(share, cell_rank(cut.seed, place, bit, 0)));
            settle(page, weak, drain, cut, place)
        } else {
            let share = (share - preprogram) / (1.0 - preprogram);
            let fill = |bit, _| ERASE.progress(share, cell_rank(cut.seed, place, bit, 1));
            settle(page, weak, fill, cut, place)
        }
    }
}

/// Moves every cell to the charge that `charge_after` gives it, and sorts them into settled and weak.
fn settle(
    bytes: &mut [u8],
    weak: &[WeakCell],
    charge_after: impl Fn(u32, f64) -> f64,
    cut: Cut,
    place: u32,
) -> Disturbance {
    let mut weak_before = weak.iter().peekable();
    let mut after = Vec::new();
    let mut noise = Noise::at(cut.seed, &[cut.operation, u64::from(place), 0x5E771E]);
    for (index, byte) in bytes.iter_mut().enumerate() {
        let mut settled = 0;
        for shift in 0..8 {
            let bit = index as u32 * 8 + shift;
            let before = match weak_before.next_if(|cell| cell.bit == bit) {
                Some(cell) => cell.charge,
                None => f64::from(*byte >> shift & 1),
            };
            let charge = charge_after(bit, before);
            let reads_as = if (charge - 0.5).abs() < WEAK_BAND {
                let cell = WeakCell::new(bit, charge);
                let found = cell.reads_as(&mut noise);
                after.push(cell);
                found
            } else {
                u8::from(charge > 0.5)
            };
            settled |= reads_as << shift;
        }
        *byte = settled;
    }
    Disturbance { weak: after }
}

fn as_fraction(cut: Cut) -> f64 {
    cut.share.get() as f64 / 1e6
}

/// Where a cell stands among its kind, 0 the fastest: a property of the silicon, so it follows from its place alone.
fn cell_rank(seed: u64, place: u32, bit: u32, process: u64) -> usize {
    let cell = u64::from(place) * 8 + u64::from(bit);
    (finish(seed ^ finish(cell << 1 | process)) >> (64 - RANK_BITS)) as usize
}

const RANK_BITS: u32 = 11;
const RANKS: usize = 1 << RANK_BITS;

/// Progress of cells over time: a cell of rank r crosses the threshold at `median * exp(spread * z(r))`.
struct Curve {
    median: f64,
    spread: f64,
}

impl Curve {
    /// How far, of 1.0, the cell of `rank` is after `share` of the time.
    fn progress(&self, share: f64, rank: usize) -> f64 {
        if share <= 0.0 {
            return 0.0;
        }
        let lead = libm::log(share / self.median) - self.spread * normal_quantiles()[rank];
        normal_cdf(lead / STEEPNESS)
    }
}

/// The standard normal's quantile at the middle of each rank. Finite, so no cell is slower than 3.5 spreads: slower ones do not
/// leave the factory, the specified time being the one in which every cell finishes.
fn normal_quantiles() -> &'static [f64] {
    static TABLE: OnceLock<Vec<f64>> = OnceLock::new();
    TABLE.get_or_init(|| (0..RANKS).map(|rank| quantile((rank as f64 + 0.5) / RANKS as f64)).collect())
}

fn quantile(probability: f64) -> f64 {
    let (mut low, mut high) = (-8.0, 8.0);
    // 30 halvings of 16 leave 15 nanounits: far below what a cell can show.
    for _ in 0..30 {
        let middle = (low + high) / 2.0;
        if exact_normal_cdf(middle) < probability { low = middle } else { high = middle }
    }
    (low + high) / 2.0
}

fn exact_normal_cdf(x: f64) -> f64 {
    0.5 * libm::erfc(-x / std::f64::consts::SQRT_2)
}

/// From a table: a cut of a 4 KiB page asks 32768 times.
fn normal_cdf(x: f64) -> f64 {
    const STEPS: f64 = 256.0;
    const REACH: f64 = 5.0;
    static TABLE: OnceLock<Vec<f64>> = OnceLock::new();
    let table = TABLE.get_or_init(|| {
        (0..=(2.0 * REACH * STEPS) as usize).map(|step| exact_normal_cdf(step as f64 / STEPS - REACH)).collect()
    });
    match x {
        x if x <= -REACH => 0.0,
        x if x >= REACH => 1.0,
        x => table[((x + REACH) * STEPS) as usize],
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantiles_invert_the_distribution() {
        for (z, probability) in [(-1.959_964, 0.025), (0.0, 0.5), (1.281_552, 0.9), (3.090_232, 0.999)] {
            assert!((quantile(probability) - z).abs() < 1e-5, "{probability}");
        }
    }

    #[test]
    fn progress_grows_with_time_and_every_cell_finishes() {
        for curve in [PROGRAM, ERASE] {
            for rank in [0, 100, RANKS / 2, RANKS - 1] {
                let points: Vec<f64> =
                    (0..=100).map(|percent| curve.progress(f64::from(percent) / 100.0, rank)).collect();
                assert!(points.is_sorted(), "rank {rank}");
                assert!(points[100] > 0.5, "rank {rank} is not over the threshold at the end");
            }
        }
    }
}
