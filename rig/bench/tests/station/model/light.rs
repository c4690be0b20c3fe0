//! The sensor above the light of the model's board: the part's own driver over a bus of the test's.
//!
//! Boundary: counts of the sensor.

use std::sync::Arc;
use std::thread;
use std::time::Duration;

use brickproof_instruments::{Deadline, Exposure, Failure, FailureKind, Kind, Light, Moment, now};
use brickproof_paced::board::Hand;
use brickproof_units::Span;
use embedded_hal::i2c::{ErrorKind, ErrorType, I2c, Operation};
use tcs3472::Tcs3472;

use super::Model;

/// The board's sensor as a part on a bus.
struct Bus(Hand);

impl ErrorType for Bus {
    type Error = ErrorKind;
}

impl I2c for Bus {
    fn transaction(&mut self, address: u8, operations: &mut [Operation<'_>]) -> Result<(), ErrorKind> {
        self.0.sensor(address, operations)
    }
}

pub(super) struct ModelLight {
    model: Arc<Model>,
    sensor: Tcs3472<Bus>,
    steps: u64,
}

impl ModelLight {
    pub(super) fn open(model: Arc<Model>) -> Self {
        let mut sensor = Tcs3472::new(Bus(model.hand()));
        sensor.set_rgbc_gain(tcs3472::RgbCGain::_4x).expect("the part is there");
        sensor.enable().expect("the part is there");
        Self { model, sensor, steps: 1 }
    }

    fn integration(&self) -> Span {
        Span::micros(2_400 * self.steps)
    }

    fn read(&mut self) -> Result<[u16; 4], tcs3472::Error<ErrorKind>> {
        self.sensor.disable_rgbc()?;
        self.sensor.enable_rgbc()?;
        while !self.sensor.is_rgbc_status_valid()? {
            thread::sleep(Duration::from_micros(300));
        }
        let counts = self.sensor.read_all_channels()?;
        Ok([counts.red, counts.green, counts.blue, counts.clear])
    }
}

impl Light for ModelLight {
    fn watch_for(&mut self, phase: Span, _: Deadline) -> Result<Span, Failure> {
        self.model.obey(Kind::Light, "choose its integration time")?;
        self.steps = (phase.as_nanos() / 4 / 2_560_000).saturating_sub(1).max(1);
        self.sensor.set_integration_cycles(self.steps as u16).expect("a number of steps that the part has");
        Ok(self.integration())
    }

    fn sample(&mut self, _: Deadline) -> Result<Exposure, Failure> {
        self.model.obey(Kind::Light, "see the light")?;
        let counts = self.read().map_err(|error| {
            Failure::new("the model's light", "see the light", FailureKind::Answer(format!("{error:?}")))
        })?;
        let counts = if self.model.state().covered { [1; 4] } else { counts };
        Ok(Exposure {
            counts,
            integration: self.integration(),
            end: Moment { at: now(), uncertainty: Span::millis(1) },
        })
    }
}
