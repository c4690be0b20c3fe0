//! How large the flash of a part is and how long its operations take.

use brickproof_units::Span;

/// So many sectors of one size, one after the other. A sector is what is erased together; an nRF calls it a page.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sectors {
    /// How many.
    pub count: u32,
    /// Bytes in each.
    pub size: u32,
    /// Time to erase one.
    pub erase: Span,
}

/// One sector.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sector {
    /// Its first byte.
    pub address: u32,
    /// Bytes.
    pub size: u32,
    /// Time to erase it.
    pub erase: Span,
}

/// Size and timing of a flash array.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FlashGeometry {
    /// The address of the first byte.
    pub base: u32,
    /// Bytes in all.
    pub size: u32,
    /// What is erased together, in the order of the addresses.
    pub sectors: &'static [Sectors],
    /// Time to program one word.
    pub program: Span,
    /// Time to erase the user information registers.
    pub erase_user: Span,
    /// Time to erase everything.
    pub erase_all: Span,
    /// How often a word may be programmed between two erases, if the part says so.
    pub writes_per_word: Option<u8>,
}

const NRF51_ERASE: Span = Span::nanos(22_300_000);
const NRF52_ERASE: Span = Span::millis(85);

impl FlashGeometry {
    /// nRF51822. Erase 22.3 ms: Zephyr's nRF51 soc.h. Word 46.3 us and erase-all 22.3 ms: recalled from the product
    /// specification, not verified.
    pub const NRF51822: Self = Self {
        base: 0,
        size: 256 << 10,
        sectors: &[Sectors { count: 256, size: 1 << 10, erase: NRF51_ERASE }],
        program: Span::nanos(46_300),
        erase_user: NRF51_ERASE,
        erase_all: NRF51_ERASE,
        writes_per_word: None,
    };

    /// nRF52840. Page erase 85 ms, word 41 us, two writes per word between erases (nWRITE): product specification v1.1, NVMC
    /// electrical specification. Erase-all 169 ms: recalled.
    pub const NRF52840: Self = Self {
        base: 0,
        size: 1 << 20,
        sectors: &[Sectors { count: 256, size: 4 << 10, erase: NRF52_ERASE }],
        program: Span::micros(41),
        erase_user: NRF52_ERASE,
        erase_all: Span::millis(169),
        writes_per_word: Some(2),
    };

    /// STM32F205RG, as a programmer with 32 bits at a time sees it; what its controller asks for takes the times of
    /// [`crate::stm32::Parallelism`]. Sectors: RM0033, 3.2. Typical times: word 16 us and 16 KiB 250 ms as the comments of ST's own
    /// drivers say, 64 KiB 550 ms and 128 KiB 1 s recalled from the data sheet, everything 8 s (the sum, about what is recalled).
    pub const STM32F205: Self = Self {
        base: 0x0800_0000,
        size: 1 << 20,
        sectors: &[
            Sectors { count: 4, size: 16 << 10, erase: Span::millis(250) },
            Sectors { count: 1, size: 64 << 10, erase: Span::millis(550) },
            Sectors { count: 7, size: 128 << 10, erase: Span::millis(1_000) },
        ],
        program: Span::micros(16),
        // It has no such registers.
        erase_user: Span::millis(250),
        erase_all: Span::millis(8_000),
        writes_per_word: None,
    };

    /// Whether `address` is in it.
    #[inline]
    pub const fn contains(&self, address: u32) -> bool {
        address.wrapping_sub(self.base) < self.size
    }

    /// Its sectors, from the first to the last.
    pub fn each_sector(&self) -> impl Iterator<Item = Sector> {
        let mut address = self.base;
        let each = self.sectors.iter().flat_map(|sectors| std::iter::repeat_n(*sectors, sectors.count as usize));
        each.map(move |Sectors { size, erase, .. }| {
            let sector = Sector { address, size, erase };
            address += size;
            sector
        })
    }

    /// The sector that holds `address`, if it is in the flash.
    pub fn sector_at(&self, address: u32) -> Option<Sector> {
        let mut offset = address.checked_sub(self.base)?;
        let mut first = self.base;
        for &Sectors { count, size, erase } in self.sectors {
            if offset < count * size {
                return Some(Sector { address: first + offset - offset % size, size, erase });
            }
            offset -= count * size;
            first += count * size;
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ALL: [FlashGeometry; 3] = [FlashGeometry::NRF51822, FlashGeometry::NRF52840, FlashGeometry::STM32F205];

    #[test]
    fn sectors_lie_side_by_side_from_the_first_byte_to_the_last() {
        for geometry in ALL {
            let mut next = geometry.base;
            for sector in geometry.each_sector() {
                assert_eq!(sector.address, next);
                for address in [next, next + sector.size / 2, next + sector.size - 1] {
                    assert_eq!(geometry.sector_at(address), Some(sector));
                }
                next += sector.size;
            }
            assert_eq!(next, geometry.base + geometry.size);
            assert_eq!(geometry.sector_at(next), None);
            assert!(!geometry.contains(next) && geometry.contains(next - 1));
        }
        assert_eq!(
            FlashGeometry::STM32F205.sector_at(0x0801_2345).map(|it| (it.address, it.size)),
            Some((0x0801_0000, 64 << 10))
        );
        assert_eq!(FlashGeometry::STM32F205.sector_at(0), None, "the second place is the chip's, not the array's");
    }
}
