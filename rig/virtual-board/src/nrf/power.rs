//! POWER and CLOCK, which share one block of tasks, events and interrupts.
//!
//! Boundary: registers and start-up times. When the power fails, and what a reset does to the rest of the chip, is decided outside.
//! Source: nRF51 reference manual v3.0, POWER and CLOCK; nRF52840 product specification v1.1. Start-up times are recalled.

use brickproof_units::Voltage;

use crate::chip::{CoreRate, ResetCause};
use crate::nrf::peripheral::{EventSet, Events, NEVER, NONE, Peripheral, event};
use crate::nrf::rtc::LowFrequencyClock;

const HF_STARTED: EventSet = event(0x100);
const LF_STARTED: EventSet = event(0x104);
const POWER_FAIL_WARNING: EventSet = event(0x108);
const CALIBRATED: EventSet = event(0x10C);
const CALIBRATION_TIMEOUT: EventSet = event(0x110);

const MICROSECOND: u64 = 16;
const CRYSTAL_16MHZ_START: u64 = 400 * MICROSECOND;
const RC_32KHZ_START: u64 = 600 * MICROSECOND;
const CRYSTAL_32KHZ_START: u64 = 250_000 * MICROSECOND;
const CALIBRATION: u64 = 17_000 * MICROSECOND;
const CALIBRATION_TIMER_UNIT: u64 = 250_000 * MICROSECOND;

impl ResetCause {
    fn bit(self) -> u32 {
        match self {
            Self::PowerOn => 0,
            Self::Pin => 1 << 0,
            Self::Watchdog => 1 << 1,
            Self::Software => 1 << 2,
            Self::Lockup => 1 << 3,
            Self::WakeFromOff => 1 << 16,
            Self::DebugInterface => 1 << 18,
        }
    }

    // What a reset leaves alone follows the nRF52840's table of resets (product specification v1.1, POWER, recalled); the nRF51's is
    // taken to be the same (assumption).

    /// Whether the retained registers (GPREGRET) are reset too.
    fn reaches_retained_registers(self) -> bool {
        matches!(self, Self::PowerOn | Self::Pin | Self::Watchdog)
    }

    /// Whether a watchdog that runs is stopped. System OFF stops it by itself, as it stops the clock that the watchdog counts.
    pub(crate) fn stops_watchdog(self) -> bool {
        self.reaches_retained_registers() || matches!(self, Self::WakeFromOff | Self::DebugInterface)
    }

    /// Whether GPIO keeps its configuration. It does through System OFF, where it also wakes the chip; that a part should lose it is
    /// an anomaly (nRF52840 errata, 81).
    pub(crate) fn keeps_pins(self) -> bool {
        matches!(self, Self::WakeFromOff | Self::DebugInterface)
    }
}

/// An oscillator that is asked for by a task and answers with an event.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Oscillator {
    Off,
    Starting { due: u64 },
    Running,
}

impl Oscillator {
    fn due(self) -> u64 {
        if let Self::Starting { due } = self { due } else { NEVER }
    }

    /// Bit of the RUN and STAT registers: whether it was asked for.
    fn is_requested(self) -> u32 {
        u32::from(self != Self::Off)
    }
}

/// POWER and CLOCK.
#[derive(Clone, Debug)]
pub(crate) struct PowerClock {
    events: Events,
    rate: CoreRate,
    reset_reasons: u32,
    retained: [u32; 2],
    bus_power: bool,
    power_fail: u32,
    dcdc: u32,
    ram_power: u32,
    off_requested: bool,
    high: Oscillator,
    low: Oscillator,
    low_source: u32,
    low_source_in_use: u32,
    calibration_done: u64,
    calibration_timer: u64,
    calibration_interval: u32,
}

impl PowerClock {
    pub(crate) fn new(rate: CoreRate) -> Self {
        Self {
            events: Events::default(),
            rate,
            reset_reasons: 0,
            retained: [0; 2],
            bus_power: false,
            power_fail: 0,
            dcdc: 0,
            ram_power: 0xF,
            off_requested: false,
            high: Oscillator::Off,
            low: Oscillator::Off,
            low_source: 0,
            low_source_in_use: 0,
            calibration_done: NEVER,
            calibration_timer: NEVER,
            calibration_interval: 0,
        }
    }

    /// The chip was reset for `cause`. Reasons accumulate until firmware clears them or the power is lost.
    pub(crate) fn reset(&mut self, cause: ResetCause) {
        let reasons = if cause == ResetCause::PowerOn { 0 } else { self.reset_reasons | cause.bit() };
        let retained = if cause.reaches_retained_registers() { [0; 2] } else { self.retained };
        let bus_power = self.bus_power;
        *self = Self { reset_reasons: reasons, retained, bus_power, ..Self::new(self.rate) };
    }

