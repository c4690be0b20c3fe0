//! `/`: what is running at this moment, and what ran last.
//!
//! Boundary: HTML. The part that changes is made by itself, so that it can be sent to whoever watches.

use std::time::Duration;

use brickproof_report::live::folder::{HEARTBEAT, Pulse};
use brickproof_report::live::{Ended, Light, Live, Progress, Rhythm, Stage, Station, Trial};
use brickproof_report::results::World;
use brickproof_units::{Instant, Voltage, in_words};
use maud::{Markup, html};

use crate::clock;
use crate::pages::layout::{self, Counts, counted};
use crate::runs::{Run, Shelf};

/// Whoever lives and has not been heard of for so long hangs, or was stopped.
const SILENT: Duration = HEARTBEAT.saturating_mul(3);
/// The periods that the style has an animation for, in milliseconds.
const PERIODS: [u64; 11] = [50, 100, 200, 250, 500, 750, 1_000, 1_500, 2_000, 3_000, 4_000];
/// Colours of light that the style can draw.
const COLOURS: [&str; 9] = ["red", "orange", "yellow", "green", "cyan", "blue", "magenta", "white", "off"];
/// A bar is drawn in so many parts.
const PARTS: u64 = 1_000;

/// The whole page.
pub(crate) fn page(shelf: &Shelf) -> Markup {
    let body = html! {
        // Without a script, the page loads itself anew.
        noscript { meta http-equiv="refresh" content="3"; }
        script src="/live.js" defer {}
        (live_part(shelf))
    };
    layout::page("Now", &body)
}

/// What changes of it.
pub(crate) fn live_part(shelf: &Shelf) -> Markup {
    let now = shelf.now();
    let runs = shelf.runs();
    html! {
        main data-live="/live" {
            p.offline role="status" { "No connection to " code { "brickproof serve" } ": what stands here may be old. Trying again." }
            section aria-label="Running now" {
                h1 { "Running now" }
                @if now.is_empty() {
                    div.card.quiet {
                        p { "Nothing is running." }
                        p.hint { "A run shows up here by itself: " code { "brickproof run scenarios" } }
                    }
                }
                @for (pulse, live) in &now { (process(*pulse, live)) }
            }
            section aria-label="Runs that are over" {
                h2 { "Last runs" }
                @if runs.is_empty() { p.hint { "None is kept yet." } }
                ol.runs { @for run in &runs { (over(run)) } }
            }
        }
    }
}

fn process(pulse: Pulse, live: &Live) -> Markup {
    let since = clock::since(live.began_unix_ms);
    let told = clock::since(live.told_unix_ms);
    let lasted = Duration::from_millis(live.told_unix_ms.saturating_sub(live.began_unix_ms));
    html! {
        article.card.process.gone[pulse == Pulse::Gone] {
            header {
                h2 { bdi { (title(live)) } }
                p.facts {
                    (layout::world_in_words(live.world))
                    @if let Some(bench) = &live.bench { span { "bench " b { (bench) } } }
                    @match pulse {
                        Pulse::Alive => span { "for " b { (in_words(since)) } },
                        Pulse::Gone => span { "last heard of " b { (clock::ago(told)) } },
                    }
                    @if let Some(run) = live.run { span { "run " b { (run) } } }
                    span.pid { "process " (live.pid) }
                }
            }
            @if pulse == Pulse::Gone { (ended_without_a_word(live, lasted)) }
            @else if told > SILENT {
                p.warning { "Nothing was heard of it for " (in_words(told)) ": its process is stopped, or hangs." }
            }
            (progress(&live.progress))
            @if !live.stations.is_empty() {
                div.stations { @for station in &live.stations { (at_station(station, pulse)) } }
            }
            (endings("Did not pass", &live.failures))
            @if live.stations.is_empty() || live.failures.is_empty() { (endings("Ended last", &live.ended)) }
        }
    }
}

fn title(live: &Live) -> &str {
    if live.title.is_empty() { "trials" } else { &live.title }
}

