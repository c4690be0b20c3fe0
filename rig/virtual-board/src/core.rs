//! An ARMv6-M core (Cortex-M0 timing): executes every instruction and takes every exception the way the ARMv6-M Architecture
//! Reference Manual (ARM DDI 0419) says, at several hundred million instructions per second.
//!
//! Boundary: everything outside the core is behind [`Bus`]. Where the manual says UNPREDICTABLE the core faults or does the
//! obvious; where it says IMPLEMENTATION DEFINED it follows the Cortex-M0 (DDI 0432). On an nRF52840 (a Cortex-M4) and an STM32F205
//! (a Cortex-M3) the same code runs, with the cycle counts of a Cortex-M0 and without what ARMv6-M lacks: their other instructions, the
//! FPU, the MPU, interrupts from 32 on (of the STM32F205 from 48 on), BASEPRI, FAULTMASK and the configurable faults. Also there CPUID
//! says Cortex-M0, a priority has two bits (three and four on silicon, so levels that differ only in the others are one here), and
//! unaligned accesses fault.

mod code;
mod debug;
pub mod encoding;
mod exceptions;
mod execute;
mod flags;
mod processor;
mod registers;
mod systick;

pub use self::registers::{Mode, Register, Registers};
use self::{
    code::{CodeCache, DecodedPage},
    exceptions::{FIRST_INTERRUPT, HARD_FAULT, Number, bit},
    execute::{Exit, Running},
    processor::{Processor, SYSTEM_CONTROL_SPACE, Sleep},
};
use crate::bus::{Activity, Bus, Clock, Halt, Width};

/// Where a Cortex-M0 that locked up says it is (DDI 0419 B1.5.15).
const LOCKUP_ADDRESS: u32 = 0xFFFF_FFFE;

/// `bits` where the condition holds, else none: for putting register values together.
#[inline(always)]
fn bits_if(condition: bool, bits: u32) -> u32 {
    if condition { bits } else { 0 }
}

/// What is optional in ARMv6-M.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CoreOptions {
    /// Whether there is a SysTick timer. The nRF51 has none; its registers then read as zero.
    pub systick: bool,
    /// Whether VTOR can be written. On a Cortex-M0 it reads as zero.
    pub vtor: bool,
    /// Whether CONTROL.nPRIV can be written. On a Cortex-M0 all code is privileged.
    pub unprivileged: bool,
    /// Whether the NVIC has the interrupts 32 to 47 as well. ARMv6-M has none of them, a Cortex-M3 up to 240.
    pub further_interrupts: bool,
    /// Whether a debugger has enabled halting (DHCSR.C_DEBUGEN), so that BKPT is [`Stop::Breakpoint`]. Without one it is a
    /// HardFault.
    pub halting_debug: bool,
}

impl CoreOptions {
    /// The Cortex-M0 of the nRF51, with a debugger attached.
    pub const NRF51: CoreOptions = CoreOptions {
        systick: false,
        vtor: false,
        unprivileged: false,
        further_interrupts: false,
        halting_debug: true,
    };
    /// The ARMv6-M part of the Cortex-M4 of the nRF52840, with a debugger attached.
    pub const NRF52840: CoreOptions =
        CoreOptions { systick: true, vtor: true, unprivileged: true, further_interrupts: false, halting_debug: true };
    /// The ARMv6-M part of the Cortex-M3 of the STM32F205, with a debugger attached. Of its 81 interrupts the first 48 exist.
    pub const STM32F205: CoreOptions = CoreOptions { further_interrupts: true, ..Self::NRF52840 };
}

/// Why [`Core::run`] returned.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stop {
    /// The clock reached the cycle asked for (and passed it by less than one instruction or exception entry).
    Reached,
    /// BKPT with this immediate, which was not executed: the PC still points at it.
    Breakpoint(u8),
    /// A fault with nobody left to handle it. Only a reset goes on from here.
    Lockup {
        /// The instruction that could not be executed.
        pc: u32,
    },
    /// The chip stopped.
    Halted(Halt),
    /// The program wrote AIRCR.SYSRESETREQ.
    ResetRequested,
    /// The core sleeps, or a debugger has halted it, and nothing is ever due that could wake it.
    Asleep,
    /// A debugger's breakpoint unit, step or vector catch has just halted the core. Running again lets time pass while it is halted.
    Debugged,
}

