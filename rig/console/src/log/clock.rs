//! The device's clock on the timeline: when a line was said, and how often the device started, from the stamps that its lines carry.
//!
//! Boundary: arithmetic on pairs of a stamp and its arrival. It is told how late a line may arrive and how wrong a clock may run, and everything
//! it says holds if those do; it measures neither. It knows intervals and no best guesses: an interval can be wrong only if an assumption is.
//!
//! The device's zero is where on the timeline its clock showed 0. Every line confines it, since a line is said before it arrives and not more
//! than the latency before. While the device runs, the intervals of its lines overlap; when they do not, it has started anew, if the new zero can
//! lie after what was said last. A clock that was stopped (a device that slept) looks like one or the other, and cannot be told from it.

use std::fmt;

use brickproof_units::{Instant, Ratio, Span};

/// Nanoseconds in a millisecond of either clock.
const MILLI: i128 = 1_000_000;
/// So many milliseconds, and the clock shows 0 again.
const ROUND: i128 = 1 << 32;

/// Milliseconds on a device's own clock since it started. After 2^32 of them (49.7 days) it begins again.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct DeviceMillis(u32);

impl DeviceMillis {
    /// A value in milliseconds.
    pub const fn new(millis: u32) -> Self {
        Self(millis)
    }

    /// The value in milliseconds.
    pub const fn get(self) -> u32 {
        self.0
    }
}

impl fmt::Display for DeviceMillis {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}ms", self.0)
    }
}

/// What is assumed of a device and of the way its lines take.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ClockLimits {
    /// The longest time from the stamp of a line to the arrival of its first byte, uncertainty aside.
    pub latency: Span,
    /// The most by which the device's clock is fast or slow.
    pub drift: Ratio,
}

/// What a line's stamp was taken for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Heard {
    /// The first line of all.
    FirstBoot(Said),
    /// The device has run on since the line before.
    SameBoot(Said),
    /// The device has started since the line before.
    Rebooted(Said),
    /// It fits the line before, which was implausible, and so those before that were the late ones: the device's zero is corrected.
    Corrected(Said),
    /// It fits nothing that came before: a damaged stamp, or a line that was late beyond the limit. Nothing follows from it alone.
    Implausible,
}

impl Heard {
    /// When it was said, if that is known.
    pub fn said(self) -> Option<Said> {
        match self {
            Self::FirstBoot(said) | Self::SameBoot(said) | Self::Rebooted(said) | Self::Corrected(said) => Some(said),
            Self::Implausible => None,
        }
    }
}

/// When a line was said.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Said {
    /// After which start of the device, counted from 1.
    pub boot: usize,
    /// How long after it, on the device's clock, whole rounds of that included.
    pub uptime: Span,
    /// Not before this.
    pub earliest: Instant,
    /// Not after this.
    pub latest: Instant,
}

/// One start of the device.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Boot {
    /// It began between these two instants; `None`: before the timeline did.
    pub began: Option<(Instant, Instant)>,
    /// How often its clock has come round since.
    pub rounds: u64,
    /// How wrong its clock runs, where its lines say more than was assumed.
    pub rate: Option<RateBounds>,
}

/// How wrong a clock runs: by so many parts per million it is slow, and fast where that is below zero.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RateBounds {
    /// Not less.
    pub least: i64,
    /// Not more.
    pub most: i64,
}

/// Follows the clock of one device through its starts.
///
/// Starts closer together than twice the latency (and the uncertainty of the arrivals) may be taken for one. A start that is heard of after more
/// than 49.7 days of silence is placed as late as it can have been; so is the first one, however long it had been running.
#[derive(Clone, Debug)]
pub struct DeviceClock {
    limits: ClockLimits,
    boots: Vec<Zero>,
    suspect: Option<Zero>,
}

impl DeviceClock {
    /// A clock that nothing has been heard of.
    pub fn new(limits: ClockLimits) -> Self {
        Self { limits, boots: Vec::new(), suspect: None }
    }

    /// Takes the stamp of a line whose first byte arrived at `arrival`, give or take `uncertainty`. Lines come in the order of arrival.
    pub fn hear(&mut self, arrival: Instant, uncertainty: Span, stamp: DeviceMillis) -> Heard {
        let reading = Reading {
            arrival: i128::from(arrival.as_nanos()),
            uncertainty: i128::from(uncertainty.as_nanos()),
            uptime: i128::from(stamp.get()),
        };
        let suspect = self.suspect.take();
        let Some(running) = self.boots.last_mut() else {
            self.boots.push(Zero::of(reading, &self.limits));
            return Heard::FirstBoot(self.said());
        };
        if let Some(zero) = running.with(reading, &self.limits) {
            *running = zero;
            return Heard::SameBoot(self.said());
        }
        if let Some(zero) = running.anew(reading, &self.limits) {
            self.boots.push(zero);
            return Heard::Rebooted(self.said());
        }
        if let Some(zero) = suspect.and_then(|suspect| suspect.with(reading, &self.limits)) {
            *running = zero;
            return Heard::Corrected(self.said());
        }
        self.suspect = Some(Zero::of(reading, &self.limits));
        Heard::Implausible
    }

