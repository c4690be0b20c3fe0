//! Finds the turning points of slowly changing light, and the period if they are even.
//!
//! Boundary: brightness over time within one stretch; steps have been cut away before.

use brickproof_units::{Instant, Span};

use super::Beginning;
use crate::ring::Ring;

/// Light must come back by this share of the highest brightness for the extreme before to count as a turning point. Its instant
/// is in the middle between passing that level on the way there and on the way back: an extreme itself is flat and noisy.
const TURN: f32 = 0.25;
/// A breath goes down by at least this share of the highest brightness.
const DEPTH: f32 = 0.4;
/// Halves of a breath differ by less than this share.
const EVEN: f32 = 0.25;
/// After a single half, the next must have come this far at a comparable speed before it is called a breath.
const PROGRESS: f32 = 0.45;
/// ... comparable: at most this much faster or slower.
const SPEED: f32 = 1.35;
/// A turning point that is later than this many halves does not come.
const OVERDUE: f32 = 1.5;
/// A turn that takes this many times longer on one side than on the other is no breath's.
const LOPSIDED: i64 = 3;
/// ... if it takes long enough in blocks of 50 ms to tell.
const MEASURABLE: Span = Span::millis(400);
/// Halves shorter than this are too few blocks to tell their shape.
const SHORTEST: Span = Span::millis(250);
/// Halves shorter than this are measured too coarsely, in blocks of 50 ms, to be judged singly ...
const SINGLE: Span = Span::millis(750);
/// ... but by so many.
const COARSE_HALVES: u32 = 3;
/// An extreme within this time after the beginning is where the pattern began, not where it turned.
const ONSET: Span = Span::millis(125);

/// Follows the brightness from turning point to turning point.
#[derive(Clone, Debug)]
pub(super) struct Swell {
    began: Instant,
    beginning: Beginning,
    /// Light that never exceeds this only shows the sensor's noise.
    faint: f32,
    highest: f32,
    course: Course,
    /// Enough for the slowest turn of Device OS: a quarter down and up again of 8 s.
    points: Ring<Point, 56>,
    last_turn: Option<(Instant, f32)>,
    halves: Option<Halves>,
}

#[derive(Clone, Copy, Debug)]
enum Course {
    /// Neither rising nor falling yet.
    Level {
        low: f32,
        high: Point,
    },
    Rising(Point),
    Falling(Point),
}

/// The brightness of one block, at its middle.
#[derive(Clone, Copy, Debug, Default)]
struct Point {
    at: Instant,
    level: f32,
}

/// A turning point.
#[derive(Clone, Copy, Debug)]
struct Bend {
    at: Instant,
    level: f32,
    lopsided: bool,
}

/// Even halves in a row.
#[derive(Clone, Copy, Debug)]
struct Halves {
    since: Instant,
    mean: f32,
    count: u32,
}

impl Swell {
    pub(super) fn new(began: Instant, beginning: Beginning, faint: f32) -> Self {
        Self {
            began,
            beginning,
            faint,
            highest: 0.0,
            course: Course::Level { low: f32::MAX, high: Point { at: began, level: f32::MIN } },
            points: Ring::new(),
            last_turn: None,
            halves: None,
        }
    }

    /// The last turning point, or else the beginning.
    pub(super) fn last_turn(&self) -> Instant {
        self.last_turn.map_or(self.began, |(at, _)| at)
    }

    pub(super) fn feed(&mut self, at: Instant, level: f32) {
        self.highest = self.highest.max(level);
        let point = Point { at, level };
        let turn = TURN * self.highest;
        self.course = match self.course {
            Course::Level { low, high } => self.leave_level(point, low.min(level), higher(high, point)),
            Course::Rising(high) if level < high.level - turn => {
                self.turn(self.bend(point, high, high.level - turn));
                Course::Falling(point)
            }
            Course::Rising(high) => Course::Rising(higher(high, point)),
            Course::Falling(low) if level > low.level + turn => {
                self.turn(self.bend(point, low, low.level + turn));
                Course::Rising(point)
            }
            Course::Falling(low) => Course::Falling(lower(low, point)),
        };
        self.points.push(point);
    }

    /// Where the first course started is a turning point only if the pattern began there; else it may have been going on before.
    fn leave_level(&mut self, point: Point, low: f32, high: Point) -> Course {
        let turn = TURN * self.highest;
        if point.level < high.level - turn {
            let began_high = high.at.since(self.began) <= ONSET && self.beginning == Beginning::AtStep;
            self.last_turn = began_high.then_some((self.began, high.level));
            Course::Falling(point)
        } else if point.level > low + turn {
            Course::Rising(point)
        } else {
            Course::Level { low, high }
        }
    }

    /// The turning point at `extreme`, from passing `level` before it and now, with `point`.
    fn bend(&self, point: Point, extreme: Point, level: f32) -> Bend {
        // Relative to the extreme, so that no instant is too late to count with.
        let nanos = |at: Instant| at.since(extreme.at).get() as i64 - extreme.at.since(at).get() as i64;
        let passed = |inner: Point, outer: Point| {
            let share = ((inner.level - level) / (inner.level - outer.level)).clamp(0.0, 1.0);
            nanos(inner.at) + (share * outer.at.since(inner.at).get() as f32) as i64
                - (share * inner.at.since(outer.at).get() as f32) as i64
        };
        let inside = |point: &Point| (point.level - level) * (extreme.level - level) > 0.0;
        let newest = self.points.get(0).copied().unwrap_or(extreme);
        let back = passed(newest, point);
        let mut inner = extreme;
        let mut there = 0;
        for earlier in self.points.newest_first().skip_while(|earlier| earlier.at >= extreme.at) {
            there = passed(inner, *earlier);
            if !inside(earlier) {
                break;
            }
            inner = *earlier;
        }
        let (before, after) = (-there, back);
        let shift = Span::nanos(((there + back) / 2).unsigned_abs());
        let at = if there + back < 0 { extreme.at - shift } else { extreme.at + shift };
        let measurable = before + after >= MEASURABLE.get() as i64;
        let lopsided = measurable && (before > LOPSIDED * after || after > LOPSIDED * before);
        Bend { at, level: extreme.level, lopsided }
    }

