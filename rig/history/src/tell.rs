//! What a person reads of the reports.
//!
//! Boundary: text out of typed rows; nothing is counted here. What boards and files say is made printable.

use std::fmt::Write as _;

use brickproof_statistics::Probability;
use brickproof_units::Instant;
use brickproof_yaml::printable;

use crate::compare::{CHANCE, Change, Comparison};
use crate::flaky::{Flakiness, FlakyScenario, Follows, Side};
use crate::rate::{Rate, worst_first};
use crate::rates::Rates;
use crate::runs::{RunSummary, TrialRow};
use crate::since::Since;
use crate::times::Times;
use crate::trend::Trend;

/// How much of a long table is told unless all of it is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Length {
    /// The first rows.
    Short,
    /// Every row.
    All,
}

/// The rows of a table that is told in short.
const ROWS: usize = 20;

impl Length {
    /// How many of `all` rows are told.
    pub const fn of(self, all: usize) -> usize {
        match self {
            Self::Short if all > ROWS => ROWS,
            _ => all,
        }
    }
}

fn share(value: Option<Probability>) -> String {
    value.map_or_else(|| "-".to_owned(), |it| it.to_string())
}

fn seconds(nanos: u64) -> String {
    Instant::from_nanos(nanos).to_string()
}

fn p_value(p: f64) -> String {
    match Probability::new(p) {
        Ok(p) => format!("p {p}"),
        Err(_) => String::new(),
    }
}

/// `12 of 14`, the rate, its interval, and what did not count.
fn rate_cells(rate: &Rate) -> [String; 4] {
    let interval = if rate.judged() == 0 { "-".to_owned() } else { rate.interval().to_string() };
    [format!("{} of {}", rate.passed, rate.judged()), share(rate.pass_rate()), interval, rate.beside()]
}

/// Columns as wide as what stands in them; the last one is not filled up.
fn table(head: [&str; 5], rows: &[[String; 5]]) -> String {
    let width = |column: usize| {
        let cells = rows.iter().map(|row| row[column].chars().count());
        cells.chain([head[column].chars().count()]).max().unwrap_or(0)
    };
    let widths: Vec<usize> = (0..head.len()).map(width).collect();
    let line = |cells: [&str; 5]| {
        let padded = cells.iter().zip(&widths).map(|(cell, width)| format!("{cell:<width$}"));
        format!("  {}", padded.collect::<Vec<_>>().join("  ")).trim_end().to_owned() + "\n"
    };
    let body = rows.iter().map(|row| line(row.each_ref().map(String::as_str)));
    std::iter::once(line(head)).chain(body).collect()
}

fn rows_of<N>(named: &[(N, Rate)], length: Length, name: impl Fn(&N) -> String) -> (Vec<[String; 5]>, usize) {
    let mut order: Vec<(&N, Rate)> = named.iter().map(|(label, rate)| (label, *rate)).collect();
    worst_first(&mut order);
    let told = length.of(order.len());
    let row = |(label, rate): &(&N, Rate)| {
        let [passed, share, interval, beside] = rate_cells(rate);
        [printable(&name(label)), passed, share, interval, beside]
    };
    (order.iter().take(told).map(row).collect(), order.len() - told)
}

/// Pass rates for each scenario, board and firmware.
pub fn rates(rates: &Rates, length: Length) -> String {
    let mut text = String::new();
    let all = rate_cells(&rates.all);
    let _ = writeln!(
        text,
        "{} world: {} of {} trials that were judged passed, {} ({})",
        rates.world.name(),
        rates.all.passed,
        rates.all.judged(),
        all[1],
        all[2]
    );
    let parts = [
        ("scenario", rows_of(&rates.scenarios, length, Clone::clone)),
        ("board", rows_of(&rates.boards, length, |it| format!("{} {}", it.board, it.label()))),
        ("firmware", rows_of(&rates.firmwares, length, |it| it.label())),
    ];
    for (what, (rows, left_out)) in parts {
        let _ = write!(text, "\n{}", table([what, "passed", "rate", "95 % interval", ""], &rows));
        if left_out > 0 {
            let _ = writeln!(text, "  and {left_out} more that fail no more often: --all");
        }
    }
    text
}

