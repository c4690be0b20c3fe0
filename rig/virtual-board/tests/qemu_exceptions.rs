//! Exceptions, priorities, faults, returns, special registers: the core against what QEMU made of the same programs.
//!
//! Boundary: replays `fixtures/vectors/exceptions.txt`, which says how it was made; QEMU itself is not needed. Every register is
//! compared before every instruction, and RAM at the end, so that stacked frames count as well.
//!
//! Four freedoms are given, each by name:
//! - R0 to R12 and the flags after reset are UNKNOWN (DDI 0419 B1.5.5): the core starts with QEMU's.
//! - After a tail-chained entry R0 to R3, R12 and the flags are UNKNOWN (DDI 0419 B1.5.7, ExceptionTaken): QEMU chains, the core
//!   returns and enters again, so it goes on with QEMU's.
//! - ICSR bit 11 is reserved (DDI 0419 B3.2.4) and RETTOBASE in ARMv7-M: QEMU sets it on a Cortex-M0 as well; whoever loads ICSR
//!   goes on with QEMU's.
//! - [`DEVIATIONS`]: where QEMU is not what the manual says, or the manual says UNPREDICTABLE. What the core does instead is checked.
//!
//! Section numbers of the manual (DDI 0419) are recalled, not looked up.

use brickproof_oracle::qemu::State;
use brickproof_oracle::vectors::{self, Ending, Vector};
use brickproof_oracle::{FLASH_BYTES, RAM_BYTES, RAM_START};
use brickproof_virtual_board::bus::{Bus, BusFault, Clock, Halt, Width};
use brickproof_virtual_board::core::encoding::{Class, decode};
use brickproof_virtual_board::core::{Core, CoreOptions, Register, Stop};

const VECTORS: &str = include_str!("../../../fixtures/vectors/exceptions.txt");

/// Situations in which the core must differ from QEMU 7.2, where it must end instead, and why. One that agrees is a mistake in
/// this list.
const DEVIATIONS: &[(&str, End, &str)] = &[
    ("an undefined 16-bit encoding (cbz) in thread mode", End::HardFault, CBZ),
    ("an undefined 16-bit encoding (cbz) on the process stack", End::HardFault, CBZ),
    ("an undefined 16-bit encoding (cbz) in an interrupt handler", End::HardFault, CBZ),
    ("an undefined 16-bit encoding (cbz) in the hardfault handler locks up", End::Lockup, CBZ),
    ("an undefined 16-bit encoding (it) in thread mode", End::HardFault, IT),
    ("an undefined 16-bit encoding (it) on the process stack", End::HardFault, IT),
    ("an undefined 16-bit encoding (it) in an interrupt handler", End::HardFault, IT),
    ("an undefined 16-bit encoding (it) in the hardfault handler locks up", End::Lockup, IT),
    ("return with fffffff1 from the only handler", End::HardFault, BAD_RETURN),
    ("return with fffffff0 from the only handler", End::HardFault, BAD_RETURN),
    ("return with fffffff5 from the only handler", End::HardFault, BAD_RETURN),
    ("return with ffffffff from the only handler", End::HardFault, BAD_RETURN),
    ("return with fffffff9 from a nested handler", End::HardFault, BAD_RETURN),
    ("return with fffffffd from a nested handler", End::HardFault, BAD_RETURN),
    ("the stacked exception number is not zero on return to thread mode", End::HardFault, BAD_RETURN),
    ("reserved bits of the stacked xpsr are set", End::Thread, "QEMU keeps bits that do not exist (B1.4.2)"),
    ("return by mov pc is a plain branch and faults", End::HardFault, "QEMU executes what is never executable (B3.1)"),
    ("the saturation flag of ARMv7-M is written", End::Thread, "QEMU keeps APSR.Q, which ARMv6-M lacks (B1.4.2)"),
    (
        "vtor is read, written and read",
        End::Thread,
        "QEMU's Cortex-M0 has a VTOR; the real one reads as zero (DDI 0432)",
    ),
    ("scr is read, written and read", End::Thread, "QEMU has no SCR on a Cortex-M0 (B3.2.7 has one)"),
    ("shpr3 is read, written and read", End::Thread, "QEMU shows DebugMonitor's priority, which is reserved (B3.2.10)"),
];

/// Where a program ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum End {
    /// Idle in the HardFault handler.
    HardFault,
    Lockup,
    /// Idle in Thread mode.
    Thread,
}

const CBZ: &str = "QEMU executes CBZ, which ARMv6-M does not have (A5.2.5)";
const IT: &str = "QEMU executes IT, which ARMv6-M does not have (A5.2.5)";
/// Both raise a HardFault; QEMU as if the handler had returned, the core inside the handler.
const BAD_RETURN: &str = "UNPREDICTABLE (B1.5.8)";

/// Flash, RAM and nothing else.
struct Memory {
    flash: Vec<u8>,
    ram: Vec<u8>,
}

