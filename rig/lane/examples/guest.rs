//! The guest's program: runs the lane's tests, one after the other, as the harness of `cargo test` would; or, as `relay DEVICE ...`, plugs
//! these devices of the far side into the guest's kernel and keeps them there, for another program.
//!
//! An example and no binary, so that `cargo run` at the top has one command to run.
//!
//! Boundary: the list and the exit status.

use std::process::ExitCode;

use brickproof_lane::far_side;
use libtest_mimic::Arguments;

#[expect(clippy::print_stderr, reason = "it tells whoever started it")]
fn main() -> ExitCode {
    let words: Vec<String> = std::env::args().skip(1).collect();
    if let Some(("relay", names)) = words.split_first().map(|(first, names)| (first.as_str(), names)) {
        return match far_side::carry(names) {
            Ok(()) => ExitCode::SUCCESS,
            Err(error) => {
                eprintln!("relay: {error}");
                ExitCode::FAILURE
            }
        };
    }
    let mut arguments = Arguments::from_args();
    // They share the kernel's devices.
    arguments.test_threads = Some(1);
    libtest_mimic::run(&arguments, brickproof_lane::trials::all()).exit_code()
}
