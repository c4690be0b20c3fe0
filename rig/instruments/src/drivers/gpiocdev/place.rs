//! How a bench file says where a line is: `17`, `PHOTON_RST`, `22 push-pull active-high`.
//!
//! Boundary: text. Whether the place exists is known to the kernel.

use std::str::FromStr;

/// How a driven line leaves its safe state.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Style {
    /// Pulled low or let go: a board's own pull-up decides the rest. What RESET and MODE lines need.
    OpenDrain,
    /// Driven both ways, for a switch.
    PushPull,
}

/// Which level is the active one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Polarity {
    /// The usual of RESET and buttons.
    ActiveLow,
    /// The usual of switches.
    ActiveHigh,
}

/// A line's place on a chip, by offset or by the kernel's name, and how it is driven.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    /// The offset or the name.
    pub at: String,
    /// How it is driven.
    pub style: Style,
    /// What asserted means.
    pub polarity: Polarity,
}

/// A place that makes no sense.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PlaceError {
    /// Nothing is said.
    #[error("a line needs an offset or a name")]
    Empty,
    /// A word that means nothing.
    #[error("`{0}` is none of open-drain, push-pull, active-low, active-high")]
    Word(String),
    /// Open drain and active high.
    #[error("an open drain pulls low, so its active level cannot be high")]
    HighOpenDrain,
}

impl FromStr for Place {
    type Err = PlaceError;

    fn from_str(text: &str) -> Result<Self, PlaceError> {
        let mut words = text.split_whitespace();
        let at = words.next().ok_or(PlaceError::Empty)?.to_owned();
        let (mut style, mut polarity) = (Style::OpenDrain, Polarity::ActiveLow);
        for word in words {
            match word {
                "open-drain" => style = Style::OpenDrain,
                "push-pull" => style = Style::PushPull,
                "active-low" => polarity = Polarity::ActiveLow,
                "active-high" => polarity = Polarity::ActiveHigh,
                _ => return Err(PlaceError::Word(word.to_owned())),
            }
        }
        Ok(Self { at, style, polarity })
    }
}

impl Place {
    /// Whether a line can be driven like this. One that is only watched may have either level as its active one.
    pub fn check_driven(&self) -> Result<(), PlaceError> {
        match (self.style, self.polarity) {
            (Style::OpenDrain, Polarity::ActiveHigh) => Err(PlaceError::HighOpenDrain),
            _ => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bare_place_is_open_drain_and_active_low() {
        let place: Place = "17".parse().unwrap();
        assert_eq!(place, Place { at: "17".to_owned(), style: Style::OpenDrain, polarity: Polarity::ActiveLow });
    }

    #[test]
    fn a_switch_says_how_it_is_driven() {
        let place: Place = "POWER_EN push-pull active-high".parse().unwrap();
        assert_eq!((place.style, place.polarity), (Style::PushPull, Polarity::ActiveHigh));
    }

    #[test]
    fn nonsense_is_refused() {
        assert_eq!("".parse::<Place>(), Err(PlaceError::Empty));
        assert_eq!("17 push-poll".parse::<Place>(), Err(PlaceError::Word("push-poll".to_owned())));
        let watched: Place = "17 active-high".parse().unwrap();
        assert_eq!(watched.check_driven(), Err(PlaceError::HighOpenDrain));
    }
}
