//! Cuts the light at its steps: a stretch is what lies between one step of brightness or colour and the next.
//!
//! Boundary: it finds the steps and their instants. What happens slowly inside a stretch is the envelope's business, and what
//! a sequence of stretches means is the phrase's.

use brickproof_units::{Instant, Span};

use crate::colour::Colour;
use crate::rgb::Rgb;
use crate::smoothing::{Exposure, Glimpse, Smoothing};

/// A stretch that has ended.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Stretch {
    pub(crate) start: Instant,
    pub(crate) end: Instant,
    /// How far the length may be off because of when the sensor did not look.
    pub(crate) slack: Span,
    pub(crate) light: Rgb,
    pub(crate) clipped: bool,
    pub(crate) shape: Shape,
}

/// Whether the light stayed the same inside a stretch.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Shape {
    #[default]
    Flat,
    Sloping,
}

/// Where a stretch ended and which light followed.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Step {
    pub(crate) ended: Stretch,
    pub(crate) next_light: Rgb,
}

/// A change by this share of the light is a step, if it happens within the averaging window.
///
/// Above the ripple that PWM leaves after averaging (a quarter, at low brightness), below a change of hue between neighbours.
const STEP: f32 = 0.3;
/// A change by this share may be the first part of a step: it is set aside until the next glimpse shows what it was.
const STRAY: f32 = 0.12;
/// Light that turns back before it has changed by this share has not stepped: it was ripple. A step gets there.
const GLITCH: f32 = 0.6;
/// The brightest moment of a stretch counts by this much: near the dark end of a breath every change is large in comparison.
const PEAK: f32 = 0.7;
/// How quickly the reference follows slow changes. A breath of 1 s moves by 8 % meanwhile.
const FOLLOW: Span = Span::millis(40);
/// How long the brightness before a step still tells how large a change must be to be a step.
const REMEMBER: Span = Span::millis(150);
/// A flat stretch varies by less than this share: averaging at its ends and ripple, but not a swell.
const FLAT: f32 = 0.45;

/// Finds the steps.
#[derive(Clone, Debug)]
pub(crate) struct Cutter {
    noise: f32,
    state: State,
    open: Open,
    /// The brightness before the last step, and when that was.
    before: (f32, Instant),
}

#[derive(Clone, Debug)]
enum State {
    /// No light has been seen yet.
    Blind,
    /// The light follows the reference, but for the last glimpse perhaps.
    Calm { reference: Rgb, stray: Option<Glimpse>, calm_at: Instant },
    /// The light has left `origin` and is on its way to somewhere; `farthest` is where it has got to.
    Crossing { origin: Rgb, calm_at: Instant, triggered_at: Instant, farthest: Glimpse },
}

/// The stretch that has not ended.
#[derive(Clone, Debug, Default)]
struct Open {
    start: Instant,
    start_slack: Span,
    sum: Rgb,
    weight: f32,
    lowest: f32,
    highest: f32,
    clipped: bool,
}

impl Open {
    fn at(start: Instant, start_slack: Span, light: Rgb, clipped: bool) -> Self {
        let level = light.level();
        // The first glimpse weighs little, so that longer stretches are the mean of what followed.
        Self { start, start_slack, sum: light.times(1e-3), weight: 1e-3, lowest: level, highest: level, clipped }
    }

    fn add(&mut self, glimpse: &Glimpse) {
        let millis = glimpse.gap.get() as f32 / 1e6;
        self.sum = self.sum.plus(glimpse.light.times(millis));
        self.weight += millis;
        let level = glimpse.light.level();
        self.lowest = self.lowest.min(level);
        self.highest = self.highest.max(level);
        self.clipped |= glimpse.clipped;
    }

    /// The mean light, which is less noisy than the newest, unless the light has changed.
    fn mean_if_flat(&self, newest: Rgb) -> Rgb {
        let steady = self.highest - self.lowest <= FLAT * self.highest && self.weight > 10.0;
        if steady { self.sum.times(1.0 / self.weight) } else { newest }
    }

    fn close(&self, end: Instant, end_slack: Span, noise: f32) -> Stretch {
        let range = self.highest - self.lowest;
        let flat = range <= FLAT * self.highest || range <= noise;
        Stretch {
            start: self.start,
            end: end.max(self.start),
            slack: self.start_slack + end_slack,
            light: self.sum.times(1.0 / self.weight),
            clipped: self.clipped,
            shape: if flat { Shape::Flat } else { Shape::Sloping },
        }
    }
}

impl Cutter {
    /// `noise` is the level that a change must exceed whatever the brightness.
    pub(crate) fn new(noise: f32) -> Self {
        Self { noise, state: State::Blind, open: Open::default(), before: (0.0, Instant::START) }
    }

    /// Forgets the open stretch: what comes next has nothing to do with what came before.
    pub(crate) fn restart(&mut self) {
        *self = Self::new(self.noise);
    }

