//! Halting debug: what a debugger reads and writes of the core, and the state it keeps the core in (DDI 0419 C1).
//!
//! Boundary: registers and state; how they are reached is `crate::debug`, and when a core that is told something obeys is `core`'s. The
//! debug registers are the debugger's alone, as on a Cortex-M0: a program reads them as zero. They outlast every reset but that by power,
//! as ARMv6-M has it. (On the nRF52840 a pin reset resets them too, recalled from its table of resets; a debugger that attaches under reset
//! then has nothing to hold on to, and real ones reset by CTRL-AP instead.)

use super::{
    Core, CoreOptions, Readiness, Register, Running, Stop, bits_if,
    exceptions::HARD_FAULT,
    processor::{PRIVATE_BUS, SYSTEM_CONTROL_SPACE, Sleep},
    registers::PC,
};
use crate::bus::{Activity, Bus, BusFault, Width};

const DFSR: u32 = 0xE000_ED30;
const DHCSR: u32 = 0xE000_EDF0;
const DCRSR: u32 = 0xE000_EDF4;
const DCRDR: u32 = 0xE000_EDF8;
const DEMCR: u32 = 0xE000_EDFC;
/// BP_CTRL on ARMv6-M, FP_CTRL on a Cortex-M4, and the comparators behind it.
const BREAKPOINT_CONTROL: u32 = 0xE000_2000;
const COMPARATORS: u32 = 0xE000_2008;
const MOST_COMPARATORS: usize = 6;
/// Breakpoint comparators reach no further than the code region.
const END_OF_CODE: u32 = 0x2000_0000;

const DHCSR_KEY: u32 = 0xA05F;
const C_DEBUGEN: u32 = 1 << 0;
const C_HALT: u32 = 1 << 1;
const C_STEP: u32 = 1 << 2;
const C_MASKINTS: u32 = 1 << 3;
const S_REGRDY: u32 = 1 << 16;
const S_HALT: u32 = 1 << 17;
const S_SLEEP: u32 = 1 << 18;
const S_LOCKUP: u32 = 1 << 19;
const S_RETIRE_ST: u32 = 1 << 24;
const S_RESET_ST: u32 = 1 << 25;

const DCRSR_WRITE: u32 = 1 << 16;
const VC_CORERESET: u32 = 1 << 0;
const VC_HARDERR: u32 = 1 << 10;
/// With DWTENA, which there is nothing behind.
const DEMCR_BITS: u32 = 1 << 24 | VC_HARDERR | VC_CORERESET;

/// The core was told to halt, or a step has ended.
const DFSR_HALTED: u32 = 1 << 0;
/// BKPT or the breakpoint unit.
const DFSR_BKPT: u32 = 1 << 1;
/// A vector catch.
pub(super) const DFSR_VCATCH: u32 = 1 << 3;
const DFSR_BITS: u32 = 0b1_1111;

/// What DHCSR was last told and the core has not done yet.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Order {
    #[default]
    Nothing,
    Halt,
    Go,
    Step,
}

/// The debug registers of a core.
#[derive(Clone, Debug, Default)]
pub(super) struct Debug {
    /// C_DEBUGEN, C_STEP and C_MASKINTS; C_HALT as long as it was only asked for.
    control: u32,
    order: Order,
    halted: bool,
    /// One instruction is to be executed.
    stepping: bool,
    /// A reset was caught before halting was enabled.
    caught_early: bool,
    demcr: u32,
    dfsr: u32,
    dcrdr: u32,
    breakpoints_enabled: bool,
    comparators: [u32; MOST_COMPARATORS],
    /// Some comparator may match.
    armed: bool,
    /// The core is to be looked at between instructions, which follows from the above; and whether HardFault is caught, which follows from
    /// C_DEBUGEN and DEMCR. Both are asked for often.
    watching: bool,
    catching_fault: bool,
    reset_seen: bool,
    retired: u64,
}

impl Debug {
    pub(super) fn is_halted(&self) -> bool {
        self.halted
    }

    /// Whether the core must be looked at between instructions.
    #[inline]
    pub(super) fn is_watching(&self) -> bool {
        self.watching
    }

