//! The supply of the board as a waveform V(t): a source or a worn cell, a regulator, bulk capacitance, a load, and the chip's
//! brown-out and power-fail comparators.
//!
//! Boundary: volts and instants. What the chip does when it is reset is the board's business; it tells its load and asks for the rail.
//!
//! The waveform is not stepped. Between two changes the rail follows one analytic law (`curve`); `course` chooses the law and
//! solves for the first moment that ends it, `turn` changes the state there. A source that no load of the board can bend is
//! recognised once, and from then on a change of load is an addition.
//!
//! The owner drives it like any device with timers: it runs until [`Supply::next_event`], calls [`Supply::advance`] to that instant,
//! acts on the event, and goes on. Instants given to the methods never go back.

mod cell;
mod course;
mod curve;
mod fault;
mod flash;
mod profile;
mod record;
mod shape;
mod source;
mod supervisor;
mod turn;
mod watch;

pub use fault::{Achieved, BrownOut, Bump, Fault, FaultId, Rail, Specification};
pub use profile::{FlashRange, Hysteresis, Regulator, SupplyProfile};
pub use source::{Battery, CellAge, CellClimate, Protection, Recovery, Source};
pub use supervisor::ChipPower;
pub use watch::{Direction, Passage};

use brickproof_units::{Current, Instant, Ratio, Span, Voltage};

use cell::Cell;
use course::{Firmness, Piece};
use record::Disturbance;
use supervisor::PowerFail;
use watch::Watch;

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

/// How the rail last came up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rise {
    /// From the regulator's first current, or from the beginning of a forced rise, to the power-on threshold.
    pub took: Span,
    /// Whether the part is specified for a rise this slow.
    pub specification: Specification,
}

/// What the regulator does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    Off,
    Enabling { due: Instant },
    Starting,
    Running,
}

/// The supply of one board. Volts, amperes, coulombs and seconds inside; quantities with units at the border.
#[derive(Clone, Debug)]
pub struct Supply {
    profile: SupplyProfile,
    heaviest_load: f64,
    source: Source,
    cell: Option<Cell>,
    stage: Stage,
    chip: ChipPower,
    power_fail: PowerFail,
    watch: Watch,
    passages: Vec<Passage>,
    /// The instant of the state below; the beginning of `piece`.
    now: Instant,
    volts: f64,
    input_volts: f64,
    piece: Piece,
    load: f64,
    extra_load: f64,
    /// Coulombs that the load took from the beginning of `piece` until `load_since`.
    drawn: f64,
    load_since: Instant,
    rise_from: Instant,
    rise: Option<Span>,
    faults: Vec<Disturbance>,
    achieved: Vec<Achieved>,
    next_fault: u32,
}

impl Supply {
    /// A supply without a source and with its capacitors empty; the chip is held in reset and draws nothing.
    pub fn new(profile: SupplyProfile) -> Self {
        Self {
            profile,
            heaviest_load: amperes(profile.heaviest_load),
            source: Source::None,
            cell: None,
            stage: Stage::Off,
            chip: ChipPower::Held,
            power_fail: PowerFail::Disabled,
            watch: Watch::Off,
            passages: Vec::new(),
            now: Instant::START,
            volts: 0.0,
            input_volts: 0.0,
            piece: Piece::at_rest(),
            load: 0.0,
            extra_load: 0.0,
            drawn: 0.0,
            load_since: Instant::START,
            rise_from: Instant::START,
            rise: None,
            faults: Vec::new(),
            achieved: Vec::new(),
            next_fault: 0,
        }
    }

    /// Replaces the source. A battery begins with the charge it states, rested; to put the same cell back, state [`Self::charge`].
    pub fn connect(&mut self, at: Instant, source: Source) {
        self.change(at, |supply| {
            supply.source = source;
            supply.cell = match &source {
                Source::Battery(battery) => Some(Cell::new(battery)),
                Source::None | Source::Usb { .. } | Source::Bench { .. } => None,
            };
        });
    }

    /// What the chip and its board draw from the rail from `at` on. A negative current counts as none.
    pub fn set_load(&mut self, at: Instant, load: Current) {
        let load = amperes(load);
        let trusted = self.piece.firmness == Firmness::Firm && self.piece.end.is_none_or(|(due, _)| at < due);
        if trusted && load <= self.heaviest_load {
            self.count_load(at);
            self.load = load;
        } else {
            self.change(at, |supply| supply.load = load);
        }
    }

    /// Arms the power-fail comparator at a threshold, or disarms it. A brown-out reset disarms it too.
    pub fn set_power_fail(&mut self, at: Instant, threshold: Option<Voltage>) {
        let armed = |threshold| PowerFail::Clear { threshold: volts(threshold) };
        self.change(at, |supply| supply.power_fail = threshold.map_or(PowerFail::Disabled, armed));
    }

