//! The survival map: which instants, and which depths or lengths of the fault, the firmware survives.
//!
//! Boundary: points of a sweep. One knob is a row of bars, two are a plane; further ones are not seen.

use std::collections::BTreeSet;

use brickproof_scenario::{Knob, Setting};

use super::field::{Field, Labels};
use super::sheet::Sheet;
use super::svg::Svg;
use super::{Busy, Caption, colour};
use crate::outcome::Class;

const ROW: f64 = 60.0;
const PLANE: f64 = 300.0;
const FLASH: f64 = 16.0;
/// More boxes than these are slow to draw and to load: some 5 MB of text.
const MOST_BOXES: usize = 40_000;
const ERASES: &str = "#7048b0";
const PROGRAMS: &str = "#2b7bba";

/// A knob's ends, and where a setting lies between them.
struct Axis {
    low: Setting,
    high: Setting,
    places: usize,
}

impl Axis {
    fn of(points: &[(Vec<Setting>, Class)], dimension: usize) -> Option<Self> {
        let mut settings: Vec<Setting> =
            points.iter().filter_map(|(settings, _)| settings.get(dimension).copied()).collect();
        settings.sort_unstable();
        settings.dedup();
        let (low, high) = (*settings.first()?, *settings.last()?);
        Some(Self { low, high, places: settings.len() })
    }

    fn place(&self, amount: i64) -> f64 {
        let length = (self.high.amount() - self.low.amount()).max(1) as f64;
        (amount - self.low.amount()) as f64 / length
    }

    fn labels(&self) -> Labels<'static> {
        Labels { low: self.low.to_string(), name: self.low.knob().name(), high: self.high.to_string() }
    }
}

pub(super) fn draw(points: &[(Vec<Setting>, Class)], caption: &Caption<'_>, sheet: Sheet) -> Option<String> {
    let across = Axis::of(points, 0)?;
    let up = Axis::of(points, 1);
    let mut svg = Svg::new(sheet);
    let count = |class: Class| points.iter().filter(|(_, it)| *it == class).count();
    let legend: Vec<(&str, String)> = Class::ALL
        .into_iter()
        .filter(|class| count(*class) > 0)
        .map(|class| (colour(class), format!("{} {}", count(class), class.name())))
        .collect();
    let below = svg.head(caption, &legend);
    let high = if up.is_some() { PLANE } else { ROW };
    let labels = up.as_ref().map(Axis::labels);
    let field = Field::new(sheet, below, high, &labels.iter().collect::<Vec<_>>(), &["flash"]);
    // The worse is drawn later, so that no failure hides behind a survival.
    let mut boxes: Vec<(&[Setting], Class, [f64; 4])> = points
        .iter()
        .filter_map(|(settings, class)| {
            Some((settings.as_slice(), *class, place(settings, &across, up.as_ref(), &field)?))
        })
        .collect();
    boxes.sort_by_key(|(_, class, _)| *class);
    let grain = if boxes.len() > MOST_BOXES { (field.wide * field.high / MOST_BOXES as f64).sqrt() } else { 0.5 };
    leave_out_hidden(&mut boxes, grain);
    for (settings, class, [x, y, wide, high]) in boxes {
        let place = [x, y, wide.max(grain), high.max(grain)];
        let title: Vec<String> = settings.iter().map(|it| format!("{} {it}", it.knob())).collect();
        svg.rect(place, colour(class), &format!("{}: {class}", title.join(", ")));
    }
    if let Some(labels) = &labels {
        field.up(&mut svg, labels);
    }
    let mut bottom = field.across(&mut svg, &across.labels());
    if across.low.knob() == Knob::After && !caption.busy.is_empty() {
        bottom = flash(&mut svg, &across, caption.busy, &field, bottom + 18.0);
    }
    Some(svg.finish(bottom + 8.0))
}

/// The box of a point.
fn place(settings: &[Setting], across: &Axis, up: Option<&Axis>, field: &Field) -> Option<[f64; 4]> {
    let mark = |places: usize, length: f64| (length / places.max(1) as f64).clamp(1.5, length);
    let width = mark(across.places, field.wide);
    let x = field.left + across.place(settings.first()?.amount()) * (field.wide - width);
    let (y, height) = match (up, settings.get(1)) {
        (Some(up), Some(second)) => {
            let height = mark(up.places, field.high);
            (field.top + (1.0 - up.place(second.amount())) * (field.high - height), height)
        }
        _ => (field.top, field.high),
    };
    Some([x, y, width, height])
}

/// Of those that lie in one square of so many points, the last one covers the others.
fn leave_out_hidden<S>(boxes: &mut Vec<(S, Class, [f64; 4])>, grain: f64) {
    let mut covered = BTreeSet::new();
    boxes.reverse();
    boxes.retain(|(_, _, [x, y, ..])| covered.insert([x, y].map(|it| (it / grain) as i64)));
    boxes.reverse();
}

/// What the flash does under the axis of time when nothing disturbs it.
fn flash(svg: &mut Svg, across: &Axis, busy: &[Busy], field: &Field, y: f64) -> f64 {
    field.beside(svg, y + 12.0, "flash");
    for Busy { from, to, erases } in busy {
        let place = |span: &brickproof_units::Span| {
            across.place(i64::try_from(span.get()).unwrap_or(i64::MAX)).clamp(0.0, 1.0) * field.wide
        };
        let (fill, what) = if *erases { (ERASES, "erase") } else { (PROGRAMS, "program") };
        let width = (place(to) - place(from)).max(0.6);
        if place(from) < field.wide && place(to) > 0.0 {
            svg.rect([field.left + place(from), y, width, FLASH], fill, &format!("{what} from {from} to {to}"));
        }
    }
    let legend = [(ERASES, "erases a page".to_owned()), (PROGRAMS, "programs a word".to_owned())];
    svg.legend(field.left, y + 36.0, &legend)
}
