//! Rows of characters over one axis, for a terminal.
//!
//! Boundary: cells and labels in, lines out. What a character stands for is said by whoever puts it there.

use std::fmt::Write as _;

/// What the marks of [`outcomes`] mean.
pub(super) const MARKS: &str = ". none failed   + some   # half or more";

/// One row: what it is called, its cells, and what is said behind them.
pub(super) struct Row {
    pub(super) name: &'static str,
    pub(super) cells: String,
    pub(super) note: String,
}

/// The axis under the rows.
pub(super) struct Axis<'a> {
    pub(super) from: String,
    pub(super) to: String,
    pub(super) name: &'a str,
}

pub(super) fn render(rows: &[Row], axis: &Axis<'_>, legend: &str) -> String {
    let margin = rows.iter().map(|row| row.name.chars().count()).max().unwrap_or(0);
    let width = rows.iter().map(|row| row.cells.chars().count()).max().unwrap_or(0);
    let mut text = String::new();
    for Row { name, cells, note } in rows {
        let line = format!("  {name:>margin$} |{cells:<width$}| {note}");
        let _ = writeln!(text, "{}", line.trim_end());
    }
    let Axis { from, to, name } = axis;
    let gap = width.saturating_sub(from.chars().count() + to.chars().count()).max(1);
    let _ = writeln!(text, "  {:>margin$}  {from}{}{to}  ({name})", "", " ".repeat(gap));
    let _ = writeln!(text, "  {:>margin$}  {legend}", "");
    text
}

/// How many of the outcomes that fall on each column failed.
pub(super) fn outcomes(of: impl Iterator<Item = (usize, bool)>, columns: usize) -> String {
    let mut counts = vec![(0_u64, 0_u64); columns];
    for (column, failed) in of {
        if let Some((failures, trials)) = counts.get_mut(column) {
            *failures += u64::from(failed);
            *trials += 1;
        }
    }
    let mark = |(failures, trials): (u64, u64)| match (failures, trials) {
        (_, 0) => ' ',
        (0, _) => '.',
        (failures, trials) if 2 * failures < trials => '+',
        _ => '#',
    };
    counts.into_iter().map(mark).collect()
}

/// Which of so many columns the `place`-th of `all` falls on.
pub(super) fn column(place: usize, all: usize, columns: usize) -> usize {
    place * columns / all.max(1)
}
