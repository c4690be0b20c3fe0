//! The board's console as a serial port.
//!
//! Boundary: bytes. The converter between the board's UART and USB is taken to be set to the board's rate, whatever rate the host sets.

use brickproof_virtual_board::chip::ConsoleByte;

use crate::board::{Ear, Hand};
use crate::devices::cdc_acm::{CdcAcm, SAID};
use crate::news::News;
use crate::usbip::{Device, Setup, Stall};

pub(super) struct Console {
    port: CdcAcm,
    hand: Hand,
    ear: Ear,
    /// Whether the host asks for what is said. A converter has no room for more than a few bytes that nobody asks for; here it has none.
    is_heard: bool,
}

impl Console {
    pub(super) fn new(hand: Hand, serial: &str) -> Self {
        Self { port: CdcAcm::new(serial), ear: hand.listen(), hand, is_heard: false }
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
        self.port.control(setup, data)
    }

    fn tells(&mut self, news: News) {
        self.ear.tell(news.clone());
        self.port.tells(news);
    }

    fn no_longer_asked(&mut self, endpoint: u8) {
        if endpoint == SAID {
            self.is_heard = false;
            self.port.forget();
        }
    }

    fn unplugged(&mut self) {
        self.is_heard = false;
        self.port.unplugged();
    }

    fn received(&mut self, endpoint: u8, bytes: &[u8]) {
        self.port.received(endpoint, bytes);
        self.hand.type_bytes(&self.port.take_received());
    }

    fn to_send(&mut self, endpoint: u8, room: usize) -> Option<Vec<u8>> {
        let said: Vec<u8> = self.ear.take(usize::MAX).iter().map(|ConsoleByte { value, .. }| *value).collect();
        if self.is_heard && !said.is_empty() {
            self.port.send(&said);
        }
        self.is_heard |= endpoint == SAID;
        self.port.to_send(endpoint, room)
    }
}
