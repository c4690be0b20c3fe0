//! Text in the room that there is for it, counted in the columns of a terminal.
//!
//! Boundary: one line at a time, without escape sequences.

use unicode_width::{UnicodeWidthChar, UnicodeWidthStr};

/// `text` if it takes no more than `room` columns; otherwise its beginning, with a sign that there is more.
pub fn fit(text: &str, room: usize) -> String {
    if text.width() <= room {
        return text.to_owned();
    }
    let begun = beginning(text, room.saturating_sub(1));
    if room == 0 { String::new() } else { format!("{}…", begun.trim_end()) }
}

/// The same, with the middle left out instead of the end.
pub(super) fn fit_ends(text: &str, room: usize) -> String {
    if text.width() <= room {
        return text.to_owned();
    }
    let left = room.saturating_sub(1);
    let end: String = text.chars().rev().collect();
    let end: String = beginning(&end, left - left / 3).chars().rev().collect();
    if room == 0 { String::new() } else { format!("{}…{end}", beginning(text, left / 3)) }
}

/// As much of `text` as has room.
fn beginning(text: &str, room: usize) -> &str {
    let mut taken = 0;
    for (at, c) in text.char_indices() {
        taken += c.width().unwrap_or(0);
        if taken > room {
            return &text[..at];
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn what_has_no_room_says_that_there_is_more() {
        assert_eq!(fit("12 of 505 trials", 16), "12 of 505 trials");
        assert_eq!(fit("12 of 505 trials", 11), "12 of 505…");
        assert_eq!(fit("日本語テキスト", 7), "日本語…");
        assert_eq!(fit_ends("brown-out.nrf51.no-heal.1-8dfb35d9", 16), "brown…1-8dfb35d9");
    }

    proptest! {
        #[test]
        fn nothing_takes_more_than_its_room(text in any::<String>(), room in 0usize..40) {
            let text = text.replace(char::is_control, "");
            prop_assert!(fit(&text, room).width() <= room);
            prop_assert!(fit_ends(&text, room).width() <= room);
        }
    }
}
