//! A lithium-polymer cell while it is used: coulombs counted, voltage that recovers when the load goes, and its protection circuit.
//!
//! Boundary: the cell alone, in volts, amperes, coulombs and seconds. What draws the current is in [`super::course`].
//!
//! The model is the usual one: an open-circuit voltage that depends on the charge, a series resistance, and one parallel RC pair. The
//! pair is what makes brown-out loops: without load the cell climbs back over the thresholds.

use brickproof_units::{Instant, Span};

use super::source::{Battery, CellAge, CellClimate, Recovery};

/// Open-circuit volts by share of charge. A typical lithium-cobalt curve (recalled), drawn through the one stated point, 3.4 V at 4 %.
const OPEN_CIRCUIT: [(f64, f64); 14] = [
    (0.00, 3.00),
    (0.02, 3.25),
    (0.04, 3.40),
    (0.06, 3.52),
    (0.10, 3.65),
    (0.20, 3.73),
    (0.30, 3.77),
    (0.40, 3.79),
    (0.50, 3.82),
    (0.60, 3.87),
    (0.70, 3.95),
    (0.80, 4.02),
    (0.90, 4.11),
    (1.00, 4.20),
];

/// The steepest part of the curve, in volts per whole charge.
const STEEPEST: f64 = 12.5;

/// Ohms times ampere-hours of a new cell at room temperature: 0.1 ohm for 2,000 mAh.
const FRESH_OHM_AMPERE_HOURS: f64 = 0.2;
const AGED_FACTOR: f64 = 20.0;
const FREEZING_FACTOR: f64 = 4.0;

/// The slow part of the resistance, as a share of the immediate one, and how slow it is (assumptions: data sheets give neither; tens
/// of seconds is what discharge curves of phone cells show).
const SLOW_SHARE: f64 = 0.5;
const SLOW_SECONDS: f64 = 15.0;

/// A cell's voltage is taken as linear for as long as it differs from the truth by less than this, in volts.
const LINEAR_WITHIN: f64 = 2e-4;

/// How long the terminals must be too low before the protection opens (DW01-A, recalled).
pub(super) const TRIP_DELAY: Span = Span::millis(100);
/// Above the cut-off by this, the protection forgets that it was about to open; in volts.
pub(super) const TRIP_HYSTERESIS: f64 = 0.02;

/// The state of the protection circuit.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Guard {
    Closed,
    Tripping { due: Instant },
    Open,
}

#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Cell {
    /// Coulombs when full.
    capacity: f64,
    /// Coulombs left.
    remaining: f64,
    /// Volts across the RC pair.
    polarisation: f64,
    /// Ohms that act at once.
    pub(super) resistance: f64,
    /// Ohms of the RC pair.
    slow_resistance: f64,
    pub(super) cut_off: f64,
    recovery: Recovery,
    pub(super) guard: Guard,
}

impl Cell {
    pub(super) fn new(battery: &Battery) -> Self {
        // A cell without any capacity would divide by zero below; one microampere-hour is empty at once.
        let ampere_hours = battery.capacity.get().max(1) as f64 * 1e-6;
        let wear = match battery.age {
            CellAge::Fresh => 1.0,
            CellAge::Aged => AGED_FACTOR,
        };
        let cold = match battery.climate {
            CellClimate::Room => 1.0,
            CellClimate::Freezing => FREEZING_FACTOR,
        };
        let resistance = FRESH_OHM_AMPERE_HOURS / ampere_hours * wear * cold;
        let share = (battery.charge.get() as f64 * 1e-6).min(1.0);
        Self {
            capacity: ampere_hours * 3600.0,
            remaining: ampere_hours * 3600.0 * share,
            polarisation: 0.0,
            resistance,
            slow_resistance: resistance * SLOW_SHARE,
            cut_off: battery.protection.cut_off.get() as f64 * 1e-6,
            recovery: battery.protection.recovery,
            guard: Guard::Closed,
        }
    }

    /// Volts behind the immediate resistance.
    pub(super) fn emf(&self) -> f64 {
        let (low, high) = self.segment();
        low.1 + slope_of(low, high) * (self.charge() - low.0) - self.polarisation
    }

    /// The share of charge left.
    pub(super) fn charge(&self) -> f64 {
        self.remaining / self.capacity
    }

    pub(super) fn is_exhausted(&self) -> bool {
        self.remaining <= 0.0
    }

    /// How fast the EMF moves under `current`, in volts per second.
    pub(super) fn drift(&self, current: f64) -> f64 {
        let (low, high) = self.segment();
        -current / self.capacity * slope_of(low, high) - self.polarising(current)
    }

