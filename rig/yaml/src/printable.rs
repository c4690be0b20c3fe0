//! Text from a file for a terminal.
//!
//! Boundary: characters in, characters out. A control character of somebody else's file must not steer the terminal of whoever reads about it.

/// `text` with its control characters written out: `\x1b`.
pub fn printable(text: &str) -> String {
    let mut shown = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            c if c.is_control() => shown.push_str(&format!("\\x{:02x}", u32::from(c))),
            c => shown.push(c),
        }
    }
    shown
}

/// A file's text as it is quoted below a mistake: lines and places stay where they are, so a control character becomes another character
/// of the same length.
pub(crate) fn quotable(text: &str) -> String {
    let shown = |c: char| match c {
        '\n' | '\r' | '\t' => c,
        c if c.is_ascii_control() => '?',
        c if c.is_control() => '¿',
        c => c,
    };
    text.chars().map(shown).collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn control_characters_are_written_out() {
        assert_eq!(printable("a\u{1b}[31m\0\u{9b}ü"), "a\\x1b[31m\\x00\\x9bü");
    }

    proptest! {
        #[test]
        fn a_quoted_file_keeps_its_places(text in any::<String>()) {
            let quoted = quotable(&text);
            prop_assert!(quoted.char_indices().map(|(at, _)| at).eq(text.char_indices().map(|(at, _)| at)));
            prop_assert!(!quoted.chars().any(|c| c.is_control() && !matches!(c, '\n' | '\r' | '\t')));
        }
    }
}
