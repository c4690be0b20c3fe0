//! What a debugger does to a board: looks into a chip that has power, whatever the chip is doing, keeps it in reset, erases it.
//!
//! Boundary: what the access ports reach. Their registers and the wire are in `crate::debug`.

use crate::board::{Board, Life, ResetCause};
use crate::bus::{Bus, BusFault, Halt, Width};
use crate::core::Stop;
use crate::flash::{FlashOperation, UICR};

/// The debug registers answer also while the core is in reset.
const PRIVATE: std::ops::Range<u32> = 0xE000_0000..0xE010_0000;
const DHCSR: u32 = 0xE000_EDF0;

/// What a debugger has done that outlasts a reset but no loss of power.
#[derive(Clone, Debug, Default)]
pub(super) struct Debugger {
    /// It asked for power: the chip is in debug interface mode.
    present: bool,
    /// It keeps the chip in reset, beside the RESET line.
    holds_reset: bool,
    /// The last reset found UICR.APPROTECT.
    locked_out: bool,
    power_losses: u64,
}

impl Debugger {
    pub(super) fn is_present(&self) -> bool {
        self.present
    }

    pub(super) fn holds_reset(&self) -> bool {
        self.holds_reset
    }

    pub(super) fn lose_power(&mut self) {
        *self = Self { power_losses: self.power_losses + 1, ..Self::default() };
    }
}

/// Why a debugger's access was not made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Refused {
    /// The flash works; later it will be.
    Busy,
    /// Nothing answers there, or not now.
    Fault,
}

impl From<BusFault> for Refused {
    fn from(BusFault: BusFault) -> Self {
        Self::Fault
    }
}

impl Board {
    /// Whether the chip has power, so that its debug port answers.
    pub fn is_powered(&self) -> bool {
        !matches!(self.life, Life::Off | Life::Cut)
    }

    /// How often the chip lost its power.
    pub fn power_losses(&self) -> u64 {
        self.debugger.power_losses
    }

    /// A debugger asks for power, or no longer: debug interface mode, in which a lock-up does not reset the chip (recalled from the nRF52840's
    /// table of resets). Asking wakes it from System OFF.
    pub(crate) fn set_debugger_present(&mut self, present: bool) {
        let comes = present && !self.debugger.present;
        self.debugger.present = present;
        if comes && self.life == Life::SystemOff {
            self.begin_reset(ResetCause::DebugInterface);
        }
    }

    /// Whether UICR.APPROTECT kept debuggers out of the memory when the chip was last reset.
    pub(crate) fn is_locked_out(&self) -> bool {
        self.debugger.locked_out
    }

    pub(super) fn latch_protection(&mut self) {
        self.debugger.locked_out = self.soc.is_protected();
    }

    /// Reads at `address` as the debugger's access port does.
    pub(crate) fn debug_read(&mut self, address: u32, width: Width) -> Result<u32, Refused> {
        self.let_debugger_in(address)?;
        let core = &mut self.core;
        let value = self.soc.past_the_bootloader(|soc| core.debug_read(soc, address, width))?;
        if address == DHCSR && matches!(self.life, Life::Starting { .. } | Life::Held { .. }) {
            // S_RESET_ST is cleared by reading it only once the reset is over.
            self.core.stay_in_reset();
        }
        self.follow_debugger();
        Ok(value)
    }

    /// Writes at `address` as the debugger's access port does.
    pub(crate) fn debug_write(&mut self, address: u32, value: u32, width: Width) -> Result<(), Refused> {
        self.let_debugger_in(address)?;
        let operations = self.soc.flash().operations();
        self.core.debug_write(&mut self.soc, address, value, width)?;
        if self.soc.flash().operations() != operations {
            self.begin_ride(self.core.pc());
        }
        self.follow_debugger();
        Ok(())
    }

    /// Keeps the chip in reset, or lets it go.
    pub(crate) fn debug_reset(&mut self, hold: bool) {
        if hold && !self.debugger.holds_reset {
            self.debugger.holds_reset = true;
            self.hold(ResetCause::Software);
        } else if !hold {
            self.debugger.holds_reset = false;
            self.start_if_let_go();
        }
    }

    /// Begins to erase all flash, unless the flash already works.
    pub(crate) fn debug_erase_all(&mut self) {
        let now = self.now();
        if self.is_powered()
            && !self.is_erasing()
            && self.soc.flash_mut().begin(FlashOperation::EraseAll, now).is_some()
        {
            self.begin_ride(self.core.pc());
            self.report_load();
        }
    }

    /// Has the flash of a chip that is held in reset do these operations, one right after the other, each in its own time: as a programmer has
    /// them done. What the programmer's own code in RAM does besides is not modelled. False, and nothing is begun, if the chip runs, has no power or its flash works
    /// already.
    pub fn have_flash_do(&mut self, operations: impl IntoIterator<Item = FlashOperation>) -> bool {
        if !matches!(self.life, Life::Held { .. }) || self.is_erasing() {
            return false;
        }
        let now = self.now();
        for operation in operations {
            self.soc.flash_mut().begin(operation, now);
        }
        self.begin_ride(0);
        self.report_load();
        true
    }

    /// Whether the flash works.
    pub fn is_erasing(&self) -> bool {
        self.soc.flash().under_way().is_some()
    }

    /// Lets time pass for a core that is locked up and not reset, because a debugger is there or the part leaves that to its watchdog.
    pub(super) fn stay_locked_up(&mut self, bound: u64) -> Stop {
        let due = bound.min(self.soc.next_event());
        if due == u64::MAX {
            return Stop::Asleep;
        }
        self.core.clock.cycle = self.core.clock.cycle.max(due);
        self.soc.tick(&mut self.core.clock);
        if self.soc.halt() == Some(Halt::Reset) {
            self.begin_reset(ResetCause::Watchdog);
        }
        Stop::Reached
    }

    fn let_debugger_in(&self, address: u32) -> Result<(), Refused> {
        let is_flash = self.soc.flash().geometry().contains(address) || (UICR..UICR + 0x1000).contains(&address);
        match self.life {
            Life::Off | Life::Cut => Err(Refused::Fault),
            Life::Starting { .. } | Life::Held { .. } if !PRIVATE.contains(&address) => Err(Refused::Fault),
            _ if is_flash && self.soc.flash().under_way().is_some() => Err(Refused::Busy),
            _ => Ok(()),
        }
    }

    /// Sees to what an access changed beside what it accessed.
    fn follow_debugger(&mut self) {
        match self.life {
            Life::Running | Life::SystemOff if self.core.is_reset_requested() => {
                return self.begin_reset(ResetCause::Software);
            }
            // In the middle of a store that the flash stalls the core halts at its end.
            Life::Running if self.soc.flash().under_way().is_none() => self.core.obey(&mut self.soc),
            _ => {}
        }
        if self.life == Life::Running && self.soc.halt() == Some(Halt::Paused) {
            self.look();
            self.soc.resume();
        }
        self.report_load();
    }
}
