//! Pins by their names, and what the chip and the world outside do to them.
//!
//! Boundary: names and levels. Ports and their registers are each family's.

use std::str::FromStr;

use brickproof_units::Instant;

/// Pins of an nRF, before the first of an STM32.
const NRF_PINS: u8 = 64;
/// Ports of an nRF; those of an STM32 come after them.
const NRF_PORTS: usize = 2;

/// A pin: P0.00 to P0.31 and P1.00 to P1.31 of an nRF, or PA0 to PD15 of an STM32. Of those every part has its own share.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Pin(u8);

impl Pin {
    /// Pin `number` of an nRF's port 0.
    pub const fn p0(number: u8) -> Self {
        Self(number & 31)
    }

    /// Pin `number` of an nRF's port 1.
    pub const fn p1(number: u8) -> Self {
        Self(32 + (number & 31))
    }

    /// Pin `number` of an STM32's GPIOA.
    pub const fn pa(number: u8) -> Self {
        Self::of_stm32(0, number as u32)
    }

    /// Pin `number` of an STM32's GPIOC.
    pub const fn pc(number: u8) -> Self {
        Self::of_stm32(2, number as u32)
    }

    pub(crate) const fn of_nrf(port: usize, number: u32) -> Self {
        Self((port as u8 & 1) * 32 + (number as u8 & 31))
    }

    pub(crate) const fn of_stm32(port: usize, number: u32) -> Self {
        Self(NRF_PINS + (port as u8 & 3) * 16 + (number as u8 & 15))
    }

    /// The port and the number within it. Ports 0 and 1 are an nRF's, 2 to 5 GPIOA to GPIOD.
    pub const fn place(self) -> (usize, u32) {
        match self.0.checked_sub(NRF_PINS) {
            None => ((self.0 / 32) as usize, (self.0 % 32) as u32),
            Some(pin) => (NRF_PORTS + (pin / 16) as usize, (pin % 16) as u32),
        }
    }

    /// The port of an STM32, 0 for GPIOA, and the number within it.
    pub(crate) const fn stm32_place(self) -> Option<(usize, u32)> {
        let (port, number) = self.place();
        match port.checked_sub(NRF_PORTS) {
            Some(port) => Some((port, number)),
            None => None,
        }
    }

    const fn bit(self) -> u64 {
        1 << (self.0 % NRF_PINS)
    }
}

/// The text names no pin.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a pin is P0.00 to P0.31 or P1.00 to P1.31 of an nRF, or PA0 to PD15 of an STM32")]
pub struct NoPin;

impl FromStr for Pin {
    type Err = NoPin;

    /// `P0.13` or `PC2`, as the parts' manuals write them.
    fn from_str(text: &str) -> Result<Self, NoPin> {
        let place = text.strip_prefix('P').ok_or(NoPin)?;
        let number = |text: &str, most: u8| text.parse().ok().filter(|number| *number <= most).ok_or(NoPin);
        if let Some((port, text)) = place.split_once('.') {
            return match port {
                "0" => Ok(Self::p0(number(text, 31)?)),
                "1" => Ok(Self::p1(number(text, 31)?)),
                _ => Err(NoPin),
            };
        }
        let port = place.chars().next().and_then(|letter| "ABCD".find(letter)).ok_or(NoPin)?;
        Ok(Self::of_stm32(port, u32::from(number(&place[1..], 15)?)))
    }
}

/// A set of pins of one chip.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct PinSet(u64);

impl PinSet {
    /// Whether `pin` is in it.
    pub const fn contains(self, pin: Pin) -> bool {
        self.0 & pin.bit() != 0
    }

    /// Of each of an nRF's ports the pins in its word.
    pub(crate) fn of_nrf(ports: impl DoubleEndedIterator<Item = u32>) -> Self {
        Self(ports.rev().fold(0, |set, port| set << 32 | u64::from(port)))
    }

    /// Of each of an STM32's ports the pins in its halfword.
    pub(crate) fn of_stm32(ports: impl DoubleEndedIterator<Item = u16>) -> Self {
        Self(ports.rev().fold(0, |set, port| set << 16 | u64::from(port)))
    }

    pub(crate) const fn of_nrf_port(self, port: usize) -> u32 {
        (self.0 >> (32 * port)) as u32
    }

    pub(crate) const fn of_stm32_port(self, port: usize) -> u16 {
        (self.0 >> (16 * port)) as u16
    }
}

impl FromIterator<Pin> for PinSet {
    fn from_iter<I: IntoIterator<Item = Pin>>(pins: I) -> Self {
        Self(pins.into_iter().fold(0, |set, pin| set | pin.bit()))
    }
}

/// What the chip does to a pin.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Drive {
    /// Nothing: an input, or the released half of an open-drain output.
    Released,
    /// Connected to ground.
    Low,
    /// Connected to the supply.
    High,
}

impl Drive {
    /// Of a pin that is in neither word, in the first, or in the second.
    pub(crate) const fn of(high: bool, low: bool) -> Self {
        match (high, low) {
            (true, _) => Self::High,
            (_, true) => Self::Low,
            _ => Self::Released,
        }
    }
}

/// What the world outside does to a pin.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Level {
    /// Nothing; a pull resistor in the chip decides, else it reads as low.
    #[default]
    Floating,
    /// Connected to ground.
    Low,
    /// Connected to the supply.
    High,
}

/// The chip changed what it does to a pin.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PinEdge {
    /// When.
    pub at: Instant,
    /// Which.
    pub pin: Pin,
    /// What it does from then on.
    pub drive: Drive,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pins_are_called_as_in_the_parts_manuals() {
        for (text, place) in
            [("P0.13", (0, 13)), ("P1.02", (1, 2)), ("PA1", (2, 1)), ("PC2", (4, 2)), ("PD15", (5, 15))]
        {
            assert_eq!(text.parse::<Pin>().map(Pin::place), Ok(place), "{text}");
        }
        for text in ["", "P", "PA", "PA16", "PE1", "P2.1", "P0.32", "A1", "PA-1", "P\u{e9}1"] {
            assert_eq!(text.parse::<Pin>(), Err(NoPin), "{text}");
        }
    }

    #[test]
    fn a_set_holds_the_pins_of_either_family() {
        let set: PinSet = [Pin::p0(3), Pin::p1(31)].into_iter().collect();
        assert_eq!((set.of_nrf_port(0), set.of_nrf_port(1)), (1 << 3, 1 << 31));
        let set: PinSet = [Pin::pa(0), Pin::pc(2)].into_iter().collect();
        assert_eq!([0, 1, 2, 3].map(|port| set.of_stm32_port(port)), [1, 0, 4, 0]);
        assert!(set.contains(Pin::pc(2)) && !set.contains(Pin::pc(3)));
        assert_eq!(PinSet::of_stm32([1, 0, 4, 0].into_iter()), set);
    }
}
