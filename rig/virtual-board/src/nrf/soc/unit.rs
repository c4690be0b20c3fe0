//! The peripherals by their numbers, those with tasks and events first of all.
//!
//! Boundary: which there are on a part, and where. What they do is in their own modules.

use crate::nrf::Part;

/// Where the first of them begins.
pub(super) const PERIPHERALS: u32 = 0x4000_0000;
/// The numbers of the two that have none.
pub(super) const PPI: u32 = 0x1F;
pub(super) const NVMC: u32 = 0x1E;

/// A peripheral with tasks and events.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub(super) enum Unit {
    PowerClock,
    Uart,
    Twi0,
    Twi1,
    Pins,
    Timer0,
    Timer1,
    Timer2,
    Timer3,
    Timer4,
    Rtc0,
    Rtc1,
    Rtc2,
    Thermometer,
    Rng,
    Watchdog,
    Usbd,
}

pub(super) const UNITS: [Unit; 17] = [
    Unit::PowerClock,
    Unit::Uart,
    Unit::Twi0,
    Unit::Twi1,
    Unit::Pins,
    Unit::Timer0,
    Unit::Timer1,
    Unit::Timer2,
    Unit::Timer3,
    Unit::Timer4,
    Unit::Rtc0,
    Unit::Rtc1,
    Unit::Rtc2,
    Unit::Thermometer,
    Unit::Rng,
    Unit::Watchdog,
    Unit::Usbd,
];

impl Unit {
    /// Its number in the address map (its base is 0x4000_0000 + 0x1000 times that), which is also its interrupt's.
    pub(super) const fn number(self) -> u32 {
        match self {
            Self::PowerClock => 0x00,
            Self::Uart => 0x02,
            Self::Twi0 => 0x03,
            Self::Twi1 => 0x04,
            Self::Pins => 0x06,
            Self::Timer0 => 0x08,
            Self::Timer1 => 0x09,
            Self::Timer2 => 0x0A,
            Self::Rtc0 => 0x0B,
            Self::Thermometer => 0x0C,
            Self::Rng => 0x0D,
            Self::Watchdog => 0x10,
            Self::Rtc1 => 0x11,
            Self::Timer3 => 0x1A,
            Self::Timer4 => 0x1B,
            Self::Rtc2 => 0x24,
            Self::Usbd => 0x27,
        }
    }

    pub(super) const fn base(self) -> u32 {
        PERIPHERALS + (self.number() << 12)
    }

    pub(super) const fn exists_on(self, part: Part) -> bool {
        !matches!(self, Self::Timer3 | Self::Timer4 | Self::Rtc2 | Self::Usbd) || matches!(part, Part::Nrf52840)
    }

    /// Its interrupt line as a mask. RTC2's is 36 and USBD's 39, beyond what an ARMv6-M NVIC has: they are polled.
    pub(super) const fn line(self) -> u32 {
        if self.number() < 32 { 1 << self.number() } else { 0 }
    }
}

/// Which peripheral answers at a number of the address map.
pub(super) fn unit_at(number: u32, part: Part) -> Option<Unit> {
    // Indexed rather than searched: firmware writes registers in its innermost loops.
    const MAP: [Option<Unit>; 64] = {
        let mut map = [None; 64];
        let mut index = 0;
        while index < UNITS.len() {
            map[UNITS[index].number() as usize] = Some(UNITS[index]);
            index += 1;
        }
        map
    };
    MAP.get(number as usize).copied().flatten().filter(|unit| unit.exists_on(part))
}
