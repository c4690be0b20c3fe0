//! A bench file of what is plugged into this computer, for a person to complete.
//!
//! Boundary: text of what was found. `FILL IN` stands wherever only a person knows, and `brickproof bench lint` takes no file with it.

use std::fmt::Write as _;

use brickproof_boards::BoardProfile;
pub use brickproof_instruments::discover::ReadI2c;
use brickproof_instruments::discover::{Found, UsbDevice, discover};
use brickproof_units::Voltage;

/// What only a person knows. Two words, so that it is no name of anything.
const FILL_IN: &str = "FILL IN";
/// A PPK2 gives no more (its specification, as the driver `ppk2` has it).
const PROFILER_MOST: Voltage = Voltage::new(5_000_000);

/// A bench file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Draft {
    /// The file.
    pub text: String,
    /// How many devices were found.
    pub found: usize,
}

/// Looks for devices, with or without reading addresses on I2C buses, and drafts a bench file for a board of that kind.
pub fn draft(board: Option<&BoardProfile>, known: &[&str], i2c: ReadI2c) -> Draft {
    let found = discover(i2c);
    Draft { text: written(&found, board, known), found: found.len() }
}

/// The first of each kind is taken into the station; the others are told in comments.
fn written(found: &[Found], board: Option<&BoardProfile>, known: &[&str]) -> String {
    let mut text = format!(
        "# What was found on this computer. Which device belongs to which board, and which line is RESET, only a person knows: put that in the\n\
         # place of `{FILL_IN}`, and copy the station for each further board. `brickproof bench lint` tells what is left to do.\n\n\
         bench: desk\n\nstations:\n  board-1:\n"
    );
    let mut line = |depth: usize, line: &str| {
        let _ = writeln!(text, "{}{line}", "  ".repeat(depth));
    };
    match board {
        Some(board) => line(2, &format!("board: {}", board.name)),
        None => line(2, &format!("board: {FILL_IN} # one of {}", known.join(", "))),
    }
    let mut taken = Taken::default();
    let probe = found.iter().find_map(|it| match it {
        Found::Probe(device) => Some(device),
        _ => None,
    });
    if probe.is_some() {
        line(
            2,
            &format!("serial: \"{FILL_IN}\" # the unique id of the board's chip; `brickproof bench check` reads it"),
        );
    }
    for it in found {
        let (key, value, remark) = instrument(it, board, probe);
        let shown = if remark.is_empty() { format!("{key}: {value}") } else { format!("{key}: {value} # {remark}") };
        match key {
            "" => line(2, &format!("# {value}")),
            _ if taken.takes(it, key, found, probe) => line(2, &shown),
            _ => line(2, &format!("# {shown}")),
        }
    }
    for (key, words) in [
        ("lines", "no GPIO chip was found"),
        ("console", "no serial port was found"),
        ("supply", "none was found that is one for certain: load-switch, hub-port, ppk2, scpi, command"),
        ("light", "no colour sensor is known; sensors on I2C are looked for with --probe-i2c"),
        ("probe", "no debug probe was found"),
    ] {
        if !taken.0.contains(&key) {
            line(2, &format!("# {key}: {words}"));
        }
    }
    if taken.0.contains(&"console") {
        line(2, "cloud: { driver: console }");
    }
    text
}

