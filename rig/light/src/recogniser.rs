//! Decides which statement about the light stands now.
//!
//! Boundary: the order of precedence between the stages, and the life of a statement. Each kind of evidence has its own module.

use brickproof_units::{Instant, Ratio, Span};

use crate::calibration::Calibration;
use crate::colour::Colour;
use crate::envelope::{Beginning, Envelope, Slow};
use crate::history::{History, Past};
use crate::phrase::{Beat, Blinking, Flashes, Kind, Reader, Sos};
use crate::rgb::Rgb;
use crate::sample::Sample;
use crate::sight::{Rhythm, Sight};
use crate::smoothing::{Exposure, Glimpse, Smoothing};
use crate::stretch::{Cutter, Step};

/// Without a sample for this long, the light may have done anything: what came before is closed.
const LOST: Span = Span::millis(150);

/// Watches the samples of one sensor. Cloning copies a few KiB.
///
/// Samples must come in the order of their instants; one that is not later than its predecessor, or whose integration time is
/// zero or beyond the part's 614 ms, is ignored.
#[derive(Clone, Debug)]
pub struct Recogniser {
    calibration: Calibration,
    watched_since: Option<Instant>,
    last_at: Instant,
    smoothing: Smoothing,
    cutter: Cutter,
    envelope: Envelope,
    reader: Reader,
    open: OpenLight,
    flashes: Option<Flashes>,
    telling: Telling,
    past: Past,
    revision: u64,
}

/// The light with which the open stretch began.
#[derive(Clone, Copy, Debug)]
enum OpenLight {
    Dark,
    Lit(Colour),
}

impl OpenLight {
    fn colour(self) -> Option<Colour> {
        match self {
            Self::Dark => None,
            Self::Lit(colour) => Some(colour),
        }
    }
}

/// The statement that stands.
#[derive(Clone, Copy, Debug)]
enum Telling {
    Unknown { since: Instant },
    Slow(Sight),
    Blinking(Blinking),
    Sos(Sos),
}

impl Default for Recogniser {
    fn default() -> Self {
        Self::new(Calibration::default())
    }
}

impl Recogniser {
    /// A recogniser for a sensor that is calibrated like this.
    pub fn new(calibration: Calibration) -> Self {
        let envelope = Envelope::new(calibration.off_below());
        Self {
            watched_since: None,
            last_at: Instant::START,
            smoothing: Smoothing::new(),
            cutter: Cutter::new(2.0 * calibration.off_below()),
            reader: Reader::new(calibration.off_below(), envelope.lit_from()),
            envelope,
            open: OpenLight::Dark,
            flashes: None,
            telling: Telling::Unknown { since: Instant::START },
            past: Past::new(),
            revision: 0,
            calibration,
        }
    }

    /// How the sensor's counts are taken for light.
    pub fn calibration(&self) -> &Calibration {
        &self.calibration
    }

    /// Takes the next sample.
    pub fn feed(&mut self, sample: &Sample) {
        let possible = sample.integration > Span::ZERO && sample.integration <= Sample::LONGEST;
        if !possible || (self.watched_since.is_some() && sample.at <= self.last_at) {
            return;
        }
        let gap = self.gap_before(sample);
        self.last_at = sample.at;
        let exposure = Exposure {
            at: sample.at,
            integration: sample.integration,
            gap,
            light: self.calibration.light(sample),
            clipped: sample.is_clipped(),
        };
        let glimpse = self.smoothing.push(exposure);
        if let Some(step) = self.cutter.feed(&glimpse, &self.smoothing) {
            self.take_step(&step, &glimpse);
        } else if self.cutter.is_calm() {
            self.envelope.feed(&glimpse);
        }
        self.consider(glimpse.at);
    }

    /// The best statement about the light as of the last sample.
    pub fn now(&self) -> Sight {
        match &self.telling {
            Telling::Unknown { since } => {
                Sight { colour: self.doubtful_colour(), ..Sight::unknown(*since, self.last_at) }
            }
            Telling::Slow(sight) => Sight { until: self.last_at, ..*sight },
            Telling::Blinking(blinking) => blinking.sight(self.last_at),
            Telling::Sos(sos) => sos.sight(self.last_at),
        }
    }

    /// What the light did during the last `length`, to the extent that it is remembered (some thirty statements).
    pub fn history(&self, length: Span) -> History {
        History::new(self.past.newest_first(), self.now(), self.last_at - length)
    }

