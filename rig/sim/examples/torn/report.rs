//! What was swept so far, row by row, and how long it took.
//!
//! Boundary: sums and text; nothing is swept here.

use std::num::NonZero;
use std::time::Duration;

use brickproof_sim::cuts::{self, Row, Sweep, Tally};

/// The rows of a table, and what is told below it.
pub(crate) struct Report<T> {
    threads: NonZero<usize>,
    rows: Vec<Row<T>>,
    breakdowns: String,
    digests: String,
    spent: Duration,
}

impl<T: Tally> Report<T> {
    /// Nothing was swept yet.
    pub(crate) fn new(threads: NonZero<usize>) -> Self {
        Self { threads, rows: Vec::new(), breakdowns: String::new(), digests: String::new(), spent: Duration::ZERO }
    }

    /// Adds a row, and tells at once that it is through.
    pub(crate) fn add(&mut self, label: String, sweep: &Sweep<T>, took: Duration) {
        let tally = sweep.total();
        let (trials, seconds) = (tally.trials(), took.as_secs_f64());
        eprintln!("{label}: {trials} trials in {seconds:.1} s, {:.0} per second", rate(trials, took));
        self.spent += took;
        let where_lost = cuts::breakdown(sweep);
        if !where_lost.is_empty() {
            self.breakdowns += &format!("{label}\n{where_lost}");
        }
        let hex: String = sweep.digest().iter().take(8).map(|byte| format!("{byte:02x}")).collect();
        self.digests += &format!("  {label}: {hex}\n");
        self.rows.push(Row { label, operations: sweep.operations.len(), tally });
    }

    /// All of it; `more` stands below the places where something is lost.
    pub(crate) fn text(&self, more: &str) -> String {
        let trials: u64 = self.rows.iter().map(|row| row.tally.trials()).sum();
        let Self { threads, breakdowns, digests, spent, .. } = self;
        format!(
            "{}\nwhere something is lost:\n{breakdowns}{more}\n\
             digests over the fate of every trial, whatever the number of threads:\n{digests}\n\
             {trials} trials in {:.0} s: {:.0} per second on {threads} threads\n",
            cuts::table(&self.rows),
            spent.as_secs_f64(),
            rate(trials, *spent),
        )
    }
}

/// Trials per second.
fn rate(trials: u64, took: Duration) -> f64 {
    trials as f64 / took.as_secs_f64().max(1e-9)
}
