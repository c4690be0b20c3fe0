//! A whole station whose board lives on the host in wall-clock time, held by nothing but drivers of this kernel.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use brickproof_instruments::{
    Below, Console, Deadline, Drive, Failure, Instrument, Kind, Light, LineState, Lines, Output, Owner, Probe, Region,
    Settings, Supply, Switch, Value, driver, now,
};
use brickproof_paced::attach::{AttachError, attach};
use brickproof_paced::board::PacedBoard;
use brickproof_paced::station::{StationConfig, devices};
use brickproof_units::{Current, Span, Voltage};
use brickproof_virtual_board::board::{Board, BoardConfig};
use brickproof_virtual_board::chip::{Chip, Pin};
use brickproof_virtual_board::supply::Source;
use brickproof_virtual_board::wiring::Wiring;
use libtest_mimic::Trial;

use super::{open, soon, trial};
use crate::far_side::{FarSide, Station};
use crate::{Mishap, eventually, note, same};

pub(super) const FIRST_LINE: &str = "[app] INFO: lantern";
/// How the devices of this station are numbered.
const SERIAL: &str = "VB0001";
/// The tests wait for the board and not for the clock.
pub(super) const PATIENCE: Duration = Duration::from_secs(20);

pub(super) fn all() -> Vec<Trial> {
    vec![
        trial("virtual_station::reset_and_power_reboot_the_board", reset_and_power_reboot_the_board),
        trial("virtual_station::mode_is_pressed_and_the_radio_seen", mode_is_pressed_and_the_radio_seen),
        trial("virtual_station::the_sensor_sees_the_light", the_sensor_sees_the_light),
        trial("virtual_station::monitor_and_supply_see_the_same_volts", monitor_and_supply_see_the_same_volts),
        trial("virtual_station::the_console_loses_nothing_either_way", the_console_loses_nothing_either_way),
        trial("virtual_station::a_probe_reads_and_programs_the_board", a_probe_reads_and_programs_the_board),
        trial(
            "virtual_station::firmware_is_heard_over_rtt_through_the_probe",
            firmware_is_heard_over_rtt_through_the_probe,
        ),
        trial("virtual_station::attaching_plugs_all_of_it_in_or_nothing", attaching_plugs_all_of_it_in_or_nothing),
        trial("virtual_station::how_fast_it_is_and_whether_it_kept_pace", how_fast_it_is_and_whether_it_kept_pace),
    ]
}

fn text(word: &str) -> Value {
    Value::Text(word.to_owned())
}

pub(super) fn lines() -> Result<Arc<Owner<dyn Lines>>, Mishap> {
    let map = |pairs: &[(&str, &str)]| -> BTreeMap<String, String> {
        pairs.iter().map(|(name, place)| ((*name).to_owned(), (*place).to_owned())).collect()
    };
    // The radio's line is let go and only read. Its edges are not watched: Linux 6.1 cannot let go of a watched line of this adapter
    // while it polls it (cp2112_gpio_irq_shutdown in drivers/hid/hid-cp2112.c waits for its worker with a spinlock held), and then
    // everything stands still.
    let drive = [("reset", "0"), ("mode", "1"), ("radio", "2"), ("power", "3 push-pull active-high")];
    let settings = Settings::new().with("chip", text("cp2112_gpio")).with("drive", Value::LineMap(map(&drive)));
    let open = || match open(Kind::Lines, "gpiocdev", &settings) {
        Ok(Instrument::Lines(lines)) => Some(lines),
        _ => None,
    };
    Ok(Arc::new(Owner::new("the station's lines", eventually("the adapter of the lines", PATIENCE, open)?)?))
}

pub(super) fn drive(lines: &Owner<dyn Lines>, line: &'static str, drive: Drive) -> Result<(), Failure> {
    lines.call("drive a line", soon(), move |lines, deadline| lines.drive(line, drive, deadline)).map(drop)
}

pub(super) fn read(lines: &Owner<dyn Lines>, line: &'static str) -> Result<LineState, Failure> {
    lines.call("read a line", soon(), move |lines, deadline| lines.read(line, deadline))
}

