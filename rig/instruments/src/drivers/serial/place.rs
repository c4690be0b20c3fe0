//! Where a port is: a path, or a USB device whose port is looked up in sysfs each time, because its name changes when it is plugged in again.
//!
//! Boundary: names. Nothing is opened.

use std::fmt;
use std::fs;
use std::path::{Path, PathBuf};

use crate::failure::{Failure, FailureKind};
use crate::settings::Settings;
use crate::usb_id;

/// Where a port is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Place {
    Path(PathBuf),
    Usb { device: UsbDevice, interface: Option<u8> },
}

/// Which USB device a port belongs to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum UsbDevice {
    /// By what it says about itself.
    Id { vendor: u16, product: u16, serial: Option<String> },
    /// By where it is plugged in, as the kernel writes it: bus, then ports, `1-1.3`.
    HubPort(String),
}

impl Place {
    /// As the bench file says.
    pub(crate) fn of(settings: &Settings) -> Result<Self, Failure> {
        let wrong = |what: String| {
            Failure::new("console", "understand where its port is", FailureKind::Missing(what))
                .with_help("give `path`, or `usb: 2b04:c006` (and `serial`), or `hub_port: 1-1.3`")
        };
        let interface = settings
            .number("interface")
            .map(|number| u8::try_from(number).map_err(|_| wrong(format!("USB has no interface {number}"))))
            .transpose()?;
        let device = match (settings.text("path"), settings.text("usb"), settings.text("hub_port")) {
            (Some(path), None, None) => return Ok(Self::Path(path.into())),
            (None, Some(id), None) => {
                let (vendor, product) = usb_id::parse(id).ok_or_else(|| wrong(format!("`{id}` is no USB id")))?;
                UsbDevice::Id { vendor, product, serial: settings.text("serial").map(str::to_owned) }
            }
            (None, None, Some(port)) => UsbDevice::HubPort(port.to_owned()),
            (None, None, None) => return Err(wrong("it has no address".to_owned())),
            _ => return Err(wrong("it has more than one address".to_owned())),
        };
        Ok(Self::Usb { device, interface })
    }

    /// The device node of the port now. `sys` is where sysfs is mounted.
    pub(crate) fn find(&self, sys: &Path) -> Result<PathBuf, FailureKind> {
        let (device, interface) = match self {
            Self::Path(path) => return Ok(path.clone()),
            Self::Usb { device, interface } => (device, *interface),
        };
        let mut found: Vec<PathBuf> = ports(sys)
            .filter(|port| device.is(&port.device) && interface.is_none_or(|number| port.interface == Some(number)))
            .map(|port| Path::new("/dev").join(port.name))
            .collect();
        found.sort();
        match (found.pop(), found.len()) {
            (None, _) => Err(FailureKind::Missing(format!("no serial port belongs to {device}"))),
            (Some(path), 0) => Ok(path),
            (Some(path), _) => {
                let others: Vec<_> = found.iter().map(|path| path.display().to_string()).collect();
                Err(FailureKind::Missing(format!(
                    "{device} has several ports, {} and {}: `serial` or `interface` must say which",
                    others.join(", "),
                    path.display()
                )))
            }
        }
    }

    /// How long its adapter may keep bytes to itself, where the kernel says so.
    pub(crate) fn latency_timer_ms(sys: &Path, node: &Path) -> Option<u64> {
        let node = fs::canonicalize(node).unwrap_or_else(|_| node.to_owned());
        let timer = sys.join("class/tty").join(node.file_name()?).join("device/latency_timer");
        fs::read_to_string(timer).ok()?.trim().parse().ok()
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Path(path) => path.display().fmt(f),
            Self::Usb { device, interface: None } => device.fmt(f),
            Self::Usb { device, interface: Some(number) } => write!(f, "{device}, interface {number}"),
        }
    }
}

impl UsbDevice {
    pub(crate) fn is(&self, directory: &Path) -> bool {
        let hex = |name| text(directory, name).and_then(|digits| u16::from_str_radix(&digits, 16).ok());
        match self {
            Self::HubPort(port) => directory.file_name().is_some_and(|name| name == port.as_str()),
            Self::Id { vendor, product, serial } => {
                hex("idVendor") == Some(*vendor)
                    && hex("idProduct") == Some(*product)
                    && serial.as_ref().is_none_or(|wanted| text(directory, "serial").as_ref() == Some(wanted))
            }
        }
    }
}

impl fmt::Display for UsbDevice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::HubPort(port) => write!(f, "USB port {port}"),
            Self::Id { vendor, product, serial: None } => write!(f, "USB device {vendor:04x}:{product:04x}"),
            Self::Id { vendor, product, serial: Some(serial) } => {
                write!(f, "USB device {vendor:04x}:{product:04x} with serial number {serial}")
            }
        }
    }
}

/// A terminal that belongs to a USB device.
struct UsbPort {
    name: std::ffi::OsString,
    /// The device's directory in sysfs.
    device: PathBuf,
    interface: Option<u8>,
}

