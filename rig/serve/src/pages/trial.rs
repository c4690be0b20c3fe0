//! `/trials/ID`: one trial, told in words, with its files.
//!
//! Boundary: HTML out of results. Its picture is in the run's report.

use brickproof_report::evidence::trial_folder;
use brickproof_report::results::{FaultEntry, Results, StepEntry, TrialResult};
use brickproof_units::{Instant, Span, Voltage};
use maud::{Markup, html};

use crate::files;
use crate::pages::layout;
use crate::pages::run::{encoded, file_list};
use crate::runs::{REPORT, Shelf};

/// `None` if the results do not have it.
pub(crate) fn page(shelf: &Shelf, run: u64, results: &Results, id: &str) -> Option<Markup> {
    let attempts: Vec<&TrialResult> = results.trials.iter().filter(|trial| trial.id == id).collect();
    let last = attempts.last()?;
    let has_report = files::open(&shelf.folder(run), REPORT).is_some();
    let body = html! {
        main {
            p.facts { a href={ "/runs/" (run) "/files" } { "Run " (run) } (layout::world_in_words(results.rig.world)) }
            h1 { bdi { (last.scenario.title) } }
            @if has_report { p { a.big href={ "/runs/" (run) "/report.html" } { "Its picture, in the report" } } }
            @for trial in attempts.iter().rev() { (attempt(shelf, run, trial, attempts.len())) }
        }
    };
    Some(layout::page(id, &body))
}

fn attempt(shelf: &Shelf, run: u64, trial: &TrialResult, attempts: usize) -> Markup {
    let folder = trial_folder(&trial.id, trial.attempt);
    let files = files::list(&shelf.folder(run), Some(&format!("trials/{folder}")));
    html! {
        article.card {
            @if attempts > 1 { h2 { "Attempt " (trial.attempt) } }
            p.answer {
                (layout::verdict(&trial.verdict))
                @if let Some(blame) = &trial.blame { span { "blame: " b { (blame) } } }
                (layout::aside(trial))
            }
            @if !trial.reason.is_empty() { p.reason { bdi { (trial.reason) } } }
            dl.about {
                dt { "trial" } dd { code.id { (trial.id) } }
                dt { "scenario" } dd { code { (trial.scenario.path) } }
                dt { "board" } dd { (trial.board) @if let Some(serial) = &trial.board_serial { " " code { (serial) } } ", at " (trial.station) }
                dt { "firmware" } dd { (trial.firmware.name) " " code.hash title=(trial.firmware.sha256) { (trial.firmware.sha256.chars().take(12).collect::<String>()) } }
                @for (axis, value) in &trial.parameters { dt { (axis) } dd { (value.as_str().map_or_else(|| value.to_string(), str::to_owned)) } }
                dt { "lasted" } dd { (at(trial.duration_ns)) " on its clock" }
            }
            @if !trial.steps.is_empty() { h3 { "Steps" } ol.steps { @for it in &trial.steps { (step(it)) } } }
            @if !trial.faults.is_empty() { h3 { "Faults" } ul { @for it in &trial.faults { li { (fault(it)) } } } }
            @if !trial.evidence.is_empty() {
                h3 { "What was seen" }
                ol.seen { @for it in &trial.evidence { li { span.at { (at(it.at_ns)) } span.kind { (it.kind) } code dir="ltr" { bdi { (it.annotated()) } } } } }
            }
            @if !trial.light.is_empty() { h3 { "The light" } ol.seen { @for it in &trial.light { li { code { (it) } } } } }
            h3 { "Again" }
            p { code.command { (trial.replay) } }
            @if !files.is_empty() { h3 { "Files" } (file_list(run, &format!("trials/{}/", encoded(&folder)), &files)) }
        }
    }
}

fn step(step: &StepEntry) -> Markup {
    let class = match step.verdict.as_str() {
        "passed" | "failed" | "error" => step.verdict.as_str(),
        _ => "waiting",
    };
    let lasted = step.start_ns.zip(step.end_ns).map(|(start, end)| Span::nanos(end.saturating_sub(start)));
    html! {
        li.(class) {
            span { (step.text) }
            span.at {
                @match (step.start_ns, lasted) {
                    (Some(start), Some(lasted)) => {
                        "at " (at(start))
                        @if lasted != Span::ZERO { ", " (at(lasted.as_nanos())) " long" }
                    },
                    _ => "not run",
                }
            }
        }
    }
}

fn fault(fault: &FaultEntry) -> Markup {
    html! {
        b { (fault.kind.replace('_', " ")) } ": "
        @match &fault.achieved {
            Some(achieved) => {
                "at " (at(achieved.began_ns)) " the rail fell to " (Voltage::new(achieved.lowest_uv)) " and stayed "
                (Span::new(achieved.below_brown_out_ns)) " below brown-out"
            },
            None => "it did not happen",
        }
    }
}

fn at(nanos: u64) -> String {
    Instant::from_nanos(nanos).to_string()
}
