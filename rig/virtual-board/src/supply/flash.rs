//! How much of a flash operation the cells see while the rail moves.
//!
//! Boundary: time. What share of an operation that makes is the board's business, and what a share does to cells the flash model's.
//!
//! Effective time is the integral of the charge pump's strength over the waveform: one above the part's minimum, falling linearly to
//! zero where the pump collapses, nothing once the chip is in reset (the model proposed for the cell states; an assumption until
//! fitted to silicon).

use brickproof_units::{Instant, Span};

use super::Supply;
use super::course::Firmness;
use super::curve::Curve;
use super::profile::FlashRange;
use super::supervisor::ChipPower;

impl Supply {
    /// The effective time that a flash operation gets between `start` and `until` if load, source and faults stay as they are: less
    /// than the time between them where the rail is weak in that `range`, and none from the brown-out reset on.
    ///
    /// `start` is not before the last change and not after [`Self::next_event`]. When something changes while an operation runs, ask
    /// for the part before the change, and then again.
    pub fn flash_time(&self, start: Instant, until: Instant, range: FlashRange) -> Span {
        if self.is_at_full_strength(until, range) {
            return until.since(start);
        }
        Span::nanos(libm::round(self.effective_seconds(start, until, range) * 1e9) as u64)
    }

    fn effective_seconds(&self, start: Instant, until: Instant, range: FlashRange) -> f64 {
        let mut ahead = self.clone();
        ahead.advance(start);
        let (mut at, mut effective) = (start, 0.0);
        while ahead.chip == ChipPower::Good {
            let turn = ahead.piece.end.filter(|(due, _)| *due < until);
            let end = turn.map_or(until, |(due, _)| due);
            let (from, to) = (ahead.piece.seconds_to(at), ahead.piece.seconds_to(end));
            effective += strength(&ahead.piece.rail, &range, to) - strength(&ahead.piece.rail, &range, from);
            at = end;
            match turn {
                Some((due, _)) => ahead.advance(due),
                None => break,
            }
        }
        effective
    }

    fn is_at_full_strength(&self, until: Instant, range: FlashRange) -> bool {
        self.piece.firmness == Firmness::Firm
            && self.profile.regulator.output >= range.minimum
            && self.piece.end.is_none_or(|(due, _)| until <= due)
    }
}

/// The integral of the charge pump's strength over the first `end` seconds of `rail`.
fn strength(rail: &Curve, flash: &FlashRange, end: f64) -> f64 {
    let (minimum, collapse) = (flash.minimum.get() as f64 * 1e-6, flash.collapse.get() as f64 * 1e-6);
    let part = |pair: &[f64]| {
        let (from, to) = (pair[0], pair[1]);
        let volts = rail.at(0.5 * (from + to));
        if volts >= minimum {
            to - from
        } else if volts <= collapse {
            0.0
        } else {
            (rail.area(to) - rail.area(from) - collapse * (to - from)) / (minimum - collapse)
        }
    };
    rail.breaks(&[minimum, collapse], end).windows(2).map(part).sum()
}

#[cfg(test)]
mod tests {
    use brickproof_units::Voltage;
    use proptest::prelude::*;

    use super::*;

    const FLASH: FlashRange = FlashRange { minimum: Voltage::new(2_700_000), collapse: Voltage::new(2_300_000) };

    #[test]
    fn a_rail_that_falls_evenly_through_the_band_gives_half_of_it() {
        // 3.0 V to 2.0 V in one second: 0.3 s full, 0.4 s at half strength on average, 0.3 s nothing.
        assert!((strength(&Curve::line(3.0, -1.0), &FLASH, 1.0) - 0.5).abs() < 1e-12);
    }

    #[test]
    fn a_flat_rail_in_the_middle_of_the_band_gives_half() {
        assert!((strength(&Curve::flat(2.5), &FLASH, 2.0) - 1.0).abs() < 1e-12);
    }

    proptest! {
        #[test]
        fn the_closed_form_agrees_with_summing(start in 1.0..4.0f64, goal in 0.0..4.0f64, tau in 1e-4..1.0f64) {
            let rail = Curve::relaxing(start, goal, 0.0, tau);
            let steps = 20_000;
            let width = 0.01 / f64::from(steps);
            let summed: f64 = (0..steps)
                .map(|k| ((rail.at((f64::from(k) + 0.5) * width) - 2.3) / 0.4).clamp(0.0, 1.0) * width)
                .sum();
            prop_assert!((strength(&rail, &FLASH, 0.01) - summed).abs() < 1e-7);
        }
    }
}