fn ports(sys: &Path) -> impl Iterator<Item = UsbPort> {
    let terminals = fs::read_dir(sys.join("class/tty")).into_iter().flatten().flatten();
    terminals.filter_map(|terminal| {
        let behind = fs::canonicalize(terminal.path().join("device")).ok()?;
        // The terminal hangs on the interface (cdc-acm) or on a port below it (usb-serial).
        let has = |name: &str| behind.ancestors().find(|directory| directory.join(name).is_file()).map(Path::to_owned);
        let interface = has("bInterfaceNumber").and_then(|directory| text(&directory, "bInterfaceNumber"));
        Some(UsbPort {
            name: terminal.file_name(),
            device: has("idVendor")?,
            interface: interface.and_then(|digits| u8::from_str_radix(&digits, 16).ok()),
        })
    })
}

fn text(directory: &Path, name: &str) -> Option<String> {
    fs::read_to_string(directory.join(name)).ok().map(|text| text.trim().to_owned())
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;
    use crate::settings::Value;

    /// A sysfs as Linux 6.1 lays it out, with a Photon on port 1-1.3 and an adapter with two ports on 1-1.4.
    fn sysfs() -> tempfile::TempDir {
        let root = tempfile::tempdir().unwrap();
        let sys = root.path();
        device(sys, "1-1.3", "2b04", "c006", Some("31004A000251"));
        terminal(sys, "1-1.3/1-1.3:1.0", "00", "ttyACM7", "1-1.3/1-1.3:1.0");
        device(sys, "1-1.4", "0403", "6010", None);
        terminal(sys, "1-1.4/1-1.4:1.0", "00", "ttyUSB0", "1-1.4/1-1.4:1.0/ttyUSB0");
        terminal(sys, "1-1.4/1-1.4:1.1", "01", "ttyUSB1", "1-1.4/1-1.4:1.1/ttyUSB1");
        fs::create_dir_all(sys.join("class/tty/console")).unwrap();
        root
    }

    fn device(sys: &Path, port: &str, vendor: &str, product: &str, serial: Option<&str>) {
        let directory = sys.join("devices/usb1/1-1").join(port);
        fs::create_dir_all(&directory).unwrap();
        fs::write(directory.join("idVendor"), format!("{vendor}\n")).unwrap();
        fs::write(directory.join("idProduct"), format!("{product}\n")).unwrap();
        if let Some(serial) = serial {
            fs::write(directory.join("serial"), format!("{serial}\n")).unwrap();
        }
    }

    fn terminal(sys: &Path, interface: &str, number: &str, name: &str, behind: &str) {
        let devices = sys.join("devices/usb1/1-1");
        fs::create_dir_all(devices.join(behind)).unwrap();
        fs::write(devices.join(interface).join("bInterfaceNumber"), format!("{number}\n")).unwrap();
        let class = sys.join("class/tty").join(name);
        fs::create_dir_all(&class).unwrap();
        symlink(devices.join(behind), class.join("device")).unwrap();
    }

    fn place(settings: &[(&str, Value)]) -> Result<Place, Failure> {
        Place::of(&settings.iter().fold(Settings::new(), |all, (name, value)| all.with(name, value.clone())))
    }

    fn text(value: &str) -> Value {
        Value::Text(value.to_owned())
    }

    fn found(settings: &[(&str, Value)]) -> Result<PathBuf, FailureKind> {
        place(settings).unwrap().find(sysfs().path())
    }

    #[test]
    fn a_port_is_found_by_usb_id_by_serial_number_and_by_hub_port() {
        for by in [
            vec![("usb", text("2b04:c006"))],
            vec![("usb", text("2B04:C006")), ("serial", text("31004A000251"))],
            vec![("hub_port", text("1-1.3"))],
        ] {
            assert_eq!(found(&by).unwrap(), Path::new("/dev/ttyACM7"), "{by:?}");
        }
        let second = [("hub_port", text("1-1.4")), ("interface", Value::Number(1))];
        assert_eq!(found(&second).unwrap(), Path::new("/dev/ttyUSB1"));
    }

    #[test]
    fn a_port_that_is_not_there_or_not_alone_is_named() {
        let absent = found(&[("usb", text("2b04:c006")), ("serial", text("other"))]).unwrap_err();
        insta::assert_snapshot!(absent, @"not found: no serial port belongs to USB device 2b04:c006 with serial number other");
        let two = found(&[("usb", text("0403:6010"))]).unwrap_err();
        insta::assert_snapshot!(two, @"not found: USB device 0403:6010 has several ports, /dev/ttyUSB0 and /dev/ttyUSB1: `serial` or `interface` must say which");
    }

    #[test]
    fn an_address_that_says_nothing_or_two_things_is_refused() {
        for by in [
            vec![],
            vec![("path", text("/dev/ttyS0")), ("hub_port", text("1-1"))],
            vec![("usb", text("2b04"))],
            vec![("hub_port", text("1-1")), ("interface", Value::Number(300))],
        ] {
            let failure = place(&by).unwrap_err();
            assert!(failure.help().is_some(), "{failure}");
        }
    }

    #[test]
    fn the_latency_timer_of_an_adapter_is_read_where_there_is_one() {
        let sys = sysfs();
        fs::write(sys.path().join("devices/usb1/1-1/1-1.4/1-1.4:1.0/ttyUSB0/latency_timer"), "16\n").unwrap();
        assert_eq!(Place::latency_timer_ms(sys.path(), Path::new("/dev/ttyUSB0")), Some(16));
        assert_eq!(Place::latency_timer_ms(sys.path(), Path::new("/dev/ttyACM7")), None);
    }
}
