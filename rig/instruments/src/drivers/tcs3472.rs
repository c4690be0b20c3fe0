//! The colour sensors TCS34721 to TCS34727 on one of this computer's I2C buses, alone or behind a multiplexer.
//!
//! Boundary: raw counts and when they were integrated. What colour that is, the recogniser knows.
//!
//! Each conversion is started here and timed from its start: the part runs on an oscillator of its own, and a reading of a free-running
//! one could be a whole cycle old.

use std::thread;
use std::time::Duration;

use brickproof_units::{Instant, Span};
use linux_embedded_hal::{I2CError, I2cdev};
use tcs3472::{RgbCGain, Tcs3472};

use crate::capability::{Capabilities, Timing};
use crate::clock::{Deadline, Moment, now};
use crate::factory::{Factory, Instrument, Kind};
use crate::failure::{Failure, FailureKind};
use crate::i2c::{self, Channel, Port};
use crate::kinds::{Exposure, Light};
use crate::settings::{Setting, SettingKind, Settings};

/// The driver `tcs3472`.
pub(super) struct Tcs3472Light;

const SETTINGS: &[Setting] = &[
    Setting { name: "bus", kind: SettingKind::Text, required: true, about: "`/dev/i2c-1`, or the name of the adapter" },
    Setting {
        name: "mux",
        kind: SettingKind::Number,
        required: false,
        about: "address of the TCA9548A in front of it, 0x70 to 0x77; without it the sensor is on the bus itself",
    },
    Setting { name: "channel", kind: SettingKind::Number, required: false, about: "of the multiplexer, 0 to 7" },
    Setting {
        name: "gain",
        kind: SettingKind::Word(&["1x", "4x", "16x", "60x"]),
        required: false,
        about: "amplification; 4x if not given",
    },
];

/// One step of integration (data sheet DS000390, typical).
const STEP: Span = Span::micros(2_400);
/// Before each integration the part initialises for 2.4 ms (Linux, drivers/iio/light/tcs3472.c).
const INITIALISATION: Span = Span::micros(2_400);
/// A step may last 2.27 to 2.56 ms (data sheet, recalled): a conversion is over for sure after its typical length and a fifteenth.
const TOLERANCE: u64 = 15;
/// A phase of a rhythm is told from its neighbour by at least so many samples.
const SAMPLES_PER_PHASE: u64 = 4;
const MOST_STEPS: u64 = 256;
/// How often a conversion that is late is asked for.
const POLL: Duration = Duration::from_micros(300);
/// Part numbers of the family (data sheet, ID register).
const PARTS: [u8; 2] = [0x44, 0x4D];

impl Factory for Tcs3472Light {
    fn driver(&self) -> &'static str {
        "tcs3472"
    }

    fn kind(&self) -> Kind {
        Kind::Light
    }

    fn about(&self) -> &'static str {
        "colour sensor TCS34721 to TCS34727 over I2C, alone or behind a TCA9548A"
    }

    fn settings(&self) -> &'static [Setting] {
        SETTINGS
    }

    fn capabilities(&self, _: &Settings) -> Capabilities {
        Capabilities::only(Timing {
            latency: cycle(1),
            uncertainty: Span::nanos(cycle(1).as_nanos() / TOLERANCE),
            source: "the shortest conversion, and the tolerance of its oscillator (data sheet, recalled)",
        })
    }

    fn open(&self, settings: &Settings, _: Deadline) -> Result<Instrument, Failure> {
        let bus = settings.text("bus").unwrap_or_default();
        let channel = channel(settings)?;
        let device = match channel {
            Some(Channel { mux, number }) => format!("light sensor on {bus}, multiplexer {mux:#x} channel {number}"),
            None => format!("light sensor on {bus}"),
        };
        let sensor = Sensor::new(device, i2c::port(bus, channel)?, gain(settings))?;
        Ok(Instrument::Light(Box::new(sensor)))
    }
}

fn channel(settings: &Settings) -> Result<Option<Channel>, Failure> {
    let wrong = |what: String| Failure::new("light sensor", "find its channel", FailureKind::Missing(what));
    match (settings.number("mux"), settings.number("channel")) {
        (None, None) => Ok(None),
        (Some(mux @ 0x70..=0x77), Some(number @ 0..=7)) => Ok(Some(Channel { mux: mux as u8, number: number as u8 })),
        (Some(mux), Some(number)) => {
            Err(wrong(format!("multiplexers are at 0x70 to 0x77 and have channels 0 to 7, not {mux:#x} and {number}")))
        }
        _ => Err(wrong("`mux` and `channel` belong together".to_owned())),
    }
}

fn gain(settings: &Settings) -> RgbCGain {
    match settings.text("gain") {
        Some("1x") => RgbCGain::_1x,
        Some("16x") => RgbCGain::_16x,
        Some("60x") => RgbCGain::_60x,
        _ => RgbCGain::_4x,
    }
}

/// From the start of a conversion to its end, typically.
const fn cycle(steps: u64) -> Span {
    Span::nanos(INITIALISATION.as_nanos() + STEP.as_nanos() * steps)
}

