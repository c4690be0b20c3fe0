//! Rows and lines in the room that there is.
//!
//! Boundary: where lines end and columns begin, counted in the columns of a terminal; what stands in them is the reports'. Nothing is left
//! out: what has no room beside something stands below it, and a word that is wider than everything is not broken.

use unicode_width::UnicodeWidthStr;

/// How far a line is moved in that belongs to the one above it.
const BELOW: usize = 4;

/// Columns as wide as what stands in them; the last one is not filled up. Where they have no room, the first cell of each row stands above the
/// others.
pub(super) fn table<const COLUMNS: usize>(
    head: [&str; COLUMNS],
    rows: &[[String; COLUMNS]],
    width: Option<usize>,
) -> String {
    let head = head.map(str::to_owned);
    let rows: Vec<&[String]> = std::iter::once(&head).chain(rows).map(|row| &row[..]).collect();
    let beside = lines(&rows, 2);
    if width.is_none_or(|width| beside.iter().all(|line| line.width() <= width)) {
        return beside.concat();
    }
    let others: Vec<&[String]> = rows.iter().map(|row| &row[1..]).collect();
    let below = lines(&others, 2 + BELOW);
    folded(&rows.iter().zip(below).map(|(row, below)| format!("  {}\n{below}", row[0])).collect::<String>(), width)
}

/// Each row as a line, its cells below those of the rows before it.
fn lines(rows: &[&[String]], indent: usize) -> Vec<String> {
    let columns = rows.first().map_or(0, |row| row.len());
    let width = |column: usize| rows.iter().map(|row| row[column].width()).max().unwrap_or(0);
    let widths: Vec<usize> = (0..columns).map(width).collect();
    let line = |row: &&[String]| {
        let cells = row.iter().zip(&widths).map(|(cell, width)| format!("{cell}{}", " ".repeat(width - cell.width())));
        let cells = cells.collect::<Vec<_>>().join("  ");
        format!("{:indent$}{}", "", cells).trim_end().to_owned() + "\n"
    };
    rows.iter().map(line).collect()
}

/// Lines that are too wide go on below, moved in.
pub(super) fn folded(text: &str, width: Option<usize>) -> String {
    let Some(width) = width else { return text.to_owned() };
    text.lines().map(|line| fold(line, width)).collect()
}

fn fold(line: &str, width: usize) -> String {
    let words = line.trim_start_matches(' ');
    let indent = line.len() - words.len();
    let (mut text, mut taken, mut begun) = (" ".repeat(indent), indent, false);
    for word in apart(words) {
        if begun && taken + word.trim_end_matches(' ').width() > width {
            text.truncate(text.trim_end_matches(' ').len());
            text.push_str(&format!("\n{:1$}", "", indent + BELOW));
            taken = indent + BELOW;
        }
        text.push_str(word);
        (taken, begun) = (taken + word.width(), true);
    }
    text.truncate(text.trim_end_matches(' ').len());
    text + "\n"
}

/// The words of a line, each with the blank behind it. A number and its `%` are one.
fn apart(line: &str) -> impl Iterator<Item = &str> {
    let ends = line.match_indices(' ').map(|(at, _)| at + 1).filter(|at| !line[*at..].starts_with('%'));
    let mut begin = 0;
    ends.chain([line.len()]).map(move |end| &line[std::mem::replace(&mut begin, end)..end])
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn rows() -> Vec<[String; 3]> {
        [["scenarios/a.yaml", "1 of 2", "2 in error"], ["日本.yaml", "30 of 40", ""]]
            .map(|row| row.map(str::to_owned))
            .into()
    }

    #[test]
    fn columns_begin_below_each_other() {
        assert_eq!(
            table(["scenario", "passed", ""], &rows(), Some(80)),
            "  scenario          passed\n  scenarios/a.yaml  1 of 2    2 in error\n  日本.yaml         30 of 40\n"
        );
    }

    #[test]
    fn where_there_is_no_room_the_first_cell_stands_above_the_others() {
        assert_eq!(
            table(["scenario", "passed", ""], &rows(), Some(30)),
            "  scenario\n      passed\n  scenarios/a.yaml\n      1 of 2    2 in error\n  日本.yaml\n      30 of 40\n"
        );
    }

    #[test]
    fn a_line_goes_on_below() {
        assert_eq!(folded("  one two three\nfour\n", Some(11)), "  one two\n      three\nfour\n");
        assert_eq!(folded("  one two three\n", None), "  one two three\n");
        assert_eq!(folded("half: 50 % of it\n", Some(9)), "half:\n    50 %\n    of it\n");
    }

    proptest! {
        #[test]
        fn folding_keeps_every_word_and_the_width(text in "( {0,4}[a-z日]{1,9}){0,12}", width in 12usize..60) {
            let folded = folded(&text, Some(width));
            let words = |text: &str| text.split_whitespace().map(str::to_owned).collect::<Vec<_>>();
            prop_assert_eq!(words(&folded), words(&text));
            for line in folded.lines() {
                prop_assert!(line.width() <= width || words(line).len() == 1, "{}", folded);
            }
        }
    }
}