    /// The board was switched or reset: what was is closed, and whatever is said from here on rests on later samples alone.
    pub fn begin_anew(&mut self) {
        if self.watched_since.take().is_some() {
            self.finish_at(self.last_at, self.last_at);
            self.open = OpenLight::Dark;
        }
    }

    /// Changes whenever [`Self::now`] or the past says something else than before (other than a longer time or more confidence).
    pub fn revision(&self) -> u64 {
        self.revision
    }

    /// The statements that no longer stand, from the newest to the oldest.
    pub(crate) fn past(&self) -> impl Iterator<Item = &Sight> + Clone {
        self.past.newest_first()
    }

    fn gap_before(&mut self, sample: &Sample) -> Span {
        let first = Span::nanos(sample.integration.get());
        let gap = if self.watched_since.is_some() { sample.at.since(self.last_at) } else { first };
        if self.watched_since.is_some() && gap <= LOST.max(sample.integration + sample.integration) {
            return gap;
        }
        self.lose_sight(sample);
        first
    }

    /// Closes what was, and begins anew with `sample`.
    fn lose_sight(&mut self, sample: &Sample) {
        let from = sample.at - sample.integration;
        if self.watched_since.is_some() {
            self.finish_at(self.last_at, from);
        }
        self.watched_since = Some(from);
        self.telling = Telling::Unknown { since: from };
        self.smoothing.restart();
        self.cutter.restart();
        self.reader.restart();
        self.flashes = None;
        self.envelope.restart(from, from, Beginning::MidPattern);
        self.open = self.light_after(self.calibration.light(sample), sample.is_clipped());
    }

    fn light_after(&self, light: Rgb, clipped: bool) -> OpenLight {
        if self.reader.is_dark(light) { OpenLight::Dark } else { OpenLight::Lit(self.reader.colour(light, clipped)) }
    }

    fn take_step(&mut self, step: &Step, glimpse: &Glimpse) {
        let beat = self.reader.read(step);
        self.open = self.light_after(step.next_light, glimpse.clipped);
        if beat.kind == Kind::Dark && matches!(self.open, OpenLight::Dark) {
            // A step of noise or ambient light in the dark ends nothing; the reader joins both parts to one beat.
            return;
        }
        self.envelope.restart(self.cutter.open_since(), glimpse.at, Beginning::AtStep);
        self.continue_telling(&beat);
        if matches!(self.telling, Telling::Unknown { .. }) {
            self.recognise_phrase();
        }
        self.follow_flashes(&beat);
    }

    fn continue_telling(&mut self, beat: &Beat) {
        match &mut self.telling {
            Telling::Unknown { .. } => {}
            Telling::Slow(_) => self.finish_at(beat.end, beat.end),
            Telling::Blinking(blinking) => {
                if !blinking.goes_on(beat) {
                    let end = blinking.end_before(beat);
                    self.finish_at(end, end);
                }
            }
            Telling::Sos(sos) => {
                let code_before = sos.sight(beat.end).rhythm;
                if !sos.goes_on(beat) {
                    let end = sos.until();
                    self.finish_at(end, end);
                } else if sos.sight(beat.end).rhythm != code_before {
                    self.revision += 1;
                }
            }
        }
    }

    fn recognise_phrase(&mut self) {
        let phrase = Sos::recognise(self.reader.beats())
            .map(Telling::Sos)
            .or_else(|| Blinking::recognise(self.reader.beats(), self.open.colour()).map(Telling::Blinking));
        if let Some(phrase) = phrase {
            self.tell(phrase);
            let told = self.now().colour;
            self.flashes.take_if(|flashes| flashes.colour() == told);
        }
    }

    fn follow_flashes(&mut self, beat: &Beat) {
        let Some(colour) = beat.lit() else { return };
        match &mut self.flashes {
            Some(flashes) if flashes.colour() == colour => flashes.add(beat),
            Some(_) => {}
            None if matches!(self.telling, Telling::Unknown { .. }) => {
                let told_until = self.past.newest_first().next().map(|sight| sight.until);
                self.flashes = told_until.and_then(|until| Flashes::begin(self.reader.beats(), until));
            }
            None => {}
        }
    }

