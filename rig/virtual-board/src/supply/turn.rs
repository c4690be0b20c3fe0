//! What changes at the end of a piece.
//!
//! Boundary: state transitions. When a turn comes is computed in [`super::course`].

use brickproof_units::Instant;

use super::cell::{Guard, TRIP_DELAY};
use super::course::{Flow, Turn};
use super::fault::{Fault, Rail};
use super::record::{Aftermath, Disturbance, Phase};
use super::shape::Shape;
use super::supervisor::{ChipPower, PowerFail};
use super::{Stage, Supply, SupplyEvent};

impl Turn {
    /// How the owner of the supply sees it.
    pub(super) fn event(self, chip: ChipPower) -> SupplyEvent {
        match self {
            // A chip that was still waiting to start notices nothing.
            Self::BrownOut if chip == ChipPower::Good => SupplyEvent::BrownOutReset,
            Self::PowerOn => SupplyEvent::PowerOnReset,
            Self::PowerFail => SupplyEvent::PowerFailWarning,
            Self::PowerFailCleared => SupplyEvent::PowerFailCleared,
            _ => SupplyEvent::Turn,
        }
    }
}

impl Supply {
    /// Brings charge, volts and records up to `at`, which lies within the present piece. A new piece must be planned afterwards.
    pub(super) fn settle(&mut self, at: Instant) {
        let seconds = self.piece.seconds_to(at);
        let volts = self.piece.rail.at(seconds).max(0.0);
        if !self.faults.is_empty() {
            self.input_volts = self.input_curve(&self.piece).at(seconds).max(0.0);
        }
        self.count_charge(at, volts - self.volts, seconds);
        for fault in &mut self.faults {
            fault.observe(&self.profile, self.piece.start, &self.piece.rail, seconds);
        }
        self.volts = volts;
        self.now = at;
        self.piece.start = at;
    }

    /// Charge is conserved: what left the source went into the load or into the bulk capacitance.
    fn count_charge(&mut self, at: Instant, risen: f64, seconds: f64) {
        self.count_load(at);
        let load = std::mem::take(&mut self.drawn);
        let delivered = match self.piece.flow {
            Flow::Regulated | Flow::Limited | Flow::Following => load + self.bulk() * risen,
            Flow::Starved | Flow::Off | Flow::Empty | Flow::Forced => 0.0,
        };
        let from_cell = self.piece.feed.is_some() && self.cell_is_drained();
        if let Some(cell) = &mut self.cell {
            cell.settle(if from_cell { delivered.max(0.0) } else { 0.0 }, seconds);
        }
    }

    pub(super) fn take_turn(&mut self, turn: Turn) {
        let mut flow = None;
        match turn {
            Turn::Flow(next) => flow = Some(next),
            Turn::InputLow => self.stage = Stage::Off,
            Turn::InputGood => self.stage = Stage::Enabling { due: self.now + self.profile.regulator.enable_delay },
            Turn::Enabled => {
                self.stage = Stage::Starting;
                self.rise_from = self.now;
            }
            Turn::TerminalLow => self.set_guard(Guard::Tripping { due: self.now + TRIP_DELAY }),
            Turn::TerminalGood | Turn::ProtectionCloses => self.set_guard(Guard::Closed),
            Turn::ProtectionOpens => self.set_guard(Guard::Open),
            Turn::BrownOut => {
                self.chip = ChipPower::Held;
                // The chip's power-fail setting does not survive its reset.
                self.power_fail = PowerFail::Disabled;
            }
            Turn::RailGood => {
                self.chip = ChipPower::Waiting { due: self.now + self.profile.power_on_delay };
                self.rise = Some(self.now.since(self.rise_from));
            }
            Turn::PowerOn => self.chip = ChipPower::Good,
            Turn::PowerFail => self.switch_power_fail(|threshold| PowerFail::Warned { threshold }),
            Turn::PowerFailCleared => self.switch_power_fail(|threshold| PowerFail::Clear { threshold }),
            Turn::Watched => self.pass_watched_level(),
            Turn::Corner => self.turn_corner(),
            Turn::LookAgain => {}
        }
        self.plan(flow);
        if self.end_faults() {
            self.plan(Some(self.piece.flow));
        }
    }

    fn set_guard(&mut self, guard: Guard) {
        if let Some(cell) = &mut self.cell {
            cell.guard = guard;
        }
    }

    fn switch_power_fail(&mut self, state: impl Fn(f64) -> PowerFail) {
        if let Some(threshold) = self.power_fail_threshold() {
            self.power_fail = state(threshold);
        }
    }

    /// Faults whose time has come end to act, faults that are due begin.
    fn turn_corner(&mut self) {
        self.subside_faults();
        self.begin_faults();
        let drawn = |fault: &Disturbance| match (fault.fault, fault.phase) {
            (Fault::ExtraLoad(current, _), Phase::Lasting { .. }) => current.get().max(0) as f64 * 1e-6,
            _ => 0.0,
        };
        self.extra_load = self.faults.iter().map(drawn).sum();
        if self.forced(Rail::Logic).is_some_and(|leg| leg.slope > 0.0) {
            self.rise_from = self.now;
        }
    }

    fn subside_faults(&mut self) {
        let now = self.now;
        self.faults.iter_mut().for_each(|fault| fault.subside(now));
    }

    /// Records the faults that are over on the piece that begins now; whether there were any.
    fn end_faults(&mut self) -> bool {
        let (now, profile, open) = (self.now, &self.profile, self.faults.len());
        let aftermath = match self.piece.flow {
            Flow::Off | Flow::Starved => Aftermath::Falling,
            Flow::Regulated | Flow::Limited | Flow::Following | Flow::Empty | Flow::Forced => Aftermath::Carried,
        };
        let over = self.faults.iter().filter(|fault| fault.is_over(now, aftermath));
        self.achieved.extend(over.map(|fault| fault.achieved(profile, now)));
        self.faults.retain(|fault| !fault.is_over(now, aftermath));
        self.faults.len() < open
    }

    fn begin_faults(&mut self) {
        let (now, rail, input) = (self.now, self.volts, self.input_volts);
        for fault in self.faults.iter_mut().filter(|fault| fault.is_pending_at(now)) {
            fault.phase = match fault.fault {
                Fault::BrownOut(asked) if asked.rail == Rail::Input => Phase::Forcing(Shape::new(now, input, &asked)),
                Fault::BrownOut(asked) => Phase::Forcing(Shape::new(now, rail, &asked)),
                Fault::Interrupt(span) | Fault::ExtraLoad(_, span) => Phase::Lasting { end: now + span },
            };
        }
    }
}
