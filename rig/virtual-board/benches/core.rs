//! How fast the core executes: busy code, and code that is mostly interrupts.
//!
//! Boundary: the core alone, on the smallest chip that lends code pages as a real one does. Throughput is in instructions, so
//! criterion's elements per second are instructions per second.

use std::{hint::black_box, sync::Arc, time::Duration};

use brickproof_virtual_board::{
    bus::{Bus, BusFault, Clock, CodePage, Halt, Width},
    core::{Core, CoreOptions, Stop},
};
use criterion::{Criterion, Throughput, criterion_group, criterion_main};

const PAGE: usize = 1024;
const PAGES: usize = 4;
const RAM_BASE: u32 = 0x2000_0000;
const RAM_BYTES: usize = 16 * 1024;
/// A write here takes the interrupt line down.
const ACKNOWLEDGE: u32 = 0x4000_0000;

/// Flash in shared pages, RAM, and one periodic interrupt.
#[derive(Clone)]
struct Chip {
    flash: Vec<Arc<[u8]>>,
    ram: Vec<u8>,
    period: u64,
    due: u64,
    line: bool,
}

impl Chip {
    /// A chip with `program` at address 0 whose interrupt comes every `period` cycles.
    fn new(program: &[u8], period: u64) -> Self {
        let mut image = program.to_vec();
        image.resize(PAGE * PAGES, 0xFF);
        let flash = image.chunks(PAGE).map(Arc::from).collect();
        Chip { flash, ram: vec![0; RAM_BYTES], period, due: period, line: false }
    }

    fn flash_page(&self, address: u32) -> Option<&Arc<[u8]>> {
        self.flash.get(address as usize / PAGE)
    }
}

fn little_endian(bytes: &[u8]) -> u32 {
    bytes.iter().rev().fold(0, |value, byte| value << 8 | u32::from(*byte))
}

fn bytes_of(width: Width) -> usize {
    match width {
        Width::Byte => 1,
        Width::Half => 2,
        Width::Word => 4,
    }
}

impl Bus for Chip {
    fn fetch(&mut self, address: u32) -> Result<u16, BusFault> {
        let page = self.flash_page(address).ok_or(BusFault)?;
        let at = address as usize % PAGE;
        Ok(u16::from_le_bytes([page[at], page[at + 1]]))
    }

    #[inline]
    fn read(&mut self, address: u32, width: Width, _: &mut Clock) -> Result<u32, BusFault> {
        let (memory, at) = match address.checked_sub(RAM_BASE) {
            Some(at) => (&self.ram[..], at as usize),
            None => (&self.flash_page(address).ok_or(BusFault)?[..], address as usize % PAGE),
        };
        match width {
            Width::Byte => memory.get(at).map(|byte| u32::from(*byte)),
            Width::Half => memory.get(at..at + 2).map(little_endian),
            Width::Word => memory.get(at..at + 4).map(little_endian),
        }
        .ok_or(BusFault)
    }

    #[inline]
    fn write(&mut self, address: u32, value: u32, width: Width, clock: &mut Clock) -> Result<(), BusFault> {
        if address == ACKNOWLEDGE {
            self.line = false;
            clock.lines_fell(1);
            return Ok(());
        }
        let at = address.checked_sub(RAM_BASE).ok_or(BusFault)? as usize;
        let bytes = bytes_of(width);
        let target = self.ram.get_mut(at..at + bytes).ok_or(BusFault)?;
        target.copy_from_slice(&value.to_le_bytes()[..bytes]);
        Ok(())
    }

    fn next_event(&self) -> u64 {
        self.due
    }

    fn tick(&mut self, clock: &mut Clock) {
        self.line = true;
        self.due = clock.cycle + self.period;
    }

    fn interrupt_lines(&self) -> u64 {
        u64::from(self.line)
    }

    fn halt(&self) -> Option<Halt> {
        None
    }

    #[inline]
    fn code_page(&self, address: u32) -> Option<CodePage<'_>> {
        self.flash_page(address).map(|bytes| CodePage { base: address & !(PAGE as u32 - 1), bytes })
    }
}

