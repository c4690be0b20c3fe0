//! On and off in turn, evenly.
//!
//! Boundary: decides whether beats are a blink, and whether a blink goes on.

use brickproof_units::{Instant, Ratio, Span};

use super::{Beat, Beats, Kind, average_of, mean, percent_of};
use crate::colour::Colour;
use crate::sight::{Rhythm, Sight};

/// Three periods: fewer even phases happen by chance, and a group of three flashes has five.
const PHASES: usize = 6;
/// Beats that could be letters of SOS must go on for longer than a letter.
const PHASES_LIKE_SOS: usize = 8;
/// Phases of one blink differ by less than this share of the period when it is recognised ...
const EVEN: u64 = 6;
/// ... and by less than this once it is established: LED updates every 25 ms jitter, but a change of period must be seen.
const EVEN_STILL: u64 = 12;
/// So many of the phases that a blink is recognised by may be blurred: those beside one lost sample.
const MOST_BLURRED: usize = 2;
/// A phase whose length is more uncertain than this does not count towards the mean: twice the 2.4 ms for which the sensor is
/// blind between two samples, with some jitter, but not a lost sample of 24 ms.
const CERTAIN: Span = Span::millis(5);
/// A step is known this much after it happened, at the slowest sampling.
const KNOWN_AFTER: Span = Span::millis(80);

/// A blink that is going on.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Blinking {
    colour: Colour,
    since: Instant,
    on: Span,
    off: Span,
    phases: u32,
    /// Whether the last complete phase was lit.
    lit_last: bool,
}

impl Blinking {
    /// The blink that the newest beats are, if they are one and the light that follows them, `next`, goes on with it: three
    /// flashes and the pause after them are no blink yet.
    pub(crate) fn recognise(beats: &Beats, next: Option<Colour>) -> Option<Self> {
        let blink = Self::of_newest(beats, PHASES)?;
        if !blink.lit_last && next != Some(blink.colour) {
            return None;
        }
        if blink.resembles_sos() { Self::of_newest(beats, PHASES_LIKE_SOS) } else { Some(blink) }
    }

    fn of_newest(beats: &Beats, phases: usize) -> Option<Self> {
        let newest = || beats.newest_first().take(phases);
        if newest().count() < phases {
            return None;
        }
        let colour = newest().find_map(Beat::lit)?;
        let parity = usize::from(beats.get(0)?.lit().is_none());
        let alternates = newest().enumerate().all(|(age, beat)| match beat.kind {
            Kind::On(this) => age % 2 == parity && this == colour,
            Kind::Dark => age % 2 != parity,
            Kind::Other => false,
        });
        if !alternates {
            return None;
        }
        // A lost sample blurs the step that it hides, and with it the beats on both sides: they have to fit, and are not measured with.
        let certain = || newest().filter(|beat| Self::is_certain(beat));
        if certain().count() + MOST_BLURRED < phases {
            return None;
        }
        let on = mean(certain().filter(|beat| beat.lit().is_some()).map(Beat::length));
        let off = mean(certain().filter(|beat| beat.lit().is_none()).map(Beat::length));
        let since = beats.get(phases - 1)?.start;
        let blink = Self { colour, since, on, off, phases: phases as u32, lit_last: parity == 0 };
        newest().all(|beat| blink.fits(beat, EVEN)).then_some(blink)
    }

    fn period(&self) -> Span {
        self.on + self.off
    }

    fn fits(&self, beat: &Beat, percent: u64) -> bool {
        let expected = if beat.lit().is_some() { self.on } else { self.off };
        beat.lasts(expected, percent_of(self.period(), percent))
    }

    /// Whether the sensor has seen the ends of `beat` well enough to measure with it: lost samples blur them.
    fn is_certain(beat: &Beat) -> bool {
        beat.slack <= CERTAIN
    }

    /// Letters of SOS: 150 ms or 300 ms on, 100 ms off (device-os v1.4.4 services/src/panic.c).
    fn resembles_sos(&self) -> bool {
        let near = |span: Span, millis: u64| span.get().abs_diff(millis * 1_000_000) < millis * 250_000;
        near(self.off, 100) && (near(self.on, 150) || near(self.on, 300))
    }

    /// Takes the next beat; whether the blink goes on with it.
    pub(crate) fn goes_on(&mut self, beat: &Beat) -> bool {
        let expected_kind = if self.lit_last { Kind::Dark } else { Kind::On(self.colour) };
        if beat.kind != expected_kind || !self.fits(beat, EVEN_STILL) {
            return false;
        }
        self.lit_last = !self.lit_last;
        self.phases += 1;
        if !Self::is_certain(beat) {
            return true;
        }
        // Each kind has half of the phases; older ones fade out of the mean, so that it follows a drifting oscillator.
        let averaged = (self.phases / 2).min(8) as u8;
        let length = if self.lit_last { &mut self.on } else { &mut self.off };
        *length = average_of(*length, averaged, beat.length());
        true
    }

    /// When the blink ended, if the phase that did not fit is `beat`: a phase cut short still belongs to it.
    pub(crate) fn end_before(&self, beat: &Beat) -> Instant {
        let (kind, length) = if self.lit_last { (Kind::Dark, self.off) } else { (Kind::On(self.colour), self.on) };
        if beat.kind == kind && beat.length() <= length { beat.end } else { beat.start }
    }

    /// Whether the phase that began at `open_since` should have ended before `now`.
    pub(crate) fn is_overdue(&self, open_since: Instant, now: Instant) -> bool {
        let expected = if self.lit_last { self.off } else { self.on };
        now.since(open_since) > percent_of(expected, 125) + KNOWN_AFTER
    }

    pub(crate) fn sight(&self, until: Instant) -> Sight {
        let period = self.period();
        let duty = self.on.get().saturating_mul(1_000_000) / period.get().max(1);
        Sight {
            colour: self.colour,
            rhythm: Rhythm::Blink { period, duty: Ratio::new(duty) },
            // 70 % at three periods, 98 % at ten.
            confidence: Ratio::new(10_000 * u64::from((58 + 2 * self.phases).min(98))),
            since: self.since,
            until,
        }
    }
}