/// The switch in the board's cable, with the monitor behind it.
pub(super) fn load_switch(lines: &Arc<Owner<dyn Lines>>) -> Result<Box<dyn Supply>, Mishap> {
    let bus = eventually("the bus of the monitor", PATIENCE, || bus("i2c-tiny-usb"))?;
    let settings = Settings::new()
        .with("line", text("power"))
        .with("voltage", Value::Voltage(Voltage::new(5_000_000)))
        .with("monitor", text("ina226"))
        .with("bus", text(&bus));
    let factory = driver(Kind::Supply, "load-switch").ok_or("there is no such driver")?;
    match factory.open_over(Below::Lines(Arc::clone(lines)), &settings, soon())? {
        Instrument::Supply(supply) => Ok(supply),
        _ => Err("the factory of supplies opened something else".into()),
    }
}

/// The node of the adapter whose name begins so.
pub(super) fn bus(adapter: &str) -> Option<String> {
    let name_of = |entry: &fs::DirEntry| fs::read_to_string(entry.path().join("name")).unwrap_or_default();
    let entries = fs::read_dir("/sys/bus/i2c/devices").ok()?.flatten();
    let found = entries.into_iter().find(|entry| name_of(entry).starts_with(adapter))?;
    let node = format!("/dev/{}", found.file_name().to_string_lossy());
    Path::new(&node).exists().then_some(node)
}

/// The serial port of the USB device with that product number.
pub(super) fn serial_port(product: &str) -> Option<String> {
    let of = |entry: &fs::DirEntry| fs::read_to_string(entry.path().join("device/../idProduct")).unwrap_or_default();
    let mut entries = fs::read_dir("/sys/class/tty").ok()?.flatten();
    let found = entries.find(|entry| of(entry).trim() == product)?;
    Some(format!("/dev/{}", found.file_name().to_string_lossy()))
}

fn supply() -> Result<Box<dyn Supply>, Mishap> {
    let port = eventually("the port of the supply", PATIENCE, || serial_port("0001"))?;
    let settings = Settings::new()
        .with("at", text(&port))
        .with("identity", text("virtual supply,VB0001"))
        .with("voltage_ceiling", Value::Voltage(Voltage::new(5_500_000)))
        .with("current_ceiling", Value::Current(Current::new(1_000_000)));
    let open = || match open(Kind::Supply, "scpi", &settings) {
        Ok(Instrument::Supply(supply)) => Some(supply),
        _ => None,
    };
    eventually("the supply answers", PATIENCE, open)
}

/// A console and what was read from it and not yet looked at.
pub(super) struct Talk {
    console: Box<dyn Console>,
    heard: String,
}

impl Talk {
    pub(super) fn open(serial: &str) -> Result<Self, Mishap> {
        let settings = Settings::new().with("usb", text("2b04:c006")).with("serial", text(serial));
        let open = || match open(Kind::Console, "serial", &settings) {
            Ok(Instrument::Console(console)) => Some(console),
            _ => None,
        };
        Ok(Self { console: eventually("the board's port", PATIENCE, open)?, heard: String::new() })
    }

    /// Everything up to the line with `text` in it.
    pub(super) fn until(&mut self, text: &str) -> Result<String, Mishap> {
        let deadline = Deadline::after(Span::secs(PATIENCE.as_secs()));
        loop {
            let end = self.heard.find(text).and_then(|at| Some(at + self.heard[at..].find('\n')? + 1));
            if let Some(end) = end {
                let rest = self.heard.split_off(end);
                return Ok(std::mem::replace(&mut self.heard, rest));
            }
            let chunk = self.console.read(deadline)?.ok_or_else(|| format!("no {text:?} in {:?}", self.heard))?;
            self.heard.push_str(&String::from_utf8_lossy(&chunk.bytes));
        }
    }

    pub(super) fn ask(&mut self, command: &str, answer: &str) -> Result<String, Mishap> {
        self.console.write(format!("{command}\n").as_bytes(), soon())?;
        self.until(answer)
    }
}

