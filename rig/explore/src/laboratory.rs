//! Trials of a campaign on the virtual board: what they share is run once, and forked right before the fault is triggered.
//!
//! Boundary: from a shot to its trial. Which shots are made is the course's business.

use std::sync::Arc;

use brickproof_firmware::Firmware;
use brickproof_scenario::plan::Plan;
use brickproof_scenario::{Setting, TurnError};
use brickproof_sim::Simulation;
use brickproof_trial::Trial;
use brickproof_units::{Instant, Span};

use crate::outcome::{Class, was_heard};
use crate::shot::{Finding, Shot};

/// A console byte takes longer: nothing is triggered so shortly after a fork.
const BEFORE_THE_TRIGGER: Span = Span::micros(10);

/// One plan and one firmware, and as much of their trial as all trials share.
#[derive(Clone, Debug)]
pub struct Laboratory {
    plan: Arc<Plan>,
    firmware: Firmware,
    seed: u64,
    /// `None` if the fault is triggered at the very beginning, or never.
    trunk: Option<Simulation>,
}

impl Laboratory {
    /// Runs what is shared. Only the lower half of `seed` counts.
    pub fn new(plan: Arc<Plan>, firmware: Firmware, seed: u64) -> Self {
        let seed = seed & u64::from(u32::MAX);
        let mut scout = Simulation::new(Arc::clone(&plan), &firmware, seed);
        let is_triggered = scout.run_until(|it| !it.trial().faults().is_empty());
        let triggered = scout.trial().faults().first().map(|fault| fault.triggered).filter(|_| is_triggered);
        let trunk = triggered.filter(|at| *at > Instant::START + BEFORE_THE_TRIGGER).map(|at| {
            let mut trunk = Simulation::new(Arc::clone(&plan), &firmware, seed);
            trunk.run_to(at - BEFORE_THE_TRIGGER);
            trunk.freeze();
            trunk
        });
        Self { plan, firmware, seed, trunk }
    }

    /// The plan.
    pub fn plan(&self) -> &Arc<Plan> {
        &self.plan
    }

    /// The firmware.
    pub fn firmware(&self) -> &Firmware {
        &self.firmware
    }

    /// The plan with the knobs of its fault as a shot wants them.
    ///
    /// # Errors
    /// The scenario's fault cannot be turned so.
    pub fn plan_of(&self, settings: &[Setting]) -> Result<Arc<Plan>, TurnError> {
        Ok(if settings.is_empty() { Arc::clone(&self.plan) } else { Arc::new(self.plan.turned(settings)?) })
    }

    /// Makes a trial: the same, byte for byte, as without any fork.
    pub fn make(&self, plan: Arc<Plan>, shot: &Shot) -> Trial {
        debug_assert_eq!(shot.seed & u64::from(u32::MAX), self.seed, "the shot belongs to this past");
        let fork = self.trunk.as_ref().and_then(|trunk| trunk.turned(Arc::clone(&plan), shot.seed).ok());
        let mut simulation = fork.unwrap_or_else(|| Simulation::new(plan, &self.firmware, shot.seed));
        simulation.run();
        simulation.into_trial()
    }
}

impl Finding {
    /// What `trial` found. `None` if it was not brought to its end.
    pub fn of(trial: &Trial) -> Option<Self> {
        let class = Class::of(trial)?;
        let fault = trial.faults().last();
        let struck_after = fault.and_then(|fault| Some(fault.achieved?.began.since(fault.triggered)));
        Some(Self { struck_after, heard: was_heard(trial), ..Self::new(class) })
    }
}
