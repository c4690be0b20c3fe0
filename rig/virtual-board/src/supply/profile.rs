//! What is fixed on a board: its regulator, its bulk capacitance and the thresholds of its chip.
//!
//! Boundary: numbers and where they come from. How they act on a waveform is in [`super`].

use brickproof_units::{Capacitance, Current, Resistance, Slew, Span, Voltage};

/// A linear regulator between the input and the rail.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Regulator {
    /// What it holds the rail at while the input allows it.
    pub output: Voltage,
    /// The pass transistor when fully on: a dropout of 300 mV at 500 mA is 0.6 ohm.
    pub pass_resistance: Resistance,
    /// The most it delivers, into the bulk capacitance and the load together.
    pub current_limit: Current,
    /// Under-voltage lockout, on the input: it turns off below `falling` and on again above `rising`.
    pub lockout: Hysteresis,
    /// From the input above the lockout to the first current.
    pub enable_delay: Span,
    /// How it raises the rail after it was off.
    pub soft_start: Slew,
    /// What drains the rail while it is off.
    pub discharge: Resistance,
}

/// A comparator with two thresholds, `falling` below `rising`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Hysteresis {
    /// Trips when the voltage falls to this.
    pub falling: Voltage,
    /// Releases when the voltage rises to this.
    pub rising: Voltage,
}

/// At which rail voltages flash is programmed and erased at full strength, and where its charge pump gives up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FlashRange {
    /// Full strength at this and above.
    pub minimum: Voltage,
    /// No effect at this and below; in between the strength is linear.
    pub collapse: Voltage,
}

impl FlashRange {
    /// Full strength from `minimum` on, and a charge pump that gives up 0.4 V lower (an assumption for every part here).
    pub const fn of_minimum(minimum: Voltage) -> Self {
        Self { minimum, collapse: Voltage::new(minimum.get() - 400_000) }
    }
}

/// Everything about a board's supply that no scenario changes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SupplyProfile {
    /// Between the source and the rail.
    pub regulator: Regulator,
    /// On the rail.
    pub bulk: Capacitance,
    /// The chip's brown-out and power-on reset.
    pub brown_out: Hysteresis,
    /// From the rail above `brown_out.rising` to the first instruction.
    pub power_on_delay: Span,
    /// The power-fail comparator clears this far above the threshold that the firmware chose.
    pub power_fail_hysteresis: Voltage,
    /// A rail that takes longer than this to rise is out of specification, if the part has such a limit.
    pub slowest_rise: Option<Span>,
    /// A rail that moves faster than this is out of specification.
    pub fastest_slew: Slew,
    /// Where flash works.
    pub flash: FlashRange,
    /// More than the board ever draws. A source that carries this without sagging is never computed again.
    pub heaviest_load: Current,
}

const fn millivolts(value: i64) -> Voltage {
    Voltage::new(value * 1_000)
}

const fn milliamperes(value: i64) -> Current {
    Current::new(value * 1_000)
}

const fn milliohms(value: u64) -> Resistance {
    Resistance::new(value * 1_000)
}

/// Assumed for all virtual boards: a small 3.3 V low-dropout part in the class of those on battery-powered modules. The values are
/// typical for the class and belong to no particular data sheet.
const SMALL_LDO: Regulator = Regulator {
    output: millivolts(3_300),
    pass_resistance: milliohms(500),
    current_limit: milliamperes(600),
    lockout: Hysteresis { falling: millivolts(2_300), rising: millivolts(2_500) },
    enable_delay: Span::micros(200),
    soft_start: Slew::new(1_000_000),
    discharge: milliohms(10_000_000),
};

impl SupplyProfile {
    /// The supply of `lantern-nrf51`.
    ///
    /// Brown-out reset at 1.7 V and a minimum of 1.8 V as recalled from the nRF51822 product specification; the hysteresis, the
    /// power-on delay of 1 ms, the collapse of the charge pump 0.4 V below the minimum, the 47 uF and the slew limit (20 us/V, which
    /// the STM32F031 data sheet states for its VDD) are assumptions.
    pub const fn nrf51822() -> Self {
        Self {
            regulator: SMALL_LDO,
            bulk: Capacitance::new(47_000_000),
            brown_out: Hysteresis { falling: millivolts(1_700), rising: millivolts(1_750) },
            power_on_delay: Span::millis(1),
            power_fail_hysteresis: millivolts(50),
            slowest_rise: None,
            fastest_slew: Slew::new(20_000),
            flash: FlashRange::of_minimum(millivolts(1_800)),
            heaviest_load: milliamperes(500),
        }
    }

    /// The supply of `lantern-nrf52840`.
    ///
    /// From the nRF52840 product specification: brown-out below 1.7 V, the lowest supply 1.7 V, a longest rise of 60 ms, beyond which the
    /// power-on reset may hang. The hysteresis, the power-on delay of 1 ms, the collapse of the charge pump 0.4 V below the minimum,
    /// the 100 uF and the slew limit are assumptions as in [`Self::nrf51822`].
    pub const fn nrf52840() -> Self {
        Self {
            bulk: Capacitance::new(100_000_000),
            slowest_rise: Some(Span::millis(60)),
            flash: FlashRange::of_minimum(millivolts(1_700)),
            ..Self::nrf51822()
        }
    }

    /// The supply of `lantern-stm32f205`.
    ///
    /// The chip's brown-out reset is off as ST delivers it (RM0033), so that only the power-down reset is there. The power-on delay of 2.6 ms
    /// is that of the F4 series (AN4488). The lowest supply of 1.8 V and the limit of 20 us/V for rise and fall are recalled from the data
    /// sheet; regulator and capacitance are assumptions as in [`Self::nrf51822`]. What flash takes follows from how it is asked
    /// ([`crate::stm32::Parallelism::rail`]); the range here is that of 8 bits at a time.
    pub const fn stm32f205() -> Self {
        Self {
            brown_out: Self::stm32f205_brown_out(3),
            power_on_delay: Span::micros(2_600),
            flash: FlashRange::of_minimum(millivolts(1_800)),
            ..Self::nrf51822()
        }
    }

    /// What the option bytes' BOR_LEV makes of the brown-out reset of an STM32F205: 3 is off, 2 to 0 are the levels 1 to 3. Typical
    /// thresholds, recalled from the data sheet; those of the power-down reset are the F4 series' (AN4488).
    pub const fn stm32f205_brown_out(level: u32) -> Hysteresis {
        let (falling, rising) = match level {
            0 => (2_830, 2_920),
            1 => (2_500, 2_590),
            2 => (2_190, 2_290),
            _ => (1_700, 1_740),
        };
        Hysteresis { falling: millivolts(falling), rising: millivolts(rising) }
    }
}
