//! A board on USB, as its host can tell: whether it is attached, as what, and what comes of a control transfer.
//!
//! Boundary: the cable's end at the board, whatever chip is behind it. How a host notices and how long it takes to enumerate is the host's. A
//! chip's own registers decide whether it is attached and what becomes of a request; its descriptors are no machine code's, but follow from
//! [`UsbDevice`].

use brickproof_units::Instant;

/// What a board is to its host.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum UsbDevice {
    /// Its firmware: a serial port.
    Normal,
    /// Its bootloader, which takes firmware.
    Dfu,
}

/// The board was attached to the bus, or left it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct UsbEdge {
    /// When.
    pub at: Instant,
    /// As what it is there now; `None`: it is not.
    pub device: Option<UsbDevice>,
}

/// What begins a control transfer (USB 2.0, table 9-2).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Setup {
    /// bmRequestType.
    pub kind: u8,
    /// bRequest.
    pub request: u8,
    /// wValue.
    pub value: u16,
    /// wIndex.
    pub index: u16,
    /// wLength: how many bytes follow, or are wanted.
    pub length: u16,
}

impl Setup {
    /// Whether data, if any, goes to the host.
    pub const fn is_inward(self) -> bool {
        self.kind & 0x80 != 0
    }
}

/// What came of a control transfer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum UsbAnswer {
    /// It was accepted, with these bytes for the host.
    Accepted(Vec<u8>),
    /// It was refused: a stall.
    Refused,
}

/// What a chip is to its host, and every change of that since they were taken.
#[derive(Clone, Debug, Default)]
pub(crate) struct Presence {
    now: Option<UsbDevice>,
    edges: Vec<UsbEdge>,
}

impl Presence {
    pub(crate) fn now(&self) -> Option<UsbDevice> {
        self.now
    }

    /// It is this at `at`. Answers whether it was something else before.
    pub(crate) fn follow(&mut self, device: Option<UsbDevice>, at: Instant) -> bool {
        if device == self.now {
            return false;
        }
        self.now = device;
        self.edges.push(UsbEdge { at, device });
        true
    }

    pub(crate) fn drain_edges(&mut self) -> std::vec::Drain<'_, UsbEdge> {
        self.edges.drain(..)
    }
}

/// There is no device on the bus that could be asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the board is not on USB")]
pub struct NotAttached;
