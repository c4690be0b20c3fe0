//! The state of the core between instructions, and what a program reads and writes of it in the system control space.
//!
//! Boundary: state only. Running is in `execute`.

use super::{
    CoreOptions, bits_if,
    debug::Debug,
    exceptions::{Exceptions, FIRST_INTERRUPT, NMI, Number, PEND_SV, SV_CALL, SYS_TICK, bit},
    registers::RegisterFile,
    systick::SysTick,
};
use crate::bus::{BusFault, Clock};

/// The private peripheral bus, with everything the core answers to itself.
pub(super) const PRIVATE_BUS: std::ops::Range<u32> = 0xE000_0000..0xE010_0000;
pub(super) const SYSTEM_CONTROL_SPACE: std::ops::Range<u32> = 0xE000_E000..0xE000_F000;

// Register offsets in the system control space (DDI 0419 B3.2.2, B3.3.2, B3.4.2).
const SYST_CSR: u32 = 0x010;
const SYST_RVR: u32 = 0x014;
const SYST_CVR: u32 = 0x018;
const SYST_CALIB: u32 = 0x01C;
const NVIC_ISER: u32 = 0x100;
const NVIC_ICER: u32 = 0x180;
const NVIC_ISPR: u32 = 0x200;
const NVIC_ICPR: u32 = 0x280;
const NVIC_IPR0: u32 = 0x400;
const NVIC_IPR11: u32 = 0x42C;
/// The second word of ISER, ICER, ISPR and ICPR lies behind the first; ARMv6-M has none.
const SECOND_WORD: u32 = 4;
const CPUID: u32 = 0xD00;
const ICSR: u32 = 0xD04;
const VTOR: u32 = 0xD08;
const AIRCR: u32 = 0xD0C;
const SCR: u32 = 0xD10;
const CCR: u32 = 0xD14;
const SHPR2: u32 = 0xD1C;
const SHPR3: u32 = 0xD20;
const SHCSR: u32 = 0xD24;

/// Cortex-M0 r0p0 (DDI 0432 4.2).
const CPUID_CORTEX_M0: u32 = 0x410C_C200;
const CALIB_NO_REFERENCE: u32 = 1 << 31;
const ICSR_NMIPENDSET: u32 = 1 << 31;
const ICSR_PENDSVSET: u32 = 1 << 28;
const ICSR_PENDSVCLR: u32 = 1 << 27;
const ICSR_PENDSTSET: u32 = 1 << 26;
const ICSR_PENDSTCLR: u32 = 1 << 25;
const ICSR_ISRPENDING: u32 = 1 << 22;
const ICSR_VECTPENDING_SHIFT: u32 = 12;
const VTOR_MASK: u32 = 0xFFFF_FF80;
const AIRCR_KEY: u32 = 0x05FA;
const AIRCR_KEY_STATUS: u32 = 0xFA05_0000;
const AIRCR_SYSRESETREQ: u32 = 1 << 2;
const SCR_SLEEPONEXIT: u32 = 1 << 1;
const SCR_SLEEPDEEP: u32 = 1 << 2;
const SCR_SEVONPEND: u32 = 1 << 4;
/// STKALIGN and UNALIGN_TRP, both fixed at one.
const CCR_VALUE: u32 = 1 << 9 | 1 << 3;
const SHCSR_SVCALLPENDED: u32 = 1 << 15;

/// What the core waits for, if it sleeps.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Sleep {
    Awake,
    /// WFI, or sleep on exit.
    UntilInterrupt,
    /// WFE.
    UntilEvent,
}

/// Everything the core is, but its clock and its decoded code.
#[derive(Clone, Debug)]
pub(super) struct Processor {
    pub(super) options: CoreOptions,
    pub(super) debug: Debug,
    pub(super) registers: RegisterFile,
    pub(super) exceptions: Exceptions,
    pub(super) systick: SysTick,
    pub(super) sleep: Sleep,
    /// The event register of WFE and SEV.
    pub(super) event: bool,
    pub(super) vector_table: u32,
    /// SCR, with only the bits that exist.
    system_control: u32,
    /// SYSRESETREQ was written.
    pub(super) reset_requested: bool,
    pub(super) locked_up: bool,
    /// Instructions executed since the core was made; a reset does not clear it.
    pub(super) instructions: u64,
}

impl Processor {
    pub(super) fn new(options: CoreOptions) -> Self {
        Processor {
            options,
            debug: Debug::default(),
            registers: RegisterFile::new(),
            exceptions: Exceptions::new(),
            systick: SysTick::new(),
            sleep: Sleep::Awake,
            event: false,
            vector_table: 0,
            system_control: 0,
            reset_requested: false,
            locked_up: false,
            instructions: 0,
        }
    }

    /// Everything as after reset but what outlasts it: the options, the debug registers and the count of instructions.
    pub(super) fn reset(&mut self) {
        *self =
            Processor { debug: self.debug.clone(), instructions: self.instructions, ..Processor::new(self.options) };
    }

