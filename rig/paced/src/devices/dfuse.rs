//! A board in a DfuSe bootloader: the states of the protocol over whatever memory is behind them.
//!
//! Boundary: requests and states, as in USB DFU 1.1, chapter 6, and ST's UM0424 (DfuSe). What a memory takes, and how long that takes, is its
//! own ([`Memory`]).

use std::time::Duration;

use super::descriptors::{self, Identity};
use crate::usbip::{Answer, Device, Setup, Stall};

pub use pattern::{FLASH, Pattern};

mod pattern;

/// As many bytes as a block has at most.
const BLOCK: usize = 4096;
/// A host asks once a frame at most.
const SHORTEST_POLL: Duration = Duration::from_millis(1);
/// Behind the device's own strings.
const FIRST_NAME: u8 = 4;

/// The memory is not there, or not any more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// It does not have this address.
    Address,
    /// Nobody is there who would do it: the board left while it was asked.
    Gone,
}

/// What a bootloader reads and writes.
pub trait Memory: Send {
    /// Its alternate settings in order, each as its name tells it: `@Name /0xADDRESS/03*016Ka`.
    fn alternates(&self) -> Vec<String>;
    /// The address from which an alternate setting is read if nobody says otherwise.
    fn first(&self, alternate: u8) -> u32;
    /// What is there.
    ///
    /// # Errors
    ///
    /// Why it cannot be read.
    fn read(&mut self, alternate: u8, address: u32, length: usize) -> Result<Vec<u8>, Fault>;
    /// Begins to erase what is erased together with that address; answers how long it will take.
    ///
    /// # Errors
    ///
    /// Why it does not.
    fn erase(&mut self, alternate: u8, address: u32) -> Result<Duration, Fault>;
    /// Begins to write; answers how long it will take.
    ///
    /// # Errors
    ///
    /// Why it does not.
    fn write(&mut self, alternate: u8, address: u32, bytes: &[u8]) -> Result<Duration, Fault>;
    /// Whether what was begun is under way.
    fn is_busy(&mut self) -> bool;
    /// Starts the application, which takes the device off the bus.
    fn leave(&mut self);
}

/// Numbers as in USB DFU 1.1, 6.1.2.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Idle = 2,
    DownloadSync = 3,
    DownloadBusy = 4,
    DownloadIdle = 5,
    ManifestSync = 6,
    Manifest = 7,
    UploadIdle = 9,
    Error = 10,
}

/// Why it is in dfuERROR; 0 if it is not. Numbers as in USB DFU 1.1, 6.1.2.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Status {
    Ok = 0,
    Address = 8,
    StalledPacket = 15,
}

/// The bootloader.
pub struct Dfuse<M> {
    memory: M,
    identity: Identity,
    alternate: u8,
    pointer: u32,
    state: State,
    status: Status,
    /// A block that came, with its number, and that is to be done when the host asks how it went.
    pending: Option<(u16, Vec<u8>)>,
    /// What was begun last was refused.
    refused: Option<Status>,
}

impl<M: Memory> Dfuse<M> {
    /// A bootloader that says it is this.
    pub fn of(identity: Identity, memory: M) -> Self {
        Self {
            pointer: memory.first(0),
            memory,
            identity,
            alternate: 0,
            state: State::Idle,
            status: Status::Ok,
            pending: None,
            refused: None,
        }
    }

    /// What is behind it.
    pub fn memory(&self) -> &M {
        &self.memory
    }

    fn address(&self, block: u16) -> Option<u32> {
        let blocks = u32::from(block.checked_sub(2)?);
        self.pointer.checked_add(blocks * BLOCK as u32)
    }

    /// Does what came; how long it will take.
    fn execute(&mut self) -> Result<Duration, Fault> {
        let Some((block, bytes)) = self.pending.take() else { return Err(Fault::Address) };
        match (block, bytes.as_slice()) {
            (0, &[0x21, a, b, c, d]) => {
                self.pointer = u32::from_le_bytes([a, b, c, d]);
                Ok(SHORTEST_POLL)
            }
            (0, &[0x41, a, b, c, d]) => self.memory.erase(self.alternate, u32::from_le_bytes([a, b, c, d])),
            (_, data) => {
                let address = self.address(block).ok_or(Fault::Address)?;
                self.memory.write(self.alternate, address, data)
            }
        }
    }

