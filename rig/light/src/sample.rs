//! One reading of the colour sensor, as the instrument delivers it.
//!
//! Boundary: raw counts and their time; what they mean is decided elsewhere.

use brickproof_units::{Instant, Span};

/// One integration cycle of a TCS3472-like sensor: raw counts of its four channels.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sample {
    /// The end of the integration.
    pub at: Instant,
    /// How long the light was integrated.
    pub integration: Span,
    /// Counts behind the red filter.
    pub red: u16,
    /// Counts behind the green filter.
    pub green: u16,
    /// Counts behind the blue filter.
    pub blue: u16,
    /// Counts of the unfiltered channel.
    pub clear: u16,
}

impl Sample {
    /// The TCS3472 integrates in steps of 2.4 ms, each of which can add at most [`Self::COUNTS_PER_STEP`] (datasheet, ATIME).
    pub const STEP: Span = Span::micros(2_400);
    /// The most counts that one step can add to a channel.
    pub const COUNTS_PER_STEP: u16 = 1_024;

    /// Longer than any sensor of this kind integrates: 256 steps.
    pub(crate) const LONGEST: Span = Span::millis(700);

    /// Whether a channel has reached the end of its range, so that the proportion of the colours is lost.
    ///
    /// The clear channel counts too: it is the first to clip, and a sensor that clips there is about to clip elsewhere.
    pub fn is_clipped(&self) -> bool {
        let steps = self.integration.get() / Self::STEP.get();
        // The true end of the range is one count below the product, see the datasheet's "max count" column.
        let full_scale = steps.saturating_mul(u64::from(Self::COUNTS_PER_STEP)).clamp(1, u64::from(u16::MAX) + 1) - 1;
        let highest = self.red.max(self.green).max(self.blue).max(self.clear);
        steps > 0 && u64::from(highest) >= full_scale
    }

    /// How many steps of 2.4 ms this reading covers, not necessarily whole.
    pub(crate) fn steps(&self) -> f32 {
        self.integration.get() as f32 / Self::STEP.get() as f32
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample(integration: Span, clear: u16) -> Sample {
        Sample { at: Instant::START, integration, red: 10, green: 10, blue: 10, clear }
    }

    #[test]
    fn the_range_grows_with_the_integration_until_sixteen_bits_end_it() {
        assert!(!sample(Span::micros(2_400), 1_022).is_clipped());
        assert!(sample(Span::micros(2_400), 1_023).is_clipped());
        assert!(!sample(Span::micros(4_800), 1_024).is_clipped());
        assert!(!sample(Span::millis(614), 65_534).is_clipped());
        assert!(sample(Span::millis(614), 65_535).is_clipped());
    }
}
