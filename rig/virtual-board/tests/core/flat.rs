//! The smallest chip: code, RAM, interrupt lines and a script.
//!
//! Boundary: nothing here knows what an instruction is.

use std::{collections::VecDeque, sync::Arc};

use brickproof_virtual_board::{
    bus::{Activity, Bus, BusFault, Clock, CodePage, Halt, Width},
    core::{Core, CoreOptions, Register, Stop},
};

/// Bytes of code, from address 0.
pub(crate) const CODE_BYTES: usize = 0x4000;
pub(crate) const RAM: u32 = 0x2000_0000;
pub(crate) const RAM_BYTES: usize = 0x1000;
/// A word written here becomes the interrupt lines.
pub(crate) const LINES: u32 = 0x4000_0000;
const PAGE: usize = 0x400;

/// Where [`Rig`] puts the program.
pub(crate) const PROGRAM: u32 = 0x200;
/// Where [`Rig`] puts the handler of exception `number`: 32 instructions each.
pub(crate) fn handler(number: u32) -> u32 {
    0x1000 + number * 0x40
}

/// How the chip hands out its code.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Lending {
    /// Halfword by halfword.
    Fetches,
    /// Page by page, to be kept decoded.
    Pages,
}

#[derive(Clone, Debug)]
pub(crate) struct Flat {
    pub(crate) lending: Lending,
    code: Vec<Arc<[u8]>>,
    pub(crate) ram: Vec<u8>,
    pub(crate) lines: u32,
    /// At these cycles the lines become that.
    pub(crate) script: VecDeque<(u64, u32)>,
    pub(crate) halt: Option<Halt>,
    pub(crate) activity: Vec<(u64, Activity)>,
}

impl Flat {
    pub(crate) fn new(lending: Lending) -> Self {
        Flat {
            lending,
            code: vec![Arc::from(vec![0xFF; PAGE]); CODE_BYTES / PAGE],
            ram: vec![0; RAM_BYTES],
            lines: 0,
            script: VecDeque::new(),
            halt: None,
            activity: Vec::new(),
        }
    }

    /// Writes code, as a programmer would: in no time.
    pub(crate) fn burn(&mut self, address: u32, bytes: &[u8]) {
        for (address, byte) in (address as usize..).zip(bytes) {
            Arc::make_mut(&mut self.code[address / PAGE])[address % PAGE] = *byte;
        }
    }

    /// From here on there is no code memory at all.
    pub(crate) fn forget_code(&mut self) {
        self.code.clear();
    }

    pub(crate) fn word(&self, address: u32) -> u32 {
        let at = (address - RAM) as usize;
        (0..4).map(|i| u32::from(self.ram[at + i]) << (8 * i)).sum()
    }

    pub(crate) fn set_word(&mut self, address: u32, value: u32) {
        let at = (address - RAM) as usize;
        self.ram[at..at + 4].copy_from_slice(&value.to_le_bytes());
    }

    fn byte(&self, address: u32) -> Result<u8, BusFault> {
        let ram = address.checked_sub(RAM).and_then(|at| self.ram.get(at as usize)).copied();
        let code = || self.code.get(address as usize / PAGE).map(|page| page[address as usize % PAGE]);
        ram.or_else(code).ok_or(BusFault)
    }
}

fn bytes_of(width: Width) -> u32 {
    match width {
        Width::Byte => 1,
        Width::Half => 2,
        Width::Word => 4,
    }
}

impl Bus for Flat {
    fn fetch(&mut self, address: u32) -> Result<u16, BusFault> {
        Ok(u16::from_le_bytes([self.byte(address)?, self.byte(address + 1)?]))
    }

    fn read(&mut self, address: u32, width: Width, _: &mut Clock) -> Result<u32, BusFault> {
        assert!(address.is_multiple_of(bytes_of(width)), "the core lets an unaligned access through");
        (0..bytes_of(width)).try_fold(0, |value, i| Ok(value | u32::from(self.byte(address + i)?) << (8 * i)))
    }

    fn write(&mut self, address: u32, value: u32, width: Width, clock: &mut Clock) -> Result<(), BusFault> {
        assert!(address.is_multiple_of(bytes_of(width)), "the core lets an unaligned access through");
        if address == LINES {
            self.lines = value;
            clock.call_attention();
            return Ok(());
        }
        // Code can be written like flash whose controller allows it, so that tests see stale instructions.
        if (address as usize) < CODE_BYTES {
            self.burn(address, &value.to_le_bytes()[..bytes_of(width) as usize]);
            clock.call_attention();
            return Ok(());
        }
        let at = address.checked_sub(RAM).ok_or(BusFault)? as usize;
        let target = self.ram.get_mut(at..at + bytes_of(width) as usize).ok_or(BusFault)?;
        target.copy_from_slice(&value.to_le_bytes()[..bytes_of(width) as usize]);
        Ok(())
    }

