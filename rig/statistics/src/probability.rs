//! A probability that is one: the bare number never crosses the border of this crate.

use std::fmt;

/// A probability, a share, a confidence or an error rate: a number from 0 to 1.
#[derive(Clone, Copy, Debug, Default, PartialEq, PartialOrd)]
pub struct Probability(f64);

/// A number that is no probability.
#[derive(Clone, Copy, Debug, PartialEq, thiserror::Error)]
#[error("{0} is not a probability: asked is a number from 0 to 1, as in 0.02 for 2 %")]
pub struct NotAProbability(f64);

impl Probability {
    /// Never.
    pub const ZERO: Self = Self(0.0);
    /// Always.
    pub const ONE: Self = Self(1.0);

    /// The probability `value`.
    ///
    /// # Errors
    ///
    /// If `value` is not from 0 to 1.
    pub fn new(value: f64) -> Result<Self, NotAProbability> {
        if (0.0..=1.0).contains(&value) { Ok(Self(value)) } else { Err(NotAProbability(value)) }
    }

    /// For what is a probability but for the rounding of the sums it was made of.
    pub(crate) fn clamped(value: f64) -> Self {
        Self(value.clamp(0.0, 1.0))
    }

    /// The share `part` of `whole` things; nothing of nothing is zero.
    pub fn share(part: u64, whole: u64) -> Self {
        Self::clamped(part as f64 / whole.max(1) as f64)
    }

    /// The number from 0 to 1.
    pub const fn get(self) -> f64 {
        self.0
    }

    /// The probability that it does not happen.
    pub fn complement(self) -> Self {
        Self(1.0 - self.0)
    }
}

impl fmt::Display for Probability {
    /// In percent, with the digits that tell it from 0 % and from 100 %.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let percent = self.0 * 100.0;
        if 0.0 < percent && percent < 1e-6 {
            return f.pad("<0.000001 %");
        }
        let (distance, digits) = if percent < 50.0 { (percent, 3) } else { (100.0 - percent, 2) };
        let places = match distance {
            d if d <= 0.0 => 0,
            d if d >= 10.0 => 1,
            d => (1..)
                .zip([1.0, 0.1, 0.01, 0.001, 0.0001])
                .find(|(_, least)| d >= *least)
                .map_or(7, |(n, _)| n + digits - 2),
        };
        f.pad(&format!("{percent:.places$} %"))
    }
}

#[cfg(test)]
mod tests {
    use super::Probability;

    #[test]
    fn what_is_no_probability_is_refused() {
        for value in [-0.1, 1.1, f64::NAN, f64::INFINITY] {
            assert!(Probability::new(value).is_err(), "{value}");
        }
        assert_eq!(
            Probability::new(2.0).unwrap_err().to_string(),
            "2 is not a probability: asked is a number from 0 to 1, as in 0.02 for 2 %"
        );
    }

    #[test]
    fn it_is_shown_in_percent() {
        let shown = |value| Probability::new(value).unwrap().to_string();
        assert_eq!(shown(0.0), "0 %");
        assert_eq!(shown(0.0512), "5.12 %");
        assert_eq!(shown(0.000_036), "0.00360 %");
        assert_eq!(shown(0.0994), "9.94 %");
        assert_eq!(shown(0.95), "95.0 %");
        assert_eq!(shown(0.9998), "99.980 %");
        assert_eq!(shown(1e-12), "<0.000001 %");
        assert_eq!(shown(0.451), "45.1 %");
        assert_eq!(shown(1.0), "100 %");
    }
}
