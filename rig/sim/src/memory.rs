//! The emulated flash as the memory that keys live in, and firmware on an emulated board.
//!
//! Boundary: as a programmer would, in no time; physics has no part in it.

use std::ops::{Deref, DerefMut};

use brickproof_firmware::{Firmware, Memory, Piece, ReadMemory, StoreError, UICR};
use brickproof_keys::lantern_layout;
use brickproof_trial::CommandError;
use brickproof_virtual_board::board::{Board, BoardConfig};
use brickproof_virtual_board::chip::Chip;
use brickproof_virtual_board::flash::{Flash, OutsideFlash};

pub(crate) const PROBE: &str = "the probe";

/// The flash of a board, read through `&Board` and written through `&mut Board`.
pub(crate) struct InFlash<B>(pub(crate) B);

impl<B: Deref<Target = Board>> ReadMemory for InFlash<B> {
    type Error = OutsideFlash;

    fn read(&mut self, address: u32, into: &mut [u8]) -> Result<(), OutsideFlash> {
        self.0.flash().read_raw(address, into)
    }
}

impl<B: DerefMut<Target = Board>> Memory for InFlash<B> {
    fn write(&mut self, address: u32, bytes: &[u8]) -> Result<(), OutsideFlash> {
        self.0.write_flash(address, bytes)
    }
}

/// The same for a programmer who spares the flash: what is there already is not written again.
pub(crate) struct WhatDiffers<'b>(pub(crate) &'b mut Board);

impl ReadMemory for WhatDiffers<'_> {
    type Error = OutsideFlash;

    fn read(&mut self, address: u32, into: &mut [u8]) -> Result<(), OutsideFlash> {
        self.0.flash().read_raw(address, into)
    }
}

impl Memory for WhatDiffers<'_> {
    fn write(&mut self, address: u32, bytes: &[u8]) -> Result<(), OutsideFlash> {
        let mut there = vec![0; bytes.len()];
        self.read(address, &mut there)?;
        if there == bytes { Ok(()) } else { self.0.write_flash(address, bytes) }
    }
}

/// What somebody would write, put down before it is done: the memory is read as if it had been.
pub(crate) struct Planned {
    flash: Flash,
    /// What was written, in its order.
    pub(crate) pieces: Vec<Piece>,
    /// So many bytes were read.
    pub(crate) read: usize,
}

impl Planned {
    pub(crate) fn on(board: &Board) -> Self {
        Self { flash: board.flash().clone(), pieces: Vec::new(), read: 0 }
    }
}

impl ReadMemory for Planned {
    type Error = OutsideFlash;

    fn read(&mut self, address: u32, into: &mut [u8]) -> Result<(), OutsideFlash> {
        self.read += into.len();
        self.flash.read_raw(address, into)
    }
}

impl Memory for Planned {
    fn write(&mut self, address: u32, bytes: &[u8]) -> Result<(), OutsideFlash> {
        self.pieces.push(Piece { address, bytes: bytes.to_vec() });
        self.flash.write_raw(address, bytes)
    }
}

/// A board as `config` says, with this firmware and its user configuration programmed.
///
/// # Errors
/// If the image is larger than the flash of the board's part.
pub fn board_with(firmware: &Firmware, config: BoardConfig) -> Result<Board, OutsideFlash> {
    let mut board = Board::new(config, firmware.image())?;
    board.write_flash(UICR, firmware.uicr())?;
    Ok(board)
}

/// The chip in the words of lantern's layout.
pub(crate) const fn layout(chip: Chip) -> lantern_layout::Chip {
    match chip {
        Chip::Nrf51822 => lantern_layout::Chip::Nrf51822,
        Chip::Nrf52840 => lantern_layout::Chip::Nrf52840,
        Chip::Stm32f205 => lantern_layout::Chip::Stm32f205,
    }
}

/// As a station reports it.
pub(crate) fn failed(error: StoreError) -> CommandError {
    CommandError::Failed { instrument: PROBE.into(), asked: error.asked.into(), happened: error.happened.into() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn user_configuration_comes_onto_the_board() {
        let hex = ":0400000001020304F2\n:020000041000EA\n:041010004433221132\n:00000001FF\n";
        let firmware = Firmware::from_file("x.hex", hex.as_bytes()).unwrap();
        let board = board_with(&firmware, BoardConfig::new(Chip::Nrf51822)).unwrap();
        let mut word = [0; 4];
        board.flash().read_raw(UICR + 0x10, &mut word).unwrap();
        assert_eq!(word, [0x44, 0x33, 0x22, 0x11]);
    }
}
