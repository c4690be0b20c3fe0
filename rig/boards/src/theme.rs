//! A theme of Device OS: what a board's status light shows in place of its vocabulary, since somebody gave it colours of their own.
//!
//! Boundary: bytes of the device configuration table (DCT) in, statuses and a product's profile out. How the table is read out of a board is
//! somebody else's business.
//!
//! The format is that of device-os v1.4.4 and v6.2.0, `system/src/system_led_signal.cpp`: at offset 3759 of the DCT a version, 1 if there is a
//! theme, and three bytes for each of thirteen signals: red and green, blue and pattern (four bits each), and the period in steps of 50 ms.

use std::fmt::Write as _;

use brickproof_light::Colour;
use brickproof_units::Span;

use crate::look::{LightStatus, Look, Shown};
use crate::profile::BoardProfile;

/// Where the theme is in a DCT (dct.h of device-os v1.4.4).
const OFFSET: usize = 3759;
/// How long its section is.
const SECTION: usize = 64;
const VERSION: u8 = 1;
const STEP: Span = Span::millis(50);

/// The signals in the order of `LEDSignal`, by the names of the vocabulary.
const SIGNALS: [&str; 13] = [
    "network_off",
    "network_on",
    "network_connecting",
    "network_dhcp",
    "network_connected",
    "cloud_connecting",
    "cloud_handshake",
    "cloud_connected",
    "safe_mode",
    "listening_mode",
    "dfu_mode",
    "firmware_update",
    "power_off",
];

/// Why bytes are no theme.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ThemeError {
    /// Neither a whole DCT nor the section alone.
    #[error(
        "{0} bytes are neither a device configuration table, with its theme at byte {OFFSET}, nor its section of {SECTION} bytes"
    )]
    Length(usize),
    /// The first byte says that the firmware's own theme counts.
    #[error("there is no theme of its own in it: the first byte of the section is {0:#04x}, not {VERSION:#04x}")]
    None(u8),
}

/// What a theme says of its signals.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Theme {
    /// Those that have a look, in their order.
    pub statuses: Vec<LightStatus>,
    /// Those that have none that could be recognised, and why.
    pub nameless: Vec<(&'static str, String)>,
}

impl Theme {
    /// The theme in `bytes`: a whole DCT, or the section alone.
    ///
    /// # Errors
    /// If they are neither, or the board has no theme of its own.
    pub fn read(bytes: &[u8]) -> Result<Self, ThemeError> {
        let section = if bytes.len() == SECTION { Some(bytes) } else { bytes.get(OFFSET..OFFSET + SECTION) };
        let (version, signals) = section.and_then(<[u8]>::split_first).ok_or(ThemeError::Length(bytes.len()))?;
        if *version != VERSION {
            return Err(ThemeError::None(*version));
        }
        let mut theme = Self::default();
        for (name, signal) in SIGNALS.into_iter().zip(signals.as_chunks().0) {
            match look(*signal) {
                Ok(look) => theme.statuses.push(LightStatus { name: name.to_owned(), led: None, look }),
                Err(why) => theme.nameless.push((name, why)),
            }
        }
        Ok(theme)
    }

    /// A product's profile that is `like` a board and shows this theme; only what differs is written.
    pub fn product(&self, like: &BoardProfile) -> String {
        let differs = |status: &&LightStatus| like.status(&status.name).is_none_or(|usual| usual.look != status.look);
        let mut text = format!("board: {0}-themed\nlike: {0}\nabout: \"{0} with a theme of its own\"\n", like.name);
        // Writing to a `String` cannot fail.
        let _ = writeln!(text, "\nlight:");
        for status in self.statuses.iter().filter(differs) {
            let _ = writeln!(text, "  {}: {}", status.name, written(&status.look));
        }
        for (name, why) in &self.nameless {
            let _ = writeln!(text, "  {name}: absent # {why}");
        }
        if text.ends_with("light:\n") {
            text.push_str("  {} # nothing differs\n");
        }
        text
    }
}

fn look([red_green, blue_pattern, period]: [u8; 3]) -> Result<Look, String> {
    let unpacked = |four_bits: u8| four_bits << 4 | four_bits;
    let [red, green, blue] = [red_green >> 4, red_green & 15, blue_pattern >> 4].map(unpacked);
    let colour = match Colour::of_drive(red, green, blue) {
        Colour::Off => return Ok(crate::look::OFF),
        Colour::Unknown => {
            return Err(format!("{red:02x}{green:02x}{blue:02x} is between the colours that are told apart"));
        }
        colour => colour,
    };
    let period = Span::nanos(STEP.get() * u64::from(period));
    let shown = match (blue_pattern & 15, period) {
        (1, _) => Shown::Solid,
        (2 | 3, Span::ZERO) => return Err("it has a rhythm and no period".to_owned()),
        (2, period) => Shown::Blink { period },
        (3, period) => Shown::Breathe { period },
        (other, _) => return Err(format!("pattern {other} is none that Device OS has")),
    };
    Ok(Look { colour: colour.into(), shown })
}

