//! A CDC-ACM device: a serial port of a board, for which the kernel makes /dev/ttyACM0.
//!
//! Boundary: bytes and what the host set (rate, DTR, RTS). What the board answers is the caller's. Requests as in USB CDC PSTN 1.2.

use std::collections::VecDeque;

use super::descriptors::{self, Identity};
use crate::news::News;
use crate::usbip::{Device, Setup, Stall};

const NOTIFICATIONS: u8 = 0x82;
const TO_DEVICE: u8 = 0x01;
const TO_HOST: u8 = 0x81;
/// The endpoint of what the device says.
pub const SAID: u8 = TO_HOST & 0x0F;

/// The device.
#[derive(Default)]
pub struct CdcAcm {
    identity: Identity,
    /// What the host sent, oldest first.
    received: Vec<u8>,
    /// What waits for the host.
    outgoing: VecDeque<u8>,
    /// Every rate that the host set, in order.
    rates: Vec<u32>,
    modem: u16,
    coding: Vec<u8>,
    news: News,
}

impl CdcAcm {
    /// A Photon's console, with this serial number.
    pub fn new(serial: &str) -> Self {
        Self::of(Identity::new(0x2B04, 0xC006, "serial console", serial))
    }

    /// A serial port that says it is this.
    pub fn of(identity: Identity) -> Self {
        Self { identity, ..Self::default() }
    }

    /// Its serial number.
    pub fn serial(&self) -> &str {
        &self.identity.serial
    }

    /// Sends bytes to the host.
    pub fn send(&mut self, bytes: &[u8]) {
        self.outgoing.extend(bytes);
        self.news.tell();
    }

    /// Drops what was sent and the host has not taken.
    pub fn forget(&mut self) {
        self.outgoing.clear();
    }

    /// How much of what was sent the host has not taken yet, in bytes.
    pub fn backlog(&self) -> usize {
        self.outgoing.len()
    }

    /// Takes what the host sent.
    pub fn take_received(&mut self) -> Vec<u8> {
        std::mem::take(&mut self.received)
    }

    /// Every rate that the host set, in baud and in order.
    pub fn rates(&self) -> &[u32] {
        &self.rates
    }

    /// Whether the host asserts DTR, and RTS.
    pub fn modem_lines(&self) -> [bool; 2] {
        [self.modem & 1 != 0, self.modem & 2 != 0]
    }
}

impl Device for CdcAcm {
    fn device_descriptor(&self) -> Vec<u8> {
        descriptors::device([2, 0, 0], self.identity.vendor, self.identity.product, 0x0250)
    }

    fn configuration(&self) -> Vec<u8> {
        let mut body = descriptors::interface(0, 0, 1, [2, 2, 1], 0);
        // Header, call management, abstract control with line coding, union of interfaces 0 and 1.
        body.extend([5, 0x24, 0, 0x10, 1, 5, 0x24, 1, 0, 1, 4, 0x24, 2, 2, 5, 0x24, 6, 0, 1]);
        body.extend(descriptors::endpoint(NOTIFICATIONS, descriptors::INTERRUPT, 8, 16));
        body.extend(descriptors::interface(1, 0, 2, [0x0A, 0, 0], 0));
        body.extend(descriptors::endpoint(TO_DEVICE, descriptors::BULK, 64, 0));
        body.extend(descriptors::endpoint(TO_HOST, descriptors::BULK, 64, 0));
        descriptors::configuration(2, &body)
    }

    fn strings(&self) -> Vec<String> {
        self.identity.strings()
    }

    fn control(&mut self, setup: Setup, data: &[u8]) -> Result<Vec<u8>, Stall> {
        const NINETY_SIX_HUNDRED: [u8; 7] = [0x80, 0x25, 0, 0, 0, 0, 8];
        match (setup.kind, setup.request) {
            // SET_LINE_CODING, GET_LINE_CODING, SET_CONTROL_LINE_STATE, SEND_BREAK.
            (0x21, 0x20) => {
                let [a, b, c, d, ..] = *data else { return Err(Stall) };
                self.rates.push(u32::from_le_bytes([a, b, c, d]));
                self.coding = data.to_vec();
                Ok(Vec::new())
            }
            (0xA1, 0x21) if self.coding.is_empty() => Ok(NINETY_SIX_HUNDRED.to_vec()),
            (0xA1, 0x21) => Ok(self.coding.clone()),
            (0x21, 0x22) => {
                self.modem = setup.value;
                Ok(Vec::new())
            }
            (0x21, 0x23) => Ok(Vec::new()),
            _ => Err(Stall),
        }
    }

    fn tells(&mut self, news: News) {
        self.news = news;
    }

    /// The next host finds a port that nobody has opened.
    fn unplugged(&mut self) {
        self.modem = 0;
        self.coding.clear();
        self.forget();
    }

    fn received(&mut self, _: u8, bytes: &[u8]) {
        self.received.extend_from_slice(bytes);
    }

    fn to_send(&mut self, endpoint: u8, room: usize) -> Option<Vec<u8>> {
        if endpoint != SAID || self.outgoing.is_empty() {
            return None;
        }
        let count = room.min(self.outgoing.len());
        Some(self.outgoing.drain(..count).collect())
    }
}