    /// The reset reasons that firmware has not cleared.
    pub(crate) fn reset_reasons(&self) -> u32 {
        self.reset_reasons
    }

    /// GPREGRET: what a start leaves for the one after it.
    pub(crate) fn retained(&self) -> u32 {
        self.retained[0]
    }

    /// Forgets it.
    pub(crate) fn forget_retained(&mut self) {
        self.retained = [0; 2];
    }

    /// Whether there is voltage on VBUS. It outlasts every reset.
    pub(crate) fn set_bus_power(&mut self, present: bool) {
        self.bus_power = present;
    }

    /// The same.
    pub(crate) fn has_bus_power(&self) -> bool {
        self.bus_power
    }

    /// Whether firmware asked for System OFF.
    pub(crate) fn is_off_requested(&self) -> bool {
        self.off_requested
    }

    /// The threshold that firmware armed the power-fail comparator at.
    pub(crate) fn power_fail_threshold(&self) -> Option<Voltage> {
        let setting = i64::from(self.power_fail >> 1 & 15);
        let tenths = match self.rate {
            // 2.1, 2.3, 2.5, 2.7 V.
            CoreRate::Mhz16 => 21 + 2 * (setting & 3),
            // From 4: 1.7 V in steps of 0.1 V; lower settings are reserved.
            CoreRate::Mhz64 => 17 + (setting - 4).max(0),
        };
        (self.power_fail & 1 == 1).then(|| Voltage::new(tenths * 100_000))
    }

    /// The supply fell to that threshold.
    pub(crate) fn warn(&mut self) -> EventSet {
        self.happen(POWER_FAIL_WARNING)
    }

    pub(crate) fn low_frequency(&self) -> LowFrequencyClock {
        if self.low == Oscillator::Running { LowFrequencyClock::Running } else { LowFrequencyClock::Stopped }
    }

    /// The watchdog needs the 32768 Hz clock and starts it by itself.
    pub(crate) fn require_low_frequency(&mut self) {
        if self.low == Oscillator::Off {
            self.low = Oscillator::Running;
        }
    }

    fn happen(&mut self, events: EventSet) -> EventSet {
        self.events.happened |= events;
        events
    }

    fn after(&self, at: u64, ticks: u64) -> u64 {
        at + (ticks << self.rate.tick_shift())
    }
}

impl Peripheral for PowerClock {
    fn events(&mut self) -> &mut Events {
        &mut self.events
    }

    fn task(&mut self, offset: u32, at: u64) -> EventSet {
        match offset {
            0x000 if self.high == Oscillator::Off => {
                self.high = Oscillator::Starting { due: self.after(at, CRYSTAL_16MHZ_START) };
            }
            // Already running: the event comes all the same.
            0x000 if self.high == Oscillator::Running => return self.happen(HF_STARTED),
            0x004 => self.high = Oscillator::Off,
            0x008 if self.low == Oscillator::Off => {
                self.low_source_in_use = self.low_source;
                let start = if self.low_source & 3 == 1 { CRYSTAL_32KHZ_START } else { RC_32KHZ_START };
                self.low = Oscillator::Starting { due: self.after(at, start) };
            }
            0x008 if self.low == Oscillator::Running => return self.happen(LF_STARTED),
            0x00C => self.low = Oscillator::Off,
            0x010 => self.calibration_done = self.after(at, CALIBRATION),
            0x014 => {
                let units = u64::from(self.calibration_interval.max(1));
                self.calibration_timer = self.after(at, units * CALIBRATION_TIMER_UNIT);
            }
            0x018 => self.calibration_timer = NEVER,
            _ => {}
        }
        NONE
    }

    fn read(&mut self, offset: u32, _: u64) -> u32 {
        match offset {
            0x400 => self.reset_reasons,
            0x408 => self.high.is_requested(),
            // The core clock always runs (bit 16); bit 0 says from the crystal.
            0x40C => 1 << 16 | u32::from(self.high == Oscillator::Running),
            0x414 => self.low.is_requested(),
            0x418 if self.low == Oscillator::Running => 1 << 16 | self.low_source_in_use & 3,
            0x41C => self.low_source_in_use,
            // RAMSTATUS: the two blocks of this nRF51, and the four flags that the nRF52840 keeps for compatibility, are on.
            0x428 => {
                if self.rate == CoreRate::Mhz16 {
                    0b11
                } else {
                    0b1111
                }
            }
            // USBREGSTATUS: VBUSDETECT and OUTPUTRDY, without the millisecond between them.
            0x438 if self.rate == CoreRate::Mhz64 => 0b11 * u32::from(self.bus_power),
            0x510 => self.power_fail,
            0x518 => self.low_source,
            0x51C => self.retained[0],
            0x520 => self.retained[1],
            0x524 => self.ram_power,
            0x538 => self.calibration_interval,
            // XTALFREQ: the 16 MHz crystal.
            0x550 => 0xFF,
            0x578 => self.dcdc,
            _ => 0,
        }
    }

