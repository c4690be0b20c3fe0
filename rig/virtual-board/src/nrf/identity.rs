//! FICR: what the factory wrote into a part.
//!
//! Boundary: constants and a device id that follows from the seed. Source: nRF51 reference manual v3.0 and nRF52840 product
//! specification v1.1, FICR. Registers that are not listed read as all ones, as erased flash does.

use crate::nrf::Part;
use crate::seed::Noise;

/// The factory information of one part.
#[derive(Clone, Debug)]
pub(crate) struct Identity {
    part: Part,
    device_id: [u32; 2],
    device_address: [u32; 2],
}

impl Identity {
    pub(crate) fn new(part: Part, seed: u64) -> Self {
        let mut noise = Noise::at(seed, &[0xF1C8]);
        let mut words = || {
            let bits = noise.bits();
            [bits as u32, (bits >> 32) as u32]
        };
        Self { part, device_id: words(), device_address: words() }
    }

    pub(crate) fn device_id(&self) -> [u32; 2] {
        self.device_id
    }

    pub(crate) fn read(&self, offset: u32) -> u32 {
        let flash = self.part.flash();
        let [pages] = flash.sectors else { return u32::MAX };
        let ram = self.part.ram_size() as u32;
        let nrf51 = self.part == Part::Nrf51822;
        match offset {
            0x010 => pages.size,
            0x014 => pages.count,
            0x060 | 0x064 => self.device_id[(offset as usize - 0x60) / 4],
            // A random static address: its two top bits are ones on the air, which the radio stack adds.
            0x0A0 => u32::MAX,
            0x0A4 => self.device_address[0],
            0x0A8 => self.device_address[1] & 0xFFFF,
            // No factory code in region 0, RAM in two blocks of 8 KiB (so that RAMSTATUS shows two); CONFIGID is one by which probe-rs
            // knows an nRF51822_xxAA (its targets/nRF51_Series.yaml).
            0x034 if nrf51 => 2,
            0x038 if nrf51 => ram / 2,
            0x05C if nrf51 => 0x0000_008F,
            // PART, VARIANT (AAC0), PACKAGE (QIAA), RAM and FLASH in KiB.
            0x100 if !nrf51 => 0x0005_2840,
            0x104 if !nrf51 => 0x4141_4330,
            0x108 if !nrf51 => 0x2004,
            0x10C if !nrf51 => ram / 1024,
            0x110 if !nrf51 => flash.size / 1024,
            // The silicon revision word that start-up code for errata reads: 8 is the nRF52840, 2 its revision (recalled).
            0x130 if !nrf51 => 8,
            0x134 if !nrf51 => 2,
            _ => u32::MAX,
        }
    }
}
