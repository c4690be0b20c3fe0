//! How a station's colour sensor is made ready: its integration time, and the dark that its board's light is told from.
//!
//! Boundary: before anything is judged. What samples mean is `brickproof-light`'s.

use brickproof_instruments::Failure;
use brickproof_light::Calibration;
use brickproof_trial::Stamp;
use brickproof_units::Instant;

use crate::asking::ask;
use crate::senses;
use crate::station::{ACTION, OpenStation};

/// How many readings of the dark tell a sensor's own noise: a second at 41 ms each.
pub(crate) const DARK_READINGS: usize = 24;

/// Chooses the longest integration that tells the shortest phase of the board's light apart.
pub(crate) async fn open(station: &OpenStation) -> Result<(), Failure> {
    let Some(phase) = station.board().fastest_phase() else { return Ok(()) };
    let light = station.light()?;
    let chosen =
        ask(light, "choose its integration time", ACTION, move |light, deadline| light.watch_for(phase, deadline));
    chosen.await.map(drop)
}

/// What the sensor sees of a board without power. What its filters let through nobody has measured here.
pub(crate) async fn calibrate(station: &OpenStation) -> Result<Calibration, Failure> {
    let Some(light) = &station.light else { return Ok(Calibration::typical()) };
    open(station).await?;
    let mut dark = Vec::new();
    for _ in 0..DARK_READINGS {
        let exposure = ask(light, "see the dark", ACTION, |light, deadline| light.sample(deadline)).await?;
        // Only the distances between them count.
        let at = Instant::START + exposure.end.at.since(Instant::START);
        dark.push(senses::sample(Stamp::exact(at), &exposure));
    }
    Calibration::typical().with_dark(&dark).map_err(|error| {
        let kind = brickproof_instruments::FailureKind::Answer(error.to_string());
        Failure::new(light.device(), "see the dark", kind)
            .with_help("the board is off: shield the sensor from other light")
    })
}
