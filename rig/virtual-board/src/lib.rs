//! A board that exists only in memory and still bricks: it executes real ARMv6-M machine code, its flash can be cut inside an
//! operation, its supply sags and collapses, its LED is pins that firmware toggles.
//!
//! Boundary: no operating system, no clock, no randomness but the seed. Time is an argument; what the board emits (console bytes,
//! pin edges, supply readings) is taken from it, stamped. The same image, seed and inputs give the same bytes on every machine.

pub mod board;
pub mod bus;
pub mod chip;
pub mod core;
pub mod debug;
pub mod flash;
pub mod led;
pub mod nrf;
pub mod sensor;
pub mod stm32;
pub mod supply;
pub mod usb;
pub mod wiring;

mod seed;