fn reset_and_power_reboot_the_board() -> Result<(), Mishap> {
    let mut far = FarSide::plug(Station::Nrf51, &["lines", "bus", "console"])?;
    let (lines, mut talk, before) = (lines()?, Talk::open(SERIAL)?, far.boots()?);
    let mut switch = load_switch(&lines)?;
    switch.switch(Switch::On, soon())?;
    let first = talk.until(FIRST_LINE)?;
    note(first.lines().last().unwrap_or_default());
    same("it booted", far.boots()? - before, 1)?;
    drive(&lines, "reset", Drive::Asserted)?;
    same("held, the line is low", read(&lines, "reset")?, LineState::Active)?;
    drive(&lines, "reset", Drive::Released)?;
    let second = talk.until(FIRST_LINE)?;
    // RESETREAS, bit 0: from the pin.
    same("it says why", second.contains("reset 0x00000001"), true)?;
    same("it booted again", far.boots()? - before, 2)?;
    switch.switch(Switch::Off, soon())?;
    let reading = switch.prove_off(Voltage::new(200_000), Deadline::after(Span::secs(20)))?;
    note(&format!("off, the monitor shows {:?} behind the switch", reading.voltage));
    // What pulls the line up is the board's own rail, which decays behind its regulator.
    let fallen = || (read(&lines, "reset").ok()? == LineState::Active).then_some(());
    eventually("the line falls with the rail", PATIENCE, fallen)?;
    switch.switch(Switch::On, soon())?;
    talk.until(FIRST_LINE)?;
    same("and with it, it boots", far.boots()? - before, 3)?;
    Ok(switch.switch(Switch::Off, soon()).map(drop)?)
}

fn mode_is_pressed_and_the_radio_seen() -> Result<(), Mishap> {
    let _far = FarSide::plug(Station::Nrf51, &["lines", "bus", "console"])?;
    let (lines, mut talk) = (lines()?, Talk::open(SERIAL)?);
    let mut switch = load_switch(&lines)?;
    // As it is named, low is active.
    same("off, nothing drives the radio's line", read(&lines, "radio")?, LineState::Active)?;
    switch.switch(Switch::On, soon())?;
    // The modem is on while it connects.
    talk.until("Network: connecting")?;
    let on_air = || (read(&lines, "radio").ok()? == LineState::Inactive).then_some(());
    eventually("the radio's line is high", PATIENCE, on_air)?;
    let reading = switch.measure(soon())?;
    note(&format!("on the air it draws {:?}", reading.current));
    same("more than a modem", reading.current > Some(Current::new(100_000)), true)?;
    drive(&lines, "mode", Drive::Asserted)?;
    talk.until("Listening mode")?;
    drive(&lines, "mode", Drive::Released)?;
    Ok(switch.switch(Switch::Off, soon()).map(drop)?)
}

/// What a sensor saw in one colour while a light breathed once.
#[derive(Clone, Copy, Debug)]
struct Seen {
    least: u16,
    most: u16,
    sum: u64,
}

/// Watches red, green and blue.
fn watch(sensor: &mut dyn Light) -> Result<[Seen; 3], Mishap> {
    // Of the light that was before.
    let before = Deadline::after(Span::millis(300));
    while !before.has_passed() {
        sensor.sample(soon())?;
    }
    let (end, mut seen) = (Deadline::after(Span::millis(4_500)), [Seen { least: u16::MAX, most: 0, sum: 0 }; 3]);
    while !end.has_passed() {
        let exposure = sensor.sample(soon())?;
        for (seen, count) in seen.iter_mut().zip(exposure.counts) {
            seen.least = seen.least.min(count);
            seen.most = seen.most.max(count);
            seen.sum += u64::from(count);
        }
    }
    Ok(seen)
}

fn the_sensor_sees_the_light() -> Result<(), Mishap> {
    let _far = FarSide::plug(Station::Nrf51, &["lines", "bus", "console"])?;
    let (lines, mut talk) = (lines()?, Talk::open(SERIAL)?);
    let mut switch = load_switch(&lines)?;
    switch.switch(Switch::On, soon())?;
    talk.until("~connect")?;
    let mut sensor = match open(Kind::Light, "tcs3472", &Settings::new().with("bus", text("i2c-tiny-usb")))? {
        Instrument::Light(light) => light,
        _ => return Err("the factory of lights opened something else".into()),
    };
    for (status, lit) in [("network_on", [false, false, true]), ("network_connected", [false, true, false])] {
        talk.ask(&format!("led {status}"), &format!("led {status}"))?;
        let seen = watch(sensor.as_mut())?;
        let counts = seen.map(|Seen { least, most, .. }| format!("{least} to {most}")).join(", ");
        note(&format!("{status}: red, green and blue {counts} counts"));
        let brightest = seen.iter().map(|seen| seen.sum).max().unwrap_or_default();
        same(status, seen.map(|seen| seen.sum == brightest), lit)?;
        let breathes = seen.iter().zip(lit).all(|(seen, lit)| !lit || seen.most > 4 * seen.least);
        same("it breathes", breathes, true)?;
    }
    Ok(switch.switch(Switch::Off, soon()).map(drop)?)
}

