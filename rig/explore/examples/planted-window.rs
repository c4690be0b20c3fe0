//! Finds the one word of a key update in which a firmware must not lose its power, and shows what that costs beside a plain grid.
//!
//! Boundary: which campaigns, the clock on the wall and printing. The firmware is `lantern-heal-hasty`, which nobody told the campaigns anything about.
//!
//! `cargo run -p brickproof-explore --example planted-window [SEEDS]`

#![expect(clippy::print_stdout, reason = "it is an example: printing is its purpose")]

#[path = "../tests/common/planted.rs"]
mod planted;

use std::collections::BTreeMap;
use std::time::Instant as Clock;

use brickproof_explore::{Aimed, Course};
use brickproof_statistics::{Probability, WindowEdge, success_run};
use brickproof_units::{Instant, Span};
use brickproof_virtual_board::flash::FlashOperation;
use planted::{CONFIDENCE, PLANTED, Planted, RANGE, RESOLUTION, WEAKEST, WORD};

/// Inside an operation, for the sweep of all of them.
const FRACTIONS: u32 = 8;
/// And of the planted word alone, a place for each microsecond of it.
const PLACES: u32 = 45;
const EACH: u32 = 40;
/// The edges are soft: so often a trial there fails.
const EDGE: f64 = 0.5;

fn main() {
    let seeds = std::env::args().nth(1).and_then(|text| text.parse().ok()).unwrap_or(20);
    let planted = Planted::read();
    every_operation(&planted);
    inside(&planted);
    searches(&planted, seeds);
    grids();
}

/// Strikes every operation of the update.
fn every_operation(planted: &Planted) {
    let (aimed, began) = (planted.aimed(0, FRACTIONS), Clock::now());
    let mut sweep = planted::sweep(&aimed, 1, 0);
    planted::conduct(&mut sweep, &planted.laboratory(0), |_| false);
    let mut failures: BTreeMap<usize, (FlashOperation, u32)> = BTreeMap::new();
    for Aimed { index, operation, .. } in planted::failed(&sweep, &aimed) {
        failures.entry(*index).or_insert((*operation, 0)).1 += 1;
    }
    let operations = aimed.last().map_or(0, |it| it.index + 1);
    println!("every operation of the update struck at {} places: {} trials", FRACTIONS + 2, aimed.len());
    for (index, (operation, count)) in failures {
        let which = if operation == PLANTED { "the planted one" } else { "NOT PLANTED" };
        println!("  operation {index} of {operations}, {operation:x?}, {which}: {count} of {} failed", FRACTIONS + 2);
    }
    println!("  {:.1} s\n", began.elapsed().as_secs_f64());
}

/// How often a trial inside of the planted word fails.
fn inside(planted: &Planted) {
    let aimed: Vec<Aimed> = planted.aimed(0, PLACES).into_iter().filter(|it| it.operation == PLANTED).collect();
    let mut sweep = planted::sweep(&aimed, EACH, 0);
    planted::conduct(&mut sweep, &planted.laboratory(0), |_| false);
    println!("inside the planted word: {} of {} failed", sweep.progress().counts.failures(), sweep.progress().done);
    println!(
        "  each bit that was to change has, with the share of the time; the word was whole or untouched in the rest"
    );
    for part in [0, 1, 2, 5, 23, 41, 44, 45, 46] {
        let at = aimed[part].after;
        let failed = planted::failed(&sweep, &aimed).filter(|it| it.after == at).count();
        println!("  {:>8} after it begins: {failed:>2} of {EACH}", (at - aimed[0].after).to_string());
    }
    println!();
}

/// What one search took and found.
struct Found {
    /// Trials until the first failure, until both edges were known, and until no other window could be missed.
    trials: [u64; 3],
    windows: usize,
    /// Nanoseconds between an edge that was found and the planted one.
    errors: Vec<u64>,
}

