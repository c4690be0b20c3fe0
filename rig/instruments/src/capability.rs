//! What a driver can do, in numbers: a plan that asks for more is refused before anything is driven.
//!
//! Boundary: statements about the driver and its device. Whether a scenario's fault fits is for whoever knows the scenario.

use brickproof_units::{Current, Slew, Span, Voltage};

/// An inclusive range.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Reach<T> {
    /// The least.
    pub least: T,
    /// The most.
    pub most: T,
}

impl<T: PartialOrd> Reach<T> {
    /// Whether `value` lies in it.
    pub fn holds(&self, value: T) -> bool {
        self.least <= value && value <= self.most
    }
}

/// How exactly a driver hits or tells an instant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Timing {
    /// An action asked for now has its effect within this, on a quiet host.
    pub latency: Span,
    /// What no stamp can know beyond the window in which the call lay: a device's own reaction, a bus's polling.
    pub uncertainty: Span,
    /// Where both figures come from.
    pub source: &'static str,
}

/// What one instrument offers. What is `None` or false it cannot do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Capabilities {
    /// How exactly.
    pub timing: Timing,
    /// Output voltages a supply can be set to.
    pub voltage: Option<Reach<Voltage>>,
    /// The most a supply delivers, or its limit can be set to.
    pub current: Option<Current>,
    /// The power can be taken away and given back, no faster than in this time.
    pub cut: Option<Span>,
    /// Slopes with which a supply can fall to a floor other than zero; `None` if it cannot shape a brown-out.
    pub fall: Option<Reach<Slew>>,
    /// It measures the voltage, so that off can be measured off.
    pub measures_voltage: bool,
    /// It measures the current.
    pub measures_current: bool,
}

impl Capabilities {
    /// Of an instrument that is no supply.
    pub const fn only(timing: Timing) -> Self {
        Self {
            timing,
            voltage: None,
            current: None,
            cut: None,
            fall: None,
            measures_voltage: false,
            measures_current: false,
        }
    }
}
