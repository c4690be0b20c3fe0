//! The page of a run: its answer, its matrices, its trials.
//!
//! Boundary: from results, and from timelines as somebody hands them over, to HTML.

use std::collections::BTreeMap;
use std::time::Duration;

use brickproof_units::{Instant, in_words};
use maud::{Markup, html};
use serde::Serialize;
use serde_json::Value;

use super::frame::{Block, foot, page, world};
use super::grid::grids;
use super::packed::packed;
use super::picture::{Picture, shortened};
use crate::evidence::trial_folder;
use crate::matrix::of_scenarios;
use crate::results::{Results, TrialResult};

/// So much of a page is given to pictures, in bytes: with everything else it stays below 20 MB.
const ROOM_FOR_PICTURES: usize = 10_000_000;
/// ... and so much to what is told of trials without a picture.
const ROOM_FOR_WORDS: usize = 4_000_000;
/// So many trials can be read without scripts, ...
const ROWS_WITHOUT_SCRIPTS: usize = 200;
/// ... and of so many failures what supports them.
const FAILURES_WITHOUT_SCRIPTS: usize = 20;

/// The page of a run. `timeline` gives the lines of a trial's `timeline.jsonl`, where they are kept; those of failures are asked for first, and
/// none once the page has no room left.
pub fn html(results: &Results, timeline: impl FnMut(&TrialResult) -> Option<String>) -> String {
    render(results, "trials", timeline)
}

/// The page of one trial of a run, with its attempts, as it stands in the trial's own folder. `None` if there is no trial of that id.
pub fn html_of_one(
    results: &Results,
    id: &str,
    timeline: impl FnMut(&TrialResult) -> Option<String>,
) -> Option<String> {
    let trials: Vec<&TrialResult> = results.trials.iter().filter(|trial| trial.id == id).collect();
    (!trials.is_empty()).then(|| {
        let alone = Results::new(results.rig.world, trials.into_iter().cloned().collect());
        render(&alone, "..", timeline)
    })
}

/// What went wrong before what did not; otherwise as it ran.
fn worst_first(results: &Results) -> Vec<&TrialResult> {
    let mut trials: Vec<&TrialResult> = results.trials.iter().collect();
    trials.sort_by_key(|trial| rank(trial));
    trials
}

fn rank(trial: &TrialResult) -> u8 {
    match trial.verdict.as_str() {
        "failed" => 0,
        "error" => 1,
        "passed" => 3,
        _ => 2,
    }
}

/// `folders` is where the trials' folders are, as seen from the page.
fn render(results: &Results, folders: &str, mut timeline: impl FnMut(&TrialResult) -> Option<String>) -> String {
    let trials = worst_first(results);
    let mut blocks = vec![Block { name: "table".to_owned(), packed: String::new() }];
    let (mut pictures, mut words) = (ROOM_FOR_PICTURES, ROOM_FOR_WORDS);
    let mut shown = Vec::with_capacity(trials.len());
    for (place, trial) in trials.iter().enumerate() {
        let name = format!("trial-{place}");
        let drawn = (pictures > 0).then(|| draw(trial, &mut timeline)).filter(|drawn| drawn.len() <= pictures);
        shown.push(match drawn {
            Some(drawn) => {
                pictures -= drawn.len();
                blocks.push(Block { name, packed: drawn });
                Shown::All
            }
            None => {
                // One that is too large leaves room for no smaller one behind it: which are missing must not look like chance.
                pictures = 0;
                let told = packed(&Told { trial, picture: None, trouble: None });
                if told.len() <= words {
                    words -= told.len();
                    blocks.push(Block { name, packed: told });
                    Shown::Words
                } else {
                    words = 0;
                    Shown::Row
                }
            }
        });
    }
    blocks[0].packed = packed(&Table::of(results, folders, &trials, &shown));
    let answer = answer(results);
    let mut matrices = of_scenarios(results);
    // A matrix of one cell shows nothing that its trial does not.
    matrices.retain(|matrix| matrix.tables.iter().any(|(_, table)| table.columns.len() * table.rows.len() > 1));
    let body = html! {
        (head(results, &answer))
        (grids(&matrices))
        section.trials aria-label="Trials" {
            h2 { "Trials" }
            div #filters {}
            div #list {}
            div #static { (without_scripts(&trials)) }
        }
        (foot(&results.rig.version))
    };
    page(&format!("{answer} · Brickproof"), &body, &blocks)
}

/// How much of a trial a page has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Shown {
    Row,
    Words,
    All,
}

/// What is packed of one trial.
#[derive(Serialize)]
struct Told<'a> {
    trial: &'a TrialResult,
    picture: Option<Picture>,
    /// Why there is no picture.
    trouble: Option<String>,
}