const BARS: [char; 8] = ['▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'];

/// One bar for each value, the lowest and the highest at the ends of the scale.
fn sparkline(values: &[u64]) -> String {
    let (Some(low), Some(high)) = (values.iter().min(), values.iter().max()) else { return String::new() };
    let bar = |value: &u64| {
        let place = u128::from(value - low) * (BARS.len() as u128 - 1) / u128::from((high - low).max(1));
        BARS[usize::try_from(place).unwrap_or(0).min(BARS.len() - 1)]
    };
    values.iter().map(bar).collect()
}

fn times_cells(times: &Times) -> [String; 4] {
    let between = |(low, high): (u64, u64)| format!("{} to {}", seconds(low), seconds(high));
    let interval = times.interval_ns.map_or_else(|| "too few".to_owned(), between);
    [times.n.to_string(), seconds(times.median_ns), interval, between(times.quartiles_ns)]
}

/// Time to connect from point to point.
pub fn trend(trend: &Trend, length: Length) -> String {
    let told = length.of(trend.points.len());
    let points = &trend.points[trend.points.len() - told..];
    let medians: Vec<u64> = points.iter().map(|it| it.times.median_ns).collect();
    let mut text = format!(
        "{} world, {}: time from power to the cloud, undisturbed, as the {} saw it\n",
        trend.world.name(),
        printable(&trend.board),
        trend.seen_by.name()
    );
    if let (Some(low), Some(high)) = (medians.iter().min(), medians.iter().max()) {
        let _ = writeln!(text, "  medians {}  {} to {}", sparkline(&medians), seconds(*low), seconds(*high));
    }
    let row = |point: &crate::trend::TrendPoint| {
        let [n, median, interval, spread] = times_cells(&point.times);
        [printable(&point.label), n, median, interval, spread]
    };
    let rows: Vec<[String; 5]> = points.iter().map(row).collect();
    text.push_str(&table(["", "n", "median", "its 95 % interval", "middle half"], &rows));
    if told < trend.points.len() {
        let _ = writeln!(text, "  and {} before that: --all", trend.points.len() - told);
    }
    text
}

fn of(counts: (u64, u64)) -> String {
    format!("{} of {}", counts.0, counts.1)
}

fn follows(what: &str, it: &Follows, where_else: &str) -> String {
    format!(
        "follows {what} {}: {} failed there, {} {where_else} ({})",
        printable(&it.name),
        of(it.there),
        of(it.elsewhere),
        p_value(it.p)
    )
}

/// What can be said of one side where nothing stands out.
fn nothing_stands_out(what: &str, side: &Side) -> String {
    match (side.number, side.could_tell) {
        (..2, _) => format!("only one {what} ran it, so whether it follows the {what} cannot be told"),
        (number, false) => format!("too few failures to tell whether it follows one of the {number} {what}s"),
        (number, true) => format!("no {what} stands out: it failed on {} of {number}", side.failed_on),
    }
}

fn scenario(it: &FlakyScenario) -> String {
    let [_, _, interval, beside] = rate_cells(&it.rate);
    let beside = if beside.is_empty() { String::new() } else { format!("; {beside}") };
    let mut text = format!(
        "  {}: {} failed, so {} pass ({interval}){beside}\n",
        printable(&it.scenario),
        of((it.rate.failed, it.rate.judged())),
        share(it.rate.pass_rate())
    );
    for found in &it.boards.follows {
        let _ = writeln!(text, "    {}", follows("board", found, "elsewhere with the same firmware"));
    }
    for found in &it.firmwares.follows {
        let _ = writeln!(text, "    {}", follows("firmware", found, "with others on the same boards"));
    }
    let is_neither = it.boards.follows.is_empty() && it.firmwares.follows.is_empty();
    if is_neither && it.boards.could_tell && it.firmwares.could_tell {
        let _ = writeln!(
            text,
            "    neither: fails now and then, on {} of {} boards and with {} of {} firmwares",
            it.boards.failed_on, it.boards.number, it.firmwares.failed_on, it.firmwares.number
        );
    } else {
        for (what, side) in [("board", &it.boards), ("firmware", &it.firmwares)] {
            if side.follows.is_empty() {
                let _ = writeln!(text, "    {}", nothing_stands_out(what, side));
            }
        }
    }
    text
}