fn search(planted: &Planted, seed: u64) -> Found {
    let laboratory = planted.laboratory(seed);
    let mut course = planted::find_window(seed);
    let mut trials_until = |is_enough: &dyn Fn(&Course) -> bool| {
        planted::conduct(&mut course, &laboratory, is_enough);
        course.progress().done
    };
    let trials = [
        trials_until(&|course| course.progress().counts.failures() > 0),
        trials_until(&|course| !course.windows().is_empty()),
        trials_until(&|_| false),
    ];
    let edges = edges_of(planted, seed);
    let errors = course.windows().into_iter().flat_map(|it| [it.opens, it.closes]).zip(edges.into_iter().cycle());
    Found {
        trials,
        windows: course.windows().len(),
        errors: errors.map(|(found, planted)| distance(found, planted)).collect(),
    }
}

/// Where the planted word begins and ends, for the past that this seed gives the board.
fn edges_of(planted: &Planted, seed: u64) -> [Instant; 2] {
    let aimed = planted.aimed(seed, 1);
    let struck = aimed.iter().filter(|it| it.operation == PLANTED).map(|it| Instant::START + it.after);
    [struck.clone().min(), struck.max()].map(|at| at.unwrap_or(Instant::NEVER))
}

fn distance(edge: WindowEdge, planted: Instant) -> u64 {
    match edge {
        WindowEdge::Resolved { at, .. } => at.max(planted).since(at.min(planted)).as_nanos(),
        WindowEdge::NotResolved { .. } | WindowEdge::AtTheEnd { .. } => u64::MAX,
    }
}

fn searches(planted: &Planted, seeds: u64) {
    let began = Clock::now();
    let found: Vec<Found> = (0..seeds).map(|seed| search(planted, seed)).collect();
    println!("find-window over {RANGE}, narrowest {WORD}, resolution {RESOLUTION}, {seeds} campaigns");
    println!("  {:<44} {:>8} {:>8} {:>8}", "trials", "mean", "p95", "most");
    let rows = ["until the first failure", "until both edges are known", "until no second window can be missed"];
    for (index, name) in rows.into_iter().enumerate() {
        row(name, found.iter().map(|it| it.trials[index]).collect());
    }
    row("for the edges alone", found.iter().map(|it| it.trials[1] - it.trials[0]).collect());
    let errors: Vec<u64> = found.iter().flat_map(|it| it.errors.iter().copied()).collect();
    let unresolved = errors.iter().filter(|error| **error == u64::MAX).count();
    row("error of an edge in ns", errors.into_iter().filter(|error| *error != u64::MAX).collect());
    let alone = found.iter().filter(|it| it.windows == 1).count();
    println!("  exactly one window in {alone} of {seeds}; {unresolved} edges not resolved; {:.0} s\n", seconds(began));
}

fn seconds(since: Clock) -> f64 {
    since.elapsed().as_secs_f64()
}

fn row(name: &str, mut values: Vec<u64>) {
    values.sort_unstable();
    let (count, most) = (values.len().max(1), values.last().copied().unwrap_or(0));
    let mean = values.iter().sum::<u64>() as f64 / count as f64;
    let p95 = values.get((count * 95).div_ceil(100) - 1).copied().unwrap_or(0);
    println!("  {name:<44} {mean:>8.0} {p95:>8} {most:>8}");
}

/// What a grid takes, which is laid out before anything is known.
fn grids() {
    let share = |value| Probability::new(value).unwrap_or(Probability::ZERO);
    let repeats = success_run(share(WEAKEST), share(CONFIDENCE)).unwrap_or(1);
    let edge = success_run(share(EDGE), share(CONFIDENCE)).unwrap_or(1);
    let points = |step: Span| RANGE.as_nanos().div_ceil(step.as_nanos());
    println!("a plain grid over {RANGE}");
    println!("  a point in every {WORD}, once (meets it, knows no edge):    {:>8}", points(WORD));
    println!("  the same, {repeats} times (as surely as find-window):         {:>8}", points(WORD) * repeats);
    println!("  a point in every {RESOLUTION}, once:                         {:>8}", points(RESOLUTION));
    println!("  the same, {edge} times (edges as surely as find-window): {:>8}", points(RESOLUTION) * edge);
}
