//! For an expectation that was missed: the line that comes closest to what was wanted, or none rather than nonsense.
//!
//! Boundary: a hint for people. No verdict may depend on it.

use brickproof_units::Ratio;

use crate::pattern::Pattern;

/// Below this share of agreement a line is not like what was wanted.
const LEAST_SCORE_PPM: u64 = 600_000;

/// Fewer letters than this resemble anything.
const LEAST_LENGTH: usize = 4;

/// Fixed text longer than this is compared by its beginning only: it bounds the cost per line.
const LONGEST_COMPARED: usize = 256;

/// A line that resembles what was wanted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Nearest<T> {
    /// The line, as it was given.
    pub line: T,
    /// The share of the wanted text that is there, in order. One whole if only what is between the fixed texts differs.
    pub score: Ratio,
}

/// Finds the line that is most like `wanted`; of equals the last.
///
/// What is compared is the fixed text of the pattern (for `temp=\d+ C` that is `temp=` and ` C`), in either case, anywhere in the line. The
/// score is one minus the edits per wanted byte. `None` if the pattern has too little fixed text to tell, or no line has 60 % of it.
pub fn nearest<T: AsRef<[u8]>>(wanted: &Pattern, lines: impl IntoIterator<Item = T>) -> Option<Nearest<T>> {
    let wanted: Vec<Vec<u8>> = wanted.literals().iter().map(|run| comparable(run)).collect();
    let length: usize = wanted.iter().map(Vec::len).sum();
    if length < LEAST_LENGTH {
        return None;
    }
    let mut best: Option<(usize, T)> = None;
    for line in lines {
        let text: Vec<u8> = line.as_ref().to_ascii_lowercase();
        let limit = best.as_ref().map_or(length, |(edits, _)| *edits);
        if missing_bytes(&wanted, &text) > limit {
            continue;
        }
        let edits = wanted.iter().map(|run| edits_to_find(run, &text)).sum();
        if edits <= limit {
            best = Some((edits, line));
        }
    }
    let (edits, line) = best?;
    let score = (length - edits) as u64 * 1_000_000 / length as u64;
    (score >= LEAST_SCORE_PPM).then_some(Nearest { line, score: Ratio::new(score) })
}

fn comparable(run: &[u8]) -> Vec<u8> {
    run[..run.len().min(LONGEST_COMPARED)].to_ascii_lowercase()
}

/// How many wanted bytes occur nowhere in `text`: each of them costs an edit, so this is a cheap lower bound.
fn missing_bytes(wanted: &[Vec<u8>], text: &[u8]) -> usize {
    let mut present = [false; 256];
    text.iter().for_each(|byte| present[usize::from(*byte)] = true);
    wanted.iter().flatten().filter(|byte| !present[usize::from(**byte)]).count()
}

/// The least number of bytes to insert, drop or change so that `wanted` occurs somewhere in `text` (Sellers 1980).
fn edits_to_find(wanted: &[u8], text: &[u8]) -> usize {
    let mut column: Vec<usize> = (0..=wanted.len()).collect();
    let mut least = wanted.len();
    for byte in text {
        let mut diagonal = column[0];
        for (row, letter) in wanted.iter().enumerate() {
            let changed = diagonal + usize::from(letter != byte);
            diagonal = column[row + 1];
            column[row + 1] = changed.min(column[row] + 1).min(column[row + 1] + 1);
        }
        least = least.min(column[wanted.len()]);
    }
    least
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const LOG: [&str; 5] = [
        "0000000123 [system] INFO: Cloud: connecting",
        "0000000456 [system] INFO: Cloud socket connected",
        "0000045461 [comm.dtls] ERROR: handshake failed -6800",
        "0000045470 [system] WARN: Cloud handshake failed, code=17",
        "> ",
    ];

    fn hint(pattern: Pattern) -> Option<(&'static str, u64)> {
        nearest(&pattern, LOG).map(|nearest| (nearest.line, nearest.score.get()))
    }

    #[test]
    fn a_small_difference_in_the_text_is_found() {
        assert_eq!(hint(Pattern::literal("cloud: Connecting").unwrap()), Some((LOG[0], 1_000_000)));
        assert_eq!(hint(Pattern::literal("Cloud handshake failed, code=16").unwrap()), Some((LOG[3], 967_741)));
    }

    #[test]
    fn a_regex_that_wants_another_number_is_recognised_by_its_fixed_text() {
        assert_eq!(hint(Pattern::regex(r"handshake failed -7b\d\d").unwrap()).map(|(line, _)| line), Some(LOG[2]));
    }

    #[test]
    fn nothing_is_better_than_nonsense() {
        assert_eq!(hint(Pattern::literal("Restoring public server key to flash").unwrap()), None);
        assert_eq!(hint(Pattern::regex(r"\d+ C").unwrap()), None);
        assert_eq!(nearest(&Pattern::literal("booted").unwrap(), [] as [&str; 0]), None);
    }

    #[test]
    fn of_equals_the_last_is_taken() {
        let lines = [(1, "booting"), (2, "booting")].map(|(number, text)| Numbered(number, text));
        assert_eq!(nearest(&Pattern::literal("booted").unwrap(), lines).map(|nearest| nearest.line.0), Some(2));
    }

    struct Numbered(u32, &'static str);
    impl AsRef<[u8]> for Numbered {
        fn as_ref(&self) -> &[u8] {
            self.1.as_bytes()
        }
    }

    proptest! {
        #[test]
        fn text_that_is_there_needs_no_edit_and_one_change_needs_one(
            before in "[a-z]{0,9}", wanted in "[a-z]{4,12}", after in "[a-z]{0,9}", at in any::<prop::sample::Index>(),
        ) {
            let line = format!("{before}{wanted}{after}");
            prop_assert_eq!(edits_to_find(wanted.as_bytes(), line.as_bytes()), 0);
            let mut other = line.into_bytes();
            other[before.len() + at.index(wanted.len())] = b'#';
            prop_assert!(edits_to_find(wanted.as_bytes(), &other) <= 1);
        }

        #[test]
        fn the_cheap_bound_is_a_bound(wanted in "[a-f]{1,8}", text in "[a-f]{0,12}") {
            let edits = edits_to_find(wanted.as_bytes(), text.as_bytes());
            prop_assert!(missing_bytes(&[wanted.into_bytes()], text.as_bytes()) <= edits);
        }
    }
}