impl Memory {
    fn new(flash: &[u8]) -> Self {
        let mut whole = vec![0xFF; FLASH_BYTES];
        whole[..flash.len()].copy_from_slice(flash);
        Self { flash: whole, ram: vec![0; RAM_BYTES] }
    }

    fn at(&mut self, address: u32, width: Width) -> Result<&mut [u8], BusFault> {
        let bytes = match width {
            Width::Byte => 1,
            Width::Half => 2,
            Width::Word => 4,
        };
        if !(address as usize).is_multiple_of(bytes) {
            return Err(BusFault);
        }
        let (memory, offset) = match address {
            0..RAM_START => (&mut self.flash, address as usize),
            _ => (&mut self.ram, (address - RAM_START) as usize),
        };
        memory.get_mut(offset..offset + bytes).ok_or(BusFault)
    }
}

impl Bus for Memory {
    fn fetch(&mut self, address: u32) -> Result<u16, BusFault> {
        self.at(address, Width::Half).map(|bytes| u16::from_le_bytes([bytes[0], bytes[1]]))
    }
    fn read(&mut self, address: u32, width: Width, _: &mut Clock) -> Result<u32, BusFault> {
        Ok(self.at(address, width)?.iter().rev().fold(0, |word, byte| word << 8 | u32::from(*byte)))
    }
    fn write(&mut self, address: u32, value: u32, width: Width, _: &mut Clock) -> Result<(), BusFault> {
        let bytes = self.at(address, width)?;
        let length = bytes.len();
        if address >= RAM_START {
            bytes.copy_from_slice(&value.to_le_bytes()[..length]);
        }
        Ok(())
    }
    fn next_event(&self) -> u64 {
        u64::MAX
    }
    fn tick(&mut self, _: &mut Clock) {}
    fn interrupt_lines(&self) -> u64 {
        0
    }
    fn halt(&self) -> Option<Halt> {
        None
    }
}

fn state_of(core: &Core) -> State {
    let registers = core.registers();
    State { registers: registers.general, xpsr: registers.xpsr }
}

/// A core out of reset, with QEMU's choice of what reset leaves UNKNOWN.
fn started(memory: &mut Memory, first: &State) -> Core {
    let mut core = Core::new(CoreOptions { halting_debug: false, ..CoreOptions::NRF51 });
    core.reset(memory);
    for number in 0..13 {
        core.write_register(Register::General(number), first.registers[usize::from(number)]);
    }
    core.write_register(Register::Xpsr, first.xpsr);
    core
}

/// One line of QEMU's trace: an instruction, and the exception entries that follow it at once.
fn follow(core: &mut Core, memory: &mut Memory, before: &State, expected: &State) -> Option<Stop> {
    let executed = core.instructions();
    for _ in 0..4 {
        let unentered = core.clone();
        if let Some(stop) = core.step(memory) {
            return Some(stop);
        }
        if core.instructions() > executed + 1 {
            // Nothing more is entered; this instruction belongs to the next line.
            *core = unentered;
            return None;
        }
        if entered_by_tail_chaining(before, expected) && same_but_for_unknown(&state_of(core), expected) {
            adopt_unknown(core, expected);
        }
        if let Some(target) = loaded_from_icsr(memory, before) {
            adopt_return_to_base(core, target, expected);
        }
        if state_of(core) == *expected {
            return None;
        }
    }
    None
}

const EXCEPTION: u32 = 0x3F;
const FLAGS: u32 = 0xF000_0000;

fn entered_by_tail_chaining(before: &State, after: &State) -> bool {
    before.xpsr & EXCEPTION != 0 && after.xpsr & EXCEPTION != 0 && after.registers[14] >= 0xFFFF_FFF0
}

fn same_but_for_unknown(ours: &State, theirs: &State) -> bool {
    let known = |state: &State| {
        let mut known = *state;
        for unknown in [0, 1, 2, 3, 12] {
            known.registers[unknown] = 0;
        }
        known.xpsr &= !FLAGS;
        known
    };
    known(ours) == known(theirs)
}

fn adopt_unknown(core: &mut Core, theirs: &State) {
    for unknown in [0, 1, 2, 3, 12] {
        core.write_register(Register::General(unknown), theirs.registers[usize::from(unknown)]);
    }
    core.write_register(Register::Xpsr, theirs.xpsr);
}

const ICSR: u32 = 0xE000_ED04;
const RETURN_TO_BASE: u32 = 1 << 11;

/// The register that the next instruction loads from ICSR, if it does.
fn loaded_from_icsr(memory: &mut Memory, state: &State) -> Option<u8> {
    let halfword = memory.fetch(state.registers[15]).ok()?;
    let load = decode(state.registers[15], halfword, 0);
    let address = state.registers[usize::from(load.n)].wrapping_add(load.immediate);
    (load.class == Class::LdrImmediate && address == ICSR).then_some(load.d)
}

