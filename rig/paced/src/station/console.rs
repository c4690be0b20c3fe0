//! The board's console as a serial port.
//!
//! Boundary: bytes. The converter between the board's UART and USB is taken to be set to the board's rate, whatever rate the host sets.

use brickproof_virtual_board::chip::ConsoleByte;

use crate::board::{Ear, Hand};
use crate::devices::cdc_acm::CdcAcm;
use crate::news::News;
use crate::usbip::{Device, Setup, Stall};

pub(super) struct Console {
    port: CdcAcm,
    hand: Hand,
    ear: Ear,
}

impl Console {
    pub(super) fn new(hand: Hand, serial: &str) -> Self {
        Self { port: CdcAcm::new(serial), ear: hand.listen(), hand }
    }
}

impl Device for Console {
    fn device_descriptor(&self) -> Vec<u8> {
        self.port.device_descriptor()
    }

    fn configuration(&self) -> Vec<u8> {
        self.port.configuration()
    }

    fn strings(&self) -> Vec<String> {
        self.port.strings()
    }

    fn control(&mut self, setup: Setup, data: &[u8]) -> Result<Vec<u8>, Stall> {
        let [was_open, _] = self.port.modem_lines();
        let answer = self.port.control(setup, data);
        if let ([true, _], false) = (self.port.modem_lines(), was_open) {
            // Nobody was there to hear it: a converter has no room for more than a few bytes, and what it had for a host before is not for this one.
            self.ear.take(usize::MAX);
            self.port.forget();
        }
        answer
    }

    fn tells(&mut self, news: News) {
        self.ear.tell(news.clone());
        self.port.tells(news);
    }

    fn unplugged(&mut self) {
        self.port.unplugged();
    }

    fn received(&mut self, endpoint: u8, bytes: &[u8]) {
        self.port.received(endpoint, bytes);
        self.hand.type_bytes(&self.port.take_received());
    }

    fn to_send(&mut self, endpoint: u8, room: usize) -> Option<Vec<u8>> {
        let heard: Vec<u8> = self.ear.take(usize::MAX).iter().map(|ConsoleByte { value, .. }| *value).collect();
        if !heard.is_empty() {
            self.port.send(&heard);
        }
        self.port.to_send(endpoint, room)
    }
}
