//! What all nRF peripherals share: tasks that are triggered, events that happen, interrupts on events.
//!
//! Boundary: the register convention of the nRF51 and nRF52 series (tasks from offset 0x000, events from 0x100, INTENSET 0x304,
//! INTENCLR 0x308; the interrupt bit of an event is its register's number). What tasks do is each peripheral's.

/// A set of a peripheral's events: bit n is the event whose register is at 0x100 + 4 n.
pub(crate) type EventSet = u32;

/// No event.
pub(crate) const NONE: EventSet = 0;
/// Nothing is due.
pub(crate) const NEVER: u64 = u64::MAX;

/// The event whose register is at `offset`.
pub(crate) const fn event(offset: u32) -> EventSet {
    1 << ((offset - 0x100) / 4)
}

/// The events of one peripheral and who listens to them.
#[derive(Clone, Debug, Default)]
pub(crate) struct Events {
    /// Events that happened and were not cleared.
    pub(crate) happened: EventSet,
    /// Events that interrupt.
    pub(crate) interrupting: EventSet,
    /// Events that trigger a task through the PPI, even if they have happened before and were not cleared.
    pub(crate) routed: EventSet,
}

impl Events {
    /// Whether the interrupt line is high.
    pub(crate) fn interrupts(&self) -> bool {
        self.happened & self.interrupting != 0
    }

    /// Whether somebody would notice if one of `events` happened now.
    pub(crate) fn matter(&self, events: EventSet) -> bool {
        events & (!self.happened | self.routed) != 0
    }

    /// A register of the common layout.
    pub(crate) fn read(&self, offset: u32) -> Option<u32> {
        match offset {
            0x100..=0x17C => Some(self.happened >> ((offset - 0x100) / 4) & 1),
            0x300 | 0x304 | 0x308 => Some(self.interrupting),
            _ => None,
        }
    }

    /// Writes a register of the common layout.
    pub(crate) fn write(&mut self, offset: u32, value: u32) -> Option<()> {
        match offset {
            0x100..=0x17C if value == 0 => self.happened &= !event(offset),
            0x100..=0x17C => self.happened |= event(offset),
            0x300 => self.interrupting = value,
            0x304 => self.interrupting |= value,
            0x308 => self.interrupting &= !value,
            _ => return None,
        }
        Some(())
    }
}

/// A peripheral behind the task and event convention. `at` is always the current core cycle; results are the events that happen.
pub(crate) trait Peripheral {
    /// Its events.
    fn events(&mut self) -> &mut Events;
    /// Triggers the task whose register is at `offset`.
    fn task(&mut self, offset: u32, at: u64) -> EventSet;
    /// Reads a register that is neither task, event nor interrupt enable.
    fn read(&mut self, offset: u32, at: u64) -> u32;
    /// Writes such a register.
    fn write(&mut self, offset: u32, value: u32, at: u64) -> EventSet;
    /// The cycle at which something happens by itself.
    fn due(&self) -> u64;
    /// Lets happen what is due at `at`, which is never later than [`Peripheral::due`] said.
    fn advance(&mut self, at: u64) -> EventSet;
    /// Events were cleared, enabled or routed from outside: an occurrence that did not matter may matter now.
    fn listeners_changed(&mut self, at: u64) {
        let _ = at;
    }
}

/// The numbers of the bits that are set.
pub(crate) fn bits(mut set: u32) -> impl Iterator<Item = u32> {
    std::iter::from_fn(move || {
        let bit = (set != 0).then(|| set.trailing_zeros())?;
        set &= set - 1;
        Some(bit)
    })
}