fn monitor_and_supply_see_the_same_volts() -> Result<(), Mishap> {
    let mut far = FarSide::plug(Station::Nrf51, &["lines", "bus", "console", "supply"])?;
    let (lines, mut talk, before) = (lines()?, Talk::open(SERIAL)?, far.boots()?);
    let (mut monitor, mut supply) = (load_switch(&lines)?, supply()?);
    for millivolts in [4_200, 5_000] {
        let voltage = Voltage::new(millivolts * 1_000);
        supply.set(Output { voltage, limit: Some(Current::new(500_000)) }, soon())?;
        supply.switch(Switch::On, soon())?;
        let (theirs, ours) = (supply.measure(soon())?, monitor.measure(soon())?);
        note(&format!("{voltage}: the supply measures {:?}, the monitor {:?}", theirs.voltage, ours.voltage));
        for measured in [theirs.voltage, ours.voltage] {
            let off = measured.ok_or("it measured nothing")?.get().abs_diff(voltage.get());
            // A step of the monitor.
            same("what was set", off <= 1_250, true)?;
        }
    }
    talk.until(FIRST_LINE)?;
    same("it booted once", far.boots()? - before, 1)?;
    supply.switch(Switch::Off, soon())?;
    supply.prove_off(Voltage::new(200_000), Deadline::after(Span::secs(20))).map(drop)?;
    Ok(())
}

fn the_console_loses_nothing_either_way() -> Result<(), Mishap> {
    const ROUNDS: u32 = 150;
    // fixtures/keys/device-old.sec1.der and its fingerprint, fixtures/keys/README.md.
    const KEY: &[u8] = include_bytes!("../../../../fixtures/keys/device-old.sec1.der");
    let _far = FarSide::plug(Station::Nrf51, &["lines", "bus", "console"])?;
    let (lines, mut talk) = (lines()?, Talk::open(SERIAL)?);
    let mut switch = load_switch(&lines)?;
    switch.switch(Switch::On, soon())?;
    talk.until("~connect")?;
    let (began, mut bytes, mut uptime) = (now(), 0, 0);
    for _ in 0..ROUNDS {
        let answer = talk.ask("status", " uptime ")?;
        let answer = answer.lines().last().unwrap_or_default();
        let whole = answer.starts_with("status ") && answer.split(' ').count() == 6;
        same(&format!("{answer:?} is whole"), whole, true)?;
        // A digit that is lost makes it smaller.
        let later: u64 = answer.rsplit(' ').next().unwrap_or_default().parse()?;
        same(&format!("{answer:?} comes after {uptime}"), later >= uptime, true)?;
        uptime = later;
        bytes += answer.len() + 2;
    }
    let hex: String = KEY.iter().map(|byte| format!("{byte:02x}")).collect();
    talk.ask(&format!("keys put device {hex}"), "keys put device 1da0e8329da0beb6")?;
    let (before, commands) = (now(), "help");
    let help = talk.ask(commands, "commands: ")?;
    note(&format!("{ROUNDS} answers, {bytes} bytes, in {}; help came in {}", before.since(began), now().since(before)));
    same("help is whole", help.trim_end().ends_with("panic <1..15>"), true)?;
    Ok(switch.switch(Switch::Off, soon()).map(drop)?)
}

/// What the board of the station is born with.
const IMAGE: &[u8] = include_bytes!("../../../../fixtures/firmware/images/lantern-heal-parse.bin");

fn probe() -> Result<Box<dyn Probe>, Mishap> {
    let settings = Settings::new()
        .with("usb", text("1209:0002"))
        .with("serial", text("VB0001"))
        .with("chip", text("nRF51822_xxAA"));
    let open = || match open(Kind::Probe, "probe-rs", &settings) {
        Ok(Instrument::Probe(probe)) => Some(probe),
        _ => None,
    };
    eventually("the probe", PATIENCE, open)
}

