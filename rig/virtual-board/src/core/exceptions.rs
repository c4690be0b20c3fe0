//! Which exceptions are pending, enabled and active, and which one is the most urgent.
//!
//! Boundary: bookkeeping on bit masks, one bit per exception number, after DDI 0419 B1.5 and B3.4. Stacking and vectors are in
//! `execute`; the registers through which a program sees this are in `processor`.

/// An exception number: 1 to 15 are the system's, 16 to 63 the interrupts 0 to 47, of which ARMv6-M has 0 to 31.
pub(super) type Number = u8;

pub(super) const NMI: Number = 2;
pub(super) const HARD_FAULT: Number = 3;
pub(super) const SV_CALL: Number = 11;
pub(super) const PEND_SV: Number = 14;
pub(super) const SYS_TICK: Number = 15;
pub(super) const FIRST_INTERRUPT: Number = 16;

/// An execution priority; lower is more urgent. NMI is -2, HardFault -1, the four configurable levels 0 to 3, and Thread mode
/// with nothing active 4.
pub(super) type Priority = i8;

const NMI_PRIORITY: Priority = -2;
const HARD_FAULT_PRIORITY: Priority = -1;
const LEVELS: usize = 4;
const IDLE_PRIORITY: Priority = LEVELS as Priority;

/// Bits of the mask of exceptions that the NVIC owns.
const INTERRUPTS: u64 = u64::MAX << FIRST_INTERRUPT;

pub(super) const fn bit(number: Number) -> u64 {
    1 << number
}

#[derive(Clone, Debug)]
pub(super) struct Exceptions {
    pending: u64,
    active: u64,
    enabled: u64,
    /// Of those, what a debugger lets pass (DHCSR.C_MASKINTS).
    admitted: u64,
    withholds_interrupts: bool,
    /// The exceptions at each configurable level. Every configurable exception is in exactly one.
    levels: [u64; LEVELS],
    /// The interrupt lines when last looked at.
    lines: u64,
}

impl Exceptions {
    pub(super) fn new() -> Self {
        let system = bit(SV_CALL) | bit(PEND_SV) | bit(SYS_TICK);
        Exceptions {
            pending: 0,
            active: 0,
            enabled: bit(NMI) | bit(HARD_FAULT) | system,
            admitted: bit(NMI) | bit(HARD_FAULT) | system,
            withholds_interrupts: false,
            levels: [INTERRUPTS | system, 0, 0, 0],
            lines: 0,
        }
    }

    /// Takes in the interrupt lines, and those that fell since the last time even if they are high again. A line that rose pends its
    /// interrupt; one that fell changes nothing. Returns the exceptions that became pending.
    #[inline]
    pub(super) fn sample_lines(&mut self, lines: u64, fallen: u64) -> u64 {
        let risen = lines & !(self.lines & !fallen);
        self.lines = lines;
        self.pend(risen << FIRST_INTERRUPT)
    }

    /// Pends the exceptions in `mask` and returns those that were not pending before.
    pub(super) fn pend(&mut self, mask: u64) -> u64 {
        let fresh = mask & !self.pending;
        self.pending |= mask;
        fresh
    }

    /// Withdraws the exceptions in `mask`. An interrupt whose line is still high stays pending.
    pub(super) fn withdraw(&mut self, mask: u64) {
        self.pending &= !(mask & !(self.lines << FIRST_INTERRUPT));
    }

    pub(super) fn is_pending(&self, number: Number) -> bool {
        self.pending & bit(number) != 0
    }

    pub(super) fn is_active(&self, number: Number) -> bool {
        self.active & bit(number) != 0
    }

    pub(super) fn active_count(&self) -> u32 {
        self.active.count_ones()
    }

    /// The pending exception becomes the active one.
    pub(super) fn activate(&mut self, number: Number) {
        self.pending &= !bit(number);
        self.active |= bit(number);
    }

