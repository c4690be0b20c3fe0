//! Watches the open stretch for what is slow: darkness, steadiness, or the swell of a breathing LED.
//!
//! Boundary: one stretch, without steps. It restarts with every stretch and knows nothing about the ones before.

use brickproof_units::{Instant, Span};

use crate::rgb::Rgb;
use crate::smoothing::Glimpse;

mod swell;

use swell::Swell;

/// How the open stretch began.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Beginning {
    /// With a step, so that its first light is where its pattern starts.
    AtStep,
    /// Somewhere in the middle of a pattern.
    MidPattern,
}

/// What the open stretch is, as far as one can tell.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(crate) enum Slow {
    #[default]
    Undecided,
    Dark {
        since: Instant,
    },
    Steady {
        since: Instant,
        light: Rgb,
    },
    /// Swells and fades with `period`; `halves` of it have been seen.
    Swelling {
        since: Instant,
        period: Span,
        halves: u32,
        light: Rgb,
    },
}

/// Light is averaged over this before it is judged: five periods of 50 Hz mains flicker, six of 60 Hz.
const BLOCK: Span = Span::millis(50);
/// Darkness and steadiness are judged over this: noise must not look like change.
const QUARTER: Span = Span::millis(190);
/// Darkness must last this long to be called off: longer than the dark phase of any blink of Device OS.
const OFF_AFTER: Span = Span::millis(600);
/// Steady light must last this long to be called solid: a breath of 8 s varies by 8 % meanwhile, even at its brightest.
const SOLID_AFTER: Span = Span::millis(900);
/// ... in so many of the parts in which it is judged.
const SOLID_QUARTERS: f32 = 5.0;
/// The same for light that has changed slowly before: a slow breath rests at its turning points.
const SOLID_AFTER_CHANGE: Span = Span::secs(3);
/// A fading LED stays below the noise for a while before it comes back: this share of the time of its fall.
const DWELL: f32 = 0.3;
/// Steady light varies by less than this share.
const STEADY: f32 = 0.04;
/// Off is less than this share of the level at which a single reading could be told from noise; what lies between is unknown.
const OFF: f32 = 0.4;
/// Light between "off" and this many times as much is neither: too weak to tell its colour.
const LIT_FACTOR: f32 = 1.6;
/// A change of the channels' shares by more than this in sum is another colour, although no step led there.
const HUE_DRIFT: f32 = 0.12;

/// Follows the open stretch.
#[derive(Clone, Debug)]
pub(crate) struct Envelope {
    off_below: f32,
    block: Block,
    /// Some blocks together, for what must be exact.
    quarter: Block,
    began: Instant,
    hue: Option<Rgb>,
    sum: Rgb,
    clipped: bool,
    dark_since: Option<Instant>,
    flat: Option<Flat>,
    swell: Swell,
    answer: Slow,
}

/// Sums up light until it is long enough to be judged.
#[derive(Clone, Copy, Debug)]
struct Block {
    start: Instant,
    sum: Rgb,
    millis: f32,
    clipped: bool,
}

/// Light that has not varied since `since`.
#[derive(Clone, Copy, Debug)]
struct Flat {
    since: Instant,
    lowest: f32,
    highest: f32,
    sum: Rgb,
    quarters: f32,
}

impl Block {
    fn at(start: Instant) -> Self {
        Self { start, sum: Rgb::default(), millis: 0.0, clipped: false }
    }
}

impl Envelope {
    /// `off_below` is the level below which there is no light.
    pub(crate) fn new(off_below: f32) -> Self {
        Self {
            off_below,
            block: Block::at(Instant::START),
            quarter: Block::at(Instant::START),
            began: Instant::START,
            hue: None,
            sum: Rgb::default(),
            clipped: false,
            dark_since: None,
            flat: None,
            swell: Swell::new(Instant::START, Beginning::MidPattern, faint(off_below)),
            answer: Slow::Undecided,
        }
    }

    /// The level from which on there is light enough to speak of its colour.
    pub(crate) fn lit_from(&self) -> f32 {
        self.off_below * LIT_FACTOR
    }

    /// A new stretch begins at `at`; what it shows is counted from `now` on.
    pub(crate) fn restart(&mut self, at: Instant, now: Instant, beginning: Beginning) {
        *self = Self {
            block: Block::at(now),
            began: at,
            swell: Swell::new(at, beginning, faint(self.off_below)),
            ..Self::new(self.off_below)
        };
    }

    pub(crate) fn answer(&self) -> Slow {
        self.answer
    }

    /// Whether the sensor was over its range somewhere in the open stretch, so that its colour is lost.
    pub(crate) fn is_clipped(&self) -> bool {
        self.clipped
    }

    /// Takes a glimpse of the open stretch.
    pub(crate) fn feed(&mut self, glimpse: &Glimpse) {
        let millis = glimpse.gap.get() as f32 / 1e6;
        self.block.sum = self.block.sum.plus(glimpse.light.times(millis));
        self.block.millis += millis;
        self.block.clipped |= glimpse.clipped;
        if glimpse.at.since(self.block.start) >= BLOCK && self.block.millis > 0.0 {
            let block = self.block;
            self.block = Block::at(glimpse.at);
            self.judge(&block, glimpse);
        }
    }

