//! Proves simulated firmwares, good and bad, ten thousand times each, positive control and all, and shows how often the answer is wrong.
//!
//! Boundary: which firmwares, what must not happen to them, and printing. What decides is a real course; beside it stands what the design of
//! the candidate's test computes exactly.
//!
//! `cargo run --release -p brickproof-explore --example proof-characteristic [PROOFS]`

#![expect(clippy::print_stdout, reason = "it is an example: printing is its purpose")]

#[path = "../tests/common/simulated.rs"]
mod simulated;

use std::process::ExitCode;

use brickproof_explore::Course;
use brickproof_statistics::{Asked, Counts, Design};
use simulated::{Ends, Luck, Pair, beginning, proofs, share};

/// A real fault, which a baseline ought to have.
const REAL_FAULT: f64 = 0.5;

fn main() -> ExitCode {
    let count = std::env::args().nth(1).and_then(|text| text.parse().ok()).unwrap_or(10_000);
    println!("{count} proofs each; alpha = beta = 5 %; intervals: Clopper-Pearson, 95 %");
    let mut held = true;
    // The second cap of the first design leaves some proofs open.
    for (good, bad, cap) in [(0.001, 0.02, 1000), (0.001, 0.02, 200), (0.01, 0.05, 1000)] {
        let asked = Asked { good: share(good), bad: share(bad), alpha: share(0.05), beta: share(0.05), cap };
        let design = Design::new(asked).expect("a design that can be");
        let course = beginning(asked);
        println!("\np0 = {}, p1 = {}, cap {cap}: {} clean trials pass", asked.good, asked.bad, design.clean_run());
        for case in cases(good, bad) {
            held &= show(&case, &design, &course, count);
        }
    }
    println!("\nevery error that was asked: {}", if held { "held" } else { "NOT HELD" });
    if held { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// Two firmwares and what to call them.
struct Case {
    name: String,
    pair: Pair,
}

fn cases(good: f64, bad: f64) -> Vec<Case> {
    let rates = [("0", 0.0), ("p0", good), ("p1", bad), ("2 p1", 2.0 * bad)];
    let against = |(name, baseline): (&str, f64)| {
        let name = name.to_owned();
        rates.map(|(of_candidate, candidate)| Case {
            name: format!("baseline {name}, candidate {of_candidate}"),
            pair: Pair { baseline, candidate, luck: Luck::Own },
        })
    };
    let alike = [("each with its own luck", Luck::Own), ("with the same luck", Luck::Shared)];
    let alike = rates.into_iter().flat_map(|(name, rate)| {
        alike.map(|(how, luck)| Case {
            name: format!("both {name}, {how}"),
            pair: Pair { baseline: rate, candidate: rate, luck },
        })
    });
    [("50 %", REAL_FAULT), ("p1", bad)].into_iter().flat_map(against).chain(alike).collect()
}

/// Proves, prints, and answers whether every error that was asked holds.
fn show(case: &Case, design: &Design, course: &Course, count: u64) -> bool {
    let ends = proofs(course, case.pair, count);
    let average = |trials: u64| trials as f64 / count as f64;
    println!(
        "  {}: {:.1} trials of the baseline and {:.1} of the candidate on average",
        case.name,
        average(ends.baseline_trials),
        average(ends.candidate_trials)
    );
    for (said, part) in &ends.said {
        let counts = Counts::new(*part, count).expect("a part of the whole");
        println!("    {:>7} ({}) {said}", counts.estimate().unwrap_or_default().to_string(), ends.interval(*part));
    }
    let errors = errors(case.pair, design, &ends);
    errors.iter().for_each(|error| println!("    {}", error.text));
    errors.iter().all(|error| error.held)
}

/// One error rate that was asked.
struct Error {
    text: String,
    held: bool,
}

/// What must not happen with such firmwares more often than was asked: exactly, where that is known, and not refuted by the simulation.
fn errors(pair: Pair, design: &Design, ends: &Ends) -> Vec<Error> {
    let Asked { good, bad, alpha, beta, .. } = design.asked();
    let exact = design.characteristic(share(pair.candidate));
    let judged = |what: &str, asked, part, exact: Option<_>| {
        let held = ends.allows(part, asked) && exact.is_none_or(|exact| exact <= asked);
        let exactly = exact.map_or(String::new(), |exact| format!(", exactly {exact}"));
        Error { text: format!("{what}: {asked} asked{exactly}: {}", if held { "held" } else { "NOT HELD" }), held }
    };
    let mut errors = Vec::new();
    if share(pair.candidate) <= good {
        errors.push(judged("alpha, a good candidate is NOT FIXED", alpha, ends.not_fixed, Some(exact.not_fixed)));
    }
    if share(pair.candidate) >= bad {
        errors.push(judged("beta, a bad candidate is FIXED", beta, ends.fixed, Some(exact.fixed)));
    }
    if share(pair.baseline) <= bad {
        errors.push(judged("alpha, FIXED where the baseline is not worse than p1", alpha, ends.fixed, None));
    }
    errors
}