    /// The starts of the device that its lines tell of, oldest first.
    pub fn boots(&self) -> impl Iterator<Item = Boot> {
        self.boots.iter().map(|zero| zero.boot(&self.limits))
    }

    /// When the last line was said.
    fn said(&self) -> Said {
        let boot = self.boots.len();
        let Some(zero) = self.boots.last() else {
            return Said { boot, uptime: Span::ZERO, earliest: Instant::START, latest: Instant::NEVER };
        };
        let (earliest, latest) = zero.last_said(&self.limits);
        let uptime = Span::new(u64::try_from(zero.last.uptime * MILLI).unwrap_or(u64::MAX));
        Said { boot, uptime, earliest: instant(earliest), latest: instant(latest) }
    }
}

/// A stamp and its arrival.
#[derive(Clone, Copy, Debug)]
struct Reading {
    /// Nanoseconds on the timeline.
    arrival: i128,
    /// Nanoseconds.
    uncertainty: i128,
    /// Milliseconds since the device started, whole rounds included.
    uptime: i128,
}

impl Reading {
    /// Where the device's zero must lie, by this reading alone.
    fn zero(&self, limits: &ClockLimits) -> (i128, i128) {
        let shown = self.uptime * MILLI;
        // The stamp is cut to whole milliseconds, and the last of them may be a long one.
        let cut = MILLI + ppm(limits);
        (self.arrival - self.uncertainty - latency(limits) - shown - cut, self.arrival + self.uncertainty - shown)
    }
}

/// What is known of one start of the device.
#[derive(Clone, Copy, Debug)]
struct Zero {
    /// The device's zero lies between these, in nanoseconds on the timeline, as reckoned back from `last` at the right rate.
    earliest: i128,
    latest: i128,
    /// The device started between these.
    began: (i128, i128),
    first: Reading,
    last: Reading,
}

impl Zero {
    fn of(reading: Reading, limits: &ClockLimits) -> Self {
        let (earliest, latest) = reading.zero(limits);
        let slack = slack(reading.uptime, limits);
        Self { earliest, latest, began: (earliest - slack, latest + slack), first: reading, last: reading }
    }

    /// With one more reading; `None` if the device cannot have run on until it.
    fn with(&self, reading: Reading, limits: &ClockLimits) -> Option<Self> {
        let expected = (reading.arrival - (self.earliest + self.latest) / 2) / MILLI;
        let rounds = (expected - reading.uptime + ROUND / 2).div_euclid(ROUND).max(0);
        let reading = Reading { uptime: reading.uptime + rounds * ROUND, ..reading };
        let slack = slack((reading.uptime - self.last.uptime).abs(), limits);
        let (earliest, latest) = reading.zero(limits);
        let (earliest, latest) = (earliest.max(self.earliest - slack), latest.min(self.latest + slack));
        (earliest <= latest).then_some(())?;
        let since = self::slack(reading.uptime, limits);
        let began = (self.began.0.max(earliest - since), self.began.1.min(latest + since));
        Some(Self { earliest, latest, began, last: reading, ..*self })
    }

    /// The start that `reading` tells of, if it can have come after the last line of this one.
    fn anew(&self, reading: Reading, limits: &ClockLimits) -> Option<Self> {
        let zero = Self::of(reading, limits);
        let ended = self.last_said(limits).0;
        let earliest = zero.earliest.max(ended - slack(reading.uptime, limits));
        (zero.began.1 >= ended).then_some(Self { earliest, began: (zero.began.0.max(ended), zero.began.1), ..zero })
    }

    /// Between which instants the last line was said.
    fn last_said(&self, limits: &ClockLimits) -> (i128, i128) {
        let Reading { arrival, uncertainty, uptime } = self.last;
        let shown = uptime * MILLI;
        let earliest = (self.earliest + shown).max(arrival - uncertainty - latency(limits));
        (earliest, (self.latest + shown + MILLI + ppm(limits)).min(arrival + uncertainty))
    }

    fn boot(&self, limits: &ClockLimits) -> Boot {
        let (earliest, latest) = self.began;
        let rounds = u64::try_from(self.last.uptime / ROUND).unwrap_or(u64::MAX);
        Boot { began: (latest >= 0).then(|| (instant(earliest), instant(latest))), rounds, rate: self.rate(limits) }
    }

    /// How far the zero moved between the first reading and the last.
    fn rate(&self, limits: &ClockLimits) -> Option<RateBounds> {
        let passed = self.last.uptime - self.first.uptime;
        if passed <= 0 {
            return None;
        }
        let (from, to) = (self.first.zero(limits), self.last.zero(limits));
        // Nanoseconds per millisecond are parts per million.
        let least = (to.0 - from.1).div_euclid(passed).max(-ppm(limits));
        let most = (-(from.0 - to.1).div_euclid(passed)).min(ppm(limits));
        let known = least > -ppm(limits) || most < ppm(limits);
        known.then_some(RateBounds { least: i64::try_from(least).ok()?, most: i64::try_from(most).ok()? })
    }
}