    pub(super) fn masks_interrupts(&self) -> bool {
        self.control & (C_DEBUGEN | C_MASKINTS) == C_DEBUGEN | C_MASKINTS
    }

    /// Whether the core is to halt before the first instruction after a reset. A reset is caught also while halting is not enabled yet,
    /// though DDI 0419 (C1.6.2) would let it pass: probe-rs 0.32 arms the catch, releases the reset and enables halting in that order.
    pub(super) fn catches_reset(&self) -> bool {
        self.demcr & VC_CORERESET != 0 || self.order == Order::Halt
    }

    /// Works out anew what follows from the rest.
    fn conclude(&mut self) {
        self.watching = self.halted || self.armed || self.stepping || self.order != Order::Nothing;
        self.catching_fault = self.control & C_DEBUGEN != 0 && self.demcr & VC_HARDERR != 0;
    }

    /// The core is being reset. C_HALT, C_STEP and C_MASKINTS do not outlast that (recalled from ARMv8-M; ARMv6-M leaves it open).
    pub(super) fn begin_reset(&mut self) {
        self.control &= C_DEBUGEN;
        self.order = Order::Nothing;
        self.note_reset();
    }

    /// The core comes out of reset; what it was told meanwhile holds.
    pub(super) fn note_reset(&mut self) {
        self.halted = false;
        self.stepping = false;
        self.caught_early = false;
        self.reset_seen = true;
        self.conclude();
    }

    fn write_control(&mut self, value: u32, options: &mut CoreOptions) {
        if value >> 16 != DHCSR_KEY {
            return;
        }
        let was_enabled = self.control & C_DEBUGEN != 0;
        let is_enabled = value & C_DEBUGEN != 0;
        options.halting_debug = is_enabled;
        self.control = if is_enabled { value & (C_DEBUGEN | C_HALT | C_STEP | C_MASKINTS) } else { 0 };
        self.order = match self.control {
            _ if !is_enabled => Order::Go,
            _ if self.control & C_HALT != 0 => Order::Halt,
            // What was caught before halting was enabled stays caught when it is.
            _ if !was_enabled && self.caught_early => Order::Nothing,
            _ if self.control & C_STEP != 0 => Order::Step,
            _ => Order::Go,
        };
        self.caught_early &= self.order == Order::Nothing;
        self.rearm();
    }

    fn read_control(&mut self, status: u32, instructions: u64) -> u32 {
        let retired = std::mem::replace(&mut self.retired, instructions) != instructions;
        self.control
            | status
            | S_REGRDY
            | bits_if(self.halted, S_HALT | C_HALT)
            | bits_if(retired, S_RETIRE_ST)
            | bits_if(std::mem::take(&mut self.reset_seen), S_RESET_ST)
    }

    fn breaks_at(&self, address: u32) -> bool {
        address < END_OF_CODE && self.comparators.iter().any(|comparator| matches_address(*comparator, address))
    }

    fn rearm(&mut self) {
        let any = self.comparators.iter().any(|comparator| comparator & 1 != 0);
        self.armed = any && self.breakpoints_enabled && self.control & C_DEBUGEN != 0;
        self.conclude();
    }
}

/// BP_COMPx: bit 0 enables, bits 28 to 2 are those of the word's address, bits 31 and 30 say which halfwords of it (DDI 0419 C1.7.3).
fn matches_address(comparator: u32, address: u32) -> bool {
    let halfword = 1 << (address >> 1 & 1);
    comparator & 1 != 0 && (comparator ^ address) & 0x1FFF_FFFC == 0 && comparator >> 30 & halfword != 0
}

/// How many comparators there are: four in the nRF51's breakpoint unit, six in that of a Cortex-M4.
fn comparators(options: &CoreOptions) -> u32 {
    if options.vtor { 6 } else { 4 }
}

impl Core {
    /// Reads at `address` as a debugger's access port does: its own registers, the system control space, and what the program would see
    /// everywhere else, with all that reading there does.
    pub(crate) fn debug_read<B: Bus>(&mut self, bus: &mut B, address: u32, width: Width) -> Result<u32, BusFault> {
        if !PRIVATE_BUS.contains(&address) {
            return bus.read(address, width, &mut self.clock);
        }
        let word = self.debug_read_private(address & !3);
        let shifted = word >> (8 * (address & 3));
        Ok(match width {
            Width::Byte => shifted & 0xFF,
            Width::Half => shifted & 0xFFFF,
            Width::Word => word,
        })
    }

