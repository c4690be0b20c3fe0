//! Text from a file for a terminal.
//!
//! Boundary: characters in, characters out. A control character of somebody else's file must not steer the terminal of whoever reads about it.

use brickproof_units::{is_inert, push_inert};

/// `text` with what steers or deceives a reader written out, byte by byte: `\x1b`.
pub fn printable(text: &str) -> String {
    let mut shown = String::with_capacity(text.len());
    text.chars().for_each(|c| push_inert(&mut shown, c));
    shown
}

/// A file's text as it is quoted below a mistake: lines and places stay where they are, so what steers becomes another character
/// of the same length.
pub(crate) fn quotable(text: &str) -> String {
    let shown = |c: char| match c {
        '\n' | '\r' | '\t' => c,
        c if is_inert(c) => c,
        c => match c.len_utf8() {
            1 => '?',
            2 => '¿',
            3 => char::REPLACEMENT_CHARACTER,
            _ => '\u{1F6AB}',
        },
    };
    text.chars().map(shown).collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn control_characters_are_written_out() {
        assert_eq!(printable("a\u{1b}[31m\0\u{9b}ü"), "a\\x1b[31m\\x00\\xc2\\x9bü");
    }

    proptest! {
        #[test]
        fn a_quoted_file_keeps_its_places(text in any::<String>()) {
            let quoted = quotable(&text);
            prop_assert!(quoted.char_indices().map(|(at, _)| at).eq(text.char_indices().map(|(at, _)| at)));
            prop_assert!(quoted.chars().all(|c| is_inert(c) || matches!(c, '\n' | '\r' | '\t')));
        }
    }
}
