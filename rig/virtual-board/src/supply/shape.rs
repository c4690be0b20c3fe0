//! A brown-out as corners on the timeline, with straight legs between them.
//!
//! Boundary: geometry. Which node is forced, and what follows from it, is decided in [`super::course`].

use brickproof_units::{Instant, Slew, Span};

use super::fault::BrownOut;

/// Start, trough, peak, floor, end of hold, end.
const MOST_CORNERS: usize = 6;

/// A forced voltage over time.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Shape {
    corners: [(Instant, f64); MOST_CORNERS],
    count: usize,
}

/// The straight piece that a shape is on.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Leg {
    /// Volts at the moment that was asked for.
    pub(super) from: f64,
    /// Volts per second.
    pub(super) slope: f64,
    pub(super) end: Instant,
}

impl Shape {
    /// From `volts`, not negative, at `start` down and back to `volts`. A floor that is not below `volts` leaves the node where it is.
    pub(super) fn new(start: Instant, volts: f64, asked: &BrownOut) -> Self {
        let floor = (asked.floor.get() as f64 * 1e-6).min(volts).max(0.0);
        let mut shape = Self { corners: [(start, volts); MOST_CORNERS], count: 1 };
        if let Some(bump) = asked.bump {
            let trough = bump.trough.get() as f64 * 1e-6;
            let peak = (bump.peak.get() as f64 * 1e-6).min(volts);
            if (floor..volts).contains(&trough) && peak > trough {
                shape.leg_to(trough, asked.fall);
                shape.leg_to(peak, asked.rise);
            }
        }
        shape.leg_to(floor, asked.fall);
        shape.wait(asked.hold);
        shape.leg_to(volts, asked.rise);
        shape
    }

    pub(super) fn end(&self) -> Instant {
        self.last().0
    }

    /// The leg at `at`: the one that begins there, not the one that ends there.
    pub(super) fn leg(&self, at: Instant) -> Option<Leg> {
        let corners = &self.corners[..self.count];
        let pair = corners.windows(2).find(|pair| pair[0].0 <= at && at < pair[1].0)?;
        let seconds = |from: Instant, to: Instant| to.since(from).as_nanos() as f64 * 1e-9;
        let slope = (pair[1].1 - pair[0].1) / seconds(pair[0].0, pair[1].0);
        Some(Leg { from: pair[0].1 + slope * seconds(pair[0].0, at), slope, end: pair[1].0 })
    }

    fn last(&self) -> (Instant, f64) {
        self.corners[self.count - 1]
    }

    fn push(&mut self, at: Instant, volts: f64) {
        self.corners[self.count] = (at, volts);
        self.count += 1;
    }

    /// No leg is shorter than the timeline's nanosecond: a slew of zero is a step.
    fn leg_to(&mut self, volts: f64, slew: Slew) {
        let (at, from) = self.last();
        if volts != from {
            let nanos = libm::round((volts - from).abs() * slew.get() as f64) as u64;
            self.push(at + Span::nanos(nanos.max(1)), volts);
        }
    }

    fn wait(&mut self, span: Span) {
        let (at, volts) = self.last();
        self.push(at + span, volts);
    }
}

#[cfg(test)]
mod tests {
    use brickproof_units::Voltage;

    use super::super::fault::{Bump, Rail};
    use super::*;

    fn asked() -> BrownOut {
        BrownOut {
            rail: Rail::Logic,
            floor: Voltage::new(1_200_000),
            fall: Slew::new(50_000),
            hold: Span::millis(200),
            rise: Slew::new(100_000),
            bump: None,
        }
    }

    #[test]
    fn the_legs_have_the_asked_slews_and_hold() {
        let shape = Shape::new(Instant::from_nanos(1_000), 3.3, &asked());
        let fall = shape.leg(Instant::from_nanos(1_000)).unwrap();
        assert!((fall.slope + 20_000.0).abs() < 1.0, "{}", fall.slope);
        assert_eq!(fall.end, Instant::from_nanos(1_000 + 105_000));
        let hold = shape.leg(fall.end).unwrap();
        assert_eq!((hold.from, hold.slope, hold.end), (1.2, 0.0, fall.end + Span::millis(200)));
        assert_eq!(shape.end(), hold.end + Span::micros(210));
        assert_eq!(shape.leg(shape.end()), None);
    }

    #[test]
    fn a_bump_turns_twice_on_the_way_down() {
        let bump = Some(Bump { trough: Voltage::new(1_500_000), peak: Voltage::new(1_900_000) });
        let shape = Shape::new(Instant::START, 3.3, &BrownOut { bump, ..asked() });
        let mut at = Instant::START;
        let mut slopes = Vec::new();
        while let Some(leg) = shape.leg(at) {
            slopes.push(leg.slope.partial_cmp(&0.0).unwrap() as i8);
            at = leg.end;
        }
        assert_eq!(slopes, [-1, 1, -1, 0, 1]);
    }

    #[test]
    fn a_floor_above_the_node_leaves_it_alone() {
        let shape = Shape::new(Instant::START, 0.8, &asked());
        assert_eq!(shape.leg(Instant::START).unwrap().slope, 0.0);
        assert_eq!(shape.end(), Instant::START + Span::millis(200));
    }

    #[test]
    fn a_slew_of_zero_is_one_nanosecond() {
        let shape = Shape::new(Instant::START, 3.3, &BrownOut { fall: Slew::new(0), ..asked() });
        assert_eq!(shape.leg(Instant::START).unwrap().end, Instant::from_nanos(1));
    }
}
