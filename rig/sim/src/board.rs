//! A virtual board as a profile describes it: its part, what hangs on its pins, what was written to it.
//!
//! Boundary: from names to an emulated board. Who lets it live, and on which clock, is the caller's.

use brickproof_boards::{ActiveLevel, BoardProfile, LedIndex, MODE, Primary, VirtualChip};
use brickproof_firmware::{Firmware, KeyStore, StoreError};
use brickproof_virtual_board::board::{Board, BoardConfig, BootButton};
use brickproof_virtual_board::chip::{Chip, Level, Pin};
use brickproof_virtual_board::flash::OutsideFlash;
use brickproof_virtual_board::supply::Source;
use brickproof_virtual_board::wiring::Wiring;

use crate::memory::{InFlash, board_with};
use crate::world::WorldConfig;

/// The pin of a line of the profile.
pub(crate) fn pin_of(profile: &BoardProfile, name: &str) -> Option<Pin> {
    profile.lines.iter().find(|line| line.name == name).and_then(|line| line.pin.parse().ok())
}

/// The pin of a diode of its first light.
fn diode_pin(profile: &BoardProfile, primary: Primary) -> Option<Pin> {
    profile.led(LedIndex::FIRST)?.diode(primary)?.pin.parse().ok()
}

/// The part that is emulated for it.
///
/// # Panics
/// If there is none: whoever takes a scenario to the virtual bench asks first, and tells the user.
fn chip_of(profile: &BoardProfile) -> Chip {
    match profile.virtual_chip {
        Some(VirtualChip::Nrf51822) => Chip::Nrf51822,
        Some(VirtualChip::Nrf52840) => Chip::Nrf52840,
        Some(VirtualChip::Stm32f205) => Chip::Stm32f205,
        None => panic!("`{}` has no virtual board, and its firmware is not run as another's", profile.name),
    }
}

/// What a board of that kind is made of, without a source.
pub(crate) fn config_of(profile: &BoardProfile, config: WorldConfig) -> (BoardConfig, Wiring) {
    let chip = chip_of(profile);
    let diodes = [Primary::Red, Primary::Green, Primary::Blue];
    let light = diodes.map(|primary| diode_pin(profile, primary).unwrap_or(Pin::p0(13)));
    let wiring = Wiring { light, modem: pin_of(profile, "radio") };
    let config = BoardConfig {
        cells: config.cells,
        uart: config.uart,
        seed: config.early_seed(),
        source: Source::None,
        pins: wiring.pins(),
        console_rate: profile.console.baud,
        records: config.records,
        boot_button: boot_button(profile),
        ..BoardConfig::new(chip)
    };
    (config, wiring)
}

/// The button of its bootloader, if it is one that a host can reach.
fn boot_button(profile: &BoardProfile) -> Option<BootButton> {
    profile.usb?;
    let button = profile.buttons.iter().find(|button| button.name == MODE)?;
    let pressed = match button.active {
        ActiveLevel::High => Level::High,
        ActiveLevel::Low => Level::Low,
    };
    Some(BootButton { pin: button.pin.parse().ok()?, pressed })
}

/// A board that could not be made.
#[derive(Debug, thiserror::Error)]
pub enum FactoryError {
    /// The image is larger than its flash.
    #[error(transparent)]
    Image(#[from] OutsideFlash),
    /// Its profile names no key areas of lantern's.
    #[error("its profile does not name the key areas that the rig writes to")]
    NoKeyAreas,
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
    let store = KeyStore::of(profile, firmware).ok_or(FactoryError::NoKeyAreas)?;
    store.provision(&mut InFlash(&mut board))?;
    Ok((board, wiring))
}
