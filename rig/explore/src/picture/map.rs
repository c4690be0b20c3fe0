//! The survival map: which instants, and which depths or lengths of the fault, the firmware survives.
//!
//! Boundary: points of a sweep. One knob is a row of bars, two are a plane; further ones are not seen.

use brickproof_scenario::{Knob, Setting};

use super::svg::{Anchor, Svg};
use super::{Busy, Caption, colour};
use crate::outcome::Class;

const LEFT: f64 = 90.0;
const WIDE: f64 = 780.0;
const TOP: f64 = 58.0;
const ROW: f64 = 60.0;
const PLANE: f64 = 300.0;
const FLASH: f64 = 16.0;

/// A knob's ends, and where a setting lies between them.
struct Axis {
    knob: Knob,
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
        Some(Self { knob: low.knob(), low, high, places: settings.len() })
    }

    fn place(&self, amount: i64) -> f64 {
        let length = (self.high.amount() - self.low.amount()).max(1) as f64;
        (amount - self.low.amount()) as f64 / length
    }
}

pub(super) fn draw(points: &[(Vec<Setting>, Class)], caption: &Caption<'_>) -> Option<String> {
    let across = Axis::of(points, 0)?;
    let up = Axis::of(points, 1);
    let high = if up.is_some() { PLANE } else { ROW };
    let mut svg = Svg::new(LEFT + WIDE + 40.0, TOP + high + 110.0);
    svg.words(LEFT, 20.0, Anchor::Start, &format!("{} ({} world)", caption.title, caption.world));
    let count = |class: Class| points.iter().filter(|(_, it)| *it == class).count();
    let legend: Vec<(&str, String)> = Class::ALL
        .into_iter()
        .filter(|class| count(*class) > 0)
        .map(|class| (colour(class), format!("{} {}", count(class), class.name())))
        .collect();
    svg.legend(LEFT, 42.0, &legend);
    let mark = |places: usize, length: f64| (length / places.max(1) as f64).clamp(1.5, length);
    let width = mark(across.places, WIDE);
    // The worse is drawn later, so that no failure hides behind a survival.
    let mut ordered: Vec<&(Vec<Setting>, Class)> = points.iter().collect();
    ordered.sort_by_key(|(_, class)| *class);
    for (settings, class) in ordered {
        let Some(first) = settings.first() else { continue };
        let x = LEFT + across.place(first.amount()) * (WIDE - width);
        let title: Vec<String> = settings.iter().map(|it| format!("{} {it}", it.knob())).collect();
        let title = format!("{}: {class}", title.join(", "));
        let (y, height) = match (&up, settings.get(1)) {
            (Some(up), Some(second)) => {
                let height = mark(up.places, PLANE);
                (TOP + (1.0 - up.place(second.amount())) * (PLANE - height), height)
            }
            _ => (TOP, ROW),
        };
        svg.rect([x, y, width, height], colour(*class), &title);
    }
    axes(&mut svg, &across, up.as_ref(), high);
    if across.knob == Knob::After {
        flash(&mut svg, &across, caption.busy, TOP + high + 44.0);
    }
    Some(svg.finish())
}

fn axes(svg: &mut Svg, across: &Axis, up: Option<&Axis>, high: f64) {
    let bottom = TOP + high;
    svg.line([LEFT, bottom, LEFT + WIDE, bottom], "#404040");
    svg.words(LEFT, bottom + 16.0, Anchor::Start, &across.low.to_string());
    svg.words(LEFT + WIDE / 2.0, bottom + 16.0, Anchor::Middle, across.knob.name());
    svg.words(LEFT + WIDE, bottom + 16.0, Anchor::End, &across.high.to_string());
    if let Some(up) = up {
        svg.words(LEFT - 6.0, bottom, Anchor::End, &up.low.to_string());
        svg.words(LEFT - 6.0, TOP + high / 2.0, Anchor::End, up.knob.name());
        svg.words(LEFT - 6.0, TOP + 10.0, Anchor::End, &up.high.to_string());
    }
}

/// What the flash does under the axis of time when nothing disturbs it.
fn flash(svg: &mut Svg, across: &Axis, busy: &[Busy], y: f64) {
    if busy.is_empty() {
        return;
    }
    svg.words(LEFT - 6.0, y + 12.0, Anchor::End, "flash");
    for Busy { from, to, erases } in busy {
        let place = |span: &brickproof_units::Span| {
            across.place(i64::try_from(span.get()).unwrap_or(i64::MAX)).clamp(0.0, 1.0) * WIDE
        };
        let (fill, what) = if *erases { ("#7048b0", "erase") } else { ("#2b7bba", "program") };
        let width = (place(to) - place(from)).max(0.6);
        if place(from) < WIDE && place(to) > 0.0 {
            svg.rect([LEFT + place(from), y, width, FLASH], fill, &format!("{what} from {from} to {to}"));
        }
    }
    let legend = [("#7048b0", "erases a page".to_owned()), ("#2b7bba", "programs a word".to_owned())];
    svg.legend(LEFT, y + 36.0, &legend);
}
