//! The light-emitting diodes of a board: on which pins, and which colours they can make together.
//!
//! Boundary: what is soldered on. What the firmware shows with it is the vocabulary's.

use std::fmt;

use brickproof_light::Colour;
use brickproof_yaml::decode::Decoder;
use brickproof_yaml::tree::Node;
use brickproof_yaml::{Mistake, MistakeKind, suggest};

use crate::look::{LightStatus, Shade};
use crate::profile::{Line, line};

/// A light of one diode or several.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Led {
    /// Its name: `status`.
    pub name: String,
    /// Its diodes; never none, each once.
    pub diodes: Vec<(Primary, Line)>,
}

impl Led {
    /// The diode of that colour.
    pub fn diode(&self, primary: Primary) -> Option<&Line> {
        self.diodes.iter().find(|(known, _)| *known == primary).map(|(_, line)| line)
    }

    /// Whether its diodes can make this colour.
    pub fn can_show(&self, shade: Shade) -> bool {
        let has = |primary| self.diode(primary).is_some();
        let (red, green, blue) = (has(Primary::Red), has(Primary::Green), has(Primary::Blue));
        let Shade::Colour(colour) = shade else { return red && green || has(Primary::Amber) };
        match colour {
            Colour::Unknown | Colour::Off => true,
            Colour::Red => red,
            Colour::Orange | Colour::Yellow => red && green || has(Primary::Amber),
            Colour::Green => green,
            Colour::Cyan => green && blue,
            Colour::Blue => blue,
            Colour::Magenta => red && blue,
            Colour::White => red && green && blue || has(Primary::White),
        }
    }
}

/// Which of a board's lights: its place in the profile.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct LedIndex(pub u8);

impl LedIndex {
    /// The light that shows the statuses that name no other. A board whose profile names no light has it, too.
    pub const FIRST: Self = Self(0);

    /// The place as a number of an array's element.
    pub const fn position(self) -> usize {
        self.0 as usize
    }
}

/// The colour of one diode.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Primary {
    /// Red.
    Red,
    /// Green.
    Green,
    /// Blue.
    Blue,
    /// Between orange and yellow.
    Amber,
    /// White.
    White,
}

impl Primary {
    pub(crate) const ALL: [Self; 5] = [Self::Red, Self::Green, Self::Blue, Self::Amber, Self::White];

    /// As profiles call it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Red => "red",
            Self::Green => "green",
            Self::Blue => "blue",
            Self::Amber => "amber",
            Self::White => "white",
        }
    }
}

impl fmt::Display for Primary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

/// The light that shows a status. `None` if there is none, or none of that name.
pub(crate) fn of_status<'l>(leds: &'l [Led], status: &LightStatus) -> Option<&'l Led> {
    match &status.led {
        None => leds.first(),
        Some(name) => leds.iter().find(|led| led.name == *name),
    }
}

pub(crate) fn led(decoder: &mut Decoder<'_>, name: &str, node: &Node) -> Option<Led> {
    let entries = decoder.entries(node, "a mapping of a light's diodes to their pins")?;
    if entries.is_empty() {
        let message = format!("the light `{name}` has no diode");
        decoder.report(Mistake::new(MistakeKind::Empty, node.place, message).label("empty"));
        return None;
    }
    let read = |decoder: &mut Decoder<'_>, entry: &brickproof_yaml::tree::Entry| {
        let primary = Primary::ALL.into_iter().find(|primary| primary.name() == entry.key);
        if primary.is_none() {
            let message = format!("`{}` is not the colour of a diode", entry.key);
            let unknown = Mistake::new(MistakeKind::UnknownName, entry.key_place, message);
            let known = Primary::ALL.iter().map(|primary| primary.name());
            decoder.report(unknown.help(suggest::help("diodes", &entry.key, known)));
        }
        let line = line(decoder, &entry.key, &entry.value);
        Some((primary?, line?))
    };
    let diodes: Option<Vec<_>> =
        entries.iter().map(|entry| read(decoder, entry)).collect::<Vec<_>>().into_iter().collect();
    Some(Led { name: name.to_owned(), diodes: diodes? })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::profile::ActiveLevel;

    fn led(primaries: &[Primary]) -> Led {
        let line =
            |primary: &Primary| Line { name: primary.to_string(), pin: "P0.1".into(), active: ActiveLevel::High };
        Led { name: "status".into(), diodes: primaries.iter().map(|it| (*it, line(it))).collect() }
    }

    #[test]
    fn diodes_make_the_colours_that_they_can_mix() {
        use Colour::{Blue, Cyan, Green, Magenta, Orange, Red, White, Yellow};
        let all = [Red, Orange, Yellow, Green, Cyan, Blue, Magenta, White];
        let shown = |primaries: &[Primary]| {
            all.into_iter().filter(|colour| led(primaries).can_show((*colour).into())).collect::<Vec<_>>()
        };
        assert_eq!(shown(&[Primary::Red, Primary::Green, Primary::Blue]), all);
        assert_eq!(shown(&[Primary::Red, Primary::Green]), [Red, Orange, Yellow, Green]);
        assert_eq!(shown(&[Primary::Amber]), [Orange, Yellow]);
        assert_eq!(shown(&[Primary::White, Primary::Blue]), [Blue, White]);
    }
}
