//! What reaches the photodiodes: the LED through the colour filters, ambient light with its mains flicker, a neighbour, noise.
//!
//! Boundary: light to counts at gain 1 and back to integers. Gain, cycles and full scale belong to [`super::chip`].

use brickproof_units::{Frequency, Instant, Ratio, Span};

use super::Channels;
use crate::led::{Rgb, Window};
use crate::seed::{Noise, finish};

/// Counts per second of integration at gain 1.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct CountRate(u32);

impl CountRate {
    /// In counts per second.
    pub const fn per_second(counts: u32) -> Self {
        Self(counts)
    }

    fn times(self, seconds: f64) -> f64 {
        f64::from(self.0) * seconds
    }
}

/// Where a sensor sits and what it sees there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Optics {
    /// What each die, fully on, gives in each channel: its efficacy, the distance, and the crosstalk of the filters.
    pub response: Rgb<Channels<CountRate>>,
    /// Light that is always there.
    pub ambient: Channels<CountRate>,
    /// How the ambient light pulsates.
    pub flicker: Flicker,
    /// The LED of the next board.
    pub neighbour: Neighbour,
    /// What the converter adds.
    pub grain: Grain,
}

/// The pulsation of ambient light.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Flicker {
    /// Daylight, or lamps on direct current.
    #[default]
    Steady,
    /// Lamps on the mains: a sine with twice the mains frequency around the mean.
    Mains {
        /// Of the light: 100 Hz or 120 Hz.
        frequency: Frequency,
        /// Amplitude as a share of the mean.
        depth: Ratio,
    },
}

/// The LED of the next board, which blinks with equal phases, lit first.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Neighbour {
    /// Out of sight.
    #[default]
    Hidden,
    /// Seen like the own LED, only weaker.
    Blinking {
        /// Of its light against the own LED's at the same drive.
        share: Ratio,
        /// How strongly each die is driven while lit.
        drive: Rgb<Ratio>,
        /// One phase lit and one dark.
        period: Span,
    },
}

/// The noise of one reading.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Grain {
    /// A converter that only rounds.
    #[default]
    None,
    /// A deviation that is the root of the sum of two squares, of seeded, roughly normal draws.
    Noisy {
        /// Standard deviation in the dark, as a share of one count.
        read: Ratio,
        /// Variance per count: one whole would be one electron per count.
        shot: Ratio,
    },
}

const fn channels(clear: u32, red: u32, green: u32, blue: u32) -> Channels<CountRate> {
    Channels {
        clear: CountRate::per_second(clear),
        red: CountRate::per_second(red),
        green: CountRate::per_second(green),
        blue: CountRate::per_second(blue),
    }
}

impl Default for Optics {
    /// A sensor above an RGB LED, shaded from an office lit by fluorescent lamps.
    ///
    /// Clear counts are chosen so that all three dies fully on stay below full scale at gain 4 and any integration. The filters are
    /// the middle of the bands that the TCS3472 data sheet gives for 615, 525 and 465 nm (recalled). Ambient light, flicker and
    /// noise are assumptions.
    fn default() -> Self {
        Self {
            response: Rgb {
                red: channels(30_000, 28_500, 2_100, 4_200),
                green: channels(30_000, 4_200, 21_600, 8_100),
                blue: channels(30_000, 2_100, 7_800, 22_800),
            },
            ambient: channels(600, 240, 210, 180),
            flicker: Flicker::Mains { frequency: Frequency::new(100_000), depth: Ratio::new(300_000) },
            neighbour: Neighbour::Hidden,
            grain: Grain::Noisy { read: Ratio::new(500_000), shot: Ratio::new(20_000) },
        }
    }
}

/// [`Optics`] ready to be evaluated, with its noise.
#[derive(Clone, Debug)]
pub(super) struct LightModel {
    optics: Optics,
    seed: u64,
}

/// Keeps the sensor's noise apart from every other use of the seed.
const SENSOR_NOISE: u64 = u64::from_be_bytes(*b"TCS34725");

impl LightModel {
    pub(super) fn new(optics: Optics, seed: u64) -> Self {
        Self { optics, seed: finish(seed ^ SENSOR_NOISE) }
    }

