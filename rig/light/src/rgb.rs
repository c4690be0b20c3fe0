//! A colour as three linear intensities.
//!
//! Boundary: vector arithmetic only, in basic IEEE operations, which give the same bits on every machine.

/// Red, green and blue light in counts per sensor step of 2.4 ms, after calibration.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(crate) struct Rgb(pub(crate) [f32; 3]);

impl Rgb {
    pub(crate) fn plus(self, other: Self) -> Self {
        Self([self.0[0] + other.0[0], self.0[1] + other.0[1], self.0[2] + other.0[2]])
    }

    pub(crate) fn minus(self, other: Self) -> Self {
        Self([self.0[0] - other.0[0], self.0[1] - other.0[1], self.0[2] - other.0[2]])
    }

    pub(crate) fn times(self, factor: f32) -> Self {
        Self([self.0[0] * factor, self.0[1] * factor, self.0[2] * factor])
    }

    pub(crate) fn dot(self, other: Self) -> f32 {
        self.0[0] * other.0[0] + self.0[1] * other.0[1] + self.0[2] * other.0[2]
    }

    /// The total intensity. Negative if the light fell below the calibrated dark.
    pub(crate) fn level(self) -> f32 {
        self.0[0] + self.0[1] + self.0[2]
    }

    /// Sum of the channels' differences: a change of colour at equal brightness counts as much as a change of brightness.
    pub(crate) fn distance(self, other: Self) -> f32 {
        let difference = self.minus(other).0;
        difference[0].abs() + difference[1].abs() + difference[2].abs()
    }
}
