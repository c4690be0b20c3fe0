//! The driver `hub-port` on a hub of QEMU's that switches its ports, with devices really below it: what the kernel thinks of them is looked at
//! beside it. The devices are QEMU's too. Its controller reaches them whether their port has power or not, so a cut is seen only when it ends:
//! the kernel finds that a device came, and gives it a new address.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use brickproof_instruments::{Failure, FailureKind, Settings, Supply, Switch, Value};
use libtest_mimic::Trial;

use super::{open_supply, soon, trial};
use crate::{Mishap, eventually, note, same};

pub(super) fn all() -> Vec<Trial> {
    vec![
        trial("hub_port::the_device_below_comes_anew_for_every_cut", the_device_below_comes_anew_for_every_cut),
        trial("hub_port::the_port_beside_keeps_its_device", the_port_beside_keeps_its_device),
        trial("hub_port::what_is_missing_is_said", what_is_missing_is_said),
        trial("hub_port::an_unplugged_hub_is_gone", an_unplugged_hub_is_gone),
    ]
}

const DEVICES: &str = "/sys/bus/usb/devices";
/// Below which of its ports the guest has devices.
const PORT: u64 = 3;
const BESIDE: u64 = 4;
const PATIENCE: Duration = Duration::from_secs(15);

/// Where the kernel has the hub.
fn hub() -> Option<String> {
    let mut devices = fs::read_dir(DEVICES).ok()?.flatten();
    let is_it =
        |path: PathBuf| fs::read_to_string(path.join("product")).is_ok_and(|text| text.trim() == "QEMU USB Hub");
    devices.find(|entry| is_it(entry.path())).map(|entry| entry.file_name().to_string_lossy().into_owned())
}

fn the_hub() -> Result<String, Mishap> {
    eventually("the hub is there", PATIENCE, hub)
}

fn below(hub: &str, port: u64) -> PathBuf {
    Path::new(DEVICES).join(format!("{hub}.{port}"))
}

/// The address that the kernel gave the device: a new one whenever it sees it come.
fn address(device: &Path) -> Option<u32> {
    fs::read_to_string(device.join("devnum")).ok()?.trim().parse().ok()
}

fn open(hub: &str, port: u64) -> Result<Box<dyn Supply>, Failure> {
    let settings = Settings::new().with("hub", Value::Text(hub.to_owned())).with("port", Value::Number(port));
    open_supply("hub-port", &settings)
}

/// The greatest address of the two devices, once both are there: the kernel counts.
fn last_address(hub: &str) -> Result<u32, Mishap> {
    let there = |port| eventually("a device is there", PATIENCE, || address(&below(hub, port)));
    Ok(there(PORT)?.max(there(BESIDE)?))
}

/// Leaves the device as it found it, powered; the next address is its own.
fn back_on(supply: &mut dyn Supply, device: &Path, before: u32) -> Result<(), Mishap> {
    supply.switch(Switch::On, soon())?;
    let is_next = || (address(device)? == before + 1).then_some(());
    eventually("the device comes, and is given the next address", PATIENCE, is_next)
}

fn the_device_below_comes_anew_for_every_cut() -> Result<(), Mishap> {
    let hub = the_hub()?;
    let (device, before) = (below(&hub, PORT), last_address(&hub)?);
    let mut supply = open(&hub, PORT)?;
    for round in 0..3 {
        // On twice is on once.
        back_on(&mut *supply, &device, before + round)?;
        supply.switch(Switch::On, soon())?;
        supply.switch(Switch::Off, soon())?;
    }
    back_on(&mut *supply, &device, before + 3)
}

fn the_port_beside_keeps_its_device() -> Result<(), Mishap> {
    let hub = the_hub()?;
    let (device, beside) = (below(&hub, PORT), below(&hub, BESIDE));
    let (before, neighbour) = (last_address(&hub)?, address(&beside));
    let mut supply = open(&hub, PORT)?;
    back_on(&mut *supply, &device, before)?;
    same("the one beside was never addressed anew", address(&beside), neighbour)
}

fn what_is_missing_is_said() -> Result<(), Mishap> {
    let hub = the_hub()?;
    for (hub, port) in [(hub.as_str(), 9), ("9-9", 1)] {
        let failure = open(hub, port).err().ok_or("it is not there")?;
        note(&failure.to_string());
        same("missing", matches!(failure.kind(), FailureKind::Missing(_)), true)?;
    }
    Ok(())
}

/// The kernel drops the hub and all below it; unbinding and binding its controller plugs it in again.
fn an_unplugged_hub_is_gone() -> Result<(), Mishap> {
    const DRIVER: &str = "/sys/bus/pci/drivers/xhci_hcd";
    let mut supply = open(&the_hub()?, PORT)?;
    let is_slot = |name: &String| name.contains(':');
    let mut slots = fs::read_dir(DRIVER)?.flatten().map(|entry| entry.file_name().to_string_lossy().into_owned());
    let slot = slots.find(is_slot).ok_or("no controller")?;
    fs::write(format!("{DRIVER}/unbind"), &slot)?;
    let failure = supply.switch(Switch::On, soon()).err();
    fs::write(format!("{DRIVER}/bind"), &slot)?;
    let failure = failure.ok_or("an unplugged hub switched its port")?;
    note(&failure.to_string());
    same("gone", matches!(failure.kind(), FailureKind::Gone(_)), true)?;
    drop(supply);
    eventually("what is below the hub is back", PATIENCE, || address(&below(&hub()?, PORT))).map(drop)
}
