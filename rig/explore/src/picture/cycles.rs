//! The cycles of a soak: how its failures grew, what both halves of it say, and how its flash wore.
//!
//! Boundary: what a soak counted, in the order in which it counted.

use brickproof_statistics::Counts;

use super::rows::{self, Axis, Row};
use super::svg::{Anchor, Svg};
use super::{Caption, colour, share};
use crate::course::Course;
use crate::outcome::Class;
use crate::soak::Soak;

const LEFT: f64 = 80.0;
const WIDE: f64 = 770.0;
const TOP: f64 = 58.0;
const HIGH: f64 = 180.0;
/// Between what failed and how it wore.
const GAP: f64 = 44.0;
const WEAR: f64 = 90.0;
const WORN: &str = "#7048b0";
const HALVES: [&str; 2] = ["#f4f4f4", "#e6ecf2"];

pub(super) fn draw(soak: &Soak, course: &Course, caption: &Caption<'_>) -> Option<String> {
    let failed = soak.failed();
    failed.first()?;
    let wear = worn(soak);
    let below = if wear.is_some() { GAP + WEAR } else { 0.0 };
    let mut svg = Svg::new(LEFT + WIDE + 40.0, TOP + HIGH + below + 34.0);
    svg.words(LEFT, 20.0, Anchor::Start, &format!("{} ({} world)", caption.title, caption.world));
    let told = share(soak.counts());
    let mut legend = vec![(colour(Class::LockedOut), format!("failures: {told}"))];
    if let Some(worn) = &wear {
        legend.push((WORN, format!("erases of {} of {}", worn.sector, course.name_of(worn.board))));
    }
    svg.legend(LEFT, 42.0, &legend);
    failures(&mut svg, soak);
    if let Some(worn) = &wear {
        wearing(&mut svg, soak, worn.erases, TOP + HIGH + GAP);
    }
    let bottom = TOP + HIGH + below;
    svg.words(LEFT, bottom + 18.0, Anchor::Start, "0");
    svg.words(LEFT + WIDE / 2.0, bottom + 18.0, Anchor::Middle, "cycles");
    svg.words(LEFT + WIDE, bottom + 18.0, Anchor::End, &failed.len().to_string());
    Some(svg.finish())
}

/// The curve of the failures over both halves, each with its share.
fn failures(svg: &mut Svg, soak: &Soak) {
    let (failed, most) = (soak.failed(), soak.counts().failures());
    let x = |cycle: usize| LEFT + cycle as f64 / failed.len() as f64 * WIDE;
    let y = |failures: u64| TOP + HIGH - failures as f64 / most.max(1) as f64 * HIGH;
    if soak.carries() {
        let (early, late, _) = soak.drift();
        let ends = [0, failed.len() / 2, failed.len()];
        let named = [("first half", early), ("second half", late)];
        for ((half, fill), (name, counts)) in ends.windows(2).zip(HALVES).zip(named) {
            svg.rect([x(half[0]), TOP, x(half[1]) - x(half[0]), HIGH], fill, name);
            svg.words(x(half[0]) + 6.0, TOP + 16.0, Anchor::Start, &format!("{name}: {}", share(counts)));
        }
    }
    axes(svg, TOP, HIGH);
    let mut points = vec![(x(0), y(0))];
    let mut grown = 0;
    for (cycle, _) in failed.iter().enumerate().filter(|(_, failed)| **failed) {
        // A step up at each failure.
        points.push((x(cycle + 1), y(grown)));
        grown += 1;
        points.push((x(cycle + 1), y(grown)));
    }
    points.push((x(failed.len()), y(grown)));
    svg.path(&points, colour(Class::LockedOut));
    svg.words(LEFT - 6.0, TOP + 10.0, Anchor::End, &most.to_string());
    svg.words(LEFT - 6.0, TOP + HIGH / 2.0, Anchor::End, "failures");
    svg.words(LEFT - 6.0, TOP + HIGH, Anchor::End, "0");
}

