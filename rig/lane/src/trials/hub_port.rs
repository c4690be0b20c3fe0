//! The driver `hub-port` on a hub of QEMU's that switches its ports, with devices really below it: what the kernel thinks of them is looked at
//! beside it. The devices are QEMU's too; that they lose their power is that they no longer answer and have forgotten their address.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use brickproof_instruments::{Failure, FailureKind, Settings, Supply, Switch, Value};
use libtest_mimic::Trial;

use super::{open_supply, soon, trial};
use crate::{Mishap, eventually, note, same};

pub(super) fn all() -> Vec<Trial> {
    vec![
        trial("hub_port::off_silences_the_device_below_and_on_brings_it_back", off_silences_and_on_brings_back),
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

/// The address that the kernel gave the device, if it answers: choosing its only configuration again takes a transfer to it.
fn address(device: &Path) -> Option<u32> {
    fs::write(device.join("bConfigurationValue"), "1").ok()?;
    fs::read_to_string(device.join("devnum")).ok()?.trim().parse().ok()
}

fn open(hub: &str, port: u64) -> Result<Box<dyn Supply>, Failure> {
    let settings = Settings::new().with("hub", Value::Text(hub.to_owned())).with("port", Value::Number(port));
    open_supply("hub-port", &settings)
}

/// Leaves the device as it found it: powered.
fn back_on(supply: &mut dyn Supply, device: &Path) -> Result<u32, Mishap> {
    supply.switch(Switch::On, soon())?;
    eventually("the device answers again", PATIENCE, || address(device))
}

fn off_silences_and_on_brings_back() -> Result<(), Mishap> {
    let hub = the_hub()?;
    let device = below(&hub, PORT);
    let mut before = eventually("the device answers", PATIENCE, || address(&device))?;
    let mut supply = open(&hub, PORT)?;
    same("opened, it is off", address(&device), None)?;
    for round in 0..3 {
        let after = back_on(&mut *supply, &device)?;
        same(&format!("round {round}: it was addressed anew"), after == before, false)?;
        before = after;
        supply.switch(Switch::Off, soon())?;
        same("off, nobody answers", address(&device), None)?;
    }
    back_on(&mut *supply, &device).map(drop)
}

fn the_port_beside_keeps_its_device() -> Result<(), Mishap> {
    let hub = the_hub()?;
    let (device, beside) = (below(&hub, PORT), below(&hub, BESIDE));
    let before = eventually("the one beside answers", PATIENCE, || address(&beside))?;
    let mut supply = open(&hub, PORT)?;
    same("off, the one beside answers", address(&beside), Some(before))?;
    back_on(&mut *supply, &device)?;
    same("on, it was never addressed anew", address(&beside), Some(before))
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
    let hub = the_hub()?;
    let mut supply = open(&hub, PORT)?;
    let is_slot = |name: &String| name.contains(':');
    let mut slots = fs::read_dir(DRIVER)?.flatten().map(|entry| entry.file_name().to_string_lossy().into_owned());
    let slot = slots.find(is_slot).ok_or("no controller")?;
    fs::write(format!("{DRIVER}/unbind"), &slot)?;
    let failure = supply.switch(Switch::On, soon()).err();
    fs::write(format!("{DRIVER}/bind"), &slot)?;
    let failure = failure.ok_or("an unplugged hub switched its port")?;
    note(&failure.to_string());
    same("gone", matches!(failure.kind(), FailureKind::Gone(_)), true)?;
    let hub = the_hub()?;
    drop(supply);
    back_on(&mut *open(&hub, PORT)?, &below(&hub, PORT)).map(drop)
}
