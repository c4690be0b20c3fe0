//! The pads of a Raspberry Pi, seen in two ways: through the registers that its GPIO block shows, and by the kernel's own driver of them.
//!
//! Boundary: looking. What one driver did is compared with what the other way shows.

use std::{fs, io};

use brickproof_paced::line::Level;
use rppal::gpio::{self, Gpio, Mode};

const KERNEL: &str = "/sys/kernel/debug/gpio";
/// The label of the chip that the pads belong to.
pub const CHIP: &str = "pinctrl-bcm2835";

/// A pad at one instant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pad {
    /// It drives.
    Output(Level),
    /// It listens, and whatever pulls decides.
    Input,
}

/// A pad that no rppal driver holds, through GPFSEL and GPLEV.
///
/// # Errors
///
/// When somebody holds it through rppal, or it has another function.
pub fn by_registers(pin: u8) -> Result<Pad, crate::Mishap> {
    let pin = Gpio::new()?.get(pin)?;
    match (pin.mode(), pin.read()) {
        (Mode::Input, _) => Ok(Pad::Input),
        (Mode::Output, gpio::Level::High) => Ok(Pad::Output(Level::High)),
        (Mode::Output, gpio::Level::Low) => Ok(Pad::Output(Level::Low)),
        (other, _) => Err(format!("GPIO{} is neither input nor output but {other}", pin.pin()).into()),
    }
}

/// A pad that somebody holds, as the kernel's driver reads it from the chip.
///
/// # Errors
///
/// When nobody holds it, or debugfs is not there.
pub fn by_kernel(pin: u8) -> io::Result<Pad> {
    let table = fs::read_to_string(KERNEL)?;
    pad_in(&table, pin).ok_or_else(|| io::Error::other(format!("no held line {pin} in {table}")))
}

/// ` gpio-529 (GPIO17              |brickproof          ) out lo`: the numbers begin at the chip's first one.
fn pad_in(table: &str, pin: u8) -> Option<Pad> {
    let chip = table.split("gpiochip").find(|chip| chip.lines().next().is_some_and(|head| head.contains(CHIP)))?;
    let first: u32 = chip.split("GPIOs ").nth(1)?.split('-').next()?.parse().ok()?;
    let line = chip.lines().find(|line| line.trim_start().starts_with(&format!("gpio-{} ", first + u32::from(pin))))?;
    let mut words = line.rsplit(')').next()?.split_whitespace();
    match (words.next()?, words.next()?) {
        ("in", _) => Some(Pad::Input),
        ("out", "hi") => Some(Pad::Output(Level::High)),
        ("out", "lo") => Some(Pad::Output(Level::Low)),
        _ => None,
    }
}