/// What failures follow.
pub fn flakiness(found: &Flakiness, length: Length) -> String {
    let mut text =
        format!("{} world: {} scenarios both passed and failed\n", found.world.name(), found.scenarios.len());
    for board in &found.bad_boards {
        let _ = writeln!(
            text,
            "  bad board {}: over all scenarios {} failed there, {} elsewhere where the same was asked ({})",
            printable(&board.name),
            of(board.there),
            of(board.elsewhere),
            p_value(board.p)
        );
    }
    let told = length.of(found.scenarios.len());
    found.scenarios.iter().take(told).for_each(|it| text.push_str(&scenario(it)));
    if told < found.scenarios.len() {
        let _ = writeln!(text, "  and {} more: --all", found.scenarios.len() - told);
    }
    if found.never_passed > 0 {
        let _ = writeln!(
            text,
            "  {} never passed: those are not flaky, see `brickproof history rates`",
            found.never_passed
        );
    }
    let _ = writeln!(
        text,
        "  p: how often chance alone would do that, corrected for {} comparisons; trials are taken for independent",
        found.comparisons
    );
    text
}

/// What became of what, from one side to the other.
pub fn comparison(it: &Comparison, names: (&str, &str), length: Length) -> String {
    let mut text = format!("{} world: {} (A) and {} (B)\n", it.world.name(), names.0, names.1);
    for (side, rate) in [("A", &it.a), ("B", &it.b)] {
        let [passed, share, interval, beside] = rate_cells(rate);
        let beside = if beside.is_empty() { String::new() } else { format!(", {beside}") };
        let _ = writeln!(text, "  {side}: {passed} passed, {share} ({interval}){beside}");
    }
    let parts = [
        (Change::NewlyFails, "newly fails"),
        (Change::StillFails, "still fails"),
        (Change::Fixed, "fixed"),
        (Change::FailsSinceAsked, "fails, and A was not asked"),
        (Change::NoLongerAsked, "B was not asked"),
    ];
    for (change, title) in parts {
        let these: Vec<_> = it.questions.iter().filter(|it| it.change == change).collect();
        if these.is_empty() {
            continue;
        }
        let _ = writeln!(text, "  {title}: {}", these.len());
        for question in these.iter().take(length.of(these.len())) {
            let cell =
                if question.cell.is_empty() { String::new() } else { format!(" [{}]", printable(&question.cell)) };
            let failed = |rate: &Rate| of((rate.failed, rate.judged()));
            let chance = match question.p {
                None => String::new(),
                Some(p) if p <= CHANCE => format!(" ({})", p_value(p)),
                Some(p) => format!(" ({}: n is too small to tell it from chance)", p_value(p)),
            };
            let _ = writeln!(
                text,
                "    {}{cell}: failed {} in A, {} in B{chance}",
                printable(&question.scenario),
                failed(&question.a),
                failed(&question.b)
            );
        }
        let left_out = these.len() - length.of(these.len());
        if left_out > 0 {
            let _ = writeln!(text, "    and {left_out} more: --all");
        }
    }
    for times in &it.times {
        let told = |times: &Option<Times>| match times {
            None => "no time".to_owned(),
            Some(times) => {
                let [n, median, interval, _] = times_cells(times);
                format!("{median} (95 %: {interval}, n {n})")
            }
        };
        let _ = writeln!(
            text,
            "  time to connect of {} (as the {} saw it), median: {} in A, {} in B",
            printable(&times.board),
            times.seen_by.name(),
            told(&times.a),
            told(&times.b)
        );
    }
    text
}

