//! Control transfers to a hub through libusb.
//!
//! Boundary: finding the hub and passing bytes. What they mean is the driver's.

use std::time::Duration;

use rusb::{Context, Device, DeviceHandle, UsbContext};

use super::{Hub, Request};
use crate::clock::Deadline;
use crate::failure::FailureKind;

/// USB 3 hubs answer to another descriptor and keep their power bit elsewhere.
const USB3: rusb::Version = rusb::Version(3, 0, 0);

pub(super) struct Opened {
    handle: DeviceHandle<Context>,
    is_usb3: bool,
}

/// The hub at a place as the kernel names it: `1-1.4`, or `usb1` for a root hub.
pub(super) fn open(place: &str) -> Result<Opened, FailureKind> {
    let failed = |error| kind(error, Deadline::after(super::TRANSFER));
    // The global context of `rusb` panics on a machine without USB.
    let context = Context::new().map_err(|error| FailureKind::Missing(format!("USB on this machine: {error}")))?;
    let devices = context.devices().map_err(failed)?;
    let mut hubs = Vec::new();
    for device in devices.iter() {
        let Ok(descriptor) = device.device_descriptor() else { continue };
        if descriptor.class_code() != rusb::constants::LIBUSB_CLASS_HUB {
            continue;
        }
        let found = name(&device);
        if found == place {
            let handle = device.open().map_err(failed)?;
            return Ok(Opened { handle, is_usb3: descriptor.usb_version() >= USB3 });
        }
        hubs.push(found);
    }
    hubs.sort();
    let there = if hubs.is_empty() { "none".to_owned() } else { hubs.join(", ") };
    Err(FailureKind::Missing(format!("no USB hub at {place}; there are: {there}")))
}

fn name(device: &Device<Context>) -> String {
    let ports: Vec<String> = device.port_numbers().unwrap_or_default().iter().map(u8::to_string).collect();
    match ports.is_empty() {
        true => format!("usb{}", device.bus_number()),
        false => format!("{}-{}", device.bus_number(), ports.join(".")),
    }
}

impl Hub for Opened {
    fn is_usb3(&self) -> bool {
        self.is_usb3
    }

    fn read(&mut self, request: Request, buffer: &mut [u8], deadline: Deadline) -> Result<usize, FailureKind> {
        let Request { kind: type_, number, value, index } = request;
        self.handle
            .read_control(type_, number, value, index, buffer, patience(deadline)?)
            .map_err(|error| kind(error, deadline))
    }

    fn write(&mut self, request: Request, deadline: Deadline) -> Result<(), FailureKind> {
        let Request { kind: type_, number, value, index } = request;
        self.handle
            .write_control(type_, number, value, index, &[], patience(deadline)?)
            .map(|_| ())
            .map_err(|error| kind(error, deadline))
    }
}

/// What is left, for calls that take zero to mean for ever.
fn patience(deadline: Deadline) -> Result<Duration, FailureKind> {
    let left = deadline.left();
    if left.is_zero() { Err(FailureKind::NoAnswer(deadline.within())) } else { Ok(left.max(Duration::from_millis(1))) }
}

fn kind(error: rusb::Error, deadline: Deadline) -> FailureKind {
    match error {
        rusb::Error::NoDevice | rusb::Error::Io => FailureKind::Gone(error.to_string()),
        rusb::Error::NotFound => FailureKind::Missing(error.to_string()),
        rusb::Error::Access => FailureKind::Denied(error.to_string()),
        rusb::Error::Busy => FailureKind::Busy(error.to_string()),
        rusb::Error::Timeout => FailureKind::NoAnswer(deadline.within()),
        rusb::Error::Pipe => FailureKind::Unsupported("the hub refuses this request".to_owned()),
        _ => FailureKind::Answer(error.to_string()),
    }
}
