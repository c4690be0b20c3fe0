//! What it takes from the start of the process to the first step of a trial: the built command, as a user calls it.
//!
//! Boundary: figures of this machine; nothing here passes or fails. Measured is a process that loads its scenarios, makes a board and
//! runs one step, up to the line with which it tells the end; so the figure is an upper bound for the way to the first step.

use std::fs;
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

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

/// Runs the command in `folder`; answers how long it took from its start to the line that tells the end of the trial. What it does
/// after that (evidence, the summary) is waited for and not counted.
fn until_first_verdict(folder: &Path, arguments: &[&str]) -> Duration {
    let began = Instant::now();
    let child = Command::new(BRICKPROOF).args(arguments).current_dir(folder).stdout(Stdio::piped()).spawn();
    let mut child = child.expect("the command has been built");
    let mut said = BufReader::new(child.stdout.take().expect("it is piped")).lines();
    let first = said.next().expect("the command says something").expect("in UTF-8");
    let took = began.elapsed();
    assert!(first.starts_with("passed"), "the first line is: {first}");
    said.for_each(drop);
    let status = child.wait().expect("the command ends");
    assert!(status.success(), "brickproof {} ended with {status}", arguments.join(" "));
    took
}

fn start(criterion: &mut Criterion) {
    let scratch = tempfile::tempdir().expect("the temporary folder is writable");
    let folder = scratch.path();
    fs::write(folder.join("one-step.yaml"), ONE_STEP).expect("the folder is writable");
    eprintln!(
        "process start to the line that tells the end of the first step: one scenario of one step, image lantern-heal-full on \
         the nRF51822 geometry, fractional cells; and the same after every file of scenarios/ was read and checked"
    );
    let one = ["run", "one-step.yaml", "--report", "report"];
    let all = ["run", "one-step.yaml", SCENARIOS, "--tag", "one-step", "--report", "report"];
    let mut group = criterion.benchmark_group("process start to first step");
    group.bench_function("one file", |bencher| {
        bencher.iter_custom(|times| (0..times).map(|_| until_first_verdict(folder, &one)).sum());
    });
    group.bench_function("every file of scenarios/", |bencher| {
        bencher.iter_custom(|times| (0..times).map(|_| until_first_verdict(folder, &all)).sum());
    });
    group.finish();
}

criterion_group! {
    name = benches;
    // All benches together take some four minutes.
    config = Criterion::default().warm_up_time(Duration::from_secs(1)).measurement_time(Duration::from_secs(3));
    targets = start
}
criterion_main!(benches);
