//! A colour sensor above the LED: a TCS34725 modelled down to its registers, read by the driver that reads the real one.
//!
//! Boundary: light in, raw counts out. What the counts mean is for the `brickproof-light` crate; when the board's LED was lit comes
//! from [`crate::led`].

mod chip;
mod optics;

pub use optics::{CountRate, Flicker, Grain, Neighbour, Optics};

use brickproof_units::{Instant, Span};
use embedded_hal::i2c::{ErrorKind, ErrorType, I2c, Operation};
use tcs3472::{RgbCGain, Tcs3472};

use crate::led::{Led, Window};
use chip::{STEP, Tcs34725};
use optics::LightModel;

/// Something for each channel of the sensor.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Channels<T> {
    /// Without a filter.
    pub clear: T,
    /// Behind the red filter.
    pub red: T,
    /// Behind the green filter.
    pub green: T,
    /// Behind the blue filter.
    pub blue: T,
}

/// How the sensor amplifies.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Gain {
    /// 1x.
    X1,
    /// 4x.
    #[default]
    X4,
    /// 16x.
    X16,
    /// 60x.
    X60,
}

/// How the sensor is set up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SensorSettings {
    /// Steps of 2.4 ms that one conversion integrates, 1 to 256.
    pub steps: u16,
    /// The amplification.
    pub gain: Gain,
}

impl Default for SensorSettings {
    /// As fast as the part allows: 2.4 ms in every 4.8 ms.
    fn default() -> Self {
        Self { steps: 1, gain: Gain::default() }
    }
}

/// One conversion as the driver read it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LightSample {
    /// The end of the integration.
    pub at: Instant,
    /// How long the light was integrated.
    pub integration: Span,
    /// Raw counts.
    pub counts: Channels<u16>,
}

/// Why the sensor could not be set up or read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SensorError {
    /// The number of steps is not one that the part has.
    #[error("integrate over {0} steps: the sensor has 1 to 256 steps of 2.4ms")]
    Steps(u16),
    /// The bus refused a transfer.
    #[error("reach the light sensor over I2C: {0}")]
    Bus(ErrorKind),
    /// The converter does not run or has nothing new.
    #[error("read the light sensor: no conversion has ended")]
    NotReady,
}

/// The sensor, its optics and the real driver on it.
#[derive(Clone, Debug)]
pub struct SensorHead {
    chip: Tcs34725,
    light: LightModel,
    settings: SensorSettings,
}

impl SensorHead {
    /// A sensor that is powered at `at` and set up by the driver then. Its noise comes from `seed`.
    pub fn new(at: Instant, settings: SensorSettings, optics: Optics, seed: u64) -> Result<Self, SensorError> {
        let mut chip = Tcs34725::new(at);
        set_up(&mut chip, settings)?;
        Ok(Self { chip, light: LightModel::new(optics, seed), settings })
    }

    /// When the next conversion ends.
    pub fn next_sample(&self) -> Instant {
        self.chip.cycle().map_or(Instant::NEVER, |cycle| cycle.integrates.end)
    }

    /// Ends the conversion under way and reads it. All edges of `led` before [`Self::next_sample`] must have been given to it.
    pub fn sample(&mut self, led: &mut Led) -> Result<LightSample, SensorError> {
        let cycle = self.chip.cycle().ok_or(SensorError::NotReady)?;
        let on_time = led.on_time(cycle.integrates);
        self.chip.finish_cycle(self.light.counts(cycle.integrates, on_time, cycle.gain));
        let counts = read(&mut self.chip)?;
        Ok(LightSample { at: cycle.integrates.end, integration: self.integration(), counts })
    }

    fn integration(&self) -> Span {
        Span::nanos(STEP.as_nanos() * u64::from(self.settings.steps))
    }
}

/// The part and its optics alone, for a driver that lives elsewhere: behind a bus of an operating system, say. It converts by the clock
/// that it is told.
#[derive(Clone, Debug)]
pub struct SensorPart {
    chip: Tcs34725,
    light: LightModel,
}

impl SensorPart {
    /// Just powered at `at`; nobody has set it up. Its noise comes from `seed`.
    pub fn new(at: Instant, optics: Optics, seed: u64) -> Self {
        Self { chip: Tcs34725::new(at), light: LightModel::new(optics, seed) }
    }

