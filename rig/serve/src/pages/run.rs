//! `/runs/N/files`: what a run came to, trial by trial, and the files that it left.
//!
//! Boundary: HTML out of results.

use brickproof_report::results::{Results, TrialResult};
use brickproof_units::Instant;
use maud::{Markup, html};

use crate::clock;
use crate::files;
use crate::pages::layout::{self, Counts, counted};
use crate::runs::{Run, Shelf};

/// Of so many trials there is a line; the report shows them all.
const LISTED: usize = 500;

pub(crate) fn page(shelf: &Shelf, run: &Run, results: &Results) -> Markup {
    let counts = Counts::of(&results.summary);
    // What did not pass first: that is what people come for.
    let (passed, not): (Vec<&TrialResult>, Vec<&TrialResult>) =
        results.trials.iter().partition(|trial| trial.verdict == "passed");
    let trials: Vec<&TrialResult> = not.into_iter().chain(passed).collect();
    let body = html! {
        main {
            h1 { "Run " (run.number) }
            p.facts {
                (layout::world_in_words(results.rig.world))
                (counts.chips())
                span title=(clock::date(run.ended_unix_ms)) { (clock::ago(clock::since(run.ended_unix_ms))) }
            }
            @if run.has_report { p { a.big href={ "/runs/" (run.number) "/report.html" } { "The report" } } }
            section aria-label="Files" {
                h2 { "Files" }
                (file_list(run.number, "", &files::list(&shelf.folder(run.number), None)))
            }
            section aria-label="Trials" {
                h2 { (counted(trials.len() as u64, "trial")) }
                ol.trials { @for trial in trials.iter().take(LISTED) { (line(trial)) } }
                @if trials.len() > LISTED { p.hint { "The report shows the other " (trials.len() - LISTED) "." } }
            }
        }
    };
    layout::page(&format!("Run {}", run.number), &body)
}

/// Files to be saved, each with its size.
pub(crate) fn file_list(run: u64, folder: &str, files: &[(String, u64)]) -> Markup {
    html! {
        ul.files {
            @for (name, length) in files {
                li {
                    a href={ "/runs/" (run) "/files/" (folder) (encoded(name)) } download { (name) }
                    span.size { (size(*length)) }
                }
            }
        }
    }
}

/// `name` as a part of an address.
pub(crate) fn encoded(name: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.~".contains(&byte);
    name.bytes().map(|byte| if plain(byte) { char::from(byte).to_string() } else { format!("%{byte:02X}") }).collect()
}

fn size(bytes: u64) -> String {
    match bytes {
        0..1_000 => format!("{bytes} B"),
        1_000..1_000_000 => format!("{}.{} kB", bytes / 1_000, bytes / 100 % 10),
        _ => format!("{}.{} MB", bytes / 1_000_000, bytes / 100_000 % 10),
    }
}

fn line(trial: &TrialResult) -> Markup {
    html! {
        li {
            (layout::verdict(&trial.verdict))
            div {
                p { a href={ "/trials/" (encoded(&trial.id)) } { bdi { (trial.scenario.title) } } }
                p.facts {
                    code.id { (trial.id) }
                    span { "at " (trial.station) }
                    span { (Instant::from_nanos(trial.duration_ns)) " on its clock" }
                    @if trial.attempt > 1 { span { "attempt " (trial.attempt) } }
                    (layout::aside(trial))
                }
                @if !trial.reason.is_empty() {
                    p.reason {
                        @if let Some(blame) = &trial.blame { b { (blame) ": " } }
                        bdi { (trial.reason) }
                    }
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_one_part_of_an_address_whatever_is_in_it() {
        assert_eq!(encoded("a.b-1_~"), "a.b-1_~");
        assert_eq!(encoded("../a?b=\"<ü"), "..%2Fa%3Fb%3D%22%3C%C3%BC");
    }

    #[test]
    fn sizes_are_told_in_the_unit_that_fits() {
        assert_eq!(
            [0, 999, 1_000, 12_345, 1_000_000, 20_400_000].map(size),
            ["0 B", "999 B", "1.0 kB", "12.3 kB", "1.0 MB", "20.4 MB"]
        );
    }
}
