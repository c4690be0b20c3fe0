//! `/history`: what all trials say together: rates with their n and interval, what fails now and then, and how long boards take to connect.
//!
//! Boundary: HTML out of what `brickproof-history` counts. Worlds are never mixed.

use brickproof_history::{CONFIDENCE, Flakiness, Follows, HistoryError, Rate, Rates, Side, Trend, worst_first};
use brickproof_units::Instant;
use maud::{Markup, html};

use crate::pages::layout::{self, counted};

/// Of each kind so many lines are shown.
const SHOWN: usize = 100;
/// A picture is so wide and so high, in parts of its own.
const WIDE: u64 = 1_000;
const HIGH: u64 = 200;
/// Nights of one trend that are drawn.
const NIGHTS: usize = 60;

/// Everything that is asked of the history at once.
#[derive(Debug)]
pub(crate) struct Told {
    pub(crate) rates: Vec<Rates>,
    pub(crate) flakiness: Vec<Flakiness>,
    pub(crate) trends: Vec<Trend>,
}

pub(crate) fn page(told: &Told) -> Markup {
    let body = html! {
        main {
            h1 { "History" }
            @if told.rates.is_empty() {
                div.card.quiet { p { "No trial is in the history yet." } p.hint { "Every " code { "brickproof run" } " puts its trials there." } }
            } @else {
                p.hint {
                    "Rates are of trials that were judged; the interval is where the true rate lies, with "
                    (CONFIDENCE * 100.0) " % confidence at least."
                }
            }
            @for rates in &told.rates {
                section aria-label=(rates.world.name()) {
                    h2 { (layout::world_in_words(rates.world)) }
                    p.count { b { (share(rates.all)) } " passed, " (of_judged(rates.all)) }
                    @for trend in told.trends.iter().filter(|it| it.world == rates.world) { (trend_of(trend)) }
                    @for flaky in told.flakiness.iter().filter(|it| it.world == rates.world) { (flaky_of(flaky)) }
                    (table("Scenario", rates.scenarios.iter().map(|(name, rate)| (name.clone(), *rate)).collect()))
                    (table("Board", rates.boards.iter().map(|(place, rate)| (format!("{}, {}", place.board, place.label()), *rate)).collect()))
                    (table("Firmware", rates.firmwares.iter().map(|(image, rate)| (image.label(), *rate)).collect()))
                }
            }
        }
    };
    layout::page("History", &body)
}

/// That nothing can be told, and why.
pub(crate) fn none(why: &HistoryError) -> Markup {
    let is_absent = matches!(why, HistoryError::Absent { .. });
    let body = html! {
        main {
            h1 { "History" }
            div.card.quiet {
                p { @if is_absent { "There is no history yet." } @else { "The history cannot be shown." } }
                p.hint { (why) }
            }
        }
    };
    layout::page("History", &body)
}

fn table(what: &str, mut rows: Vec<(String, Rate)>) -> Markup {
    rows.sort_by(|(a, _), (b, _)| a.cmp(b));
    worst_first(&mut rows);
    let further = rows.len().saturating_sub(SHOWN);
    html! {
        table.rates {
            thead { tr { th { (what) } th { "passed" } th { "interval" } th.picture aria-hidden="true" {} th { "n" } } }
            tbody {
                @for (name, rate) in rows.iter().take(SHOWN) {
                    tr {
                        td.name { bdi { (name) } @if !rate.beside().is_empty() { span.hint { " " (rate.beside()) } } }
                        td { (share(*rate)) }
                        td { (interval(*rate)) }
                        td.picture aria-hidden="true" { (whisker(*rate)) }
                        td { (rate.judged()) }
                    }
                }
            }
        }
        @if further > 0 { p.hint { "and " (counted(further as u64, "other line")) ": " code { "brickproof history rates" } " tells them all" } }
    }
}

fn of_judged(rate: Rate) -> Markup {
    html! {
        "of " (counted(rate.judged(), "trial")) " (" (interval(rate)) ")"
        @if !rate.beside().is_empty() { ", beside " (rate.beside()) }
    }
}

fn share(rate: Rate) -> String {
    rate.pass_rate().map_or_else(|| "none judged".to_owned(), |share| percent(share.get()))
}

fn interval(rate: Rate) -> String {
    if rate.judged() == 0 {
        return "nothing is known".to_owned();
    }
    let interval = rate.interval();
    format!("{} to {}", percent(interval.low.get()), percent(interval.high.get()))
}

/// All of them only where it is all of them, and none only where it is none. Number and sign stay together.
fn percent(share: f64) -> String {
    let percent = share * 100.0;
    let number = match percent {
        100.0 => "100".to_owned(),
        99.95.. => "99.9".to_owned(),
        ..=0.0 => "0".to_owned(),
        ..0.05 => "under 0.1".to_owned(),
        _ => format!("{percent:.1}"),
    };
    format!("{number}\u{a0}%")
}

