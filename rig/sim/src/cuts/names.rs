//! What parts and cell models are called in the names of trials and on command lines.
//!
//! Boundary: words.

use brickproof_virtual_board::flash::Cells;
use brickproof_virtual_board::nrf::Chip;

/// The parts that are swept.
pub const CHIPS: [Chip; 2] = [Chip::Nrf51822, Chip::Nrf52840];

/// The cell models, from the one that obeys to the one that hesitates.
pub const MODELS: [Cells; 3] = [Cells::Ideal, Cells::Fractional, Cells::Marginal];

/// The name of a part, as in those of its boards.
pub const fn name_of_chip(chip: Chip) -> &'static str {
    match chip {
        Chip::Nrf51822 => "nrf51",
        Chip::Nrf52840 => "nrf52840",
    }
}

/// The part of that name.
pub fn chip_named(name: &str) -> Option<Chip> {
    CHIPS.into_iter().find(|chip| name_of_chip(*chip) == name)
}

/// The name of a cell model.
pub const fn name_of_cells(cells: Cells) -> &'static str {
    match cells {
        Cells::Ideal => "ideal",
        Cells::Fractional => "fractional",
        Cells::Marginal => "marginal",
    }
}

/// The cell model of that name.
pub fn cells_named(name: &str) -> Option<Cells> {
    MODELS.into_iter().find(|cells| name_of_cells(*cells) == name)
}