fn draw(trial: &TrialResult, timeline: &mut impl FnMut(&TrialResult) -> Option<String>) -> String {
    let (picture, trouble) = match timeline(trial).map(|text| Picture::of(&text)) {
        Some(Ok(picture)) => (Some(picture), None),
        Some(Err(error)) => (None, Some(error.to_string())),
        None => (None, Some("its timeline is not kept".to_owned())),
    };
    packed(&Told { trial, picture, trouble })
}

/// What the script makes its list of.
#[derive(Serialize)]
struct Table<'a> {
    kind: &'static str,
    world: &'a str,
    axes: Vec<&'a str>,
    rows: Vec<Row<'a>>,
}

/// A trial in the list; short names, since there may be very many.
#[derive(Serialize)]
struct Row<'a> {
    /// Its id.
    i: &'a str,
    /// Its scenario's file.
    s: &'a str,
    /// Its scenario's title.
    t: &'a str,
    /// What it came to.
    v: &'a str,
    /// Who is to blame.
    b: Option<&'a str>,
    /// Why.
    r: String,
    /// How long it lasted, in nanoseconds.
    d: u64,
    /// The values on the axes; null where it has none.
    p: Vec<Option<&'a str>>,
    /// Its firmware.
    f: &'a str,
    /// Which attempt.
    a: u32,
    /// Whether it bricked as expected.
    x: bool,
    /// Whether a person set it aside, so that it counts for nothing.
    q: bool,
    /// How much the page has of it: 0 this row, 1 words, 2 a picture too.
    h: u8,
    /// The command that runs it again.
    c: &'a str,
    /// The folder of its files.
    o: String,
}

impl<'a> Table<'a> {
    fn of(results: &'a Results, folders: &str, trials: &[&'a TrialResult], shown: &[Shown]) -> Self {
        let mut axes: Vec<&str> = Vec::new();
        for trial in trials {
            for axis in trial.parameters.keys() {
                if !axes.contains(&axis.as_str()) {
                    axes.push(axis);
                }
            }
        }
        let rows = trials.iter().zip(shown).map(|(trial, shown)| Row {
            i: &trial.id,
            s: &trial.scenario.path,
            t: &trial.scenario.title,
            v: &trial.verdict,
            b: trial.blame.as_deref(),
            r: shortened(&trial.reason),
            d: trial.duration_ns,
            p: axes.iter().map(|axis| trial.parameters.get(*axis).and_then(Value::as_str)).collect(),
            f: &trial.firmware.name,
            a: trial.attempt,
            x: trial.verdict == "passed" && trial.expected == "bricked",
            q: trial.is_set_aside(),
            h: *shown as u8,
            c: &trial.replay,
            o: format!("{folders}/{}", trial_folder(&trial.id, trial.attempt)),
        });
        let rows = rows.collect();
        Self { kind: "run", world: results.rig.world.name(), axes, rows }
    }
}

/// What a run came to, in a sentence.
fn answer(results: &Results) -> String {
    let summary = results.summary;
    let total = results.last_attempts().count();
    let of = |count: usize, what: &str| match (count, total) {
        (_, 1) => format!("The trial {what}"),
        (count, total) if count == total => format!("All {total} trials {what}"),
        _ => format!("{count} of {total} trials {what}"),
    };
    if total == 0 {
        "No trial was made".to_owned()
    } else if summary.failed > 0 {
        of(summary.failed, "failed")
    } else if summary.error > 0 {
        of(summary.error, "could not be carried out")
    } else if summary.inconclusive > 0 {
        of(summary.inconclusive, if total == 1 { "is undecided" } else { "are undecided" })
    } else if summary.passed > 0 || summary.quarantined == 0 {
        of(summary.passed, "passed")
    } else {
        of(summary.quarantined, if total == 1 { "is set aside" } else { "are set aside" })
    }
}

fn head(results: &Results, answer: &str) -> Markup {
    let summary = results.summary;
    let class = match (summary.failed, summary.error + summary.inconclusive, summary.passed) {
        (0, 0, 0) => "undecided",
        (0, 0, _) => "passed",
        (0, ..) => "error",
        _ => "failed",
    };
    let counts = [
        ("failed", summary.failed, "failed"),
        ("error", summary.error, "could not be carried out"),
        ("undecided", summary.inconclusive, "undecided"),
        ("undecided", summary.quarantined, "set aside"),
        ("passed", summary.passed, "passed"),
    ];
    let board_time: u64 = results.trials.iter().map(|it| it.duration_ns).sum();
    let bricked = results.last_attempts().filter(|it| it.verdict == "passed" && it.expected == "bricked").count();
    html! {
        header class=(format!("answer {class}")) {
            (world(results.rig.world.name()))
            h1 { (answer) }
            // One trial is its own picture.
            @if results.last_attempts().nth(1).is_some() { (bar(&counts)) }
            ul.facts {
                @let blamed = blamed(results);
                @if !blamed.is_empty() { li { "to blame: " (blamed) } }
                @if bricked > 0 { li { (bricked) " of those that passed bricked, as their scenarios expect" } }
                @if summary.quarantined > 0 { li { (summary.quarantined) " set aside by a person: whatever they came to counts for nothing" } }
                @if summary.discarded > 0 { li { (summary.discarded) " attempts were discarded: their fault struck outside its tolerance" } }
                li { (lasted(board_time)) " of board time" }
                @for wanted in &results.not_asked {
                    li { (wanted.trials) " trials were not asked: they want a real " (wanted.board) "; " code { (wanted.command) } }
                }
            }
        }
    }
}

