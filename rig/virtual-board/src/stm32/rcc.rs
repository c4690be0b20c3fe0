//! RCC and PWR: which clocks run, why the chip was reset, and the voltage detector.
//!
//! Boundary: registers. Oscillators that are switched on are ready at once but for the PLL; what they would drive keeps its own pace.
//! Source: RM0033, chapters 4 and 5. The PLL's lock time and the detector's thresholds are recalled from the data sheet.

use brickproof_units::Voltage;

use super::HERTZ;
use crate::chip::ResetCause;

const PLL_ON: u32 = 1 << 24;
const PLL_READY: u32 = 1 << 25;
const PLL_LOCK: u64 = HERTZ / 5_000;

const REMOVE_FLAGS: u32 = 1 << 24;
const BROWN_OUT_RESET: u32 = 1 << 25;
const PIN_RESET: u32 = 1 << 26;
const POWER_RESET: u32 = 1 << 27;
const SOFTWARE_RESET: u32 = 1 << 28;
const WATCHDOG_RESET: u32 = 1 << 29;
const FLAGS: u32 = 0xFE00_0000;

/// PWR_CR.DBP.
const BACKUP_WRITABLE: u32 = 1 << 8;
const DETECTOR_ENABLED: u32 = 1 << 4;
const DETECTOR_OUTPUT: u32 = 1 << 2;
const DETECTOR_MILLIVOLTS: [i64; 8] = [2_000, 2_100, 2_300, 2_500, 2_600, 2_700, 2_800, 2_900];

/// Peripherals whose clock has to be enabled: the offset of the register, and the bit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Gate(u32, u32);

impl Gate {
    pub(super) const POWER: Self = Self(0x40, 28);
    pub(super) const USART1: Self = Self(0x44, 4);
    pub(super) const RNG: Self = Self(0x34, 6);
    pub(super) const OTG: Self = Self(0x34, 7);

    /// GPIOA is 0.
    pub(super) const fn port(number: u32) -> Self {
        Self(0x30, number)
    }

    /// TIM2 is 0.
    pub(super) const fn timer(number: u32) -> Self {
        Self(0x40, number)
    }
}

/// RCC and PWR.
#[derive(Clone, Debug)]
pub(super) struct Clocks {
    control: u32,
    pll: u32,
    /// When the PLL was switched on.
    pll_since: u64,
    config: u32,
    /// AHB1ENR, AHB2ENR, AHB3ENR, a reserved word, APB1ENR, APB2ENR.
    enabled: [u32; 6],
    flags: u32,
    low_speed: u32,
    power: u32,
    below_threshold: bool,
}

impl Clocks {
    pub(super) fn new() -> Self {
        Self {
            control: 0x83,
            pll: 0x2400_3010,
            pll_since: 0,
            config: 0,
            enabled: [0; 6],
            flags: 0,
            low_speed: 0,
            power: 0,
            below_threshold: false,
        }
    }

    /// The chip was reset. Reasons accumulate until firmware removes them or the power is lost.
    pub(super) fn reset(&mut self, cause: ResetCause) {
        let flag = match cause {
            ResetCause::PowerOn => POWER_RESET | BROWN_OUT_RESET,
            ResetCause::Watchdog => WATCHDOG_RESET,
            ResetCause::Software => SOFTWARE_RESET,
            // Its core does not reset it for a lock-up, and nothing wakes it from off.
            ResetCause::Pin | ResetCause::Lockup | ResetCause::WakeFromOff | ResetCause::DebugInterface => 0,
        };
        let before = if cause == ResetCause::PowerOn { 0 } else { self.flags };
        // Every reset from inside pulls NRST low.
        *self = Self { flags: before | flag | PIN_RESET, ..Self::new() };
    }

    pub(super) fn reset_flags(&self) -> u32 {
        self.flags
    }

    /// Whether that peripheral's clock runs.
    #[inline]
    pub(super) fn runs(&self, Gate(register, bit): Gate) -> bool {
        self.enabled[(register as usize - 0x30) / 4] >> bit & 1 == 1
    }