    /// Looks whether the flashes were all, and whether what followed them is clear: darkness, or a statement.
    fn consider_flashes(&mut self, now: Instant) {
        let Some(flashes) = &self.flashes else { return };
        if !flashes.is_over(now) || !self.cutter.is_calm() {
            return;
        }
        let dark_since_then = self.cutter.open_since() <= flashes.until() && matches!(self.open, OpenLight::Dark);
        let told = !matches!(self.telling, Telling::Unknown { .. });
        if self.open.colour() == Some(flashes.colour()) || flashes.is_stale(now) {
            self.flashes = None;
        } else if dark_since_then || told {
            self.conclude_flashes();
        }
    }

    fn conclude_flashes(&mut self) {
        if let Some(sight) = self.flashes.take().and_then(|flashes| flashes.sight()) {
            self.past.push(sight);
            self.revision += 1;
            if let Telling::Unknown { since } = &mut self.telling {
                *since = (*since).max(sight.until);
            }
        }
    }

    /// Looks at what time alone has decided, without a step.
    fn consider(&mut self, now: Instant) {
        let open_since = self.cutter.open_since();
        self.consider_flashes(now);
        match &mut self.telling {
            Telling::Sos(sos) => {
                let before = sos.sight(now).rhythm;
                sos.wait(open_since, now);
                let changed = sos.sight(now).rhythm != before;
                if sos.is_overdue(open_since, now) {
                    let end = sos.until();
                    self.finish_at(end, end);
                } else if changed {
                    self.revision += 1;
                }
            }
            Telling::Blinking(blinking) => {
                if blinking.is_overdue(open_since, now) {
                    self.finish_at(open_since, open_since);
                }
            }
            Telling::Unknown { .. } | Telling::Slow(_) => self.consider_slow(now),
        }
    }

    fn consider_slow(&mut self, now: Instant) {
        let slow = self.slow_sight(now);
        match (&mut self.telling, slow) {
            (Telling::Slow(told), Some(sight))
                if told.colour == sight.colour && told.rhythm.is_same_kind(&sight.rhythm) =>
            {
                let since = told.since.min(sight.since);
                *told = Sight { since, ..sight };
            }
            (Telling::Slow(told), Some(sight)) => {
                let end = sight.since.max(told.since);
                self.finish_at(end, end);
                self.tell(Telling::Slow(sight));
            }
            (Telling::Slow(_), None) => self.finish_at(now, now),
            (Telling::Unknown { .. }, Some(sight)) => self.tell(Telling::Slow(sight)),
            (Telling::Unknown { .. } | Telling::Blinking(_) | Telling::Sos(_), _) => {}
        }
    }

    fn slow_sight(&self, now: Instant) -> Option<Sight> {
        let (colour, rhythm, since, confidence) = match self.envelope.answer() {
            Slow::Undecided => return None,
            Slow::Dark { since } => (Colour::Off, Rhythm::Off, since, patience(now.since(since))),
            Slow::Steady { since, light } => (
                self.reader.colour(light, self.envelope.is_clipped()),
                Rhythm::Solid,
                since,
                patience(now.since(since)),
            ),
            Slow::Swelling { since, period, halves, light } => {
                let colour = self.reader.colour(light, self.envelope.is_clipped());
                (colour, Rhythm::Breathe { period }, since, (45 + 20 * halves).min(97))
            }
        };
        Some(Sight { colour, rhythm, confidence: Ratio::new(10_000 * u64::from(confidence)), since, until: now })
    }

    /// A statement begins to stand.
    fn tell(&mut self, telling: Telling) {
        self.telling = telling;
        self.revision += 1;
    }

    /// The statement ends at `end`; from `unknown_since` on, nothing is stated.
    fn finish_at(&mut self, end: Instant, unknown_since: Instant) {
        let told = self.now();
        if told.rhythm != Rhythm::Unknown && end > told.since {
            self.past.push(Sight { until: end, ..told });
        }
        self.tell(Telling::Unknown { since: unknown_since });
    }

    /// The colour of the open stretch, while nothing can be said about its rhythm.
    fn doubtful_colour(&self) -> Colour {
        self.open.colour().unwrap_or_default()
    }
}

/// Percentage of confidence in something that has not changed for `length`: 75 % at 1 s, 98 % from 2.15 s on.
fn patience(length: Span) -> u32 {
    let hundredths = (length.get() / 10_000_000).min(1_000) as u32;
    (55 + hundredths / 5).min(98)
}