/// A vector table (stack at the end of RAM, reset at `code`, interrupt 0 at `handler`), the code and the handler.
fn image(code: &[u16], handler: &[u16]) -> Vec<u8> {
    const TABLE_BYTES: u32 = 48 * 4;
    let handler_address = TABLE_BYTES + 2 * code.len() as u32;
    let mut table = [0u32; 48];
    table[0] = RAM_BASE + RAM_BYTES as u32;
    table[1] = TABLE_BYTES | 1;
    table[16] = handler_address | 1;
    let words = table.iter().flat_map(|word| word.to_le_bytes());
    let halfwords = code.iter().chain(handler).flat_map(|halfword| halfword.to_le_bytes());
    words.chain(halfwords).collect()
}

/// A checksum as a compiler would write it: loads, stores, shifts, a table, a call per round.
const BUSY: &[u16] = &[
    0x2401, // movs r4, #1
    0x0764, // lsls r4, r4, #29       r4 = 0x2000_0000
    0x2500, // movs r5, #0
    0x2000, // movs r0, #0            outer:
    0x2140, // movs r1, #64
    0x5C63, // ldrb r3, [r4, r1]      inner:
    0x4058, // eors r0, r3
    0x0042, // lsls r2, r0, #1
    0x0FC3, // lsrs r3, r0, #31
    0x431A, // orrs r2, r3
    0x1950, // adds r0, r2, r5
    0x4045, // eors r5, r0
    0x5460, // strb r0, [r4, r1]
    0x008A, // lsls r2, r1, #2
    0x18A2, // adds r2, r4, r2
    0x6290, // str r0, [r2, #40]
    0x6A93, // ldr r3, [r2, #40]
    0x18C0, // adds r0, r0, r3
    0x2B00, // cmp r3, #0
    0xD0FF, // beq to the next
    0x3901, // subs r1, #1
    0xD1EE, // bne inner
    0xF000, 0xF801, // bl function
    0xE7E9, // b outer
    0xB530, // push {r4, r5, lr}      function:
    0xB2C0, // uxtb r0, r0
    0xBD30, // pop {r4, r5, pc}
];

/// `wfi` for ever.
const SLEEPER: &[u16] = &[
    0x2001, // movs r0, #1
    0x4902, // ldr r1, [pc, #8]       NVIC_ISER
    0x6008, // str r0, [r1]
    0xBF30, // wfi
    0xE7FD, // b wfi
    0xBF00, // nop                    (aligns the literal)
    0xE100, 0xE000,
];

/// Takes the line down and returns.
const HANDLER: &[u16] = &[
    0x2001, // movs r0, #1
    0x0780, // lsls r0, r0, #30       r0 = 0x4000_0000
    0x6000, // str r0, [r0]
    0x4770, // bx lr
];

/// A core and a chip that have run long enough to have their code decoded.
fn warm(program: &[u8], period: u64) -> (Core, Chip) {
    let mut chip = Chip::new(program, period);
    let mut core = Core::new(CoreOptions::NRF51);
    core.reset(&mut chip);
    assert_eq!(core.run(&mut chip, 100_000), Stop::Reached);
    (core, chip)
}

/// Runs for `cycles` per iteration and reports instructions per second, or interrupts per second if there are any.
fn measure(criterion: &mut Criterion, name: &str, program: &[u8], period: u64, cycles: u64) {
    let (core, chip) = warm(program, period);
    let mut group = criterion.benchmark_group("core");
    let elements = {
        let (mut core, mut chip) = (core.clone(), chip.clone());
        let before = core.instructions();
        let end = core.clock.cycle + cycles;
        core.run(&mut chip, end);
        if period < cycles { cycles / period } else { core.instructions() - before }
    };
    group.throughput(Throughput::Elements(elements));
    let (mut core, mut chip) = (core, chip);
    group.bench_function(name, |bencher| {
        bencher.iter(|| {
            let end = core.clock.cycle + cycles;
            black_box(core.run(&mut chip, end))
        });
    });
    group.finish();
}

fn benches(criterion: &mut Criterion) {
    measure(criterion, "busy code (instructions)", &image(BUSY, HANDLER), u64::MAX, 1_000_000);
    measure(criterion, "wake, interrupt, sleep (interrupts)", &image(SLEEPER, HANDLER), 1_000, 1_000_000);

    let (core, _) = warm(&image(BUSY, HANDLER), u64::MAX);
    criterion.bench_function("clone a core", |bencher| bencher.iter(|| black_box(core.clone())));
}

criterion_group! {
    name = all;
    // All benches together take some four minutes.
    config = Criterion::default().warm_up_time(Duration::from_secs(1)).measurement_time(Duration::from_secs(3));
    targets = benches
}
criterion_main!(all);
