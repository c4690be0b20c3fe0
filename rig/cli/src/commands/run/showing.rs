//! What is printed of trials: as they end, and once all have.
//!
//! Boundary: order and form for whoever asked. The words are the report's.

use std::path::Path;
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::time::Duration;

use brickproof_report::matrix::matrices;
use brickproof_report::results::{Finished, Results, TrialResult};
use brickproof_report::terminal;

use crate::arguments::{Format, Output};
use crate::jobs::Written;
use crate::live::Teller;
use crate::output::{self, Progress};

/// While no trial ends, the clock goes on at least.
const TOLD_EVERY: Duration = Duration::from_millis(500);

/// What is printed of the trials.
#[derive(Clone, Copy)]
pub(super) enum Showing {
    /// A line for each.
    Lines,
    /// An object for each.
    Json,
    /// Nothing for each, and tables of all of them.
    Matrices,
}

impl Showing {
    pub(super) fn of(wanted: &Output) -> Self {
        match (wanted.format, wanted.matrix) {
            (Format::Json, _) => Self::Json,
            (Format::Human, false) => Self::Lines,
            (Format::Human, true) => Self::Matrices,
        }
    }
}

fn print_trial(trial: &TrialResult, showing: Showing) {
    match showing {
        Showing::Lines => output::line(&terminal::trial_line(trial, output::look())),
        Showing::Json => output::json(trial),
        Showing::Matrices => {}
    }
}

/// The last line for a program.
pub(super) fn summary(results: &Results, kept: Option<&Path>) -> serde_json::Value {
    let mut last = serde_json::json!({ "summary": results.summary, "evidence": kept });
    if !results.not_asked.is_empty() {
        last["not_asked"] = serde_json::json!(results.not_asked);
    }
    last
}

pub(super) fn report(results: &Results, wall: Duration, showing: Showing) {
    match showing {
        // A program gets its summary last, with the folder that has everything.
        Showing::Json => {}
        Showing::Lines | Showing::Matrices => {
            let colour = output::colour();
            if let (Showing::Matrices, Some(tables)) = (showing, matrices(results)) {
                output::line(tables.trim_end());
            }
            for trial in results.last_attempts().filter(|it| it.verdict != "passed") {
                output::line("");
                output::line(terminal::failure(trial, results.rig.world, colour).trim_end());
            }
            output::line("");
            if let Some(told) = terminal::not_passed(results, colour) {
                output::line(&format!("{told}\n"));
            }
            output::line(&terminal::summary(results, wall, colour));
            if let Some(not_asked) = terminal::not_asked(results, colour) {
                output::line(&not_asked);
            }
        }
    }
}

/// Prints trials as they end, in the order of the jobs, and gathers them in that order.
pub(super) fn print_all(
    jobs: usize,
    receiver: Receiver<Written>,
    showing: Showing,
    live: &Teller,
) -> Vec<(Finished, TrialResult)> {
    let mut progress = Progress::new();
    let mut ended: Vec<Option<Vec<(Finished, TrialResult)>>> = (0..jobs).map(|_| None).collect();
    let (mut done, mut not_passed, mut shown) = (0, 0, 0);
    let print = |(_, result): &(Finished, TrialResult)| print_trial(result, showing);
    loop {
        match receiver.recv_timeout(TOLD_EVERY) {
            Ok(Written { position, attempts }) => {
                let last = attempts.last().map(|(_, result)| result);
                last.into_iter().for_each(|last| live.ended(last));
                done += 1;
                not_passed += usize::from(last.is_none_or(|last| last.verdict != "passed"));
                ended[position] = Some(attempts);
                progress.clear();
                while let Some(Some(ready)) = ended.get(shown) {
                    ready.iter().for_each(print);
                    shown += 1;
                }
            }
            Err(RecvTimeoutError::Timeout) => {}
            Err(RecvTimeoutError::Disconnected) => break,
        }
        if done < jobs {
            let bad = if not_passed > 0 { format!(", {not_passed} not passed") } else { String::new() };
            progress.show(&format!("{done} of {jobs} trials{bad}, {}", progress.elapsed()));
        }
    }
    progress.clear();
    // An interruption leaves gaps; what came after a gap has not been shown yet.
    ended.iter().skip(shown).flatten().flatten().for_each(print);
    ended.into_iter().flatten().flatten().collect()
}