fn adopt_return_to_base(core: &mut Core, target: u8, theirs: &State) {
    let ours = state_of(core).registers[usize::from(target)];
    if ours | RETURN_TO_BASE == theirs.registers[usize::from(target)] {
        core.write_register(Register::General(target), ours | RETURN_TO_BASE);
    }
}

/// Replays `vector`. The error says where the core went another way.
fn replay(vector: &Vector) -> Result<(), String> {
    let mut memory = Memory::new(&vector.flash);
    let mut core = started(&mut memory, &vector.states[0]);
    for (index, pair) in vector.states.windows(2).enumerate() {
        let [before, expected] = pair else { unreachable!("windows of two") };
        let stop = follow(&mut core, &mut memory, before, expected);
        let ours = state_of(&core);
        if stop.is_some() || ours != *expected {
            return Err(format!(
                "after instruction {index}, {:08x}: {stop:?}\n  ours {ours:x?}\n  qemu {expected:x?}",
                before.registers[15]
            ));
        }
    }
    let last = core.step(&mut memory);
    match (vector.ending, last) {
        (Ending::Lockup, Some(Stop::Lockup { .. })) => Ok(()),
        (Ending::Idle, None) => compare_ram(vector, &memory),
        _ => Err(format!("QEMU ends with {:?}, the core with {last:?} at {:x?}", vector.ending, state_of(&core))),
    }
}

/// Where the core ends when nobody leads it; `None` if elsewhere or nowhere.
fn end_of(vector: &Vector) -> Option<End> {
    let mut memory = Memory::new(&vector.flash);
    let mut core = started(&mut memory, &vector.states[0]);
    for _ in 0..1_000 {
        match core.step(&mut memory) {
            Some(Stop::Lockup { .. }) => return Some(End::Lockup),
            Some(_) => return None,
            None => {}
        }
    }
    match state_of(&core).xpsr & EXCEPTION {
        0 => Some(End::Thread),
        3 => Some(End::HardFault),
        _ => None,
    }
}

fn compare_ram(vector: &Vector, memory: &Memory) -> Result<(), String> {
    let words = memory.ram.chunks_exact(4).map(|word| u32::from_le_bytes([word[0], word[1], word[2], word[3]]));
    let ours: Vec<(u32, u32)> = (RAM_START..).step_by(4).zip(words).filter(|(_, word)| *word != 0).collect();
    if ours == vector.ram { Ok(()) } else { Err(format!("RAM\n  ours {ours:x?}\n  qemu {:x?}", vector.ram)) }
}

#[test]
fn every_situation_ends_as_in_qemu_or_deviates_for_a_named_reason() {
    let vectors = vectors::read(VECTORS).unwrap();
    assert!(vectors.len() >= 150, "only {} situations", vectors.len());
    let mut complaints = Vec::new();
    for vector in &vectors {
        let deviation = DEVIATIONS.iter().find(|(name, ..)| *name == vector.name);
        match (replay(vector), deviation) {
            (Err(difference), None) => complaints.push(format!("{}: {difference}", vector.name)),
            (Ok(()), Some(_)) => complaints.push(format!("{}: agrees, but is listed as a deviation", vector.name)),
            (Err(_), Some((name, end, _))) if end_of(vector) != Some(*end) => {
                complaints.push(format!("{name}: ends {:?} rather than {end:?}", end_of(vector)));
            }
            _ => {}
        }
    }
    for (name, _, reason) in DEVIATIONS {
        assert!(vectors.iter().any(|vector| vector.name == *name), "no situation `{name}` ({reason})");
    }
    let count = complaints.len();
    assert!(complaints.is_empty(), "{count} of {} situations:\n{}", vectors.len(), complaints.join("\n"));
}

/// What QEMU cannot be asked: it executes at these addresses, for it knows nothing of XN on a Cortex-M0.
#[test]
fn in_thread_mode_a_return_code_is_a_branch_to_where_nothing_can_be_executed() {
    for code in [0xFFFF_FFF1u32, 0xFFFF_FFF9, 0xFFFF_FFFD, 0xFFFF_FFFF] {
        let mut memory = Memory::new(&[]);
        memory.flash[..16].fill(0);
        memory.flash[..4].copy_from_slice(&0x2000_4000u32.to_le_bytes());
        memory.flash[4..8].copy_from_slice(&0x101u32.to_le_bytes());
        memory.flash[12..16].copy_from_slice(&0x201u32.to_le_bytes());
        // BX r0.
        memory.flash[0x100..0x102].copy_from_slice(&0x4700u16.to_le_bytes());
        let mut core = Core::new(CoreOptions::NRF51);
        core.reset(&mut memory);
        core.write_register(Register::General(0), code);
        assert_eq!((core.step(&mut memory), core.step(&mut memory)), (None, None));
        let state = state_of(&core);
        assert_eq!((state.xpsr & EXCEPTION, state.registers[15]), (3, 0x200), "{code:08x}");
    }
}
