//! The clocks of a part, exactly: core cycles, 16 MHz and 32768 Hz ticks, nanoseconds.
//!
//! Boundary: conversions. A cycle is 62.5 ns (nRF51822, STM32F205) or 15.625 ns (nRF52840), so all of them are ratios of small integers.

use brickproof_units::{Instant, Span};

/// The rate of the core clock, as a multiple of the 16 MHz that all peripherals count.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CoreRate {
    /// 16 MHz: Cortex-M0 of the nRF51822, and the STM32F205 on its internal oscillator.
    Mhz16,
    /// 64 MHz: the nRF52840.
    Mhz64,
}

/// One cycle at 16 MHz is 125/2 ns, at 64 MHz 125/8 ns.
const NANOS: u64 = 125;
/// One tick of 32768 Hz is 15625/32 cycles at 16 MHz, 15625/8 at 64 MHz.
const LOW_FREQUENCY: u64 = 15_625;
/// Beyond this many nanoseconds (52 days) a cycle count is not computed but "never".
const HORIZON: u64 = 1 << 52;

impl CoreRate {
    /// Core cycles in a 16 MHz tick, as a power of two.
    pub(crate) const fn tick_shift(self) -> u32 {
        match self {
            Self::Mhz16 => 0,
            Self::Mhz64 => 2,
        }
    }

    const fn nano_shift(self) -> u32 {
        self.tick_shift() + 1
    }

    const fn low_frequency_shift(self) -> u32 {
        5 - self.tick_shift()
    }

    /// The instant at which `cycle` begins, rounded down to a nanosecond.
    pub const fn instant(self, cycle: u64) -> Instant {
        match cycle.checked_mul(NANOS) {
            Some(scaled) => Instant::from_nanos(scaled >> self.nano_shift()),
            None => Instant::NEVER,
        }
    }

    /// The first cycle that begins at or after `instant`; `u64::MAX` for the far future.
    pub const fn cycle_at(self, instant: Instant) -> u64 {
        self.cycles(Span::nanos(instant.as_nanos()))
    }

    /// The cycles that `span` takes, rounded up; `u64::MAX` for a very long one.
    pub const fn cycles(self, span: Span) -> u64 {
        let nanos = span.as_nanos();
        if nanos > HORIZON { u64::MAX } else { (nanos << self.nano_shift()).div_ceil(NANOS) }
    }

    /// Ticks of the 32768 Hz clock that lie at or before `cycle`.
    pub(crate) const fn low_frequency_ticks(self, cycle: u64) -> u64 {
        (((cycle as u128) << self.low_frequency_shift()) / LOW_FREQUENCY as u128) as u64
    }

    /// The cycle of the `tick`th tick of the 32768 Hz clock.
    pub(crate) const fn low_frequency_cycle(self, tick: u64) -> u64 {
        match tick.checked_mul(LOW_FREQUENCY) {
            Some(scaled) => scaled.div_ceil(1 << self.low_frequency_shift()),
            None => u64::MAX,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const RATES: [CoreRate; 2] = [CoreRate::Mhz16, CoreRate::Mhz64];

    #[test]
    fn a_second_is_as_many_cycles_as_the_datasheet_says() {
        assert_eq!(RATES.map(|rate| rate.cycles(Span::secs(1))), [16_000_000, 64_000_000]);
        assert_eq!(
            RATES.map(|rate| rate.instant(1_000_000_000)),
            [62_500_000_000, 15_625_000_000].map(Instant::from_nanos)
        );
        assert_eq!(RATES.map(|rate| rate.low_frequency_cycle(32_768)), [16_000_000, 64_000_000]);
        assert_eq!(RATES.map(|rate| rate.cycle_at(Instant::NEVER)), [u64::MAX; 2]);
    }

    proptest! {
        #[test]
        fn cycles_survive_the_way_to_nanoseconds_and_back(cycle in 0u64..1 << 45) {
            for rate in RATES {
                prop_assert_eq!(rate.cycle_at(rate.instant(cycle)), cycle);
            }
        }

        #[test]
        fn a_low_frequency_tick_is_counted_from_its_own_cycle_on(tick in 1u64..1 << 40) {
            for rate in RATES {
                let cycle = rate.low_frequency_cycle(tick);
                prop_assert_eq!(rate.low_frequency_ticks(cycle), tick);
                prop_assert_eq!(rate.low_frequency_ticks(cycle - 1), tick - 1);
            }
        }
    }
}