    /// Writes at `address` as a debugger's access port does. What DHCSR is told is done by [`Core::obey`].
    pub(crate) fn debug_write<B: Bus>(
        &mut self,
        bus: &mut B,
        address: u32,
        value: u32,
        width: Width,
    ) -> Result<(), BusFault> {
        if !PRIVATE_BUS.contains(&address) {
            return bus.write(address, value, width, &mut self.clock);
        }
        // The private bus takes words only (DDI 0419 B3.1.1).
        if width != Width::Word {
            return Err(BusFault);
        }
        self.debug_write_private(address & !3, value);
        Ok(())
    }

    fn debug_read_private(&mut self, address: u32) -> u32 {
        let Core { clock, processor, .. } = self;
        let debug = &mut processor.debug;
        match address {
            DFSR => debug.dfsr,
            DHCSR => {
                let status = bits_if(processor.sleep != Sleep::Awake, S_SLEEP) | bits_if(processor.locked_up, S_LOCKUP);
                debug.read_control(status, processor.instructions)
            }
            DCRDR => debug.dcrdr,
            DEMCR => debug.demcr,
            BREAKPOINT_CONTROL => comparators(&processor.options) << 4 | u32::from(debug.breakpoints_enabled),
            COMPARATORS.. if address < COMPARATORS + 4 * comparators(&processor.options) => {
                debug.comparators[((address - COMPARATORS) / 4) as usize]
            }
            _ => match rom_table(address, &processor.options) {
                Some(word) => word,
                None if SYSTEM_CONTROL_SPACE.contains(&address) => processor.read_system(address, clock),
                None => 0,
            },
        }
    }

    fn debug_write_private(&mut self, address: u32, value: u32) {
        let Core { clock, processor, .. } = self;
        let debug = &mut processor.debug;
        match address {
            DFSR => debug.dfsr &= !value,
            DHCSR => {
                debug.write_control(value, &mut processor.options);
                processor.exceptions.withhold_interrupts(processor.debug.masks_interrupts());
            }
            DCRSR => self.transfer_register(value),
            DCRDR => debug.dcrdr = value,
            DEMCR => {
                debug.demcr = value & DEMCR_BITS;
                debug.conclude();
            }
            // Bit 1 is the key.
            BREAKPOINT_CONTROL if value & 2 != 0 => {
                debug.breakpoints_enabled = value & 1 != 0;
                debug.rearm();
            }
            COMPARATORS.. if address < COMPARATORS + 4 * comparators(&processor.options) => {
                debug.comparators[((address - COMPARATORS) / 4) as usize] = value & 0xDFFF_FFFD;
                debug.rearm();
            }
            _ if SYSTEM_CONTROL_SPACE.contains(&address) => {
                processor.write_system(address, value, clock);
                // A SysTick that was started now stands still as one that ran.
                if processor.debug.halted {
                    processor.systick.freeze(clock.cycle);
                }
            }
            _ => {}
        }
    }

    /// DCRSR: moves a register to or from DCRDR. Of a core that runs nothing is moved (UNPREDICTABLE).
    fn transfer_register(&mut self, select: u32) {
        if !self.processor.debug.halted {
            return;
        }
        let named = match select & 0x7F {
            number @ 0..=15 => Register::General(number as u8),
            16 => Register::Xpsr,
            17 => Register::Msp,
            18 => Register::Psp,
            // CONTROL in the top byte, PRIMASK in the lowest.
            20 => return self.transfer_special(select),
            // Of the FPU, which is not modelled.
            _ => {
                self.processor.debug.dcrdr = 0;
                return;
            }
        };
        if select & DCRSR_WRITE != 0 {
            let value = self.processor.debug.dcrdr;
            self.processor.registers.write(named, value);
        } else {
            self.processor.debug.dcrdr = self.processor.registers.view().of(named);
        }
    }

