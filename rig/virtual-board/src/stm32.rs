//! The STM32F205 around its core: memory, flash controller, and the peripherals that bare firmware needs.
//!
//! Boundary: registers and time, as in [`crate::nrf`]. Modelled: FLASH, RCC, PWR (the voltage detector as a flag), GPIOA to GPIOD, TIM2 to
//! TIM5 (counting up and comparing), USART1, RNG, IWDG, of RTC the backup registers, of OTG_FS the attachment and control endpoint 0, the
//! unique id. All of it after RM0033 (the reference manual of STM32F205 and its like); what is recalled rather than read says so. Every
//! other peripheral reads as zero, ignores writes and does not fault; addresses that belong to nothing do. A peripheral whose clock RCC
//! does not enable reads as zero and ignores writes.
//!
//! What it is not: the core executes ARMv6-M, a subset of what a Cortex-M3 executes, so code of compilers that were told `cortex-m3` meets
//! instructions that are undefined here and faults. The core runs from the internal 16 MHz oscillator whatever RCC_CFGR asks for (SWS says
//! so), and bus prescalers are kept and not obeyed. There is no bit-banding, no DMA, no EXTI and no OTG_HS, on which a Photon has its USB
//! (recalled). Of the NVIC the interrupts 0 to 47 exist. The core stalls until a flash operation has ended also when it executes from RAM.
//! The option bytes change at once when OPTSTRT is written and cannot be torn. A reset by BOR shows the flags of one by the power supply
//! (CSR: PORRSTF, BORRSTF, PINRSTF).

mod backup;
mod flash_controller;
mod gpio;
mod iwdg;
mod otg;
mod rcc;
mod rng;
mod soc;
mod timer;
mod usart;

pub use flash_controller::Parallelism;
pub use soc::Soc;
#[cfg(test)]
pub(crate) use soc::tests::{addresses, values};

use crate::chip::CoreRate;

/// The core clock: the internal oscillator's.
pub const RATE: CoreRate = CoreRate::Mhz16;
/// Core cycles in a second.
const HERTZ: u64 = 16_000_000;
/// Bytes of RAM: 112 KiB and 16 KiB, side by side.
const RAM_SIZE: usize = 128 << 10;
/// Nothing is due.
const NEVER: u64 = u64::MAX;
