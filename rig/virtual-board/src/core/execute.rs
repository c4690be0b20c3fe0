//! What each instruction does, and how exceptions are entered and left.
//!
//! Boundary: one instruction or one exception at a time, on a core lent for the purpose. When to look at the chip, when to stop
//! and how long to sleep is decided in `core`.

use super::{
    bits_if,
    encoding::{Class, Instruction, decode, is_wide},
    exceptions::{HARD_FAULT, NMI, Number, SV_CALL, bit},
    processor::{Processor, Sleep},
    registers::{LR, Mode, PC, SP, exception_of},
};
use crate::bus::{Bus, BusFault, Clock, Width};

/// Addresses from here on belong to the core.
const PRIVATE: u32 = 0xE000_0000;
/// What lies above belongs to the chip's vendor (DDI 0419 B3.1): the start-up code of the nRF51 SDK looks there for the revision.
const PRIVATE_SIZE: u32 = 0x10_0000;

// Cycles (ARM DDI 0432C, table 3-1, zero wait states). The multiplier is the single-cycle one; the small one takes 32.
const LOAD_STORE: u64 = 2;
const BRANCH: u64 = 3;
const CALL: u64 = 4;
const SPECIAL_REGISTER: u64 = 4;
const BARRIER: u64 = 4;
const WAIT: u64 = 2;
/// POP that loads the PC costs this much more than 1 + N.
const POP_BRANCH: u64 = 3;
/// Interrupt latency of the Cortex-M0 (DDI 0432C 1.1). The manual gives no figure for the return, which moves as many words.
const EXCEPTION: u64 = 16;

/// Bit 9 of a stacked xPSR: the stack pointer was lowered by four to align the frame.
const FRAME_PADDED: u32 = 1 << 9;
const FRAME_BYTES: u32 = 32;
const FRAME_WORDS: usize = 8;
/// Bytes in a word.
const WORD: usize = 4;

const RETURN_TO_HANDLER: u32 = 0xFFFF_FFF1;
const RETURN_TO_THREAD_MAIN: u32 = 0xFFFF_FFF9;
const RETURN_TO_THREAD_PROCESS: u32 = 0xFFFF_FFFD;

/// Why an instruction did not simply end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Exit {
    /// A HardFault that returns to the instruction itself.
    Fault,
    /// An SVC that could not be taken: a HardFault that returns to the instruction after it, as the SVC would have.
    EscalatedCall,
    /// BKPT with a debugger to stop for.
    Breakpoint(u8),
    /// An exception return whose frame cannot be read: a HardFault that returns as it would have.
    FailedUnstacking {
        /// The EXC_RETURN.
        return_code: u32,
    },
}

impl From<BusFault> for Exit {
    fn from(BusFault: BusFault) -> Self {
        Exit::Fault
    }
}

/// The core can go no further (DDI 0419 B1.5.15).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct LockedUp;

/// A core, its clock and the chip, for the time of a run.
pub(super) struct Running<'a, B: Bus> {
    pub(super) processor: &'a mut Processor,
    pub(super) clock: &'a mut Clock,
    pub(super) bus: &'a mut B,
}

