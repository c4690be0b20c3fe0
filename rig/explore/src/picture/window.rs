//! The windows of a search: every trial at its instant, each window with the intervals of its edges.
//!
//! Boundary: what the search knows by now.

use brickproof_statistics::{Outcome, Window, WindowEdge};
use brickproof_units::Instant;

use super::rows::{self, Axis, Row};
use super::svg::{Anchor, Svg};
use super::{Caption, colour};
use crate::campaign::as_span;
use crate::find::FindWindow;
use crate::outcome::Class;

const LEFT: f64 = 70.0;
const WIDE: f64 = 790.0;
const TOP: f64 = 78.0;
const ROW: f64 = 44.0;

pub(super) fn draw(find: &FindWindow, caption: &Caption<'_>) -> Option<String> {
    let (from, to) = find.range();
    let tried = find.tried();
    tried.first()?;
    let length = to.since(from).as_nanos().max(1) as f64;
    let x = |at: Instant| LEFT + at.since(from).as_nanos() as f64 / length * WIDE;
    let mut svg = Svg::new(LEFT + WIDE + 40.0, TOP + 2.0 * ROW + 30.0);
    svg.words(LEFT, 20.0, Anchor::Start, &format!("{} ({} world)", caption.title, caption.world));
    let (failed, survived) = (colour(Class::LockedOut), colour(Class::Survived));
    let failures = tried.iter().filter(|(_, outcome)| *outcome == Outcome::Failed).count();
    let legend = [
        (failed, format!("{failures} failed")),
        (survived, format!("{} survived", tried.len() - failures)),
        ("#f3d9dd", "window".to_owned()),
        ("#b98ad9", "credible interval of an edge".to_owned()),
    ];
    svg.legend(LEFT, 42.0, &legend);
    // Up to where something is said already.
    let mut said = 0.0;
    for Window { opens, closes, .. } in find.search().windows() {
        let ((open, open_low, open_high), (close, close_low, close_high)) = (ends(&opens), ends(&closes));
        svg.rect(
            [x(open), TOP, (x(close) - x(open)).max(1.0), 2.0 * ROW],
            "#f3d9dd",
            &format!("{} to {}", as_span(open), as_span(close)),
        );
        for (low, high) in [(open_low, open_high), (close_low, close_high)] {
            let title = format!("{} to {}", as_span(low), as_span(high));
            svg.rect([x(low), TOP, (x(high) - x(low)).max(1.0), 2.0 * ROW], "#b98ad9", &title);
        }
    }
    for Window { opens, closes, .. } in find.search().windows() {
        let (open, close) = (ends(&opens).0, ends(&closes).0);
        // Beside each other where windows are narrow: the first ones are legible, and all are in the answer.
        let words = format!("{} to {}", as_span(open), as_span(close));
        let middle = (x(open) + x(close)) / 2.0;
        let half = 3.5 * words.chars().count() as f64;
        if middle - half > said {
            svg.words(middle.max(LEFT + half), TOP - 5.0, Anchor::Middle, &words);
            said = middle.max(LEFT + half) + half;
        }
    }
    for (row, name) in [(0.0, "failed"), (1.0, "survived")] {
        svg.words(LEFT - 6.0, TOP + (row + 0.5) * ROW + 4.0, Anchor::End, name);
    }
    for (at, outcome) in tried {
        let (y, fill) = if *outcome == Outcome::Failed { (TOP, failed) } else { (TOP + ROW, survived) };
        svg.rect([x(*at) - 0.5, y + 4.0, 1.0, ROW - 8.0], fill, &as_span(*at).to_string());
    }
    let bottom = TOP + 2.0 * ROW;
    svg.line([LEFT, bottom, LEFT + WIDE, bottom], "#404040");
    svg.words(LEFT, bottom + 16.0, Anchor::Start, &as_span(from).to_string());
    svg.words(LEFT + WIDE / 2.0, bottom + 16.0, Anchor::Middle, "fault.after");
    svg.words(LEFT + WIDE, bottom + 16.0, Anchor::End, &as_span(to).to_string());
    Some(svg.finish())
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
