//! Bytes of a file to text.
//!
//! Boundary: encoding only.

use crate::Diagnostics;
use crate::mistake::{Mistake, MistakeKind, Mistakes, Place};

/// `bytes` as text. `path` is only used in messages.
///
/// # Errors
/// One mistake, at the first byte that is no text.
pub fn utf8<'b>(path: &str, bytes: &'b [u8]) -> Result<&'b str, Diagnostics> {
    std::str::from_utf8(bytes).map_err(|error| {
        let at = error.valid_up_to();
        // What is shown has to be text: the bad bytes become replacement characters, the text before them stays where it is.
        let shown = String::from_utf8_lossy(bytes);
        let place = Place { start: at, end: at + char::REPLACEMENT_CHARACTER.len_utf8() };
        let bad = Mistake::new(MistakeKind::Encoding, place, format!("the byte {:#04x} is not UTF-8", bytes[at]));
        let mut mistakes = Mistakes::default();
        mistakes.report(bad.label("not UTF-8").help("save the file as UTF-8"));
        mistakes.into_diagnostics(path, &shown)
    })
}
