//! The only program of the second guest, a Raspberry Pi: runs the tests of its pins, one after the other.
//!
//! An example and no binary, so that `cargo run` at the top has one command to run.
//!
//! Boundary: the list and the exit status.

use std::process::ExitCode;

use libtest_mimic::Arguments;

fn main() -> ExitCode {
    let mut arguments = Arguments::from_args();
    // They share the pins.
    arguments.test_threads = Some(1);
    libtest_mimic::run(&arguments, brickproof_lane::trials::of_a_pi()).exit_code()
}
