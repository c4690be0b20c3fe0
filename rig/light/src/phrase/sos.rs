//! SOS as Device OS shows a panic, with its code.
//!
//! Boundary: one phrase with fixed lengths: `... --- ...` with 150 ms and 300 ms on and 100 ms off, 900 ms of pause, the code as
//! flashes of 300 ms on and off, 800 ms of pause, and again (device-os v1.4.4 services/src/panic.c). Whether a pause adds to the
//! off time of the last flash is left open: both are accepted.

use std::ops::RangeInclusive;

use brickproof_units::{Instant, Ratio, Span};

use super::{Beat, Beats, Kind};
use crate::colour::Colour;
use crate::sight::{Rhythm, Sight};

/// The nine letters' parts: short, long, short.
const LETTERS: usize = 9;
const SHORT: RangeInclusive<u64> = 115..=190;
const LONG: RangeInclusive<u64> = 250..=360;
const BETWEEN: RangeInclusive<u64> = 65..=140;
const CODE_PAUSE: RangeInclusive<u64> = 240..=370;
const LONG_PAUSE: RangeInclusive<u64> = 600..=1_450;
/// Darkness for longer than this is the end of it.
const LONGEST_PAUSE: Span = Span::millis(1_600);
/// Darkness for longer than this ends the code.
const CODE_ENDS: Span = Span::millis(500);

/// An SOS that is going on.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Sos {
    colour: Colour,
    since: Instant,
    until: Instant,
    code: Option<u8>,
    rounds: u8,
    part: Part,
}

/// What has been seen last.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Part {
    /// That many of the nine.
    Letters(usize),
    /// All nine, and then darkness.
    Pause,
    /// That many flashes of the code.
    Code(u8),
    /// A pause after the code, or within it.
    AfterCode { flashes: u8, ended: bool },
}

fn letter(index: usize) -> RangeInclusive<u64> {
    if (3..6).contains(&index) { LONG } else { SHORT }
}

/// Within `range`, give or take what the sensor could not see.
fn is_within(beat: &Beat, range: &RangeInclusive<u64>) -> bool {
    let millis = |span: Span| (span.get() + 500_000) / 1_000_000;
    let (length, slack) = (millis(beat.length()), millis(beat.slack));
    range.start().saturating_sub(slack) <= length && length <= range.end().saturating_add(slack)
}

impl Sos {
    /// The SOS that the newest beats are, if they are one: seventeen beats, of which the newest is its last letter.
    pub(crate) fn recognise(beats: &Beats) -> Option<Self> {
        let colour = beats.get(0)?.lit()?;
        let first = beats.get(2 * LETTERS - 2)?;
        let letters = (0..LETTERS).all(|index| {
            let age = 2 * (LETTERS - 1 - index);
            beats.get(age).is_some_and(|beat| beat.kind == Kind::On(colour) && is_within(beat, &letter(index)))
        });
        let gaps = (0..LETTERS - 1).all(|index| {
            beats.get(2 * index + 1).is_some_and(|beat| beat.kind == Kind::Dark && is_within(beat, &BETWEEN))
        });
        (letters && gaps).then_some(Self {
            colour,
            since: first.start,
            until: beats.get(0)?.end,
            code: None,
            rounds: 1,
            part: Part::Letters(LETTERS),
        })
    }

    /// Takes the next beat; whether the phrase goes on with it.
    pub(crate) fn goes_on(&mut self, beat: &Beat) -> bool {
        let next = match beat.kind {
            Kind::On(colour) if colour == self.colour => self.after_light(beat),
            Kind::Dark => self.after_dark(beat),
            Kind::On(_) | Kind::Other => None,
        };
        let Some(next) = next else { return false };
        self.part = next;
        self.until = beat.end;
        if next == Part::Letters(LETTERS) {
            self.rounds = self.rounds.saturating_add(1);
        }
        if let Part::AfterCode { flashes, ended: true } = next {
            self.code = Some(flashes);
        }
        true
    }

    fn after_light(&self, beat: &Beat) -> Option<Part> {
        let letters = |count: usize| is_within(beat, &letter(count)).then_some(Part::Letters(count + 1));
        let flash = |flashes: u8| is_within(beat, &LONG).then_some(Part::Code(flashes));
        match self.part {
            Part::Letters(count) if count < LETTERS => letters(count),
            Part::Pause => flash(1),
            Part::AfterCode { flashes, ended: false } => flash(flashes.saturating_add(1)),
            Part::AfterCode { ended: true, .. } => letters(0),
            Part::Letters(_) | Part::Code(_) => None,
        }
    }

    fn after_dark(&self, beat: &Beat) -> Option<Part> {
        match self.part {
            Part::Letters(LETTERS) => is_within(beat, &LONG_PAUSE).then_some(Part::Pause),
            Part::Letters(_) => is_within(beat, &BETWEEN).then_some(self.part),
            Part::Code(flashes) if is_within(beat, &CODE_PAUSE) => Some(Part::AfterCode { flashes, ended: false }),
            Part::Code(flashes) if is_within(beat, &LONG_PAUSE) => Some(Part::AfterCode { flashes, ended: true }),
            Part::Code(_) | Part::Pause | Part::AfterCode { .. } => None,
        }
    }

    /// Looks at the stretch that began at `open_since` and has not ended: darkness may tell that the code is complete.
    pub(crate) fn wait(&mut self, open_since: Instant, now: Instant) {
        if let Part::Code(flashes) = self.part
            && now.since(open_since) > CODE_ENDS
        {
            self.code = Some(flashes);
        }
    }

    /// Whether the phrase has ended, because nothing has followed.
    pub(crate) fn is_overdue(&self, open_since: Instant, now: Instant) -> bool {
        now.since(open_since) > LONGEST_PAUSE
    }

    /// The end of what was seen of it.
    pub(crate) fn until(&self) -> Instant {
        self.until
    }

    pub(crate) fn sight(&self, until: Instant) -> Sight {
        let evidence = 88 + 3 * u64::from(self.rounds.min(3)) + if self.code.is_some() { 2 } else { 0 };
        Sight {
            colour: self.colour,
            rhythm: Rhythm::Sos { code: self.code },
            confidence: Ratio::new(10_000 * evidence.min(99)),
            since: self.since,
            until,
        }
    }
}
