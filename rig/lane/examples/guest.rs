//! The guest's only program: runs the lane's tests, one after the other, as the harness of `cargo test` would.
//!
//! An example and no binary, so that `cargo run` at the top has one command to run.
//!
//! Boundary: the list and the exit status.

use std::process::ExitCode;

use libtest_mimic::Arguments;

fn main() -> ExitCode {
    let mut arguments = Arguments::from_args();
    // They share the kernel's devices.
    arguments.test_threads = Some(1);
    libtest_mimic::run(&arguments, brickproof_lane::trials::all()).exit_code()
}
