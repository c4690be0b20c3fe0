//! A bench with an LED under a TCS34725, written independently of the recogniser: drive -> PWM -> light -> integrated counts.
//!
//! Boundary: physics only, seeded. What the patterns mean is in `drive.rs`.

use brickproof_light::Sample;
use brickproof_units::{Instant, Span};

use super::drive::Drive;

/// Seeded numbers (SplitMix64).
#[derive(Clone, Debug)]
pub(crate) struct Dice(pub(crate) u64);

impl Dice {
    pub(crate) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// 0 up to, not including, 1.
    pub(crate) fn unit(&mut self) -> f64 {
        (self.next() >> 11) as f64 / (1u64 << 53) as f64
    }

    pub(crate) fn between(&mut self, low: f64, high: f64) -> f64 {
        low + (high - low) * self.unit()
    }

    /// Nearly normal, deviation 1.
    fn noise(&mut self) -> f64 {
        (0..12).map(|_| self.unit()).sum::<f64>() - 6.0
    }
}

/// The circumstances under which a drive is watched.
#[derive(Clone, Debug)]
pub(crate) struct Bench {
    /// Integration time, µs.
    pub(crate) integration: u64,
    /// PWM period, µs.
    pub(crate) pwm: u64,
    /// Share of full drive.
    pub(crate) brightness: f64,
    /// Ambient light as a share of the LED's own at this brightness.
    pub(crate) ambient: f64,
    /// Share of the ambient light that flickers with 100 Hz.
    pub(crate) flicker: f64,
    /// Whether the ambient light was there when the dark level was taken.
    pub(crate) dark_known: bool,
    /// Noise of a reading, as a share of it (beside one count).
    pub(crate) noise: f64,
    /// Share of samples that get lost.
    pub(crate) dropped: f64,
    /// A sample may begin this much late, µs.
    pub(crate) jitter: f64,
}

impl Bench {
    pub(crate) fn quiet() -> Self {
        Self {
            integration: 2_400,
            pwm: 2_400,
            brightness: 0.4,
            ambient: 0.0,
            flicker: 0.0,
            dark_known: true,
            noise: 0.005,
            dropped: 0.0,
            jitter: 0.0,
        }
    }

    /// Anything a usable rig may have to cope with.
    pub(crate) fn random(dice: &mut Dice) -> Self {
        // Integrations that hold whole PWM periods, or many; see `beating` for the others.
        let (integration, pwm) =
            [(2_400, 2_400), (2_400, 1_200), (4_800, 2_400), (4_800, 1_200), (24_000, 2_400), (24_000, 5_000)]
                [(dice.next() % 6) as usize];
        Self {
            integration,
            pwm,
            brightness: dice.between(0.1, 1.0),
            ambient: dice.between(0.0, 0.5),
            flicker: dice.between(0.0, 0.3),
            dark_known: true,
            noise: dice.between(0.002, 0.02),
            dropped: if dice.unit() < 0.5 { 0.02 } else { 0.0 },
            jitter: dice.between(0.0, 400.0),
        }
    }

    /// The same with a PWM that beats with the integration: dim light then wavers by a third, slowly enough to be a pattern.
    pub(crate) fn beating(dice: &mut Dice) -> Self {
        let (integration, pwm) =
            [(2_400, 1_000), (2_400, 2_000), (4_800, 1_000), (4_800, 5_000)][(dice.next() % 4) as usize];
        Self { integration, pwm, ..Self::random(dice) }
    }

    /// Counts at full drive of one primary in one step of 2.4 ms.
    const FULL: f64 = 600.0;

    /// What the sensor delivers in `[0, length)` ms of `drive`, from `offset` µs on.
    pub(crate) fn watch(&self, drive: &Drive, length: u64, dice: &mut Dice) -> Vec<Sample> {
        let mut samples = Vec::new();
        let mut begin = dice.unit() * 3_000.0;
        while begin < length as f64 * 1e3 {
            let end = begin + self.integration as f64;
            if dice.unit() >= self.dropped {
                samples.push(self.sample(drive, begin, end, dice));
            }
            begin = end + 2_400.0 + dice.unit() * self.jitter;
        }
        samples
    }

    /// The samples of a dark LED, for the calibration.
    pub(crate) fn dark(&self, dice: &mut Dice) -> Vec<Sample> {
        let bench = Self { dropped: 0.0, ambient: if self.dark_known { self.ambient } else { 0.0 }, ..self.clone() };
        bench.watch(&Drive::dark(), 2_000, dice)
    }

    fn sample(&self, drive: &Drive, begin: f64, end: f64, dice: &mut Dice) -> Sample {
        let steps = self.integration as f64 / 2_400.0;
        let on = self.on_share(drive, begin, end);
        let ambient = self.ambient * self.brightness * Self::FULL * (1.0 + self.flicker * mean_sine(begin, end));
        let counts = on.map(|share| {
            let ideal = (share * Self::FULL + ambient) * steps;
            let noisy = ideal + dice.noise() * (ideal * self.noise + 1.0);
            noisy.round().clamp(0.0, (1_024.0 * steps - 1.0).min(65_535.0)) as u16
        });
        let at = Instant::from_nanos((end * 1e3) as u64);
        let integration = Span::micros(self.integration);
        Sample { at, integration, red: counts[0], green: counts[1], blue: counts[2], clear: counts[1] }
    }

    /// The share of the window that each primary is on: pulses at the beginning of each PWM period, in 255 steps.
    fn on_share(&self, drive: &Drive, begin: f64, end: f64) -> [f64; 3] {
        let period = self.pwm as f64;
        let mut on = [0.0; 3];
        let mut cycle = (begin / period).floor() * period;
        while cycle < end {
            // Edges of the drive fall between PWM cycles only roughly: cut the cycle into quarters.
            for quarter in 0..4 {
                let (from, to) =
                    (cycle + period * f64::from(quarter) / 4.0, cycle + period * f64::from(quarter + 1) / 4.0);
                let light = drive.at(from.max(0.0));
                for (channel, on) in on.iter_mut().enumerate() {
                    let duty = (light[channel] * self.brightness * 255.0).round() / 255.0;
                    let pulse_end = (cycle + duty * period).min(to);
                    *on += (pulse_end.min(end) - from.max(begin)).max(0.0);
                }
            }
            cycle += period;
        }
        on.map(|time| time / (end - begin))
    }
}

/// The mean over a window, in µs, of a sine of 100 Hz.
fn mean_sine(begin: f64, end: f64) -> f64 {
    let phase = |time: f64| time * 100.0 * std::f64::consts::TAU / 1e6;
    (phase(begin).cos() - phase(end).cos()) / (phase(end) - phase(begin))
}
