//! What a picture is drawn on: how wide it is, and how large its letters are against that.
//!
//! Boundary: measures. One point of a sheet is one of a page that shows it as large as it is.

/// Who looks at a picture.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sheet {
    /// Somebody at a desk or with paper in the hand. This one is kept, and says what is under the mouse.
    Wide,
    /// Somebody with a phone, held upright: fewer words on a line, and nothing that only a mouse would find.
    Narrow,
}

impl Sheet {
    /// The margin at both sides.
    pub(super) const SIDE: f64 = 8.0;

    pub(super) const fn width(self) -> f64 {
        match self {
            Self::Wide => 910.0,
            // Phones are 320 points wide and more, and pages have margins.
            Self::Narrow => 340.0,
        }
    }

    /// The size of its letters.
    pub(super) const fn letters(self) -> f64 {
        match self {
            Self::Wide => 12.0,
            Self::Narrow => 13.0,
        }
    }

    /// From one line of words to the next.
    pub(super) const fn line(self) -> f64 {
        match self {
            Self::Wide => 16.0,
            Self::Narrow => 17.0,
        }
    }

    /// So wide are words, and rather less: which letters there are is the viewer's business.
    pub(super) fn extent(self, words: &str) -> f64 {
        0.58 * self.letters() * words.chars().count() as f64
    }

    /// Words in lines, none of them wider than this if it is more than one word. A number and its percent sign are one.
    pub(super) fn lines(self, words: &str, width: f64) -> Vec<String> {
        let mut lines: Vec<String> = Vec::new();
        for word in words.replace(" %", "\u{a0}%").split(' ').filter(|it| !it.is_empty()) {
            match lines.last_mut() {
                Some(line) if self.extent(&format!("{line} {word}")) <= width => {
                    line.push(' ');
                    line.push_str(word);
                }
                _ => lines.push(word.to_owned()),
            }
        }
        lines
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_broken_where_they_would_be_too_wide_and_none_is_lost() {
        let words = "how deep  and when does it fail";
        assert_eq!(
            Sheet::Wide.lines(words, Sheet::Wide.extent("how deep and")),
            ["how deep and", "when does it", "fail"]
        );
        assert_eq!(Sheet::Wide.lines(words, 1.0).join(" "), "how deep and when does it fail");
        assert_eq!(Sheet::Wide.lines("2.37 %, 1 %", 1.0), ["2.37\u{a0}%,", "1\u{a0}%"]);
        assert_eq!(Sheet::Narrow.lines("", 1.0), Vec::<String>::new());
    }
}
