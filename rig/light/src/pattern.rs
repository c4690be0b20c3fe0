//! What an expectation asks for, and whether the light is that.
//!
//! Boundary: plain values to compare with; the names of a board's statuses are kept elsewhere.

use brickproof_units::{Instant, Ratio, Span};

use crate::colour::Colour;
use crate::recogniser::Recogniser;
use crate::sight::{Rhythm, Sight};

/// A set of colours.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Colours(u16);

impl Colours {
    /// Whichever, even one that could not be told.
    pub const ANY: Self = Self(u16::MAX);

    /// Only this one.
    pub const fn only(colour: Colour) -> Self {
        Self(1 << colour as u16)
    }

    /// These and `colour`.
    #[must_use]
    pub const fn or(self, colour: Colour) -> Self {
        Self(self.0 | Self::only(colour).0)
    }

    /// Whether `colour` is among them.
    pub const fn contain(self, colour: Colour) -> bool {
        self.0 & Self::only(colour).0 != 0
    }
}

impl From<Colour> for Colours {
    fn from(colour: Colour) -> Self {
        Self::only(colour)
    }
}

/// A length of time, give or take a share of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Near {
    /// The length.
    pub length: Span,
    /// How much a length may differ, as a share of `length`.
    pub tolerance: Ratio,
}

impl Near {
    /// `length`, give or take 15 %: no two periods of one colour in Device OS are closer than a factor of two.
    pub const fn about(length: Span) -> Self {
        Self { length, tolerance: Ratio::new(150_000) }
    }

    /// Whether `length` is within the tolerance.
    pub fn contains(&self, length: Span) -> bool {
        let tolerance = u128::from(self.length.get()) * u128::from(self.tolerance.get()) / 1_000_000;
        u128::from(length.get().abs_diff(self.length.get())) <= tolerance
    }
}

/// The rhythm that a pattern asks for. `None` stands for whichever.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RhythmPattern {
    /// No light.
    Off,
    /// Steady light.
    Solid,
    /// On and off in turn.
    Blink {
        /// One on phase and one off phase.
        period: Option<Near>,
        /// The least and the largest share of the period that is on.
        duty: Option<(Ratio, Ratio)>,
    },
    /// Swelling and fading.
    Breathe {
        /// From full to full.
        period: Option<Near>,
    },
    /// A few flashes.
    Burst {
        /// How many.
        count: Option<u8>,
        /// Length of each.
        on: Option<Near>,
    },
    /// SOS.
    Sos {
        /// The number of flashes after it.
        code: Option<u8>,
    },
    /// Light of whichever rhythm that can be told.
    Lit,
}

impl RhythmPattern {
    /// See [`Pattern::recognised_within`].
    fn recognised_within(&self) -> Span {
        /// For rhythms of whichever length: the slowest of Device OS is a breath of 4 s.
        const ANY_LENGTH: Span = Span::secs(5);
        let times = |span: Span, times: u64| Span::nanos(span.get().saturating_mul(times));
        match self {
            Self::Off => Span::secs(1),
            // Light that changed slowly before may be a breath at its turning point.
            Self::Solid => Span::millis(3_500),
            // As many phases as could be letters of SOS, and the lag of a step.
            Self::Blink { period: Some(near), .. } => times(near.length, 4) + Span::millis(200),
            // Short halves are judged by three, long ones by two, the second of which may have to come to its turning point.
            Self::Breathe { period: Some(near) } if near.length < Span::millis(1_500) => times(near.length, 2),
            Self::Breathe { period: Some(near) } => near.length + Span::nanos(near.length.get() / 4),
            Self::Blink { period: None, .. } | Self::Breathe { period: None } | Self::Lit => ANY_LENGTH,
            // The flashes, and the time after which disorder would have been told from them.
            Self::Burst { count, .. } => {
                times(Span::secs(1), count.unwrap_or(Rhythm::MOST_FLASHES).into()) + Span::millis(2_500)
            }
            // The nine letters; with a code its pause, its flashes and the pause that ends them.
            Self::Sos { code: None } => Span::secs(3),
            Self::Sos { code: Some(code) } => Span::secs(5) + times(Span::millis(600), (*code).into()),
        }
    }

    fn matches(&self, rhythm: &Rhythm) -> bool {
        let any_or_near = |wanted: &Option<Near>, length: &Span| wanted.is_none_or(|near| near.contains(*length));
        match (self, rhythm) {
            (Self::Off, Rhythm::Off) | (Self::Solid, Rhythm::Solid) => true,
            (Self::Blink { period, duty }, Rhythm::Blink { period: seen, duty: seen_duty }) => {
                let duty = duty.is_none_or(|(least, largest)| (least..=largest).contains(seen_duty));
                any_or_near(period, seen) && duty
            }
            (Self::Breathe { period }, Rhythm::Breathe { period: seen }) => any_or_near(period, seen),
            (Self::Burst { count, on }, Rhythm::Burst { count: seen, on: seen_on, .. }) => {
                count.is_none_or(|count| count == *seen) && any_or_near(on, seen_on)
            }
            (Self::Sos { code }, Rhythm::Sos { code: seen }) => code.is_none() || code == seen,
            (Self::Lit, rhythm) => !matches!(rhythm, Rhythm::Off | Rhythm::Unknown),
            _ => false,
        }
    }
}

