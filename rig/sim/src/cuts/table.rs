//! Sweeps as a person reads them.
//!
//! Boundary: text. No number is made here that is not in a sweep.

use brickproof_virtual_board::flash::FlashOperation;

use super::sweep::{OperationOutcome, Sweep, Tally};

/// A line of the table: what was swept, and what came of it.
#[derive(Clone, Debug)]
pub struct Row {
    /// What was swept.
    pub label: String,
    /// How many flash operations were cut.
    pub operations: usize,
    /// What came of it.
    pub tally: Tally,
}

const COLUMNS: [&str; 10] = [
    "operations",
    "trials",
    "old key",
    "new key",
    "torn",
    "blank",
    "generated",
    "lost",
    "silently wrong",
    "weak cells",
];

/// The rows under a head, shares in per cent of the trials of a row.
pub fn table(rows: &[Row]) -> String {
    let mut lines: Vec<Vec<String>> = vec![std::iter::once("").chain(COLUMNS).map(str::to_owned).collect()];
    lines.extend(rows.iter().map(cells));
    let width = |column: usize| lines.iter().map(|line| line[column].len()).max().unwrap_or_default();
    let widths: Vec<usize> = (0..=COLUMNS.len()).map(width).collect();
    let print = |line: &Vec<String>| {
        let padded = line.iter().zip(&widths).enumerate().map(|(column, (cell, width))| match column {
            0 => format!("{cell:<width$}"),
            _ => format!("  {cell:>width$}"),
        });
        padded.collect::<String>().trim_end().to_owned() + "\n"
    };
    lines.iter().map(print).collect()
}

fn cells(row: &Row) -> Vec<String> {
    let tally = &row.tally;
    let counts =
        [tally.old, tally.new, tally.torn, tally.blank, tally.generated, tally.lost, tally.silently_wrong, tally.weak];
    let mut cells = vec![row.label.clone(), grouped(row.operations as u64), grouped(tally.trials)];
    cells.extend(counts.map(|count| share(count, tally.trials)));
    cells
}

/// `1,234 (5.6 %)`; nothing is rounded to 0 or 100 per cent that is not.
fn share(count: u64, of: u64) -> String {
    if count == 0 {
        return "0".to_owned();
    }
    let rounded = (u128::from(count) * 1000 + u128::from(of) / 2) / u128::from(of.max(1));
    let permille = if count == of { 1000 } else { rounded.clamp(1, 999) };
    format!("{} ({}.{} %)", grouped(count), permille / 10, permille % 10)
}

fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let first = (digits.len() + 2) % 3 + 1;
    digits.char_indices().fold(String::new(), |mut text, (index, digit)| {
        if index >= first && (index - first).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
        text
    })
}

/// Where boards are lost: the operations of all updates by what they do and where, neighbours that fare alike put together. Empty if
/// none is lost.
pub fn breakdown(sweep: &Sweep) -> String {
    let mut places: Vec<(Place, Tally)> = Vec::new();
    for OperationOutcome { operation, tally, .. } in &sweep.operations {
        let place = Place::of(*operation);
        match places.iter_mut().find(|(known, _)| *known == place) {
            Some((_, sum)) => *sum += *tally,
            None => places.push((place, *tally)),
        }
    }
    places.sort_by_key(|(place, _)| *place);
    let mut ranges: Vec<Range> = Vec::new();
    for (place, tally) in places {
        match ranges.last_mut().filter(|range| range.takes(place, &tally)) {
            Some(range) => range.add(place, tally),
            None => ranges.push(Range { first: place, last: place, tally }),
        }
    }
    ranges.iter().filter(|range| range.tally.lost > 0).map(Range::line).collect()
}

/// What an operation does and where; erases come first, as in an update.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Place {
    Erase(u32),
    Word(u32),
    Everything,
}

impl Place {
    fn of(operation: FlashOperation) -> Self {
        match operation {
            FlashOperation::ErasePage { address } => Self::Erase(address),
            FlashOperation::Program { address, .. } => Self::Word(address),
            FlashOperation::EraseAll | FlashOperation::EraseUicr => Self::Everything,
        }
    }
}

/// Neighbouring words that fare alike.
struct Range {
    first: Place,
    last: Place,
    tally: Tally,
}

/// Words that are skipped because they are blank do not end a range if there are no more of them than this.
const GAP: u32 = 8;

impl Range {
    fn takes(&self, place: Place, tally: &Tally) -> bool {
        let (Place::Word(last), Place::Word(next)) = (self.last, place) else { return false };
        next - last <= GAP && Tenth::of(tally) == Tenth::of(&self.tally)
    }

    fn add(&mut self, place: Place, tally: Tally) {
        self.last = place;
        self.tally += tally;
    }

    fn line(&self) -> String {
        let what = match (self.first, self.last) {
            (Place::Erase(page), _) => format!("erase of page {page:#x}"),
            (Place::Word(first), Place::Word(last)) if first != last => format!("words {first:#x} to {last:#x}"),
            (Place::Word(word), _) => format!("word {word:#x}"),
            (Place::Everything, _) => "erase of everything".to_owned(),
        };
        let Tally { trials, lost, torn, blank, silently_wrong, .. } = self.tally;
        let lost = format!("{} of {} lost", grouped(lost), grouped(trials));
        let rest =
            format!("torn {}, blank {}, silently wrong {}", grouped(torn), grouped(blank), grouped(silently_wrong));
        format!("  {what:<28} {lost:>24}  ({rest})\n")
    }
}

/// How many are lost, coarsely: none, all, or which tenth.
#[derive(PartialEq, Eq)]
enum Tenth {
    None,
    Some(u64),
    All,
}

impl Tenth {
    fn of(tally: &Tally) -> Self {
        match tally.lost {
            0 => Self::None,
            lost if lost == tally.trials => Self::All,
            lost => Self::Some(lost * 10 / tally.trials),
        }
    }
}
