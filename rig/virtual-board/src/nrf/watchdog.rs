//! WDT: resets the chip unless every enabled reload register is written in time.
//!
//! Boundary: counting and reloading; the reset itself is the chip's. Source: nRF51 reference manual v3.0, WDT.

use crate::bus::Activity;
use crate::chip::CoreRate;
use crate::nrf::peripheral::{EventSet, Events, NEVER, NONE, Peripheral, event};

const TIMEOUT: EventSet = event(0x100);
const RELOAD: u32 = 0x6E52_4635;
const RUN_IN_SLEEP: u32 = 1;
const RUN_WHEN_HALTED: u32 = 1 << 3;
const ALWAYS: u32 = RUN_IN_SLEEP | RUN_WHEN_HALTED;
/// From the TIMEOUT event to the reset: two cycles of the 32768 Hz clock.
const GRACE_TICKS: u64 = 2;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    Stopped,
    Running { expires: u64 },
    Paused { ticks_left: u64 },
    Expired { reset_at: u64 },
    Biting,
}

/// The watchdog.
#[derive(Clone, Debug)]
pub(crate) struct Watchdog {
    events: Events,
    rate: CoreRate,
    phase: Phase,
    reload_value: u32,
    enabled: u32,
    requested: u32,
    config: u32,
}

impl Watchdog {
    pub(crate) fn new(rate: CoreRate) -> Self {
        Self {
            events: Events::default(),
            rate,
            phase: Phase::Stopped,
            reload_value: u32::MAX,
            enabled: 1,
            requested: 0,
            config: RUN_IN_SLEEP,
        }
    }

    /// Whether it now resets the chip.
    pub(crate) fn bites(&self) -> bool {
        self.phase == Phase::Biting
    }

    /// Whether it was started and thus needs the 32768 Hz clock.
    pub(crate) fn is_running(&self) -> bool {
        self.phase != Phase::Stopped
    }

    /// Whether it matters to it that the core sleeps or is halted.
    pub(crate) fn heeds_sleep(&self) -> bool {
        self.is_running() && self.config & ALWAYS != ALWAYS
    }

    /// The core fell asleep, woke up, was halted or let go.
    pub(crate) fn activity_changed(&mut self, activity: Activity, at: u64) {
        let now = self.rate.low_frequency_ticks(at);
        let pauses = match activity {
            Activity::Awake => false,
            Activity::Asleep | Activity::DeeplyAsleep => self.config & RUN_IN_SLEEP == 0,
            Activity::Halted => self.config & RUN_WHEN_HALTED == 0,
        };
        self.phase = match self.phase {
            Phase::Running { expires } if pauses => Phase::Paused { ticks_left: expires.saturating_sub(now) },
            Phase::Paused { ticks_left } if !pauses => Phase::Running { expires: now + ticks_left },
            phase => phase,
        };
    }

    fn restart(&mut self, at: u64) {
        let period = u64::from(self.reload_value.max(0xF)) + 1;
        self.phase = Phase::Running { expires: self.rate.low_frequency_ticks(at) + period };
        self.requested = self.enabled;
    }
}

impl Peripheral for Watchdog {
    fn events(&mut self) -> &mut Events {
        &mut self.events
    }

    fn task(&mut self, offset: u32, at: u64) -> EventSet {
        if offset == 0x000 && self.phase == Phase::Stopped {
            self.restart(at);
        }
        NONE
    }

    fn read(&mut self, offset: u32, _: u64) -> u32 {
        match offset {
            0x400 => u32::from(self.is_running()),
            0x404 => self.requested,
            0x504 => self.reload_value,
            0x508 => self.enabled,
            0x50C => self.config,
            _ => 0,
        }
    }

    fn write(&mut self, offset: u32, value: u32, at: u64) -> EventSet {
        match offset {
            0x600..=0x61C if value == RELOAD && matches!(self.phase, Phase::Running { .. }) => {
                self.requested &= !(1 << ((offset - 0x600) / 4));
                if self.requested & self.enabled == 0 {
                    self.restart(at);
                }
            }
            // The configuration is locked once the watchdog runs.
            _ if self.is_running() => {}
            0x504 => self.reload_value = value,
            0x508 => self.enabled = value & 0xFF,
            0x50C => self.config = value,
            _ => {}
        }
        NONE
    }

    fn due(&self) -> u64 {
        match self.phase {
            Phase::Running { expires: tick } | Phase::Expired { reset_at: tick } => self.rate.low_frequency_cycle(tick),
            Phase::Stopped | Phase::Paused { .. } | Phase::Biting => NEVER,
        }
    }

    fn advance(&mut self, at: u64) -> EventSet {
        match self.phase {
            Phase::Running { .. } => {
                self.phase = Phase::Expired { reset_at: self.rate.low_frequency_ticks(at) + GRACE_TICKS };
                self.events.happened |= TIMEOUT;
                TIMEOUT
            }
            Phase::Expired { .. } => {
                self.phase = Phase::Biting;
                NONE
            }
            _ => NONE,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn started(config: u32) -> Watchdog {
        let mut watchdog = Watchdog::new(CoreRate::Mhz16);
        watchdog.write(0x504, 32_767, 0);
        watchdog.write(0x508, 0b11, 0);
        watchdog.write(0x50C, config, 0);
        watchdog.task(0x000, 0);
        watchdog
    }

    #[test]
    fn bites_two_ticks_after_its_event() {
        let mut watchdog = started(1);
        assert_eq!(watchdog.due(), 16_000_000);
        assert_eq!(watchdog.advance(16_000_000), TIMEOUT);
        assert!(!watchdog.bites());
        watchdog.advance(watchdog.due());
        assert!(watchdog.bites());
    }

    #[test]
    fn is_satisfied_only_by_every_enabled_reload_register() {
        let mut watchdog = started(1);
        watchdog.write(0x600, RELOAD, 8_000_000);
        assert_eq!((watchdog.due(), watchdog.read(0x404, 0)), (16_000_000, 0b10));
        watchdog.write(0x604, RELOAD ^ 1, 8_000_000);
        watchdog.write(0x604, RELOAD, 8_000_000);
        assert_eq!((watchdog.due(), watchdog.read(0x404, 0)), (24_000_000, 0b11));
    }

    #[test]
    fn cannot_be_stopped_or_changed_once_started() {
        let mut watchdog = started(1);
        watchdog.write(0x504, 10, 0);
        watchdog.write(0x508, 0, 0);
        assert_eq!((watchdog.read(0x504, 0), watchdog.read(0x508, 0), watchdog.read(0x400, 0)), (32_767, 3, 1));
    }

    #[test]
    fn pauses_in_sleep_if_configured() {
        let mut watchdog = started(0);
        watchdog.activity_changed(Activity::Asleep, 8_000_000);
        assert_eq!(watchdog.due(), NEVER);
        watchdog.activity_changed(Activity::Awake, 80_000_000);
        assert_eq!(watchdog.due(), 88_000_000);
    }
}