    fn refuse(&mut self) -> Stall {
        (self.state, self.status) = (State::Error, Status::StalledPacket);
        Stall
    }

    /// The answer to GETSTATUS; `None` from a board that is gone.
    fn status(&mut self) -> Option<Vec<u8>> {
        let mut poll = Duration::ZERO;
        match self.state {
            State::DownloadSync => {
                (self.state, poll) = (State::DownloadBusy, SHORTEST_POLL);
                match self.execute() {
                    Ok(takes) => poll = takes.max(SHORTEST_POLL),
                    Err(Fault::Address) => self.refused = Some(Status::Address),
                    Err(Fault::Gone) => return None,
                }
            }
            State::DownloadBusy if self.memory.is_busy() => poll = SHORTEST_POLL,
            State::DownloadBusy => match self.refused.take() {
                None => self.state = State::DownloadIdle,
                Some(status) => (self.state, self.status) = (State::Error, status),
            },
            State::ManifestSync => {
                (self.state, poll) = (State::Manifest, SHORTEST_POLL);
                self.memory.leave();
            }
            // Until it is gone.
            State::Manifest => poll = SHORTEST_POLL,
            _ => {}
        }
        let [low, middle, high, _] = (poll.as_micros().div_ceil(1_000) as u32).to_le_bytes();
        Some(vec![self.status as u8, low, middle, high, self.state as u8, 0])
    }
}

impl<M: Memory> Device for Dfuse<M> {
    fn device_descriptor(&self) -> Vec<u8> {
        descriptors::device([0, 0, 0], self.identity.vendor, self.identity.product, 0x0250)
    }

    fn configuration(&self) -> Vec<u8> {
        const BOOTLOADER: [u8; 3] = [0xFE, 1, 2];
        let [low, high] = (BLOCK as u16).to_le_bytes();
        let numbers = 0..self.memory.alternates().len() as u8;
        let mut body: Vec<u8> =
            numbers.flat_map(|number| descriptors::interface(0, number, 0, BOOTLOADER, FIRST_NAME + number)).collect();
        // Downloads, uploads, detaches by itself; within 255 ms; blocks of this size; version 1.1a, which is DfuSe.
        body.extend([9, 0x21, 0x0B, 0xFF, 0, low, high, 0x1A, 0x01]);
        descriptors::configuration(1, &body)
    }

    fn strings(&self) -> Vec<String> {
        let mut strings = self.identity.strings();
        strings.extend(self.memory.alternates());
        strings
    }

    fn select(&mut self, alternate: u8) {
        self.alternate = alternate;
        self.pointer = self.memory.first(alternate);
    }

    fn control(&mut self, setup: Setup, data: &[u8]) -> Answer {
        self.begin_control(setup, data).unwrap_or(Err(Stall))
    }

    fn begin_control(&mut self, setup: Setup, data: &[u8]) -> Option<Answer> {
        Some(match (setup.kind, setup.request, self.state) {
            (0x21, 1, State::Idle | State::DownloadIdle) if data.len() <= BLOCK => {
                self.state = if data.is_empty() { State::ManifestSync } else { State::DownloadSync };
                self.pending = Some((setup.value, data.to_vec()));
                Ok(Vec::new())
            }
            (0xA1, 2, State::Idle | State::UploadIdle) => {
                let length = usize::from(setup.length).min(BLOCK);
                let read = self.address(setup.value).ok_or(Fault::Address);
                match read.and_then(|address| self.memory.read(self.alternate, address, length)) {
                    Ok(bytes) => {
                        self.state = State::UploadIdle;
                        Ok(bytes)
                    }
                    Err(Fault::Address) => Err(self.refuse()),
                    Err(Fault::Gone) => return None,
                }
            }
            (0xA1, 3, _) => Ok(self.status()?),
            (0x21, 4, State::Error) => {
                (self.state, self.status) = (State::Idle, Status::Ok);
                Ok(Vec::new())
            }
            (0xA1, 5, _) => Ok(vec![self.state as u8]),
            (0x21, 6, state) if state != State::Error => {
                self.state = State::Idle;
                Ok(Vec::new())
            }
            _ => Err(self.refuse()),
        })
    }
}
