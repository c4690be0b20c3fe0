//! What is plugged into the board, as a scenario would say it.
//!
//! Boundary: descriptions. A cell's state while it discharges is in [`super::cell`].

use brickproof_units::{Charge, Current, Ratio, Resistance, Voltage};

/// What feeds the input of the regulator.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum Source {
    /// Nothing is connected.
    #[default]
    None,
    /// A USB port behind a cable.
    Usb {
        /// At the port.
        voltage: Voltage,
        /// Both conductors and the contacts.
        cable: Resistance,
    },
    /// A laboratory supply at the input.
    Bench {
        /// At its sense lines: no lead resistance.
        voltage: Voltage,
        /// Above this it becomes a current source.
        current_limit: Current,
    },
    /// A lithium-polymer cell with its protection circuit.
    Battery(Battery),
}

/// A single lithium-polymer cell.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Battery {
    /// When new and full.
    pub capacity: Charge,
    /// How full it is.
    pub charge: Ratio,
    /// What its life has done to its internal resistance.
    pub age: CellAge,
    /// What the temperature does to it.
    pub climate: CellClimate,
    /// The circuit that guards it against deep discharge.
    pub protection: Protection,
}

/// How worn a cell is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum CellAge {
    /// New: 0.1 ohm for 2,000 mAh, inversely proportional to the capacity.
    #[default]
    Fresh,
    /// At the end of its life: twenty times the resistance of a new one (assumption; gives the ohms that worn cells show).
    Aged,
}

/// How warm a cell is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum CellClimate {
    /// About 25 degrees Celsius.
    #[default]
    Room,
    /// About -10 degrees Celsius: four times the resistance (assumption).
    Freezing,
}

/// When the protection circuit opens and what closes it again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Protection {
    /// It opens when the cell's terminals have been below this for 100 ms.
    pub cut_off: Voltage,
    /// What brings the cell back.
    pub recovery: Recovery,
}

/// What closes an open protection circuit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Recovery {
    /// The cell, now without load, has recovered to this voltage.
    Above(Voltage),
    /// Only a charger: within one connection of this cell, never.
    Charger,
}

impl Default for Protection {
    /// Opens at 2.4 V and closes at 3.0 V, as the widespread DW01-A does (recalled).
    fn default() -> Self {
        Self { cut_off: Voltage::new(2_400_000), recovery: Recovery::Above(Voltage::new(3_000_000)) }
    }
}

impl Battery {
    /// A new cell at room temperature with the usual protection.
    pub fn fresh(capacity: Charge, charge: Ratio) -> Self {
        Self { capacity, charge, age: CellAge::Fresh, climate: CellClimate::Room, protection: Protection::default() }
    }

    /// A worn cell at room temperature with the usual protection.
    pub fn aged(capacity: Charge, charge: Ratio) -> Self {
        Self { age: CellAge::Aged, ..Self::fresh(capacity, charge) }
    }
}
