//! The windows of a search: every trial at its instant, each window with the intervals of its edges.
//!
//! Boundary: what the search knows by now.

use brickproof_statistics::{Outcome, Window, WindowEdge};
use brickproof_units::Instant;

use super::field::{Field, Labels};
use super::rows::{self, Axis, Row};
use super::sheet::Sheet;
use super::svg::Svg;
use super::{Caption, colour};
use crate::campaign::as_span;
use crate::find::FindWindow;
use crate::outcome::Class;

const ROW: f64 = 44.0;
const WINDOW: &str = "#d1495b38";
const EDGE: &str = "#b98ad9";

pub(super) fn draw(find: &FindWindow, caption: &Caption<'_>, sheet: Sheet) -> Option<String> {
    let (from, to) = find.range();
    let tried = find.tried();
    tried.first()?;
    let mut svg = Svg::new(sheet);
    let (failed, survived) = (colour(Class::LockedOut), colour(Class::Survived));
    let failures = tried.iter().filter(|(_, outcome)| *outcome == Outcome::Failed).count();
    let legend = [
        (failed, format!("{failures} failed")),
        (survived, format!("{} survived", tried.len() - failures)),
        (WINDOW, "window".to_owned()),
        (EDGE, "credible interval of an edge".to_owned()),
    ];
    let below = svg.head(caption, &legend);
    let rows = ["failed", "survived"];
    let field = Field::new(sheet, below + sheet.line() + 4.0, 2.0 * ROW, &[], &rows);
    let length = to.since(from).as_nanos().max(1) as f64;
    let x = |at: Instant| field.x(at.since(from).as_nanos() as f64 / length);
    for Window { opens, closes, .. } in find.search().windows() {
        let ((open, open_low, open_high), (close, close_low, close_high)) = (ends(&opens), ends(&closes));
        let mut column = |from: Instant, to: Instant, fill: &str| {
            let title = format!("{} to {}", as_span(from), as_span(to));
            svg.rect([x(from), field.top, (x(to) - x(from)).max(1.0), field.high], fill, &title);
        };
        column(open, close, WINDOW);
        column(open_low, open_high, EDGE);
        column(close_low, close_high, EDGE);
    }
    // Up to where something is said already.
    let mut said = 0.0;
    for Window { opens, closes, .. } in find.search().windows() {
        let (open, close) = (ends(&opens).0, ends(&closes).0);
        // Beside each other where windows are narrow: the first ones are legible, and all are in the answer.
        let words = format!("{} to {}", as_span(open), as_span(close));
        said = svg.over([(x(open) + x(close)) / 2.0, field.above], said, &words).unwrap_or(said);
    }
    for (row, name) in (0..).zip(rows) {
        field.beside(&mut svg, field.top + (f64::from(row) + 0.5) * ROW + 4.0, name);
    }
    for (at, outcome) in tried {
        let (y, fill) = if *outcome == Outcome::Failed { (field.top, failed) } else { (field.top + ROW, survived) };
        svg.rect([x(*at) - 0.5, y + 4.0, 1.0, ROW - 8.0], fill, &as_span(*at).to_string());
    }
    let labels = Labels { low: as_span(from).to_string(), name: "fault.after", high: as_span(to).to_string() };
    let bottom = field.across(&mut svg, &labels);
    Some(svg.finish(bottom + 8.0))
}

/// The trials over the range, and the windows under them.
pub(super) fn text(find: &FindWindow, width: usize) -> Option<String> {
    let (from, to) = find.range();
    find.tried().first()?;
    let columns = width.clamp(1, 200);
    let length = u128::from(to.since(from).as_nanos()) + 1;
    // At most the last column.
    let column = |at: Instant| (u128::from(at.since(from).as_nanos()) * columns as u128 / length) as usize;
    let tried = find.tried().iter().map(|(at, outcome)| (column(*at), *outcome == Outcome::Failed));
    let mut windows = vec![' '; columns];
    let found = find.search().windows();
    for Window { opens, closes, .. } in &found {
        let ((open, open_low, open_high), (close, close_low, close_high)) = (ends(opens), ends(closes));
        windows[column(open)..=column(close)].fill('=');
        for (low, high) in [(open_low, open_high), (close_low, close_high)] {
            if low < high {
                windows[column(low)..=column(high)].fill('~');
            }
        }
    }
    let note = match found.len() {
        1 => "1 found".to_owned(),
        count => format!("{count} found"),
    };
    let rows = [
        Row { name: "trials", cells: rows::outcomes(tried, columns), note: String::new() },
        Row { name: "windows", cells: windows.into_iter().collect(), note },
    ];
    let axis = Axis { from: as_span(from).to_string(), to: as_span(to).to_string(), name: "fault.after" };
    Some(rows::render(&rows, &axis, &format!("{}   = window   ~ where its edge lies", rows::MARKS)))
}

/// Where an edge is, and its interval.
fn ends(edge: &WindowEdge) -> (Instant, Instant, Instant) {
    match *edge {
        WindowEdge::Resolved { at, low, high } => (at, low, high),
        WindowEdge::NotResolved { low, high, .. } => {
            let middle = brickproof_units::Span::nanos(high.since(low).as_nanos() / 2);
            (low + middle, low, high)
        }
        WindowEdge::AtTheEnd { at } => (at, at, at),
    }
}
