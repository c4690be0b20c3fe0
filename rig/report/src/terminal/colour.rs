//! Colours of a terminal: of verdicts, and of a light in its own.
//!
//! Boundary: escape sequences out of words. Which of them a terminal shows is known to the caller.

use brickproof_light::Colour as Hue;

/// Which escape sequences for colour may be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Colour {
    /// None: there is no terminal, or somebody forbade it.
    Plain,
    /// The sixteen that every terminal has.
    Sixteen,
    /// A palette of 256.
    Palette,
    /// Any.
    True,
}

/// The hues of lights: red, green and blue, dark enough for a white screen and bright enough for a black one; the nearest of the palette; the
/// nearest of sixteen.
const HUES: [(Hue, [u8; 3], u8, u8); 8] = [
    (Hue::Red, [229, 57, 53], 160, 31),
    (Hue::Orange, [245, 130, 0], 208, 33),
    (Hue::Yellow, [214, 178, 0], 178, 93),
    (Hue::Green, [46, 160, 67], 35, 32),
    (Hue::Cyan, [0, 172, 193], 37, 36),
    (Hue::Blue, [41, 98, 255], 27, 34),
    (Hue::Magenta, [216, 27, 196], 164, 35),
    (Hue::White, [176, 176, 176], 249, 37),
];

impl Colour {
    /// `text` in the colour of a verdict.
    pub(super) fn paint(self, verdict: &str, text: &str) -> String {
        let code = match verdict {
            "passed" => "32",
            "failed" => "31",
            _ => "33",
        };
        self.painted(code, text)
    }

    /// A dot in the colour of the light that is told, an empty one if it is off, and in front of what has no colour a gap; nothing at all without
    /// colour.
    pub(super) fn dot(self, told: &str) -> String {
        let is_named = |hue: Hue| {
            let name = hue.to_string();
            told.split(|c: char| !c.is_ascii_alphabetic()).any(|word| word == name)
        };
        if self == Self::Plain {
            return String::new();
        }
        let Some((_, [red, green, blue], palette, sixteen)) = HUES.iter().find(|(hue, ..)| is_named(*hue)) else {
            return if is_named(Hue::Off) { "○ ".to_owned() } else { "  ".to_owned() };
        };
        let code = match self {
            Self::True => format!("38;2;{red};{green};{blue}"),
            Self::Palette => format!("38;5;{palette}"),
            Self::Plain | Self::Sixteen => sixteen.to_string(),
        };
        format!("{} ", self.painted(&code, "●"))
    }

    fn painted(self, code: &str, text: &str) -> String {
        match self {
            Self::Plain => text.to_owned(),
            _ => format!("\x1b[{code}m{text}\x1b[0m"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_light_is_shown_in_its_own_colour() {
        let told = "49.91s-57.78s    cyan, blinking, 200 ms (50 % on)";
        assert_eq!(Colour::True.dot(told), "\x1b[38;2;0;172;193m●\x1b[0m ");
        assert_eq!(Colour::Palette.dot(told), "\x1b[38;5;37m●\x1b[0m ");
        assert_eq!(Colour::Sixteen.dot(told), "\x1b[36m●\x1b[0m ");
        assert_eq!(Colour::Sixteen.dot("1.00s-1.25s  one red flash, 250 ms"), "\x1b[31m●\x1b[0m ");
        assert_eq!(Colour::True.dot("1.00s-2.00s  off"), "○ ");
        assert_eq!(Colour::True.dot("1.00s-2.00s  unknown"), "  ");
        assert_eq!(Colour::Plain.dot(told), "");
    }
}
