//! A bootloader for tests, with a Photon's alternate settings: its states follow ST's firmware, not the client. It is strict: who asks before
//! its poll timeout is over, or sends a block where none is due, gets a stall.

use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use crate::clock::Deadline;
use crate::failure::FailureKind;

use crate::kinds::{Presence, UsbId};

use super::usb::{Alternate, Bus, UsbControl, UsbFault};

pub(super) const FLASH: u32 = 0x0800_0000;
pub(super) const FLASH_SIZE: usize = 1 << 20;
pub(super) const STORE_SIZE: usize = 0x4000;
const TRANSFER: usize = 4096;
const POLL: Duration = Duration::from_millis(3);

/// In what it differs from a good one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Manner {
    Good,
    /// Never gets beyond dfuMANIFEST.
    StuckInManifest,
    /// Never gets beyond dfuDNBUSY.
    StuckBusy,
    /// Answers everything as if it had recovered, and has not.
    StuckInError,
    /// Goes back to dfuIDLE when told to leave.
    Stays,
    WaitsForReset,
    /// Refuses what is written, with this status.
    Refuses(u8),
    /// Forgets a bit.
    ForgetsABit,
    /// Is gone after so many transfers.
    UnpluggedAfter(u32),
    /// Gives less than was asked for.
    GivesLess,
}

pub(super) struct Device {
    pub(super) manner: Manner,
    pub(super) names: [String; 2],
    pub(super) flash: Vec<u8>,
    pub(super) store: Vec<u8>,
    pub(super) state: u8,
    pub(super) status: u8,
    /// What it did, in a reader's words.
    pub(super) log: Vec<String>,
    pub(super) gone: bool,
    alternate: u8,
    pointer: u32,
    pending: Option<(u16, Vec<u8>)>,
    not_before: Option<Instant>,
    transfers: u32,
}

/// The cable: what the client opens and the test looks behind.
#[derive(Clone)]
pub(super) struct Plug(pub(super) Arc<Mutex<Device>>);

impl Plug {
    pub(super) fn new(manner: Manner) -> Self {
        Self(Arc::new(Mutex::new(Device {
            manner,
            names: [
                "@Internal Flash   /0x08000000/03*016Ka,01*016Kg,01*064Kg,07*128Kg".to_owned(),
                "@DCT Flash   /0x00000000/01*016Kg".to_owned(),
            ],
            flash: (0..FLASH_SIZE).map(|n| (n / 7) as u8).collect(),
            store: (0..STORE_SIZE).map(|n| (n / 3) as u8).collect(),
            state: 2,
            status: 0,
            log: Vec::new(),
            gone: false,
            alternate: 0,
            pointer: FLASH,
            pending: None,
            not_before: None,
            transfers: 0,
        })))
    }
}

impl Bus for Plug {
    fn is_there(&self) -> Result<bool, FailureKind> {
        Ok(!self.0.lock().unwrap().gone)
    }

    fn open(&self, _deadline: Deadline) -> Result<Box<dyn UsbControl>, FailureKind> {
        let device = self.0.lock().unwrap();
        if device.gone {
            return Err(FailureKind::Missing("no such device in its bootloader".to_owned()));
        }
        let alternates =
            (0..).zip(&device.names).map(|(number, name)| Alternate { number, name: name.clone() }).collect();
        Ok(Box::new(Opened { device: self.0.clone(), alternates }))
    }

    fn presence(&self, _firmware: UsbId) -> Result<Presence, FailureKind> {
        Ok(if self.is_there()? { Presence::Bootloader } else { Presence::Gone })
    }

    fn request(&self, _firmware: UsbId, _index: u16, _deadline: Deadline) -> Result<(), UsbFault> {
        Err(UsbFault::Other(FailureKind::Missing("its firmware does not run".to_owned())))
    }
}

struct Opened {
    device: Arc<Mutex<Device>>,
    alternates: Vec<Alternate>,
}

impl Opened {
    fn transfer<R>(&self, act: impl FnOnce(&mut Device) -> Result<R, UsbFault>) -> Result<R, UsbFault> {
        let mut device = self.device.lock().unwrap();
        device.transfers += 1;
        if matches!(device.manner, Manner::UnpluggedAfter(count) if device.transfers > count) {
            device.gone = true;
        }
        if device.gone {
            return Err(UsbFault::Other(FailureKind::Gone(
                "No such device (it may have been disconnected)".to_owned(),
            )));
        }
        act(&mut device)
    }
}

impl UsbControl for Opened {
    fn alternates(&self) -> &[Alternate] {
        &self.alternates
    }

    fn transfer_size(&self) -> u16 {
        TRANSFER as u16
    }

    fn select(&mut self, alternate: u8) -> Result<(), UsbFault> {
        self.transfer(|device| {
            device.alternate = alternate;
            device.pointer = if alternate == 0 { FLASH } else { 0 };
            Ok(())
        })
    }

    fn receive(&mut self, request: u8, value: u16, length: u16, _deadline: Deadline) -> Result<Vec<u8>, UsbFault> {
        self.transfer(|device| match request {
            2 => device.upload(value, length.into()),
            3 => device.get_status(),
            _ => device.stall(),
        })
    }

