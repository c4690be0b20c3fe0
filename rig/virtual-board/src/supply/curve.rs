//! One analytic piece of a waveform, and where it meets a level.
//!
//! Boundary: mathematics in seconds and volts. Every law that a rail or an input follows between two changes has the one form
//! `base + slope * t + amplitude * e^(-rate * t)`: held, linear, exponential, or exponential toward something that drifts.

/// Differences below this are rounding, not physics; in volts.
const ROUNDING: f64 = 1e-9;

/// A crossing is located to this, in seconds: finer than the nanosecond of the timeline.
const RESOLUTION: f64 = 2e-10;

/// `base + slope * t + amplitude * e^(-rate * t)` for `t >= 0`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Curve {
    base: f64,
    slope: f64,
    amplitude: f64,
    rate: f64,
}

impl Curve {
    pub(super) const fn flat(level: f64) -> Self {
        Self::line(level, 0.0)
    }

    pub(super) const fn line(start: f64, slope: f64) -> Self {
        Self { base: start, slope, amplitude: 0.0, rate: 0.0 }
    }

    /// From `start` toward `goal`, which itself moves with `drift`, with time constant `tau`.
    pub(super) fn relaxing(start: f64, goal: f64, drift: f64, tau: f64) -> Self {
        // A first-order follower lags behind a ramp by the ramp's slope times its time constant.
        let base = goal - drift * tau;
        Self { base, slope: drift, amplitude: start - base, rate: 1.0 / tau }
    }

    /// `self * weight + other * (1 - weight)`, where `other` has no exponential part.
    pub(super) fn blend(self, weight: f64, other: Self) -> Self {
        debug_assert!(other.amplitude == 0.0, "two time constants do not fit one curve");
        Self {
            base: self.base * weight + other.base * (1.0 - weight),
            slope: self.slope * weight + other.slope * (1.0 - weight),
            amplitude: self.amplitude * weight,
            rate: self.rate,
        }
    }

    pub(super) fn raised(self, volts: f64) -> Self {
        Self { base: self.base + volts, ..self }
    }

    /// `line - self`, where `line` has no exponential part.
    pub(super) fn below(self, line: Self) -> Self {
        debug_assert!(line.amplitude == 0.0, "two time constants do not fit one curve");
        Self {
            base: line.base - self.base,
            slope: line.slope - self.slope,
            amplitude: -self.amplitude,
            rate: self.rate,
        }
    }

    pub(super) fn at(&self, t: f64) -> f64 {
        self.base + self.slope * t + self.decaying(t)
    }

    pub(super) fn slope_at(&self, t: f64) -> f64 {
        self.slope - self.rate * self.decaying(t)
    }

    pub(super) fn is_flat(&self) -> bool {
        self.slope == 0.0 && self.amplitude == 0.0
    }

    /// The integral from 0 to `t`.
    pub(super) fn area(&self, t: f64) -> f64 {
        let settled = if self.amplitude == 0.0 { 0.0 } else { (self.amplitude - self.decaying(t)) / self.rate };
        self.base * t + 0.5 * self.slope * t * t + settled
    }

    /// The first moment in `0..=horizon` from which the curve is below `level`; 0 if it is below already.
    pub(super) fn first_below(&self, level: f64, horizon: f64) -> Option<f64> {
        if self.at(0.0) < level - ROUNDING {
            return Some(0.0);
        }
        let turn = self.turning_point().filter(|turn| *turn < horizon);
        let first = turn.unwrap_or(horizon);
        self.falls_through(level, 0.0, first).or_else(|| self.falls_through(level, first, horizon))
    }

    /// The first moment in `0..=horizon` from which the curve is above `level`; 0 if it is above already.
    pub(super) fn first_above(&self, level: f64, horizon: f64) -> Option<f64> {
        self.negated().first_below(-level, horizon)
    }

    /// Cuts `0..=end` where the curve turns or meets a level: between two neighbours it is monotonic and on one side of each level.
    pub(super) fn breaks(&self, levels: &[f64], end: f64) -> Vec<f64> {
        let mut cuts = vec![0.0];
        let turn = self.turning_point().filter(|turn| *turn < end);
        for (from, to) in [(0.0, turn.unwrap_or(end)), (turn.unwrap_or(end), end)] {
            let falling = levels.iter().filter_map(|level| self.falls_through(*level, from, to));
            let rising = levels.iter().filter_map(|level| self.negated().falls_through(-*level, from, to));
            cuts.extend(falling.chain(rising));
            cuts.push(to);
        }
        cuts.sort_by(f64::total_cmp);
        cuts
    }

    /// The part of `0..=end` during which the curve is below `level`, in seconds.
    pub(super) fn time_below(&self, level: f64, end: f64) -> f64 {
        let cuts = self.breaks(&[level], end);
        let below = |pair: &&[f64]| self.at(0.5 * (pair[0] + pair[1])) < level;
        cuts.windows(2).filter(below).map(|pair| pair[1] - pair[0]).sum()
    }