    /// When the open stretch began.
    pub(crate) fn open_since(&self) -> Instant {
        self.open.start
    }

    /// Whether the light is not in the middle of a step.
    pub(crate) fn is_calm(&self) -> bool {
        matches!(self.state, State::Calm { stray: None, .. })
    }

    /// Takes the next glimpse; answers with the step that it completes, if it does.
    pub(crate) fn feed(&mut self, glimpse: &Glimpse, recent: &Smoothing) -> Option<Step> {
        match self.state {
            State::Blind => {
                self.begin(glimpse.from, Span::ZERO, glimpse);
                None
            }
            State::Calm { .. } => {
                self.stay_calm(glimpse);
                None
            }
            State::Crossing { .. } => self.cross(glimpse, recent),
        }
    }

    fn begin(&mut self, start: Instant, slack: Span, first: &Glimpse) {
        self.open = Open::at(start, slack, first.light, first.clipped);
        self.state = State::Calm { reference: first.light, stray: None, calm_at: first.at };
    }

    /// How much light there is or was a moment ago: what changes are measured against.
    fn scale(&self, reference: Rgb, glimpse: &Glimpse) -> f32 {
        let swollen = PEAK * self.open.highest;
        let scale = reference.level().max(glimpse.light.level()).max(swollen);
        let (before, until) = self.before;
        if glimpse.at.since(until) < REMEMBER { scale.max(before) } else { scale }
    }

    fn stay_calm(&mut self, glimpse: &Glimpse) {
        let State::Calm { reference, stray, calm_at } = &mut self.state else { return };
        let (mut calm_reference, waiting, last_calm) = (*reference, stray.take(), *calm_at);
        let scale = self.scale(calm_reference, glimpse);
        let change = glimpse.light.distance(calm_reference);
        if change > (STEP * scale).max(self.noise) {
            self.state = State::Crossing {
                origin: calm_reference,
                calm_at: last_calm,
                triggered_at: glimpse.at,
                farthest: *glimpse,
            };
            return;
        }
        let mut calm_at = last_calm;
        if let Some(waited) = waiting {
            self.open.add(&waited);
            calm_reference = follow(calm_reference, &waited);
            calm_at = waited.at;
        }
        let strays = change > (STRAY * scale).max(self.noise / 2.0);
        if !strays {
            self.open.add(glimpse);
            calm_reference = follow(calm_reference, glimpse);
            calm_at = glimpse.at;
        }
        self.state = State::Calm { reference: calm_reference, stray: strays.then_some(*glimpse), calm_at };
    }

    fn cross(&mut self, glimpse: &Glimpse, recent: &Smoothing) -> Option<Step> {
        let State::Crossing { origin, calm_at, triggered_at, mut farthest } = self.state else { return None };
        let (way, farthest_way) = (glimpse.light.distance(origin), farthest.light.distance(origin));
        let scale = self.scale(origin, &farthest);
        // A glimpse wholly after the trigger cannot contain light from before the step; one that turns back is the next step.
        let turns_back = way < 0.9 * farthest_way;
        let complete = glimpse.from >= triggered_at;
        if !turns_back && !complete {
            if way > farthest_way {
                farthest = *glimpse;
                self.state = State::Crossing { origin, calm_at, triggered_at, farthest };
            }
            return None;
        }
        let ripple = if turns_back { farthest_way < GLITCH * scale } else { way < STEP * scale };
        if ripple {
            self.state = State::Calm { reference: origin, stray: None, calm_at: glimpse.at };
            self.stay_calm(glimpse);
            return None;
        }
        // The farthest glimpse is one that ripple has made too large: if there is a later one, that is the better measure.
        let arrival = if turns_back { farthest } else { *glimpse };
        let (at, slack) = instant_of_step(self.open.mean_if_flat(origin), &arrival, calm_at, recent.exposures());
        let at = at.max(self.open.start);
        let ended = self.open.close(at, slack, self.noise);
        self.before = (ended.light.level(), at);
        self.begin(at, slack, &arrival);
        if glimpse.at > arrival.at {
            self.stay_calm(glimpse);
        }
        Some(Step { ended, next_light: arrival.light })
    }
}

fn follow(reference: Rgb, glimpse: &Glimpse) -> Rgb {
    let share = (glimpse.gap.get() as f32 / FOLLOW.get() as f32).min(1.0);
    reference.plus(glimpse.light.minus(reference).times(share))
}

