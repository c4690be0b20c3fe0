//! The tests, a module per driver.
//!
//! Boundary: the list. A test's name says driver and operation: what the harness prints is the table of what was seen working.

mod bench;
mod dfuse;
mod diagnosing;
mod flashing;
mod gpiocdev;
mod hub_port;
mod load_switch;
mod nftables;
mod own_usb;
mod ppk2;
mod rppal;
mod scpi;
mod serial;
mod tcs3472;
mod virtual_attach;
mod virtual_station;

use brickproof_instruments::{Deadline, Failure, Instrument, Kind, Settings, Supply};
use brickproof_units::Span;
use libtest_mimic::Trial;

use crate::Mishap;

/// Every test of the lane but those of [`of_a_pi`].
pub fn all() -> Vec<Trial> {
    let all = [
        bench::all(),
        dfuse::all(),
        diagnosing::all(),
        flashing::all(),
        gpiocdev::all(),
        hub_port::all(),
        load_switch::all(),
        nftables::all(),
        own_usb::all(),
        ppk2::all(),
        scpi::all(),
        serial::all(),
        tcs3472::all(),
        virtual_attach::all(),
        virtual_station::all(),
    ];
    all.into_iter().flatten().collect()
}

/// The tests that need the pins of a Raspberry Pi, for a guest that is one.
pub fn of_a_pi() -> Vec<Trial> {
    rppal::all()
}

fn trial(name: &'static str, test: fn() -> Result<(), Mishap>) -> Trial {
    Trial::test(name, move || test().map_err(|error| error.to_string().into()))
}

/// Opens an instrument as a bench does: by the driver's word in its list.
fn open(kind: Kind, word: &str, settings: &Settings) -> Result<Instrument, Failure> {
    let factory = brickproof_instruments::driver(kind, word).expect("the driver is in the list");
    factory.open(settings, soon())
}

fn open_supply(word: &str, settings: &Settings) -> Result<Box<dyn Supply>, Failure> {
    match open(Kind::Supply, word, settings)? {
        Instrument::Supply(supply) => Ok(supply),
        _ => unreachable!("the factory of supplies opens supplies"),
    }
}

/// Long enough for an emulated processor on a busy computer, and short enough to end.
fn soon() -> Deadline {
    Deadline::after(Span::secs(5))
}