fn ended_without_a_word(live: &Live, lasted: Duration) -> Markup {
    html! {
        p.warning {
            b { "Ended without a word" } " after " (in_words(lasted)) ": the process was killed, or the machine lost its power. What stands here is where it was."
            @if live.world != World::Virtual && !live.stations.is_empty() {
                " Its stations may not be safe: the next start of Brickproof on them makes them safe before anything else, or "
                code { "brickproof bench make-safe" } " does."
            }
        }
    }
}

fn progress(progress: &Progress) -> Markup {
    let Progress { total, done, passed, failed, error, inconclusive, told } = progress;
    let counts = Counts { passed: *passed, failed: *failed, error: *error, inconclusive: *inconclusive, aside: 0 };
    html! {
        div.progress {
            p.count {
                b { (done) }
                @if let Some(total) = total { " of " (counted(*total, "trial")) } @else { " trials" }
                " " (counts.chips())
            }
            @if let Some(total) = total {
                (bar(&[("passed", *passed), ("failed", *failed), ("error", *error), ("inconclusive", *inconclusive)], *total))
            }
            @if !told.is_empty() { p.hint { (told) } }
        }
    }
}

/// A picture of shares, drawn without a style of its own: the policy lets none in.
fn bar(shares: &[(&str, u64)], total: u64) -> Markup {
    let wide =
        |count: u64| u64::try_from(u128::from(count) * u128::from(PARTS) / u128::from(total.max(1))).unwrap_or(PARTS);
    let widths = shares.iter().map(|(_, count)| wide(*count));
    let beginnings = widths.clone().scan(0, |end, width| Some(std::mem::replace(end, *end + width)));
    html! {
        svg.bar viewBox={ "0 0 " (PARTS) " 10" } preserveAspectRatio="none" aria-hidden="true" {
            @for (((class, _), width), x) in shares.iter().zip(widths).zip(beginnings).filter(|((_, width), _)| *width > 0) {
                rect.(class) x=(x) y="0" width=(width) height="10" {}
            }
        }
    }
}

fn at_station(station: &Station, pulse: Pulse) -> Markup {
    html! {
        section.station {
            div.head {
                @match &station.trial {
                    Some(trial) => (lights(&trial.lights, pulse)),
                    None => span.led.unknown {},
                }
                div {
                    h3 { bdi { (station.name) } }
                    p.board { (station.board) }
                }
                @if let Some(Trial { rail_uv: Some(rail), .. }) = &station.trial {
                    p.rail { b { (volts(*rail)) } " V" span { "supply" } }
                }
            }
            @match &station.trial {
                None => p.hint { "waits for its next trial" },
                Some(trial) => (trial_at(trial, pulse)),
            }
        }
    }
}

fn trial_at(trial: &Trial, pulse: Pulse) -> Markup {
    let seen: Vec<String> = trial
        .lights
        .iter()
        .map(
            |light| {
                if trial.lights.len() > 1 { format!("{}: {}", light.name, light.words) } else { light.words.clone() }
            },
        )
        .collect();
    html! {
        p.light {
            @if seen.is_empty() { span.hint { "its light is not seen" } }
            @for light in &seen { span { (light) } }
        }
        p.scenario { bdi { (trial.scenario) } }
        (step(trial))
        p.line {
            span.label { "console" }
            @match &trial.console {
                Some(line) => code dir="ltr" { bdi { (line) } },
                None => span.hint { "silent so far" },
            }
        }
        p.facts {
            code.id { (trial.id) }
            @if pulse == Pulse::Alive { span { "for " (in_words(clock::since(trial.began_unix_ms))) } }
            @if trial.attempt > 1 { span { "attempt " (trial.attempt) } }
        }
    }
}

