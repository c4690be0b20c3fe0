//! The colours a person has a word for, and how a measured colour becomes one of them.
//!
//! Boundary: hue and saturation only. How bright the light is, and whether there is any, is decided elsewhere.

use std::fmt;

use crate::rgb::Rgb;

/// What a person would call the colour of the light.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Colour {
    /// Too little light, too pale, between two colours, several colours, or a clipped sensor.
    #[default]
    Unknown,
    /// No light.
    Off,
    /// Hue about 0°.
    Red,
    /// Hue about 22°: Device OS drives R 95, G 36 of 255 at default brightness, so green is 38 % of red.
    Orange,
    /// Hue about 60°.
    Yellow,
    /// Hue about 120°.
    Green,
    /// Hue about 180°.
    Cyan,
    /// Hue about 240°.
    Blue,
    /// Hue about 300°.
    Magenta,
    /// No hue.
    White,
}

/// Hue ranges in degrees. The gaps between them are wide enough that noise does not turn one name into another: what falls
/// there is unknown. Red and orange are close, so their gap is narrow: a green share of 22 % to 27 % of red.
const HUES: [(Colour, f32, f32); 9] = [
    (Colour::Red, 0.0, 12.0),
    (Colour::Orange, 15.0, 37.0),
    (Colour::Yellow, 46.0, 74.0),
    (Colour::Green, 95.0, 147.0),
    (Colour::Cyan, 162.0, 202.0),
    (Colour::Blue, 216.0, 262.0),
    (Colour::Magenta, 276.0, 334.0),
    (Colour::Red, 345.0, 360.0),
    (Colour::Red, 360.0, 361.0),
];

/// Paler than this is white ...
const WHITE_BELOW: f32 = 0.25;
/// ... and more saturated than this has a hue. A saturated LED under half as much white ambient light still has 0.67.
const HUE_ABOVE: f32 = 0.42;

impl Colour {
    /// The name of `light`, from the proportion of its channels alone.
    ///
    /// The hue is that of the HSV model: white light added to a colour changes its saturation, but not its hue.
    pub(crate) fn of(light: Rgb) -> Self {
        let [red, green, blue] = light.0.map(|channel| channel.max(0.0));
        let (highest, lowest) = (red.max(green).max(blue), red.min(green).min(blue));
        if highest <= 0.0 {
            return Self::Unknown;
        }
        let saturation = (highest - lowest) / highest;
        if saturation < WHITE_BELOW {
            return Self::White;
        }
        if saturation < HUE_ABOVE {
            return Self::Unknown;
        }
        let hue = hue([red, green, blue], highest, highest - lowest);
        HUES.iter().find(|(_, from, to)| (*from..*to).contains(&hue)).map_or(Self::Unknown, |(colour, ..)| *colour)
    }

    /// The name of what the three diodes of a light make together, each driven with so much of 255.
    pub fn of_drive(red: u8, green: u8, blue: u8) -> Self {
        match [red, green, blue] {
            [0, 0, 0] => Self::Off,
            drive => Self::of(Rgb(drive.map(f32::from))),
        }
    }

    /// Whether this names light of one colour.
    pub fn is_lit(self) -> bool {
        !matches!(self, Self::Unknown | Self::Off)
    }
}

/// Degrees, 0 to below 360 but for rounding. `range` is the highest channel minus the lowest, and positive.
fn hue([red, green, blue]: [f32; 3], highest: f32, range: f32) -> f32 {
    let sixth = if highest == red {
        (green - blue) / range
    } else if highest == green {
        2.0 + (blue - red) / range
    } else {
        4.0 + (red - green) / range
    };
    if sixth < 0.0 { (sixth + 6.0) * 60.0 } else { sixth * 60.0 }
}

impl fmt::Display for Colour {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Unknown => "unknown",
            Self::Off => "off",
            Self::Red => "red",
            Self::Orange => "orange",
            Self::Yellow => "yellow",
            Self::Green => "green",
            Self::Cyan => "cyan",
            Self::Blue => "blue",
            Self::Magenta => "magenta",
            Self::White => "white",
        })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Red, green and blue of Device OS's themes, of 255 (device-os v1.4.4 system_led_signal.cpp:52-83).
    const DRIVES: [(Colour, [f32; 3]); 8] = [
        (Colour::Red, [255.0, 0.0, 0.0]),
        (Colour::Orange, [255.0, 96.0, 0.0]),
        (Colour::Yellow, [255.0, 255.0, 0.0]),
        (Colour::Green, [0.0, 255.0, 0.0]),
        (Colour::Cyan, [0.0, 255.0, 255.0]),
        (Colour::Blue, [0.0, 0.0, 255.0]),
        (Colour::Magenta, [255.0, 0.0, 255.0]),
        (Colour::White, [255.0, 255.0, 255.0]),
    ];

    #[test]
    fn every_drive_has_its_name_even_under_half_as_much_white() {
        for (name, drive) in DRIVES {
            let drive = Rgb(drive);
            assert_eq!(Colour::of(drive), name);
            assert_eq!(Colour::of_drive(drive.0[0] as u8, drive.0[1] as u8, drive.0[2] as u8), name);
            assert_eq!(Colour::of(drive.plus(Rgb([127.0; 3]))), name);
        }
    }

    #[test]
    fn between_two_names_there_is_none() {
        for between in [[100.0, 23.5, 0.0], [100.0, 70.0, 0.0], [70.0, 100.0, 0.0], [100.0, 65.0, 65.0], [0.0; 3]] {
            assert_eq!(Colour::of(Rgb(between)), Colour::Unknown, "{between:?}");
        }
    }

    proptest! {
        #[test]
        fn brightness_does_not_change_the_name(red in 0u16..1000, green in 0u16..1000, blue in 0u16..1000, halvings in 0u8..8) {
            let light = Rgb([red, green, blue].map(f32::from));
            let dimmer = light.times(1.0 / f32::from(1u16 << halvings));
            prop_assert_eq!(Colour::of(light), Colour::of(dimmer));
        }
    }
}
