//! What is plugged into this computer that a driver here could drive.
//!
//! Boundary: looking. Nothing is opened but GPIO chips, which are asked for their labels, and I2C buses, and these only where somebody wants
//! it: reading an address may disturb another device that has it. Which board a device belongs to, nothing here can tell.

use std::fs;
use std::path::{Path, PathBuf};

use embedded_hal::i2c::I2c;
use linux_embedded_hal::I2cdev;

/// Whether addresses on I2C buses are read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ReadI2c {
    /// No: only the buses are listed.
    No,
    /// Those where sensors, monitors and multiplexers can be.
    Yes,
}

/// A device on the USB.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct UsbDevice {
    /// Vendor and product, as people write them.
    pub id: String,
    /// Its serial number, if it has one.
    pub serial: Option<String>,
    /// What it calls itself.
    pub product: Option<String>,
    /// Where it is plugged in, in the kernel's words: `1-1.4`.
    pub place: String,
}

/// Something that was found.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[non_exhaustive]
pub enum Found {
    /// A GPIO chip.
    GpioChip {
        /// Its label.
        label: String,
        /// How many lines it has.
        lines: u32,
        /// Its node.
        path: PathBuf,
    },
    /// A serial port.
    SerialPort {
        /// Its node.
        path: PathBuf,
        /// The USB device that it is on, if it is on one, and which of its interfaces.
        usb: Option<(UsbDevice, u8)>,
    },
    /// A power profiler that is a supply.
    PowerProfiler {
        /// Which.
        device: UsbDevice,
        /// Its serial ports; it is asked at the first.
        ports: Vec<PathBuf>,
    },
    /// A debug probe.
    Probe(UsbDevice),
    /// A board in its bootloader.
    Bootloader(UsbDevice),
    /// A hub. Whether it can switch its ports, only trying tells.
    Hub {
        /// Which.
        device: UsbDevice,
        /// How many ports it has.
        ports: u32,
    },
    /// An I2C bus.
    I2cBus {
        /// Its node.
        path: PathBuf,
        /// What the kernel calls it.
        name: String,
    },
    /// A colour sensor.
    ColourSensor {
        /// The node of its bus.
        bus: PathBuf,
    },
    /// A monitor of a supply.
    Monitor {
        /// The node of its bus.
        bus: PathBuf,
        /// Its address.
        address: u8,
        /// The word of the part.
        part: &'static str,
    },
    /// Something answers where multiplexers are.
    Multiplexer {
        /// The node of its bus.
        bus: PathBuf,
        /// Its address.
        address: u8,
    },
}

/// PPK2 (pid.codes of Nordic Semiconductor, as the driver `ppk2` has it).
const POWER_PROFILER: &str = "1915:c00a";
/// Black Magic probes (their firmware's README); recalled.
const BLACK_MAGIC: &str = "1d50:6018";
/// SEGGER makes nothing but probes; recalled.
const SEGGER: &str = "1366:";
/// ST-Links of ST (probe-rs's list has the same); recalled.
const ST_LINKS: [&str; 9] = [
    "0483:3744",
    "0483:3748",
    "0483:374b",
    "0483:374d",
    "0483:374e",
    "0483:374f",
    "0483:3752",
    "0483:3753",
    "0483:3754",
];
/// USB classes: a hub; an application's DFU and its second protocol, which is that of a bootloader (DFU 1.1, table 4.4).
const HUB: &str = "09";
const DFU_MODE: [&str; 3] = ["fe", "01", "02"];

/// Everything that was found, sorted.
pub fn discover(i2c: ReadI2c) -> Vec<Found> {
    let mut found = in_sysfs(Path::new("/sys"));
    found.extend(gpio_chips());
    if i2c == ReadI2c::Yes {
        let buses: Vec<PathBuf> = found
            .iter()
            .filter_map(|it| match it {
                Found::I2cBus { path, .. } => Some(path.clone()),
                _ => None,
            })
            .collect();
        for path in buses {
            if let Ok(mut bus) = I2cdev::new(&path) {
                found.extend(on_bus(&path, &mut bus));
            }
        }
    }
    found.sort();
    found
}

fn gpio_chips() -> Vec<Found> {
    let chip = |path: PathBuf| {
        let info = gpiocdev::Chip::from_path(&path).ok()?.info().ok()?;
        Some(Found::GpioChip { label: info.label, lines: info.num_lines, path })
    };
    gpiocdev::chip::chips().unwrap_or_default().into_iter().filter_map(chip).collect()
}

/// What the kernel's tree of devices tells.
fn in_sysfs(sys: &Path) -> Vec<Found> {
    let mut found = Vec::new();
    for folder in entries(&sys.join("bus/usb/devices")) {
        found.extend(usb_device(&folder).and_then(|device| of_usb(&folder, device)));
    }
    for folder in entries(&sys.join("class/tty")) {
        found.extend(serial_port(&folder));
    }
    for folder in entries(&sys.join("class/i2c-dev")) {
        if let (Some(name), Some(node)) = (text(&folder, "name"), folder.file_name()) {
            found.push(Found::I2cBus { path: Path::new("/dev").join(node), name });
        }
    }
    found.sort();
    give_profilers_their_ports(found)
}

