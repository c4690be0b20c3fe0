//! The driver `scpi` on the kernel's cdc-acm, with a supply behind it whose parser other people wrote.

use std::sync::{Arc, Mutex};

use brickproof_ends::lock;
use brickproof_ends::scpi::{Instrument, Supplied, Wrong};
use brickproof_instruments::{Deadline, Failure, FailureKind, Output, Settings, Supply, Switch, Value};
use brickproof_units::{Current, Span, Voltage};
use libtest_mimic::Trial;

use super::{open_supply, soon, trial};
use crate::adapter::Adapter;
use crate::{Mishap, note, same};

pub(super) fn all() -> Vec<Trial> {
    vec![
        trial("scpi::sets_switches_and_measures", sets_switches_and_measures),
        trial("scpi::opening_switches_off_and_limits", opening_switches_off_and_limits),
        trial("scpi::an_output_that_is_fed_from_elsewhere_is_not_off", an_output_that_is_fed_from_elsewhere_is_not_off),
        trial("scpi::unplugged_in_the_middle_of_an_answer_it_is_gone", unplugged_in_the_middle_of_an_answer_it_is_gone),
        trial("scpi::plugged_in_again_it_goes_on", plugged_in_again_it_goes_on),
    ]
}

const VOLTS: Output = Output { voltage: Voltage::new(3_300_000), limit: Some(Current::new(120_000)) };

type Fault = Option<(&'static str, usize, Wrong)>;

fn plug(wrong: Fault, supplied: Supplied) -> Result<(Arc<Mutex<Supplied>>, Adapter), Mishap> {
    let (supplied, device) = Instrument::new(wrong, supplied);
    Ok((supplied, Adapter::plug(4, device)?))
}

fn open(adapter: &Adapter) -> Result<Box<dyn Supply>, Failure> {
    let settings = Settings::new()
        .with("at", Value::Text(adapter.at()))
        .with("identity", Value::Text("SN0042".to_owned()))
        .with("voltage_ceiling", Value::Voltage(Voltage::new(3_600_000)))
        .with("current_ceiling", Value::Current(Current::new(500_000)));
    open_supply("scpi", &settings)
}

fn sets_switches_and_measures() -> Result<(), Mishap> {
    let (supplied, adapter) = plug(None, Supplied { on: [true, true], ..Supplied::default() })?;
    let mut supply = open(&adapter)?;
    supply.set(VOLTS, soon())?;
    supply.switch(Switch::On, soon())?;
    let seen = || {
        let supplied = lock(&supplied);
        (supplied.volts[0], supplied.amperes[0], supplied.on)
    };
    same("what it puts out", seen(), (3.3, 0.12, [true, true]))?;
    let reading = supply.measure(soon())?;
    let measured = (reading.voltage, reading.current);
    same("what it measured", measured, (Some(Voltage::new(3_300_000)), Some(Current::new(25_000))))?;
    supply.switch(Switch::Off, soon())?;
    same("off, and the other output is not ours", seen().2, [false, true])?;
    supply.prove_off(Voltage::new(100_000), soon())?;
    Ok(())
}

fn opening_switches_off_and_limits() -> Result<(), Mishap> {
    let (supplied, adapter) = plug(None, Supplied { on: [true, false], volts: [12.0, 0.0], ..Supplied::default() })?;
    let _supply = open(&adapter)?;
    let supplied = lock(&supplied);
    same("off and limited", (supplied.on[0], supplied.amperes[0]), (false, 0.5))
}

fn an_output_that_is_fed_from_elsewhere_is_not_off() -> Result<(), Mishap> {
    let (_, adapter) = plug(None, Supplied { residue: 1.2, ..Supplied::default() })?;
    let mut supply = open(&adapter)?;
    let proven = supply.prove_off(Voltage::new(100_000), Deadline::after(Span::millis(300)));
    let failure = proven.err().ok_or("1.2 V was taken for off")?;
    note(&failure.to_string());
    same("read back", matches!(failure.kind(), FailureKind::ReadBack(_)), true)
}

fn unplugged_in_the_middle_of_an_answer_it_is_gone() -> Result<(), Mishap> {
    let (_, adapter) = plug(Some(("MEAS", 1, Wrong::Unplugged(b"3."))), Supplied::default())?;
    let mut supply = open(&adapter)?;
    let failure = supply.measure(soon()).err().ok_or("half an answer was taken for one")?;
    note(&failure.to_string());
    same("gone", matches!(failure.kind(), FailureKind::Gone(_)), true)
}

fn plugged_in_again_it_goes_on() -> Result<(), Mishap> {
    let (supplied, adapter) = plug(None, Supplied::default())?;
    let mut supply = open(&adapter)?;
    supply.set(VOLTS, soon())?;
    supply.switch(Switch::On, soon())?;
    adapter.pull()?;
    let failure = supply.measure(soon()).err().ok_or("an unplugged supply was measured")?;
    note(&failure.to_string());
    same("gone", matches!(failure.kind(), FailureKind::Gone(_)), true)?;
    adapter.plug_in_again()?;
    supply.switch(Switch::Off, soon())?;
    same("it is switched off", lock(&supplied).on[0], false)
}