fn a_probe_reads_and_programs_the_board() -> Result<(), Mishap> {
    /// Behind the image and before the key pages.
    const FREE: u32 = 0x0003_0000;
    let mut far = FarSide::plug(Station::Nrf51, &["lines", "bus", "console", "probe"])?;
    let (lines, mut talk) = (lines()?, Talk::open(SERIAL)?);
    let mut switch = load_switch(&lines)?;
    switch.switch(Switch::On, soon())?;
    talk.until("~connect")?;
    let before = far.boots()?;
    let mut probe = probe()?;
    let (long, began) = (|| Deadline::after(Span::secs(60)), now());
    // Whatever ran on it before.
    probe.program(0, IMAGE, long())?;
    let read = probe.read(Region { address: 0, length: IMAGE.len() as u32 }, long())?;
    same("the image", read == IMAGE, true)?;
    note(&format!("{} bytes read in {}", IMAGE.len(), now().since(began)));
    let page: Vec<u8> = (0..1024_u32).map(|at| (at * 37) as u8).collect();
    let began = now();
    probe.program(FREE, &page, long())?;
    note(&format!("a page programmed in {}", now().since(began)));
    same("the page", probe.read(Region { address: FREE, length: 1024 }, long())? == page, true)?;
    probe.reset(long())?;
    talk.until(FIRST_LINE)?;
    same("it boots", far.boots()? > before, true)?;
    Ok(switch.switch(Switch::Off, soon()).map(drop)?)
}

fn firmware_is_heard_over_rtt_through_the_probe() -> Result<(), Mishap> {
    const TELLTALE: &[u8] = include_bytes!("../../../../fixtures/firmware/images/telltale-text.bin");
    let _far = FarSide::plug(Station::Nrf51, &["lines", "bus", "probe"])?;
    let lines = lines()?;
    let mut switch = load_switch(&lines)?;
    switch.switch(Switch::On, soon())?;
    let probe = Arc::new(Owner::new("the station's probe", probe()?)?);
    let write = |image: &'static [u8]| {
        probe.call("write firmware", Deadline::after(Span::secs(60)), |probe, deadline| {
            probe.program(0, image, deadline)?;
            probe.reset(deadline)
        })
    };
    write(TELLTALE)?;
    let heard = hear_two_lives(&probe, &lines);
    // Whatever was heard: the other tests know the board by its own firmware.
    write(IMAGE)?;
    note(&heard?);
    Ok(switch.switch(Switch::Off, soon()).map(drop)?)
}

/// A line of telltale, and after a reset many of its next life; none is lost but those that its ring had no room for.
fn hear_two_lives(probe: &Arc<Owner<dyn Probe>>, lines: &Owner<dyn Lines>) -> Result<String, Mishap> {
    let factory = driver(Kind::Console, "rtt").ok_or("there is no such driver")?;
    let console = match factory.open_over(Below::Probe(Arc::clone(probe)), &Settings::new(), soon())? {
        Instrument::Console(console) => console,
        _ => return Err("the factory of consoles opened something else".into()),
    };
    let mut talk = Talk { console, heard: String::new() };
    talk.until("line ")?;
    drive(lines, "reset", Drive::Asserted)?;
    drive(lines, "reset", Drive::Released)?;
    talk.until("[rig] rtt channel 0: the ring began anew")?;
    let (began, mut heard, mut skipped) = (now(), 0, 0);
    while heard < 200 {
        let line = talk.until("line ")?;
        let numbers = line.trim_end().strip_prefix("line ").and_then(|rest| rest.split_once(" skipped "));
        let (number, missed) = numbers.ok_or_else(|| format!("{line:?} is no line of telltale"))?;
        skipped = missed.parse::<u64>().map_err(|error| error.to_string())?;
        same("lines heard and skipped", (heard + skipped).to_string(), number.to_owned())?;
        heard += 1;
    }
    Ok(format!(
        "{heard} lines of a life from its first on, {skipped} skipped for want of room, in {}",
        now().since(began)
    ))
}

