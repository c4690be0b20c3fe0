//! Booting, being reset, losing power.
//!
//! Boundary: the transitions. When they happen is decided by the supply, the lines and the chip.

use brickproof_units::{Instant, Span};

use crate::board::{Board, Records};
use crate::chip::ResetCause;
use crate::supply::ChipPower;

/// From the end of a reset other than by power to the first instruction. An assumption for both parts; it also keeps a chip with
/// nothing in its flash, which locks up at once and for ever, from occupying the host.
const RESET_TIME: Span = Span::micros(100);

/// What the board is doing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Life {
    /// The supply is not good.
    Off,
    /// An aimed cut took the power away.
    Cut,
    /// Reset ends at the cycle `due`.
    Starting {
        due: u64,
        cause: ResetCause,
    },
    /// The RESET line holds the chip, which will then start for `cause`.
    Held {
        cause: ResetCause,
    },
    Running,
    /// Firmware switched the chip off; a pin wakes it.
    SystemOff,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum ResetLine {
    Released,
    Pressed,
}

/// What a board is doing, seen from outside.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum BoardState {
    /// Without power.
    Off,
    /// With power, held in reset or coming out of it.
    InReset,
    /// Executing or asleep.
    Running,
    /// Switched off by its firmware, waiting for a pin.
    SystemOff,
}

/// Something that happened to the board as a whole.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum LifeEvent {
    /// The first instruction after a reset.
    Boot(ResetCause),
    /// A reset began.
    Reset(ResetCause),
    /// The supply fell below what the chip runs on.
    BrownOut,
    /// The aimed cut took the power away.
    PowerCut,
    /// Firmware switched the chip off.
    SystemOff,
}

/// A [`LifeEvent`] and when it happened.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct LifeRecord {
    /// When.
    pub at: Instant,
    /// What.
    pub event: LifeEvent,
}

impl Board {
    /// What the board is doing.
    pub fn state(&self) -> BoardState {
        match self.life {
            Life::Off | Life::Cut => BoardState::Off,
            Life::Starting { .. } | Life::Held { .. } => BoardState::InReset,
            Life::Running => BoardState::Running,
            Life::SystemOff => BoardState::SystemOff,
        }
    }

    /// How often the first instruction was executed.
    pub fn boots(&self) -> u64 {
        self.boots
    }

    /// Pulls the RESET line low. The chip is in reset until it is released.
    pub fn press_reset(&mut self) {
        self.reset_line = ResetLine::Pressed;
        self.hold(ResetCause::Pin);
    }

    /// Keeps a chip with power in reset.
    pub(super) fn hold(&mut self, cause: ResetCause) {
        if !matches!(self.life, Life::Off | Life::Cut) {
            self.enter_reset(cause);
            self.life = Life::Held { cause };
            self.follow_reset();
        }
    }

    /// Lets the RESET line go.
    pub fn release_reset(&mut self) {
        self.reset_line = ResetLine::Released;
        self.start_if_let_go();
    }

    /// Starts a chip that nothing holds in reset any more.
    pub(super) fn start_if_let_go(&mut self) {
        if let Life::Held { cause } = self.life
            && self.reset_line == ResetLine::Released
            && !self.debugger.holds_reset()
        {
            self.start_after(RESET_TIME, cause);
        }
    }

    /// Brings the power back after an aimed cut; the chip starts after its power-on delay. Without a cut nothing happens.
    pub fn power_on(&mut self) {
        if self.life == Life::Cut {
            self.start_after(self.power_on_delay, ResetCause::PowerOn);
        }
    }

    /// The supply has been good for the power-on delay.
    pub(super) fn power_good(&mut self) {
        match (self.life, self.reset_line) {
            (Life::Cut, _) => {}
            (_, ResetLine::Pressed) => self.life = Life::Held { cause: ResetCause::PowerOn },
            (_, ResetLine::Released) => self.boot(ResetCause::PowerOn),
        }
    }

    /// The supply fell below what the chip runs on.
    pub(super) fn brown_out(&mut self) {
        if matches!(self.life, Life::Off | Life::Cut) {
            return;
        }
        self.record(LifeEvent::BrownOut);
        self.tear_flash();
        self.lose_power();
        self.life = Life::Off;
        self.report_load();
    }

    /// The aimed cut takes the power away, wherever the supply is.
    pub(super) fn cut_power(&mut self) {
        self.aim = None;
        self.cut_unseen = true;
        self.record(LifeEvent::PowerCut);
        self.lose_power();
        self.life = Life::Cut;
        self.report_load();
    }

    /// A reset, by power or otherwise, ends the flash operation that is under way at the place it has come to.
    fn tear_flash(&mut self) {
        if let Some(under_way) = self.soc.flash().under_way() {
            let share = self.share_of_ride(under_way.needed);
            self.finish_flash(share);
        }
    }

    fn lose_power(&mut self) {
        self.soc.lose_power(self.core.clock.cycle);
        self.core.forget_debugger();
        self.debugger.lose_power();
        self.power_fail = None;
    }

    /// A reset other than by power begins.
    pub(super) fn begin_reset(&mut self, cause: ResetCause) {
        self.enter_reset(cause);
        self.start_after(RESET_TIME, cause);
        self.follow_reset();
    }

    fn enter_reset(&mut self, cause: ResetCause) {
        self.record(LifeEvent::Reset(cause));
        self.tear_flash();
        self.soc.reset(cause, &mut self.core.clock);
        self.core.begin_reset();
        self.latch_protection();
    }

    /// A pin that meets its SENSE condition wakes the chip from System OFF, also if it met it before.
    pub(super) fn wake_if_sensed(&mut self) {
        if self.life == Life::SystemOff && self.soc.detects() {
            self.begin_reset(ResetCause::WakeFromOff);
        }
    }

    fn start_after(&mut self, delay: Span, cause: ResetCause) {
        let due = self.core.clock.cycle + self.soc.chip().rate().cycles(delay);
        self.life = Life::Starting { due, cause };
    }

    /// The first instruction.
    pub(super) fn boot(&mut self, cause: ResetCause) {
        if cause == ResetCause::PowerOn {
            self.soc.reset(cause, &mut self.core.clock);
            self.latch_protection();
            self.follow_reset();
            self.follow_brown_out();
        }
        self.choose_code();
        self.boots += 1;
        self.record(LifeEvent::Boot(cause));
        self.core.reset(&mut self.soc);
        self.life = Life::Running;
        self.report_load();
    }

    /// A reset disarmed the power-fail comparator and changed what the chip draws.
    fn follow_reset(&mut self) {
        if self.power_fail.take().is_some() && self.supply.chip_power() == ChipPower::Good {
            self.supply.set_power_fail(self.now(), None);
        }
        self.report_load();
    }

    pub(super) fn record(&mut self, event: LifeEvent) {
        if self.records == Records::Kept {
            self.log.push(LifeRecord { at: self.now(), event });
        }
    }
}
