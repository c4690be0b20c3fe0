//! Tries the real drivers on a stock Linux kernel whose hardware is simulated: the tests that run as the only program of a small guest.
//!
//! Boundary: the far side of the kernel. It plugs simulated devices in (GPIO chips, the USB devices of `brickproof-paced`), has a driver of
//! `brickproof-instruments` do something, and compares with what the kernel or the device saw. It judges no board. Building and booting
//! the guest is the business of `run` and `run-pi` beside this folder.

pub mod adapter;
pub mod far_side;
pub mod gpio_sim;
pub mod pads;
pub mod rail;
pub mod trials;
pub mod wires;

use std::thread;
use std::time::{Duration, Instant};

/// Why a test failed.
pub type Mishap = Box<dyn std::error::Error>;

/// Asks again and again until there is an answer: for what a kernel does in its own time.
///
/// # Errors
///
/// When `limit` has passed.
pub fn eventually<T>(what: &str, limit: Duration, mut ask: impl FnMut() -> Option<T>) -> Result<T, Mishap> {
    const PAUSE: Duration = Duration::from_millis(2);
    let began = Instant::now();
    loop {
        if let Some(answer) = ask() {
            return Ok(answer);
        }
        if began.elapsed() > limit {
            return Err(format!("{what}: nothing within {limit:?}").into());
        }
        thread::sleep(PAUSE);
    }
}

/// Prints a line below the name of the test that runs: what was measured, how a failure reads.
#[expect(clippy::print_stdout, reason = "the guest's standard output is the lane's report")]
pub fn note(text: &str) {
    println!("    {text}");
}

/// Fails with what was expected and what was found.
///
/// # Errors
///
/// When they differ.
pub fn same<T: PartialEq + std::fmt::Debug>(what: &str, found: T, expected: T) -> Result<(), Mishap> {
    if found == expected { Ok(()) } else { Err(format!("{what}: {found:?}, and not {expected:?}").into()) }
}