fn written(look: &Look) -> String {
    match look.shown {
        Shown::Solid => format!("{{ solid: {} }}", look.colour),
        Shown::Blink { period } => format!("{{ colour: {}, blink: {period} }}", look.colour),
        Shown::Breathe { period } => format!("{{ colour: {}, breathe: {period} }}", look.colour),
        // A theme has no others.
        Shown::Off | Shown::Flash { .. } | Shown::Sos { .. } => "off".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use std::sync::LazyLock;

    use super::*;
    use crate::Shelf;

    /// The factory's theme of device-os v1.4.4, as its table packs it (white, blue, green, cyan, magenta, yellow; 0x1F1F1F loses its lower bits).
    const FACTORY: [u8; 39] = [
        0xFF, 0xF3, 80, 0x00, 0xF3, 80, 0x0F, 0x02, 4, 0x0F, 0x02, 2, 0x0F, 0x03, 80, 0x0F, 0xF2, 4, 0x0F, 0xF2, 2,
        0x0F, 0xF3, 80, 0xF0, 0xF3, 80, 0x00, 0xF2, 10, 0xFF, 0x02, 4, 0xF0, 0xF2, 2, 0x11, 0x11, 0,
    ];

    static SHIPPED: LazyLock<Shelf> = LazyLock::new(Shelf::shipped);

    fn section(signals: &[u8]) -> Vec<u8> {
        let mut section = vec![VERSION];
        section.extend(signals);
        section.resize(SECTION, 0xFF);
        section
    }

    fn product(section: &[u8]) -> String {
        Theme::read(section).unwrap().product(SHIPPED.board("photon").unwrap())
    }

    #[test]
    fn the_factorys_theme_is_the_vocabulary_of_the_profiles() {
        let theme = Theme::read(&section(&FACTORY)).unwrap();
        assert_eq!((theme.statuses.len(), theme.nameless.len()), (13, 0));
        assert!(product(&section(&FACTORY)).ends_with("light:\n  {} # nothing differs\n"));
    }

    #[test]
    fn what_differs_becomes_a_profile_that_the_rig_reads() {
        let mut signals = FACTORY;
        signals[3 * 7..3 * 8].copy_from_slice(&[0xF0, 0x03, 20]); // cloud_connected: red, breathing every second
        signals[3 * 6..3 * 7].copy_from_slice(&[0xFB, 0x01, 0]); // cloud_handshake: between orange and yellow
        signals[3 * 5..3 * 6].copy_from_slice(&[0xF0, 0x02, 0]); // cloud_connecting: a blink without a period
        signals[3..6].copy_from_slice(&[0x00, 0x01, 0]); // network_on: dark
        let text = product(&section(&signals));
        insta::assert_snapshot!(text, @r#"
        board: photon-themed
        like: photon
        about: "photon with a theme of its own"

        light:
          network_on: off
          cloud_connected: { colour: red, breathe: 1s }
          cloud_connecting: absent # it has a rhythm and no period
          cloud_handshake: absent # ffbb00 is between the colours that are told apart
        "#);
        let mut shelf = SHIPPED.clone();
        shelf.add("themed.yaml", text).unwrap();
        let themed = shelf.board("photon-themed").unwrap();
        assert_eq!(themed.status("cloud_connected").unwrap().look.to_string(), "red, breathing every 1s");
        assert!(themed.status("cloud_handshake").is_none());
    }

    #[test]
    fn a_whole_table_has_it_at_its_place_and_what_is_none_is_refused() {
        let mut dct = vec![0xFF; 8391];
        assert_eq!(Theme::read(&dct), Err(ThemeError::None(0xFF)));
        dct[OFFSET..OFFSET + SECTION].copy_from_slice(&section(&FACTORY));
        assert_eq!(Theme::read(&dct), Theme::read(&section(&FACTORY)));
        assert_eq!(Theme::read(&dct[..OFFSET + SECTION - 1]), Err(ThemeError::Length(3822)));
        assert_eq!(Theme::read(&[]), Err(ThemeError::Length(0)));
    }

    proptest::proptest! {
        #[test]
        fn no_theme_makes_a_profile_that_the_rig_refuses(signals in proptest::collection::vec(proptest::prelude::any::<u8>(), 39)) {
            let mut shelf = SHIPPED.clone();
            let text = product(&section(&signals));
            proptest::prop_assert!(shelf.add("themed.yaml", &text).is_ok(), "{}", text);
        }
    }
}
