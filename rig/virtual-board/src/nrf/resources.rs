//! How many channels the peripherals of each part have, and how wide they count.
//!
//! Boundary: numbers. Where a part has less, the registers of what it lacks read as zero and ignore writes. Source: the part's
//! `nrf51422_peripherals.h` and `nrf52840_peripherals.h` in Nordic's MDK; for LATCH and DETECTMODE the register lists of the nRF51
//! reference manual v3.0 and the nRF52840 product specification v1.1, of which only the latter has them.

use crate::nrf::Part;

/// What the peripherals of one part have.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Resources {
    pub(crate) pins: PinResources,
    pub(crate) ppi: PpiResources,
    /// TIMER0 to TIMER4; those that the part does not have at all are not at their address.
    pub(crate) timers: [TimerResources; 5],
    /// Compare channels of RTC0 to RTC2.
    pub(crate) rtc_channels: [usize; 3],
}

/// GPIO and GPIOTE.
#[derive(Clone, Copy, Debug)]
pub(crate) struct PinResources {
    pub(crate) ports: usize,
    /// Channels of GPIOTE, at most eight.
    pub(crate) channels: usize,
    /// Whether its channels have the tasks SET and CLR besides OUT.
    pub(crate) set_and_clear: bool,
    /// Whether ports have LATCH and DETECTMODE.
    pub(crate) latch: bool,
}

/// PPI.
#[derive(Clone, Copy, Debug)]
pub(crate) struct PpiResources {
    /// Programmable channels; twelve fixed ones come on top.
    pub(crate) channels: usize,
    pub(crate) groups: usize,
    /// Whether a channel has a second task.
    pub(crate) forks: bool,
}

/// One TIMER.
#[derive(Clone, Copy, Debug)]
pub(crate) struct TimerResources {
    /// The widest that it counts. In a wider BITMODE it is taken to count this wide (assumption; the manual forbids it).
    pub(crate) bits: u32,
    pub(crate) channels: usize,
}

const fn timer(bits: u32, channels: usize) -> TimerResources {
    TimerResources { bits, channels }
}

impl Resources {
    const NRF51822: Self = Self {
        pins: PinResources { ports: 1, channels: 4, set_and_clear: false, latch: false },
        ppi: PpiResources { channels: 16, groups: 4, forks: false },
        timers: [timer(32, 4), timer(16, 4), timer(16, 4), timer(0, 0), timer(0, 0)],
        rtc_channels: [3, 4, 0],
    };

    const NRF52840: Self = Self {
        pins: PinResources { ports: 2, channels: 8, set_and_clear: true, latch: true },
        ppi: PpiResources { channels: 20, groups: 6, forks: true },
        timers: [timer(32, 4), timer(32, 4), timer(32, 4), timer(32, 6), timer(32, 6)],
        rtc_channels: [3, 4, 4],
    };

    pub(crate) const fn of(part: Part) -> &'static Self {
        match part {
            Part::Nrf51822 => &Self::NRF51822,
            Part::Nrf52840 => &Self::NRF52840,
        }
    }
}