    /// How long [`Self::drift`] may be taken as constant under `current`, in seconds.
    pub(super) fn steady_for(&self, current: f64) -> f64 {
        // The second derivative is that of the RC pair alone; the open-circuit curve is made of straight segments.
        let bend = (self.polarising(current) / SLOW_SECONDS).abs();
        let linear = libm::sqrt(2.0 * LINEAR_WITHIN / bend.max(1e-12));
        let knot = (self.charge() - self.segment().0.0) * self.capacity / current.max(1e-12);
        // On a knot, go a little into the next segment.
        linear.min(knot.max(1e-5 * self.capacity / current.max(1e-12)))
    }

    /// A bound on how fast the EMF can fall while no more than `current` is drawn, in volts per second.
    pub(super) fn fastest_fall(&self, current: f64) -> f64 {
        self.polarising(current).max(0.0) + current / self.capacity * STEEPEST
    }

    /// Volts to which the open protection waits, if the cell alone can bring it back.
    pub(super) fn recovers_above(&self) -> Option<f64> {
        match self.recovery {
            Recovery::Above(voltage) => Some(voltage.get() as f64 * 1e-6),
            Recovery::Charger => None,
        }
    }

    /// `coulombs` have been drawn, evenly, during `seconds`.
    pub(super) fn settle(&mut self, coulombs: f64, seconds: f64) {
        if seconds > 0.0 {
            let goal = coulombs / seconds * self.slow_resistance;
            self.polarisation = goal + (self.polarisation - goal) * libm::exp(-seconds / SLOW_SECONDS);
        }
        self.remaining = (self.remaining - coulombs).max(0.0);
    }

    /// How fast the RC pair charges under `current`, in volts per second.
    fn polarising(&self, current: f64) -> f64 {
        (current * self.slow_resistance - self.polarisation) / SLOW_SECONDS
    }

    /// The two points of the open-circuit curve around the present charge. On a point, the segment below it: a cell discharges.
    fn segment(&self) -> ((f64, f64), (f64, f64)) {
        let charge = self.charge();
        let above =
            OPEN_CIRCUIT.iter().position(|(share, _)| *share >= charge).unwrap_or(OPEN_CIRCUIT.len() - 1).max(1);
        (OPEN_CIRCUIT[above - 1], OPEN_CIRCUIT[above])
    }
}

fn slope_of(low: (f64, f64), high: (f64, f64)) -> f64 {
    (high.1 - low.1) / (high.0 - low.0)
}

#[cfg(test)]
mod tests {
    use brickproof_units::{Charge, Ratio};

    use super::*;

    fn cell(percent: u64) -> Cell {
        Cell::new(&Battery::fresh(Charge::new(2_000_000), Ratio::new(percent * 10_000)))
    }

    #[test]
    fn a_large_fresh_cell_at_four_percent_sags_thirty_millivolts_at_300_milliamperes() {
        let cell = cell(4);
        assert!((cell.emf() - 3.4).abs() < 1e-9);
        assert!((0.3 * cell.resistance - 0.030).abs() < 1e-9);
    }

    #[test]
    fn wear_and_cold_multiply_the_resistance() {
        let fresh = Battery::fresh(Charge::new(2_000_000), Ratio::new(500_000));
        let worst = Battery { age: CellAge::Aged, climate: CellClimate::Freezing, ..fresh };
        assert!((Cell::new(&worst).resistance / Cell::new(&fresh).resistance - 80.0).abs() < 1e-9);
    }

    #[test]
    fn an_hour_at_half_capacity_takes_half_the_charge() {
        let mut cell = cell(100);
        cell.settle(3600.0, 3600.0);
        assert!((cell.charge() - 0.5).abs() < 1e-12);
    }

    #[test]
    fn a_rested_cell_recovers_to_its_open_circuit_voltage() {
        let mut cell = cell(50);
        cell.settle(10.0, 10.0);
        let loaded = cell.emf();
        cell.settle(0.0, 15.0);
        let halfway = cell.emf();
        cell.settle(0.0, 600.0);
        let rested = cell.emf();
        assert!(loaded < halfway && halfway < rested);
        // After one time constant a share of 1/e of the sag is left.
        assert!(((rested - halfway) / (rested - loaded) - 1.0 / std::f64::consts::E).abs() < 1e-6);
    }

    #[test]
    fn the_drift_is_the_derivative_and_holds_as_long_as_promised() {
        let mut loaded = cell(30);
        loaded.settle(1.0, 2.0);
        for current in [0.0, 0.1, 0.5] {
            let span = loaded.steady_for(current);
            let mut later = loaded;
            later.settle(current * span, span);
            let predicted = loaded.emf() + loaded.drift(current) * span;
            assert!((later.emf() - predicted).abs() < 1.1 * LINEAR_WITHIN, "{current} A for {span} s");
        }
    }

    #[test]
    fn the_open_circuit_curve_rises_everywhere_and_nowhere_faster_than_stated() {
        for pair in OPEN_CIRCUIT.windows(2) {
            let slope = slope_of(pair[0], pair[1]);
            assert!(slope > 0.0 && slope <= STEEPEST + 1e-9);
        }
    }
}
