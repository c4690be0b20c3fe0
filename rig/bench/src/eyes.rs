//! How a station's colour sensors are made ready: their integration times, and the dark that the board's lights are told from.
//!
//! Boundary: before anything is judged. What samples mean is `brickproof-light`'s.

use brickproof_boards::LedIndex;
use brickproof_instruments::{Failure, Light, Owner};
use brickproof_light::Calibration;
use brickproof_trial::Stamp;
use brickproof_units::{Instant, Span};

use crate::asking::ask;
use crate::senses;
use crate::station::{ACTION, OpenStation};

/// How many readings of the dark tell a sensor's own noise: a second at 41 ms each.
pub(crate) const DARK_READINGS: usize = 24;

/// No light is looked at for longer at once: a slow breath has to be seen rising and falling, and a scenario may write looks that no
/// profile has. That of Device OS's fastest blink, 100 ms (v1.4.4, system_led_signal.cpp:52-83).
const USUAL_PHASE: Span = Span::millis(50);

/// Chooses the longest integration that tells the shortest phase of the first light apart.
pub(crate) async fn open(station: &OpenStation) -> Result<(), Failure> {
    open_one(station, LedIndex::FIRST, station.light()?).await
}

async fn open_one(station: &OpenStation, led: LedIndex, sensor: &Owner<dyn Light>) -> Result<(), Failure> {
    let phase = station.board().fastest_phase(led).map_or(USUAL_PHASE, |phase| phase.min(USUAL_PHASE));
    let chosen =
        ask(sensor, "choose its integration time", ACTION, move |light, deadline| light.watch_for(phase, deadline));
    chosen.await.map(drop)
}

/// What each sensor sees of a board without power. What its filters let through nobody has measured here.
pub(crate) async fn calibrate_all(station: &OpenStation) -> Result<Vec<(LedIndex, Calibration)>, Failure> {
    let mut calibrations = Vec::new();
    for (led, sensor) in station.sensors() {
        calibrations.push((led, calibrate_one(station, led, sensor).await?));
    }
    Ok(calibrations)
}

/// What the sensor above the first light sees of a board without power; without a sensor what there usually is to be seen.
pub(crate) async fn calibrate(station: &OpenStation) -> Result<Calibration, Failure> {
    match &station.light {
        None => Ok(Calibration::typical()),
        Some(sensor) => calibrate_one(station, LedIndex::FIRST, sensor).await,
    }
}

async fn calibrate_one(
    station: &OpenStation,
    led: LedIndex,
    sensor: &Owner<dyn Light>,
) -> Result<Calibration, Failure> {
    open_one(station, led, sensor).await?;
    let mut dark = Vec::new();
    for _ in 0..DARK_READINGS {
        let exposure = ask(sensor, "see the dark", ACTION, |light, deadline| light.sample(deadline)).await?;
        // Only the distances between them count.
        let at = Instant::START + exposure.end.at.since(Instant::START);
        dark.push(senses::sample(Stamp::exact(at), &exposure));
    }
    Calibration::typical().with_dark(&dark).map_err(|error| {
        let kind = brickproof_instruments::FailureKind::Answer(error.to_string());
        Failure::new(sensor.device(), "see the dark", kind)
            .with_help("the board is off: shield the sensor from other light")
    })
}
