//! How well a board kept pace with the clock on the wall.
//!
//! Boundary: counting. What is late enough to matter is for whoever asks.

use std::fmt;

use brickproof_units::Span;
use hdrhistogram::Histogram;

/// More digits than two no scheduler repeats.
const DIGITS: u8 = 2;
/// An hour in nanoseconds: what is later counts as this late.
const LONGEST: u64 = 3_600_000_000_000;

/// How late things were done that were due, while a board ran.
#[derive(Clone, Debug)]
pub struct Pace {
    nanos: Histogram<u64>,
}

impl Default for Pace {
    fn default() -> Self {
        let nanos = Histogram::new_with_bounds(1, LONGEST, DIGITS).expect("a histogram has up to five digits");
        Self { nanos }
    }
}

impl Pace {
    /// Something that was due was done this much later.
    pub(crate) fn count(&mut self, late: Span) {
        self.nanos.saturating_record(late.as_nanos());
    }

    /// How many things were due.
    pub fn count_of_due(&self) -> u64 {
        self.nanos.len()
    }

    /// Half of what was due was done earlier than this after it.
    pub fn median(&self) -> Span {
        Span::nanos(self.nanos.value_at_quantile(0.5))
    }

    /// All but a hundredth of what was due was done earlier than this after it.
    pub fn p99(&self) -> Span {
        Span::nanos(self.nanos.value_at_quantile(0.99))
    }

    /// What was latest was this late.
    pub fn latest(&self) -> Span {
        Span::nanos(self.nanos.max())
    }
}

impl fmt::Display for Pace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (count, median, p99, latest) = (self.count_of_due(), self.median(), self.p99(), self.latest());
        write!(f, "n {count}, median {median}, p99 {p99}, max {latest} late")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_late_thing_in_a_hundred_is_not_the_p99_but_the_latest() {
        let mut pace = Pace::default();
        for _ in 0..199 {
            pace.count(Span::micros(100));
        }
        pace.count(Span::millis(30));
        let about = |span: Span, micros: u64| span.as_nanos().abs_diff(micros * 1_000) < micros * 20;
        assert!(about(pace.median(), 100) && about(pace.p99(), 100) && about(pace.latest(), 30_000), "{pace}");
        assert_eq!(pace.count_of_due(), 200);
    }
}