    fn transfer_special(&mut self, select: u32) {
        let registers = &mut self.processor.registers;
        if select & DCRSR_WRITE == 0 {
            let view = registers.view();
            self.processor.debug.dcrdr = view.control << 24 | view.primask;
            return;
        }
        let value = self.processor.debug.dcrdr;
        let control = value >> 24 & if self.processor.options.unprivileged { 0b11 } else { 0b10 };
        registers.write(Register::Primask, value & 1);
        registers.write(Register::Control, control);
    }

    /// Does what DHCSR was last told, if the core has not yet. Between instructions only.
    pub(crate) fn obey<B: Bus>(&mut self, bus: &mut B) {
        self.lend(bus).0.obey();
    }

    /// Halts for a BKPT that [`Core::run`] stopped at.
    pub(crate) fn halt_at_breakpoint<B: Bus>(&mut self, bus: &mut B) {
        self.halt(bus, DFSR_BKPT);
    }

    pub(super) fn halt<B: Bus>(&mut self, bus: &mut B, reason: u32) {
        self.lend(bus).0.halt(reason);
    }

    /// Whether a debugger has halted the core.
    pub fn is_halted(&self) -> bool {
        self.processor.debug.halted
    }

    /// The core is held in reset from here on, until [`Core::reset`].
    pub(crate) fn begin_reset(&mut self) {
        self.processor.debug.begin_reset();
        self.processor.exceptions.withhold_interrupts(false);
    }

    /// The reset that was just looked at lasts on.
    pub(crate) fn stay_in_reset(&mut self) {
        self.processor.debug.reset_seen = true;
    }

    /// Whether AIRCR.SYSRESETREQ was written.
    pub(crate) fn is_reset_requested(&self) -> bool {
        self.processor.reset_requested
    }

    /// The power is gone, and with it what a debugger set up.
    pub(crate) fn forget_debugger(&mut self) {
        self.processor.debug = Debug::default();
        self.processor.options.halting_debug = false;
        self.processor.exceptions.withhold_interrupts(false);
    }

    /// Runs a core that must be looked at between instructions, or that is halted.
    #[cold]
    #[inline(never)]
    pub(super) fn run_watched<B: Bus>(&mut self, bus: &mut B, until: u64) -> Stop {
        let (mut running, _) = self.lend(bus);
        running.obey();
        loop {
            if let Some(stop) = running.settle() {
                return stop;
            }
            if running.clock.cycle >= until {
                return Stop::Reached;
            }
            let step = match running.processor.debug.halted {
                true => running.stand_still(until),
                false => running.advance_watched(until),
            };
            if let Some(stop) = step {
                return stop;
            }
        }
    }
}

