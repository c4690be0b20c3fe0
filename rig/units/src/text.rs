//! Characters that do something to whoever shows them: they steer a terminal, turn the direction of reading, hide, or are none.
//!
//! Boundary: one character at a time. Which text is somebody else's is known to whoever shows it.

use std::fmt::Write as _;

/// Whether showing `c` shows a character and does nothing else. A tab and the end of a line are not among them.
pub fn is_inert(c: char) -> bool {
    let code = u32::from(c);
    let is_noncharacter = code & 0xFFFE == 0xFFFE || (0xFDD0..=0xFDEF).contains(&code);
    let steers = matches!(c,
        // Marks, embeddings, overrides and isolates of directions, and what has no width.
        '\u{061C}' | '\u{180E}' | '\u{200B}'..='\u{200F}' | '\u{202A}'..='\u{202E}' | '\u{2060}'..='\u{206F}' | '\u{FEFF}'
        // Ends of lines and paragraphs, annotations, tags.
        | '\u{2028}' | '\u{2029}' | '\u{FFF9}'..='\u{FFFB}' | '\u{E0000}'..='\u{E007F}');
    !(c.is_control() || is_noncharacter || steers)
}

/// Appends `c`, or if it is not inert its bytes, written out: `\x1b`.
pub fn push_inert(text: &mut String, c: char) {
    if is_inert(c) {
        text.push(c);
        return;
    }
    for byte in c.encode_utf8(&mut [0; 4]).bytes() {
        let _ = write!(text, "\\x{byte:02x}");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(text: &str) -> String {
        text.chars().fold(String::new(), |mut shown, c| {
            push_inert(&mut shown, c);
            shown
        })
    }

    #[test]
    fn what_steers_is_written_out_byte_by_byte() {
        for (text, written) in [
            ("\u{1b}[31m", r"\x1b[31m"),
            ("a\0\u{7f}", r"a\x00\x7f"),
            ("\u{9b}2J", r"\xc2\x9b2J"),
            ("\u{202e}fdp.exe", r"\xe2\x80\xaefdp.exe"),
            ("\u{2066}\u{200b}\u{feff}", r"\xe2\x81\xa6\xe2\x80\x8b\xef\xbb\xbf"),
            ("\u{2028}", r"\xe2\x80\xa8"),
            ("\u{ffff}\u{1fffe}", r"\xef\xbf\xbf\xf0\x9f\xbf\xbe"),
            ("\u{e0041}", r"\xf3\xa0\x81\x81"),
        ] {
            assert_eq!(shown(text), written);
        }
        for text in ["Grüße, 12 µs", "日本語", "שלום", "😀", "<script>", "\u{fffd}"] {
            assert_eq!(shown(text), text, "it is only read");
        }
    }
}