/// As the list of trials says it.
fn lasted(nanos: u64) -> String {
    match Duration::from_nanos(nanos) {
        short if short < Duration::from_secs(60) => Instant::from_nanos(nanos).to_string(),
        long => in_words(long),
    }
}

fn bar(counts: &[(&str, usize, &str)]) -> Markup {
    let some = || counts.iter().filter(|(_, count, _)| *count > 0);
    html! {
        div.bar role="img" aria-label=(told(counts)) {
            @for (class, count, _) in some() { span class=(class) style=(format!("flex-grow:{count}")) {} }
        }
        p.counts {
            @for (class, count, word) in some() {
                span.count { i class=(format!("mark {class}")) aria-hidden="true" {} b { (count) } " " (word) } " "
            }
        }
    }
}

fn told(counts: &[(&str, usize, &str)]) -> String {
    let some = counts.iter().filter(|(_, count, _)| *count > 0);
    some.map(|(_, count, word)| format!("{count} {word}")).collect::<Vec<_>>().join(", ")
}

/// Who, and how often.
fn blamed(results: &Results) -> String {
    let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
    let is_blamed = |it: &&TrialResult| it.verdict != "passed" && !it.is_set_aside();
    for blame in results.last_attempts().filter(is_blamed).filter_map(|it| it.blame.as_deref()) {
        *counts.entry(blame).or_default() += 1;
    }
    let mut counts: Vec<(&str, usize)> = counts.into_iter().collect();
    counts.sort_by_key(|(_, count)| std::cmp::Reverse(*count));
    let one = |(blame, count): &(&str, usize)| match count {
        1 => format!("the {blame}"),
        count => format!("the {blame} {count} times"),
    };
    counts.iter().map(one).collect::<Vec<_>>().join(", ")
}

/// What can be read where no script runs; the script puts its own list in its place.
fn without_scripts(trials: &[&TrialResult]) -> Markup {
    let failures = trials.iter().filter(|it| it.verdict != "passed").take(FAILURES_WITHOUT_SCRIPTS);
    html! {
        @for trial in failures { (failure(trial)) }
        table.plain {
            thead { tr { th { "verdict" } th { "trial" } th { "board time" } th { "why" } } }
            tbody {
                @for trial in trials.iter().take(ROWS_WITHOUT_SCRIPTS) {
                    tr {
                        td { (trial.verdict) }
                        td { code { (trial.id) } }
                        td { (Instant::from_nanos(trial.duration_ns).to_string()) }
                        td { (shortened(&trial.reason)) }
                    }
                }
            }
        }
        @if trials.len() > ROWS_WITHOUT_SCRIPTS {
            p { (trials.len() - ROWS_WITHOUT_SCRIPTS) " more trials are in results.json, and here where scripts may run." }
        }
    }
}

fn failure(trial: &TrialResult) -> Markup {
    html! {
        article.failure {
            h3 { (trial.verdict) ": " (trial.id) @if let Some(blame) = &trial.blame { " (blame: " (blame) ")" } }
            p { (shortened(&trial.reason)) }
            @if let Some(aside) = trial.quarantine.as_ref().filter(|_| trial.is_set_aside()) {
                p { "set aside until " (aside.until) ": " (aside.reason) }
            }
            @if let Some(step) = trial.failing_step() {
                p { (trial.scenario.path) ":" (step.line) ": step " (step.index) ", " (step.text) }
            }
            ul {
                @for line in &trial.evidence {
                    li { (Instant::from_nanos(line.at_ns).to_string()) " " (line.kind) ": " (shortened(&line.annotated())) }
                }
                @for line in &trial.light { li { "light: " (line) } }
            }
            p { "run it again: " code { (trial.replay) } }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_times_are_told_in_minutes_and_hours() {
        let told = [999_000_000, 59_999_000_000, 69_606_000_000, 4_104_200_000_000].map(lasted);
        assert_eq!(told, ["0.999s", "59.999s", "1 min 10 s", "1 h 8 min"]);
    }
}