/// A look of the light that can be waited for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pattern {
    /// Its colour.
    pub colours: Colours,
    /// What it does.
    pub rhythm: RhythmPattern,
}

impl Pattern {
    /// No light.
    pub const OFF: Self = Self { colours: Colours::ANY, rhythm: RhythmPattern::Off };

    /// Steady light.
    pub fn solid(colours: impl Into<Colours>) -> Self {
        Self { colours: colours.into(), rhythm: RhythmPattern::Solid }
    }

    /// On and off in turn, half of the time each, give or take a fifth of the period, with about this period.
    pub fn blink(colours: impl Into<Colours>, period: Span) -> Self {
        let duty = Some((Ratio::new(300_000), Ratio::new(700_000)));
        Self { colours: colours.into(), rhythm: RhythmPattern::Blink { period: Some(Near::about(period)), duty } }
    }

    /// Swelling and fading with about this period.
    pub fn breathe(colours: impl Into<Colours>, period: Span) -> Self {
        Self { colours: colours.into(), rhythm: RhythmPattern::Breathe { period: Some(Near::about(period)) } }
    }

    /// So many flashes, of whichever length.
    pub fn flashes(colours: impl Into<Colours>, count: u8) -> Self {
        Self { colours: colours.into(), rhythm: RhythmPattern::Burst { count: Some(count), on: None } }
    }

    /// SOS in red, with whichever code.
    pub fn sos() -> Self {
        Self { colours: Colour::Red.into(), rhythm: RhythmPattern::Sos { code: None } }
    }

    /// How long after its beginning a light like this is recognised at the latest, if the sensor sees it well.
    pub fn recognised_within(&self) -> Span {
        self.rhythm.recognised_within()
    }

    /// Whether `sight` is what this asks for.
    pub fn matches(&self, sight: &Sight) -> bool {
        let colour = self.rhythm == RhythmPattern::Off || self.colours.contain(sight.colour);
        colour && self.rhythm.matches(&sight.rhythm)
    }
}

/// That the light is, or was, what a pattern asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Match {
    /// The earliest instant from which on the light has been so without interruption, not before the watcher began.
    pub since: Instant,
    /// The last sample, or the end of it if it is over.
    pub until: Instant,
    /// Of the statement that matches.
    pub confidence: Ratio,
}

impl Match {
    /// How long the light has been so.
    pub fn length(&self) -> Span {
        self.until.since(self.since)
    }
}

/// Watches for one pattern from one instant on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Watcher {
    pattern: Pattern,
    from: Instant,
}

impl Watcher {
    /// Watches for `pattern`; what was before `from` does not count.
    pub fn new(pattern: Pattern, from: Instant) -> Self {
        Self { pattern, from }
    }

    /// Whether the light is like the pattern now: for `holds`, which asks how long a match has lasted.
    ///
    /// Flashes are over when they are recognised, so they are never now: ask [`Self::latest`] for them.
    pub fn now(&self, recogniser: &Recogniser) -> Option<Match> {
        let now = recogniser.now();
        if !self.pattern.matches(&now) {
            return None;
        }
        let mut since = now.since;
        for earlier in recogniser.past() {
            if earlier.until != since || !self.pattern.matches(earlier) {
                break;
            }
            since = earlier.since;
        }
        Some(Match { since: since.max(self.from), until: now.until, confidence: now.confidence })
    }

    /// The latest time that the light was like the pattern, now or before: for `within`, and for `not`.
    ///
    /// What ended before the watcher's beginning does not count; what was going on then does: a console line and the flash that it
    /// announces come together, and which is first is a matter of microseconds.
    pub fn latest(&self, recogniser: &Recogniser) -> Option<Match> {
        self.now(recogniser).or_else(|| {
            let mut past = recogniser.past().take_while(|sight| sight.until > self.from);
            let found = past.find(|sight| self.pattern.matches(sight))?;
            Some(Match { since: found.since.max(self.from), until: found.until, confidence: found.confidence })
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn blink(millis: u64, percent: u64) -> Sight {
        let rhythm = Rhythm::Blink { period: Span::millis(millis), duty: Ratio::new(percent * 10_000) };
        Sight { colour: Colour::Cyan, rhythm, ..Sight::default() }
    }

    #[test]
    fn a_blink_must_have_the_colour_the_period_and_the_duty() {
        let handshake = Pattern::blink(Colour::Cyan, Span::millis(100));
        assert!(handshake.matches(&blink(104, 47)));
        assert!(!handshake.matches(&blink(130, 50)));
        assert!(!handshake.matches(&blink(200, 50)));
        assert!(!handshake.matches(&blink(100, 20)));
        assert!(!Pattern::blink(Colour::Green, Span::millis(100)).matches(&blink(100, 50)));
        assert!(!Pattern::breathe(Colour::Cyan, Span::millis(100)).matches(&blink(100, 50)));
        let either = Pattern::blink(Colours::only(Colour::Green).or(Colour::Cyan), Span::millis(100));
        assert!(either.matches(&blink(100, 50)));
    }

    #[test]
    fn nothing_matches_what_could_not_be_told() {
        let unknown = Sight::default();
        for rhythm in [RhythmPattern::Off, RhythmPattern::Solid, RhythmPattern::Lit, RhythmPattern::Sos { code: None }]
        {
            assert!(!Pattern { colours: Colours::ANY, rhythm }.matches(&unknown));
        }
    }
}
