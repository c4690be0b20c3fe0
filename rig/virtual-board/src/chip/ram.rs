//! RAM that only occupies what firmware touched, so that a clone copies 16 KiB and not 256.
//!
//! Boundary: bytes and what they are when the power comes back.

use crate::bus::Width;
use crate::seed::Noise;

const BLOCK: usize = 4096;

/// What RAM holds when the power comes up.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum RamAtPowerUp {
    /// Bits that follow from the seed and the number of the power-up: no firmware may rely on them.
    #[default]
    Noise,
    /// Zeros, as in QEMU.
    Zeros,
}

/// The RAM of one part.
#[derive(Clone, Debug)]
pub(crate) struct Ram {
    bytes: Vec<u8>,
    size: usize,
    content: RamAtPowerUp,
    seed: u64,
    power_ups: u64,
}

impl Ram {
    pub(crate) fn new(size: usize, content: RamAtPowerUp, seed: u64) -> Self {
        Self { bytes: Vec::new(), size, content, seed, power_ups: 0 }
    }

    /// What comes up at the next power-up follows from another seed.
    pub(crate) fn reseed(&mut self, seed: u64) {
        self.seed = seed;
    }

    /// The power was lost and came back.
    pub(crate) fn power_up(&mut self) {
        self.bytes.clear();
        self.power_ups += 1;
    }

    /// Reads at an aligned `offset`; `None` outside.
    #[inline]
    pub(crate) fn read(&mut self, offset: usize, width: Width) -> Option<u32> {
        if offset >= self.bytes.len() {
            // Most addresses that are not RAM at all come by here too.
            if offset >= self.size {
                return None;
            }
            self.grow_to(offset)?;
        }
        let bytes = self.bytes.get(offset..)?;
        match (width, bytes) {
            (Width::Byte, [a, ..]) => Some(u32::from(*a)),
            (Width::Half, [a, b, ..]) => Some(u32::from(u16::from_le_bytes([*a, *b]))),
            (Width::Word, [a, b, c, d, ..]) => Some(u32::from_le_bytes([*a, *b, *c, *d])),
            _ => None,
        }
    }

    /// Writes at an aligned `offset`; `None` outside.
    #[inline]
    pub(crate) fn write(&mut self, offset: usize, value: u32, width: Width) -> Option<()> {
        if offset >= self.bytes.len() {
            // Most addresses that are not RAM at all come by here too.
            if offset >= self.size {
                return None;
            }
            self.grow_to(offset)?;
        }
        let bytes = self.bytes.get_mut(offset..)?;
        match (width, bytes) {
            (Width::Byte, [a, ..]) => *a = value as u8,
            (Width::Half, [a, b, ..]) => [*a, *b] = (value as u16).to_le_bytes(),
            (Width::Word, [a, b, c, d, ..]) => [*a, *b, *c, *d] = value.to_le_bytes(),
            _ => return None,
        }
        Some(())
    }

    /// The `len` bytes at `offset`, if all of them have been touched since the power-up; those that have not come by being read or
    /// written.
    #[inline]
    pub(crate) fn powered_mut(&mut self, offset: usize, len: usize) -> Option<&mut [u8]> {
        self.bytes.get_mut(offset..)?.get_mut(..len)
    }

    /// Copies bytes out, as a debugger does; `None` outside.
    pub(crate) fn copy_out(&mut self, offset: usize, into: &mut [u8]) -> Option<()> {
        let end = offset.checked_add(into.len())?;
        if into.is_empty() {
            return Some(());
        }
        self.grow_to(end - 1)?;
        into.copy_from_slice(self.bytes.get(offset..end)?);
        Some(())
    }

    #[cold]
    fn grow_to(&mut self, offset: usize) -> Option<()> {
        if offset >= self.size {
            return None;
        }
        while self.bytes.len() <= offset {
            self.add_block();
        }
        Some(())
    }

    fn add_block(&mut self) {
        let start = self.bytes.len();
        match self.content {
            RamAtPowerUp::Zeros => self.bytes.resize(start + BLOCK, 0),
            RamAtPowerUp::Noise => {
                let mut noise = Noise::at(self.seed, &[0x4A3, self.power_ups, start as u64]);
                self.bytes.extend((0..BLOCK / 8).flat_map(|_| noise.bits().to_le_bytes()));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keeps_what_is_written_and_ends_where_the_part_says() {
        let mut ram = Ram::new(16 << 10, RamAtPowerUp::Zeros, 1);
        ram.write(0x3FFC, 0xDEAD_BEEF, Width::Word).unwrap();
        ram.write(0x3FFD, 0x11, Width::Byte).unwrap();
        assert_eq!(ram.read(0x3FFC, Width::Word), Some(0xDEAD_11EF));
        assert_eq!(ram.read(0x3FFE, Width::Half), Some(0xDEAD));
        assert_eq!((ram.read(0x4000, Width::Byte), ram.write(0x4000, 0, Width::Byte)), (None, None));
    }

    #[test]
    fn occupies_only_what_was_touched() {
        let mut ram = Ram::new(256 << 10, RamAtPowerUp::Zeros, 1);
        ram.write(0x1234, 1, Width::Byte).unwrap();
        assert_eq!(ram.bytes.len(), 8192);
    }

    #[test]
    fn noise_differs_from_power_up_to_power_up_and_not_from_board_to_equal_board() {
        let content = |power_ups: usize| {
            let mut ram = Ram::new(16 << 10, RamAtPowerUp::Noise, 9);
            (0..power_ups).for_each(|_| ram.power_up());
            (0..64).map(|word| ram.read(4 * word, Width::Word).unwrap()).collect::<Vec<_>>()
        };
        assert_eq!(content(1), content(1));
        assert_ne!(content(1), content(2));
    }
}