/// The erases of the sector that had most of them, under the line that it must not pass.
fn wearing(svg: &mut Svg, soak: &Soak, erases: u64, top: f64) {
    let course = soak.wear().course();
    let most = soak.endurance().unwrap_or(0).max(erases).max(1);
    let x = |cycle: usize| LEFT + cycle as f64 / course.len().max(1) as f64 * WIDE;
    let y = |erases: u64| top + WEAR - erases as f64 / most as f64 * WEAR;
    axes(svg, top, WEAR);
    if let Some(endurance) = soak.endurance() {
        svg.line([LEFT, y(endurance), LEFT + WIDE, y(endurance)], "#d1495b");
        svg.words(LEFT + WIDE, y(endurance) - 4.0, Anchor::End, &format!("it may see {endurance}"));
    }
    let points: Vec<(f64, f64)> = std::iter::once((x(0), y(0)))
        .chain(course.iter().zip(1..).map(|(erases, cycle)| (x(cycle), y(*erases))))
        .collect();
    svg.path(&points, WORN);
    svg.words(LEFT - 6.0, top + 10.0, Anchor::End, &most.to_string());
    svg.words(LEFT - 6.0, top + WEAR / 2.0, Anchor::End, "erases");
    svg.words(LEFT - 6.0, top + WEAR, Anchor::End, "0");
}

fn axes(svg: &mut Svg, top: f64, high: f64) {
    svg.line([LEFT, top + high, LEFT + WIDE, top + high], "#404040");
    svg.line([LEFT, top, LEFT, top + high], "#404040");
}

fn worn(soak: &Soak) -> Option<crate::wear::Worn> {
    soak.wear().most().filter(|_| soak.carries())
}

/// The cycles, both halves, and the wear in tenths.
pub(super) fn text(soak: &Soak, width: usize) -> Option<String> {
    let failed = soak.failed();
    failed.first()?;
    let columns = width.clamp(1, 200).min(failed.len());
    let cycles = failed.len();
    let outcomes = failed.iter().enumerate().map(|(cycle, failed)| (rows::column(cycle, cycles, columns), *failed));
    let mut rows = vec![Row { name: "cycles", cells: rows::outcomes(outcomes, columns), note: share(soak.counts()) }];
    if soak.carries() {
        let (early, late, _) = soak.drift();
        rows.push(Row { name: "halves", cells: halves(columns), note: both(early, late) });
    }
    let mut legend = rows::MARKS.to_owned();
    if let Some(worn) = worn(soak) {
        let most = soak.endurance().unwrap_or(0).max(worn.erases).max(1);
        rows.push(Row {
            name: "wear",
            cells: tenths(soak.wear().course(), most, columns),
            note: format!("{} erases", worn.erases),
        });
        legend.push_str(&format!("   0-9 tenths of {most} erases"));
    }
    let axis = Axis { from: "1".to_owned(), to: cycles.to_string(), name: "cycles" };
    Some(rows::render(&rows, &axis, &legend))
}

fn halves(columns: usize) -> String {
    let first = columns / 2;
    format!("{}{}", "1".repeat(first), "2".repeat(columns - first))
}

fn both(early: Counts, late: Counts) -> String {
    let share = |counts: Counts| format!("{} of {}", counts.failures(), counts.trials());
    format!("1: {}, 2: {}", share(early), share(late))
}

/// At the end of each column, of the erases of the sector that had most of them.
fn tenths(course: &[u64], most: u64, columns: usize) -> String {
    let digit = |column: usize| {
        let last = ((column + 1) * course.len() / columns.max(1)).saturating_sub(1);
        let erases = course.get(last).copied().unwrap_or(0);
        // Nine at the most: all of them are the tenth tenth.
        char::from_digit((u128::from(erases) * 10 / u128::from(most)).min(9) as u32, 10).unwrap_or('9')
    };
    (0..columns).map(digit).collect()
}
