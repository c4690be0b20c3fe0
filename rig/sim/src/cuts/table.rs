//! Sweeps as a person reads them.
//!
//! Boundary: text. No number is made here that is not in a sweep.

use brickproof_virtual_board::flash::FlashOperation;

use super::subject::Tally;
use super::sweep::{OperationOutcome, Sweep};

/// A line of the table: what was swept, and what came of it.
#[derive(Clone, Debug)]
pub struct Row<T> {
    /// What was swept.
    pub label: String,
    /// How many flash operations were cut.
    pub operations: usize,
    /// What came of it.
    pub tally: T,
}

/// The rows under a head, shares in per cent of the trials of a row.
pub fn table<T: Tally>(rows: &[Row<T>]) -> String {
    let head = ["", "operations", "trials"].iter().chain(T::COLUMNS).map(|name| (*name).to_owned()).collect();
    let lines: Vec<Vec<String>> = std::iter::once(head).chain(rows.iter().map(cells)).collect();
    let mut widths = vec![0; T::COLUMNS.len() + 3];
    for line in &lines {
        widths.iter_mut().zip(line).for_each(|(width, cell)| *width = cell.len().max(*width));
    }
    lines.iter().map(|line| aligned(line, &widths)).collect()
}

/// Names to the left, numbers to the right.
fn aligned(line: &[String], widths: &[usize]) -> String {
    let cells = line.iter().zip(widths).enumerate().map(|(column, (cell, width))| match column {
        0 => format!("{cell:<width$}"),
        _ => format!("  {cell:>width$}"),
    });
    cells.chain(["\n".to_owned()]).collect()
}

fn cells<T: Tally>(row: &Row<T>) -> Vec<String> {
    let trials = row.tally.trials();
    let first = [row.label.clone(), grouped(row.operations as u64), grouped(trials)];
    first.into_iter().chain(row.tally.counts().into_iter().map(|count| share(count, trials))).collect()
}

/// `1,234 (5.6 %)`; nothing is rounded to 0 or 100 per cent that is not.
fn share(count: u64, of: u64) -> String {
    let per_mille = (u128::from(count) * 1000 + u128::from(of) / 2) / u128::from(of.max(1));
    let share = match per_mille {
        _ if count == 0 => return "0".to_owned(),
        0 => "<0.1".to_owned(),
        1000 if count < of => ">99.9".to_owned(),
        per_mille => format!("{}.{}", per_mille / 10, per_mille % 10),
    };
    format!("{} ({share} %)", grouped(count))
}

pub(super) fn grouped(number: u64) -> String {
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
pub fn breakdown<T: Tally>(sweep: &Sweep<T>) -> String {
    let mut places: Vec<(Place, T)> = Vec::new();
    for OperationOutcome { operation, tally, .. } in &sweep.operations {
        let place = Place::of(*operation);
        match places.iter_mut().find(|(known, _)| *known == place) {
            Some((_, sum)) => *sum += tally.clone(),
            None => places.push((place, tally.clone())),
        }
    }
    places.sort_by_key(|(place, _)| *place);
    let mut ranges: Vec<Range<T>> = Vec::new();
    for (place, tally) in places {
        match ranges.last_mut().filter(|range| range.takes(place, &tally)) {
            Some(range) => range.add(place, tally),
            None => ranges.push(Range { first: place, last: place, tally }),
        }
    }
    ranges.iter().filter(|range| range.tally.lost() > 0).map(Range::line).collect()
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
struct Range<T> {
    first: Place,
    last: Place,
    tally: T,
}

/// Words that are skipped because they are blank do not end a range if there are no more of them than this.
const GAP: u32 = 8;

impl<T: Tally> Range<T> {
    fn takes(&self, place: Place, tally: &T) -> bool {
        let (Place::Word(last), Place::Word(next)) = (self.last, place) else { return false };
        next - last <= GAP && Tenth::of(tally) == Tenth::of(&self.tally)
    }

    fn add(&mut self, place: Place, tally: T) {
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
        let lost = format!("{} of {} lost", grouped(self.tally.lost()), grouped(self.tally.trials()));
        let how = self.tally.losses();
        format!("  {what:<28} {lost:>24}  ({how})\n")
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
    fn of(tally: &impl Tally) -> Self {
        match (tally.lost(), tally.trials()) {
            (0, _) => Self::None,
            (lost, trials) if lost == trials => Self::All,
            (lost, trials) => Self::Some(lost * 10 / trials),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cuts::keys::Tally;

    #[test]
    fn a_table_has_counts_and_shares() {
        let careless = Tally { trials: 200_000, old: 7, torn: 199_993, lost: 199_993, ..Tally::default() };
        let careful = Tally { trials: 1_800, old: 600, new: 1_200, ..Tally::default() };
        let row = |label: &str, tally| Row { label: label.to_owned(), operations: 62, tally };
        let text = table(&[row("no-heal fractional", careless), row("heal-full ideal", careful)]);
        insta::assert_snapshot!(text, @r"
                            operations   trials       old key         new key               torn  blank  generated  stuck               lost  silently wrong  weak cells
        no-heal fractional          62  200,000    7 (<0.1 %)               0  199,993 (>99.9 %)      0          0      0  199,993 (>99.9 %)               0           0
        heal-full ideal             62    1,800  600 (33.3 %)  1,200 (66.7 %)                  0      0          0      0                  0               0           0
        ");
    }

    #[test]
    fn large_numbers_are_grouped_and_rare_events_are_not_rounded_away() {
        assert_eq!([0, 12, 123, 1_234, 123_456, 1_234_567].map(grouped).join(" "), "0 12 123 1,234 123,456 1,234,567");
        assert_eq!(
            [0, 1, 99_999, 100_000].map(|count| share(count, 100_000)).join(" / "),
            "0 / 1 (<0.1 %) / 99,999 (>99.9 %) / 100,000 (100.0 %)"
        );
    }

    #[test]
    fn a_breakdown_joins_neighbours_that_fare_alike_and_both_updates() {
        let word = |address, lost| (FlashOperation::Program { address, value: 0 }, lost);
        let update = [
            (FlashOperation::ErasePage { address: 0x3_ec00 }, 17),
            word(0x3_ec20, 18),
            word(0x3_ec24, 18),
            word(0x3_ec28, 0),
            word(0x3_ece0, 9),
        ];
        let outcome = |(operation, lost)| {
            OperationOutcome::new(operation, Tally { trials: 18, torn: lost, lost, ..Tally::default() })
        };
        let sweep = Sweep { operations: update.into_iter().chain(update).map(outcome).collect() };
        insta::assert_snapshot!(breakdown(&sweep), @r"
          erase of page 0x3ec00                   34 of 36 lost  (torn 34, blank 0, silently wrong 0)
          words 0x3ec20 to 0x3ec24                72 of 72 lost  (torn 72, blank 0, silently wrong 0)
          word 0x3ece0                            18 of 36 lost  (torn 18, blank 0, silently wrong 0)
        ");
        assert_eq!(breakdown(&Sweep::<Tally>::default()), "");
    }
}
