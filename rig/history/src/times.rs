//! Times to connect in a few numbers: median, its interval, the middle half, and how many.
//!
//! Boundary: order statistics, which hold however the times are distributed.

use brickproof_statistics::median_ranks;
use serde::Serialize;

use crate::rate::confidence;

/// What is told of some times.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Times {
    /// How many there are.
    pub n: usize,
    /// Half of them are below it.
    pub median_ns: u64,
    /// Between what the true median lies at 95 %; null if there are too few: below six.
    pub interval_ns: Option<(u64, u64)>,
    /// Between what the middle half of them lies.
    pub quartiles_ns: (u64, u64),
}

impl Times {
    /// Of these, in any order; nothing if there is none.
    pub(crate) fn of(mut times: Vec<u64>) -> Option<Self> {
        let n = times.len();
        if n == 0 {
            return None;
        }
        times.sort_unstable();
        // Of an even number of times both middle ones are the median; the mean of the two is told.
        let (low, high) = (times[(n - 1) / 2], times[n / 2]);
        Some(Self {
            n,
            median_ns: low + (high - low) / 2,
            interval_ns: median_ranks(n, confidence()).map(|(low, high)| (times[low], times[high])),
            quartiles_ns: (times[(n - 1) / 4], times[n - 1 - (n - 1) / 4]),
        })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::Times;

    #[test]
    fn few_times_have_a_median_and_no_interval() {
        assert_eq!(Times::of(Vec::new()), None);
        let one = Times::of(vec![7]).unwrap();
        assert_eq!((one.n, one.median_ns, one.interval_ns, one.quartiles_ns), (1, 7, None, (7, 7)));
        let four = Times::of(vec![4, 1, 3, 2]).unwrap();
        assert_eq!((four.median_ns, four.quartiles_ns), (2, (1, 4)));
        assert_eq!(Times::of((1..=9).rev().collect()).unwrap().interval_ns, Some((2, 8)));
    }

    proptest! {
        #[test]
        fn they_are_in_order_and_do_not_depend_on_it(mut times in prop::collection::vec(0u64..1000, 1..40)) {
            let told = Times::of(times.clone()).unwrap();
            times.reverse();
            prop_assert_eq!(Times::of(times.clone()), Some(told));
            let (low, high) = told.quartiles_ns;
            prop_assert!(low <= told.median_ns && told.median_ns <= high);
            if let Some((low, high)) = told.interval_ns {
                prop_assert!(low <= told.median_ns && told.median_ns <= high);
            }
            prop_assert!(times.iter().filter(|it| **it < told.median_ns).count() * 2 <= times.len());
        }
    }
}