impl<B: Bus> Running<'_, B> {
    /// Fetches, decodes and executes the instruction at `pc`; returns the address of the next one.
    pub(super) fn execute_at(&mut self, pc: u32) -> Result<u32, Exit> {
        let first = self.fetch(pc)?;
        let second = if is_wide(first) { self.fetch(pc.wrapping_add(2))? } else { 0 };
        let (next, now) = self.execute(&decode(pc, first, second), pc, self.clock.cycle)?;
        self.clock.cycle = now;
        Ok(next)
    }

    fn fetch(&mut self, address: u32) -> Result<u16, Exit> {
        if is_execute_never(address) {
            return Err(Exit::Fault);
        }
        Ok(self.bus.fetch(address)?)
    }

    /// Executes the instruction at `pc` at cycle `now`; returns the address of the next one and the cycle it begins at. After an
    /// error the registers are as before.
    ///
    /// Time goes in and out as a value because most instructions need no more of it than an addition in a register; those that
    /// involve a device or an exception share it through the clock, and so do those that fail.
    #[inline(always)]
    pub(super) fn execute(&mut self, instruction: &Instruction, pc: u32, now: u64) -> Result<(u32, u64), Exit> {
        let immediate = instruction.immediate;
        let next = pc.wrapping_add(2);
        let mut end = now + 1;

        // The fields are read where they are used: most instructions use two of the three, and masked to four bits none of them
        // needs a bounds check.
        macro_rules! d {
            () => {
                usize::from(instruction.d & 15)
            };
        }
        macro_rules! n {
            () => {
                usize::from(instruction.n & 15)
            };
        }
        macro_rules! m {
            () => {
                usize::from(instruction.m & 15)
            };
        }
        macro_rules! registers {
            () => {
                self.processor.registers
            };
        }
        macro_rules! reg {
            ($index:expr) => {
                registers!().general[$index]
            };
        }
        macro_rules! flags {
            () => {
                registers!().flags
            };
        }
        macro_rules! load {
            ($address:expr, $width:ident) => {{
                let address = $address;
                self.clock.cycle = now;
                let value = self.load(address, Width::$width)?;
                end = self.clock.cycle + LOAD_STORE;
                value
            }};
        }
        macro_rules! store {
            ($address:expr, $width:ident) => {{
                let address = $address;
                self.clock.cycle = now;
                self.store(address, reg!(d!()), Width::$width)?;
                end = self.clock.cycle + LOAD_STORE;
            }};
        }
        macro_rules! branch_if {
            ($condition:expr) => {
                if $condition {
                    return Ok((immediate, now + BRANCH));
                }
            };
        }

        match instruction.class {
            Class::LslImmediate => {
                let value = reg!(m!());
                reg!(d!()) = flags!().set_nzc(value << immediate, value >> (32 - immediate) & 1 != 0);
            }
            Class::MovLow => reg!(d!()) = flags!().set_nz(reg!(m!())),
            Class::LsrImmediate => reg!(d!()) = self.shift_right_logical(reg!(m!()), immediate),
            Class::AsrImmediate => reg!(d!()) = self.shift_right_arithmetic(reg!(m!()), immediate),
            Class::AddRegister => reg!(d!()) = flags!().add(reg!(n!()), reg!(m!())),
            Class::SubRegister => reg!(d!()) = flags!().subtract(reg!(n!()), reg!(m!())),
            Class::AddImmediate3 | Class::AddImmediate8 => reg!(d!()) = flags!().add(reg!(n!()), immediate),
            Class::SubImmediate3 | Class::SubImmediate8 => reg!(d!()) = flags!().subtract(reg!(n!()), immediate),
            Class::MovImmediate => reg!(d!()) = flags!().set_nz(immediate),
            Class::CmpImmediate => {
                flags!().subtract(reg!(n!()), immediate);
            }
            Class::And => reg!(d!()) = flags!().set_nz(reg!(n!()) & reg!(m!())),
            Class::Eor => reg!(d!()) = flags!().set_nz(reg!(n!()) ^ reg!(m!())),
            Class::LslRegister => reg!(d!()) = self.shift_left(reg!(n!()), reg!(m!()) & 0xFF),
            Class::LsrRegister => reg!(d!()) = self.shift_right_logical(reg!(n!()), reg!(m!()) & 0xFF),
            Class::AsrRegister => reg!(d!()) = self.shift_right_arithmetic(reg!(n!()), reg!(m!()) & 0xFF),
            Class::Adc => reg!(d!()) = flags!().add_with_carry(reg!(n!()), reg!(m!())),
            Class::Sbc => reg!(d!()) = flags!().add_with_carry(reg!(n!()), !reg!(m!())),
            Class::Ror => reg!(d!()) = self.rotate_right(reg!(n!()), reg!(m!()) & 0xFF),
            Class::Tst => {
                flags!().set_nz(reg!(n!()) & reg!(m!()));
            }
            Class::Rsb => reg!(d!()) = flags!().subtract(0, reg!(m!())),
            Class::CmpLow => {
                flags!().subtract(reg!(n!()), reg!(m!()));
            }
            Class::Cmn => {
                flags!().add(reg!(n!()), reg!(m!()));
            }
            Class::Orr => reg!(d!()) = flags!().set_nz(reg!(n!()) | reg!(m!())),
            Class::Mul => reg!(d!()) = flags!().set_nz(reg!(n!()).wrapping_mul(reg!(m!()))),
            Class::Bic => reg!(d!()) = flags!().set_nz(reg!(n!()) & !reg!(m!())),
            Class::Mvn => reg!(d!()) = flags!().set_nz(!reg!(m!())),

            Class::AddHigh => {
                self.expose_pc(pc);
                let sum = reg!(n!()).wrapping_add(reg!(m!()));
                self.set_high(d!(), sum);
            }
            Class::AddPc => {
                self.expose_pc(pc);
                return Ok((reg!(PC).wrapping_add(reg!(m!())) & !1, now + BRANCH));
            }
            Class::CmpHigh => {
                self.expose_pc(pc);
                flags!().subtract(reg!(n!()), reg!(m!()));
            }
            Class::MovHigh => {
                self.expose_pc(pc);
                self.set_high(d!(), reg!(m!()));
            }
            Class::MovPc => {
                self.expose_pc(pc);
                return Ok((reg!(m!()) & !1, now + BRANCH));
            }
            Class::Bx => {
                self.expose_pc(pc);
                self.clock.cycle = now;
                let next = self.branch_exchange(reg!(m!()))?;
                return Ok((next, self.clock.cycle + BRANCH));
            }
            Class::Blx => {
                self.expose_pc(pc);
                let target = reg!(m!());
                reg!(LR) = next | 1;
                return Ok((self.branch_to_state(target), now + BRANCH));
            }

            Class::LdrLiteral => reg!(d!()) = load!(immediate, Word),
            Class::StrRegister => store!(reg!(n!()).wrapping_add(reg!(m!())), Word),
            Class::StrhRegister => store!(reg!(n!()).wrapping_add(reg!(m!())), Half),
            Class::StrbRegister => store!(reg!(n!()).wrapping_add(reg!(m!())), Byte),
            Class::Ldrsb => reg!(d!()) = load!(reg!(n!()).wrapping_add(reg!(m!())), Byte) as i8 as u32,
            Class::LdrRegister => reg!(d!()) = load!(reg!(n!()).wrapping_add(reg!(m!())), Word),
            Class::LdrhRegister => reg!(d!()) = load!(reg!(n!()).wrapping_add(reg!(m!())), Half),
            Class::LdrbRegister => reg!(d!()) = load!(reg!(n!()).wrapping_add(reg!(m!())), Byte),
            Class::Ldrsh => reg!(d!()) = load!(reg!(n!()).wrapping_add(reg!(m!())), Half) as i16 as u32,
            Class::StrImmediate | Class::StrSp => store!(reg!(n!()).wrapping_add(immediate), Word),
            Class::LdrImmediate | Class::LdrSp => reg!(d!()) = load!(reg!(n!()).wrapping_add(immediate), Word),
            Class::StrbImmediate => store!(reg!(n!()).wrapping_add(immediate), Byte),
            Class::LdrbImmediate => reg!(d!()) = load!(reg!(n!()).wrapping_add(immediate), Byte),
            Class::StrhImmediate => store!(reg!(n!()).wrapping_add(immediate), Half),
            Class::LdrhImmediate => reg!(d!()) = load!(reg!(n!()).wrapping_add(immediate), Half),

            Class::Adr => reg!(d!()) = immediate,
            Class::AddRdSp => reg!(d!()) = reg!(SP).wrapping_add(immediate),
            Class::AddSp => reg!(SP) = reg!(SP).wrapping_add(immediate),
            Class::SubSp => reg!(SP) = reg!(SP).wrapping_sub(immediate),
            Class::Sxth => reg!(d!()) = reg!(m!()) as i16 as u32,
            Class::Sxtb => reg!(d!()) = reg!(m!()) as i8 as u32,
            Class::Uxth => reg!(d!()) = reg!(m!()) & 0xFFFF,
            Class::Uxtb => reg!(d!()) = reg!(m!()) & 0xFF,
            Class::Rev => reg!(d!()) = reg!(m!()).swap_bytes(),
            Class::Rev16 => reg!(d!()) = reg!(m!()).swap_bytes().rotate_left(16),
            Class::Revsh => reg!(d!()) = (reg!(m!()) as u16).swap_bytes() as i16 as u32,

            Class::Push => {
                self.clock.cycle = now;
                self.push(immediate)?;
                end = self.clock.cycle + multiple(immediate);
            }
            Class::Pop => {
                self.clock.cycle = now;
                reg!(SP) = self.load_multiple(SP, immediate)?;
                end = self.clock.cycle + multiple(immediate);
            }
            Class::PopPc => {
                self.clock.cycle = now;
                let next = self.pop_pc(immediate)?;
                return Ok((next, self.clock.cycle + multiple(immediate | 1 << PC) + POP_BRANCH));
            }
            Class::Stm => {
                self.clock.cycle = now;
                reg!(n!()) = self.store_multiple(reg!(n!()), immediate)?;
                end = self.clock.cycle + multiple(immediate);
            }
            Class::Ldm => {
                self.clock.cycle = now;
                let after = self.load_multiple(n!(), immediate)?;
                // A base that is itself loaded keeps what was loaded.
                if immediate & 1 << n!() == 0 {
                    reg!(n!()) = after;
                }
                end = self.clock.cycle + multiple(immediate);
            }

            Class::Beq => branch_if!(flags!().z()),
            Class::Bne => branch_if!(!flags!().z()),
            Class::Bcs => branch_if!(flags!().c()),
            Class::Bcc => branch_if!(!flags!().c()),
            Class::Bmi => branch_if!(flags!().n()),
            Class::Bpl => branch_if!(!flags!().n()),
            Class::Bvs => branch_if!(flags!().v()),
            Class::Bvc => branch_if!(!flags!().v()),
            Class::Bhi => branch_if!(flags!().c() && !flags!().z()),
            Class::Bls => branch_if!(!flags!().c() || flags!().z()),
            Class::Bge => branch_if!(flags!().n() == flags!().v()),
            Class::Blt => branch_if!(flags!().n() != flags!().v()),
            Class::Bgt => branch_if!(!flags!().z() && flags!().n() == flags!().v()),
            Class::Ble => branch_if!(flags!().z() || flags!().n() != flags!().v()),
            Class::B => branch_if!(true),
            Class::Bl => {
                reg!(LR) = pc.wrapping_add(4) | 1;
                return Ok((immediate, now + CALL));
            }

            Class::Nop | Class::Yield => {}
            Class::Cps => self.change_primask(immediate != 0),
            Class::Sev => self.processor.event = true,
            Class::Wfe => {
                self.clock.cycle = now;
                self.wait_for_event();
                end = self.clock.cycle + WAIT;
            }
            Class::Wfi => {
                self.clock.cycle = now;
                self.fall_asleep(Sleep::UntilInterrupt);
                end = self.clock.cycle + WAIT;
            }
            Class::Svc => {
                self.clock.cycle = now;
                self.call_supervisor()?;
            }
            Class::Bkpt | Class::UdfNarrow | Class::UdfWide | Class::Undefined => {
                self.clock.cycle = now;
                return Err(self.refuse(instruction));
            }
            Class::Msr => {
                let exists = self.processor.options.unprivileged;
                registers!().write_special(immediate, reg!(n!()), exists);
                self.clock.call_attention();
                return Ok((pc.wrapping_add(4), now + SPECIAL_REGISTER));
            }
            Class::Mrs => {
                reg!(d!()) = registers!().read_special(immediate);
                return Ok((pc.wrapping_add(4), now + SPECIAL_REGISTER));
            }
            // Nothing is reordered here, so there is nothing to wait for.
            Class::Dsb | Class::Dmb | Class::Isb => {
                return Ok((pc.wrapping_add(4), now + BARRIER));
            }
        }
        Ok((next, end))
    }

    /// What becomes of an instruction that does nothing itself.
    #[cold]
    fn refuse(&self, instruction: &Instruction) -> Exit {
        if instruction.class == Class::Bkpt && self.processor.options.halting_debug {
            return Exit::Breakpoint(instruction.immediate as u8);
        }
        Exit::Fault
    }

    /// Lets R15 read as the architecture says: the address of the instruction plus four.
    #[inline(always)]
    fn expose_pc(&mut self, pc: u32) {
        self.processor.registers.general[PC] = pc.wrapping_add(4);
    }

    /// Writes a register that may be SP, whose low bits are always zero.
    #[inline(always)]
    fn set_high(&mut self, register: usize, value: u32) {
        let always_zero = if register == SP { 3 } else { 0 };
        self.processor.registers.general[register] = value & !always_zero;
    }

    // Shifts (DDI 0419 A2.2.1 and A6.5): an amount of zero leaves the carry, amounts of 32 and more are defined.

    fn shift_left(&mut self, value: u32, amount: u32) -> u32 {
        let flags = &mut self.processor.registers.flags;
        match amount {
            0 => flags.set_nz(value),
            1..=32 => flags.set_nzc((u64::from(value) << amount) as u32, value >> (32 - amount) & 1 != 0),
            _ => flags.set_nzc(0, false),
        }
    }

    #[inline]
    fn shift_right_logical(&mut self, value: u32, amount: u32) -> u32 {
        let flags = &mut self.processor.registers.flags;
        match amount {
            0 => flags.set_nz(value),
            1..=32 => flags.set_nzc((u64::from(value) >> amount) as u32, value >> (amount - 1) & 1 != 0),
            _ => flags.set_nzc(0, false),
        }
    }

    #[inline]
    fn shift_right_arithmetic(&mut self, value: u32, amount: u32) -> u32 {
        let flags = &mut self.processor.registers.flags;
        let signed = i64::from(value as i32);
        match amount {
            0 => flags.set_nz(value),
            // From 32 on, every bit and the carry are the sign.
            _ => {
                let amount = amount.min(32);
                flags.set_nzc((signed >> amount) as u32, signed >> (amount - 1) & 1 != 0)
            }
        }
    }

    fn rotate_right(&mut self, value: u32, amount: u32) -> u32 {
        let flags = &mut self.processor.registers.flags;
        if amount == 0 {
            return flags.set_nz(value);
        }
        let result = value.rotate_right(amount & 31);
        flags.set_nzc(result, result >> 31 != 0)
    }

    // Memory.

    #[inline(always)]
    fn load(&mut self, address: u32, width: Width) -> Result<u32, Exit> {
        if is_private(address) {
            return self.load_private(address, width);
        }
        check_alignment(address, width)?;
        Ok(self.bus.read(address, width, self.clock)?)
    }

    #[inline(always)]
    fn store(&mut self, address: u32, value: u32, width: Width) -> Result<(), Exit> {
        if is_private(address) {
            return self.store_private(address, value, width);
        }
        check_alignment(address, width)?;
        Ok(self.bus.write(address, value, width, self.clock)?)
    }

    /// The private bus takes words only (DDI 0419 B3.1.1).
    #[cold]
    fn load_private(&mut self, address: u32, width: Width) -> Result<u32, Exit> {
        check_private_access(address, width)?;
        Ok(self.processor.read_private(address, self.clock)?)
    }

    #[cold]
    fn store_private(&mut self, address: u32, value: u32, width: Width) -> Result<(), Exit> {
        check_private_access(address, width)?;
        // An interrupt can only be withdrawn once its line has fallen.
        self.sample_lines();
        Ok(self.processor.write_private(address, value, self.clock)?)
    }

    /// Loads the registers in `list`, lowest first, from the address in `base`; returns the address after the last word.
    fn load_multiple(&mut self, base: usize, list: u32) -> Result<u32, Exit> {
        let mut address = self.processor.registers.general[base];
        if let Some(memory) = words_at(self.bus, address, list.count_ones() as usize) {
            for (register, word) in registers_in(list).zip(memory.chunks_exact(WORD)) {
                self.processor.registers.general[register] = word_of(word);
            }
            return Ok(address.wrapping_add(4 * list.count_ones()));
        }
        let mut loaded = [0; 8];
        for register in registers_in(list) {
            loaded[register & 7] = self.load(address, Width::Word)?;
            address = address.wrapping_add(4);
        }
        for register in registers_in(list) {
            self.processor.registers.general[register] = loaded[register & 7];
        }
        Ok(address)
    }

    /// Stores the registers in `list`, lowest first, from `address` up; returns the address after the last word.
    fn store_multiple(&mut self, mut address: u32, list: u32) -> Result<u32, Exit> {
        if let Some(memory) = words_at(self.bus, address, list.count_ones() as usize) {
            for (register, word) in registers_in(list).zip(memory.chunks_exact_mut(WORD)) {
                word.copy_from_slice(&self.processor.registers.general[register].to_le_bytes());
            }
            return Ok(address.wrapping_add(4 * list.count_ones()));
        }
        for register in registers_in(list) {
            self.store(address, self.processor.registers.general[register], Width::Word)?;
            address = address.wrapping_add(4);
        }
        Ok(address)
    }

    fn push(&mut self, list: u32) -> Result<(), Exit> {
        let bottom = self.processor.registers.general[SP].wrapping_sub(4 * list.count_ones());
        self.store_multiple(bottom, list)?;
        self.processor.registers.general[SP] = bottom;
        Ok(())
    }

    fn pop_pc(&mut self, list: u32) -> Result<u32, Exit> {
        let before = self.processor.registers.general;
        let end = self.load_multiple(SP, list)?;
        let target = self.load(end, Width::Word);
        // The stack pointer has moved by the time an exception return looks at it.
        self.processor.registers.general[SP] = end.wrapping_add(4);
        let next = target.and_then(|target| self.branch_exchange(target));
        if next.is_err() {
            self.processor.registers.general = before;
        }
        next
    }

    // Control.

    /// BX and POP {PC}: in Handler mode 0xFxxx_xxxx returns from the exception (DDI 0419 A2.3.1, BXWritePC).
    #[inline]
    fn branch_exchange(&mut self, target: u32) -> Result<u32, Exit> {
        if target >> 28 == 0xF && self.processor.registers.mode == Mode::Handler {
            return self.return_from_exception(target);
        }
        Ok(self.branch_to_state(target))
    }

    /// Bit 0 of the target becomes EPSR.T; when that is zero the next instruction faults.
    #[inline]
    fn branch_to_state(&mut self, target: u32) -> u32 {
        let thumb = target & 1 != 0;
        self.processor.registers.thumb = thumb;
        if !thumb {
            self.clock.call_attention();
        }
        target & !1
    }

    /// Takes in the interrupt lines as they are now.
    #[inline]
    pub(super) fn sample_lines(&mut self) {
        let fallen = self.clock.take_fallen_lines();
        self.processor.sample_lines(self.bus.interrupt_lines(), fallen);
    }

    /// What is pending may be taken now: looks before the next instruction. With nothing pending there is nothing to look at.
    #[inline]
    fn let_in_what_waits(&mut self) {
        if self.processor.exceptions.most_urgent().is_some() {
            self.clock.call_attention();
        }
    }

    fn change_primask(&mut self, primask: bool) {
        if self.processor.registers.is_privileged() {
            self.processor.registers.primask = primask;
            self.let_in_what_waits();
        }
    }

    fn wait_for_event(&mut self) {
        if !std::mem::take(&mut self.processor.event) {
            self.fall_asleep(Sleep::UntilEvent);
        }
    }

    fn fall_asleep(&mut self, sleep: Sleep) {
        self.processor.sleep = sleep;
        self.clock.call_attention();
        self.bus.activity_changed(self.processor.activity(), self.clock);
    }

    fn call_supervisor(&mut self) -> Result<(), Exit> {
        if !self.processor.exceptions.outranks(SV_CALL, self.processor.execution_priority()) {
            return Err(Exit::EscalatedCall);
        }
        self.processor.pend(bit(SV_CALL));
        self.clock.call_attention();
        Ok(())
    }

    // Exceptions (DDI 0419 B1.5.6 to B1.5.8).

    /// Enters `number`, or HardFault in its place if its frame cannot be stacked.
    pub(super) fn enter_exception(&mut self, number: Number) -> Result<(), LockedUp> {
        let return_code = self.exception_return_code();
        let number = match self.push_frame() {
            Ok(()) => number,
            Err(_) => self.number_after_failed_stacking(number),
        };
        self.take_exception(number, return_code)
    }

    /// Which exception is taken when stacking for `number` failed. HardFault and NMI are taken all the same, on the frame as far as
    /// it was written (as QEMU does; DDI 0432 does not count it among the causes of lock-up); after NMI comes the HardFault.
    fn number_after_failed_stacking(&mut self, number: Number) -> Number {
        if number == NMI {
            self.processor.exceptions.pend(bit(HARD_FAULT));
            return NMI;
        }
        HARD_FAULT
    }

    /// Goes to the handler of `number`, or of HardFault if the vector cannot be read; for HardFault and NMI that is the end.
    pub(super) fn take_exception(&mut self, number: Number, return_code: u32) -> Result<(), LockedUp> {
        let (number, vector) = match self.read_vector(number) {
            Ok(vector) => (number, vector),
            Err(_) if matches!(number, NMI | HARD_FAULT) => return Err(LockedUp),
            Err(_) => (HARD_FAULT, self.read_vector(HARD_FAULT).map_err(|_| LockedUp)?),
        };
        let registers = &mut self.processor.registers;
        registers.general[LR] = return_code;
        registers.general[PC] = vector & !1;
        registers.thumb = vector & 1 != 0;
        registers.mode = Mode::Handler;
        registers.exception = number;
        registers.select_stack(false);
        self.processor.exceptions.activate(number);
        self.processor.event = true;
        self.clock.cycle += EXCEPTION;
        Ok(())
    }

    fn exception_return_code(&self) -> u32 {
        let registers = &self.processor.registers;
        match registers.mode {
            Mode::Handler => RETURN_TO_HANDLER,
            Mode::Thread if registers.uses_process_stack() => RETURN_TO_THREAD_PROCESS,
            Mode::Thread => RETURN_TO_THREAD_MAIN,
        }
    }

    fn push_frame(&mut self) -> Result<(), Exit> {
        let registers = &mut self.processor.registers;
        let sp = registers.general[SP];
        let padded = bits_if(sp & 4 != 0, FRAME_PADDED);
        let frame = sp.wrapping_sub(FRAME_BYTES) & !7;
        let r = &registers.general;
        let words = [r[0], r[1], r[2], r[3], r[12], r[LR], r[PC], registers.xpsr() | padded];
        registers.general[SP] = frame;
        if let Some(memory) = words_at(self.bus, frame, FRAME_WORDS) {
            for (place, word) in memory.chunks_exact_mut(WORD).zip(words) {
                place.copy_from_slice(&word.to_le_bytes());
            }
            return Ok(());
        }
        let mut address = frame;
        for word in words {
            self.store(address, word, Width::Word)?;
            address = address.wrapping_add(4);
        }
        Ok(())
    }

    fn read_vector(&mut self, number: Number) -> Result<u32, Exit> {
        self.load(self.processor.vector_table.wrapping_add(4 * u32::from(number)), Width::Word)
    }

    /// Leaves the current exception. What DDI 0419 B1.5.8 calls UNPREDICTABLE (a malformed code, a handler that is not active,
    /// a nesting or a stacked exception number that contradicts the code) faults, with nothing changed. If the frame cannot be read,
    /// the exception is over all the same (DeActivate comes before PopStack).
    fn return_from_exception(&mut self, code: u32) -> Result<u32, Exit> {
        let (mode, process_stack) = match code {
            RETURN_TO_HANDLER => (Mode::Handler, false),
            RETURN_TO_THREAD_MAIN => (Mode::Thread, false),
            RETURN_TO_THREAD_PROCESS => (Mode::Thread, true),
            _ => return Err(Exit::Fault),
        };
        let returning = self.processor.registers.exception;
        let exceptions = &self.processor.exceptions;
        let is_outermost = exceptions.active_count() == 1;
        if !exceptions.is_active(returning) || is_outermost != (mode == Mode::Thread) {
            return Err(Exit::Fault);
        }
        let registers = &self.processor.registers;
        let frame = if process_stack { registers.process_stack_pointer() } else { registers.main_stack_pointer() };
        let Ok(words) = self.read_frame(frame) else {
            self.sample_lines();
            self.processor.exceptions.deactivate(returning);
            return Err(Exit::FailedUnstacking { return_code: code });
        };
        let [r0, r1, r2, r3, r12, lr, pc, xpsr] = words;
        if (exception_of(xpsr) == 0) != (mode == Mode::Thread) {
            return Err(Exit::Fault);
        }

        self.sample_lines();
        self.processor.exceptions.deactivate(returning);
        let registers = &mut self.processor.registers;
        registers.mode = mode;
        registers.select_stack(process_stack);
        registers.general[..4].copy_from_slice(&[r0, r1, r2, r3]);
        registers.general[12] = r12;
        registers.general[LR] = lr;
        let padding = bits_if(xpsr & FRAME_PADDED != 0, 4);
        registers.general[SP] = frame.wrapping_add(FRAME_BYTES) | padding;
        registers.restore_xpsr(xpsr);

        self.processor.event = true;
        if mode == Mode::Thread && self.processor.sleeps_on_exit() {
            self.fall_asleep(Sleep::UntilInterrupt);
        }
        if !self.processor.registers.thumb {
            self.clock.call_attention();
        }
        self.let_in_what_waits();
        // The instruction that returned pays for its branch itself.
        self.clock.cycle += EXCEPTION - BRANCH;
        Ok(pc & !1)
    }

    fn read_frame(&mut self, frame: u32) -> Result<[u32; FRAME_WORDS], Exit> {
        let mut words = [0; FRAME_WORDS];
        if let Some(memory) = words_at(self.bus, frame, FRAME_WORDS) {
            for (word, place) in words.iter_mut().zip(memory.chunks_exact(WORD)) {
                *word = word_of(place);
            }
            return Ok(words);
        }
        let mut address = frame;
        for word in &mut words {
            *word = self.load(address, Width::Word)?;
            address = address.wrapping_add(4);
        }
        Ok(words)
    }
}