/// Which instruments the station has.
#[derive(Default)]
struct Taken(Vec<&'static str>);

impl Taken {
    fn takes(&mut self, it: &Found, key: &'static str, found: &[Found], probe: Option<&UsbDevice>) -> bool {
        let is_for_certain = !matches!(it, Found::Hub { .. } | Found::Monitor { .. } | Found::Bootloader(_));
        if !is_for_certain || self.0.contains(&key) {
            return false;
        }
        // The port of the probe itself is the board's, if it has one.
        let of_probe = |it: &Found| match it {
            Found::SerialPort { usb: Some((device, _)), .. } => Some(device) == probe,
            _ => false,
        };
        if key == "console" && !of_probe(it) && found.iter().any(of_probe) {
            return false;
        }
        self.0.push(key);
        true
    }
}

/// Its key in a station, its settings, and a remark. Without a key it is only told.
fn instrument(
    found: &Found,
    board: Option<&BoardProfile>,
    probe: Option<&UsbDevice>,
) -> (&'static str, String, String) {
    match found {
        Found::GpioChip { label, lines, path } => (
            "lines",
            format!("{{ driver: gpiocdev, chip: {}, drive: {{ reset: \"{FILL_IN}\" }} }}", quoted(label)),
            format!("{lines} lines, {}", path.display()),
        ),
        Found::SerialPort { path, usb: None } => {
            ("console", format!("{{ driver: serial, path: {} }}", quoted(&path.to_string_lossy())), String::new())
        }
        Found::SerialPort { path, usb: Some((device, interface)) } => {
            let number = if *interface == 0 { String::new() } else { format!(", interface: {interface}") };
            (
                "console",
                format!("{{ driver: serial, {}{number} }}", ids(device)),
                format!("{}{}", path.display(), called(device)),
            )
        }
        Found::PowerProfiler { device, ports } => {
            let at = ports.first().map_or_else(|| FILL_IN.to_owned(), |port| port.to_string_lossy().into_owned());
            let most = board.map_or(PROFILER_MOST, |board| board.input.maximum.min(PROFILER_MOST));
            (
                "supply",
                format!("{{ driver: ppk2, at: {}, voltage_ceiling: {most} }}", quoted(&at)),
                format!("{}; a path below /dev/serial/by-id stays the same{}", device.id, called(device)),
            )
        }
        Found::Probe(device) => {
            let chip = match board {
                Some(board) if board.mcu.starts_with("nRF") => format!("{}_xxAA", board.mcu),
                _ => FILL_IN.to_owned(),
            };
            let remark = if Some(device) == probe { "" } else { ", another one" };
            (
                "probe",
                format!("{{ driver: probe-rs, {}, chip: {chip} }}", ids(device)),
                format!("at {}{remark}{}", device.place, called(device)),
            )
        }
        Found::Bootloader(device) => (
            "dfu",
            format!("{{ driver: dfuse, {} }}", ids(device)),
            format!("a board waits in its bootloader at {}", device.place),
        ),
        Found::Hub { device, ports } => (
            "supply",
            format!("{{ driver: hub-port, hub: {}, port: {FILL_IN} }}", quoted(&device.place)),
            format!("{}, {ports} ports; whether it can switch them, only trying tells", device.id),
        ),
        Found::I2cBus { path, name } => ("", format!("{}: {name}", path.display()), String::new()),
        Found::ColourSensor { bus } => {
            ("light", format!("{{ driver: tcs3472, bus: {} }}", quoted(&bus.to_string_lossy())), String::new())
        }
        Found::Monitor { bus, address, part } => (
            "supply",
            format!(
                "{{ driver: load-switch, line: {FILL_IN}, voltage: {FILL_IN}, monitor: {part}, bus: {}, address: {address:#x} }}",
                quoted(&bus.to_string_lossy())
            ),
            "the line of the switch has to be in `drive` too".to_owned(),
        ),
        Found::Multiplexer { bus, address } => (
            "",
            format!("{} at {address:#x}: perhaps a multiplexer; sensors behind it were not looked for", bus.display()),
            String::new(),
        ),
        _ => ("", String::new(), String::new()),
    }
}

fn ids(device: &UsbDevice) -> String {
    let serial = device.serial.as_ref().map(|serial| format!(", serial: {}", quoted(serial))).unwrap_or_default();
    format!("usb: \"{}\"{serial}", device.id)
}

fn called(device: &UsbDevice) -> String {
    let name = device.product.as_deref().map(brickproof_yaml::printable);
    name.map(|name| format!(", {name}")).unwrap_or_default()
}

/// As a text in YAML: what a device calls itself may contain anything.
fn quoted(text: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_./".contains(c);
    let begins_plainly = text.starts_with(|c: char| c.is_ascii_alphabetic() || c == '/');
    if begins_plainly && text.chars().all(plain) {
        return text.to_owned();
    }
    let escaped: String = text
        .chars()
        .filter(|c| !c.is_control())
        .flat_map(|c| match c {
            '"' | '\\' => vec!['\\', c],
            _ => vec![c],
        })
        .collect();
    format!("\"{escaped}\"")
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use brickproof_scenario::Library;

    use super::*;
    use crate::file;

    fn device(id: &str, serial: &str, product: &str, place: &str) -> UsbDevice {
        UsbDevice { id: id.into(), serial: Some(serial.into()), product: Some(product.into()), place: place.into() }
    }

    fn plugged_in() -> Vec<Found> {
        let pico = device("2e8a:000c", "E6614103", "Debug Probe (CMSIS-DAP)", "1-1.2");
        let profiler = device("1915:c00a", "C0FFEE", "PPK2", "1-1.3");
        let hub = UsbDevice { id: "0424:2514".into(), place: "1-1".into(), ..UsbDevice::default() };
        let bus = PathBuf::from("/dev/i2c-1");
        vec![
            Found::GpioChip { label: "pinctrl-bcm2711".into(), lines: 58, path: "/dev/gpiochip0".into() },
            Found::GpioChip { label: "odd \"chip\"".into(), lines: 8, path: "/dev/gpiochip1".into() },
            Found::SerialPort { path: "/dev/ttyAMA0".into(), usb: None },
            Found::SerialPort { path: "/dev/ttyACM0".into(), usb: Some((pico.clone(), 1)) },
            Found::PowerProfiler { device: profiler, ports: vec!["/dev/ttyACM1".into()] },
            Found::Probe(pico),
            Found::Bootloader(device("2b04:d006", "1", "Photon", "1-1.4")),
            Found::Hub { device: hub, ports: 4 },
            Found::I2cBus { path: bus.clone(), name: "bcm2835 (i2c@7e804000)".into() },
            Found::ColourSensor { bus: bus.clone() },
            Found::Monitor { bus: bus.clone(), address: 0x40, part: "ina226" },
            Found::Multiplexer { bus, address: 0x70 },
        ]
    }

    #[test]
    fn a_draft_is_accepted_once_a_person_has_filled_it_in() {
        let library = Library::built_in();
        let text = written(&plugged_in(), library.board("lantern-nrf51").map(|board| &**board), &[]);
        insta::assert_snapshot!(text);
        let mistakes = file::load("bench.yaml", &text, &library).unwrap_err().mistakes().len();
        assert_eq!(mistakes, 2, "the board's id and its RESET line");
        let filled = text.replacen("serial: \"FILL IN\"", "serial: \"6c1f3a90d2e4b857\"", 1).replacen(
            "reset: \"FILL IN\"",
            "reset: \"17\"",
            1,
        );
        let bench =
            file::load("bench.yaml", filled, &library).unwrap_or_else(|mistakes| panic!("{}", mistakes.render(110)));
        assert_eq!(bench.stations[0].instruments.len(), 5);
    }

    #[test]
    fn where_nothing_is_plugged_in_there_is_a_skeleton() {
        insta::assert_snapshot!(written(&[], None, &["lantern-nrf51", "lantern-nrf52840"]));
    }
}