/// The core. Plain data: a clone goes on from the same instruction to the same end.
#[derive(Clone, Debug)]
pub struct Core {
    /// Time, as the core and its chip count it.
    pub clock: Clock,
    processor: Processor,
    code: CodeCache,
}

impl Core {
    /// A core that has not come out of reset yet: call [`Core::reset`] before running it, or set its registers.
    pub fn new(options: CoreOptions) -> Self {
        Core { clock: Clock::default(), processor: Processor::new(options), code: CodeCache::default() }
    }

    /// Comes out of reset: SP and PC from the vector table at address 0, everything else as DDI 0419 B1.5.5 says. The clock and
    /// the instruction count go on. With no vector table to read the core is locked up.
    pub fn reset<B: Bus>(&mut self, bus: &mut B) {
        self.processor.reset();
        self.processor.debug.note_reset();
        self.processor.exceptions.withhold_interrupts(self.processor.debug.masks_interrupts());
        self.clock.call_attention();
        let mut vector = |address| bus.read(address, Width::Word, &mut self.clock);
        match (vector(0), vector(4)) {
            (Ok(stack), Ok(start)) => {
                self.processor.registers.set_main_stack_pointer(stack);
                self.processor.registers.write(Register::General(15), start);
                self.processor.registers.thumb = start & 1 != 0;
            }
            _ => {
                self.processor.locked_up = true;
                self.processor.registers.write(Register::General(15), LOCKUP_ADDRESS);
            }
        }
        if self.processor.debug.catches_reset() {
            self.halt(bus, debug::DFSR_VCATCH);
        }
    }

    /// Runs until the clock reaches `until_cycle` or something stops the core. How a run is cut into pieces makes no difference to
    /// what happens in it.
    pub fn run<B: Bus>(&mut self, bus: &mut B, until_cycle: u64) -> Stop {
        if self.processor.debug.is_watching() {
            return self.run_watched(bus, until_cycle);
        }
        let (mut running, code) = self.lend(bus);
        loop {
            if let Some(stop) = running.settle() {
                return stop;
            }
            if running.clock.cycle >= until_cycle {
                return Stop::Reached;
            }
            if let Some(stop) = running.advance(code, until_cycle) {
                return stop;
            }
        }
    }

    /// Executes exactly one instruction or enters one exception; asleep, time passes until the next event. `None` when nothing
    /// stopped the core.
    pub fn step<B: Bus>(&mut self, bus: &mut B) -> Option<Stop> {
        let (mut running, _) = self.lend(bus);
        running.settle().or_else(|| running.advance_by_one())
    }

    fn lend<'a, B: Bus>(&'a mut self, bus: &'a mut B) -> (Running<'a, B>, &'a mut CodeCache) {
        let Core { clock, processor, code } = self;
        (Running { processor, clock, bus }, code)
    }

    /// Instructions executed since the core was made.
    pub fn instructions(&self) -> u64 {
        self.processor.instructions
    }

    /// All registers.
    pub fn registers(&self) -> Registers {
        self.processor.registers.view()
    }

    /// The address of the next instruction.
    pub fn pc(&self) -> u32 {
        self.processor.registers.general[registers::PC]
    }

    /// Whether the core is in an exception.
    pub fn mode(&self) -> Mode {
        self.processor.registers.mode
    }

    /// Writes a register, as a debugger does. Bits that are always zero (bit 0 of the PC, bits 1 and 0 of a stack pointer) stay so.
    pub fn write_register(&mut self, register: Register, value: u32) {
        self.processor.registers.write(register, value);
    }

    /// Pends interrupt `line`, as the NVIC does for a pulse. Lines above 31 do not exist.
    pub fn pend_interrupt(&mut self, line: u8) {
        if line < 32 {
            self.processor.pend(bit(FIRST_INTERRUPT + line));
        }
    }

    /// Reads a word of the system control space (0xE000_E000 to 0xE000_EFFF), as a debugger does; `None` outside it or unaligned.
    pub fn read_system(&mut self, address: u32) -> Option<u32> {
        let is_there = address.is_multiple_of(4) && SYSTEM_CONTROL_SPACE.contains(&address);
        is_there.then(|| self.processor.read_system(address, &mut self.clock))
    }

    /// What the core is doing.
    pub fn activity(&self) -> Activity {
        self.processor.activity()
    }

    /// The cycle before which nothing happens by itself: this one, unless the core sleeps or is halted.
    pub fn next_due<B: Bus>(&self, bus: &B) -> u64 {
        match self.activity() {
            Activity::Awake => self.clock.cycle,
            Activity::Halted => bus.next_event(),
            Activity::Asleep | Activity::DeeplyAsleep => bus.next_event().min(self.processor.systick.next_event()),
        }
    }

    /// The options, of which a debugger changes [`CoreOptions::halting_debug`] when it comes and goes.
    pub fn options_mut(&mut self) -> &mut CoreOptions {
        &mut self.processor.options
    }
}