    /// Lets time pass until `now`: ends the conversions that have ended by then. All edges of `led` before must have been given to it.
    pub fn advance(&mut self, now: Instant, led: &mut Led) {
        while let Some(cycle) = self.chip.cycle().filter(|cycle| cycle.integrates.end <= now) {
            let on_time = led.on_time(cycle.integrates);
            self.chip.finish_cycle(self.light.counts(cycle.integrates, on_time, cycle.gain));
        }
        self.chip.advance_idle(now);
        if self.chip.cycle().is_none() {
            // No conversion will look at what was before.
            led.on_time(Window { start: now, end: now });
        }
    }
}

impl ErrorType for SensorPart {
    type Error = ErrorKind;
}

impl I2c for SensorPart {
    fn transaction(&mut self, address: u8, operations: &mut [Operation<'_>]) -> Result<(), ErrorKind> {
        self.chip.transaction(address, operations)
    }
}

// The driver cannot be cloned with its bus, and a simulation forks: it is made anew around the part for each use. It keeps nothing but
// a shadow of ENABLE, which only `set_up` needs.

fn set_up(chip: &mut Tcs34725, settings: SensorSettings) -> Result<(), SensorError> {
    let refused = |error| match error {
        tcs3472::Error::I2C(kind) => SensorError::Bus(kind),
        tcs3472::Error::InvalidInputData => SensorError::Steps(settings.steps),
    };
    let gain = match settings.gain {
        Gain::X1 => RgbCGain::_1x,
        Gain::X4 => RgbCGain::_4x,
        Gain::X16 => RgbCGain::_16x,
        Gain::X60 => RgbCGain::_60x,
    };
    let mut driver = Tcs3472::new(chip);
    driver.set_integration_cycles(settings.steps).map_err(refused)?;
    driver.set_rgbc_gain(gain).map_err(refused)?;
    driver.enable().map_err(refused)?;
    driver.enable_rgbc().map_err(refused)
}

fn read(chip: &mut Tcs34725) -> Result<Channels<u16>, SensorError> {
    let refused = |error| match error {
        tcs3472::Error::I2C(kind) => SensorError::Bus(kind),
        tcs3472::Error::InvalidInputData => SensorError::NotReady,
    };
    let mut driver = Tcs3472::new(chip);
    if !driver.is_rgbc_status_valid().map_err(refused)? {
        return Err(SensorError::NotReady);
    }
    let counts = driver.read_all_channels().map_err(refused)?;
    Ok(Channels { clear: counts.clear, red: counts.red, green: counts.green, blue: counts.blue })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::led::{Colour, Die};

    fn quiet() -> Optics {
        Optics { ambient: Channels::default(), flicker: Flicker::Steady, grain: Grain::None, ..Optics::default() }
    }

    fn head(steps: u16, optics: Optics) -> SensorHead {
        SensorHead::new(Instant::START, SensorSettings { steps, gain: Gain::X4 }, optics, 7).unwrap()
    }

    fn us(value: u64) -> Instant {
        Instant::START + Span::micros(value)
    }

    /// A square wave with equal phases, lit first.
    fn square(led: &mut Led, period_us: u64, until: Instant) {
        for (start, end) in (0..).map(|k| (us(k * period_us), us(k * period_us + period_us / 2))) {
            if start > until {
                break;
            }
            led.edge(start, Colour::Green, Die::Lit);
            led.edge(end, Colour::Green, Die::Dark);
        }
    }

    #[test]
    fn the_fastest_setting_gives_208_samples_a_second() {
        let (mut head, mut led) = (head(1, quiet()), Led::new());
        let mut samples = 0;
        while head.next_sample() <= us(1_000_000) {
            head.sample(&mut led).unwrap();
            samples += 1;
        }
        assert_eq!(samples, 208);
    }

    #[test]
    fn a_lit_led_reads_as_the_model_integrates_it() {
        let (mut head, mut led) = (head(1, quiet()), Led::new());
        led.edge(us(3_600), Colour::Red, Die::Lit);
        let first = head.sample(&mut led).unwrap();
        assert_eq!((first.at, first.integration), (us(4_800), Span::micros(2_400)));
        // 1.2 ms at gain 4: 30,000/s clear, 28,500/s red.
        assert_eq!(first.counts, Channels { clear: 144, red: 137, green: 10, blue: 20 });
        assert_eq!(head.sample(&mut led).unwrap().counts.clear, 288);
    }

    #[test]
    fn a_bright_light_saturates_at_full_scale() {
        let mut optics = quiet();
        optics.ambient.clear = CountRate::per_second(1_000_000);
        let mut head = head(1, optics);
        assert_eq!(head.sample(&mut Led::new()).unwrap().counts.clear, 1_024);
    }

    #[test]
    fn pwm_with_the_period_of_the_integration_gives_constant_samples() {
        let (mut head, mut led) = (head(1, quiet()), Led::new());
        for k in 0..1_000u64 {
            led.edge(us(k * 2_400 + 317), Colour::Blue, Die::Lit);
            led.edge(us(k * 2_400 + 317 + 904), Colour::Blue, Die::Dark);
        }
        let first = head.sample(&mut led).unwrap().counts;
        assert_eq!(first.blue, 82);
        for _ in 0..400 {
            assert_eq!(head.sample(&mut led).unwrap().counts, first);
        }
    }

    /// Contrast left after integration over `ti` of a square wave of period `P`, against the mean, where the wave is on the verge of
    /// being seen: the amplitude of its fundamental shrinks by |sinc(ti/P)|.
    fn contrast(steps: u16, period_ms: u64) -> f64 {
        let (mut head, mut led) = (head(steps, Optics { grain: Optics::default().grain, ..quiet() }), Led::new());
        // A whole number of periods of both the wave and the sampling.
        let cycle_us = 2_400 * (u64::from(steps) + 1);
        let samples = period_ms * 1_000 * 24 / 2_400;
        let end = us(cycle_us * (samples + 1));
        square(&mut led, period_ms * 1_000, end);
        let (mut cosine, mut sine) = (0.0, 0.0);
        for _ in 0..samples {
            let sample = head.sample(&mut led).unwrap();
            let middle = sample.at.as_nanos() - sample.integration.as_nanos() / 2;
            let angle =
                2.0 * std::f64::consts::PI * (middle % (period_ms * 1_000_000)) as f64 / (period_ms * 1_000_000) as f64;
            cosine += f64::from(sample.counts.green) * libm::cos(angle);
            sine += f64::from(sample.counts.green) * libm::sin(angle);
        }
        let amplitude = 2.0 * libm::hypot(cosine, sine) / samples as f64;
        // A square wave between 0 and A has a fundamental of 2A/pi; A is one integration of full light at gain 4.
        let full = 21_600.0 * 4.0 * 2.4e-3 * f64::from(steps);
        amplitude / (2.0 / std::f64::consts::PI * full)
    }

    #[test]
    fn contrast_after_integration_follows_the_sinc() {
        let sinc = |x: f64| {
            let angle = std::f64::consts::PI * x;
            (libm::sin(angle) / angle).abs()
        };
        // 2.4, 24, 50.4, 100.8 and 153.6 ms.
        for steps in [1, 10, 21, 42, 64] {
            for period_ms in [100, 200, 500] {
                let expected = sinc(2.4 * f64::from(steps) / period_ms as f64);
                let seen = contrast(steps, period_ms);
                assert!((seen - expected).abs() < 0.02, "{steps} steps, {period_ms} ms: {seen:.3} for {expected:.3}");
            }
        }
    }

    #[test]
    fn a_number_of_steps_that_the_part_lacks_is_refused() {
        for steps in [0, 257] {
            let settings = SensorSettings { steps, gain: Gain::X1 };
            let error = SensorHead::new(Instant::START, settings, quiet(), 0).unwrap_err();
            assert_eq!(error, SensorError::Steps(steps));
        }
    }

    proptest! {
        #[test]
        fn a_fork_reads_what_the_original_reads(seed: u64, edges in proptest::collection::vec(0..100_000u64, 0..40)) {
            let mut edges = edges;
            edges.sort_unstable();
            let mut led = Led::new();
            for (k, at) in edges.iter().enumerate() {
                led.edge(us(*at), Colour::Red, if k % 2 == 0 { Die::Lit } else { Die::Dark });
            }
            let mut head = SensorHead::new(Instant::START, SensorSettings::default(), Optics::default(), seed).unwrap();
            for _ in 0..5 {
                head.sample(&mut led).unwrap();
            }
            let (mut forked_head, mut forked_led) = (head.clone(), led.clone());
            for _ in 0..10 {
                prop_assert_eq!(head.sample(&mut led), forked_head.sample(&mut forked_led));
            }
        }
    }
}
