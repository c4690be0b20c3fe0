//! A CP2112: a USB adapter whose eight pins are a GPIO chip for the kernel (hid-cp2112), wired to whatever pulls at them.
//!
//! Boundary: the pins. It shows what gpio-sim cannot: a line that is let go, and that something else pulls. Reports as in Linux,
//! drivers/hid/hid-cp2112.c, and Silicon Labs AN495.

use super::descriptors;
use crate::line::{Level, Pull};
use crate::usbip::{Device, Setup, Stall};

/// Reports 2 (pins, feature), 13h and 14h (transfers, unused here).
const REPORT_DESCRIPTOR: [u8; 39] = [
    0x06, 0x00, 0xFF, 0x09, 0x01, 0xA1, 0x01, 0x15, 0x00, 0x26, 0xFF, 0x00, 0x75, 0x08, // vendor page, bytes
    0x85, 0x02, 0x95, 0x04, 0x09, 0x01, 0xB1, 0x02, // four bytes of feature report 2
    0x85, 0x13, 0x95, 0x3F, 0x09, 0x01, 0x81, 0x02, // input report 13h
    0x85, 0x14, 0x95, 0x3F, 0x09, 0x01, 0x91, 0x02, // output report 14h
    0xC0,
];

/// The adapter.
#[derive(Default)]
pub struct Cp2112 {
    /// Which pins are outputs.
    outputs: u8,
    /// Which outputs drive high too; the others only pull low.
    push_pull: u8,
    latched: u8,
    pulled_up: u8,
}

impl Cp2112 {
    /// Pulls a pin from outside.
    pub fn pull(&mut self, pin: u8, pull: Pull) {
        match pull {
            Pull::Up => self.pulled_up |= 1 << pin,
            Pull::Down => self.pulled_up &= !(1 << pin),
        }
    }

    /// The level of a pin.
    pub fn level(&self, pin: u8) -> Level {
        if self.levels() & 1 << pin == 0 { Level::Low } else { Level::High }
    }

    fn levels(&self) -> u8 {
        let driven_high = self.outputs & self.push_pull & self.latched;
        let driven_low = self.outputs & !self.latched;
        (self.pulled_up | driven_high) & !driven_low
    }
}

impl Device for Cp2112 {
    fn device_descriptor(&self) -> Vec<u8> {
        descriptors::device([0, 0, 0], 0x10C4, 0xEA90, 0x0100)
    }

    fn configuration(&self) -> Vec<u8> {
        const HID: [u8; 3] = [3, 0, 0];
        let mut body = descriptors::interface(0, 0, 2, HID, 0);
        body.extend([9, 0x21, 0x01, 0x01, 0, 1, 0x22, REPORT_DESCRIPTOR.len() as u8, 0]);
        body.extend(descriptors::endpoint(0x81, descriptors::INTERRUPT, 64, 1));
        body.extend(descriptors::endpoint(0x02, descriptors::INTERRUPT, 64, 1));
        descriptors::configuration(1, &body)
    }

    fn strings(&self) -> Vec<String> {
        ["Brickproof", "CP2112 HID USB-to-SMBus Bridge", "virtual"].map(str::to_owned).to_vec()
    }

    fn descriptor(&self, kind: u8) -> Option<Vec<u8>> {
        const REPORT: u8 = 0x22;
        (kind == REPORT).then(|| REPORT_DESCRIPTOR.to_vec())
    }

    fn control(&mut self, setup: Setup, data: &[u8]) -> Result<Vec<u8>, Stall> {
        const GET_REPORT: (u8, u8) = (0xA1, 1);
        const SET_REPORT: (u8, u8) = (0x21, 9);
        let [report, _] = setup.value.to_le_bytes();
        match ((setup.kind, setup.request), report) {
            // Direction and drive of the pins.
            (GET_REPORT, 2) => Ok(vec![2, self.outputs, self.push_pull, 0, 0]),
            (SET_REPORT, 2) => {
                let [_, outputs, push_pull, ..] = *data else { return Err(Stall) };
                (self.outputs, self.push_pull) = (outputs, push_pull);
                Ok(Vec::new())
            }
            (GET_REPORT, 3) => Ok(vec![3, self.levels()]),
            (SET_REPORT, 4) => {
                let [_, levels, mask, ..] = *data else { return Err(Stall) };
                self.latched = self.latched & !mask | levels & mask;
                Ok(Vec::new())
            }
            // Part number and version, SMBus settings, USB identity, lock byte.
            (GET_REPORT, 5) => Ok(vec![5, 0x0C, 2]),
            (GET_REPORT, 6) => Ok(vec![6, 0, 1, 0x86, 0xA0, 2, 0, 0, 0, 0, 0, 0, 0, 0]),
            (GET_REPORT, 0x21) => Ok(vec![0x21, 0xC4, 0x10, 0x90, 0xEA, 50, 0, 1, 0]),
            (GET_REPORT, other) => Ok(vec![other, 2, 3]),
            _ if setup.kind == 0x21 => Ok(Vec::new()),
            _ => Err(Stall),
        }
    }
}