    fn judge(&mut self, block: &Block, newest: &Glimpse) {
        let end = newest.at;
        let light = block.sum.times(1.0 / block.millis);
        let level = light.level();
        if self.hue_drifts(light) {
            self.restart(block.start, end, Beginning::MidPattern);
        }
        self.sum = self.sum.plus(light);
        self.clipped |= block.clipped;
        // A glimpse shows the light of the middle of its window.
        let delay = newest.at.since(newest.from).get() / 2;
        let middle = block.start + Span::nanos(end.since(block.start).get() / 2) - Span::nanos(delay);
        self.swell.feed(middle, level);
        self.quarter.sum = self.quarter.sum.plus(block.sum);
        self.quarter.millis += block.millis;
        if end.since(self.quarter.start) >= QUARTER {
            let quarter = self.quarter;
            self.quarter = Block::at(end);
            let light = quarter.sum.times(1.0 / quarter.millis);
            self.follow_dark(light.level(), quarter.start);
            self.follow_flat(light, quarter.start);
        }
        self.answer = self.decide(level, end);
    }

    /// Compares shares only at about the same brightness: a rest of ambient light shifts them as the LED fades.
    fn hue_drifts(&mut self, light: Rgb) -> bool {
        let level = light.level();
        let Some(reference) = self.hue else {
            self.hue = (level > 2.0 * self.lit_from()).then_some(light);
            return false;
        };
        let comparable = (level - reference.level()).abs() < 0.25 * reference.level();
        let shares = |light: Rgb| light.times(1.0 / light.level());
        let drift = HUE_DRIFT + self.off_below / level;
        comparable && shares(light).distance(shares(reference)) > drift
    }

    fn follow_dark(&mut self, level: f32, start: Instant) {
        if level >= OFF * self.off_below {
            self.dark_since = None;
        } else if self.dark_since.is_none() {
            let from_the_start = self.flat.is_none();
            self.dark_since = Some(if from_the_start { self.began } else { start });
        }
    }

    fn follow_flat(&mut self, light: Rgb, start: Instant) {
        let level = light.level();
        let first = self.flat.is_none();
        let mut flat = self.flat.unwrap_or(Flat {
            since: self.began,
            lowest: level,
            highest: level,
            sum: Rgb::default(),
            quarters: 0.0,
        });
        flat.lowest = flat.lowest.min(level);
        flat.highest = flat.highest.max(level);
        if !first && flat.highest - flat.lowest > STEADY * flat.highest + 0.1 * self.off_below {
            flat = Flat { since: start, lowest: level, highest: level, sum: Rgb::default(), quarters: 0.0 };
        }
        flat.sum = flat.sum.plus(light);
        flat.quarters += 1.0;
        self.flat = Some(flat);
    }

    fn decide(&self, level: f32, now: Instant) -> Slow {
        if let Some((since, period, halves)) = self.swell.verdict(now) {
            return Slow::Swelling { since, period, halves, light: self.sum };
        }
        if let Some(since) = self.dark_since {
            let enough = now.since(since) >= OFF_AFTER + self.dwell(since);
            return if enough { Slow::Dark { since } } else { Slow::Undecided };
        }
        let Some(flat) = self.flat else { return Slow::Undecided };
        let patience = if flat.since == self.began { SOLID_AFTER } else { SOLID_AFTER_CHANGE };
        if level < self.lit_from() || now.since(flat.since) < patience || flat.quarters < SOLID_QUARTERS {
            return Slow::Undecided;
        }
        Slow::Steady { since: flat.since, light: flat.sum.times(1.0 / flat.quarters) }
    }

    /// How long a fading LED may stay dark before it is off.
    fn dwell(&self, dark_since: Instant) -> Span {
        if dark_since == self.began {
            return Span::ZERO;
        }
        let fall = dark_since.since(self.swell.last_turn());
        Span::nanos((fall.get() as f32 * DWELL) as u64)
    }
}

/// A swell must clearly leave the noise.
fn faint(off_below: f32) -> f32 {
    2.0 * LIT_FACTOR * off_below
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What the envelope says at the end of a stretch whose brightness at each millisecond is `level`.
    fn judged(millis: u64, level: impl Fn(u64) -> f32) -> Slow {
        let mut envelope = Envelope::new(10.0);
        envelope.restart(Instant::START, Instant::START, Beginning::AtStep);
        for ms in (5..=millis).step_by(5) {
            let at = Instant::START + Span::millis(ms);
            let light = Rgb([0.0, level(ms) / 2.0, level(ms) / 2.0]);
            envelope.feed(&Glimpse { at, from: at, gap: Span::millis(5), light, clipped: false });
        }
        envelope.answer()
    }

    #[test]
    fn solid_and_off_take_their_time() {
        assert_eq!(judged(950, |_| 500.0), Slow::Undecided);
        assert!(matches!(judged(1_050, |_| 500.0), Slow::Steady { since: Instant::START, .. }));
        assert_eq!(judged(550, |_| 3.0), Slow::Undecided);
        assert_eq!(judged(650, |_| 3.0), Slow::Dark { since: Instant::START });
    }

    #[test]
    fn light_too_weak_for_a_colour_is_neither() {
        assert_eq!(judged(5_000, |_| 12.0), Slow::Undecided);
    }

    #[test]
    fn a_dimming_led_is_not_solid_until_it_rests() {
        let dimming = |ms: u64| 1_000.0 - ms.min(5_000) as f32 * 0.1;
        for end in (500..5_000).step_by(250) {
            assert_eq!(judged(end, dimming), Slow::Undecided, "{end}");
        }
        assert!(matches!(judged(8_200, dimming), Slow::Steady { .. }));
    }
}
