//! What the board draws from its supply, and what a weak supply does to a flash operation.
//!
//! Boundary: sums and shares.

use brickproof_units::{Current, Instant, Ratio, Span};

use crate::bus::Activity;
use crate::chip::{Chip, Pin};
use crate::flash::COMPLETE;
use crate::supply::{FlashRange, Supply};

/// What the chip draws by itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Consumption {
    /// Executing from flash.
    pub awake: Current,
    /// In WFI or WFE.
    pub asleep: Current,
    /// In reset or System OFF.
    pub off: Current,
    /// A flash operation, on top.
    pub flash: Current,
}

impl Consumption {
    /// Typical figures: 4.4 mA (nRF51822) and 6.3 mA (nRF52840) executing are recalled from the product specifications; 9 mA and 4 mA
    /// (STM32F205 at 16 MHz, executing and asleep with its peripherals on) are of the data sheet's order and not looked up; the rest is
    /// assumed.
    pub const fn of(chip: Chip) -> Self {
        let (awake, asleep) = match chip {
            Chip::Nrf51822 => (4_400, 600),
            Chip::Nrf52840 => (6_300, 600),
            Chip::Stm32f205 => (9_000, 4_000),
        };
        Self {
            awake: Current::new(awake),
            asleep: Current::new(asleep),
            off: Current::new(1),
            flash: Current::new(5_000),
        }
    }

    pub(super) const fn core(&self, activity: Activity) -> Current {
        match activity {
            // A halted core is clocked, and the debug logic with it (assumed to draw the same).
            Activity::Awake | Activity::Halted => self.awake,
            Activity::Asleep | Activity::DeeplyAsleep => self.asleep,
        }
    }
}

/// A pin with something on it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct WiredPin {
    /// Which.
    pub pin: Pin,
    /// What the board draws while the chip drives it high: an LED, or a modem behind an enable line.
    pub when_high: Current,
}

/// The most that a board with these pins ever draws: everything at once.
pub(super) fn heaviest(consumption: Consumption, pins: &[WiredPin]) -> Current {
    let pins: i64 = pins.iter().map(|wired| wired.when_high.get().max(0)).sum();
    Current::new(consumption.awake.get() + consumption.flash.get() + pins)
}

/// How much of its effective time a flash operation has got.
#[derive(Clone, Copy, Debug)]
pub(super) struct FlashRide {
    range: FlashRange,
    reached: Instant,
    effective: Span,
    stretches: u64,
}

impl FlashRide {
    /// The operation began at `start` and is first looked at `now`, a few cycles later; until then the core executed at full strength.
    pub(super) fn begin(start: Instant, now: Instant, range: FlashRange) -> Self {
        Self { range, reached: now, effective: now.since(start), stretches: 0 }
    }

    /// Counts the stretch up to `at`, over which the supply did not change.
    pub(super) fn go_on(&mut self, supply: &Supply, at: Instant) {
        if at > self.reached {
            self.effective = self.effective + supply.flash_time(self.reached, at, self.range);
            self.stretches += 1;
            self.reached = at;
        }
    }

    /// The share of `needed` that was effective. Each stretch may have been rounded down by a nanosecond; that leaves no cell torn.
    pub(super) fn share(&self, needed: Span) -> Ratio {
        let missing = needed - self.effective;
        if missing.get() <= self.stretches {
            return COMPLETE;
        }
        let share = u128::from(self.effective.get()) * u128::from(COMPLETE.get()) / u128::from(needed.get().max(1));
        Ratio::new(u64::try_from(share).unwrap_or(COMPLETE.get()).min(COMPLETE.get() - 1))
    }
}
