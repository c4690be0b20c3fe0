//! A virtual board as a profile describes it: its part, what hangs on its pins, what was written to it.
//!
//! Boundary: from names to an emulated board. Who lets it live, and on which clock, is the caller's.

use brickproof_firmware::{Firmware, KeyStore, StoreError};
use brickproof_scenario::board::BoardProfile;
use brickproof_virtual_board::board::{Board, BoardConfig};
use brickproof_virtual_board::flash::OutsideFlash;
use brickproof_virtual_board::nrf::{Chip, Pin};
use brickproof_virtual_board::supply::Source;
use brickproof_virtual_board::wiring::Wiring;

use crate::memory::{InFlash, board_with};
use crate::world::WorldConfig;

/// The pin of a line of the profile.
pub(crate) fn pin_of(profile: &BoardProfile, name: &str) -> Option<Pin> {
    profile.lines.iter().find(|line| line.name == name).and_then(|line| line.pin.parse().ok())
}

/// What a board of that kind is made of, without a source.
pub(crate) fn config_of(profile: &BoardProfile, config: WorldConfig) -> (BoardConfig, Wiring) {
    let chip = if profile.mcu == "nRF52840" { Chip::Nrf52840 } else { Chip::Nrf51822 };
    let light = ["red", "green", "blue"].map(|name| pin_of(profile, name).unwrap_or(Pin::p0(13)));
    let wiring = Wiring { light, modem: pin_of(profile, "radio") };
    let config = BoardConfig {
        cells: config.cells,
        uart: config.uart,
        seed: config.early_seed(),
        source: Source::None,
        pins: wiring.pins(),
        console_rate: profile.console.baud,
        records: config.records,
        ..BoardConfig::new(chip)
    };
    (config, wiring)
}

/// A board that could not be made.
#[derive(Debug, thiserror::Error)]
pub enum FactoryError {
    /// The image is larger than its flash.
    #[error(transparent)]
    Image(#[from] OutsideFlash),
    /// It has no room for keys.
    #[error(transparent)]
    Keys(#[from] StoreError),
}

/// A board of that kind as a factory leaves it, with this firmware and the genuine keys, and how it is wired. It has no source yet.
///
/// # Errors
/// If the image does not fit.
pub fn factory_board(profile: &BoardProfile, firmware: &Firmware, seed: u64) -> Result<(Board, Wiring), FactoryError> {
    let (config, wiring) = config_of(profile, WorldConfig::new(seed));
    let mut board = board_with(firmware, config)?;
    KeyStore::of(profile, firmware).provision(&mut InFlash(&mut board))?;
    Ok((board, wiring))
}