/// So many words at `address`, if they can be moved at once.
#[inline(always)]
fn words_at<B: Bus>(bus: &mut B, address: u32, count: usize) -> Option<&mut [u8]> {
    if address & 3 == 0 { bus.plain_memory(address, WORD * count) } else { None }
}

#[inline(always)]
fn word_of(bytes: &[u8]) -> u32 {
    bytes.try_into().map_or(0, u32::from_le_bytes)
}

/// The cycles of an instruction that moves the registers in `list`.
#[inline(always)]
fn multiple(list: u32) -> u64 {
    1 + u64::from(list.count_ones())
}

/// The registers in a list, lowest first.
#[inline(always)]
fn registers_in(mut list: u32) -> impl Iterator<Item = usize> {
    std::iter::from_fn(move || {
        if list == 0 {
            return None;
        }
        let register = list.trailing_zeros() as usize & 15;
        list &= list - 1;
        Some(register)
    })
}

#[inline(always)]
fn check_alignment(address: u32, width: Width) -> Result<(), BusFault> {
    let must_be_zero = match width {
        Width::Byte => 0,
        Width::Half => 1,
        Width::Word => 3,
    };
    if address & must_be_zero == 0 { Ok(()) } else { Err(BusFault) }
}

fn is_private(address: u32) -> bool {
    address.wrapping_sub(PRIVATE) < PRIVATE_SIZE
}

fn check_private_access(address: u32, width: Width) -> Result<(), BusFault> {
    if width == Width::Word { check_alignment(address, width) } else { Err(BusFault) }
}

/// The regions of the default memory map that hold no code (DDI 0419 B3.1, table B3-1).
fn is_execute_never(address: u32) -> bool {
    matches!(address >> 29, 0b010 | 0b101..)
}
