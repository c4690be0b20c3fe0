//! What a person reads while trials run and afterwards.
//!
//! Boundary: text out of results. It does not print and does not ask what kind of terminal there is: the caller says whether colour is
//! welcome.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use crate::results::{Results, TrialResult, World};

/// Whether escape sequences for colour may be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Colour {
    /// There is a terminal and nobody forbade it.
    Ansi,
    /// Plain text.
    Plain,
}

impl Colour {
    fn paint(self, verdict: &str, text: &str) -> String {
        let code = match verdict {
            "passed" => 32,
            "failed" => 31,
            _ => 33,
        };
        match self {
            Self::Ansi => format!("\x1b[{code}m{text}\x1b[0m"),
            Self::Plain => text.to_owned(),
        }
    }
}

/// The longest note on the line of a trial; the whole reason stands in the results.
const NOTE_LENGTH: usize = 90;

/// One line for one trial: verdict, id, what the trial's clock showed, and for a brick that was expected how it showed.
pub fn trial_line(trial: &TrialResult, colour: Colour) -> String {
    let word = match trial.verdict.as_str() {
        "passed" => "passed",
        // Not in capitals: it fails nothing.
        "failed" | "error" if trial.is_set_aside() => "failed",
        "failed" => "FAILED",
        "error" => "ERROR",
        _ => "undecided",
    };
    let word = colour.paint(&trial.verdict, &format!("{word:<9}"));
    let note = match &trial.blame {
        Some(blame) => format!("{blame}: {}", trial.reason),
        None => trial.reason.clone(),
    };
    let note = match &trial.quarantine {
        Some(aside) => format!("quarantined until {} ({}) {note}", aside.until, aside.reason),
        None => note,
    };
    let line = format!("{word} {:<58} {:>9}  {}", trial.id, seconds(trial.duration_ns), shortened(&note));
    line.trim_end().to_owned()
}

/// Everything about a trial that did not pass.
pub fn failure(trial: &TrialResult, world: World, colour: Colour) -> String {
    let mut text = String::new();
    let blame = trial.blame.as_deref().unwrap_or("nobody");
    let head = format!("{} {}", trial.verdict.to_uppercase(), trial.id);
    let _ = writeln!(text, "{} ({}), blame: {blame}", colour.paint(&trial.verdict, &head), world.name());
    if let Some(step) = trial.failing_step() {
        let _ = writeln!(text, "  {}:{}: step {}, {}", trial.scenario.path, step.line, step.index, step.text);
    }
    if let Some(aside) = &trial.quarantine {
        let _ = writeln!(text, "  quarantined until {}: {}", aside.until, aside.reason);
    }
    let _ = writeln!(text, "  {}", trial.reason);
    for fault in &trial.faults {
        let achieved = fault.achieved.as_ref().map_or("it did not happen".to_owned(), |it| {
            let uncertainty = match it.uncertainty_ns {
                0 => String::new(),
                nanos => format!(" (within {})", brickproof_units::Span::nanos(nanos)),
            };
            format!(
                "at {}{uncertainty} the rail fell to {} and stayed {} below brown-out",
                seconds(it.began_ns),
                brickproof_units::Voltage::new(it.lowest_uv),
                brickproof_units::Span::new(it.below_brown_out_ns),
            )
        });
        let _ = writeln!(text, "  fault {}: {achieved}", fault.kind);
    }
    for line in &trial.evidence {
        let _ = writeln!(text, "  {:>10}  {:<13} {}", seconds(line.at_ns), line.kind, line.annotated());
    }
    for line in &trial.light {
        let _ = writeln!(text, "  light: {line}");
    }
    let _ = writeln!(text, "  replay: {}", trial.replay);
    text
}

/// The last line: how many came to which end, and in which world.
pub fn summary(results: &Results, wall: std::time::Duration, colour: Colour) -> String {
    let summary = results.summary;
    let total = results.last_attempts().count();
    let mut parts = vec![format!("{} passed", summary.passed)];
    for (count, word) in [
        (summary.failed, "failed"),
        (summary.error, "in error"),
        (summary.inconclusive, "inconclusive"),
        (summary.quarantined, "quarantined"),
    ] {
        if count > 0 {
            parts.push(format!("{count} {word}"));
        }
    }
    let verdict = if summary.passed + summary.quarantined == total { "passed" } else { "failed" };
    let counts = colour.paint(verdict, &parts.join(", "));
    let board_time: u64 = results.trials.iter().map(|it| it.duration_ns).sum();
    let discarded = match summary.discarded {
        0 => String::new(),
        1 => "; 1 attempt was discarded".to_owned(),
        several => format!("; {several} attempts were discarded"),
    };
    format!(
        "{counts} of {total} trials in the {} world: {} of board time in {:.2}s{discarded}",
        results.rig.world.name(),
        seconds(board_time),
        wall.as_secs_f64()
    )
}

/// What was not asked, and the commands that ask it; `None` if everything was. Whoever reads that all passed must not take these for passed.
pub fn not_asked(results: &Results, colour: Colour) -> Option<String> {
    let boards: BTreeSet<&str> = results.not_asked.iter().map(|it| it.board.as_str()).collect();
    let boards: Vec<&str> = boards.into_iter().collect();
    let (last, others) = boards.split_last()?;
    let boards = if others.is_empty() { (*last).to_owned() } else { format!("{} or {last}", others.join(", ")) };
    let trials = match results.summary.not_asked {
        1 => "1 trial wants".to_owned(),
        several => format!("{several} trials want"),
    };
    let mut lines = vec![colour.paint("inconclusive", &format!("not asked here: {trials} a real {boards}"))];
    lines.extend(results.not_asked.iter().map(|it| format!("  {}", it.command)));
    Some(lines.join("\n"))
}

fn seconds(nanos: u64) -> String {
    brickproof_units::Instant::from_nanos(nanos).to_string()
}

fn shortened(note: &str) -> String {
    if note.chars().count() <= NOTE_LENGTH {
        return note.to_owned();
    }
    let cut: String = note.chars().take(NOTE_LENGTH - 1).collect();
    format!("{}…", cut.trim_end())
}
