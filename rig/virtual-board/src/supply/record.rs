//! A fault from the request to its record.
//!
//! Boundary: bookkeeping. It is told each analytic piece of the rail as it passes and measures it.

use brickproof_units::{Instant, Slew, Span, Voltage};

use super::curve::Curve;
use super::fault::{Achieved, Fault, FaultId, Specification};
use super::profile::SupplyProfile;
use super::shape::Shape;

/// A fault that was asked for and is not over.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Disturbance {
    pub(super) id: FaultId,
    pub(super) fault: Fault,
    pub(super) phase: Phase,
    start: Instant,
    floor: f64,
    floor_at: Instant,
    below_brown_out: f64,
    below_flash_minimum: f64,
    steepest: f64,
}

/// Where a fault stands.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Phase {
    Pending,
    Forcing(Shape),
    Lasting {
        end: Instant,
    },
    /// Nothing is asked any more, but the rail still falls because of it: a regulator that has locked out takes its time.
    Subsiding,
}

/// Where the rail goes when a fault no longer acts on it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Aftermath {
    /// Its regulator passes nothing yet.
    Falling,
    /// Its regulator has it again, or nothing is left that could fall.
    Carried,
}

impl Disturbance {
    pub(super) fn new(id: FaultId, fault: Fault, start: Instant) -> Self {
        Self {
            id,
            fault,
            phase: Phase::Pending,
            start,
            floor: f64::INFINITY,
            floor_at: start,
            below_brown_out: 0.0,
            below_flash_minimum: 0.0,
            steepest: 0.0,
        }
    }

    /// When it next begins, turns or ends, seen from `now`, if that is known.
    pub(super) fn next_corner(&self, now: Instant) -> Option<Instant> {
        match self.phase {
            Phase::Pending => Some(self.start),
            Phase::Forcing(shape) => Some(shape.leg(now).map_or(shape.end(), |leg| leg.end)),
            Phase::Lasting { end } => Some(end),
            Phase::Subsiding => None,
        }
    }

    pub(super) fn is_pending_at(&self, now: Instant) -> bool {
        self.phase == Phase::Pending && self.start <= now
    }

    /// Whether it is over if, from `now` on, the rail goes in this way.
    pub(super) fn is_over(&self, now: Instant, aftermath: Aftermath) -> bool {
        match self.phase {
            Phase::Pending | Phase::Lasting { .. } => false,
            Phase::Forcing(shape) => shape.end() <= now,
            Phase::Subsiding => aftermath == Aftermath::Carried,
        }
    }

    /// What was asked ends when its time has come; what follows from it may go on.
    pub(super) fn subside(&mut self, now: Instant) {
        if matches!(self.phase, Phase::Lasting { end } if end <= now) {
            self.phase = Phase::Subsiding;
        }
    }

    /// The rail followed `rail` for `seconds` from `start`.
    pub(super) fn observe(&mut self, profile: &SupplyProfile, start: Instant, rail: &Curve, seconds: f64) {
        if self.phase == Phase::Pending {
            return;
        }
        let (moment, lowest) = rail.lowest(seconds);
        if lowest < self.floor {
            self.floor = lowest;
            self.floor_at = start + Span::nanos((moment * 1e9) as u64);
        }
        self.steepest = self.steepest.max(rail.steepest(seconds));
        self.below_brown_out += rail.time_below(profile.brown_out.falling.get() as f64 * 1e-6, seconds);
        self.below_flash_minimum += rail.time_below(profile.flash.minimum.get() as f64 * 1e-6, seconds);
    }

    /// What it came to, at its end.
    pub(super) fn achieved(&self, profile: &SupplyProfile, end: Instant) -> Achieved {
        let steepest = Slew::new((1e9 / self.steepest) as u64);
        let too_fast = steepest < profile.fastest_slew;
        Achieved {
            id: self.id,
            start: self.start,
            end,
            floor: Voltage::new(libm::round(self.floor * 1e6) as i64),
            fall: self.floor_at.since(self.start),
            below_brown_out: to_span(self.below_brown_out),
            below_flash_minimum: to_span(self.below_flash_minimum),
            steepest,
            specification: if too_fast { Specification::TooFast } else { Specification::Within },
        }
    }
}

fn to_span(seconds: f64) -> Span {
    Span::nanos(libm::round(seconds * 1e9) as u64)
}
