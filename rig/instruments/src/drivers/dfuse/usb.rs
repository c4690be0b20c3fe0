//! What a DfuSe client needs of USB, so that a simulated bootloader can stand where libusb does.
//!
//! Boundary: transfers and descriptors. What they mean is the client's.

use std::path::Path;
use std::time::Duration;

use rusb::UsbContext as _;

use crate::clock::Deadline;
use crate::drivers::serial::place::UsbDevice;
use crate::failure::FailureKind;
use crate::kinds::{Presence, UsbId};

/// Why a transfer did not succeed.
#[derive(Debug)]
pub(crate) enum UsbFault {
    /// The device refused the request; its status says why.
    Stall,
    Other(FailureKind),
}

/// An alternate setting of the interface.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Alternate {
    pub(crate) number: u8,
    pub(crate) name: String,
}

/// A device in its bootloader, opened for us alone.
pub(crate) trait UsbControl: Send {
    fn alternates(&self) -> &[Alternate];
    /// Bytes that a block has at most.
    fn transfer_size(&self) -> u16;
    fn select(&mut self, alternate: u8) -> Result<(), UsbFault>;
    fn receive(&mut self, request: u8, value: u16, length: u16, deadline: Deadline) -> Result<Vec<u8>, UsbFault>;
    fn send(&mut self, request: u8, value: u16, bytes: &[u8], deadline: Deadline) -> Result<(), UsbFault>;
    /// Has the device enumerate anew.
    fn reset(&mut self) -> Result<(), UsbFault>;
}

/// Where devices in their bootloader are found.
pub(crate) trait Bus: Send {
    fn is_there(&self) -> Result<bool, FailureKind>;
    fn open(&self, deadline: Deadline) -> Result<Box<dyn UsbControl>, FailureKind>;
    /// What the board is now, whose firmware has this id.
    fn presence(&self, firmware: UsbId) -> Result<Presence, FailureKind>;
    /// Sends its firmware a request without data.
    fn request(&self, firmware: UsbId, index: u16, deadline: Deadline) -> Result<(), UsbFault>;
}

/// Which device.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Wanted {
    pub(crate) vendor: u16,
    pub(crate) product: u16,
    pub(crate) serial: Option<String>,
    /// As the kernel writes it: bus, then ports, `1-1.3`.
    pub(crate) hub_port: Option<String>,
}

/// The USB of this computer.
pub(crate) struct Libusb {
    pub(crate) wanted: Wanted,
}

type Device = rusb::Device<rusb::Context>;

impl Libusb {
    fn find(&self) -> Result<Vec<Device>, FailureKind> {
        let context = rusb::Context::new()
            .map_err(|error| FailureKind::Missing(format!("this computer has no USB that may be used ({error})")))?;
        let devices = context.devices().map_err(kind)?;
        Ok(devices.iter().filter(|device| self.is_wanted(device)).collect())
    }

    fn is_wanted(&self, device: &Device) -> bool {
        let Wanted { vendor, product, serial, hub_port } = &self.wanted;
        let Ok(descriptor) = device.device_descriptor() else { return false };
        descriptor.vendor_id() == *vendor
            && descriptor.product_id() == *product
            && hub_port.as_ref().is_none_or(|wanted| place(device).as_ref() == Some(wanted))
            && serial.as_ref().is_none_or(|wanted| {
                let said = device.open().and_then(|handle| handle.read_serial_number_string_ascii(&descriptor));
                said.is_ok_and(|said| said == *wanted)
            })
    }
}

/// `1-1.3`.
fn place(device: &Device) -> Option<String> {
    let ports: Vec<String> = device.port_numbers().ok()?.iter().map(u8::to_string).collect();
    Some(format!("{}-{}", device.bus_number(), ports.join(".")))
}

impl Bus for Libusb {
    fn is_there(&self) -> Result<bool, FailureKind> {
        Ok(!self.find()?.is_empty())
    }

    fn open(&self, _deadline: Deadline) -> Result<Box<dyn UsbControl>, FailureKind> {
        let mut found = self.find()?;
        let device = found.pop().ok_or_else(|| FailureKind::Missing("no such device in its bootloader".to_owned()))?;
        if !found.is_empty() {
            let count = found.len() + 1;
            return Err(FailureKind::Missing(format!("{count} such devices: `serial` or `hub_port` must say which")));
        }
        Ok(Box::new(Opened::new(&device)?))
    }

    fn presence(&self, firmware: UsbId) -> Result<Presence, FailureKind> {
        self.presence_in(Path::new("/sys"), firmware)
    }

