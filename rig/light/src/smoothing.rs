//! Averages the newest samples, so that mains flicker and PWM beats do not look like a rhythm.
//!
//! Boundary: a sliding window over calibrated light; it does not interpret it.

use brickproof_units::{Instant, Span};

use crate::rgb::Rgb;
use crate::ring::Ring;

/// The light of one sample.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Exposure {
    /// The end of the integration.
    pub(crate) at: Instant,
    pub(crate) integration: Span,
    /// Since the end of the sample before.
    pub(crate) gap: Span,
    pub(crate) light: Rgb,
    pub(crate) clipped: bool,
}

/// The light averaged over the window that ends with one sample.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Glimpse {
    /// The end of the window.
    pub(crate) at: Instant,
    /// The beginning of the window: light from before it has no part in the average.
    pub(crate) from: Instant,
    /// Since the glimpse before.
    pub(crate) gap: Span,
    pub(crate) light: Rgb,
    pub(crate) clipped: bool,
}

/// Two periods of 50 Hz mains light, a little less so that four samples of 4.8 ms or three of 7.2 ms fit. The fastest blink of
/// Device OS has phases of 50 ms.
const WINDOW: Span = Span::micros(18_500);

/// The window, and the samples it is made of.
#[derive(Clone, Debug)]
pub(crate) struct Smoothing {
    exposures: Ring<Exposure, 16>,
}

impl Smoothing {
    pub(crate) fn new() -> Self {
        Self { exposures: Ring::new() }
    }

    /// Forgets everything: what comes next has nothing to do with what came before.
    pub(crate) fn restart(&mut self) {
        self.exposures.clear();
    }

    pub(crate) fn push(&mut self, exposure: Exposure) -> Glimpse {
        self.exposures.push(exposure);
        let mut sum = Rgb::default();
        let mut count = 0.0;
        let mut glimpse =
            Glimpse { at: exposure.at, from: exposure.at, gap: exposure.gap, light: Rgb::default(), clipped: false };
        // Summed afresh each time: a running sum would carry its rounding errors along.
        for member in self.exposures.newest_first().take_while(|member| exposure.at.since(member.at) < WINDOW) {
            sum = sum.plus(member.light);
            count += 1.0;
            glimpse.from = member.at - member.integration;
            glimpse.clipped |= member.clipped;
        }
        glimpse.light = sum.times(1.0 / count);
        glimpse
    }

    /// The newest samples, newest first.
    pub(crate) fn exposures(&self) -> impl Iterator<Item = &Exposure> + Clone {
        self.exposures.newest_first()
    }
}
