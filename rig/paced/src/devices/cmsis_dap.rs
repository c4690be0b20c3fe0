//! A CMSIS-DAP v2 probe: two bulk endpoints, a command one way, its answer the other.
//!
//! Boundary: packets. What a command does is for the processor behind them. Descriptors as Arm's CMSIS-DAP documentation asks for, "USB
//! bulk endpoints": a vendor's interface whose name has `CMSIS-DAP` in it, first OUT, then IN.

use std::collections::VecDeque;

use super::descriptors::{self, Identity};
use crate::usbip::{Device, Setup, Speed, Stall};

/// The largest command and the largest answer: one packet at high speed.
pub const PACKET: usize = 512;
const COMMANDS: u8 = 0x01;
const ANSWERS: u8 = 0x82;

/// Answers a command.
pub type Processor = Box<dyn FnMut(&[u8]) -> Vec<u8> + Send>;

/// The probe.
pub struct CmsisDap {
    identity: Identity,
    processor: Processor,
    answers: VecDeque<Vec<u8>>,
}

impl CmsisDap {
    /// A probe that says it is this.
    pub fn new(identity: Identity, processor: Processor) -> Self {
        Self { identity, processor, answers: VecDeque::new() }
    }
}

impl Device for CmsisDap {
    fn speed(&self) -> Speed {
        Speed::High
    }

    fn device_descriptor(&self) -> Vec<u8> {
        descriptors::device([0, 0, 0], self.identity.vendor, self.identity.product, 0x0100)
    }

    fn configuration(&self) -> Vec<u8> {
        const VENDORS: [u8; 3] = [0xFF, 0, 0];
        const NAME: u8 = 4;
        let mut body = descriptors::interface(0, 0, 2, VENDORS, NAME);
        body.extend(descriptors::endpoint(COMMANDS, descriptors::BULK, PACKET as u16, 0));
        body.extend(descriptors::endpoint(ANSWERS, descriptors::BULK, PACKET as u16, 0));
        descriptors::configuration(1, &body)
    }

    fn strings(&self) -> Vec<String> {
        let mut strings = self.identity.strings();
        strings.push("CMSIS-DAP v2".to_owned());
        strings
    }

    fn control(&mut self, _: Setup, _: &[u8]) -> Result<Vec<u8>, Stall> {
        Err(Stall)
    }

    fn received(&mut self, _: u8, bytes: &[u8]) {
        self.answers.push_back((self.processor)(bytes));
    }

    fn to_send(&mut self, endpoint: u8, room: usize) -> Option<Vec<u8>> {
        if endpoint != ANSWERS & 0x0F {
            return None;
        }
        let mut answer = self.answers.pop_front()?;
        answer.truncate(room);
        Some(answer)
    }
}
