//! From raw counts to linear light: dark level, filter crosstalk and channel gains.
//!
//! Boundary: one sample in, one colour out. Where the calibration is kept, and when it is measured, is the bench's business.

use crate::rgb::Rgb;
use crate::sample::Sample;
use crate::smoothing::{Exposure, Smoothing};

/// What a calibration consists of, in integers, for a bench file to hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CalibrationParts {
    /// Red, green and blue with the LED off, in thousandths of a count per step of 2.4 ms.
    pub dark: [i32; 3],
    /// Deviation of the sum of the three with the LED off, in thousandths of a count per step.
    pub noise: u32,
    /// Each row makes one corrected channel out of the three raw ones, in millionths: crosstalk inverse and white gains in one.
    pub correction: [[i32; 3]; 3],
}

/// Recordings of the LED's three primaries, each alone at the same drive.
#[derive(Clone, Copy, Debug)]
pub struct Primaries<'a> {
    /// With only red on.
    pub red: &'a [Sample],
    /// With only green on.
    pub green: &'a [Sample],
    /// With only blue on.
    pub blue: &'a [Sample],
}

/// Why a calibration could not be made.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum CalibrationError {
    /// A recording held no usable sample.
    #[error("the recording of {0} has no sample with an integration time")]
    Empty(&'static str),
    /// A recording went over the sensor's range.
    #[error("the sensor is over its range in the recording of {0}: lower its gain")]
    Clipped(&'static str),
    /// Two primaries look alike, or one of them is dark.
    #[error("the primaries cannot be told apart: is the sensor above the LED, and does every colour light?")]
    Indistinct,
}

/// How one sensor above one LED translates counts into light.
///
/// The default assumes a dark surrounding and filters without crosstalk. Real TCS3472 filters have some, enough to make orange look
/// red: [`Self::typical`] knows how much of it there usually is, and [`Self::with_primaries`] how much of it there is.
#[derive(Clone, Debug, PartialEq)]
pub struct Calibration {
    dark: Rgb,
    noise: f32,
    correction: [Rgb; 3],
}

/// A step of 2.4 ms is counted in whole counts per channel; less than this deviation in the sum of three is not credible.
const LEAST_NOISE: f32 = 2.0;
/// Off is "below noise + 5 sigma", the usual margin of LED analysers.
const SIGMAS: f32 = 5.0;

impl Default for Calibration {
    fn default() -> Self {
        let identity = [Rgb([1.0, 0.0, 0.0]), Rgb([0.0, 1.0, 0.0]), Rgb([0.0, 0.0, 1.0])];
        Self { dark: Rgb::default(), noise: LEAST_NOISE, correction: identity }
    }
}

/// What a red, a green and a blue LED alone give in the red, green and blue channels, in thousandths of what they give in the clear one: the
/// middles of the bands that the TCS3472 data sheet has for 615, 525 and 465 nm (recalled, not verified against a part).
const TYPICAL: [[f32; 3]; 3] = [[950.0, 70.0, 140.0], [140.0, 720.0, 270.0], [70.0, 260.0, 760.0]];

impl Calibration {
    /// Of a TCS3472 of which nobody has measured what its filters let through.
    pub fn typical() -> Self {
        let inverse = inverse(TYPICAL.map(Rgb)).expect("the bands of the data sheet do not overlap so far");
        Self { correction: inverse.map(|row| row.times(level_of(TYPICAL.map(Rgb)))), ..Self::default() }
    }

    /// The calibration that a bench file holds.
    pub fn from_parts(parts: &CalibrationParts) -> Self {
        Self {
            dark: Rgb(parts.dark.map(|thousandths| thousandths as f32 / 1e3)),
            noise: (parts.noise as f32 / 1e3).max(LEAST_NOISE),
            correction: parts.correction.map(|row| Rgb(row.map(|millionths| millionths as f32 / 1e6))),
        }
    }

    /// What to write into a bench file. Values beyond the integers' range saturate.
    pub fn parts(&self) -> CalibrationParts {
        CalibrationParts {
            dark: self.dark.0.map(|counts| (counts * 1e3) as i32),
            noise: (self.noise * 1e3) as u32,
            correction: self.correction.map(|row| row.0.map(|factor| (factor * 1e6) as i32)),
        }
    }

    /// The same, with the dark level and its noise taken from a recording with the LED off, a second or longer.
    ///
    /// # Errors
    /// If the recording is empty or over the sensor's range.
    pub fn with_dark(mut self, dark: &[Sample]) -> Result<Self, CalibrationError> {
        self.dark = mean("the dark", dark)?;
        // Averaged as it will be later: mains flicker is far stronger in single samples.
        let mut smoothing = Smoothing::new();
        let (mut squares, mut count, mut before) = (0.0, 0.0, None);
        for sample in dark.iter().filter(|sample| sample.steps() > 0.0) {
            let gap = before.map_or(sample.integration, |before| sample.at.since(before));
            before = Some(sample.at);
            let (at, integration, light) = (sample.at, sample.integration, self.light(sample));
            let level = smoothing.push(Exposure { at, integration, gap, light, clipped: false }).light.level();
            squares += level * level;
            count += 1.0;
        }
        let variance = squares / count;
        self.noise = square_root(variance).max(LEAST_NOISE);
        Ok(self)
    }

    /// The same, with crosstalk and gains taken from recordings of the primaries, such that all three at once are white.
    ///
    /// # Errors
    /// If a recording is empty or over the sensor's range, or the primaries look alike.
    pub fn with_primaries(mut self, primaries: &Primaries<'_>) -> Result<Self, CalibrationError> {
        let columns = [
            mean("red", primaries.red)?.minus(self.dark),
            mean("green", primaries.green)?.minus(self.dark),
            mean("blue", primaries.blue)?.minus(self.dark),
        ];
        let inverse = inverse(columns).ok_or(CalibrationError::Indistinct)?;
        self.correction = inverse.map(|row| row.times(level_of(columns)));
        Ok(self)
    }

    /// The light in `sample`, whose integration must not be zero.
    pub(crate) fn light(&self, sample: &Sample) -> Rgb {
        let raw =
            Rgb([sample.red, sample.green, sample.blue].map(f32::from)).times(1.0 / sample.steps()).minus(self.dark);
        Rgb([self.correction[0].dot(raw), self.correction[1].dot(raw), self.correction[2].dot(raw)])
    }

    /// The level below which there is no light, in counts per step.
    pub(crate) fn off_below(&self) -> f32 {
        self.noise * SIGMAS
    }
}

fn mean(of: &'static str, samples: &[Sample]) -> Result<Rgb, CalibrationError> {
    if samples.iter().any(Sample::is_clipped) {
        return Err(CalibrationError::Clipped(of));
    }
    let mut sum = Rgb::default();
    let mut count = 0u32;
    for sample in samples.iter().filter(|sample| sample.steps() > 0.0) {
        sum = sum.plus(Rgb([sample.red, sample.green, sample.blue].map(f32::from)).times(1.0 / sample.steps()));
        count += 1;
    }
    if count == 0 { Err(CalibrationError::Empty(of)) } else { Ok(sum.times(1.0 / count as f32)) }
}

/// What keeps the unit "counts per step": the inverse alone would map every primary to one.
fn level_of(columns: [Rgb; 3]) -> f32 {
    columns.iter().map(|column| column.level()).sum::<f32>() / 3.0
}

/// By Newton's method: the square root of std is exact as well, but basic arithmetic keeps the rule of this crate plain.
fn square_root(square: f32) -> f32 {
    if square <= 0.0 || !square.is_finite() {
        return 0.0;
    }
    (0..40).fold(square.max(1.0), |guess, _| (guess + square / guess) / 2.0)
}

/// The rows of the inverse of the matrix with these columns; `None` if it is not well conditioned.
fn inverse(columns: [Rgb; 3]) -> Option<[Rgb; 3]> {
    let [a, b, c] = columns;
    let determinant = a.dot(cross(b, c));
    // The volume of the primaries relative to the box of their levels: 1 for filters without crosstalk.
    let volume = a.level() * b.level() * c.level();
    let all_lit = columns.iter().all(|column| column.level() > LEAST_NOISE);
    let distinct = all_lit && determinant > 0.02 * volume;
    distinct.then(|| [cross(b, c), cross(c, a), cross(a, b)].map(|row| row.times(1.0 / determinant)))
}

fn cross(Rgb(a): Rgb, Rgb(b): Rgb) -> Rgb {
    Rgb([a[1] * b[2] - a[2] * b[1], a[2] * b[0] - a[0] * b[2], a[0] * b[1] - a[1] * b[0]])
}

#[cfg(test)]
mod tests {
    use brickproof_units::{Instant, Span};

    use super::*;
    use crate::Colour;

    fn sample([red, green, blue]: [u16; 3]) -> Sample {
        Sample { at: Instant::START, integration: Sample::STEP, red, green, blue, clear: 0 }
    }

    /// Within the ranges of the TCS3472 datasheet's table of filter responses (recalled, not verified against a part).
    const RED: [u16; 3] = [340, 45, 60];
    const GREEN: [u16; 3] = [70, 290, 110];
    const BLUE: [u16; 3] = [30, 100, 300];
    const DARK: [u16; 3] = [31, 40, 28];

    fn sum(lights: &[[u16; 3]]) -> Sample {
        sample([0, 1, 2].map(|channel| DARK[channel] + lights.iter().map(|light| light[channel]).sum::<u16>()))
    }

    fn measured() -> Calibration {
        let (red, green, blue) = ([sum(&[RED])], [sum(&[GREEN])], [sum(&[BLUE])]);
        let dark = Calibration::default().with_dark(&[sum(&[]); 5]).unwrap();
        dark.with_primaries(&Primaries { red: &red, green: &green, blue: &blue }).unwrap()
    }

    #[test]
    fn crosstalk_makes_yellow_orange_until_it_is_calibrated_away() {
        let yellow = sum(&[RED, GREEN]);
        assert_ne!(Colour::of(Calibration::default().light(&yellow)), Colour::Yellow);
        assert_eq!(Colour::of(measured().light(&yellow)), Colour::Yellow);
        assert_eq!(Colour::of(measured().light(&sum(&[RED, GREEN, BLUE]))), Colour::White);
        assert!(measured().light(&sum(&[])).level().abs() < 1.0);
    }

    #[test]
    fn a_part_that_nobody_measured_tells_colours_apart_all_the_same() {
        let unmeasured = Calibration::typical().with_dark(&[sum(&[]); 5]).unwrap();
        let seen = |lights: &[[u16; 3]]| Colour::of(unmeasured.light(&sum(lights)));
        let half = |light: [u16; 3]| light.map(|counts| counts * 2 / 5);
        assert_eq!(seen(&[RED]), Colour::Red);
        assert_eq!(seen(&[RED, half(GREEN)]), Colour::Orange);
        assert_eq!(seen(&[RED, GREEN]), Colour::Yellow);
        assert_eq!(seen(&[GREEN, BLUE]), Colour::Cyan);
        assert_eq!(seen(&[RED, BLUE]), Colour::Magenta);
        assert_eq!(seen(&[RED, GREEN, BLUE]), Colour::White);
    }

    #[test]
    fn the_parts_carry_the_calibration() {
        let again = Calibration::from_parts(&measured().parts());
        let light = sum(&[GREEN, BLUE]);
        assert!(again.light(&light).distance(measured().light(&light)) < 0.1);
    }

    #[test]
    fn slow_flicker_raises_the_level_that_counts_as_off_and_mains_flicker_less_so() {
        let recording = |period: u64| -> Vec<_> {
            let at = |cycle: u64| Instant::START + Span::micros(4_800 * (cycle + 1));
            let counts = |cycle: u64| if cycle % period < period / 2 { 20 } else { 60 };
            (0..120).map(|cycle| Sample { at: at(cycle), ..sample([counts(cycle); 3]) }).collect()
        };
        let off_below = |period| Calibration::default().with_dark(&recording(period)).unwrap().off_below();
        assert!(off_below(40) > 100.0);
        assert!(off_below(2) < off_below(40) / 5.0);
    }

    #[test]
    fn recordings_that_show_nothing_are_refused() {
        let [lit, dark] = [[sum(&[RED])], [sum(&[])]];
        let calibration = Calibration::default().with_dark(&dark).unwrap();
        let swapped = Primaries { red: &lit, green: &lit, blue: &lit };
        assert_eq!(calibration.clone().with_primaries(&swapped), Err(CalibrationError::Indistinct));
        let unlit = Primaries { red: &lit, green: &dark, blue: &dark };
        assert_eq!(calibration.clone().with_primaries(&unlit), Err(CalibrationError::Indistinct));
        assert_eq!(calibration.clone().with_dark(&[]), Err(CalibrationError::Empty("the dark")));
        assert_eq!(calibration.with_dark(&[sample([1023; 3])]), Err(CalibrationError::Clipped("the dark")));
        let instant = Sample { integration: Span::ZERO, ..sample([1; 3]) };
        assert_eq!(Calibration::default().with_dark(&[instant]), Err(CalibrationError::Empty("the dark")));
    }
}
