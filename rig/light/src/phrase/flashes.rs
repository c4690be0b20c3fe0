//! A few flashes of one colour, with none of that colour shortly before or after.
//!
//! Boundary: flashes over whatever else the LED does; an even and lasting sequence is a blink, and not this module's.

use brickproof_units::{Instant, Ratio, Span};

use super::{Beat, Beats, Kind, average_of, percent_of};
use crate::colour::Colour;
use crate::sight::{Rhythm, Sight};

/// The time without this colour before and after: longer than the pauses between the flashes of Device OS (250 ms and 300 ms).
const ALONE: Span = Span::millis(600);
/// Light that does not last as long is as likely a burst of flicker: no phase of Device OS is shorter than 50 ms.
const SHORTEST: Span = Span::millis(35);
/// Light that lasts longer is no flash.
const LONGEST: Span = Span::millis(700);
/// After this long in disorder, flashes are forgotten. The slowest blink of Device OS is recognised within it.
const UNCLEAR: Span = Span::millis(2_500);
/// Flashes of one group differ by less than this percentage in length, and so do the pauses.
const EVEN: u64 = 15;

/// The flashes that have been seen, until it is clear whether that was all.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Flashes {
    colour: Colour,
    since: Instant,
    until: Instant,
    count: u8,
    on: Span,
    off: Span,
    even: bool,
}

impl Flashes {
    /// The first flash, if the newest beat is one: after `told_until`, the end of the last thing that could be told about the
    /// light, there was nothing but darkness and perhaps one other colour, whose rhythm was just changing. A flash amid more disorder is
    /// part of the disorder.
    pub(crate) fn begin(beats: &Beats, told_until: Instant) -> Option<Self> {
        let flash = beats.get(0)?;
        let colour = flash.lit()?;
        let before = || beats.newest_first().skip(1);
        let untold = || before().take_while(|beat| beat.start >= told_until);
        let base = untold().find_map(Beat::lit);
        let in_order = untold().all(|beat| beat.kind == Kind::Dark || beat.lit() == base)
            && base.is_none_or(|base| base != colour && base != Colour::Unknown);
        let same_before = before().find(|beat| beat.lit() == Some(colour));
        let alone = same_before.is_none_or(|beat| flash.start.since(beat.end) >= ALONE);
        let told = in_order && flash.start.since(told_until) < ALONE;
        (told && alone && (SHORTEST..=LONGEST).contains(&flash.length())).then_some(Self {
            colour,
            since: flash.start,
            until: flash.end,
            count: 1,
            on: flash.length(),
            off: Span::ZERO,
            even: true,
        })
    }

    pub(crate) fn colour(&self) -> Colour {
        self.colour
    }

    /// The end of the last flash.
    pub(crate) fn until(&self) -> Instant {
        self.until
    }

    /// Takes the next flash of the same colour.
    pub(crate) fn add(&mut self, flash: &Beat) {
        let pause = flash.start.since(self.until);
        let pauses = self.count.saturating_sub(1);
        let even_pause = pauses == 0 || is_near(pause, self.off, flash.slack);
        self.even &= even_pause && is_near(flash.length(), self.on, flash.slack);
        self.off = average_of(self.off, pauses, pause);
        self.on = average_of(self.on, self.count, flash.length());
        self.count = self.count.saturating_add(1);
        self.until = flash.end;
    }

    /// Whether no more flashes of this group can come, if the colour has not been seen since.
    pub(crate) fn is_over(&self, now: Instant) -> bool {
        now.since(self.until) >= ALONE
    }

    /// Whether what came after the flashes took too long to become clear.
    pub(crate) fn is_stale(&self, now: Instant) -> bool {
        now.since(self.until) >= UNCLEAR
    }

    /// The statement, if these flashes are worth one.
    pub(crate) fn sight(&self) -> Option<Sight> {
        let few = self.even && self.count <= Rhythm::MOST_FLASHES;
        few.then_some(Sight {
            colour: self.colour,
            rhythm: Rhythm::Burst { count: self.count, on: self.on, off: self.off },
            confidence: Ratio::new(850_000),
            since: self.since,
            until: self.until,
        })
    }
}

fn is_near(length: Span, expected: Span, slack: Span) -> bool {
    let tolerance = percent_of(expected, EVEN) + slack;
    length.get().abs_diff(expected.get()) <= tolerance.get()
}