/// The serial numbers of the USB devices that are there, but the controllers'.
pub(super) fn serial_numbers() -> Vec<String> {
    let read = |entry: fs::DirEntry| fs::read_to_string(entry.path().join("serial")).ok();
    let entries = fs::read_dir("/sys/bus/usb/devices").into_iter().flatten().flatten();
    entries.filter_map(read).map(|text| text.trim().to_owned()).filter(|text| !text.contains("vhci")).collect()
}

fn attaching_plugs_all_of_it_in_or_nothing() -> Result<(), Mishap> {
    let wiring = Wiring { light: [13, 14, 15].map(Pin::p0), modem: None };
    let config = BoardConfig { source: Source::None, pins: wiring.pins(), ..BoardConfig::new(Chip::Nrf51822) };
    // Without power it stands still: this processor could not keep its pace.
    let board = PacedBoard::start(Board::new(config, &[])?, wiring, 1)?;
    let station = |serial| devices(&board.hand(), &StationConfig::lantern_nrf51(serial));
    let count = |serial: &str| serial_numbers().iter().filter(|number| *number == serial).count();
    // A controller has eight ports, or as many as the kernel was built for, fifteen at most.
    let mut attached = Vec::new();
    for serial in ["VB0002", "VB0003", "VB0004", "VB0005"] {
        let devices = station(serial);
        match attach(&devices) {
            Ok(station) => attached.push(station),
            Err(AttachError::Full { device }) => {
                note(&format!("beside {} stations `{device}` of {serial} found no port", attached.len()));
                same("nothing of it stays", count(serial), 0)?;
                break;
            }
            Err(error) => return Err(error.into()),
        }
        let all = || (count(serial) == devices.len()).then_some(());
        eventually(&format!("all of {serial}"), PATIENCE, all)?;
    }
    same("not all four found room", (1..4).contains(&attached.len()), true)?;
    for attached in attached {
        attached.detach()?;
    }
    // The kernel takes the devices off its list in its own time.
    let nothing = || (count("VB0002") + count("VB0003") + count("VB0004") == 0).then_some(());
    eventually("nothing is left", PATIENCE, nothing)
}

fn how_fast_it_is_and_whether_it_kept_pace() -> Result<(), Mishap> {
    const ROUNDS: usize = 300;
    /// Ten bits at 115200 Bd, in nanoseconds.
    const BYTE: u64 = 86_806;
    let mut far = FarSide::plug(Station::Nrf51, &["lines", "bus", "console"])?;
    let (lines, mut talk) = (lines()?, Talk::open(SERIAL)?);
    let mut switch = load_switch(&lines)?;
    switch.switch(Switch::On, soon())?;
    talk.until("~connect")?;
    far.ask("begin")?;
    let mut transfers = Vec::with_capacity(ROUNDS);
    for _ in 0..ROUNDS {
        let before = now();
        read(&lines, "radio")?;
        transfers.push(now().since(before));
    }
    tell("a control transfer, through driver and relay", &mut transfers);
    let mut answers = Vec::with_capacity(ROUNDS / 3);
    for _ in 0..ROUNDS / 3 {
        let before = now();
        let answer = talk.ask("status", " uptime ")?;
        let took = now().since(before);
        let answer = answer.lines().last().unwrap_or_default().len() as u64 + 2;
        let on_the_line = Span::nanos((answer + "status\n".len() as u64) * BYTE);
        answers.push(took - on_the_line);
    }
    tell("the console, both ways, beyond the time on the line", &mut answers);
    let pace = far.pace()?;
    let (median, p99, latest) = (pace.median, pace.p99, pace.latest);
    note(&format!("the board: n {}, median {median}, p99 {p99}, max {latest} late", pace.count));
    // A quarter of the shortest phase of any light, 100 ms; what is later a scenario would see. Assumed.
    same("it kept pace", pace.count > 100 && p99 < Span::millis(25), true)?;
    Ok(switch.switch(Switch::Off, soon()).map(drop)?)
}

fn tell(what: &str, rounds: &mut [Span]) {
    rounds.sort();
    let at = |share: usize| rounds[(rounds.len() * share / 100).min(rounds.len() - 1)];
    note(&format!("{what}: n {}, median {}, p99 {}, max {}", rounds.len(), at(50), at(99), at(100)));
}
