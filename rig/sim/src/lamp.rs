//! A light of the board besides the first, and the sensor of the simulated station above it.
//!
//! Boundary: pins in, readings out. What a reading shows is the trial's to recognise.

use brickproof_boards::{ActiveLevel, BoardProfile, LedIndex, Line, Primary};
use brickproof_trial::Glimpse;
use brickproof_units::Instant;
use brickproof_virtual_board::board::WiredPin;
use brickproof_virtual_board::chip::{Drive, PinEdge};
use brickproof_virtual_board::led::{Colour, Led};
use brickproof_virtual_board::sensor::SensorHead;
use brickproof_virtual_board::wiring::Diode;

use crate::sensor;

/// The light and its sensor.
#[derive(Clone, Debug)]
pub(crate) struct Lamp {
    led: LedIndex,
    diodes: Vec<Diode>,
    light: Led,
    sensor: SensorHead,
}

impl Lamp {
    /// That light of the board, above it a sensor of which chance decides by `seed`. `None` if the board has no such light.
    pub(crate) fn of(profile: &BoardProfile, led: LedIndex, seed: u64) -> Option<Self> {
        let diodes = profile.led(led)?.diodes.iter().filter_map(|(primary, line)| diode(*primary, line)).collect();
        // No two sensors have the same noise.
        let sensor = sensor::head(seed.wrapping_add(u64::from(led.0)));
        Some(Self { led, diodes, light: Led::new(), sensor })
    }

    pub(crate) fn wired(&self) -> impl Iterator<Item = WiredPin> {
        self.diodes.iter().map(Diode::wired)
    }

    pub(crate) fn follow(&mut self, edge: &PinEdge) {
        for diode in &self.diodes {
            let _ = diode.shine(&mut self.light, edge);
        }
    }

    pub(crate) fn next_sample(&self) -> Instant {
        self.sensor.next_sample()
    }

    /// The reading that is due by `now`, if one is.
    pub(crate) fn glimpse(&mut self, now: Instant) -> Option<Glimpse> {
        if self.sensor.next_sample() > now {
            return None;
        }
        // The sensor was set up and is read only when a conversion has ended, so it answers.
        let sample = self.sensor.sample(&mut self.light).ok()?;
        Some(Glimpse { led: self.led, sample: sensor::as_seen(&sample) })
    }
}

fn diode(primary: Primary, line: &Line) -> Option<Diode> {
    let colours: &[Colour] = match primary {
        Primary::Red => &[Colour::Red],
        Primary::Green => &[Colour::Green],
        Primary::Blue => &[Colour::Blue],
        Primary::Amber => &[Colour::Red, Colour::Green],
        Primary::White => &[Colour::Red, Colour::Green, Colour::Blue],
    };
    let lit = match line.active {
        ActiveLevel::High => Drive::High,
        ActiveLevel::Low => Drive::Low,
    };
    Some(Diode { pin: line.pin.parse().ok()?, lit, colours })
}
