//! The pins of the lines' adapter, wired to a board.
//!
//! Boundary: which pin is what.

use brickproof_units::Voltage;
use brickproof_virtual_board::chip::{self, Drive, Pin};

use super::StationConfig;
use crate::board::{Button, Hand, Holder};
use crate::devices::cp2112::FarSide;
use crate::line::Level;

/// The board's RESET, pulled up on the board: drive it as an open drain.
pub const RESET: u8 = 0;
/// The board's MODE button, pulled up on the board: drive it as an open drain.
pub const MODE: u8 = 1;
/// The pin that the board holds high while its modem draws its current: an input.
pub const RADIO: u8 = 2;
/// Closes the load switch in the board's USB cable while it is high: push-pull. A resistor pulls it low while nobody drives it.
pub const POWER: u8 = 3;

/// From here on the adapter reads a line as high; assumed.
const HIGH_FROM: Voltage = Voltage::new(1_500_000);

pub(super) struct BoardLines {
    hand: Hand,
    mode: Pin,
    radio: Pin,
    usb: Voltage,
}

impl BoardLines {
    pub(super) fn new(hand: Hand, config: &StationConfig) -> Self {
        Self { hand, mode: config.mode, radio: config.radio, usb: config.usb }
    }
}

impl FarSide for BoardLines {
    fn driven(&mut self, pin: u8, level: Option<Level>) {
        match pin {
            RESET => {
                let button = if level == Some(Level::Low) { Button::Pressed } else { Button::Released };
                self.hand.reset(Holder::Lines, button);
            }
            MODE => self.hand.set_pin(
                self.mode,
                match level {
                    Some(Level::Low) => chip::Level::Low,
                    Some(Level::High) => chip::Level::High,
                    None => chip::Level::Floating,
                },
            ),
            POWER => self.hand.feed_from_usb((level == Some(Level::High)).then_some(self.usb)),
            _ => {}
        }
    }

    fn level(&mut self, pin: u8) -> Level {
        let is_high = match pin {
            RESET | MODE => true,
            RADIO => self.hand.drive(self.radio) == Drive::High,
            _ => false,
        };
        // Whatever pulls or drives a line up does it to the board's rail.
        if is_high && self.hand.read_supply().rail >= HIGH_FROM { Level::High } else { Level::Low }
    }
}
