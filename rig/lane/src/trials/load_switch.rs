//! The driver `load-switch` over lines of a simulated CP2112, with an INA226 on a simulated i2c-tiny-usb behind it: two adapters, two kernel
//! drivers, one rail.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use brickproof_instruments::{
    Below, Deadline, Failure, FailureKind, Instrument, Kind, Lines, Owner, Settings, Supply, Switch, Value,
};
use brickproof_paced::devices::tiny_i2c::TinyI2c;
use brickproof_paced::line::Level;
use brickproof_paced::vhci::{self, Plugged};
use brickproof_units::{Current, Span, Voltage};
use libtest_mimic::Trial;

use super::gpiocdev::Adapter;
use super::{soon, trial};
use crate::rail::{MONITOR, POWER, Rail, SHORT};
use crate::{Mishap, eventually, note, same};

pub(super) fn all() -> Vec<Trial> {
    vec![
        trial("load_switch::the_monitor_sees_what_the_line_switches", the_monitor_sees_what_the_line_switches),
        trial("load_switch::a_crowbar_makes_off_off", a_crowbar_makes_off_off),
        trial("load_switch::opening_lets_both_go", opening_lets_both_go),
        trial("load_switch::an_unplugged_monitor_is_gone_and_the_switch_is_not", an_unplugged_monitor_is_gone),
        trial("load_switch::unplugged_lines_are_gone", unplugged_lines_are_gone),
    ]
}

struct Station {
    pins: Adapter,
    monitor: Arc<Mutex<TinyI2c<Rail>>>,
    plugged: Plugged,
    bus: String,
}

/// The bus of the adapter, whichever number it has.
fn bus() -> Option<String> {
    let adapters = std::fs::read_dir("/sys/bus/i2c/devices").ok()?.flatten();
    let mut named = adapters.map(|entry| (entry.file_name(), std::fs::read_to_string(entry.path().join("name"))));
    let (number, _) = named.find(|(_, name)| name.as_ref().is_ok_and(|name| name.starts_with("i2c-tiny-usb")))?;
    let node = format!("/dev/{}", number.to_string_lossy());
    std::path::Path::new(&node).exists().then_some(node)
}

impl Station {
    fn plug() -> Result<Self, Mishap> {
        let pins = Adapter::plug()?;
        let monitor = Arc::new(Mutex::new(TinyI2c::new(Rail::new(pins.pins()))));
        let plugged = vhci::plug(0, monitor.clone())?;
        let bus = eventually("the monitor's bus appears", Duration::from_secs(10), bus)?;
        Ok(Self { pins, monitor, plugged, bus })
    }

    fn rail<T>(&self, act: impl FnOnce(&mut Rail) -> T) -> T {
        act(self.monitor.lock().unwrap_or_else(PoisonError::into_inner).bus())
    }

    /// The supply, with or without the crowbar among its settings.
    fn supply(&self, crowbar: Option<&str>) -> Result<Box<dyn Supply>, Failure> {
        let (power, short) = (place(POWER), place(SHORT));
        let lines: Box<dyn Lines> = self.pins.open(&[("power", &power), ("short", &short)])?;
        let settings = Settings::new()
            .with("line", Value::Text("power".to_owned()))
            .with("voltage", Value::Voltage(Voltage::new(3_300_000)))
            .with("monitor", Value::Text("ina226".to_owned()))
            .with("bus", Value::Text(self.bus.clone()))
            .with("address", Value::Number(u64::from(MONITOR)));
        let settings = match crowbar {
            Some(line) => settings.with("crowbar", Value::Text(line.to_owned())),
            None => settings,
        };
        let factory = brickproof_instruments::driver(Kind::Supply, "load-switch").expect("the driver is in the list");
        match factory.open_over(Below::Lines(Arc::new(Owner::new("lines", lines)?)), &settings, soon())? {
            Instrument::Supply(supply) => Ok(supply),
            _ => unreachable!("the factory of supplies opens supplies"),
        }
    }