    /// Pends the exceptions in `mask`; with SEVONPEND that is an event.
    pub(super) fn pend(&mut self, mask: u64) {
        let fresh = self.exceptions.pend(mask);
        self.note_pended(fresh);
    }

    #[inline]
    pub(super) fn sample_lines(&mut self, lines: u64, fallen: u64) {
        let fresh = self.exceptions.sample_lines(lines, fallen);
        self.note_pended(fresh);
    }

    fn note_pended(&mut self, fresh: u64) {
        self.event |= fresh != 0 && self.system_control & SCR_SEVONPEND != 0;
    }

    pub(super) fn advance_systick(&mut self, now: u64) {
        if self.systick.advance(now) {
            self.pend(bit(SYS_TICK));
        }
    }

    pub(super) fn sleeps_on_exit(&self) -> bool {
        self.system_control & SCR_SLEEPONEXIT != 0
    }

    pub(super) fn sleeps_deeply(&self) -> bool {
        self.system_control & SCR_SLEEPDEEP != 0
    }

    /// The priority at which the core executes, PRIMASK included.
    pub(super) fn execution_priority(&self) -> i8 {
        self.exceptions.execution_priority(self.registers.primask)
    }

    /// Reads a word of the address space the core owns (0xE000_0000 and up), as a program does.
    pub(super) fn read_private(&mut self, address: u32, clock: &mut Clock) -> Result<u32, BusFault> {
        self.check_private(address)?;
        if !SYSTEM_CONTROL_SPACE.contains(&address) {
            // Watchpoint, breakpoint and ROM table units are only a debugger's on a Cortex-M0, and so are the debug registers.
            return Ok(0);
        }
        Ok(self.read_system(address, clock))
    }

    /// Reads a word of the system control space, whoever asks.
    pub(super) fn read_system(&mut self, address: u32, clock: &mut Clock) -> u32 {
        // What is read may depend on a SysTick that wrapped since the core last looked.
        self.advance_systick(clock.cycle);
        match address & 0xFFF {
            offset @ (SYST_CSR | SYST_RVR | SYST_CVR | SYST_CALIB) => self.read_systick(offset, clock.cycle),
            NVIC_ISER | NVIC_ICER => self.exceptions.enabled_interrupts() as u32,
            NVIC_ISPR | NVIC_ICPR => self.exceptions.pending_interrupts() as u32,
            offset @ NVIC_IPR0..=NVIC_IPR11 if self.has_levels(offset) => {
                self.read_levels(first_of_level_word(offset), 0b1111)
            }
            offset if self.options.further_interrupts => self.read_further(offset),
            CPUID => CPUID_CORTEX_M0,
            ICSR => self.read_icsr(),
            VTOR => self.vector_table,
            AIRCR => AIRCR_KEY_STATUS,
            SCR => self.system_control,
            CCR => CCR_VALUE,
            SHPR2 => self.read_levels(SV_CALL - 3, 0b1000),
            SHPR3 => self.read_levels(PEND_SV - 2, 0b1100),
            SHCSR => bits_if(self.exceptions.is_pending(SV_CALL), SHCSR_SVCALLPENDED),
            _ => 0,
        }
    }

    /// Writes a word of the address space the core owns (0xE000_0000 and up), as a program does.
    pub(super) fn write_private(&mut self, address: u32, value: u32, clock: &mut Clock) -> Result<(), BusFault> {
        self.check_private(address)?;
        if SYSTEM_CONTROL_SPACE.contains(&address) {
            self.write_system(address, value, clock);
        }
        Ok(())
    }

    /// Writes a word of the system control space, whoever asks.
    pub(super) fn write_system(&mut self, address: u32, value: u32, clock: &mut Clock) {
        self.advance_systick(clock.cycle);
        clock.call_attention();
        match address & 0xFFF {
            offset @ (SYST_CSR | SYST_RVR | SYST_CVR) => self.write_systick(offset, value, clock.cycle),
            NVIC_ISER => self.exceptions.enable_interrupts(u64::from(value)),
            NVIC_ICER => self.exceptions.disable_interrupts(u64::from(value)),
            NVIC_ISPR => self.pend(u64::from(value) << FIRST_INTERRUPT),
            NVIC_ICPR => self.exceptions.withdraw(u64::from(value) << FIRST_INTERRUPT),
            offset @ NVIC_IPR0..=NVIC_IPR11 if self.has_levels(offset) => {
                self.write_levels(first_of_level_word(offset), 0b1111, value);
            }
            ICSR => self.write_icsr(value),
            VTOR if self.options.vtor => self.vector_table = value & VTOR_MASK,
            AIRCR if value >> 16 == AIRCR_KEY => self.reset_requested |= value & AIRCR_SYSRESETREQ != 0,
            SCR => self.system_control = value & (SCR_SLEEPONEXIT | SCR_SLEEPDEEP | SCR_SEVONPEND),
            SHPR2 => self.write_levels(SV_CALL - 3, 0b1000, value),
            SHPR3 => self.write_levels(PEND_SV - 2, 0b1100, value),
            SHCSR if value & SHCSR_SVCALLPENDED != 0 => self.pend(bit(SV_CALL)),
            SHCSR => self.exceptions.withdraw(bit(SV_CALL)),
            offset if self.options.further_interrupts => self.write_further(offset, value),
            _ => {}
        }
    }

