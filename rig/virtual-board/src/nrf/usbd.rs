//! USBD: whether the chip is attached, and control endpoint 0.
//!
//! Boundary: registers. Memory is the chip's: a task that moves bytes asks for it ([`Usbd::take_transfer`]). Standard requests, which enumeration is
//! made of, do not come by here; nor do other endpoints, isochronous transfers, suspend and resume. Transfers take no time: those of endpoint 0
//! are over within a frame (assumption). Source: nRF52840 product specification v1.1, USBD.

use crate::nrf::peripheral::{EventSet, Events, NEVER, NONE, Peripheral, event};
use crate::usb::{Setup, UsbAnswer};

const STARTED: EventSet = event(0x104);
const END_EP_IN: EventSet = event(0x108);
const EP0_DATA_DONE: EventSet = event(0x128);
const END_EP_OUT: EventSet = event(0x130);
const USB_EVENT: EventSet = event(0x158);
const EP0_SETUP: EventSet = event(0x15C);

/// EVENTCAUSE.READY.
const READY: u32 = 1 << 11;
/// Bytes that endpoint 0 takes in one packet, and its buffer holds.
const PACKET: usize = 64;

/// Bytes that EasyDMA moves.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Transfer {
    /// To memory at this address.
    ToMemory { address: u32, bytes: Vec<u8> },
    /// So many from memory at this address.
    FromMemory { address: u32, count: usize },
}

/// How far a control transfer has come.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Control {
    Idle,
    /// The firmware has not answered.
    Asked {
        setup: Setup,
        data: Vec<u8>,
    },
    /// Bytes from the host are in the endpoint's buffer.
    Received {
        data: Vec<u8>,
    },
    /// Bytes for the host are there.
    Given(Vec<u8>),
    Over(UsbAnswer),
}

/// The USB device.
#[derive(Clone, Debug)]
pub(crate) struct Usbd {
    events: Events,
    enabled: bool,
    pull_up: bool,
    cause: u32,
    control: Control,
    setup: Option<Setup>,
    transfer: Option<Transfer>,
    /// PTR, MAXCNT, AMOUNT of endpoint 0, towards the host and from it.
    inward: [u32; 3],
    outward: [u32; 3],
}

impl Usbd {
    pub(crate) fn new() -> Self {
        Self {
            events: Events::default(),
            enabled: false,
            pull_up: false,
            cause: 0,
            control: Control::Idle,
            setup: None,
            transfer: None,
            inward: [0; 3],
            outward: [0; 3],
        }
    }

    /// The chip is reset, or without power. What the host was told before stays told.
    pub(crate) fn reset(&mut self) {
        let control = std::mem::replace(&mut self.control, Control::Idle);
        *self = Self::new();
        if let Control::Over(_) = control {
            self.control = control;
        }
    }

    /// Whether the pull-up on D+ shows the chip to a host.
    pub(crate) fn is_attached(&self) -> bool {
        self.enabled && self.pull_up
    }

    /// The host begins a control transfer; one that was not answered is over.
    pub(crate) fn ask(&mut self, setup: Setup, data: &[u8]) -> EventSet {
        self.setup = Some(setup);
        self.control = Control::Asked { setup, data: data[..data.len().min(PACKET)].to_vec() };
        self.happen(EP0_SETUP)
    }

    /// What came of it, once.
    pub(crate) fn take_answer(&mut self) -> Option<UsbAnswer> {
        match std::mem::replace(&mut self.control, Control::Idle) {
            Control::Over(answer) => Some(answer),
            other => {
                self.control = other;
                None
            }
        }
    }

    /// What a task asked EasyDMA to move.
    pub(crate) fn take_transfer(&mut self) -> Option<Transfer> {
        self.transfer.take()
    }

    /// What it moved from memory.
    pub(crate) fn given(&mut self, bytes: Vec<u8>) -> EventSet {
        self.inward[2] = bytes.len() as u32;
        self.control = Control::Given(bytes);
        self.happen(STARTED | END_EP_IN | EP0_DATA_DONE)
    }

    fn happen(&mut self, events: EventSet) -> EventSet {
        self.events.happened |= events;
        events
    }
}

impl Peripheral for Usbd {
    fn events(&mut self) -> &mut Events {
        &mut self.events
    }

    fn task(&mut self, offset: u32, _: u64) -> EventSet {
        match (offset, &self.control) {
            // STARTEPIN[0].
            (0x004, Control::Asked { setup, .. }) if setup.is_inward() => {
                let count = (self.inward[1] as usize).min(usize::from(setup.length)).min(PACKET);
                self.transfer = Some(Transfer::FromMemory { address: self.inward[0], count });
            }
            // STARTEPOUT[0].
            (0x028, Control::Received { data }) => {
                let count = data.len().min(self.outward[1] as usize);
                self.transfer = Some(Transfer::ToMemory { address: self.outward[0], bytes: data[..count].to_vec() });
                self.outward[2] = count as u32;
                return self.happen(STARTED | END_EP_OUT);
            }
            // EP0RCVOUT.
            (0x04C, Control::Asked { setup, data }) if !setup.is_inward() && !data.is_empty() => {
                self.control = Control::Received { data: data.clone() };
                return self.happen(EP0_DATA_DONE);
            }
            // EP0STATUS.
            (0x050, Control::Given(bytes)) => self.control = Control::Over(UsbAnswer::Accepted(bytes.clone())),
            (0x050, Control::Asked { .. } | Control::Received { .. }) => {
                self.control = Control::Over(UsbAnswer::Accepted(Vec::new()));
            }
            // EP0STALL.
            (0x054, Control::Asked { .. } | Control::Received { .. } | Control::Given(_)) => {
                self.control = Control::Over(UsbAnswer::Refused);
            }
            _ => {}
        }
        NONE
    }