/// The serial ports of a profiler are its own.
fn give_profilers_their_ports(found: Vec<Found>) -> Vec<Found> {
    let (ports, mut others): (Vec<Found>, Vec<Found>) = found
        .into_iter()
        .partition(|it| matches!(it, Found::SerialPort { usb: Some((device, _)), .. } if device.id == POWER_PROFILER));
    for port in ports {
        let Found::SerialPort { path, usb: Some((owner, _)) } = &port else { continue };
        let profiler = others.iter_mut().find_map(|it| match it {
            Found::PowerProfiler { device, ports } if device == owner => Some(ports),
            _ => None,
        });
        match profiler {
            Some(ports) => ports.push(path.clone()),
            None => others.push(port),
        }
    }
    others
}

fn entries(folder: &Path) -> Vec<PathBuf> {
    fs::read_dir(folder).map(|entries| entries.flatten().map(|entry| entry.path()).collect()).unwrap_or_default()
}

fn text(folder: &Path, file: &str) -> Option<String> {
    let text = fs::read_to_string(folder.join(file)).ok()?;
    Some(text.trim().to_owned()).filter(|text| !text.is_empty())
}

fn usb_device(folder: &Path) -> Option<UsbDevice> {
    Some(UsbDevice {
        id: format!("{}:{}", text(folder, "idVendor")?, text(folder, "idProduct")?),
        serial: text(folder, "serial"),
        product: text(folder, "product"),
        place: folder.file_name()?.to_string_lossy().into_owned(),
    })
}

fn of_usb(folder: &Path, device: UsbDevice) -> Option<Found> {
    let interfaces: Vec<PathBuf> =
        entries(folder).into_iter().filter(|interface| interface.join("bInterfaceClass").exists()).collect();
    let says_cmsis_dap = |text: Option<String>| text.is_some_and(|text| text.contains("CMSIS-DAP"));
    let is_probe = device.id.starts_with(SEGGER)
        || device.id == BLACK_MAGIC
        || ST_LINKS.contains(&device.id.as_str())
        || says_cmsis_dap(device.product.clone())
        || interfaces.iter().any(|interface| says_cmsis_dap(text(interface, "interface")));
    let class_of = |interface: &PathBuf| {
        ["bInterfaceClass", "bInterfaceSubClass", "bInterfaceProtocol"]
            .map(|file| text(interface, file).unwrap_or_default())
    };
    if text(folder, "bDeviceClass").as_deref() == Some(HUB) {
        // The roots are the computer's own.
        let ports = text(folder, "maxchild").and_then(|ports| ports.parse().ok()).unwrap_or_default();
        return (!device.place.starts_with("usb")).then_some(Found::Hub { device, ports });
    }
    if device.id == POWER_PROFILER {
        return Some(Found::PowerProfiler { device, ports: Vec::new() });
    }
    if is_probe {
        return Some(Found::Probe(device));
    }
    interfaces.iter().any(|interface| class_of(interface) == DFU_MODE).then_some(Found::Bootloader(device))
}

/// Terminals have no device behind them, and a port that is none yet has no driver.
fn serial_port(folder: &Path) -> Option<Found> {
    let device = fs::canonicalize(folder.join("device")).ok()?;
    let path = Path::new("/dev").join(folder.file_name()?);
    let usb = device.ancestors().find_map(|folder| Some((folder.to_owned(), usb_device(folder)?)));
    let Some((_, usb)) = usb else {
        // The 8250 driver has ports in store that are nowhere.
        let is_there = text(folder, "type").is_some_and(|kind| kind != "0");
        return is_there.then_some(Found::SerialPort { path, usb: None });
    };
    let number = device.ancestors().find_map(|folder| text(folder, "bInterfaceNumber"));
    let number = number.and_then(|number| u8::from_str_radix(&number, 16).ok()).unwrap_or_default();
    Some(Found::SerialPort { path, usb: Some((usb, number)) })
}

/// The TCS3472's only address, and the command that reads its part number (data sheet).
const SENSOR: (u8, u8) = (0x29, 0x80 | 0x12);
const SENSOR_PARTS: [u8; 2] = [0x44, 0x4D];
/// Register that holds the maker's id in an INA226 (data sheet), and what an INA219 has in its configuration after power came (data sheet).
const MAKER: (u8, u16) = (0xFE, 0x5449);
const CONFIGURATION: (u8, u16) = (0x00, 0x399F);