    fn request(&self, firmware: UsbId, index: u16, deadline: Deadline) -> Result<(), UsbFault> {
        /// To the device itself, of its vendor's own (USB 2.0, table 9-2).
        const VENDOR_OUT: u8 = 0x40;
        /// 'P' (particle-iot/device-os, system/inc/system_control.h).
        const REQUEST: u8 = 0x50;
        let UsbId { vendor, product } = firmware;
        let mut found =
            Self { wanted: Wanted { vendor, product, ..self.wanted.clone() } }.find().map_err(UsbFault::Other)?;
        let missing = |what: String| UsbFault::Other(FailureKind::Missing(what));
        let device = found.pop().ok_or_else(|| missing("its firmware is not on USB".to_owned()))?;
        if !found.is_empty() {
            let count = found.len() + 1;
            return Err(missing(format!("{count} such devices: `serial` or `hub_port` must say which")));
        }
        let handle = device.open().map_err(fault)?;
        let sent = handle.write_control(VENDOR_OUT, REQUEST, 0, index, &[], patience(deadline));
        sent.map(drop).map_err(|error| late(error, deadline))
    }
}

impl Libusb {
    /// Looked up where the kernel tells, so that a device that is only looked at is not opened.
    fn presence_in(&self, sys: &Path, firmware: UsbId) -> Result<Presence, FailureKind> {
        let Wanted { vendor, product, serial, hub_port } = &self.wanted;
        let of = |vendor, product| UsbDevice::Id { vendor, product, serial: serial.clone() };
        let (firmware, bootloader) = (of(firmware.vendor, firmware.product), of(*vendor, *product));
        let devices = std::fs::read_dir(sys.join("bus/usb/devices")).map_err(|error| {
            FailureKind::Missing(format!("this computer has no USB that may be looked at ({error})"))
        })?;
        let mut presence = Presence::Gone;
        for directory in devices.flatten().map(|entry| entry.path()) {
            // An interface, of which there are more than devices, and whoever looks does so fifty times a second.
            if directory.file_name().is_some_and(|name| name.as_encoded_bytes().contains(&b':')) {
                continue;
            }
            let is_there = |name: &String| directory.file_name().is_some_and(|it| it == name.as_str());
            if !hub_port.as_ref().is_none_or(is_there) {
                continue;
            }
            if bootloader.is(&directory) {
                return Ok(Presence::Bootloader);
            }
            if firmware.is(&directory) {
                presence = Presence::Firmware;
            }
        }
        Ok(presence)
    }
}

struct Opened {
    handle: rusb::DeviceHandle<rusb::Context>,
    interface: u8,
    alternates: Vec<Alternate>,
    transfer_size: u16,
}

impl Opened {
    fn new(device: &Device) -> Result<Self, FailureKind> {
        let handle = device.open().map_err(kind)?;
        let configuration = device.active_config_descriptor().map_err(kind)?;
        let settings: Vec<_> = configuration
            .interfaces()
            .flat_map(|interface| interface.descriptors())
            // Application class, DFU, in its bootloader (DFU 1.1, table 4.4).
            .filter(|setting| (setting.class_code(), setting.sub_class_code(), setting.protocol_code()) == (0xFE, 1, 2))
            .collect();
        let interface = settings
            .first()
            .ok_or_else(|| FailureKind::Answer("no interface for DFU: it runs its application".to_owned()))?
            .interface_number();
        let functional = settings.iter().map(|setting| setting.extra()).chain([configuration.extra()]);
        let transfer_size = functional
            .into_iter()
            .find_map(transfer_size)
            .ok_or_else(|| FailureKind::Answer("no functional descriptor with a transfer size".to_owned()))?;
        let alternates = settings
            .iter()
            .filter(|setting| setting.interface_number() == interface)
            .map(|setting| {
                let index = setting.description_string_index();
                let name = index.map_or(Ok(String::new()), |index| handle.read_string_descriptor_ascii(index));
                Ok(Alternate { number: setting.setting_number(), name: name? })
            })
            .collect::<Result<_, rusb::Error>>()
            .map_err(kind)?;
        handle.claim_interface(interface).map_err(kind)?;
        Ok(Self { handle, interface, alternates, transfer_size })
    }
}

/// Finds the functional descriptor of DFU (DFU 1.1, table 4.2) among others, and takes its wTransferSize.
fn transfer_size(mut descriptors: &[u8]) -> Option<u16> {
    const DFU_FUNCTIONAL: u8 = 0x21;
    while let [length, kind, ..] = *descriptors {
        let descriptor = descriptors.get(..usize::from(length))?;
        if let (DFU_FUNCTIONAL, [_, _, _, _, _, low, high, ..]) = (kind, descriptor) {
            return Some(u16::from_le_bytes([*low, *high])).filter(|&size| size > 0);
        }
        // A descriptor of no length would be looked at for ever.
        descriptors = descriptors.get(usize::from(length.max(1))..)?;
    }
    None
}

/// To and from a class's interface (USB 2.0, table 9-2).
const CLASS_IN: u8 = 0xA1;
const CLASS_OUT: u8 = 0x21;

