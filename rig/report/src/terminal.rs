//! What a person reads while trials run and afterwards.
//!
//! Boundary: text out of results. It does not print and does not ask what kind of terminal there is: the caller says what it shows.

mod colour;
mod fit;

use std::collections::BTreeSet;
use std::fmt::Write as _;

use unicode_width::UnicodeWidthStr;

pub use self::colour::Colour;
pub use self::fit::fit;
use self::fit::fit_ends;
use crate::results::{Results, TrialResult, World};

/// What the text is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Look {
    /// Which colours it may have.
    pub colour: Colour,
    /// How many columns there are; `None` if nothing has to fit.
    pub width: Option<usize>,
}

/// The longest note on the line of a trial; the whole reason stands in the results.
const NOTE_LENGTH: usize = 90;
/// So much of a line of evidence is printed; a board may say 64 KiB without an end of line.
const EVIDENCE_LENGTH: usize = 400;
/// The ids of so many trials that did not pass stand at the end, so that they and the summary fit a small window.
const LISTED: usize = 16;
/// The columns of a trial's line: the verdict, the id where there is much room, and where there is less.
const VERDICT: usize = 9;
const ID: usize = 58;
const ID_IN_LESS: usize = 40;
/// What the clock showed.
const CLOCK: usize = 9;
/// In less than this many columns a note says nothing.
const SHORTEST_NOTE: usize = 12;

/// One line for one trial: verdict, id, what the trial's clock showed, and for a brick that was expected how it showed.
pub fn trial_line(trial: &TrialResult, look: Look) -> String {
    let word = look.colour.paint(&trial.verdict, &format!("{:<VERDICT$}", word(trial)));
    let note = match &trial.blame {
        Some(blame) => format!("{blame}: {}", trial.reason),
        None => trial.reason.clone(),
    };
    let note = match &trial.quarantine {
        Some(aside) => format!("quarantined until {} ({}) {note}", aside.until, aside.reason),
        None => note,
    };
    let line = format!("{word} {}", behind_verdict(&trial.id, &seconds(trial.duration_ns), &note, look.width));
    line.trim_end().to_owned()
}

fn word(trial: &TrialResult) -> &'static str {
    match trial.verdict.as_str() {
        "passed" => "passed",
        // Not in capitals: it fails nothing.
        "failed" | "error" if trial.is_set_aside() => "failed",
        "failed" => "FAILED",
        "error" => "ERROR",
        _ => "undecided",
    }
}

/// Id, clock and note, as much of them as has room behind the verdict. The id goes last, and loses its middle.
fn behind_verdict(id: &str, clock: &str, note: &str, width: Option<usize>) -> String {
    let Some(width) = width else {
        return format!("{id:<ID$} {clock:>CLOCK$}  {}", fit(note, NOTE_LENGTH));
    };
    let room = width.saturating_sub(VERDICT + 1);
    let column = if room >= ID + CLOCK + SHORTEST_NOTE + 3 { ID } else { ID_IN_LESS };
    let line = format!("{id:<column$} {clock:>CLOCK$}");
    match room.checked_sub(line.width()) {
        Some(left) if left >= SHORTEST_NOTE + 2 => format!("{line}  {}", fit(note, NOTE_LENGTH.min(left - 2))),
        Some(_) => line,
        None => fit_ends(id, room),
    }
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
    let _ = writeln!(text, "  {}", bounded(&trial.reason));
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
        let said = bounded(&line.annotated());
        let _ = writeln!(text, "  {:>10}  {:<13} {said}", seconds(line.at_ns), line.kind);
    }
    for line in &trial.light {
        let _ = writeln!(text, "  light: {}{line}", colour.dot(line));
    }
    let _ = writeln!(text, "  replay: {}", trial.replay);
    text
}

/// What did not pass, a line for each, where there are several: what was told of the first has left the screen when the last was told.
pub fn not_passed(results: &Results, colour: Colour) -> Option<String> {
    let told: Vec<&TrialResult> = results.last_attempts().filter(|it| it.verdict != "passed").collect();
    let listed = told.iter().take(LISTED);
    let mut lines: Vec<String> = listed
        .map(|it| format!("{} {}", colour.paint(&it.verdict, &format!("{:<VERDICT$}", word(it))), it.id))
        .collect();
    if told.len() > LISTED {
        lines.push(format!("… and {} more, in the order of the trials", told.len() - LISTED));
    }
    (told.len() > 1).then(|| lines.join("\n"))
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

/// `text`, or its beginning and how long it is.
fn bounded(text: &str) -> String {
    let length = text.chars().count();
    if length <= EVIDENCE_LENGTH {
        return text.to_owned();
    }
    format!("{} ({length} characters, all of them in the evidence)", fit(text, EVIDENCE_LENGTH))
}
