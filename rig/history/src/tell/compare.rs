//! A comparison as a person reads it.
//!
//! Boundary: sentences out of a [`Comparison`], what newly fails first, and that nothing does where nothing does.

use std::fmt::Write as _;

use brickproof_report::results::World;
use brickproof_yaml::{counted, printable};

use super::table::folded;
use super::trend::times_cells;
use super::words::{self, of, p_value};
use super::{Length, Room};
use crate::compare::{CHANCE, Change, Compared, ComparedTimes, Comparison};
use crate::rate::Rate;
use crate::times::Times;

/// Changes that are told one by one, and what they are called.
const TOLD: [(Change, &str); 4] = [
    (Change::NewlyFails, "newly fails"),
    (Change::FailsSinceJudged, "fails, and was not judged in A"),
    (Change::StillFails, "still fails"),
    (Change::Fixed, "fixed"),
];

/// What became of what, from one side to the other.
pub fn comparison(it: &Comparison, room: Room) -> String {
    let [a, b] = it.sides.each_ref().map(|side| printable(side));
    let mut text = format!("{} world: {a} (A) and {b} (B)\n", it.world.name());
    for (side, rate) in [("A", &it.a), ("B", &it.b)] {
        let _ = writeln!(text, "  {side}: {}", words::rate(rate));
    }
    let of_change = |change: Change| it.questions.iter().filter(move |it| it.change == change);
    for (change, title) in TOLD {
        let these: Vec<&Compared> = of_change(change).collect();
        match (these.len(), change) {
            (0, Change::NewlyFails) => text.push_str("  newly fails: nothing\n"),
            (0, _) => {}
            _ => text.push_str(&listed(title, &these, room.length)),
        }
    }
    let gone: Vec<&Compared> = of_change(Change::NoLongerJudged).collect();
    if !gone.is_empty() {
        text.push_str(&listed("was not judged in B", &gone, room.length));
    }
    let (both, alone): (Vec<&Compared>, Vec<&Compared>) = of_change(Change::Passes).partition(|it| it.a.judged() > 0);
    let neither = of_change(Change::NotJudged).count();
    for (number, what) in [
        (both.len(), "passes in both"),
        (alone.len(), "passes, and was not judged in A"),
        (neither, "was judged in neither"),
    ] {
        if number > 0 {
            let _ = writeln!(text, "  {what}: {number}");
        }
    }
    it.times.iter().for_each(|it| text.push_str(&times(it)));
    text.push_str(&what_p_is(it));
    folded(&text, room.width)
}

fn listed(title: &str, these: &[&Compared], length: Length) -> String {
    let mut text = format!("  {title}: {}\n", these.len());
    let told = length.of(these.len());
    these.iter().take(told).for_each(|it| text.push_str(&question(it)));
    if told < these.len() {
        let _ = writeln!(text, "    and {} more: --all", these.len() - told);
    }
    text
}

fn question(it: &Compared) -> String {
    let cell = if it.cell.is_empty() { String::new() } else { format!(" [{}]", printable(&it.cell)) };
    let (a, b) = (failed(&it.a), failed(&it.b));
    format!("    {}{cell}: {a} in A, {b} in B{}\n", printable(&it.scenario), chance(it))
}

fn failed(rate: &Rate) -> String {
    match (rate.judged(), rate.beside().as_str()) {
        (0, "") => "not asked".to_owned(),
        (0, beside) => format!("not judged ({beside})"),
        (n, _) => format!("failed {}", of((rate.failed, n))),
    }
}

/// Whether chance does such a thing, too; and how what still fails went on.
fn chance(it: &Compared) -> String {
    let Some(p) = it.p else { return String::new() };
    let told = match (it.change, p <= CHANCE) {
        (Change::StillFails, true) if share(&it.a) < share(&it.b) => ": more often",
        (Change::StillFails, true) => ": less often",
        (Change::StillFails, false) => ": no difference shown",
        (_, false) => ": may be chance",
        _ => "",
    };
    format!(" ({}{told})", p_value(p))
}

fn share(rate: &Rate) -> f64 {
    rate.failed as f64 / rate.judged().max(1) as f64
}

fn times(it: &ComparedTimes) -> String {
    let told = |times: &Option<Times>| match times {
        None => "no time".to_owned(),
        Some(times) => {
            let [n, median, interval, _] = times_cells(times);
            format!("{median} (95 %: {interval}, n {n})")
        }
    };
    let interval = |times: &Option<Times>| times.and_then(|it| it.interval_ns);
    let apart = match (interval(&it.a), interval(&it.b)) {
        (Some((_, before)), Some((after, _))) if before < after => ": longer",
        (Some((before, _)), Some((_, after))) if after < before => ": shorter",
        _ => "",
    };
    format!(
        "  time to connect of {} (as the {} saw it), median: {} in A, {} in B{apart}\n",
        printable(&it.board),
        it.seen_by.name(),
        told(&it.a),
        told(&it.b)
    )
}

fn what_p_is(it: &Comparison) -> String {
    let is_told =
        |question: &&Compared| TOLD.iter().any(|(change, _)| question.change == *change) && question.p.is_some();
    if !it.questions.iter().any(|it| is_told(&it)) {
        return String::new();
    }
    let comparisons = it.questions.iter().filter(|it| it.p.is_some()).count();
    let mut text = format!(
        "  p: how often chance alone would make such a difference, corrected for {}\n",
        counted(comparisons, "comparison")
    );
    if it.world == World::Virtual {
        text.push_str("  a virtual trial of the same id always comes to the same: p is about other seeds\n");
    }
    text
}
