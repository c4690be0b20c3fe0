//! How a station wires a board: which pins its light and its modem hang on, what they draw, the cable it is fed through.
//!
//! Boundary: pins and figures. Which pin bears which name is in the board's profile.

use brickproof_units::{Current, Resistance};

use crate::board::WiredPin;
use crate::chip::{Drive, Pin, PinEdge};
use crate::led::{Colour, Die, Led};

/// An LED of a status light at full duty; assumed.
const LED_CURRENT: Current = Current::new(5_000);
/// A modem that searches, shakes hands or transmits; assumed, between a quiet Wi-Fi module (80 mA) and a burst of one (300 mA).
const MODEM_CURRENT: Current = Current::new(120_000);
/// A usual cable of one metre.
pub const CABLE: Resistance = Resistance::new(200_000);

/// The pins of a board that have something on them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Wiring {
    /// Red, green and blue of the status light; lit while high.
    pub light: [Pin; 3],
    /// High while the modem draws its current.
    pub modem: Option<Pin>,
}

impl Wiring {
    /// The pins with what they draw, for [`crate::board::BoardConfig::pins`].
    pub fn pins(&self) -> Vec<WiredPin> {
        let lights = self.light.iter().map(|pin| WiredPin { pin: *pin, when_high: LED_CURRENT });
        let modem = self.modem.iter().map(|pin| WiredPin { pin: *pin, when_high: MODEM_CURRENT });
        lights.chain(modem).collect()
    }

    /// Lets the light follow an edge of one of its pins; `None` if the edge is of another pin.
    pub fn shine(&self, led: &mut Led, edge: &PinEdge) -> Option<()> {
        const COLOURS: [&[Colour]; 3] = [&[Colour::Red], &[Colour::Green], &[Colour::Blue]];
        let diodes =
            self.light.iter().zip(COLOURS).map(|(pin, colours)| Diode { pin: *pin, lit: Drive::High, colours });
        diodes.into_iter().find_map(|diode| diode.shine(led, edge))
    }
}

/// A diode on a pin.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Diode {
    /// The pin.
    pub pin: Pin,
    /// What the chip does to the pin while it is lit.
    pub lit: Drive,
    /// The dies of the model that stand for it. Of an amber one these are red and green alike, of a white one all three: rough, and enough for
    /// what people call its colour.
    pub colours: &'static [Colour],
}

impl Diode {
    /// The pin and what is drawn from it.
    pub fn wired(&self) -> WiredPin {
        let when_high = if self.lit == Drive::High { LED_CURRENT } else { Current::default() };
        WiredPin { pin: self.pin, when_high }
    }

    /// Lets a light follow an edge of the diode's pin; `None` if the edge is of another pin.
    pub fn shine(&self, led: &mut Led, edge: &PinEdge) -> Option<()> {
        let die = if edge.drive == self.lit { Die::Lit } else { Die::Dark };
        (self.pin == edge.pin).then(|| self.colours.iter().for_each(|colour| led.edge(edge.at, *colour, die)))
    }
}