/// The runs, newest first.
pub fn runs(runs: &[RunSummary]) -> String {
    let row = |run: &RunSummary| {
        let [passed, share, _, beside] = rate_cells(&run.rate);
        let beside = if beside.is_empty() { String::new() } else { format!(", {beside}") };
        let place = if run.bench.is_empty() { String::new() } else { format!(" on {}", printable(&run.bench)) };
        let night = format!("{} {}{place}", run.night, run.world.name());
        [run.run.to_string(), night, format!("{passed} passed{beside}"), share, printable(&run.evidence)]
    };
    table(["run", "night, world", "trials", "rate", "evidence"], &runs.iter().map(row).collect::<Vec<_>>())
}

/// One attempt of a trial, whole. `evidence` says whether its evidence is still there.
pub fn trial(it: &TrialRow, evidence: Evidence) -> String {
    let mut text = format!("{} {} ({})", it.verdict.to_uppercase(), printable(&it.id), it.world.name());
    match &it.blame {
        Some(blame) => text.push_str(&format!(", blame: {blame}\n")),
        None => text.push('\n'),
    }
    let bench = if it.bench.is_empty() { String::new() } else { format!("{}/", it.bench) };
    let serial = if it.board_serial.is_empty() { String::new() } else { format!(", board {}", it.board_serial) };
    let mut line = |what: &str, told: &str| {
        let _ = writeln!(text, "  {what:<10} {}", printable(told));
    };
    line("run", &format!("{} (night {}), attempt {}, begun {}", it.run, it.night, it.attempt, it.started));
    line("scenario", &format!("{}: {}", it.scenario, it.title));
    line("station", &format!("{bench}{} ({}{serial})", it.station, it.board));
    line("firmware", &format!("{} {}", it.firmware, it.firmware_sha256));
    if let Some((index, number, sentence)) = &it.step {
        line("step", &format!("{index}, line {number}: {sentence}"));
    }
    if !it.reason.is_empty() {
        line("reason", &it.reason);
    }
    if it.discarded {
        line("discarded", "its fault struck outside its tolerance, and it was made again");
    }
    if let Some((reason, until)) = &it.quarantine {
        line("quarantine", &format!("until {until}: {reason}"));
    }
    line("lasted", &format!("{} on its own clock, {} to run", seconds(it.duration_ns), seconds(it.wall_ns)));
    if let (Some(after), Some(by)) = (it.connect_ns, &it.connect_by) {
        line("connected", &format!("{} after power, as the {by} saw it", seconds(after)));
    }
    match evidence {
        Evidence::Kept => line("evidence", &it.evidence),
        Evidence::Gone => line("evidence", &format!("{}, which has made room for that of later runs", it.evidence)),
    }
    text
}

/// How the trials of an entry did since they were set aside.
pub fn set_aside(it: &Since) -> String {
    let over = if it.is_over { "over since" } else { "until" };
    let mut text = format!("{} {over} {}: {}\n", printable(&it.scenario), it.until, printable(&it.reason));
    if it.worlds.is_empty() {
        text.push_str("  no trial ran under it\n");
    }
    for (world, rate) in &it.worlds {
        let n = rate.judged();
        let advice = match (rate.failed, n) {
            (_, 0) => "nothing was judged".to_owned(),
            (0, n) if n >= it.clean_run => "it could be lifted".to_owned(),
            (0, n) => format!("too few to lift it: {} more without a failure", it.clean_run - n),
            (failed, n) if failed == n => "it never passes: that is broken, not flaky".to_owned(),
            _ => "it still fails now and then".to_owned(),
        };
        let [passed, share, interval, beside] = rate_cells(rate);
        let beside = if beside.is_empty() { String::new() } else { format!(", {beside}") };
        let _ = writeln!(text, "  {} world: {passed} passed, {share} ({interval}){beside}: {advice}", world.name());
    }
    text
}

/// Whether the evidence of a trial is still where it was put.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Evidence {
    /// It is.
    Kept,
    /// It is not.
    Gone,
}

#[cfg(test)]
mod tests {
    use super::sparkline;

    #[test]
    fn a_sparkline_goes_from_the_lowest_to_the_highest() {
        assert_eq!(sparkline(&[]), "");
        assert_eq!(sparkline(&[5]), "▁");
        assert_eq!(sparkline(&[10, 17, 24]), "▁▄█");
        assert_eq!(sparkline(&[0, u64::MAX]), "▁█");
    }
}