    fn write(&mut self, offset: u32, value: u32, _: u64) -> EventSet {
        match offset {
            0x400 => self.reset_reasons &= !value,
            0x500 => self.off_requested = value == 1,
            0x510 => self.power_fail = value & 0x1F,
            0x518 => self.low_source = value,
            0x51C => self.retained[0] = value & 0xFF,
            0x520 => self.retained[1] = value & 0xFF,
            0x524 => self.ram_power = value,
            0x538 => self.calibration_interval = value & 0x7F,
            0x578 => self.dcdc = value & 1,
            _ => {}
        }
        NONE
    }

    fn due(&self) -> u64 {
        self.high.due().min(self.low.due()).min(self.calibration_done).min(self.calibration_timer)
    }

    fn advance(&mut self, at: u64) -> EventSet {
        let mut happened = NONE;
        if self.high.due() <= at {
            self.high = Oscillator::Running;
            happened |= HF_STARTED;
        }
        if self.low.due() <= at {
            self.low = Oscillator::Running;
            happened |= LF_STARTED;
        }
        if self.calibration_done <= at {
            self.calibration_done = NEVER;
            happened |= CALIBRATED;
        }
        if self.calibration_timer <= at {
            self.calibration_timer = NEVER;
            happened |= CALIBRATION_TIMEOUT;
        }
        self.happen(happened)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reset_reasons_accumulate_until_cleared_or_power_is_lost() {
        let mut power = PowerClock::new(CoreRate::Mhz16);
        power.reset(ResetCause::Watchdog);
        power.reset(ResetCause::Software);
        assert_eq!(power.read(0x400, 0), 0b110);
        power.write(0x400, 0b010, 0);
        assert_eq!(power.read(0x400, 0), 0b100);
        power.reset(ResetCause::PowerOn);
        assert_eq!(power.read(0x400, 0), 0);
    }

    #[test]
    fn retained_registers_survive_software_but_not_the_pin() {
        let mut power = PowerClock::new(CoreRate::Mhz64);
        power.write(0x51C, 0x157, 0);
        power.reset(ResetCause::Software);
        assert_eq!(power.read(0x51C, 0), 0x57);
        power.reset(ResetCause::Pin);
        assert_eq!(power.read(0x51C, 0), 0);
    }

    #[test]
    fn oscillators_take_time_to_start() {
        let mut power = PowerClock::new(CoreRate::Mhz16);
        power.task(0x000, 0);
        assert_eq!((power.read(0x408, 0), power.read(0x40C, 0)), (1, 1 << 16));
        assert_eq!(power.due(), 6_400);
        assert_eq!(power.advance(6_400), HF_STARTED);
        assert_eq!(power.read(0x40C, 0), 1 << 16 | 1);
        power.write(0x518, 1, 0);
        power.task(0x008, 6_400);
        assert_eq!(power.due(), 6_400 + 4_000_000);
        power.advance(power.due());
        assert_eq!((power.read(0x418, 0), power.low_frequency()), (1 << 16 | 1, LowFrequencyClock::Running));
    }

    #[test]
    fn the_power_fail_comparator_has_each_parts_thresholds() {
        let threshold = |rate, value| {
            let mut power = PowerClock::new(rate);
            power.write(0x510, value, 0);
            power.power_fail_threshold().map(|voltage| voltage.get() / 1000)
        };
        assert_eq!(threshold(CoreRate::Mhz16, 0b111), Some(2_700));
        assert_eq!(threshold(CoreRate::Mhz64, 15 << 1 | 1), Some(2_800));
        assert_eq!(threshold(CoreRate::Mhz64, 4 << 1 | 1), Some(1_700));
        assert_eq!(threshold(CoreRate::Mhz64, 4 << 1), None);
    }

    #[test]
    fn ram_status_shows_the_blocks_that_the_part_has() {
        let status = |rate| PowerClock::new(rate).read(0x428, 0);
        assert_eq!([CoreRate::Mhz16, CoreRate::Mhz64].map(status), [0b11, 0b1111]);
    }
}