    fn next_event(&self) -> u64 {
        self.script.front().map_or(u64::MAX, |(cycle, _)| *cycle)
    }

    fn tick(&mut self, clock: &mut Clock) {
        while let Some((cycle, lines)) = self.script.front().copied()
            && cycle <= clock.cycle
        {
            self.lines = lines;
            self.script.pop_front();
        }
    }

    fn interrupt_lines(&self) -> u64 {
        u64::from(self.lines)
    }

    fn halt(&self) -> Option<Halt> {
        self.halt
    }

    fn code_page(&self, address: u32) -> Option<CodePage<'_>> {
        if self.lending == Lending::Fetches {
            return None;
        }
        let bytes = self.code.get(address as usize / PAGE)?;
        Some(CodePage { base: address & !(PAGE as u32 - 1), bytes })
    }

    fn activity_changed(&mut self, activity: Activity, clock: &mut Clock) {
        self.activity.push((clock.cycle, activity));
    }
}

/// `B .`
pub(crate) const STAY: u16 = 0xE7FE;
/// `BX LR`
pub(crate) const BX_LR: u16 = 0x4770;
/// `NOP`
pub(crate) const NOP: u16 = 0xBF00;
/// The stack pointer after reset.
pub(crate) const STACK: u32 = RAM + 0x800;

/// A core on a flat chip with a vector table, a program and handlers that stay where they are unless told otherwise.
#[derive(Clone, Debug)]
pub(crate) struct Rig {
    pub(crate) core: Core,
    pub(crate) chip: Flat,
}

impl Rig {
    pub(crate) fn new(options: CoreOptions, program: &[u16]) -> Self {
        let mut rig = Rig { core: Core::new(options), chip: Flat::new(Lending::Pages) };
        rig.vector(0, STACK);
        rig.vector(1, PROGRAM | 1);
        for number in 2..48 {
            rig.vector(number, handler(number) | 1);
            rig = rig.with_handler(number, &[STAY]);
        }
        rig.burn(PROGRAM, program);
        rig.core.reset(&mut rig.chip);
        rig
    }

    /// On the nRF51's core.
    pub(crate) fn m0(program: &[u16]) -> Self {
        Rig::new(CoreOptions::NRF51, program)
    }

    pub(crate) fn with_handler(mut self, number: u32, code: &[u16]) -> Self {
        self.burn(handler(number), code);
        self
    }

    pub(crate) fn burn(&mut self, address: u32, code: &[u16]) {
        let bytes: Vec<u8> = code.iter().flat_map(|halfword| halfword.to_le_bytes()).collect();
        self.chip.burn(address, &bytes);
    }

    pub(crate) fn vector(&mut self, number: u32, value: u32) {
        self.chip.burn(4 * number, &value.to_le_bytes());
    }

    pub(crate) fn step(&mut self) -> Option<Stop> {
        self.core.step(&mut self.chip)
    }

    /// Steps `count` times; nothing may stop the core.
    pub(crate) fn steps(&mut self, count: usize) {
        for _ in 0..count {
            assert_eq!(self.step(), None, "at {:#x}", self.core.pc());
        }
    }

    /// Runs for `cycles`.
    pub(crate) fn run(&mut self, cycles: u64) -> Stop {
        let until = self.core.clock.cycle + cycles;
        self.core.run(&mut self.chip, until)
    }

    pub(crate) fn register(&self, number: usize) -> u32 {
        self.core.registers().general[number]
    }

    pub(crate) fn set(&mut self, register: Register, value: u32) {
        self.core.write_register(register, value);
    }

    /// Writes a word of the system control space as a program would: with STR.
    pub(crate) fn poke(&mut self, address: u32, value: u32) {
        let before = self.core.registers();
        self.burn(0x180, &[0x6008]); // str r0, [r1]
        for (number, value) in [(0, value), (1, address), (15, 0x180)] {
            self.set(Register::General(number), value);
        }
        let executed = self.core.instructions();
        while self.core.instructions() == executed {
            assert_eq!(self.step(), None, "write of {value:#x} to {address:#x}");
        }
        for number in [0, 1, 15] {
            self.set(Register::General(number), before.general[usize::from(number)]);
        }
    }

    pub(crate) fn peek(&mut self, address: u32) -> u32 {
        self.core.read_system(address).expect("an aligned address of a system register")
    }

    /// The exception that is executing; 0 in Thread mode.
    pub(crate) fn exception(&self) -> u32 {
        self.core.registers().xpsr & 0x3F
    }

    /// The stacked word `index` of the frame at the stack pointer.
    pub(crate) fn stacked(&self, index: u32) -> u32 {
        self.chip.word(self.register(13) + 4 * index)
    }
}