    /// The handler returned. A level-sensitive line that is still high asks again (DDI 0419 B3.4, table of NVIC state
    /// transitions).
    pub(super) fn deactivate(&mut self, number: Number) {
        self.active &= !bit(number);
        self.pending |= self.lines << FIRST_INTERRUPT & bit(number);
    }

    /// The enabled exception that would be taken first, whether or not it may be now. Of equals, the lowest number.
    #[inline]
    pub(super) fn most_urgent(&self) -> Option<(Number, Priority)> {
        let candidates = self.pending & self.admitted;
        if candidates == 0 {
            return None;
        }
        most_urgent_priority(candidates, &self.levels).map(|(priority, among)| {
            let number = among.trailing_zeros() as Number;
            (number, priority)
        })
    }

    /// The priority at which the processor executes, PRIMASK aside.
    #[inline]
    pub(super) fn active_priority(&self) -> Priority {
        if self.active == 0 {
            return IDLE_PRIORITY;
        }
        most_urgent_priority(self.active, &self.levels).map_or(IDLE_PRIORITY, |(priority, _)| priority)
    }

    /// The priority at which the processor executes. PRIMASK raises it to 0.
    #[inline]
    pub(super) fn execution_priority(&self, primask: bool) -> Priority {
        let active = self.active_priority();
        if primask { active.min(0) } else { active }
    }

    /// Whether a fault now cannot be handled any more (DDI 0419 B1.5.15).
    pub(super) fn fault_locks_up(&self) -> bool {
        self.active_priority() <= HARD_FAULT_PRIORITY
    }

    /// Whether an exception with a configurable priority outranks `than`.
    pub(super) fn outranks(&self, number: Number, than: Priority) -> bool {
        (self.level(number) as Priority) < than
    }

    pub(super) fn level(&self, number: Number) -> u8 {
        self.levels.iter().position(|level| level & bit(number) != 0).unwrap_or(0) as u8
    }

    /// Sets a configurable priority; `level` is taken modulo 4.
    pub(super) fn set_level(&mut self, number: Number, level: u8) {
        for mask in &mut self.levels {
            *mask &= !bit(number);
        }
        self.levels[usize::from(level) % LEVELS] |= bit(number);
    }

    /// Withholds PendSV, SysTick and the interrupts, or no longer (DDI 0419 C1.6.3, DHCSR.C_MASKINTS).
    pub(super) fn withhold_interrupts(&mut self, withhold: bool) {
        self.withholds_interrupts = withhold;
        self.admit();
    }

    fn admit(&mut self) {
        let withheld = if self.withholds_interrupts { INTERRUPTS | bit(PEND_SV) | bit(SYS_TICK) } else { 0 };
        self.admitted = self.enabled & !withheld;
    }

    /// The enabled interrupts, bit 0 for interrupt 0.
    pub(super) fn enabled_interrupts(&self) -> u64 {
        self.enabled >> FIRST_INTERRUPT
    }

    pub(super) fn enable_interrupts(&mut self, mask: u64) {
        self.enabled |= mask << FIRST_INTERRUPT;
        self.admit();
    }

    pub(super) fn disable_interrupts(&mut self, mask: u64) {
        self.enabled &= !(mask << FIRST_INTERRUPT);
        self.admit();
    }

    /// The pending interrupts, bit 0 for interrupt 0.
    pub(super) fn pending_interrupts(&self) -> u64 {
        self.pending >> FIRST_INTERRUPT
    }
}