    /// The counts of one integration over `window`, in which the own dies were lit for `on_time`, amplified `gain` times.
    pub(super) fn counts(&self, window: Window, on_time: Rgb<Span>, gain: u32) -> Channels<u32> {
        let lit = self.lit_seconds(window, on_time);
        let ambient = self.ambient_seconds(window);
        let gain = f64::from(gain);
        // Noise belongs to the window, not to history: a forked trial sees the same.
        let mut noise = Noise::at(self.seed, &[window.start.as_nanos()]);
        let mut channel = |pick: fn(&Channels<CountRate>) -> CountRate| {
            let own = |die: &Channels<CountRate>, seconds: f64| pick(die).times(seconds);
            let Rgb { red, green, blue } = &self.optics.response;
            let light = own(red, lit.red) + own(green, lit.green) + own(blue, lit.blue);
            let clean = gain * (light + pick(&self.optics.ambient).times(ambient));
            self.optics.grain.reading(clean, &mut noise)
        };
        Channels {
            clear: channel(|rates| rates.clear),
            red: channel(|rates| rates.red),
            green: channel(|rates| rates.green),
            blue: channel(|rates| rates.blue),
        }
    }

    /// Seconds of full drive of each die, the neighbour's share included.
    fn lit_seconds(&self, window: Window, on_time: Rgb<Span>) -> Rgb<f64> {
        let own = Rgb { red: seconds(on_time.red), green: seconds(on_time.green), blue: seconds(on_time.blue) };
        match self.optics.neighbour {
            Neighbour::Hidden => own,
            Neighbour::Blinking { share: strength, drive, period } => {
                let lit = seconds(blinking(window, period)) * share(strength);
                Rgb {
                    red: own.red + lit * share(drive.red),
                    green: own.green + lit * share(drive.green),
                    blue: own.blue + lit * share(drive.blue),
                }
            }
        }
    }

    /// The integral of the ambient light over the window, in seconds of its mean.
    fn ambient_seconds(&self, window: Window) -> f64 {
        let mean = seconds(window.length());
        match self.optics.flicker {
            Flicker::Steady => mean,
            Flicker::Mains { frequency, depth } if frequency.get() > 0 => {
                let hertz = frequency.get() as f64 * 1e-3;
                let angular = 2.0 * std::f64::consts::PI * hertz;
                let swing = libm::sin(phase(window.end, frequency)) - libm::sin(phase(window.start, frequency));
                mean + share(depth) * swing / angular
            }
            Flicker::Mains { .. } => mean,
        }
    }
}

impl Grain {
    fn reading(self, clean: f64, noise: &mut Noise) -> u32 {
        let noisy = match self {
            Self::None => clean,
            Self::Noisy { read, shot } => {
                let variance = share(read) * share(read) + share(shot) * clean;
                clean + libm::sqrt(variance) * roughly_normal(noise.bits())
            }
        };
        // Saturates at both ends.
        libm::round(noisy) as u32
    }
}

/// Four uniform numbers added up: mean 0, deviation 1, never beyond 3.5. Enough for a noise floor, and a few operations.
fn roughly_normal(bits: u64) -> f64 {
    let sum: u64 = (0..4).map(|part| (bits >> (16 * part)) & 0xFFFF).sum();
    // The mean of the sum is 4 * 65535 / 2; its variance is 4 * (65536^2 - 1) / 12.
    const DEVIATION: f64 = 37_837.227;
    (sum as f64 - 131_070.0) / DEVIATION
}

/// The time within `window` that a lamp is lit which blinks with `period` from the start of the trial.
fn blinking(window: Window, period: Span) -> Span {
    let period = period.as_nanos().max(2);
    let phase = period / 2;
    let until = |at: Instant| at.as_nanos() / period * phase + (at.as_nanos() % period).min(phase);
    Span::nanos(until(window.end).saturating_sub(until(window.start)))
}

/// The angle at `at`, reduced in integers so that late instants lose no precision.
fn phase(at: Instant, frequency: Frequency) -> f64 {
    const MILLIHERTZ_NANOSECONDS: u128 = 1_000_000_000_000;
    let cycles = u128::from(at.as_nanos()) * u128::from(frequency.get()) % MILLIHERTZ_NANOSECONDS;
    2.0 * std::f64::consts::PI * cycles as f64 / MILLIHERTZ_NANOSECONDS as f64
}

