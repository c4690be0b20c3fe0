//! The colour sensor of the simulated station and its calibration.
//!
//! Boundary: between the sensor model of the virtual board and the recogniser of `brickproof-light`. The calibration is measured, as on a
//! real bench: the LED dark, then each of its colours alone.

use std::sync::LazyLock;

use brickproof_light::{Calibration, Primaries, Sample};
use brickproof_units::Instant;
use brickproof_virtual_board::led::{Colour, Die, Led};
use brickproof_virtual_board::sensor::{LightSample, Optics, SensorHead, SensorSettings};

/// A second of light for each recording, at 208 samples a second.
const CALIBRATION_SAMPLES: usize = 208;

/// The station's sensor; its noise comes from `seed`.
pub(crate) fn head(seed: u64) -> SensorHead {
    SensorHead::new(Instant::START, SensorSettings::default(), Optics::default(), seed)
        .expect("the default settings are among those that the sensor has")
}

/// One reading, as the recogniser takes it.
pub(crate) fn as_seen(sample: &LightSample) -> Sample {
    Sample {
        at: sample.at,
        integration: sample.integration,
        red: sample.counts.red,
        green: sample.counts.green,
        blue: sample.counts.blue,
        clear: sample.counts.clear,
    }
}

/// The calibration of the station's sensor.
pub(crate) fn calibration() -> Calibration {
    static MEASURED: LazyLock<Calibration> = LazyLock::new(|| {
        let [red, green, blue] = [Colour::Red, Colour::Green, Colour::Blue].map(|colour| record(Some(colour)));
        let primaries = Primaries { red: &red, green: &green, blue: &blue };
        Calibration::default()
            .with_dark(&record(None))
            .and_then(|calibration| calibration.with_primaries(&primaries))
            .expect("the model's colours are distinct and within its range")
    });
    MEASURED.clone()
}

/// What the sensor reads with one colour fully lit, or with none.
fn record(lit: Option<Colour>) -> Vec<Sample> {
    const SEED: u64 = 0;
    let (mut head, mut led) = (head(SEED), Led::new());
    if let Some(colour) = lit {
        led.edge(Instant::START, colour, Die::Lit);
    }
    (0..CALIBRATION_SAMPLES).filter_map(|_| head.sample(&mut led).ok()).map(|sample| as_seen(&sample)).collect()
}