    fn read(&mut self, offset: u32, _: u64) -> u32 {
        let setup = self.setup.unwrap_or(Setup { kind: 0, request: 0, value: 0, index: 0, length: 0 });
        let byte = |word: u16, number: usize| u32::from(word.to_le_bytes()[number]);
        match offset {
            0x400 => self.cause,
            0x480 => setup.kind.into(),
            0x484 => setup.request.into(),
            0x488 => byte(setup.value, 0),
            0x48C => byte(setup.value, 1),
            0x490 => byte(setup.index, 0),
            0x494 => byte(setup.index, 1),
            0x498 => byte(setup.length, 0),
            0x49C => byte(setup.length, 1),
            0x500 => self.enabled.into(),
            0x504 => self.pull_up.into(),
            0x600 => self.inward[0],
            0x604 => self.inward[1],
            0x608 => self.inward[2],
            0x700 => self.outward[0],
            0x704 => self.outward[1],
            0x708 => self.outward[2],
            _ => 0,
        }
    }

    fn write(&mut self, offset: u32, value: u32, _: u64) -> EventSet {
        match offset {
            0x400 => self.cause &= !value,
            0x500 => {
                let was = std::mem::replace(&mut self.enabled, value & 1 == 1);
                if self.enabled && !was {
                    // Silicon takes up to a millisecond.
                    self.cause |= READY;
                    return self.happen(USB_EVENT);
                }
                if !self.enabled {
                    self.reset();
                }
            }
            0x504 => self.pull_up = value & 1 == 1,
            0x600 => self.inward[0] = value,
            0x604 => self.inward[1] = value,
            0x700 => self.outward[0] = value,
            0x704 => self.outward[1] = value,
            _ => {}
        }
        NONE
    }

    fn due(&self) -> u64 {
        NEVER
    }

    fn advance(&mut self, _: u64) -> EventSet {
        NONE
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn attached() -> Usbd {
        let mut usbd = Usbd::new();
        usbd.write(0x500, 1, 0);
        usbd.write(0x504, 1, 0);
        usbd
    }

    const LINE_CODING: Setup = Setup { kind: 0x21, request: 0x20, value: 0, index: 0, length: 7 };
    const MODE: Setup = Setup { kind: 0xC0, request: 0x50, value: 0, index: 0x148, length: 1 };

    #[test]
    fn the_pull_up_attaches_a_device_that_is_enabled() {
        let mut usbd = Usbd::new();
        usbd.write(0x504, 1, 0);
        assert!(!usbd.is_attached());
        usbd.write(0x500, 1, 0);
        assert!(usbd.is_attached());
        assert_eq!(usbd.read(0x400, 0), READY);
        usbd.write(0x500, 0, 0);
        assert!(!usbd.is_attached());
    }

    #[test]
    fn bytes_from_the_host_come_to_memory_when_the_firmware_wants_them() {
        let mut usbd = attached();
        assert_eq!(usbd.ask(LINE_CODING, &[0x40, 0x38, 0, 0, 0, 0, 8]), EP0_SETUP);
        assert_eq!((usbd.read(0x480, 0), usbd.read(0x484, 0), usbd.read(0x498, 0)), (0x21, 0x20, 7));
        usbd.write(0x700, 0x2000_0010, 0);
        usbd.write(0x704, 7, 0);
        assert_eq!(usbd.task(0x028, 0), NONE, "nothing was received yet");
        assert_eq!(usbd.task(0x04C, 0), EP0_DATA_DONE);
        assert_eq!(usbd.task(0x028, 0), STARTED | END_EP_OUT);
        let moved = Transfer::ToMemory { address: 0x2000_0010, bytes: vec![0x40, 0x38, 0, 0, 0, 0, 8] };
        assert_eq!((usbd.take_transfer(), usbd.read(0x708, 0)), (Some(moved), 7));
        assert_eq!(usbd.take_answer(), None);
        usbd.task(0x050, 0);
        assert_eq!(usbd.take_answer(), Some(UsbAnswer::Accepted(Vec::new())));
        assert_eq!(usbd.take_answer(), None);
    }

    #[test]
    fn bytes_for_the_host_come_from_memory_and_never_more_than_it_wants() {
        let mut usbd = attached();
        usbd.ask(MODE, &[]);
        assert_eq!((usbd.read(0x490, 0), usbd.read(0x494, 0)), (0x48, 1));
        usbd.write(0x600, 0x2000_0000, 0);
        usbd.write(0x604, 60, 0);
        usbd.task(0x004, 0);
        assert_eq!(usbd.take_transfer(), Some(Transfer::FromMemory { address: 0x2000_0000, count: 1 }));
        usbd.given(vec![3]);
        usbd.task(0x050, 0);
        assert_eq!(usbd.take_answer(), Some(UsbAnswer::Accepted(vec![3])));
    }

    #[test]
    fn what_the_firmware_refuses_is_a_stall() {
        let mut usbd = attached();
        usbd.ask(MODE, &[]);
        usbd.task(0x054, 0);
        assert_eq!(usbd.take_answer(), Some(UsbAnswer::Refused));
    }
}