/// What answers on a bus, outside its multiplexers.
fn on_bus(path: &Path, bus: &mut impl I2c) -> Vec<Found> {
    let mut found = Vec::new();
    let mut part = [0];
    if bus.write_read(SENSOR.0, &[SENSOR.1], &mut part).is_ok() && SENSOR_PARTS.contains(&part[0]) {
        found.push(Found::ColourSensor { bus: path.to_owned() });
    }
    for address in 0x40..=0x4F {
        let mut holds = |(register, value): (u8, u16)| {
            let mut bytes = [0; 2];
            bus.write_read(address, &[register], &mut bytes).is_ok() && u16::from_be_bytes(bytes) == value
        };
        let part = if holds(MAKER) {
            "ina226"
        } else if holds(CONFIGURATION) {
            "ina219"
        } else {
            continue;
        };
        found.push(Found::Monitor { bus: path.to_owned(), address, part });
    }
    for address in 0x70..=0x77 {
        if bus.read(address, &mut [0]).is_ok() {
            found.push(Found::Multiplexer { bus: path.to_owned(), address });
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use embedded_hal::i2c::{ErrorKind, ErrorType, NoAcknowledgeSource, Operation};

    use super::*;

    fn put(folder: &Path, files: &[(&str, &str)]) {
        fs::create_dir_all(folder).unwrap();
        files.iter().for_each(|(name, text)| fs::write(folder.join(name), format!("{text}\n")).unwrap());
    }

    #[test]
    fn devices_are_told_apart_by_what_the_kernel_says_of_them() {
        let sys = tempfile::tempdir().unwrap();
        let usb = |place: &str| sys.path().join("bus/usb/devices").join(place);
        put(&usb("usb1"), &[("idVendor", "1d6b"), ("idProduct", "0002"), ("bDeviceClass", "09"), ("maxchild", "4")]);
        put(&usb("1-1"), &[("idVendor", "0424"), ("idProduct", "2514"), ("bDeviceClass", "09"), ("maxchild", "4")]);
        let pico =
            [("idVendor", "2e8a"), ("idProduct", "000c"), ("serial", "E66"), ("product", "Debug Probe (CMSIS-DAP)")];
        put(&usb("1-1.2"), &pico);
        put(&usb("1-1.3"), &[("idVendor", "1915"), ("idProduct", "c00a"), ("serial", "C0FFEE"), ("product", "PPK2")]);
        put(&usb("1-1.4"), &[("idVendor", "2b04"), ("idProduct", "d006")]);
        let dfu = [("bInterfaceClass", "fe"), ("bInterfaceSubClass", "01"), ("bInterfaceProtocol", "02")];
        put(&usb("1-1.4").join("1-1.4:1.0"), &dfu);
        put(&usb("1-1.5"), &[("idVendor", "046d"), ("idProduct", "c31c"), ("product", "Keyboard")]);
        for (tty, device) in [("ttyACM0", "1-1.2"), ("ttyACM1", "1-1.3")] {
            let interface = usb(device).join(format!("{device}:1.1"));
            put(&interface, &[("bInterfaceNumber", "01"), ("bInterfaceClass", "02")]);
            put(&sys.path().join("class/tty").join(tty), &[]);
            symlink(&interface, sys.path().join("class/tty").join(tty).join("device")).unwrap();
        }
        put(&sys.path().join("class/tty/console"), &[]);
        put(&sys.path().join("class/i2c-dev/i2c-1"), &[("name", "bcm2835 (i2c@7e804000)")]);
        let told: Vec<String> = in_sysfs(sys.path()).iter().map(|found| format!("{found:?}")).collect();
        insta::assert_snapshot!(told.join("\n"));
    }

    #[test]
    fn a_computer_without_any_of_it_has_nothing() {
        assert_eq!(in_sysfs(Path::new("/nowhere")), []);
    }

    /// A sensor, both monitors and a multiplexer.
    struct Bus;

    impl ErrorType for Bus {
        type Error = ErrorKind;
    }

    impl I2c for Bus {
        fn transaction(&mut self, address: u8, operations: &mut [Operation<'_>]) -> Result<(), ErrorKind> {
            let mut register = 0;
            for operation in operations {
                match operation {
                    Operation::Write(bytes) => register = bytes[0],
                    Operation::Read(bytes) => match (address, register) {
                        (0x29, 0x92) => bytes.copy_from_slice(&[0x44]),
                        (0x40, 0xFE) => bytes.copy_from_slice(&[0x54, 0x49]),
                        (0x45, 0x00) => bytes.copy_from_slice(&[0x39, 0x9F]),
                        (0x40 | 0x45 | 0x4A, _) => bytes.fill(0xFF),
                        (0x70, _) => bytes.fill(0),
                        _ => return Err(ErrorKind::NoAcknowledge(NoAcknowledgeSource::Address)),
                    },
                }
            }
            Ok(())
        }
    }

    #[test]
    fn parts_on_a_bus_are_known_by_their_registers_and_others_are_left_out() {
        let told: Vec<String> =
            on_bus(Path::new("/dev/i2c-1"), &mut Bus).iter().map(|found| format!("{found:?}")).collect();
        insta::assert_snapshot!(told.join("\n"), @r#"
        ColourSensor { bus: "/dev/i2c-1" }
        Monitor { bus: "/dev/i2c-1", address: 64, part: "ina226" }
        Monitor { bus: "/dev/i2c-1", address: 69, part: "ina219" }
        Multiplexer { bus: "/dev/i2c-1", address: 112 }
        "#);
    }
}