    /// The lowest point of `0..=end`, as (moment, volts).
    pub(super) fn lowest(&self, end: f64) -> (f64, f64) {
        let turn = self.turning_point().filter(|turn| *turn < end).unwrap_or(0.0);
        let candidates = [0.0, turn, end].map(|t| (t, self.at(t)));
        candidates.into_iter().fold(candidates[0], |best, next| if next.1 < best.1 { next } else { best })
    }

    /// The largest `|dV/dt|` in `0..=end`. The derivative is monotonic, so it is at one of the ends.
    pub(super) fn steepest(&self, end: f64) -> f64 {
        self.slope_at(0.0).abs().max(self.slope_at(end).abs())
    }

    fn decaying(&self, t: f64) -> f64 {
        if self.amplitude == 0.0 { 0.0 } else { self.amplitude * libm::exp(-self.rate * t) }
    }

    fn negated(&self) -> Self {
        Self { base: -self.base, slope: -self.slope, amplitude: -self.amplitude, rate: self.rate }
    }

    /// Where the derivative changes its sign, if it does after 0.
    fn turning_point(&self) -> Option<f64> {
        let ratio = self.slope / (self.amplitude * self.rate);
        (ratio > 0.0 && ratio < 1.0).then(|| -libm::log(ratio) / self.rate)
    }

    /// Where the curve, monotonic between `from` and `to`, comes from `level` or above and goes below it.
    fn falls_through(&self, level: f64, from: f64, to: f64) -> Option<f64> {
        let (before, after) = (self.at(from) - level, self.at(to) - level);
        if !(after < 0.0 && after < before && before >= -ROUNDING) {
            return None;
        }
        if before <= 0.0 {
            return Some(from);
        }
        let solved = if self.amplitude == 0.0 {
            (level - self.base) / self.slope
        } else if self.slope == 0.0 {
            -libm::log((level - self.base) / self.amplitude) / self.rate
        } else {
            self.bisect(level, from, to)
        };
        Some(solved.clamp(from, to))
    }

    fn bisect(&self, level: f64, mut above: f64, mut below: f64) -> f64 {
        while below - above > RESOLUTION {
            let middle = 0.5 * (above + below);
            if middle <= above || middle >= below {
                break;
            }
            if self.at(middle) >= level {
                above = middle;
            } else {
                below = middle;
            }
        }
        below
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::Curve;

    fn curves() -> impl Strategy<Value = Curve> {
        (-5.0..5.0, -50.0..50.0, -5.0..5.0, 1.0..10_000.0).prop_map(|(base, slope, amplitude, rate)| Curve {
            base,
            slope,
            amplitude,
            rate,
        })
    }

    #[test]
    fn an_exponential_meets_a_level_where_the_logarithm_says() {
        let curve = Curve::relaxing(3.3, 0.0, 0.0, 0.01);
        let expected = 0.01 * libm::log(3.3 / 1.7);
        assert!((curve.first_below(1.7, 1.0).unwrap() - expected).abs() < 1e-12);
        assert_eq!(curve.first_above(3.4, 1.0), None);
    }

    #[test]
    fn a_curve_that_dips_and_returns_is_caught_on_both_sides() {
        // Toward a goal that rises at 100 V/s, starting one volt above it.
        let curve = Curve::relaxing(1.0, 0.0, 100.0, 0.01);
        let down = curve.first_below(0.8, 1.0).unwrap();
        assert!((curve.at(down) - 0.8).abs() < 1e-6 && curve.slope_at(down) < 0.0);
        let below = curve.time_below(0.8, 1.0);
        assert!((curve.at(down + below) - 0.8).abs() < 1e-6 && curve.slope_at(down + below) > 0.0);
    }

    #[test]
    fn touching_a_level_and_leaving_it_upward_is_no_fall() {
        assert_eq!(Curve::line(1.7, 5.0).first_below(1.7, 1.0), None);
        assert_eq!(Curve::line(1.7, -5.0).first_below(1.7, 1.0), Some(0.0));
    }

    proptest! {
        #[test]
        fn the_first_crossing_is_the_first(curve in curves(), level in -5.0..5.0f64) {
            let found = curve.first_below(level, 1.0);
            let limit = found.unwrap_or(1.0);
            for step in 0..200 {
                let t = limit * f64::from(step) / 200.0;
                prop_assert!(curve.at(t) >= level - 1e-6 || t == 0.0 || found == Some(0.0), "already below at {t}");
            }
            if let Some(t) = found {
                prop_assert!(curve.at(t) <= level + 2e-5, "{} at {t}", curve.at(t));
            }
        }

        #[test]
        fn time_below_agrees_with_counting(curve in curves(), level in -5.0..5.0f64) {
            let counted = (0..10_000).filter(|k| curve.at((f64::from(*k) + 0.5) * 1e-4) < level).count() as f64 * 1e-4;
            prop_assert!((curve.time_below(level, 1.0) - counted).abs() < 5e-4);
        }

        #[test]
        fn the_area_agrees_with_summing(curve in curves()) {
            let steps = 20_000;
            let width = 0.01 / f64::from(steps);
            let summed: f64 = (0..steps).map(|k| curve.at((f64::from(k) + 0.5) * width) * width).sum();
            prop_assert!((curve.area(0.01) - summed).abs() < 1e-6);
        }
    }
}