    fn send(&mut self, request: u8, value: u16, bytes: &[u8], _deadline: Deadline) -> Result<(), UsbFault> {
        self.transfer(|device| match request {
            1 if matches!(device.state, 2 | 5) && bytes.len() <= TRANSFER => {
                device.pending = Some((value, bytes.to_vec()));
                device.state = if bytes.is_empty() { 6 } else { 3 };
                Ok(())
            }
            4 if device.manner == Manner::StuckInError => Ok(()),
            4 if device.state == 10 => {
                (device.state, device.status) = (2, 0);
                Ok(())
            }
            6 if matches!(device.state, 2 | 3 | 5 | 6 | 9) => {
                device.state = 2;
                Ok(())
            }
            _ => device.stall(),
        })
    }

    fn reset(&mut self) -> Result<(), UsbFault> {
        self.transfer(|device| {
            device.log.push("reset".to_owned());
            device.gone = true;
            Ok(())
        })
    }
}

impl Device {
    fn stall<R>(&mut self) -> Result<R, UsbFault> {
        (self.state, self.status) = (10, 15);
        Err(UsbFault::Stall)
    }

    fn memory(&mut self) -> (u32, &mut Vec<u8>) {
        if self.alternate == 0 { (FLASH, &mut self.flash) } else { (0, &mut self.store) }
    }

    fn upload(&mut self, block: u16, length: usize) -> Result<Vec<u8>, UsbFault> {
        if !matches!(self.state, 2 | 9) || block < 2 || length > TRANSFER {
            return self.stall();
        }
        let address = self.pointer as usize + usize::from(block - 2) * TRANSFER;
        let (base, memory) = self.memory();
        let offset = address.wrapping_sub(base as usize);
        let Some(bytes) = memory.get(offset..offset + length).map(<[u8]>::to_vec) else { return self.stall() };
        let given = if self.manner == Manner::GivesLess { length / 2 } else { length };
        self.state = if given < length { 2 } else { 9 };
        Ok(bytes[..given].to_vec())
    }

    fn get_status(&mut self) -> Result<Vec<u8>, UsbFault> {
        if self.not_before.take().is_some_and(|instant| Instant::now() < instant) {
            self.log.push("asked too early".to_owned());
            return self.stall();
        }
        let poll = match (self.state, self.manner) {
            (4, Manner::StuckBusy) => POLL,
            (3, _) => {
                self.state = 4;
                POLL
            }
            (4, _) => {
                self.state = 5;
                self.execute();
                Duration::ZERO
            }
            (6, Manner::Stays) => {
                self.state = 2;
                Duration::ZERO
            }
            (6, _) => {
                self.state = 7;
                self.log.push(format!("leave to {:#x}", self.pointer));
                POLL
            }
            (7, Manner::StuckInManifest) => POLL,
            (7, Manner::WaitsForReset) => {
                self.state = 8;
                Duration::ZERO
            }
            (7, _) => {
                self.gone = true;
                return Err(UsbFault::Other(FailureKind::Gone("No such device".to_owned())));
            }
            _ => Duration::ZERO,
        };
        self.not_before = (!poll.is_zero()).then(|| Instant::now() + poll);
        Ok(vec![self.status, poll.as_millis() as u8, 0, 0, self.state, 0])
    }

    fn execute(&mut self) {
        let (block, bytes) = self.pending.take().unwrap();
        let pointer = self.pointer;
        let alternate = self.alternate;
        match (block, &bytes[..]) {
            (0, [0x21, address @ ..]) => self.pointer = u32::from_le_bytes(address.try_into().unwrap()),
            (0, [0x41, address @ ..]) => self.erase(u32::from_le_bytes(address.try_into().unwrap())),
            (2.., data) => {
                if let Manner::Refuses(status) = self.manner {
                    (self.state, self.status) = (10, status);
                    return;
                }
                let address = pointer + u32::from(block - 2) * TRANSFER as u32;
                self.log.push(format!("write {address:#x}+{}", data.len()));
                let forgets = self.manner == Manner::ForgetsABit;
                let (base, memory) = self.memory();
                let offset = (address - base) as usize;
                for (cell, &byte) in memory[offset..offset + data.len()].iter_mut().zip(data) {
                    // Flash only clears bits; the store behind alternate 1 hides that it is flash.
                    *cell = if alternate == 0 { *cell & byte } else { byte };
                }
                if forgets {
                    memory[offset] ^= 0x80;
                }
            }
            other => panic!("not DfuSe: {other:?}"),
        }
    }

    /// Alternate 1 answers an erase with success and does nothing, as Particle's bootloaders do.
    fn erase(&mut self, address: u32) {
        self.log.push(format!("erase {address:#x}"));
        if self.alternate == 0 {
            let offset = (address - FLASH) as usize;
            let borders = [
                0, 0x4000, 0x8000, 0xC000, 0x1_0000, 0x2_0000, 0x4_0000, 0x6_0000, 0x8_0000, 0xA_0000, 0xC_0000,
                0xE_0000, FLASH_SIZE,
            ];
            let index = borders.iter().position(|&border| border == offset).expect("an erase at a sector's start");
            self.flash[offset..borders[index + 1]].fill(0xFF);
        }
    }
}
