//! Boards in a USB bootloader that speaks DfuSe: Particle's, ST's, and their kin.
//!
//! Boundary: one device in its bootloader, opened anew for each call, because it comes and goes. How it gets there is for buttons, baud rates
//! and commands.

mod client;
mod layout;
mod usb;

use brickproof_units::Span;

use crate::capability::{Capabilities, Timing};
use crate::clock::{Deadline, Moment};
use crate::factory::{Factory, Instrument, Kind};
use crate::failure::{Failure, FailureKind};
use crate::kinds::{Dfu, Presence, Region, UsbId};
use crate::settings::{Setting, SettingKind, Settings};

use client::Client;
use usb::{Bus, Libusb, UsbControl, UsbFault, Wanted};

const SETTINGS: &[Setting] = &[
    Setting {
        name: "usb",
        kind: SettingKind::Text,
        required: true,
        about: "Vendor and product of the device in its bootloader, `2b04:d006`.",
    },
    Setting {
        name: "serial",
        kind: SettingKind::Text,
        required: false,
        about: "Its serial number; without it and `hub_port`, only one such device may be there.",
    },
    Setting {
        name: "hub_port",
        kind: SettingKind::Text,
        required: false,
        about: "The USB port that it is plugged into, `1-1.3`.",
    },
    Setting {
        name: "application",
        kind: SettingKind::Number,
        required: false,
        about: "The address to which leaving jumps, for bootloaders that jump; if not given, none is set.",
    },
];

/// The driver of DfuSe bootloaders.
pub(crate) struct DfuseFactory;

impl Factory for DfuseFactory {
    fn driver(&self) -> &'static str {
        "dfuse"
    }

    fn kind(&self) -> Kind {
        Kind::Dfu
    }

    fn about(&self) -> &'static str {
        "a USB bootloader that speaks DfuSe, such as Particle's or ST's"
    }

    fn settings(&self) -> &'static [Setting] {
        SETTINGS
    }

    fn capabilities(&self, _settings: &Settings) -> Capabilities {
        Capabilities::only(Timing {
            latency: Span::millis(1),
            uncertainty: Span::millis(1),
            source: "one frame of full-speed USB; when the device acts on a request after it is not known",
        })
    }

    fn open(&self, settings: &Settings, _deadline: Deadline) -> Result<Instrument, Failure> {
        let id = settings.text("usb").unwrap_or_default();
        let wrong = |what: String| {
            Failure::new(format!("dfu {id}"), "understand which device it is", FailureKind::Missing(what))
        };
        let (vendor, product) = crate::usb_id::parse(id)
            .ok_or_else(|| wrong(format!("`{id}` is no USB id")).with_help("`usb: 2b04:d006`"))?;
        let application = settings
            .number("application")
            .map(|address| u32::try_from(address).map_err(|_| wrong(format!("{address:#x} is no address of 32 bits"))))
            .transpose()?;
        let wanted = Wanted {
            vendor,
            product,
            serial: settings.text("serial").map(str::to_owned),
            hub_port: settings.text("hub_port").map(str::to_owned),
        };
        // Not opened yet: most of the time a board is not in its bootloader.
        Ok(Instrument::Dfu(Box::new(Dfuse { device: format!("dfu {id}"), bus: Libusb { wanted }, application })))
    }
}

struct Dfuse<B> {
    device: String,
    bus: B,
    application: Option<u32>,
}

impl<B: Bus> Dfuse<B> {
    fn with<R>(
        &self,
        asked: impl FnOnce() -> String,
        deadline: Deadline,
        act: impl FnOnce(&mut dyn UsbControl) -> Result<R, FailureKind>,
    ) -> Result<R, Failure> {
        self.bus
            .open(deadline)
            .and_then(|mut usb| act(&mut *usb))
            .map_err(|kind| explain(Failure::new(&self.device, asked(), kind)))
    }
}

fn explain(failure: Failure) -> Failure {
    match failure.kind() {
        FailureKind::Denied(_) => failure.with_help("a udev rule must give this user the device"),
        _ => failure,
    }
}

impl<B: Bus> Dfu for Dfuse<B> {
    fn is_there(&mut self, _deadline: Deadline) -> Result<bool, Failure> {
        self.bus.is_there().map_err(|kind| Failure::new(&self.device, "look for it", kind))
    }

    fn upload(&mut self, alternate: u8, region: Region, deadline: Deadline) -> Result<Vec<u8>, Failure> {
        let Region { address, length } = region;
        let asked = || format!("read {length} bytes at {address:#010x} of alternate setting {alternate}");
        self.with(asked, deadline, |usb| Client::new(usb, alternate, deadline)?.upload(region))
    }

    fn download(&mut self, alternate: u8, address: u32, bytes: &[u8], deadline: Deadline) -> Result<(), Failure> {
        let asked = || format!("write {} bytes at {address:#010x} of alternate setting {alternate}", bytes.len());
        self.with(asked, deadline, |usb| Client::new(usb, alternate, deadline)?.download(address, bytes))
    }

    fn presence(&mut self, firmware: UsbId, _deadline: Deadline) -> Result<Presence, Failure> {
        self.bus.presence(firmware).map_err(|kind| Failure::new(&self.device, "look what the board is on USB", kind))
    }

    fn request(&mut self, firmware: UsbId, index: u16, deadline: Deadline) -> Result<Moment, Failure> {
        let done = Moment::of(|| self.bus.request(firmware, index, deadline)).map(|((), moment)| moment);
        done.map_err(|fault| {
            let kind = match fault {
                UsbFault::Stall => FailureKind::Refused("its firmware refuses it (a stall)".to_owned()),
                UsbFault::Other(kind) => kind,
            };
            explain(Failure::new(&self.device, format!("send the firmware request {index}"), kind))
        })
    }

    fn leave(&mut self, deadline: Deadline) -> Result<Moment, Failure> {
        let asked = || "leave its bootloader".to_owned();
        self.with(asked, deadline, |usb| Client::new(usb, 0, deadline)?.leave(self.application))
    }
}

#[cfg(test)]
mod bootloader;
#[cfg(test)]
mod tests;
