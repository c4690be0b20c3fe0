//! The nRF51822 and the nRF52840 around their cores: memory, flash controller, and the peripherals that bare firmware needs.
//!
//! Boundary: registers and time. The chip does not know its supply or what hangs on its pins; [`crate::board`] does. Modelled:
//! FICR, UICR, NVMC, POWER, CLOCK, GPIO, GPIOTE, PPI, TIMER, RTC, WDT, RNG, TEMP, UART and TWI without DMA, and of USBD the attachment and control
//! endpoint 0. The software interrupts
//! (SWI) have no registers and work through the NVIC. Everything else in the peripheral address space (RADIO, SPI, SPIS, ADC, SAADC,
//! ECB, CCM, AAR, QDEC, LPCOMP, COMP, EGU, PWM, PDM, I2S, QSPI, NFCT, MWU, MPU, ACL, CRYPTOCELL, all DMA variants) reads as
//! zero, ignores writes and does not fault.
//!
//! Of the nRF52840's NVMC two things are missing. The core stalls until an operation has ended also when it executes from RAM, where
//! silicon would go on and poll READY or READYNEXT: here it only ever sees them set, and a debugger sees them clear. ERASEPAGEPARTIAL
//! is ignored.

mod entropy;
mod identity;
mod peripheral;
mod pins;
mod power;
mod ppi;
mod resources;
mod rtc;
mod soc;
mod thermometer;
mod timer;
mod twi;
mod uart;
mod usbd;
mod watchdog;

pub use soc::Soc;
#[cfg(test)]
pub(crate) use soc::tests::{addresses, values};
pub use twi::{Acknowledge, Direction, TwoWireDevice};

use crate::chip::CoreRate;
use crate::core::CoreOptions;
use crate::flash::FlashGeometry;

/// A part.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Part {
    /// Cortex-M0 at 16 MHz, 256 KiB of flash, 16 KiB of RAM (nRF51822-QFAA): the micro:bit v1.
    Nrf51822,
    /// The nRF52840 with the ARMv6-M subset of its core at 64 MHz, 1 MiB of flash, 256 KiB of RAM.
    Nrf52840,
}

impl Part {
    /// Its flash.
    pub const fn flash(self) -> FlashGeometry {
        match self {
            Self::Nrf51822 => FlashGeometry::NRF51822,
            Self::Nrf52840 => FlashGeometry::NRF52840,
        }
    }

    /// Bytes of RAM.
    pub const fn ram_size(self) -> usize {
        match self {
            Self::Nrf51822 => 16 << 10,
            Self::Nrf52840 => 256 << 10,
        }
    }

    /// Its core clock.
    pub const fn rate(self) -> CoreRate {
        match self {
            Self::Nrf51822 => CoreRate::Mhz16,
            Self::Nrf52840 => CoreRate::Mhz64,
        }
    }

    /// What its core has.
    pub const fn core(self) -> CoreOptions {
        match self {
            Self::Nrf51822 => CoreOptions::NRF51,
            Self::Nrf52840 => CoreOptions::NRF52840,
        }
    }
}