/// When the light went from `origin` to `farthest`, and how uncertain that is.
///
/// Each raw sample tells by its proportion how long it saw the new light; the step lies that much before the end.
fn instant_of_step<'a>(
    origin: Rgb,
    farthest: &Glimpse,
    calm_at: Instant,
    exposures: impl Iterator<Item = &'a Exposure>,
) -> (Instant, Span) {
    /// The averaged light may have stayed calm for this long after the raw light began to change.
    const LAG: Span = Span::millis(10);
    /// Light that has come so far of the way has arrived, but for ripple and noise.
    const NEARLY_NEW: f32 = 0.75;
    let way = farthest.light.minus(origin);
    let square = way.dot(way);
    let share_of = |light: Rgb| if square > 0.0 { light.minus(origin).dot(way) / square } else { 1.0 };
    let mut after = 0.0;
    let mut blind = Span::ZERO;
    let mut not_later = exposures.skip_while(|exposure| exposure.at > farthest.at).peekable();
    while let Some(exposure) = not_later.next_if(|exposure| exposure.at + LAG > calm_at) {
        // Not clamped: ripple and noise around both levels cancel in the sum.
        let share = share_of(exposure.light);
        let earlier = not_later.peek().map_or(0.0, |earlier| share_of(earlier.light));
        let unseen = exposure.gap - exposure.integration;
        after += share * exposure.integration.get() as f32 + unseen_share(earlier, share) * unseen.get() as f32;
        // A sample that was lost while the light was still the old one, or already the new one, hides nothing of the step.
        if earlier < NEARLY_NEW && share > 1.0 - NEARLY_NEW {
            blind = blind.max(unseen);
        }
    }
    let after = after.max(0.0) as u64;
    (farthest.at - Span::nanos(after), Span::nanos(blind.get() / 2))
}

/// How much of the time between two samples came after the step: it is before the step if the later sample saw a part of the
/// old light, after it if the earlier one saw a part of the new, and halved if the step was in between.
fn unseen_share(earlier: f32, later: f32) -> f32 {
    if earlier > 0.1 {
        1.0
    } else if later > 0.9 {
        0.5
    } else {
        0.0
    }
}

impl Stretch {
    /// The colour of this stretch after taking away `ambient`, which a darker stretch beside it has shown.
    pub(crate) fn colour(&self, ambient: Rgb) -> Colour {
        if self.clipped { Colour::Unknown } else { Colour::of(self.light.minus(ambient)) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const RED: Rgb = Rgb([600.0, 0.0, 0.0]);
    const CYAN: Rgb = Rgb([0.0, 500.0, 500.0]);
    const DARK: Rgb = Rgb([0.0; 3]);

    /// Feeds what a sensor sees of `plan` (light and its end in ms) and returns the ends of the stretches in ms, and the lights.
    fn cut(integration: Span, plan: &[(Rgb, u64)]) -> Vec<(f32, Rgb)> {
        let (mut smoothing, mut cutter) = (Smoothing::new(), Cutter::new(20.0));
        let gap = integration + Span::micros(2_400);
        let end = plan.last().map_or(0, |(_, end)| *end);
        let mut ends = Vec::new();
        let mut at = Instant::START + gap;
        while at < Instant::START + Span::millis(end) {
            let light = mean_light(plan, at - integration, at);
            let glimpse = smoothing.push(Exposure { at, integration, gap, light, clipped: false });
            if let Some(step) = cutter.feed(&glimpse, &smoothing) {
                ends.push((step.ended.end.as_nanos() as f32 / 1e6, step.ended.light));
            }
            at += gap;
        }
        ends
    }

    fn mean_light(plan: &[(Rgb, u64)], from: Instant, to: Instant) -> Rgb {
        let mut begin = Instant::START;
        let mut sum = Rgb::default();
        for (light, end) in plan {
            let end = Instant::START + Span::millis(*end);
            let overlap = end.min(to).since(begin.max(from)).get() as f32 / to.since(from).get() as f32;
            sum = sum.plus(light.times(overlap));
            begin = end;
        }
        sum
    }

    #[test]
    fn steps_are_found_to_a_few_milliseconds_at_every_integration() {
        let plan = [(CYAN, 500), (DARK, 550), (CYAN, 600), (RED, 850), (DARK, 1100), (CYAN, 1200)];
        for (integration, tolerance) in [(2_400, 1.5), (4_800, 1.5), (24_000, 6.0)] {
            let ends = cut(Span::micros(integration), &plan);
            assert_eq!(ends.len(), 5, "{integration}: {ends:?}");
            for ((end, light), (truth, expected)) in
                ends.iter().zip([500.0, 550.0, 600.0, 850.0, 1100.0].iter().zip(plan))
            {
                assert!((end - truth).abs() < tolerance, "{integration}: {end} {truth}");
                assert!(light.distance(expected.0) < 150.0, "{integration}: {light:?}");
            }
        }
    }

    #[test]
    fn a_swell_is_no_step() {
        let swell: Vec<_> =
            (0..40).map(|i: u64| (CYAN.times((20 - i as i32).abs() as f32 / 20.0), (i + 1) * 25)).collect();
        for integration in [2_400, 4_800, 24_000] {
            assert_eq!(cut(Span::micros(integration), &swell).len(), 0);
        }
    }
}