    /// Whether the PLL's 48 MHz are there.
    pub(super) fn has_48_mhz(&self, at: u64) -> bool {
        self.control & PLL_ON != 0 && at >= self.pll_since + PLL_LOCK
    }

    /// Whether the backup registers can be written.
    pub(super) fn lets_backup_be_written(&self) -> bool {
        self.power & BACKUP_WRITABLE != 0
    }

    /// The threshold that firmware armed the voltage detector at.
    pub(super) fn detector_threshold(&self) -> Option<Voltage> {
        let millivolts = DETECTOR_MILLIVOLTS[(self.power >> 5 & 7) as usize];
        (self.power & DETECTOR_ENABLED != 0).then(|| Voltage::new(millivolts * 1_000))
    }

    pub(super) fn set_below_threshold(&mut self, below: bool) {
        self.below_threshold = below;
    }

    pub(super) fn read(&self, offset: u32, at: u64) -> u32 {
        match offset {
            0x00 if self.has_48_mhz(at) => self.control | PLL_READY,
            0x00 => self.control,
            0x04 => self.pll,
            // SWS: the internal oscillator.
            0x08 => self.config & !0xC,
            0x30..=0x44 => self.enabled[(offset as usize - 0x30) / 4],
            0x74 => self.flags | self.low_speed,
            _ => 0,
        }
    }

    pub(super) fn write(&mut self, offset: u32, value: u32, at: u64) {
        match offset {
            0x00 => {
                if value & PLL_ON != 0 && self.control & PLL_ON == 0 {
                    self.pll_since = at;
                }
                // HSERDY follows HSEON. The internal oscillator cannot be switched off while the core runs from it.
                self.control = value & (0xF8 | 1 << 16 | 1 << 18 | 1 << 19 | PLL_ON) | (value & 1 << 16) << 1 | 0b11;
            }
            // Locked while the PLL runs.
            0x04 if self.control & PLL_ON == 0 => self.pll = value,
            0x08 => self.config = value,
            0x30..=0x44 => self.enabled[(offset as usize - 0x30) / 4] = value,
            0x74 => {
                // LSIRDY follows LSION.
                self.low_speed = value & 1 | (value & 1) << 1;
                if value & REMOVE_FLAGS != 0 {
                    self.flags &= !FLAGS;
                }
            }
            _ => {}
        }
    }

    pub(super) fn read_power(&self, offset: u32) -> u32 {
        match offset {
            0x00 => self.power,
            0x04 if self.below_threshold => DETECTOR_OUTPUT,
            _ => 0,
        }
    }

    pub(super) fn write_power(&mut self, offset: u32, value: u32) {
        if offset == 0x00 {
            self.power = value & 0x3F3;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reset_flags_accumulate_until_they_are_removed() {
        let mut clocks = Clocks::new();
        clocks.reset(ResetCause::PowerOn);
        assert_eq!(clocks.read(0x74, 0), 0x0E00_0000, "RM0033's reset value");
        clocks.write(0x74, REMOVE_FLAGS, 0);
        assert_eq!(clocks.read(0x74, 0), 0);
        clocks.reset(ResetCause::Software);
        clocks.reset(ResetCause::Watchdog);
        assert_eq!(clocks.read(0x74, 0), WATCHDOG_RESET | SOFTWARE_RESET | PIN_RESET);
    }

    #[test]
    fn the_pll_takes_its_time_and_the_core_stays_on_the_internal_oscillator() {
        let mut clocks = Clocks::new();
        clocks.write(0x00, 0x83 | PLL_ON, 100);
        assert_eq!(clocks.read(0x00, 100) & PLL_READY, 0);
        assert_eq!(clocks.read(0x00, 100 + PLL_LOCK) & PLL_READY, PLL_READY);
        clocks.write(0x08, 0b10, 0);
        assert_eq!(clocks.read(0x08, 0) & 0xC, 0);
    }

    #[test]
    fn a_clock_runs_once_it_is_enabled() {
        let mut clocks = Clocks::new();
        assert!(!clocks.runs(Gate::USART1));
        clocks.write(0x44, 1 << 4, 0);
        assert!(clocks.runs(Gate::USART1) && !clocks.runs(Gate::timer(0)));
    }
}