/// The interval as a stretch, and the rate as a mark on it.
fn whisker(rate: Rate) -> Markup {
    let at = |share: f64| (share.clamp(0.0, 1.0) * WIDE as f64).round() as u64;
    let interval = rate.interval();
    let (low, high) = (at(interval.low.get()), at(interval.high.get()));
    html! {
        svg.whisker viewBox={ "-12 0 " (WIDE + 24) " " (HIGH) } preserveAspectRatio="none" {
            rect.ground x="0" y=(HIGH * 2 / 5) width=(WIDE) height=(HIGH / 5) {}
            @if let Some(share) = rate.pass_rate() {
                rect.stretch x=(low) y=(HIGH * 2 / 5) width=((high - low).max(4)) height=(HIGH / 5) {}
                rect.mark x=(at(share.get()).saturating_sub(12)) y=(HIGH / 5) width="24" height=(HIGH * 3 / 5) {}
            }
        }
    }
}

/// How long boards take to connect, night by night: the median, and where the middle half of them lies.
fn trend_of(trend: &Trend) -> Markup {
    let points: Vec<_> = trend.points.iter().rev().take(NIGHTS).rev().collect();
    let (Some(first), Some(last)) = (points.first(), points.last()) else { return html! {} };
    let highest = points.iter().map(|point| point.times.quartiles_ns.1).max().unwrap_or_default().max(1);
    let y = |ns: u64| HIGH - u64::try_from(u128::from(ns) * u128::from(HIGH) / u128::from(highest)).unwrap_or(HIGH);
    let x = |place: usize| place as u64 * WIDE / (points.len() as u64 - 1).max(1);
    let line: Vec<String> =
        points.iter().enumerate().map(|(place, point)| format!("{},{}", x(place), y(point.times.median_ns))).collect();
    let upper =
        points.iter().enumerate().map(|(place, point)| format!("{},{}", x(place), y(point.times.quartiles_ns.1)));
    let lower =
        points.iter().enumerate().rev().map(|(place, point)| format!("{},{}", x(place), y(point.times.quartiles_ns.0)));
    let band: Vec<String> = upper.chain(lower).collect();
    let all: usize = points.iter().map(|point| point.times.n).sum();
    html! {
        figure.trend {
            figcaption {
                b { bdi { (trend.board) } } ": time to connect, half of the starts within " b { (seconds(last.times.median_ns)) }
                " in the night of " (last.label) " (n = " (last.times.n) ")"
            }
            @if points.len() > 1 {
                svg viewBox={ "0 -6 " (WIDE) " " (HIGH + 12) } preserveAspectRatio="none" role="img"
                    aria-label={ "from " (seconds(first.times.median_ns)) " to " (seconds(last.times.median_ns)) } {
                    polygon.band points=(band.join(" ")) {}
                    polyline.median points=(line.join(" ")) {}
                }
                p.hint.ends {
                    span { (first.label) ", " (seconds(first.times.median_ns)) }
                    span { "from 0 to " (seconds(highest)) "; the band holds the middle half; n = " (all) }
                    span { (last.label) }
                }
            }
        }
    }
}

fn seconds(nanos: u64) -> String {
    Instant::from_nanos(nanos).to_string()
}

fn flaky_of(flaky: &Flakiness) -> Markup {
    html! {
        @if !flaky.bad_boards.is_empty() {
            h3 { "Boards that fail more than the others" }
            ul.follows { @for board in &flaky.bad_boards { li { (follows(board)) } } }
        }
        @if !flaky.scenarios.is_empty() {
            h3 { "Sometimes passed, sometimes failed" }
            ul.follows {
                @for it in flaky.scenarios.iter().take(SHOWN) {
                    li {
                        bdi { (it.scenario) } ": " b { (share(it.rate)) } " passed, " (of_judged(it.rate))
                        (side("board", &it.boards))
                        (side("firmware", &it.firmwares))
                    }
                }
            }
        }
    }
}

fn side(what: &str, side: &Side) -> Markup {
    html! {
        @if side.follows.is_empty() {
            span.hint {
                @if side.could_tell { "; it follows no " (what) ": it failed on " (side.failed_on) " of " (counted(side.number as u64, what)) }
                @else { "; too little to say whether it follows a " (what) }
            }
        }
        @for it in &side.follows { "; it follows the " (what) " " (follows(it)) }
    }
}

fn follows(it: &Follows) -> Markup {
    let ((here, n), (others, m)) = (it.there, it.elsewhere);
    html! { b { bdi { (it.name) } } ": " (here) " of " (n) " failed there, " (others) " of " (m) " elsewhere (by chance once in " (once_in(it.p)) ")" }
}

/// How rare a probability is, as people say it.
fn once_in(p: f64) -> String {
    if p <= 1e-6 { "more than a million".to_owned() } else { format!("{:.0}", 1.0 / p) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_is_rounded_to_all_or_to_none() {
        assert_eq!(
            [1.0, 0.9999, 0.9, 0.005, 0.00001, 0.0].map(|share| percent(share).replace('\u{a0}', " ")),
            ["100 %", "99.9 %", "90.0 %", "0.5 %", "under 0.1 %", "0 %"]
        );
        assert_eq!([0.05, 1e-9].map(once_in), ["20", "more than a million"]);
    }
}