struct Sensor {
    device: String,
    driver: Tcs3472<Port<I2cdev>>,
    steps: u64,
}

impl Sensor {
    fn new(device: String, port: Port<I2cdev>, gain: RgbCGain) -> Result<Self, Failure> {
        let mut sensor = Self { device, driver: Tcs3472::new(port), steps: 1 };
        let part = sensor.ask("tell its part number", |driver| driver.read_device_id())?;
        if !PARTS.contains(&part) {
            let kind = FailureKind::Answer(format!("part number {part:#x}, which is none of a TCS3472"));
            return Err(Failure::new(&sensor.device, "tell its part number", kind));
        }
        sensor.ask("set its gain", |driver| driver.set_rgbc_gain(gain))?;
        sensor.ask("set its integration time", |driver| driver.set_integration_cycles(1))?;
        sensor.ask("power up", Tcs3472::enable)?;
        Ok(sensor)
    }

    fn ask<T>(
        &mut self,
        asked: &str,
        act: impl FnOnce(&mut Tcs3472<Port<I2cdev>>) -> Result<T, tcs3472::Error<I2CError>>,
    ) -> Result<T, Failure> {
        act(&mut self.driver).map_err(|error| match error {
            tcs3472::Error::I2C(error) => i2c::failed(&self.device, asked, error.inner()),
            tcs3472::Error::InvalidInputData => {
                Failure::new(&self.device, asked, FailureKind::Unsupported("not a value of this part".to_owned()))
            }
        })
    }
}

impl Light for Sensor {
    fn watch_for(&mut self, phase: Span, _: Deadline) -> Result<Span, Failure> {
        let steps = steps_for(phase).ok_or_else(|| {
            let kind = FailureKind::Unsupported(format!("its fastest conversion takes {}", cycle(1)));
            Failure::new(&self.device, format!("tell phases of {phase} apart"), kind)
        })?;
        self.ask("set its integration time", |driver| driver.set_integration_cycles(steps as u16))?;
        self.steps = steps;
        Ok(Span::nanos(STEP.as_nanos() * steps))
    }

    fn sample(&mut self, deadline: Deadline) -> Result<Exposure, Failure> {
        self.ask("end the last conversion", Tcs3472::disable_rgbc)?;
        let before = now();
        self.ask("begin a conversion", Tcs3472::enable_rgbc)?;
        let begun = Moment::between(before, now());
        let typical = cycle(self.steps);
        let slack = Span::nanos(typical.as_nanos() / TOLERANCE);
        wait_until(begun.at + typical + slack);
        while !self.ask("tell whether its conversion is over", |driver| driver.is_rgbc_status_valid())? {
            if deadline.has_passed() {
                let kind = FailureKind::NoAnswer(deadline.within());
                return Err(Failure::new(&self.device, "end a conversion", kind));
            }
            thread::sleep(POLL);
        }
        let counts = self.ask("read its channels", |driver| driver.read_all_channels())?;
        Ok(Exposure {
            counts: [counts.red, counts.green, counts.blue, counts.clear],
            integration: Span::nanos(STEP.as_nanos() * self.steps),
            end: Moment { at: begun.at + typical, uncertainty: begun.uncertainty + slack },
        })
    }
}

fn wait_until(at: Instant) {
    thread::sleep(Duration::from_nanos(at.since(now()).as_nanos()));
}

/// The longest integration with which so many conversions fit into a phase; `None` when not even two of the shortest do.
fn steps_for(phase: Span) -> Option<u64> {
    let with_slack = |steps: u64| cycle(steps).as_nanos() * (TOLERANCE + 1) / TOLERANCE;
    let fits = |steps: &u64| with_slack(*steps) * SAMPLES_PER_PHASE <= phase.as_nanos();
    let least = (with_slack(1) * 2 <= phase.as_nanos()).then_some(1);
    (1..=MOST_STEPS).take_while(fits).last().or(least)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_integration_follows_the_fastest_rhythm() {
        // 50 ms phases of a 100 ms blink, 250 ms flashes, a breath of 4 s.
        let [blink, flash, breath] = [50, 250, 2_000].map(|ms| steps_for(Span::millis(ms)).unwrap());
        assert_eq!([blink, flash, breath], [3, 23, 194]);
        assert_eq!(steps_for(Span::millis(11)), Some(1));
        assert_eq!(steps_for(Span::millis(10)), None);
    }

    #[test]
    fn a_channel_needs_its_multiplexer() {
        use crate::settings::Value;
        let with = |mux, number| Settings::new().with("mux", Value::Number(mux)).with("channel", Value::Number(number));
        assert_eq!(channel(&with(0x70, 7)).unwrap(), Some(Channel { mux: 0x70, number: 7 }));
        assert!(channel(&with(0x29, 0)).is_err() && channel(&with(0x70, 8)).is_err());
        assert!(channel(&Settings::new().with("mux", Value::Number(0x70))).is_err());
    }
}
