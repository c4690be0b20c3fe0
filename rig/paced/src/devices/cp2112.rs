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

/// What the pins are wired to.
pub trait FarSide: Send {
    /// What the adapter does to a pin has changed: it drives it to a level, or lets it go.
    fn driven(&mut self, pin: u8, level: Option<Level>);
    /// The level of a pin that the adapter lets go.
    fn level(&mut self, pin: u8) -> Level;
}

/// Resistors, to ground at first.
#[derive(Default)]
pub struct Pulls {
    up: u8,
}

impl FarSide for Pulls {
    fn driven(&mut self, _: u8, _: Option<Level>) {}

    fn level(&mut self, pin: u8) -> Level {
        if self.up & 1 << pin == 0 { Level::Low } else { Level::High }
    }
}

/// The adapter.
#[derive(Default)]
pub struct Cp2112<F = Pulls> {
    far: F,
    serial: String,
    /// Which pins are outputs.
    outputs: u8,
    /// Which outputs drive high too; the others only pull low.
    push_pull: u8,
    latched: u8,
    /// What the far side knows of.
    drives: [Option<Level>; PINS as usize],
}

const PINS: u8 = 8;

impl Cp2112 {
    /// Pulls a pin from outside.
    pub fn pull(&mut self, pin: u8, pull: Pull) {
        match pull {
            Pull::Up => self.far.up |= 1 << pin,
            Pull::Down => self.far.up &= !(1 << pin),
        }
    }
}

impl<F: FarSide> Cp2112<F> {
    /// An adapter with this serial number, wired to `far`.
    pub fn wired(far: F, serial: &str) -> Self {
        let serial = serial.to_owned();
        Self { far, serial, outputs: 0, push_pull: 0, latched: 0, drives: [None; PINS as usize] }
    }

    /// The level of a pin.
    pub fn level(&mut self, pin: u8) -> Level {
        self.drive(pin).unwrap_or_else(|| self.far.level(pin))
    }

    fn drive(&self, pin: u8) -> Option<Level> {
        let has = |set: u8| set & 1 << pin != 0;
        match (has(self.outputs), has(self.latched)) {
            (true, false) => Some(Level::Low),
            (true, true) if has(self.push_pull) => Some(Level::High),
            _ => None,
        }
    }

    fn tell_far_side(&mut self) {
        for pin in 0..PINS {
            let drive = self.drive(pin);
            if std::mem::replace(&mut self.drives[usize::from(pin)], drive) != drive {
                self.far.driven(pin, drive);
            }
        }
    }

    fn levels(&mut self) -> u8 {
        (0..PINS).filter(|pin| self.level(*pin) == Level::High).fold(0, |levels, pin| levels | 1 << pin)
    }
}

impl<F: FarSide> Device for Cp2112<F> {
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
        ["Brickproof", "CP2112 HID USB-to-SMBus Bridge", &self.serial].map(str::to_owned).to_vec()
    }

    fn descriptor(&self, kind: u8) -> Option<Vec<u8>> {
        const REPORT: u8 = 0x22;
        (kind == REPORT).then(|| REPORT_DESCRIPTOR.to_vec())
    }

    /// Its pins are inputs after a reset.
    fn unplugged(&mut self) {
        (self.outputs, self.push_pull, self.latched) = (0, 0, 0);
        self.tell_far_side();
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
                self.tell_far_side();
                Ok(Vec::new())
            }
            (GET_REPORT, 3) => Ok(vec![3, self.levels()]),
            (SET_REPORT, 4) => {
                let [_, levels, mask, ..] = *data else { return Err(Stall) };
                self.latched = self.latched & !mask | levels & mask;
                self.tell_far_side();
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
