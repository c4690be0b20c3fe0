//! The driver `tcs3472` on a USB adapter's bus, with sensors of the virtual board behind a multiplexer.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use brickproof_instruments::{Exposure, Failure, FailureKind, Instrument, Kind, Light, Settings, Value, now};
use brickproof_paced::devices::tiny_i2c::TinyI2c;
use brickproof_paced::vhci::{self, Plugged};
use brickproof_units::Span;
use brickproof_virtual_board::led::{Colour, Die};
use libtest_mimic::Trial;

use super::{open, soon, trial};
use crate::wires::{MUX, Wires};
use crate::{Mishap, eventually, note, same};

const ADAPTER: &str = "i2c-tiny-usb";
const SENSORS: usize = 3;

pub(super) fn all() -> Vec<Trial> {
    vec![
        trial("tcs3472::each_sensor_sees_its_own_light", each_sensor_sees_its_own_light),
        trial("tcs3472::integrates_as_long_as_the_rhythm_allows", integrates_as_long_as_the_rhythm_allows),
        trial("tcs3472::a_reading_is_of_the_time_that_it_says", a_reading_is_of_the_time_that_it_says),
        trial("tcs3472::nobody_at_the_address_is_missing", nobody_at_the_address_is_missing),
        trial("tcs3472::an_unplugged_adapter_is_gone", an_unplugged_adapter_is_gone),
    ]
}

struct Bus {
    adapter: Arc<Mutex<TinyI2c<Wires>>>,
    plugged: Plugged,
}

impl Bus {
    fn plug() -> Result<Self, Mishap> {
        let adapter = Arc::new(Mutex::new(TinyI2c::new(Wires::new(SENSORS))));
        let plugged = vhci::plug(0, adapter.clone())?;
        let bus = Self { adapter, plugged };
        eventually("the sensor on channel 0 answers", Duration::from_secs(10), || sensor(0).ok())?;
        Ok(bus)
    }

    fn with<T>(&self, act: impl FnOnce(&mut Wires) -> T) -> T {
        act(self.adapter.lock().unwrap_or_else(PoisonError::into_inner).bus())
    }
}

impl Drop for Bus {
    fn drop(&mut self) {
        // The next test plugs in another bus of the same name.
        let _ = self.plugged.pull();
        let _ = eventually("the bus goes", Duration::from_secs(10), || sensor(0).is_err().then_some(()));
    }
}

fn sensor(channel: u64) -> Result<Box<dyn Light>, Failure> {
    let settings = Settings::new()
        .with("bus", Value::Text(ADAPTER.to_owned()))
        .with("mux", Value::Number(u64::from(MUX)))
        .with("channel", Value::Number(channel));
    match open(Kind::Light, "tcs3472", &settings)? {
        Instrument::Light(light) => Ok(light),
        _ => unreachable!("the factory of lights opens lights"),
    }
}

/// Which of red, green and blue is by far the brightest. What the room sheds is a few counts.
fn brightest(exposure: &Exposure) -> Option<usize> {
    const ROOM: u16 = 30;
    let [red, green, blue, _] = exposure.counts;
    let colours = [red, green, blue];
    (0..3).find(|one| (0..3).all(|other| other == *one || colours[*one] > 2 * colours[other] + ROOM))
}

fn each_sensor_sees_its_own_light() -> Result<(), Mishap> {
    let bus = Bus::plug()?;
    let mut sensors = (0..SENSORS as u64).map(sensor).collect::<Result<Vec<_>, _>>()?;
    let colours = [Colour::Red, Colour::Green, Colour::Blue];
    for (channel, colour) in colours.into_iter().enumerate() {
        bus.with(|wires| wires.shine(channel, colour, Die::Lit));
    }
    for round in 0..5 {
        for (channel, sensor) in sensors.iter_mut().enumerate() {
            let exposure = sensor.sample(soon())?;
            same(&format!("round {round}, the brightest at {channel}"), brightest(&exposure), Some(channel))?;
            same("one channel is open", bus.with(|wires| wires.open()), 1 << channel)?;
        }
    }
    Ok(())
}

fn integrates_as_long_as_the_rhythm_allows() -> Result<(), Mishap> {
    let bus = Bus::plug()?;
    let mut sensor = sensor(0)?;
    bus.with(|wires| wires.shine(0, Colour::Green, Die::Lit));
    for (phase, integration) in [(50, 7_200), (250, 55_200)] {
        let chosen = sensor.watch_for(Span::millis(phase), soon())?;
        same(&format!("for phases of {phase} ms"), chosen, Span::micros(integration))?;
        let exposure = sensor.sample(soon())?;
        same("and it does", exposure.integration, chosen)?;
        // Counts grow with time: some 86 per millisecond at gain 4 (the optics' 21,600 per second).
        let [_, green, _, _] = exposure.counts;
        let expected = 21.6 * 4.0 * integration as f64 / 1_000.0;
        same("green counts as long as it says", (0.8..1.3).contains(&(f64::from(green) / expected)), true)?;
    }
    match sensor.watch_for(Span::millis(8), soon()).map_err(Failure::into_kind) {
        Err(FailureKind::Unsupported(_)) => Ok(()),
        other => Err(format!("phases of 8 ms: {other:?}").into()),
    }
}

fn a_reading_is_of_the_time_that_it_says() -> Result<(), Mishap> {
    let bus = Bus::plug()?;
    let mut sensor = sensor(0)?;
    for round in 0..50 {
        let die = if round % 2 == 0 { Die::Lit } else { Die::Dark };
        let changed = bus.with(|wires| wires.shine(0, Colour::Red, die));
        let exposure = sensor.sample(soon())?;
        let end = exposure.end;
        same("it ended before it was told", end.at - end.uncertainty <= now(), true)?;
        same("it began after the change", end.at + end.uncertainty - exposure.integration >= changed, true)?;
        same(&format!("round {round}: what it saw"), brightest(&exposure), (die == Die::Lit).then_some(0))?;
    }
    Ok(())
}

fn nobody_at_the_address_is_missing() -> Result<(), Mishap> {
    let _bus = Bus::plug()?;
    match sensor(SENSORS as u64).map(drop).map_err(Failure::into_kind) {
        Err(FailureKind::Missing(_)) => Ok(()),
        other => Err(format!("{other:?}").into()),
    }
}

fn an_unplugged_adapter_is_gone() -> Result<(), Mishap> {
    let mut bus = Bus::plug()?;
    let mut sensor = sensor(0)?;
    sensor.sample(soon())?;
    bus.plugged.pull()?;
    let failure = eventually("a failure", Duration::from_secs(10), || sensor.sample(soon()).err())?;
    note(&format!("{failure}"));
    match failure.into_kind() {
        FailureKind::Gone(_) => Ok(()),
        other => Err(format!("{other:?}").into()),
    }
}