fn latency(limits: &ClockLimits) -> i128 {
    i128::from(limits.latency.as_nanos())
}

fn ppm(limits: &ClockLimits) -> i128 {
    i128::from(limits.drift.get())
}

/// By how many nanoseconds the zero may have moved in so many milliseconds; the fraction that a stamp lacks counts as a whole one.
fn slack(millis: i128, limits: &ClockLimits) -> i128 {
    (millis + 1) * ppm(limits)
}

/// What lies before the timeline is its beginning.
fn instant(nanos: i128) -> Instant {
    Instant::from_nanos(u64::try_from(nanos.max(0)).unwrap_or(u64::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIMITS: ClockLimits = ClockLimits { latency: Span::millis(50), drift: Ratio::new(100) };

    fn clock_after(readings: &[(u64, u32)]) -> (DeviceClock, Vec<Heard>) {
        let mut clock = DeviceClock::new(LIMITS);
        let mut hear = |&(at, stamp): &(u64, u32)| {
            clock.hear(Instant::START + Span::millis(at), Span::ZERO, DeviceMillis::new(stamp))
        };
        let heard = readings.iter().map(&mut hear).collect();
        (clock, heard)
    }

    /// In milliseconds: boot, uptime, and between which instants.
    fn said(heard: Heard) -> (usize, u64, u64, u64) {
        let said = heard.said().unwrap();
        let millis = |nanos: u64| nanos / 1_000_000;
        let Said { boot, uptime, earliest, latest } = said;
        (boot, millis(uptime.as_nanos()), millis(earliest.as_nanos()), millis(latest.as_nanos()))
    }

    #[test]
    fn a_late_line_is_put_where_punctual_ones_say() {
        let (_, heard) = clock_after(&[(1_003, 1_000), (1_040, 1_001), (2_000, 2_000)]);
        assert_eq!(said(heard[0]), (1, 1_000, 953, 1_003), "up to 50 ms old, as far as anybody knows");
        assert_eq!(said(heard[1]), (1, 1_001, 990, 1_005), "39 ms late");
        assert_eq!(said(heard[2]), (1, 2_000, 1_987, 2_000));
    }

    #[test]
    fn a_clock_that_comes_round_is_no_new_start() {
        let (clock, heard) = clock_after(&[(1_000, u32::MAX - 499), (1_600, 100)]);
        assert!(matches!(heard[1], Heard::SameBoot(_)));
        assert_eq!(said(heard[1]).1, (1 << 32) + 100);
        let boots: Vec<Boot> = clock.boots().collect();
        assert_eq!((boots[0].began, boots[0].rounds), (None, 1), "it began 49.7 days before the timeline");
    }

    #[test]
    fn a_clock_that_shows_less_than_has_passed_has_started_anew() {
        let (clock, heard) = clock_after(&[(100, 80), (9_000, 8_980), (9_700, 12), (10_000, 312), (11_000, 1_005)]);
        let kinds = heard.iter().map(|heard| match heard {
            Heard::FirstBoot(_) => "first",
            Heard::SameBoot(_) => "same",
            Heard::Rebooted(_) => "again",
            Heard::Corrected(_) => "corrected",
            Heard::Implausible => "?",
        });
        assert_eq!(kinds.collect::<Vec<_>>(), ["first", "same", "again", "same", "again"]);
        let boots = clock.boots().map(|boot| boot.began.map(|(earliest, latest)| format!("{earliest} {latest}")));
        let boots: Vec<_> = boots.map(Option::unwrap).collect();
        assert_eq!(boots, ["0.000s 0.020s", "9.636s 9.688s", "9.950s 9.995s"]);
    }

    #[test]
    fn a_damaged_stamp_moves_nothing() {
        let (clock, heard) = clock_after(&[(1_000, 990), (2_000, 9_991_990), (3_000, 2_990), (4_000, 3_990)]);
        assert_eq!(heard[1], Heard::Implausible);
        assert_eq!(said(heard[2]).0, 1);
        assert_eq!(clock.boots().count(), 1);
    }

    #[test]
    fn a_backlog_that_was_read_late_is_corrected_by_two_lines_that_agree() {
        let (clock, heard) = clock_after(&[(60_000, 1_000), (60_001, 1_001), (60_100, 50_100), (61_000, 51_000)]);
        assert_eq!(heard[2], Heard::Implausible);
        assert!(matches!(heard[3], Heard::Corrected(_)));
        assert_eq!(said(heard[3]), (1, 51_000, 60_950, 61_000));
        assert_eq!(clock.boots().count(), 1);
    }

    #[test]
    fn a_long_watch_tells_how_wrong_the_clock_is() {
        let (clock, _) = clock_after(&[(0, 0), (10_000_000, 9_999_600)]);
        let rate = clock.boots().next().unwrap().rate.unwrap();
        assert_eq!((rate.least, rate.most), (34, 46), "400 ms in 10,000 s");
        let (clock, _) = clock_after(&[(0, 0), (100_000, 100_000)]);
        assert_eq!(clock.boots().next().unwrap().rate, None, "too short to know more than was assumed");
    }
}