    fn levels(&self) -> [Level; 2] {
        [self.pins.level(POWER), self.pins.level(SHORT)]
    }
}

fn place(pin: u8) -> String {
    format!("{pin} push-pull active-high")
}

impl Drop for Station {
    fn drop(&mut self) {
        // The next test plugs in another bus of the same name.
        let _ = self.plugged.pull();
        let _ = eventually("the bus goes", Duration::from_secs(10), || bus().is_none().then_some(()));
    }
}

const OFF: Voltage = Voltage::new(50_000);

fn the_monitor_sees_what_the_line_switches() -> Result<(), Mishap> {
    let station = Station::plug()?;
    let mut supply = station.supply(None)?;
    supply.switch(Switch::On, soon())?;
    same("the pin", station.levels(), [Level::High, Level::Low])?;
    let reading = supply.measure(soon())?;
    let measured = (reading.voltage, reading.current);
    same("behind the switch", measured, (Some(Voltage::new(3_300_000)), Some(Current::new(25_000))))?;
    supply.switch(Switch::Off, soon())?;
    same("the pin", station.levels(), [Level::Low, Level::Low])?;
    supply.prove_off(OFF, soon())?;
    Ok(())
}

fn a_crowbar_makes_off_off() -> Result<(), Mishap> {
    let station = Station::plug()?;
    station.rail(|rail| rail.residue = 1_200);
    let mut alone = station.supply(None)?;
    alone.switch(Switch::Off, soon())?;
    let proven = alone.prove_off(OFF, Deadline::after(Span::millis(300)));
    let failure = proven.err().ok_or("1.2 V was taken for off")?;
    note(&failure.to_string());
    same("read back", matches!(failure.kind(), FailureKind::ReadBack(_)), true)?;
    drop(alone);
    let mut supply = eventually("the lines are free", Duration::from_secs(5), || station.supply(Some("short")).ok())?;
    for _ in 0..3 {
        supply.switch(Switch::On, soon())?;
        same("on", station.levels(), [Level::High, Level::Low])?;
        same("behind it", supply.measure(soon())?.voltage, Some(Voltage::new(3_300_000)))?;
        supply.switch(Switch::Off, soon())?;
        same("off", station.levels(), [Level::Low, Level::High])?;
        supply.prove_off(OFF, soon())?;
    }
    same("both were closed at some time", station.rail(|rail| rail.shorted), false)
}

fn opening_lets_both_go() -> Result<(), Mishap> {
    let station = Station::plug()?;
    let mut supply = station.supply(Some("short"))?;
    supply.switch(Switch::Off, soon())?;
    same("left shorted", station.levels(), [Level::Low, Level::High])?;
    drop(supply);
    let _supply = eventually("the lines are free", Duration::from_secs(5), || station.supply(Some("short")).ok())?;
    same("opened", station.levels(), [Level::Low, Level::Low])
}

fn an_unplugged_monitor_is_gone() -> Result<(), Mishap> {
    let mut station = Station::plug()?;
    let mut supply = station.supply(None)?;
    supply.switch(Switch::On, soon())?;
    station.plugged.pull()?;
    let failure = supply.measure(soon()).err().ok_or("an unplugged monitor was read")?;
    note(&failure.to_string());
    same("gone", matches!(failure.kind(), FailureKind::Gone(_)), true)?;
    supply.switch(Switch::Off, soon())?;
    same("the switch is thrown all the same", station.levels(), [Level::Low, Level::Low])
}

fn unplugged_lines_are_gone() -> Result<(), Mishap> {
    let mut station = Station::plug()?;
    let mut supply = station.supply(Some("short"))?;
    supply.switch(Switch::On, soon())?;
    station.pins.pull_plug()?;
    let failure = supply.switch(Switch::Off, soon()).err().ok_or("an unplugged line was driven")?;
    note(&failure.to_string());
    same("gone", matches!(failure.kind(), FailureKind::Gone(_)), true)
}
