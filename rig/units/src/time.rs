//! Instants and spans on the timeline of one trial.

use std::fmt;
use std::ops::{Add, AddAssign, Sub};
use std::time::Duration;

use crate::quantity::quantity;

quantity! {
    /// A length of time, in nanoseconds.
    Span(u64), "a duration", example "12.4ms", base "ns", units [
        "ns" => 1, "us" => 1_000, "µs" => 1_000, "ms" => 1_000_000, "s" => 1_000_000_000, "min" => 60_000_000_000, "h" => 3_600_000_000_000,
    ], show ["ns" => 1, "us" => 1_000, "ms" => 1_000_000, "s" => 1_000_000_000]
}

/// A point on the timeline of a trial, in nanoseconds since the trial began. Monotonic; never a wall clock.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Instant(u64);

impl Instant {
    /// The beginning of the trial.
    pub const START: Self = Self(0);
    /// Later than anything that happens.
    pub const NEVER: Self = Self(u64::MAX);

    /// The instant `nanos` nanoseconds after the start.
    pub const fn from_nanos(nanos: u64) -> Self {
        Self(nanos)
    }

    /// Nanoseconds since the start.
    pub const fn as_nanos(self) -> u64 {
        self.0
    }

    /// How long after `earlier` this is; zero if it is not after it.
    pub const fn since(self, earlier: Self) -> Span {
        Span::new(self.0.saturating_sub(earlier.0))
    }
}

impl Add<Span> for Instant {
    type Output = Self;
    /// Saturates at [`Instant::NEVER`].
    fn add(self, span: Span) -> Self {
        Self(self.0.saturating_add(span.get()))
    }
}

impl AddAssign<Span> for Instant {
    fn add_assign(&mut self, span: Span) {
        *self = *self + span;
    }
}

impl Sub<Span> for Instant {
    type Output = Self;
    /// Saturates at [`Instant::START`].
    fn sub(self, span: Span) -> Self {
        Self(self.0.saturating_sub(span.get()))
    }
}

impl fmt::Display for Instant {
    /// Seconds with three decimals, as in `4.217s`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if *self == Self::NEVER {
            return f.write_str("never");
        }
        let millis = self.0 / 1_000_000;
        write!(f, "{}.{:03}s", millis / 1000, millis % 1000)
    }
}

impl Span {
    /// Longer than anything.
    pub const MAX: Self = Self::new(u64::MAX);
    /// No time at all.
    pub const ZERO: Self = Self::new(0);

    /// A span of whole nanoseconds.
    pub const fn nanos(n: u64) -> Self {
        Self::new(n)
    }
    /// A span of whole microseconds.
    pub const fn micros(n: u64) -> Self {
        Self::new(n * 1_000)
    }
    /// A span of whole milliseconds.
    pub const fn millis(n: u64) -> Self {
        Self::new(n * 1_000_000)
    }
    /// A span of whole seconds.
    pub const fn secs(n: u64) -> Self {
        Self::new(n * 1_000_000_000)
    }
    /// Nanoseconds.
    pub const fn as_nanos(self) -> u64 {
        self.get()
    }
}

/// As long as people wait, to the nearest second: `8 s`, `3 min 5 s`, `2 h 10 min`, `4 days`.
pub fn in_words(time: Duration) -> String {
    let seconds = time.as_secs() + u64::from(time.subsec_millis() >= 500);
    match seconds {
        0..60 => format!("{seconds} s"),
        60..3_600 => format!("{} min {} s", seconds / 60, seconds % 60),
        3_600..172_800 => format!("{} h {} min", seconds / 3_600, seconds / 60 % 60),
        _ => format!("{} days", seconds / 86_400),
    }
}

impl Add for Span {
    type Output = Self;
    /// Saturates at [`Span::MAX`].
    fn add(self, other: Self) -> Self {
        Self::new(self.get().saturating_add(other.get()))
    }
}

impl Sub for Span {
    type Output = Self;
    /// Saturates at [`Span::ZERO`].
    fn sub(self, other: Self) -> Self {
        Self::new(self.get().saturating_sub(other.get()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_told_in_the_units_that_people_wait_in() {
        let told = [0, 59_499, 59_500, 125_000, 3_599_000, 11_520_000, 172_800_000];
        let told = told.map(|millis| in_words(Duration::from_millis(millis)));
        assert_eq!(told, ["0 s", "59 s", "1 min 0 s", "2 min 5 s", "59 min 59 s", "3 h 12 min", "2 days"]);
    }
}
