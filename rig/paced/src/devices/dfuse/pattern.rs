//! Memories with a pattern in them, for whoever tries a client: a Photon's, 2b04:d006, its flash behind alternate 0, its key store behind
//! alternate 1.
//!
//! Boundary: bytes in no time. They belong to no board; one that is emulated has its flash behind its bootloader.

use std::ops::Range;
use std::time::Duration;

use super::{Dfuse, Fault, Memory};
use crate::devices::descriptors::Identity;

/// Where the flash begins.
pub const FLASH: u32 = 0x0800_0000;
/// Alternate 1.
const STORE: u8 = 1;
/// 16 KiB of key store.
const STORE_SIZE: usize = 0x4000;
/// The sectors of an STM32F205RG's flash.
const SECTORS: [usize; 12] = {
    const K: usize = 1024;
    [16 * K, 16 * K, 16 * K, 16 * K, 64 * K, 128 * K, 128 * K, 128 * K, 128 * K, 128 * K, 128 * K, 128 * K]
};

/// The memories.
pub struct Pattern {
    flash: Vec<u8>,
    store: Vec<u8>,
    erased: Vec<u32>,
    left: bool,
}

impl Default for Pattern {
    /// A pattern that tells every place from every other.
    fn default() -> Self {
        let pattern = |length: usize, step: usize| (0..length).map(|at| (at / step) as u8 ^ at as u8).collect();
        Self {
            flash: pattern(SECTORS.iter().sum(), 251),
            store: pattern(STORE_SIZE, 241),
            erased: Vec::new(),
            left: false,
        }
    }
}

impl Dfuse<Pattern> {
    /// A Photon's, with the pattern.
    pub fn with_pattern() -> Self {
        Self::of(Identity::new(0x2B04, 0xD006, "bootloader", "00000000050C"), Pattern::default())
    }
}

impl Pattern {
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

    fn place(&self, alternate: u8, address: u32, length: usize) -> Result<Range<usize>, Fault> {
        let size = if alternate == STORE { self.store.len() } else { self.flash.len() };
        let start = address.checked_sub(self.first(alternate)).ok_or(Fault::Address)? as usize;
        let end = start.checked_add(length).filter(|end| *end <= size).ok_or(Fault::Address)?;
        Ok(start..end)
    }
}

impl Memory for Pattern {
    fn alternates(&self) -> Vec<String> {
        ["@Internal Flash   /0x08000000/03*016Ka,01*016Kg,01*064Kg,07*128Kg", "@DCT Flash   /0x00000000/01*016Kg"]
            .map(str::to_owned)
            .to_vec()
    }

    fn first(&self, alternate: u8) -> u32 {
        if alternate == STORE { 0 } else { FLASH }
    }

    fn read(&mut self, alternate: u8, address: u32, length: usize) -> Result<Vec<u8>, Fault> {
        let range = self.place(alternate, address, length)?;
        let memory = if alternate == STORE { &self.store } else { &self.flash };
        Ok(memory[range].to_vec())
    }

    fn erase(&mut self, alternate: u8, address: u32) -> Result<Duration, Fault> {
        self.erased.push(address);
        if alternate == STORE {
            return Ok(Duration::ZERO);
        }
        let wanted = self.place(alternate, address, 1)?.start;
        let mut start = 0;
        for size in SECTORS {
            if (start..start + size).contains(&wanted) {
                self.flash[start..start + size].fill(0xFF);
            }
            start += size;
        }
        Ok(Duration::ZERO)
    }

    fn write(&mut self, alternate: u8, address: u32, bytes: &[u8]) -> Result<Duration, Fault> {
        let range = self.place(alternate, address, bytes.len())?;
        if alternate == STORE {
            // The store writes whole values by itself (device-os, usbd_dct_if.c).
            self.store[range].copy_from_slice(bytes);
        } else {
            self.flash[range].iter_mut().zip(bytes).for_each(|(cell, byte)| *cell &= byte);
        }
        Ok(Duration::ZERO)
    }

    fn is_busy(&mut self) -> bool {
        false
    }

    fn leave(&mut self) {
        self.left = true;
    }
}
