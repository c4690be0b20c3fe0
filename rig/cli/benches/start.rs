//! What it takes from the start of the process to the first step of a trial: the built command, as a user calls it.
//!
//! Boundary: figures of this machine; nothing here passes or fails. Measured is the whole life of a process that loads its scenarios,
//! makes a board, runs one step, writes its evidence and ends, so the figure is an upper bound for the way to the first step.

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};

use criterion::{Criterion, criterion_group, criterion_main};

const BRICKPROOF: &str = env!("CARGO_BIN_EXE_brickproof");
const SCENARIOS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../scenarios");

/// Ends with its first step.
const ONE_STEP: &str = "scenario: One step
board: lantern-nrf51
tags: [one-step]
firmware: lantern-heal-full
steps:
  - supply: { usb: 5V }
outcome: passed
";

/// Runs the command to its end, in `folder`.
fn brickproof(folder: &Path, arguments: &[&str]) {
    let status = Command::new(BRICKPROOF)
        .args(arguments)
        .current_dir(folder)
        .stdout(Stdio::null())
        .status()
        .expect("the command has been built");
    assert!(status.success(), "brickproof {} ended with {status}", arguments.join(" "));
}

fn start(criterion: &mut Criterion) {
    let scratch = tempfile::tempdir().expect("the temporary folder is writable");
    let folder = scratch.path();
    fs::write(folder.join("one-step.yaml"), ONE_STEP).expect("the folder is writable");
    eprintln!(
        "process start to the end of the first step (and of the process): one scenario of one step, image lantern-heal-full on \
         the nRF51822 geometry, fractional cells; and the same after every file of scenarios/ was read and checked"
    );
    let mut group = criterion.benchmark_group("process start to first step");
    group.bench_function("one file", |bencher| {
        bencher.iter(|| brickproof(folder, &["run", "one-step.yaml", "--report", "report"]));
    });
    group.bench_function("every file of scenarios/", |bencher| {
        bencher.iter(|| {
            brickproof(folder, &["run", "one-step.yaml", SCENARIOS, "--tag", "one-step", "--report", "report"]);
        });
    });
    group.finish();
}

criterion_group!(benches, start);
criterion_main!(benches);
