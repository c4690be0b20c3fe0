//! How large the flash of a part is and how long its operations take.

use brickproof_units::Span;

/// Size and timing of a flash array.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FlashGeometry {
    /// Bytes in all.
    pub size: u32,
    /// Bytes that are erased together.
    pub page: u32,
    /// Time to program one word.
    pub program: Span,
    /// Time to erase one page, or the user information registers.
    pub erase_page: Span,
    /// Time to erase everything.
    pub erase_all: Span,
    /// How often a word may be programmed between two erases, if the part says so.
    pub writes_per_word: Option<u8>,
}

impl FlashGeometry {
    /// nRF51822. Erase 22.3 ms: Zephyr's nRF51 soc.h. Word 46.3 us and erase-all 22.3 ms: recalled from the product
    /// specification, not verified.
    pub const NRF51822: Self = Self {
        size: 256 << 10,
        page: 1 << 10,
        program: Span::nanos(46_300),
        erase_page: Span::nanos(22_300_000),
        erase_all: Span::nanos(22_300_000),
        writes_per_word: None,
    };

    /// nRF52840. Page erase 85 ms, word 41 us, two writes per word between erases (nWRITE): product specification v1.1, NVMC
    /// electrical specification. Erase-all 169 ms: recalled.
    pub const NRF52840: Self = Self {
        size: 1 << 20,
        page: 4 << 10,
        program: Span::micros(41),
        erase_page: Span::millis(85),
        erase_all: Span::millis(169),
        writes_per_word: Some(2),
    };

    /// Pages in all.
    pub fn pages(&self) -> u32 {
        self.size / self.page
    }
}