fn step(trial: &Trial) -> Markup {
    match (&trial.step, trial.stage) {
        (Some(step), _) => {
            let over = step.index.saturating_sub(1) as u64;
            html! {
                p.step { span.label { "step " (step.index) " of " (step.count) } " " bdi { (step.text) } }
                (bar(&[("over", over), ("on", 1)], step.count as u64))
            }
        }
        (None, Stage::Ending) => {
            html! { p.step { span.label { "ending" } " cleaning up, and making the station safe" } }
        }
        (None, _) => {
            html! { p.step { span.label { "getting ready" } " writing firmware and keys, and looking whether the board is as it should be" } }
        }
    }
}

/// One dot for each light, in its colour and its rhythm.
fn lights(lights: &[Light], pulse: Pulse) -> Markup {
    html! {
        span.leds {
            @if lights.is_empty() { span.led.unknown {} }
            @for light in lights {
                @let colour = COLOURS.iter().find(|colour| **colour == light.colour).unwrap_or(&"unknown");
                span class=(format!("led {colour} {}", if pulse == Pulse::Alive { moves(light.rhythm) } else { String::new() }).trim_end())
                    title=(light.words) {}
            }
        }
    }
}

/// The classes that make a dot move as the light does.
fn moves(rhythm: Rhythm) -> String {
    match rhythm {
        Rhythm::Blink { period_ms } => format!("blinks p{}", nearest(period_ms)),
        Rhythm::Breathe { period_ms } => format!("breathes p{}", nearest(period_ms)),
        _ => String::new(),
    }
}

/// The period that comes nearest, by its ratio.
fn nearest(period_ms: u64) -> u64 {
    let wanted = period_ms.max(1);
    let apart = |known: u64| known.max(wanted) * 1_000 / known.min(wanted);
    PERIODS.into_iter().min_by_key(|known| apart(*known)).unwrap_or(wanted)
}

/// To a hundredth.
fn volts(microvolts: i64) -> String {
    let hundredths = (Voltage::new(microvolts).get() + 5_000 * microvolts.signum()) / 10_000;
    let sign = if hundredths < 0 { "-" } else { "" };
    format!("{sign}{}.{:02}", hundredths.abs() / 100, hundredths.abs() % 100)
}

fn endings(title: &str, ended: &[Ended]) -> Markup {
    html! {
        @if !ended.is_empty() {
            section.endings {
                h3 { (title) }
                ol {
                    @for trial in ended {
                        li {
                            (layout::verdict(&trial.verdict))
                            div {
                                p { bdi { (trial.scenario) } " " span.where { "at " (trial.station) " · " (Instant::from_nanos(trial.duration_ns)) " on its clock" } }
                                @if !trial.reason.is_empty() {
                                    p.reason {
                                        @if let Some(blame) = &trial.blame { b { (blame) ": " } }
                                        bdi { (trial.reason) }
                                    }
                                }
                                p { code.id { (trial.id) } }
                            }
                        }
                    }
                }
            }
        }
    }
}

fn over(run: &Run) -> Markup {
    let counts = Counts::of(&run.summary);
    let further = run.scenarios.saturating_sub(run.titles.len()) as u64;
    html! {
        li.run {
            a.number href={ "/runs/" (run.number) } { "Run " (run.number) }
            span.when title=(clock::date(run.ended_unix_ms)) { (clock::ago(clock::since(run.ended_unix_ms))) }
            (layout::world(run.world))
            (counts.chips())
            p.titles {
                bdi { (run.titles.join("; ")) }
                @if further > 0 { " and " (counted(further, "other scenario")) }
            }
            @if run.has_report { a.files href={ "/runs/" (run.number) "/files" } { "files" } }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn volts_are_told_to_a_hundredth() {
        let told = [3_300_000, 3_299_999, 4_999, 5_000, 0, -1_000, -12_345_000].map(volts);
        assert_eq!(told, ["3.30", "3.30", "0.00", "0.01", "0.00", "0.00", "-12.35"]);
    }

    #[test]
    fn a_period_is_drawn_with_the_one_that_comes_nearest() {
        assert_eq!(
            [0, 60, 101, 160, 640, 3_970, 9_000, u64::MAX / 2_000].map(nearest),
            [50, 50, 100, 200, 750, 4_000, 4_000, 4_000]
        );
    }
}
