//! The tests, a module per driver.
//!
//! Boundary: the list. A test's name says driver and operation: what the harness prints is the table of what was seen working.

mod dfuse;
mod gpiocdev;
mod serial;
mod tcs3472;
mod virtual_station;

use brickproof_instruments::{Deadline, Failure, Instrument, Kind, Settings};
use brickproof_units::Span;
use libtest_mimic::Trial;

use crate::Mishap;

/// Every test of the lane.
pub fn all() -> Vec<Trial> {
    [dfuse::all(), gpiocdev::all(), serial::all(), tcs3472::all(), virtual_station::all()]
        .into_iter()
        .flatten()
        .collect()
}

fn trial(name: &'static str, test: fn() -> Result<(), Mishap>) -> Trial {
    Trial::test(name, move || test().map_err(|error| error.to_string().into()))
}

/// Opens an instrument as a bench does: by the driver's word in its list.
fn open(kind: Kind, word: &str, settings: &Settings) -> Result<Instrument, Failure> {
    let factory = brickproof_instruments::driver(kind, word).expect("the driver is in the list");
    factory.open(settings, soon())
}

/// Long enough for an emulated processor on a busy computer, and short enough to end.
fn soon() -> Deadline {
    Deadline::after(Span::secs(5))
}
