//! The driver `ppk2` on the kernel's cdc-acm, with a kit behind it whose bytes follow ppk2-api-python.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use brickproof_ends::lock;
use brickproof_ends::ppk2::{Kit, Ppk2};
use brickproof_instruments::{Failure, FailureKind, Output, Settings, Supply, Switch, Value};
use brickproof_units::{Current, Span, Voltage};
use libtest_mimic::Trial;

use super::{open_supply, soon, trial};
use crate::adapter::Adapter;
use crate::{Mishap, eventually, note, same};

pub(super) fn all() -> Vec<Trial> {
    vec![
        trial("ppk2::sets_switches_and_measures", sets_switches_and_measures),
        trial("ppk2::opening_switches_off_what_was_left_on", opening_switches_off_what_was_left_on),
        trial("ppk2::lost_samples_are_taken_again", lost_samples_are_taken_again),
        trial("ppk2::unplugged_in_the_middle_of_a_sample_it_is_gone", unplugged_in_the_middle_of_a_sample_it_is_gone),
        trial("ppk2::plugged_in_again_it_asks_for_its_voltage", plugged_in_again_it_asks_for_its_voltage),
    ]
}

const VOLTS: Output = Output { voltage: Voltage::new(3_300_000), limit: None };
/// What the kit's board takes while its output is on.
const TAKEN: Current = Current::new(21_973);

fn plug(kit: Kit) -> Result<(Arc<Mutex<Kit>>, Adapter), Mishap> {
    let (kit, device) = Ppk2::new(kit);
    Ok((kit, Adapter::plug(4, device)?))
}

fn open(adapter: &Adapter) -> Result<Box<dyn Supply>, Failure> {
    let settings = Settings::new()
        .with("at", Value::Text(adapter.at()))
        .with("voltage_ceiling", Value::Voltage(Voltage::new(3_600_000)))
        .with("window", Value::Span(Span::millis(5)));
    open_supply("ppk2", &settings)
}

/// Whether its output is on, once it has heard what was sent.
fn comes_to(kit: &Mutex<Kit>, is_on: bool) -> Result<(), Mishap> {
    eventually("the kit hears it", Duration::from_secs(5), || (lock(kit).on == is_on).then_some(()))
}

fn sets_switches_and_measures() -> Result<(), Mishap> {
    let (kit, adapter) = plug(Kit::default())?;
    let mut supply = open(&adapter)?;
    supply.set(VOLTS, soon())?;
    supply.switch(Switch::On, soon())?;
    comes_to(&kit, true)?;
    let regulated = {
        let kit = lock(&kit);
        (kit.millivolts, kit.source)
    };
    same("what it regulates, as the source", regulated, (3_300, true))?;
    same("what it measured", supply.measure(soon())?.current, Some(TAKEN))?;
    supply.switch(Switch::Off, soon())?;
    comes_to(&kit, false)?;
    same("off, it measures nothing", supply.measure(soon())?.current, Some(Current::new(0)))?;
    same("it does not go on sending", lock(&kit).streaming, false)
}

fn opening_switches_off_what_was_left_on() -> Result<(), Mishap> {
    let (kit, adapter) = plug(Kit { on: true, streaming: true, ..Kit::default() })?;
    let _supply = open(&adapter)?;
    comes_to(&kit, false)
}

fn lost_samples_are_taken_again() -> Result<(), Mishap> {
    let (kit, adapter) = plug(Kit { lose: vec![100, 101, 102], ..Kit::default() })?;
    let mut supply = open(&adapter)?;
    same("it measures", supply.measure(soon())?.current, Some(Current::new(0)))?;
    let starts = lock(&kit).heard.iter().filter(|heard| *heard == "average start").count();
    same("in the second attempt", starts, 2)
}

fn unplugged_in_the_middle_of_a_sample_it_is_gone() -> Result<(), Mishap> {
    let (_, adapter) = plug(Kit { unplug_after: Some(300), ..Kit::default() })?;
    let mut supply = open(&adapter)?;
    let failure = supply.measure(soon()).err().ok_or("it was measured all the same")?;
    note(&failure.to_string());
    same("gone", matches!(failure.kind(), FailureKind::Gone(_)), true)
}

fn plugged_in_again_it_asks_for_its_voltage() -> Result<(), Mishap> {
    let (kit, adapter) = plug(Kit::default())?;
    let mut supply = open(&adapter)?;
    supply.set(VOLTS, soon())?;
    supply.switch(Switch::On, soon())?;
    comes_to(&kit, true)?;
    adapter.pull()?;
    let failure = supply.measure(soon()).err().ok_or("an unplugged kit was measured")?;
    same("gone", matches!(failure.kind(), FailureKind::Gone(_)), true)?;
    // It lives on its plug.
    lock(&kit).on = false;
    adapter.plug_in_again()?;
    let failure = supply.switch(Switch::On, soon()).err().ok_or("it was switched on at a voltage that nobody set")?;
    note(&failure.to_string());
    same("refused", matches!(failure.kind(), FailureKind::Refused(_)), true)?;
    same("and not switched on", lock(&kit).on, false)?;
    supply.set(VOLTS, soon())?;
    supply.switch(Switch::On, soon())?;
    comes_to(&kit, true)
}
