//! What a simulated world knows of itself, and no instrument of a trial sees: the course of the board's rail, and its flash operations.
//!
//! Boundary: it looks on. A trial that is looked at so goes as it goes by itself, byte for byte.

use brickproof_trial::Trial;
use brickproof_units::{Instant, Span, Voltage};
use brickproof_virtual_board::flash::FlashRecord;

use crate::world::World;

/// A rail that moved by less has not moved.
const STEADY: i64 = 10_000;
/// While a fault begins, the rail is looked at so often, ...
const CLOSELY: Span = Span::micros(100);
/// ... for so long.
const CLOSE_FOR: Span = Span::millis(10);

/// What was behind the scenes of a trial.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Backstage {
    /// The rail's voltage where it changed its course: between two of them it runs straight, within 10 mV where it was looked at.
    pub rail: Vec<(Instant, Voltage)>,
    /// Every flash operation of the board's processor.
    pub flash: Vec<FlashRecord>,
}

/// Somebody who looks on.
#[derive(Debug, Default)]
pub(crate) struct Onlooker {
    rail: Vec<(Instant, Voltage)>,
    /// What was seen last, if it was not worth keeping.
    last: Option<(Instant, Voltage)>,
}

impl Onlooker {
    pub(crate) fn look(&mut self, world: &World) {
        let now = (world.now(), world.board().rail());
        let moved = |&(_, kept): &(Instant, Voltage)| (now.1.get() - kept.get()).abs() >= STEADY;
        if self.rail.last().is_none_or(moved) {
            self.rail.extend(self.last.take());
            self.rail.push(now);
        } else {
            self.last = Some(now);
        }
    }

    /// Up to when the world may go on before it is looked at again. A fault changes the rail faster than anything else is looked at.
    pub(crate) fn next_look(trial: &Trial) -> Instant {
        let now = trial.now();
        let open = trial.faults().iter().filter(|fault| fault.achieved.is_none()).map(|fault| fault.asked.at);
        let look = |at: Instant| {
            if now < at {
                at
            } else if now.since(at) < CLOSE_FOR {
                now + CLOSELY
            } else {
                Instant::NEVER
            }
        };
        open.map(look).fold(Instant::NEVER, Instant::min)
    }

    pub(crate) fn into_backstage(mut self, world: &mut World) -> Backstage {
        self.rail.extend(self.last);
        Backstage { rail: self.rail, flash: world.board_mut().take_flash_log() }
    }
}
