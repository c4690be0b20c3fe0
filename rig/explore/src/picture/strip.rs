//! A survival map in characters: one row, or one for each place of the second knob.
//!
//! Boundary: points of a sweep. Where several fall on one character, the worst is shown.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

use brickproof_scenario::Setting;

use crate::outcome::Class;

/// More rows are no picture any more.
const MOST_ROWS: usize = 24;

const fn mark(class: Class) -> char {
    match class {
        Class::Survived => '.',
        Class::LockedOut => '#',
        Class::Misbehaved => '~',
        Class::Silent => 'X',
        Class::Discarded | Class::Invalid => '?',
    }
}

pub(super) fn draw(points: &[(Vec<Setting>, Class)], width: usize) -> Option<String> {
    let first = |(settings, _): &(Vec<Setting>, Class)| settings.first().copied();
    let (low, high) = (points.iter().filter_map(first).min()?, points.iter().filter_map(first).max()?);
    let places = points.iter().filter_map(first).collect::<BTreeSet<_>>().len();
    let columns = width.clamp(1, 200).min(places);
    let length = (i128::from(high.amount()) - i128::from(low.amount())).max(1);
    let column = |setting: Setting| {
        let way = i128::from(setting.amount()) - i128::from(low.amount());
        // At most the last column.
        (way * columns as i128 / (length + 1)) as usize
    };
    let mut rows: BTreeMap<Option<Setting>, Vec<Option<Class>>> = BTreeMap::new();
    let grouped = points.iter().filter_map(|(settings, _)| settings.get(1)).collect::<BTreeSet<_>>().len() <= MOST_ROWS;
    for (settings, class) in points {
        let Some(at) = settings.first() else { continue };
        let key = settings.get(1).copied().filter(|_| grouped);
        let row = rows.entry(key).or_insert_with(|| vec![None; columns]);
        let cell = &mut row[column(*at)];
        *cell = Some(cell.map_or(*class, |known| known.max(*class)));
    }
    let label = |key: &Option<Setting>| key.map(|it| it.to_string()).unwrap_or_default();
    let margin = rows.keys().map(|key| label(key).chars().count()).max().unwrap_or(0);
    let mut text = String::new();
    for (key, row) in rows.iter().rev() {
        let cells: String = row.iter().map(|cell| cell.map_or(' ', mark)).collect();
        let _ = writeln!(text, "  {:>margin$} |{cells}|", label(key));
    }
    let (from, to) = (low.to_string(), high.to_string());
    let gap = columns.saturating_sub(from.chars().count() + to.chars().count()).max(1);
    let _ = writeln!(text, "  {:>margin$}  {from}{}{to}  ({})", "", " ".repeat(gap), low.knob());
    let shown: BTreeSet<Class> = rows.values().flatten().flatten().copied().collect();
    let legend: Vec<String> = shown.into_iter().map(|class| format!("{} {class}", mark(class))).collect();
    let _ = writeln!(text, "  {:>margin$}  {}", "", legend.join("   "));
    Some(text)
}