impl<B: Bus> Running<'_, B> {
    fn obey(&mut self) {
        let halted = self.processor.debug.halted;
        match std::mem::take(&mut self.processor.debug.order) {
            Order::Halt if !halted => self.halt(DFSR_HALTED),
            Order::Go if halted => self.let_go(),
            Order::Step if halted => {
                self.let_go();
                self.processor.debug.stepping = true;
            }
            Order::Halt | Order::Go | Order::Step | Order::Nothing => {}
        }
        self.processor.debug.conclude();
    }

    /// Enters Debug state. A core that sleeps wakes, and one that is locked up is no longer.
    pub(super) fn halt(&mut self, reason: u32) {
        let processor = &mut *self.processor;
        processor.debug.dfsr |= reason & DFSR_BITS;
        processor.debug.halted = true;
        processor.debug.stepping = false;
        processor.debug.order = Order::Nothing;
        processor.debug.caught_early = processor.debug.control & C_DEBUGEN == 0;
        processor.debug.control &= !C_HALT;
        processor.debug.conclude();
        processor.sleep = Sleep::Awake;
        processor.locked_up = false;
        processor.advance_systick(self.clock.cycle);
        processor.systick.freeze(self.clock.cycle);
        self.bus.activity_changed(Activity::Halted, self.clock);
    }

    fn let_go(&mut self) {
        self.processor.debug.halted = false;
        self.processor.debug.conclude();
        self.processor.systick.thaw(self.clock.cycle);
        self.bus.activity_changed(Activity::Awake, self.clock);
    }

    /// A vector catch of HardFault, just entered.
    #[inline(always)]
    pub(super) fn caught_fault(&mut self) -> Option<Stop> {
        if self.processor.debug.catching_fault { self.catch_fault() } else { None }
    }

    #[cold]
    fn catch_fault(&mut self) -> Option<Stop> {
        (self.processor.registers.exception == HARD_FAULT).then(|| {
            self.halt(DFSR_VCATCH);
            Stop::Debugged
        })
    }

    fn stand_still(&mut self, until: u64) -> Option<Stop> {
        let due = until.min(self.bus.next_event());
        self.sleep_until(due)
    }

    /// Executes one instruction or enters one exception, unless a breakpoint is before it.
    fn advance_watched(&mut self, until: u64) -> Option<Stop> {
        let is_stepping = self.processor.debug.stepping;
        let stop = match self.readiness() {
            Readiness::Preempted(number) => self.preempt(number),
            Readiness::Asleep => {
                let due = until.min(self.bus.next_event()).min(self.processor.systick.next_event());
                return self.sleep_until(due);
            }
            Readiness::NotThumb => self.fault(),
            Readiness::Ready => {
                let pc = self.processor.registers.general[PC];
                if self.processor.debug.armed && self.processor.debug.breaks_at(pc) {
                    self.halt(DFSR_BKPT);
                    return Some(Stop::Debugged);
                }
                match self.single() {
                    Ok(()) => None,
                    Err(exit) => self.leave(exit),
                }
            }
        };
        if is_stepping && stop.is_none() {
            self.halt(DFSR_HALTED);
            return Some(Stop::Debugged);
        }
        // A step that ended in lock-up or at a BKPT has ended too.
        if is_stepping {
            self.processor.debug.stepping = false;
            self.processor.debug.conclude();
        }
        stop
    }
}

/// What CoreSight finds: the ROM table at 0xE00F_F000 with its entries and the identification registers. The Cortex-M0's are those of
/// DDI 0432 (table 4-2 and 7-2, recalled); on the nRF52840 the table bears Nordic's name (JEP106 0x144) and part 8 (recalled).
fn rom_table(address: u32, options: &CoreOptions) -> Option<u32> {
    let is_nordic = options.vtor;
    match address {
        // System control space, watchpoint unit, breakpoint unit, relative to the table.
        0xE00F_F000 => Some(0xFFF0_F003),
        0xE00F_F004 => Some(0xFFF0_2003),
        0xE00F_F008 => Some(0xFFF0_3003),
        0xE00F_FFD0..=0xE00F_FFFC if is_nordic => Some(identification(address, [0x08, 0x40, 0x0C], 0x02, 0x10)),
        0xE00F_FFD0..=0xE00F_FFFC => Some(identification(address, [0x71, 0xB4, 0x0B], 0x04, 0x10)),
        // SCS, DWT and BPU of a Cortex-M0; those of a Cortex-M4.
        0xE000_EFD0..=0xE000_EFFC => {
            Some(identification(address, [if is_nordic { 0x0C } else { 0x08 }, 0xB0, 0x0B], 0x04, 0xE0))
        }
        0xE000_1FD0..=0xE000_1FFC => {
            Some(identification(address, [if is_nordic { 0x02 } else { 0x0A }, 0xB0, 0x0B], 0x04, 0xE0))
        }
        0xE000_2FD0..=0xE000_2FFC => {
            Some(identification(address, [if is_nordic { 0x03 } else { 0x0B }, 0xB0, 0x0B], 0x04, 0xE0))
        }
        _ => None,
    }
}

/// The registers PIDR4 to CIDR3 at the end of a component's page: part and designer in PIDR0 to PIDR2, the designer's continuation code
/// in PIDR4, the class of component in CIDR1.
fn identification(address: u32, peripheral: [u32; 3], continuation: u32, class: u32) -> u32 {
    match address & 0xFFC {
        0xFD0 => continuation,
        0xFE0 => peripheral[0],
        0xFE4 => peripheral[1],
        0xFE8 => peripheral[2],
        0xFF0 => 0x0D,
        0xFF4 => class,
        0xFF8 => 0x05,
        0xFFC => 0xB1,
        _ => 0,
    }
}