fn seconds(span: Span) -> f64 {
    span.as_nanos() as f64 * 1e-9
}

fn share(ratio: Ratio) -> f64 {
    ratio.get() as f64 * 1e-6
}

#[cfg(test)]
mod tests {
    use super::*;

    fn window(start_us: u64, length_us: u64) -> Window {
        let start = Instant::START + Span::micros(start_us);
        Window { start, end: start + Span::micros(length_us) }
    }

    fn quiet() -> Optics {
        Optics { ambient: channels(0, 0, 0, 0), flicker: Flicker::Steady, grain: Grain::None, ..Optics::default() }
    }

    fn dark() -> Rgb<Span> {
        Rgb::all(Span::ZERO)
    }

    #[test]
    fn the_filters_leak_as_the_response_says() {
        let model = LightModel::new(quiet(), 1);
        let red = model.counts(window(0, 2_400), Rgb { red: Span::millis(1), ..dark() }, 4);
        assert_eq!(red, Channels { clear: 120, red: 114, green: 8, blue: 17 });
    }

    #[test]
    fn light_and_gain_multiply() {
        let model = LightModel::new(quiet(), 1);
        let at =
            |gain, millis| model.counts(window(0, 24_000), Rgb { blue: Span::millis(millis), ..dark() }, gain).blue;
        assert_eq!((at(1, 10), at(4, 10), at(4, 20)), (228, 912, 1_824));
    }

    #[test]
    fn flicker_vanishes_over_a_whole_period_and_shows_in_half_of_one() {
        let flicker = Flicker::Mains { frequency: Frequency::new(100_000), depth: Ratio::new(300_000) };
        let optics = Optics { ambient: channels(100_000, 0, 0, 0), flicker, ..quiet() };
        let model = LightModel::new(optics, 1);
        for start in [0, 1_234, 59_000_777] {
            assert_eq!(model.counts(window(start, 10_000), dark(), 1).clear, 1_000);
        }
        // From the falling zero to the rising one: the mean less depth / pi.
        assert_eq!(model.counts(window(2_500, 5_000), dark(), 1).clear, 405);
        assert_eq!(model.counts(window(7_500, 5_000), dark(), 1).clear, 595);
    }

    #[test]
    fn a_neighbour_adds_its_share_while_it_is_lit() {
        let neighbour = Neighbour::Blinking {
            share: Ratio::new(100_000),
            drive: Rgb { red: Ratio::new(1_000_000), green: Ratio::new(0), blue: Ratio::new(0) },
            period: Span::millis(200),
        };
        let model = LightModel::new(Optics { neighbour, ..quiet() }, 1);
        let clear = |start_ms: u64| model.counts(window(start_ms * 1_000, 10_000), dark(), 1).clear;
        assert_eq!((clear(0), clear(95), clear(150), clear(210)), (30, 15, 0, 30));
    }

    #[test]
    fn noise_has_the_asked_deviation_and_no_bias_and_is_seeded() {
        let grain = Grain::Noisy { read: Ratio::new(3_000_000), shot: Ratio::new(160_000) };
        let model = |seed| LightModel::new(Optics { ambient: channels(10_000, 0, 0, 0), grain, ..quiet() }, seed);
        let readings = |seed| -> Vec<f64> {
            let model = model(seed);
            (0..20_000).map(|k| f64::from(model.counts(window(k * 10_000, 10_000), dark(), 1).clear)).collect()
        };
        let seen = readings(1);
        let mean = seen.iter().sum::<f64>() / seen.len() as f64;
        let variance = seen.iter().map(|count| (count - mean) * (count - mean)).sum::<f64>() / seen.len() as f64;
        // 100 counts: 3^2 + 0.16 * 100 = 25, and 1/12 from rounding.
        assert!((mean - 100.0).abs() < 0.2, "{mean}");
        assert!((variance - 25.08).abs() < 1.5, "{variance}");
        assert_eq!(seen, readings(1));
        assert_ne!(seen, readings(2));
    }
}
