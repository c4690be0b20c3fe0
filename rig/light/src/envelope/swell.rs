//! Finds the turning points of slowly changing light, and the period if they are even.
//!
//! Boundary: brightness over time within one stretch; steps have been cut away before.

use brickproof_units::{Instant, Span};

use super::Beginning;

/// Light must come back by this share of the highest brightness for the extreme before to count as a turning point.
const TURN: f32 = 0.15;
/// Brightness within this share of the extreme still belongs to it; its instant is the middle of that time.
const REST: f32 = 0.04;
/// A breath goes down by at least this share of the highest brightness.
const DEPTH: f32 = 0.4;
/// Halves of a breath differ by less than this share.
const EVEN: f32 = 0.25;
/// After a single half, the next must have come this far at a comparable speed before it is called a breath.
const PROGRESS: f32 = 0.35;
/// ... comparable: at most this much faster or slower.
const SPEED: f32 = 1.43;
/// A turning point that is later than this many halves does not come.
const OVERDUE: f32 = 1.35;
/// An extreme within this time after the beginning is where the pattern began, not where it turned.
const ONSET: Span = Span::millis(125);

/// Follows the brightness from turning point to turning point.
#[derive(Clone, Debug)]
pub(super) struct Swell {
    began: Instant,
    beginning: Beginning,
    highest: f32,
    course: Course,
    last_turn: Option<(Instant, f32)>,
    halves: Option<Halves>,
}

#[derive(Clone, Copy, Debug)]
enum Course {
    /// Nothing has been fed.
    Fresh,
    /// Neither rising nor falling yet.
    Level {
        low: Extreme,
        high: Extreme,
    },
    Rising(Extreme),
    Falling(Extreme),
}

#[derive(Clone, Copy, Debug)]
struct Extreme {
    level: f32,
    first: Instant,
    first_level: f32,
    last: Instant,
}

/// Even halves in a row.
#[derive(Clone, Copy, Debug)]
struct Halves {
    since: Instant,
    mean: f32,
    count: u32,
}

impl Extreme {
    fn at(at: Instant, level: f32) -> Self {
        Self { level, first: at, first_level: level, last: at }
    }

    fn middle(&self) -> Instant {
        self.first + Span::nanos(self.last.since(self.first).get() / 2)
    }

    /// Takes `level`, where `higher` tells how much more extreme it is than another.
    fn follow(&mut self, at: Instant, level: f32, rest: f32, higher: impl Fn(f32, f32) -> f32) {
        if higher(level, self.level) > 0.0 {
            self.level = level;
            if higher(level, self.first_level) > rest {
                self.first = at;
                self.first_level = level;
            }
        }
        if higher(self.level, level) <= rest {
            self.last = at;
        }
    }
}

fn above(level: f32, other: f32) -> f32 {
    level - other
}

fn below(level: f32, other: f32) -> f32 {
    other - level
}

impl Swell {
    pub(super) fn new(began: Instant, beginning: Beginning) -> Self {
        Self { began, beginning, highest: 0.0, course: Course::Fresh, last_turn: None, halves: None }
    }

    /// The last turning point, or else the beginning.
    pub(super) fn last_turn(&self) -> Instant {
        self.last_turn.map_or(self.began, |(at, _)| at)
    }

    pub(super) fn feed(&mut self, at: Instant, level: f32) {
        self.highest = self.highest.max(level);
        let (turn, rest) = (TURN * self.highest, REST * self.highest);
        match &mut self.course {
            Course::Fresh => self.course = Course::Level { low: Extreme::at(at, level), high: Extreme::at(at, level) },
            Course::Level { low, high } => {
                low.follow(at, level, rest, below);
                high.follow(at, level, rest, above);
                let (low, high) = (*low, *high);
                if level < high.level - turn {
                    self.onset(&high, Course::Falling(Extreme::at(at, level)));
                } else if level > low.level + turn {
                    self.onset(&low, Course::Rising(Extreme::at(at, level)));
                }
            }
            Course::Rising(high) => {
                high.follow(at, level, rest, above);
                if level < high.level - turn {
                    let high = *high;
                    self.turn(high.middle(), high.level);
                    self.course = Course::Falling(Extreme::at(at, level));
                }
            }
            Course::Falling(low) => {
                low.follow(at, level, rest, below);
                if level > low.level + turn {
                    let low = *low;
                    self.turn(low.middle(), low.level);
                    self.course = Course::Rising(Extreme::at(at, level));
                }
            }
        }
    }

    /// The first course is known. Where it started is a turning point, unless the pattern may have been going on before.
    fn onset(&mut self, from: &Extreme, course: Course) {
        let at_the_beginning = from.middle().since(self.began) <= ONSET;
        match (at_the_beginning, self.beginning) {
            (true, Beginning::AtStep) => self.last_turn = Some((self.began, from.level)),
            (true, Beginning::MidPattern) => {}
            (false, _) => self.last_turn = Some((from.middle(), from.level)),
        }
        self.course = course;
    }

    fn turn(&mut self, at: Instant, level: f32) {
        let before = self.last_turn.replace((at, level));
        let Some((before_at, before_level)) = before else { return };
        if (before_level - level).abs() < DEPTH * self.highest {
            self.halves = None;
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

    /// Since when the light has been breathing, its period, and how many halves of it were seen. `level` is the light at `now`.
    pub(super) fn verdict(&self, now: Instant, level: f32) -> Option<(Instant, Span, u32)> {
        let halves = self.halves?;
        let (turned_at, turned_level) = self.last_turn?;
        let elapsed = now.since(turned_at).get() as f32;
        if elapsed > OVERDUE * halves.mean {
            return None;
        }
        if halves.count == 1 && !self.goes_back_evenly(level, turned_level, elapsed, halves.mean) {
            return None;
        }
        Some((halves.since, Span::nanos((2.0 * halves.mean) as u64), halves.count))
    }

    fn goes_back_evenly(&self, level: f32, turned_level: f32, elapsed: f32, half: f32) -> bool {
        let progress = (level - turned_level).abs() / self.highest;
        let expected = progress * half;
        progress >= PROGRESS && elapsed < expected * SPEED && expected < elapsed * SPEED
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Period found in ms at every block of 50 ms, from a start at a step.
    fn periods(millis: u64, level: impl Fn(u64) -> f32) -> Vec<Option<u64>> {
        let mut swell = Swell::new(Instant::START, Beginning::AtStep);
        let blocks = (0..millis).step_by(50);
        let judged = blocks.map(|ms| {
            let (middle, end) = (Instant::START + Span::millis(ms + 25), Instant::START + Span::millis(ms + 50));
            swell.feed(middle, level(ms + 25));
            swell.verdict(end, level(ms + 25)).map(|(_, period, _)| period.get() / 1_000_000)
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
            assert!(first >= period / 2 && first <= period * 3 / 4, "{period}: {first}");
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
