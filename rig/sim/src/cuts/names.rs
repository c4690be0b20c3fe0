//! What parts and cell models are called in the names of trials and on command lines.
//!
//! Boundary: words.

use brickproof_scenario::plan::CellModel;
use brickproof_virtual_board::chip::Chip;
use brickproof_virtual_board::flash::Cells;

/// The parts.
pub const CHIPS: [Chip; 3] = [Chip::Nrf51822, Chip::Nrf52840, Chip::Stm32f205];

/// The cell models, in the order in which scenarios name them.
pub fn models() -> [Cells; 3] {
    CellModel::ALL.map(cells_of)
}

/// The name of a part, as in those of its boards.
pub const fn name_of_chip(chip: Chip) -> &'static str {
    match chip {
        Chip::Nrf51822 => "nrf51",
        Chip::Nrf52840 => "nrf52840",
        Chip::Stm32f205 => "stm32f205",
    }
}

/// The part of that name.
pub fn chip_named(name: &str) -> Option<Chip> {
    CHIPS.into_iter().find(|chip| name_of_chip(*chip) == name)
}

/// The cells that follow a model.
pub(crate) const fn cells_of(model: CellModel) -> Cells {
    match model {
        CellModel::Ideal => Cells::Ideal,
        CellModel::Fractional => Cells::Fractional,
        CellModel::Marginal => Cells::Marginal,
    }
}

/// The name of a cell model.
pub const fn name_of_cells(cells: Cells) -> &'static str {
    let model = match cells {
        Cells::Ideal => CellModel::Ideal,
        Cells::Fractional => CellModel::Fractional,
        Cells::Marginal => CellModel::Marginal,
    };
    model.name()
}

/// The cell model of that name.
pub fn cells_named(name: &str) -> Option<Cells> {
    CellModel::from_name(name).map(cells_of)
}
