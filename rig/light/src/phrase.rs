//! Reads a sequence of stretches as a phrase: blinking, a few flashes, or SOS.
//!
//! Boundary: a grammar of lengths and colours. It is told about stretches when they end; what is slow inside one is the
//! envelope's business.

use brickproof_units::{Instant, Span};

use crate::colour::Colour;
use crate::rgb::Rgb;
use crate::ring::Ring;
use crate::stretch::{Shape, Step, Stretch};

mod blink;
mod flashes;
mod sos;

pub(crate) use blink::Blinking;
pub(crate) use flashes::Flashes;
pub(crate) use sos::Sos;

/// What a stretch is within a phrase.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Kind {
    /// Steady light of one colour, which may be unknown.
    On(Colour),
    /// Dark, or so much darker than its neighbours that only ambient light is left.
    Dark,
    /// Anything else.
    #[default]
    Other,
}

/// One stretch within a phrase.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Beat {
    pub(crate) kind: Kind,
    pub(crate) start: Instant,
    pub(crate) end: Instant,
    pub(crate) slack: Span,
}

impl Beat {
    pub(crate) fn length(&self) -> Span {
        self.end.since(self.start)
    }

    pub(crate) fn lit(&self) -> Option<Colour> {
        match self.kind {
            Kind::On(colour) => Some(colour),
            Kind::Dark | Kind::Other => None,
        }
    }

    /// Whether this is as long as `expected`, give or take `tolerance` and what the sensor could not see.
    pub(crate) fn lasts(&self, expected: Span, tolerance: Span) -> bool {
        self.length().get().abs_diff(expected.get()) <= (tolerance + self.slack).get()
    }
}

/// The last beats. SOS, the longest phrase that is read backwards, has 17.
pub(crate) type Beats = Ring<Beat, 18>;

/// A stretch this much darker than a neighbour is dark in comparison, if what is left looks like ambient light.
const DARKER: f32 = 0.4;

/// ... and this much darker whatever it looks like: an edge that the sensor has half seen leaves some of the LED's colour.
const MUCH_DARKER: f32 = 0.15;

/// Makes beats of stretches.
#[derive(Clone, Debug)]
pub(crate) struct Reader {
    off_below: f32,
    lit_from: f32,
    beats: Beats,
    /// The light of the last dark beat: what the LED's light is added to.
    ambient: Rgb,
    level_before: f32,
}

impl Reader {
    /// There is no light below `off_below`, and enough to tell its colour from `lit_from` on.
    pub(crate) fn new(off_below: f32, lit_from: f32) -> Self {
        Self { off_below, lit_from, beats: Ring::new(), ambient: Rgb::default(), level_before: 0.0 }
    }

    pub(crate) fn restart(&mut self) {
        *self = Self::new(self.off_below, self.lit_from);
    }

    pub(crate) fn beats(&self) -> &Beats {
        &self.beats
    }

    /// Reads the stretch that ended with `step`.
    pub(crate) fn read(&mut self, step: &Step) -> Beat {
        let stretch = &step.ended;
        let kind = self.kind(stretch, step.next_light.level());
        if kind == Kind::Dark {
            self.ambient = stretch.light;
        }
        self.level_before = stretch.light.level();
        let beat = Beat { kind, start: stretch.start, end: stretch.end, slack: stretch.slack };
        match self.beats.newest_mut() {
            // Noise or ambient light may step in the dark: it is one darkness.
            Some(before) if before.kind == Kind::Dark && kind == Kind::Dark => {
                before.end = beat.end;
                *before
            }
            _ => {
                self.beats.push(beat);
                beat
            }
        }
    }

    /// The colour of light that has just begun, after taking away what was there before.
    pub(crate) fn colour(&self, light: Rgb, clipped: bool) -> Colour {
        if clipped { Colour::Unknown } else { Colour::of(light.minus(self.ambient)) }
    }

    /// Whether `light`, after a stretch of another level, is the absence of the LED's light.
    pub(crate) fn is_dark(&self, light: Rgb) -> bool {
        self.is_dark_beside(light, self.level_before)
    }

    fn is_dark_beside(&self, light: Rgb, neighbour: f32) -> bool {
        let looks_ambient = matches!(Colour::of(light), Colour::White | Colour::Unknown);
        let share = if looks_ambient { DARKER } else { MUCH_DARKER };
        light.level() < self.off_below || light.level() < share * neighbour
    }

    fn kind(&self, stretch: &Stretch, next_level: f32) -> Kind {
        let neighbour = self.level_before.max(next_level);
        let dark = self.is_dark_beside(stretch.light, neighbour);
        match stretch.shape {
            Shape::Flat if dark => Kind::Dark,
            Shape::Sloping if stretch.light.level() < (MUCH_DARKER * neighbour).max(self.off_below) => Kind::Dark,
            Shape::Flat if stretch.light.level() < self.lit_from => Kind::Other,
            Shape::Flat => Kind::On(stretch.colour(self.ambient)),
            Shape::Sloping => Kind::Other,
        }
    }
}

fn mean(lengths: impl Iterator<Item = Span> + Clone) -> Span {
    let sum = lengths.clone().fold(0u64, |sum, length| sum.saturating_add(length.get()));
    Span::nanos(sum / (lengths.count().max(1) as u64))
}

/// The mean of `count` spans with the mean `mean` and one more.
fn average_of(mean: Span, count: u8, one_more: Span) -> Span {
    let sum = u128::from(mean.get()) * u128::from(count) + u128::from(one_more.get());
    Span::nanos((sum / (u128::from(count) + 1)) as u64)
}

fn percent_of(span: Span, percent: u64) -> Span {
    Span::nanos(span.get() / 100 * percent)
}
