//! What all pages share: head, navigation, and the small things that stand on several of them.
//!
//! Boundary: HTML out of values. Text is escaped by being put in.

use brickproof_report::results::{Summary, TrialResult, World};
use maud::{DOCTYPE, Markup, html};

/// A page of that name.
pub(crate) fn page(title: &str, body: &Markup) -> Markup {
    html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                meta name="color-scheme" content="light dark";
                title { (title) " · Brickproof" }
                link rel="icon" href="/icon.svg";
                link rel="stylesheet" href="/style.css";
            }
            body {
                header.top {
                    a.brand href="/" { "Brickproof" }
                    nav { a href="/" { "Now" } a href="/history" { "History" } }
                }
                (body)
            }
        }
    }
}

/// A page that says one thing.
pub(crate) fn message(title: &str, what: &str) -> Markup {
    page(title, &html! { main { h1 { (title) } p { (what) } p { a href="/" { "What is running now" } } } })
}

/// Where a verdict was found, in a word.
pub(crate) fn world(world: World) -> Markup {
    html! { span.world.(world.name()) title=(meaning(world)) { (world.name()) } }
}

/// The same, with what the word means.
pub(crate) fn world_in_words(world: World) -> Markup {
    html! { span.world.(world.name()) { b { (world.name()) } ": " (meaning(world)) } }
}

fn meaning(world: World) -> &'static str {
    match world {
        World::Virtual => "emulated boards",
        World::Lane => "real drivers, simulated hardware",
        World::Hardware => "real boards",
        _ => "",
    }
}

/// A verdict, with its colour and its word.
pub(crate) fn verdict(verdict: &str) -> Markup {
    let class = match verdict {
        "passed" | "failed" | "error" => verdict,
        _ => "inconclusive",
    };
    html! { span.verdict.(class) { (verdict) } }
}

/// That a person set a trial aside, if somebody did.
pub(crate) fn aside(trial: &TrialResult) -> Markup {
    html! {
        @if let Some(aside) = trial.quarantine.as_ref().filter(|_| trial.is_set_aside()) {
            span { "set aside until " (aside.until) ": " bdi { (aside.reason) } }
        }
    }
}

/// `1 trial`, `2 trials`.
pub(crate) fn counted(count: u64, what: &str) -> String {
    if count == 1 { format!("1 {what}") } else { format!("{count} {what}s") }
}

/// How many came to which end; what came to none is left out.
pub(crate) struct Counts {
    pub(crate) passed: u64,
    pub(crate) failed: u64,
    pub(crate) error: u64,
    pub(crate) inconclusive: u64,
    pub(crate) aside: u64,
}

impl Counts {
    /// Those of a run that is over.
    pub(crate) fn of(summary: &Summary) -> Self {
        Self {
            passed: summary.passed as u64,
            failed: summary.failed as u64,
            error: summary.error as u64,
            inconclusive: summary.inconclusive as u64,
            aside: summary.quarantined as u64,
        }
    }

    /// Words and colours.
    pub(crate) fn chips(&self) -> Markup {
        let counts = [
            (self.passed, "passed", "passed"),
            (self.failed, "failed", "failed"),
            (self.error, "error", "in error"),
            (self.inconclusive, "inconclusive", "inconclusive"),
            (self.aside, "inconclusive", "set aside"),
        ];
        html! {
            span.chips {
                @for (count, class, word) in counts.into_iter().filter(|(count, ..)| *count > 0) {
                    span.chip.(class) { (count) " " (word) }
                }
            }
        }
    }
}
