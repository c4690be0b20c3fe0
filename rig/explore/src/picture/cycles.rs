//! The cycles of a soak: how its failures grew, what both halves of it say, and how its flash wore.
//!
//! Boundary: what a soak counted, in the order in which it counted.

use brickproof_statistics::Counts;

use super::field::{Field, Labels};
use super::rows::{self, Axis, Row};
use super::sheet::Sheet;
use super::svg::{Anchor, Svg};
use super::{Caption, colour, share};
use crate::course::Course;
use crate::outcome::Class;
use crate::soak::Soak;

const HIGH: f64 = 180.0;
/// Between what failed and how it wore.
const GAP: f64 = 30.0;
const WEAR: f64 = 90.0;
const WORN: &str = "#7048b0";
const HALVES: [&str; 2] = ["#8090a01a", "#8090a03c"];

pub(super) fn draw(soak: &Soak, course: &Course, caption: &Caption<'_>, sheet: Sheet) -> Option<String> {
    let failed = soak.failed();
    failed.first()?;
    let wear = worn(soak);
    let mut svg = Svg::new(sheet);
    let mut legend = vec![(colour(Class::LockedOut), format!("failures: {}", share(soak.counts())))];
    if soak.carries() {
        let (early, late, _) = soak.drift();
        legend.push((HALVES[0], format!("first half: {}", share(early))));
        legend.push((HALVES[1], format!("second half: {}", share(late))));
    }
    if let Some(worn) = &wear {
        legend.push((WORN, format!("erases of {} of {}", worn.sector, course.name_of(worn.board))));
    }
    let below = svg.head(caption, &legend);
    let labels = |name, most: u64| Labels { low: "0".to_owned(), name, high: most.to_string() };
    let failures = labels("failures", soak.counts().failures());
    let most = wear.map(|worn| soak.endurance().unwrap_or(0).max(worn.erases).max(1));
    let erases = most.map(|most| labels("erases", most));
    let axes: Vec<&Labels<'_>> = [&failures].into_iter().chain(&erases).collect();
    let mut field = Field::new(sheet, below, HIGH, &axes, &[]);
    failing(&mut svg, soak, &field);
    field.up(&mut svg, &failures);
    if let (Some(most), Some(erases)) = (most, &erases) {
        field.ground(&mut svg);
        field = Field::new(sheet, field.bottom() + GAP, WEAR, &axes, &[]);
        wearing(&mut svg, soak, most, &field);
        field.up(&mut svg, erases);
    }
    let cycles = Labels { low: "0".to_owned(), name: "cycles", high: failed.len().to_string() };
    let bottom = field.across(&mut svg, &cycles);
    Some(svg.finish(bottom + 8.0))
}

/// The curve of the failures over both halves.
fn failing(svg: &mut Svg, soak: &Soak, field: &Field) {
    let (failed, most) = (soak.failed(), soak.counts().failures());
    let x = |cycle: usize| field.x(cycle as f64 / failed.len() as f64);
    let y = |failures: u64| field.y(failures as f64 / most.max(1) as f64);
    if soak.carries() {
        let ends = [0, failed.len() / 2, failed.len()];
        for ((half, fill), name) in ends.windows(2).zip(HALVES).zip(["first half", "second half"]) {
            svg.rect([x(half[0]), field.top, x(half[1]) - x(half[0]), field.high], fill, name);
        }
    }
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
}

/// The erases of the sector that had most of them, under the line that it must not pass.
fn wearing(svg: &mut Svg, soak: &Soak, most: u64, field: &Field) {
    let course = soak.wear().course();
    let x = |cycle: usize| field.x(cycle as f64 / course.len().max(1) as f64);
    let y = |erases: u64| field.y(erases as f64 / most as f64);
    if let Some(endurance) = soak.endurance() {
        svg.line([field.left, y(endurance), field.right(), y(endurance)], "#d1495b");
        svg.words(field.right(), y(endurance) - 4.0, Anchor::End, &format!("it may see {endurance}"));
    }
    let points: Vec<(f64, f64)> = std::iter::once((x(0), y(0)))
        .chain(course.iter().zip(1..).map(|(erases, cycle)| (x(cycle), y(*erases))))
        .collect();
    svg.path(&points, WORN);
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