impl UsbControl for Opened {
    fn alternates(&self) -> &[Alternate] {
        &self.alternates
    }

    fn transfer_size(&self) -> u16 {
        self.transfer_size
    }

    fn select(&mut self, alternate: u8) -> Result<(), UsbFault> {
        self.handle.set_alternate_setting(self.interface, alternate).map_err(fault)
    }

    fn receive(&mut self, request: u8, value: u16, length: u16, deadline: Deadline) -> Result<Vec<u8>, UsbFault> {
        let mut bytes = vec![0; length.into()];
        let count = self
            .handle
            .read_control(CLASS_IN, request, value, self.interface.into(), &mut bytes, patience(deadline))
            .map_err(|error| late(error, deadline))?;
        bytes.truncate(count);
        Ok(bytes)
    }

    fn send(&mut self, request: u8, value: u16, bytes: &[u8], deadline: Deadline) -> Result<(), UsbFault> {
        self.handle
            .write_control(CLASS_OUT, request, value, self.interface.into(), bytes, patience(deadline))
            .map(|_| ())
            .map_err(|error| late(error, deadline))
    }

    fn reset(&mut self) -> Result<(), UsbFault> {
        self.handle.reset().map_err(fault)
    }
}

/// Libusb takes no time at all for no limit at all, and counts milliseconds.
fn patience(deadline: Deadline) -> Duration {
    deadline.left().max(Duration::from_millis(1))
}

fn late(error: rusb::Error, deadline: Deadline) -> UsbFault {
    match error {
        rusb::Error::Timeout => UsbFault::Other(FailureKind::NoAnswer(deadline.within())),
        error => fault(error),
    }
}

fn fault(error: rusb::Error) -> UsbFault {
    match error {
        rusb::Error::Pipe => UsbFault::Stall,
        error => UsbFault::Other(kind(error)),
    }
}

fn kind(error: rusb::Error) -> FailureKind {
    match error {
        // A device that is unplugged during a transfer shows as either.
        rusb::Error::NoDevice | rusb::Error::Io => FailureKind::Gone(error.to_string()),
        rusb::Error::NotFound => FailureKind::Missing(error.to_string()),
        rusb::Error::Busy => FailureKind::Busy(error.to_string()),
        rusb::Error::Access => FailureKind::Denied(error.to_string()),
        error => FailureKind::System(std::io::Error::other(error)),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn the_transfer_size_is_found_behind_other_descriptors() {
        let photon = [9, 0x21, 0x0B, 0xFF, 0x00, 0x00, 0x10, 0x1A, 0x01];
        assert_eq!(transfer_size(&photon), Some(4096));
        assert_eq!(transfer_size(&[&[3, 0x24, 7], &photon[..]].concat()), Some(4096));
        assert_eq!(transfer_size(&photon[..7]), None, "it claims more bytes than there are");
        assert_eq!(transfer_size(&[7, 0x21, 0x0B, 0, 0, 0, 0]), None, "blocks of nothing");
        assert_eq!(transfer_size(&[0, 0, 0]), None);
    }

    #[test]
    fn a_board_is_told_from_its_neighbours_by_its_serial_number_and_its_place() {
        let sys = tempfile::tempdir().unwrap();
        let plug = |place: &str, vendor: &str, product: &str, serial: &str| {
            let directory = sys.path().join("bus/usb/devices").join(place);
            std::fs::create_dir_all(&directory).unwrap();
            for (name, text) in [("idVendor", vendor), ("idProduct", product), ("serial", serial)] {
                std::fs::write(directory.join(name), format!("{text}\n")).unwrap();
            }
        };
        let board = |serial: Option<&str>, hub_port: Option<&str>| Libusb {
            wanted: Wanted {
                vendor: 0x2B04,
                product: 0xD006,
                serial: serial.map(str::to_owned),
                hub_port: hub_port.map(str::to_owned),
            },
        };
        let firmware = UsbId { vendor: 0x2B04, product: 0xC006 };
        let presence = |board: Libusb| board.presence_in(sys.path(), firmware).unwrap();
        assert!(board(None, None).presence_in(sys.path(), firmware).is_err(), "nobody could look");
        plug("1-1", "2b04", "c006", "ours");
        plug("1-2", "2b04", "d006", "theirs");
        assert_eq!(presence(board(Some("ours"), None)), Presence::Firmware);
        assert_eq!(presence(board(Some("theirs"), None)), Presence::Bootloader);
        assert_eq!(presence(board(Some("nobody's"), None)), Presence::Gone);
        assert_eq!(presence(board(None, Some("1-1"))), Presence::Firmware);
        assert_eq!(presence(board(None, Some("1-3"))), Presence::Gone);
    }

    proptest! {
        #[test]
        fn no_descriptor_makes_it_panic_or_hang(bytes: Vec<u8>) {
            let _ = transfer_size(&bytes);
        }
    }
}