    fn has_levels(&self, offset: u32) -> bool {
        self.options.further_interrupts || offset < NVIC_IPR0 + 32
    }

    /// The NVIC's words for the interrupts from 32 on.
    fn read_further(&self, offset: u32) -> u32 {
        match offset.wrapping_sub(SECOND_WORD) {
            NVIC_ISER | NVIC_ICER => (self.exceptions.enabled_interrupts() >> 32) as u32,
            NVIC_ISPR | NVIC_ICPR => (self.exceptions.pending_interrupts() >> 32) as u32,
            _ => 0,
        }
    }

    fn write_further(&mut self, offset: u32, value: u32) {
        // Of the second word there are 16 bits: shifted to their exceptions, the others fall out.
        let interrupts = u64::from(value) << 32;
        match offset.wrapping_sub(SECOND_WORD) {
            NVIC_ISER => self.exceptions.enable_interrupts(interrupts),
            NVIC_ICER => self.exceptions.disable_interrupts(interrupts),
            NVIC_ISPR => self.pend(interrupts << FIRST_INTERRUPT),
            NVIC_ICPR => self.exceptions.withdraw(interrupts << FIRST_INTERRUPT),
            _ => {}
        }
    }

    /// Only privileged code reaches the private bus; above it is nothing.
    fn check_private(&self, address: u32) -> Result<(), BusFault> {
        if PRIVATE_BUS.contains(&address) && self.registers.is_privileged() { Ok(()) } else { Err(BusFault) }
    }

    fn read_systick(&mut self, offset: u32, now: u64) -> u32 {
        match offset {
            _ if !self.options.systick => 0,
            SYST_CSR => self.systick.read_control(),
            SYST_RVR => self.systick.reload(),
            SYST_CVR => self.systick.value(now),
            _ => CALIB_NO_REFERENCE,
        }
    }

    fn write_systick(&mut self, offset: u32, value: u32, now: u64) {
        match offset {
            _ if !self.options.systick => {}
            SYST_CSR => self.systick.write_control(value, now),
            SYST_RVR => self.systick.write_reload(value, now),
            _ => self.systick.clear_value(now),
        }
    }

    fn read_icsr(&self) -> u32 {
        let pending = |number, flag| bits_if(self.exceptions.is_pending(number), flag);
        let vect_pending = self.exceptions.most_urgent().map_or(0, |(number, _)| u32::from(number));
        u32::from(self.registers.exception)
            | vect_pending << ICSR_VECTPENDING_SHIFT
            | bits_if(self.exceptions.pending_interrupts() != 0, ICSR_ISRPENDING)
            | pending(SYS_TICK, ICSR_PENDSTSET)
            | pending(PEND_SV, ICSR_PENDSVSET)
            | pending(NMI, ICSR_NMIPENDSET)
    }

    fn write_icsr(&mut self, value: u32) {
        let asked = |flag| value & flag != 0;
        if asked(ICSR_NMIPENDSET) {
            self.pend(bit(NMI));
        }
        if asked(ICSR_PENDSVCLR) {
            self.exceptions.withdraw(bit(PEND_SV));
        }
        if asked(ICSR_PENDSVSET) {
            self.pend(bit(PEND_SV));
        }
        // Without a SysTick its pending bit is RAZ/WI as well (DDI 0419 B3.2.4).
        if asked(ICSR_PENDSTCLR) {
            self.exceptions.withdraw(bit(SYS_TICK));
        }
        if asked(ICSR_PENDSTSET) && self.options.systick {
            self.pend(bit(SYS_TICK));
        }
    }

    /// The priority word whose lowest byte is that of `first`; only the bytes in `present` exist. A level is the top two bits of
    /// its byte.
    fn read_levels(&self, first: Number, present: u32) -> u32 {
        present_bytes(present).map(|byte| u32::from(self.exceptions.level(first + byte)) << (8 * byte + 6)).sum()
    }

    fn write_levels(&mut self, first: Number, present: u32, value: u32) {
        for byte in present_bytes(present) {
            self.exceptions.set_level(first + byte, (value >> (8 * byte + 6)) as u8 & 3);
        }
    }
}

fn present_bytes(present: u32) -> impl Iterator<Item = u8> {
    (0..4u8).filter(move |byte| present & 1 << byte != 0)
}

/// The exception whose priority is the lowest byte of the NVIC_IPR word at `offset`.
fn first_of_level_word(offset: u32) -> Number {
    FIRST_INTERRUPT + (offset & 0x3C) as Number
}
