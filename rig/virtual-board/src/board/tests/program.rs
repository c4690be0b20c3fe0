//! Programs of a few instructions, and the registers they touch.
//!
//! Boundary: machine code. What a board makes of it is asked by the tests.

use super::*;

/// A program for the bare chip, put together from steps of sixteen bytes each.
#[derive(Clone, Default)]
pub(super) struct Program(Vec<u8>);

impl Program {
    pub(super) fn step(mut self, code: [u16; 4], literals: [u32; 2]) -> Self {
        self.0.extend(code.iter().flat_map(|halfword| halfword.to_le_bytes()));
        self.0.extend(literals.iter().flat_map(|literal| literal.to_le_bytes()));
        self
    }

    /// ldr r0, =address; ldr r1, =value; str r1, [r0]; b over the literals
    pub(super) fn write(self, address: u32, value: u32) -> Self {
        self.step([0x4801, 0x4902, 0x6001, 0xE003], [address, value])
    }

    /// ldr r0, =from; ldr r1, =to; b to the next step, which moves
    pub(super) fn copy(self, from: u32, to: u32) -> Self {
        // ldr r0, [pc, 4]; ldr r0, [r0]; ldr r1, [pc, 4]; b to str at +16; then str r0, [r1] and on.
        self.step([0x4801, 0x6800, 0x4901, 0xE003], [from, to]).step([0x6008, 0xE005, 0xBF00, 0xBF00], [0, 0])
    }

    /// Loops until the word at `address` is not zero.
    pub(super) fn await_event(self, address: u32) -> Self {
        self.step([0x4802, 0x6801, 0x2900, 0xD0FC], [0xBF00_E001, address])
    }

    /// Goes round so many times, three cycles each.
    pub(super) fn wait(self, rounds: u32) -> Self {
        self.step([0x4801, 0x3801, 0xD1FD, 0xE003], [rounds.max(1), 0])
    }

    pub(super) fn then(mut self, next: Self) -> Self {
        self.0.extend(next.0);
        self
    }

    pub(super) fn sleep(self) -> Self {
        self.step([0xBF30, 0xE005, 0xBF00, 0xBF00], [0, 0])
    }

    pub(super) fn stay(self) -> Self {
        self.step([0xE7FE, 0xBF00, 0xBF00, 0xBF00], [0, 0])
    }

    /// The image: a vector table of 48 entries whose handlers all lead to the last step, and the steps.
    pub(super) fn image(self) -> Vec<u8> {
        const TABLE: u32 = 48 * 4;
        let last = TABLE + self.0.len() as u32 - 16;
        let mut image = 0x2000_4000u32.to_le_bytes().to_vec();
        image.extend((TABLE | 1).to_le_bytes());
        image.extend(std::iter::repeat_n((last | 1).to_le_bytes(), 46).flatten());
        image.extend(self.0);
        image
    }

    pub(super) fn on(self, chip: Chip) -> Board {
        Board::new(BoardConfig::new(chip), &self.image()).unwrap()
    }
}

pub(super) const UART: u32 = 0x4000_2000;
pub(super) const NVMC: u32 = 0x4001_E000;
pub(super) const POWER: u32 = 0x4000_0000;
pub(super) const WDT: u32 = 0x4001_0000;
pub(super) const TIMER0: u32 = 0x4000_8000;
pub(super) const GPIO: u32 = 0x5000_0000;
pub(super) const AIRCR: u32 = 0xE000_ED0C;
pub(super) const PAGE: u32 = 0x3_F000;

pub(super) fn console() -> Program {
    Program::default().write(UART + 0x500, 4).write(UART + 0x524, 0x01D7_E000).write(UART + 8, 1).write(UART, 1)
}

pub(super) fn rewriter() -> Program {
    Program::default()
        .write(NVMC + 0x504, 2)
        .write(NVMC + 0x508, PAGE)
        .write(NVMC + 0x504, 1)
        .write(PAGE, 0x1234_5678)
        .write(NVMC + 0x504, 0)
        .stay()
}

/// P0.13 toggles every so many microseconds without the core.
pub(super) fn blinking(micros: u32) -> Program {
    Program::default()
        .write(0x4000_6510, 3 | 13 << 8 | 3 << 16)
        .write(TIMER0 + 0x540, micros)
        .write(TIMER0 + 0x200, 1)
        .write(0x4001_F510, TIMER0 + 0x140)
        .write(0x4001_F514, 0x4000_6000)
        .write(0x4001_F504, 1)
        .write(TIMER0, 1)
}
