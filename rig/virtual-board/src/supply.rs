//! The supply of the board as a waveform V(t): a source or a worn cell, a regulator, bulk capacitance, a load, and the chip's
//! brown-out and power-fail comparators.
//!
//! Boundary: volts and instants. What the chip does when it is reset is the board's business; it tells its load and asks for the rail.

mod fault;
mod profile;
mod source;

pub use fault::{Achieved, BrownOut, Bump, Fault, FaultId, Rail, Specification};
pub use profile::{FlashRange, Hysteresis, Regulator, SupplyProfile};
pub use source::{Battery, CellAge, CellClimate, Protection, Recovery, Source};

use brickproof_units::{Current, Instant, Ratio, Span, Voltage};

/// What the supply does next that its owner must act on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SupplyEvent {
    /// The rail fell to the brown-out threshold: the chip stops.
    BrownOutReset,
    /// The rail has been good for the power-on delay: the chip starts.
    PowerOnReset,
    /// The rail fell to the power-fail threshold.
    PowerFailWarning,
    /// The rail rose above the power-fail threshold and its hysteresis.
    PowerFailCleared,
    /// The waveform takes another course. Nothing for the chip: [`Supply::advance`] to it and go on.
    Turn,
}

/// How a flash operation ends if load, source and faults stay as they are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FlashSupply {
    /// At full strength all the way.
    Completes {
        /// When.
        at: Instant,
    },
    /// The controller's timer runs out at the usual time, but the charge pump was weak: the cells saw only a share of the operation.
    Weak {
        /// When.
        at: Instant,
        /// The share, below one whole.
        done: Ratio,
    },
    /// The brown-out reset stops it.
    Stops {
        /// When.
        at: Instant,
        /// The share of the operation that the cells saw, below one whole.
        done: Ratio,
    },
}

/// The supply of one board.
#[derive(Clone, Debug)]
pub struct Supply {
    profile: SupplyProfile,
    now: Instant,
    source: Source,
    load: Current,
    power_on: Option<Instant>,
    released: bool,
}

impl Supply {
    /// A supply without a source and with its capacitors empty; the chip is in reset and draws nothing.
    pub fn new(profile: SupplyProfile) -> Self {
        Self {
            profile,
            now: Instant::START,
            source: Source::None,
            load: Current::new(0),
            power_on: None,
            released: false,
        }
    }

    /// Replaces the source.
    pub fn connect(&mut self, at: Instant, source: Source) {
        self.advance(at);
        self.source = source;
        if source != Source::None {
            self.power_on = Some(at + self.profile.power_on_delay);
        }
    }

    /// What the chip and its board draw from the rail from `at` on.
    pub fn set_load(&mut self, at: Instant, load: Current) {
        self.advance(at);
        self.load = load;
    }

    /// The next event, if everything stays as it is. It is taken by [`Self::advance`].
    pub fn next_event(&self) -> Option<(Instant, SupplyEvent)> {
        self.power_on.map(|at| (at, SupplyEvent::PowerOnReset))
    }

    /// Moves to `at`; every event up to and including `at` is thereby taken.
    pub fn advance(&mut self, at: Instant) {
        self.now = self.now.max(at);
        if self.power_on.is_some_and(|due| due <= at) {
            self.power_on = None;
            self.released = true;
        }
    }

    /// The rail at `at`, not before the last change.
    pub fn rail(&self, _at: Instant) -> Voltage {
        if self.released { self.profile.regulator.output } else { Voltage::new(0) }
    }

    /// How a flash operation that starts at `start` and takes `needed` at full strength will end.
    pub fn flash_operation(&self, start: Instant, needed: Span) -> FlashSupply {
        FlashSupply::Completes { at: start + needed }
    }
}