    /// Gives the chip another brown-out reset than the profile's. One that trips above the present rail trips at once.
    pub fn set_brown_out(&mut self, at: Instant, brown_out: Hysteresis) {
        if brown_out != self.profile.brown_out {
            self.change(at, |supply| supply.profile.brown_out = brown_out);
        }
    }

    /// Where flash works, if nobody asks it for more.
    pub fn flash_range(&self) -> FlashRange {
        self.profile.flash
    }

    /// Schedules a fault for `at`, now or later. What it did can be taken from [`Self::take_achieved`] when it is over.
    pub fn inject(&mut self, at: Instant, fault: Fault) -> FaultId {
        let id = FaultId(self.next_fault);
        self.next_fault += 1;
        let present = self.now.max(self.load_since);
        self.change(present, |supply| supply.faults.push(Disturbance::new(id, fault, at.max(present))));
        id
    }

    /// The faults that have ended since the last call, in the order of their ends.
    pub fn take_achieved(&mut self) -> Vec<Achieved> {
        std::mem::take(&mut self.achieved)
    }

    /// The next event, if everything stays as it is. It is taken by [`Self::advance`].
    pub fn next_event(&self) -> Option<(Instant, SupplyEvent)> {
        self.piece.end.map(|(at, turn)| (at, turn.event(self.chip)))
    }

    /// Moves to `at`; every event up to and including `at` is thereby taken.
    pub fn advance(&mut self, at: Instant) {
        while let Some((due, turn)) = self.piece.end.filter(|(due, _)| *due <= at) {
            self.settle(due);
            self.take_turn(turn);
        }
    }

    /// Whether the rail lets the chip run, after the events that have been taken.
    pub fn chip_power(&self) -> ChipPower {
        self.chip
    }

    /// Whether a change of load may move the rail, or the charge of a cell. While it does neither, the owner need not report every
    /// blink of an LED when it happens.
    pub fn feels_load(&self) -> bool {
        self.piece.firmness == Firmness::Yielding || self.cell_is_drained()
    }

    /// The rail at `at`, between the last change and the next event.
    pub fn rail(&self, at: Instant) -> Voltage {
        voltage(self.piece.rail.at(self.offset(at)).max(0.0))
    }

    /// The input of the regulator at `at`, between the last change and the next event; zero without a source.
    pub fn input(&self, at: Instant) -> Voltage {
        voltage(self.input_curve(&self.piece).at(self.offset(at)).max(0.0))
    }

    /// The share of charge in the connected cell at `at`.
    pub fn charge(&self, at: Instant) -> Option<Ratio> {
        let mut ahead = self.clone();
        ahead.advance(at);
        ahead.settle(at.max(ahead.load_since));
        ahead.cell.map(|cell| Ratio::new(libm::round(cell.charge() * 1e6) as u64))
    }

    /// How the rail last reached the power-on threshold.
    pub fn last_rise(&self) -> Option<Rise> {
        self.rise.map(|took| {
            let too_slow = self.profile.slowest_rise.is_some_and(|limit| took > limit);
            let specification = if too_slow { Specification::TooSlow } else { Specification::Within };
            Rise { took, specification }
        })
    }

    fn change(&mut self, at: Instant, apply: impl FnOnce(&mut Self)) {
        self.advance(at);
        self.settle(at.max(self.load_since));
        apply(self);
        self.plan(None);
    }

    fn count_load(&mut self, at: Instant) {
        self.drawn += self.burden() * (at.since(self.load_since).as_nanos() as f64 * 1e-9);
        self.load_since = self.load_since.max(at);
    }

    fn power_fail_threshold(&self) -> Option<f64> {
        match self.power_fail {
            PowerFail::Disabled => None,
            PowerFail::Clear { threshold } | PowerFail::Warned { threshold } => Some(threshold),
        }
    }

    fn offset(&self, at: Instant) -> f64 {
        let latest = self.piece.end.map_or(at, |(due, _)| at.min(due));
        self.piece.seconds_to(latest)
    }
}

fn volts(voltage: Voltage) -> f64 {
    voltage.get() as f64 * 1e-6
}

fn voltage(volts: f64) -> Voltage {
    Voltage::new(libm::round(volts * 1e6) as i64)
}

fn amperes(current: Current) -> f64 {
    current.get().max(0) as f64 * 1e-6
}

fn current(amperes: f64) -> Current {
    Current::new(libm::round(amperes * 1e6) as i64)
}

#[cfg(test)]
mod tests;
