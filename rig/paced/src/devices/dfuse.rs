//! A board in a DfuSe bootloader, as a Photon shows itself: 2b04:d006, its flash behind alternate 0, its key store behind alternate 1.
//!
//! Boundary: requests and memory. States and requests as in USB DFU 1.1, chapter 6, and ST's UM0424 (DfuSe).

use super::descriptors;
use crate::usbip::{Device, Setup, Stall};

/// Where the flash begins.
pub const FLASH: u32 = 0x0800_0000;
/// Alternate 1.
const STORE: u8 = 1;
const BLOCK: usize = 4096;
/// 16 KiB of key store.
const STORE_SIZE: usize = 0x4000;
/// The sectors of an STM32F205RG's flash.
const SECTORS: [usize; 12] = {
    const K: usize = 1024;
    [16 * K, 16 * K, 16 * K, 16 * K, 64 * K, 128 * K, 128 * K, 128 * K, 128 * K, 128 * K, 128 * K, 128 * K]
};

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

/// The bootloader.
pub struct Dfuse {
    flash: Vec<u8>,
    store: Vec<u8>,
    alternate: u8,
    pointer: u32,
    state: State,
    status: u8,
    pending: Option<(u16, Vec<u8>)>,
    erased: Vec<u32>,
    left: bool,
    serial: String,
}

impl Default for Dfuse {
    fn default() -> Self {
        Self::new()
    }
}

impl Dfuse {
    /// With a pattern in its memories that tells every place from every other.
    pub fn new() -> Self {
        let pattern = |length: usize, step: usize| (0..length).map(|at| (at / step) as u8 ^ at as u8).collect();
        Self {
            flash: pattern(SECTORS.iter().sum(), 251),
            store: pattern(STORE_SIZE, 241),
            alternate: 0,
            pointer: FLASH,
            state: State::Idle,
            status: 0,
            pending: None,
            erased: Vec::new(),
            left: false,
            serial: "00000000050C".to_owned(),
        }
    }

    /// The same, with this serial number.
    pub fn with_serial(self, serial: &str) -> Self {
        Self { serial: serial.to_owned(), ..self }
    }

    /// Its flash.
    pub fn flash(&self) -> &[u8] {
        &self.flash
    }

    /// Its key store.
    pub fn store(&self) -> &[u8] {
        &self.store
    }

    /// Where sectors were erased, in order.
    pub fn erased(&self) -> &[u32] {
        &self.erased
    }

    /// Whether it was told to start the application.
    pub fn has_left(&self) -> bool {
        self.left
    }

    fn place(&self, block: u16, length: usize) -> Option<std::ops::Range<usize>> {
        let (base, size) =
            if self.alternate == STORE { (0, self.store.len()) } else { (FLASH as usize, self.flash.len()) };
        let start = (self.pointer as usize).checked_sub(base)? + usize::from(block.checked_sub(2)?) * BLOCK;
        let end = start.checked_add(length).filter(|end| *end <= size)?;
        Some(start..end)
    }

    fn execute(&mut self) -> Option<()> {
        let (block, bytes) = self.pending.take()?;
        match (block, bytes.as_slice()) {
            (0, &[0x21, a, b, c, d]) => self.pointer = u32::from_le_bytes([a, b, c, d]),
            (0, &[0x41, a, b, c, d]) => self.erase(u32::from_le_bytes([a, b, c, d]))?,
            (0, _) => return None,
            (_, data) => {
                let range = self.place(block, data.len())?;
                if self.alternate == STORE {
                    // The store writes whole values by itself (device-os, usbd_dct_if.c).
                    self.store[range].copy_from_slice(data);
                } else {
                    self.flash[range].iter_mut().zip(data).for_each(|(cell, byte)| *cell &= byte);
                }
            }
        }
        Some(())
    }

    fn erase(&mut self, address: u32) -> Option<()> {
        self.erased.push(address);
        if self.alternate == STORE {
            return Some(());
        }
        let wanted = address.checked_sub(FLASH)? as usize;
        let mut start = 0;
        for size in SECTORS {
            if (start..start + size).contains(&wanted) {
                self.flash[start..start + size].fill(0xFF);
                return Some(());
            }
            start += size;
        }
        None
    }

    fn refuse<T>(&mut self) -> Result<T, Stall> {
        const ERROR_STALLED_PACKET: u8 = 15;
        (self.state, self.status) = (State::Error, ERROR_STALLED_PACKET);
        Err(Stall)
    }

    fn status(&mut self) -> Vec<u8> {
        const ERROR_ADDRESS: u8 = 8;
        let poll_ms = match self.state {
            State::DownloadSync => {
                self.state = State::DownloadBusy;
                2
            }
            State::DownloadBusy => {
                self.state = State::DownloadIdle;
                if self.execute().is_none() {
                    (self.state, self.status) = (State::Error, ERROR_ADDRESS);
                }
                0
            }
            State::ManifestSync => {
                (self.state, self.left) = (State::Manifest, true);
                2
            }
            // Until it resets, which is for whoever holds the plug.
            State::Manifest => 2,
            _ => 0,
        };
        vec![self.status, poll_ms, 0, 0, self.state as u8, 0]
    }
}

impl Device for Dfuse {
    fn device_descriptor(&self) -> Vec<u8> {
        descriptors::device([0, 0, 0], 0x2B04, 0xD006, 0x0250)
    }

    fn configuration(&self) -> Vec<u8> {
        const BOOTLOADER: [u8; 3] = [0xFE, 1, 2];
        let mut body = descriptors::interface(0, 0, 0, BOOTLOADER, 4);
        body.extend(descriptors::interface(0, 1, 0, BOOTLOADER, 5));
        // Downloads, uploads, tolerates its manifestation; detaches within 255 ms; blocks of 4096 bytes; version 1.1a, which is DfuSe.
        body.extend([9, 0x21, 0x07, 0xFF, 0, 0x00, 0x10, 0x1A, 0x01]);
        descriptors::configuration(1, &body)
    }

    fn strings(&self) -> Vec<String> {
        [
            "Brickproof",
            "bootloader",
            &self.serial,
            "@Internal Flash   /0x08000000/03*016Ka,01*016Kg,01*064Kg,07*128Kg",
            "@DCT Flash   /0x00000000/01*016Kg",
        ]
        .map(str::to_owned)
        .to_vec()
    }

    fn select(&mut self, alternate: u8) {
        self.alternate = alternate;
    }

    fn control(&mut self, setup: Setup, data: &[u8]) -> Result<Vec<u8>, Stall> {
        match (setup.kind, setup.request, self.state) {
            (0x21, 1, State::Idle | State::DownloadIdle) => {
                self.state = if data.is_empty() { State::ManifestSync } else { State::DownloadSync };
                self.pending = Some((setup.value, data.to_vec()));
                Ok(Vec::new())
            }
            (0xA1, 2, State::Idle | State::UploadIdle) => match self.place(setup.value, usize::from(setup.length)) {
                Some(range) => {
                    self.state = State::UploadIdle;
                    let memory = if self.alternate == STORE { &self.store } else { &self.flash };
                    Ok(memory[range].to_vec())
                }
                None => self.refuse(),
            },
            (0xA1, 3, _) => Ok(self.status()),
            (0x21, 4, State::Error) => {
                (self.state, self.status) = (State::Idle, 0);
                Ok(Vec::new())
            }
            (0xA1, 5, _) => Ok(vec![self.state as u8]),
            (0x21, 6, state) if state != State::Error => {
                self.state = State::Idle;
                Ok(Vec::new())
            }
            _ => self.refuse(),
        }
    }
}
