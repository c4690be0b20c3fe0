//! What ordered values say about the median behind them.
//!
//! Boundary: ranks, not values: it holds for whatever is measured, however that is distributed.

use crate::Probability;
use crate::fisher::ln_choose;

/// The ranks, counted from 0, of the two of `n` ordered values between which the true median lies in at least `confidence` of all cases,
/// whatever the distribution: a value is below the median as often as a coin shows heads. Nothing if `n` is too small for it: below six
/// values there is none at 95 %.
pub fn median_ranks(n: usize, confidence: Probability) -> Option<(usize, usize)> {
    // Sums that are exactly the tail differ from it by the rounding of their logarithms: three values at 75 %.
    let tail = (1.0 - confidence.get()) / 2.0 * (1.0 + 1e-9);
    let count = n as f64;
    // Below it there is nothing: ten standard deviations.
    let from = libm::floor((count / 2.0 - 5.0 * libm::sqrt(count)).max(0.0)) as usize;
    let mut term = libm::exp(ln_choose(n as u64, from as u64) - count * core::f64::consts::LN_2);
    let (mut below, mut rank) = (0.0, None);
    for heads in from..n {
        below += term;
        if below > tail {
            break;
        }
        rank = Some(heads);
        term *= (n - heads) as f64 / (heads + 1) as f64;
    }
    rank.map(|rank| (rank, n - 1 - rank))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at_95(n: usize) -> Option<(usize, usize)> {
        median_ranks(n, Probability::new(0.95).unwrap())
    }

    /// Of the tables of Conover, Practical Nonparametric Statistics: ranks from 1 there, from 0 here.
    #[test]
    fn the_ranks_are_those_of_the_tables() {
        for n in 0..6 {
            assert_eq!(at_95(n), None, "{n}");
        }
        assert_eq!(at_95(6), Some((0, 5)));
        assert_eq!(at_95(8), Some((0, 7)));
        assert_eq!(at_95(9), Some((1, 7)));
        assert_eq!(at_95(12), Some((2, 9)));
        assert_eq!(at_95(20), Some((5, 14)));
        assert_eq!(at_95(100), Some((39, 60)));
    }

    #[test]
    fn of_a_million_values_they_are_those_of_the_normal_distribution() {
        let (low, high) = at_95(1_000_000).unwrap();
        assert_eq!(low + high, 999_999);
        assert!(low.abs_diff(499_020) <= 1, "{low}");
    }
}