impl Processor {
    fn activity(&self) -> Activity {
        match self.sleep {
            Sleep::Awake if self.debug.is_halted() => Activity::Halted,
            Sleep::Awake => Activity::Awake,
            _ if self.sleeps_deeply() => Activity::DeeplyAsleep,
            _ => Activity::Asleep,
        }
    }

    /// The exception that must be taken before the next instruction.
    #[inline]
    fn preempting(&self) -> Option<Number> {
        let (number, priority) = self.exceptions.most_urgent()?;
        (priority < self.execution_priority()).then_some(number)
    }

    /// Whether what the core waits for has come. WFI looks past PRIMASK (DDI 0419 B1.5.19), WFE does not.
    fn wakes(&mut self) -> bool {
        let urgent = self.exceptions.most_urgent().map(|(_, priority)| priority);
        match self.sleep {
            Sleep::Awake => true,
            Sleep::UntilInterrupt => urgent.is_some_and(|priority| priority < self.exceptions.active_priority()),
            Sleep::UntilEvent => {
                urgent.is_some_and(|priority| priority < self.execution_priority()) || std::mem::take(&mut self.event)
            }
        }
    }
}

impl<B: Bus> Running<'_, B> {
    /// Looks at everything outside the instruction stream: devices that are due, halts, interrupt lines.
    #[inline(always)]
    fn settle(&mut self) -> Option<Stop> {
        if self.bus.next_event() <= self.clock.cycle {
            self.bus.tick(self.clock);
        }
        self.processor.advance_systick(self.clock.cycle);
        self.clock.clear_attention();
        if let Some(halt) = self.bus.halt() {
            return Some(Stop::Halted(halt));
        }
        if self.processor.reset_requested {
            return Some(Stop::ResetRequested);
        }
        if self.processor.locked_up {
            return Some(Stop::Lockup { pc: self.processor.registers.general[registers::PC] });
        }
        self.sample_lines();
        None
    }

    /// Goes on to the next thing that [`Running::settle`] must look at, but not past `until`.
    #[inline]
    fn advance(&mut self, code: &mut CodeCache, until: u64) -> Option<Stop> {
        let due = until.min(self.bus.next_event()).min(self.processor.systick.next_event());
        match self.readiness() {
            Readiness::Preempted(number) => self.preempt(number),
            Readiness::Asleep => self.sleep_until(due),
            Readiness::NotThumb => self.fault(),
            Readiness::Ready => {
                self.clock.expect_event(due);
                match self.burst(code) {
                    Ok(()) => None,
                    Err(exit) => self.leave(exit),
                }
            }
        }
    }

    fn advance_by_one(&mut self) -> Option<Stop> {
        match self.readiness() {
            Readiness::Preempted(number) => self.preempt(number),
            Readiness::Asleep => self.sleep_until(self.bus.next_event().min(self.processor.systick.next_event())),
            Readiness::NotThumb => self.fault(),
            Readiness::Ready => match self.single() {
                Ok(()) => None,
                Err(exit) => self.leave(exit),
            },
        }
    }

    #[inline(always)]
    fn readiness(&mut self) -> Readiness {
        if self.processor.sleep != Sleep::Awake {
            if !self.processor.wakes() {
                return Readiness::Asleep;
            }
            self.processor.sleep = Sleep::Awake;
            self.bus.activity_changed(Activity::Awake, self.clock);
        }
        if let Some(number) = self.processor.preempting() {
            return Readiness::Preempted(number);
        }
        if self.processor.registers.thumb { Readiness::Ready } else { Readiness::NotThumb }
    }

    #[inline(always)]
    fn preempt(&mut self, number: Number) -> Option<Stop> {
        match self.enter_exception(number) {
            Ok(()) => self.caught_fault(),
            Err(execute::LockedUp) => self.lock_up(),
        }
    }

    #[inline(always)]
    fn sleep_until(&mut self, due: u64) -> Option<Stop> {
        if due == u64::MAX {
            return Some(Stop::Asleep);
        }
        self.clock.cycle = self.clock.cycle.max(due);
        None
    }

    fn leave(&mut self, exit: Exit) -> Option<Stop> {
        match exit {
            Exit::Breakpoint(immediate) => Some(Stop::Breakpoint(immediate)),
            Exit::Fault => self.fault(),
            Exit::FailedUnstacking { return_code } => self.chain_to_hard_fault(return_code),
            Exit::EscalatedCall => {
                let pc = &mut self.processor.registers.general[registers::PC];
                *pc = pc.wrapping_add(2);
                self.fault()
            }
        }
    }

    /// Takes HardFault without stacking: the frame of the exception that was to return still lies there.
    fn chain_to_hard_fault(&mut self, return_code: u32) -> Option<Stop> {
        if self.processor.exceptions.fault_locks_up() {
            return self.lock_up();
        }
        match self.take_exception(HARD_FAULT, return_code) {
            Ok(()) => self.caught_fault(),
            Err(execute::LockedUp) => self.lock_up(),
        }
    }

    fn fault(&mut self) -> Option<Stop> {
        if self.processor.exceptions.fault_locks_up() {
            return self.lock_up();
        }
        self.preempt(HARD_FAULT)
    }

    fn lock_up(&mut self) -> Option<Stop> {
        self.processor.locked_up = true;
        Some(Stop::Lockup { pc: self.processor.registers.general[registers::PC] })
    }

    /// Executes one instruction, fetched.
    fn single(&mut self) -> Result<(), Exit> {
        let pc = self.processor.registers.general[registers::PC];
        let result = self.execute_at(pc);
        self.processor.registers.general[registers::PC] = *result.as_ref().unwrap_or(&pc);
        self.processor.instructions += u64::from(result.is_ok());
        result.map(|_| ())
    }

    /// Executes instructions until something wants attention.
    fn burst(&mut self, code: &mut CodeCache) -> Result<(), Exit> {
        while self.clock.is_undisturbed_at(self.clock.cycle) {
            match code.page(self.bus, self.processor.registers.general[registers::PC]) {
                Some(page) => self.burst_in_page(page)?,
                None => self.single()?,
            }
        }
        Ok(())
    }

    /// Executes the instructions of one page until something wants attention or until the page is left.
    ///
    /// Kept out of line so that the hot loop has the machine's registers to itself, whoever calls it.
    #[inline(never)]
    fn burst_in_page(&mut self, page: &DecodedPage) -> Result<(), Exit> {
        let mut pc = self.processor.registers.general[registers::PC];
        let mut now = self.clock.cycle;
        let result = loop {
            let Some(instruction) = page.at(pc) else { break Ok(()) };
            match self.execute(instruction, pc, now) {
                Ok((next, end)) => (pc, now) = (next, end),
                Err(exit) => {
                    // What failed had shared the time with the clock, where a device may have moved it on.
                    now = self.clock.cycle;
                    break Err(exit);
                }
            }
            self.processor.instructions += 1;
            if !self.clock.is_undisturbed_at(now) {
                break Ok(());
            }
        };
        self.clock.cycle = now;
        self.processor.registers.general[registers::PC] = pc;
        result
    }
}

/// What the core does next.
enum Readiness {
    /// Take this exception.
    Preempted(Number),
    /// Wait.
    Asleep,
    /// Fault: EPSR.T is clear.
    NotThumb,
    /// Execute.
    Ready,
}