    fn turn(&mut self, Bend { at, level, lopsided }: Bend) {
        let before = self.last_turn.replace((at, level));
        if lopsided {
            self.halves = None;
            return;
        }
        let Some((before_at, before_level)) = before else { return };
        if (before_level - level).abs() < DEPTH * self.highest {
            // Not a breath's turning point, and where the next one starts from is as doubtful.
            self.halves = None;
            self.last_turn = None;
            return;
        }
        let length = at.since(before_at).get() as f32;
        self.halves = match self.halves {
            Some(halves) if (length - halves.mean).abs() <= EVEN * halves.mean => {
                let count = halves.count + 1;
                let mean = halves.mean + (length - halves.mean) / count.min(6) as f32;
                Some(Halves { mean, count, ..halves })
            }
            _ => Some(Halves { since: before_at, mean: length, count: 1 }),
        };
    }

    /// Since when the light has been breathing, its period, and how many halves of it were seen.
    pub(super) fn verdict(&self, now: Instant) -> Option<(Instant, Span, u32)> {
        let halves = self.halves?;
        let (turned_at, turned_level) = self.last_turn?;
        let coarse = halves.mean < SINGLE.get() as f32 && halves.count < COARSE_HALVES;
        if self.highest < self.faint || halves.mean < SHORTEST.get() as f32 || coarse {
            return None;
        }
        let elapsed = now.since(turned_at).get() as f32;
        if elapsed > OVERDUE * halves.mean {
            return None;
        }
        if halves.count == 1 && !self.goes_back_evenly(turned_at, turned_level, halves.mean) {
            return None;
        }
        Some((halves.since, Span::nanos((2.0 * halves.mean) as u64), halves.count))
    }

    /// Whether the light goes back at the speed at which it came, as far as it has got by now.
    fn goes_back_evenly(&self, turned_at: Instant, turned_level: f32, half: f32) -> bool {
        let (Course::Rising(farthest) | Course::Falling(farthest)) = self.course else { return false };
        let elapsed = farthest.at.since(turned_at).get() as f32;
        let progress = (farthest.level - turned_level).abs() / self.highest;
        let expected = progress * half;
        progress >= PROGRESS && elapsed < expected * SPEED && expected < elapsed * SPEED
    }
}

fn higher(point: Point, other: Point) -> Point {
    if other.level > point.level { other } else { point }
}

fn lower(point: Point, other: Point) -> Point {
    if other.level < point.level { other } else { point }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Period found in ms at every block of 50 ms, from a start at a step.
    fn periods(millis: u64, level: impl Fn(u64) -> f32) -> Vec<Option<u64>> {
        let mut swell = Swell::new(Instant::START, Beginning::AtStep, 30.0);
        let blocks = (0..millis).step_by(50);
        let judged = blocks.map(|ms| {
            let (middle, end) = (Instant::START + Span::millis(ms + 25), Instant::START + Span::millis(ms + 50));
            swell.feed(middle, level(ms + 25));
            swell.verdict(end).map(|(_, period, _)| period.get() / 1_000_000)
        });
        judged.collect()
    }

    fn triangle(period: u64) -> impl Fn(u64) -> f32 {
        move |ms| ((ms % period) as f32 / (period as f32 / 2.0) - 1.0).abs() * 1_000.0
    }

    #[test]
    fn a_breath_is_recognised_within_three_quarters_of_its_period() {
        for period in [1_000, 4_000, 8_000] {
            let found = periods(period * 4, triangle(period));
            let first = found.iter().position(Option::is_some).unwrap() as u64 * 50;
            // Halves of 500 ms are too short to be judged singly: three are needed.
            let latest = if period == 1_000 { 1_750 } else { period * 3 / 4 };
            assert!(first >= period / 2 && first <= latest, "{period}: {first}");
            for guess in found.into_iter().skip((first / 50) as usize) {
                let guess = guess.expect("a breath that goes on stays recognised");
                assert!(guess.abs_diff(period) <= period / 8, "{period}: {guess}");
            }
        }
    }

    #[test]
    fn one_way_and_uneven_changes_are_no_breath() {
        let once_down = |ms: u64| 1_000.0 - ms.min(2_000) as f32 / 2.0;
        let sawtooth = |ms: u64| {
            let phase = (ms % 4_000) as f32;
            if phase < 800.0 { phase / 0.8 } else { 1_000.0 - (phase - 800.0) / 3.2 }
        };
        assert!(periods(10_000, once_down).iter().all(Option::is_none));
        assert!(periods(20_000, sawtooth).iter().all(Option::is_none));
    }

    #[test]
    fn a_breath_that_stops_is_overdue() {
        let stops = |ms: u64| if ms < 8_000 { triangle(4_000)(ms) } else { 1_000.0 };
        assert!(periods(8_000, stops).last().unwrap().is_some());
        assert!(periods(11_000, stops).last().unwrap().is_none());
    }
}
