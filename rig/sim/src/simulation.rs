//! A trial and its world, run against each other.
//!
//! Boundary: the loop and its order. At one instant the board comes first, then the sensor, the cloud, the answers; the trial is woken
//! last. The order is part of what makes a timeline reproducible.

use std::sync::Arc;

use brickproof_firmware::Firmware;
use brickproof_scenario::plan::Plan;
use brickproof_trial::{Observation, OtherPlan, Stamp, Trial};
use brickproof_units::{Instant, Span};
use brickproof_virtual_board::flash::Flash;

use crate::backstage::{Backstage, Onlooker};
use crate::sensor;
use crate::world::{Story, World, WorldConfig, lights_of};

/// A trial on a virtual board. Cloning it forks it: both go on from the same state and never hear of each other again.
#[derive(Clone, Debug)]
pub struct Simulation {
    trial: Trial,
    world: World,
}

/// How much board time passes between two looks at whether to go on.
const SLICE: Span = Span::secs(1);

impl Simulation {
    /// The trial that `plan` makes with this image and seed, at its beginning.
    ///
    /// # Panics
    ///
    /// If the image is larger than the flash of the plan's board.
    pub fn new(plan: Arc<Plan>, firmware: &Firmware, seed: u64) -> Self {
        Self::with_config(plan, firmware, WorldConfig::new(seed))
    }

    /// The same on a world with other settings.
    ///
    /// # Panics
    ///
    /// As [`Self::new`].
    pub fn with_config(plan: Arc<Plan>, firmware: &Firmware, config: WorldConfig) -> Self {
        let world = World::new(&plan, firmware, config);
        Self { trial: trial_of(plan), world }
    }

    /// The same with a board that had trials before, of which this is the flash.
    ///
    /// # Panics
    ///
    /// As [`Self::new`].
    pub fn on_a_used_board(plan: Arc<Plan>, firmware: &Firmware, seed: u64, flash: Flash) -> Self {
        let world = World::on_a_used_board(&plan, firmware, WorldConfig::new(seed), flash);
        Self { trial: trial_of(plan), world }
    }

    /// The trial, as far as it has come.
    pub fn trial(&self) -> &Trial {
        &self.trial
    }

    /// The board and what surrounds it.
    pub fn world(&self) -> &World {
        &self.world
    }

    /// Gives up the world.
    pub fn into_trial(self) -> Trial {
        self.trial
    }

    /// The trial, and the flash of its board once that is without power: what a further trial on the same board begins with.
    pub fn into_trial_and_flash(self) -> (Trial, Flash) {
        (self.trial, self.world.into_flash())
    }

    /// Prepares for being cloned often: what happened so far becomes shared.
    pub fn freeze(&mut self) {
        self.trial.freeze();
    }

    /// Forgets what the board has recorded so far of its flash and of its life, which every clone would copy.
    pub fn forget_records(&mut self) {
        let board = self.world.board_mut();
        board.take_flash_log();
        board.take_life_log();
    }

    /// A fork that goes on with another plan, which differs in the numbers of faults that have not been triggered yet and in how cells
    /// take them, and with another seed, which differs in its upper half.
    ///
    /// # Errors
    ///
    /// They differ in something else, or a fault was triggered already.
    pub fn turned(&self, plan: Arc<Plan>, seed: u64) -> Result<Self, OtherPlan> {
        let mut fork = self.clone();
        let cells = plan.cells;
        fork.trial.turn_to(plan)?;
        if !fork.world.take_seed(seed) {
            return Err(OtherPlan);
        }
        fork.world.take_cells(cells);
        Ok(fork)
    }

    /// Goes on until `limit`, or an instruction beyond it. False if the trial ended before.
    pub fn run_to(&mut self, limit: Instant) -> bool {
        while self.trial.now() < limit {
            if !self.step(limit) {
                return false;
            }
        }
        true
    }

    /// Goes on to the end.
    pub fn run(&mut self) {
        while self.step(Instant::NEVER) {}
    }

    /// Goes on to the end, or until `go_on` says no; then the trial ends undecided, and the station is cleaned up and made safe. A wait in
    /// the cleanup is cut short then: nothing here needs the time. Returns what went on behind the scenes meanwhile; of the flash only what
    /// the world keeps a record of ([`WorldConfig::records`]).
    pub fn run_while(&mut self, go_on: impl Fn() -> bool) -> Backstage {
        let mut onlooker = Onlooker::default();
        let mut look_at = self.trial.now() + SLICE;
        while self.step(look_at.min(Onlooker::next_look(&self.trial))) {
            onlooker.look(&self.world);
            if self.trial.now() >= look_at {
                look_at = self.trial.now() + SLICE;
                if !go_on() {
                    self.trial.abort("interrupted");
                }
            }
        }
        onlooker.into_backstage(&mut self.world)
    }

    /// What comes of the board during the next `span` if nobody touches it. The trial itself stays where it is.
    pub fn story(&self, span: Span) -> Story {
        self.world.clone().story(span)
    }

    /// Goes on until `done` says so. False if the trial ended before.
    pub fn run_until(&mut self, mut done: impl FnMut(&Self) -> bool) -> bool {
        while !done(self) {
            if !self.step(Instant::NEVER) {
                return false;
            }
        }
        true
    }

    /// Carries the trial's actions out, lets time pass until something is to be observed (or `limit`), and tells the trial. False once
    /// the trial is over.
    fn step(&mut self, limit: Instant) -> bool {
        while let Some(action) = self.trial.poll_action() {
            self.world.carry_out(action);
        }
        let Some(wake) = self.trial.next_wake() else { return false };
        self.world.run_until(wake.min(limit));
        let now = self.world.now();
        let trial = &mut self.trial;
        self.world.deliver(|at: Instant, observation: Observation| trial.observe(Stamp::exact(at), observation));
        self.trial.wake(now);
        true
    }
}

/// A trial whose sensors are all alike.
fn trial_of(plan: Arc<Plan>) -> Trial {
    let sensors: Vec<_> = lights_of(&plan).map(|led| (led, sensor::calibration())).collect();
    Trial::new(plan, sensors)
}