/// The most urgent priority in `mask`, and the exceptions in `mask` that have it.
#[inline]
fn most_urgent_priority(mask: u64, levels: &[u64; LEVELS]) -> Option<(Priority, u64)> {
    if mask & (bit(NMI) | bit(HARD_FAULT)) != 0 {
        let priority = if mask & bit(NMI) != 0 { NMI_PRIORITY } else { HARD_FAULT_PRIORITY };
        return Some((priority, mask & (bit(NMI) | bit(HARD_FAULT))));
    }
    (0..).zip(levels).map(|(priority, level)| (priority, mask & level)).find(|(_, among)| *among != 0)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const IRQ0: Number = FIRST_INTERRUPT;

    #[test]
    fn a_line_pends_when_it_rises_and_again_when_its_handler_returns_while_high() {
        let mut exceptions = Exceptions::new();
        exceptions.enable_interrupts(1);
        assert_eq!(exceptions.sample_lines(1, 0), bit(IRQ0));
        exceptions.activate(IRQ0);
        assert_eq!(exceptions.sample_lines(1, 0), 0, "high is not news");
        assert!(!exceptions.is_pending(IRQ0));
        exceptions.deactivate(IRQ0);
        assert!(exceptions.is_pending(IRQ0));
    }

    #[test]
    fn a_line_going_low_leaves_the_interrupt_pending() {
        let mut exceptions = Exceptions::new();
        exceptions.sample_lines(1, 0);
        exceptions.sample_lines(0, 0);
        assert!(exceptions.is_pending(IRQ0));
        exceptions.withdraw(bit(IRQ0));
        assert!(!exceptions.is_pending(IRQ0));
    }

    #[test]
    fn an_interrupt_cannot_be_withdrawn_while_its_line_is_high() {
        let mut exceptions = Exceptions::new();
        exceptions.sample_lines(1, 0);
        exceptions.withdraw(bit(IRQ0));
        assert!(exceptions.is_pending(IRQ0));
    }

    #[test]
    fn a_pulse_during_the_handler_pends_again() {
        let mut exceptions = Exceptions::new();
        exceptions.sample_lines(1, 0);
        exceptions.activate(IRQ0);
        exceptions.sample_lines(0, 0);
        exceptions.sample_lines(1, 0);
        exceptions.sample_lines(0, 0);
        assert!(exceptions.is_pending(IRQ0) && exceptions.is_active(IRQ0));
    }

    #[test]
    fn a_line_that_fell_and_rose_between_two_looks_asks_again() {
        let mut exceptions = Exceptions::new();
        exceptions.sample_lines(1, 0);
        exceptions.activate(IRQ0);
        assert_eq!(exceptions.sample_lines(1, 1), bit(IRQ0));
    }

    #[test]
    fn nmi_comes_before_hard_fault_and_both_before_level_zero() {
        let mut exceptions = Exceptions::new();
        exceptions.pend(bit(SV_CALL));
        assert_eq!(exceptions.most_urgent(), Some((SV_CALL, 0)));
        exceptions.pend(bit(HARD_FAULT));
        assert_eq!(exceptions.most_urgent(), Some((HARD_FAULT, -1)));
        exceptions.pend(bit(NMI));
        assert_eq!(exceptions.most_urgent(), Some((NMI, -2)));
    }

    #[test]
    fn primask_raises_the_priority_to_zero_and_no_further() {
        let mut exceptions = Exceptions::new();
        assert_eq!(exceptions.execution_priority(false), 4);
        assert_eq!(exceptions.execution_priority(true), 0);
        exceptions.activate(NMI);
        assert_eq!(exceptions.execution_priority(true), -2);
    }

    proptest! {
        /// The definition: the lowest priority number wins, then the lowest exception number.
        #[test]
        fn the_most_urgent_is_the_least_by_priority_then_number(
            levels in proptest::collection::vec(0u8..4, 32),
            enabled: u32,
            pending: u32,
        ) {
            let mut exceptions = Exceptions::new();
            for (number, level) in (FIRST_INTERRUPT..).zip(&levels) {
                exceptions.set_level(number, *level);
                prop_assert_eq!(exceptions.level(number), *level);
            }
            exceptions.enable_interrupts(u64::from(enabled));
            exceptions.pend(u64::from(pending) << FIRST_INTERRUPT);
            let expected = (0..32u8)
                .filter(|line| enabled & pending & 1 << line != 0)
                .map(|line| (levels[usize::from(line)] as Priority, line + FIRST_INTERRUPT))
                .min()
                .map(|(priority, number)| (number, priority));
            prop_assert_eq!(exceptions.most_urgent(), expected);
        }
    }
}
