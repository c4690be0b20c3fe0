//! Trials of a campaign on the virtual board: what they share is run once, and forked right before the fault is triggered.
//!
//! Boundary: from a shot to its trial, or to what it finds. Which shots are made is the course's business.

use std::sync::{Arc, OnceLock};

use brickproof_firmware::Firmware;
use brickproof_scenario::plan::{Plan, StepAction};
use brickproof_scenario::{Setting, TurnError};
use brickproof_sim::Simulation;
use brickproof_trial::Trial;
use brickproof_units::{Instant, Span};

use crate::alike::{self, Book, Says, Seen, Spared};
use crate::outcome::{Class, was_heard};
use crate::shot::{Finding, Shot};

/// A console byte takes longer: nothing is triggered so shortly after a fork.
pub(crate) const BEFORE_THE_TRIGGER: Span = Span::micros(10);

/// One plan and one firmware, and as much of their trial as all trials share.
#[derive(Clone, Debug)]
pub struct Laboratory {
    plan: Arc<Plan>,
    firmware: Firmware,
    seed: u64,
    /// Right before the trigger. `None` if the fault is triggered at the very beginning, or never.
    trunk: Option<Simulation>,
    /// The same for a fault that strikes twice; made when one is asked for.
    twice: OnceLock<Simulation>,
    /// `None` if every trial is made to its end.
    book: Option<Arc<Book>>,
}

impl Laboratory {
    /// Runs what is shared. Only the lower half of `seed` counts.
    pub fn new(plan: Arc<Plan>, firmware: Firmware, seed: u64) -> Self {
        let seed = seed & u64::from(u32::MAX);
        let mut scout = Simulation::new(Arc::clone(&plan), &firmware, seed);
        let is_triggered = scout.run_until(|it| !it.trial().faults().is_empty());
        let triggered = is_triggered.then(|| shared_until(scout.trial())).flatten();
        let fork_at =
            triggered.filter(|at| *at > Instant::START + BEFORE_THE_TRIGGER).map(|at| at - BEFORE_THE_TRIGGER);
        let trunk = fork_at.map(|at| trunk(Arc::clone(&plan), &firmware, seed, at));
        Self { plan, firmware, seed, trunk, twice: OnceLock::new(), book: None }
    }

    /// The same, where findings may be told by the first second of a board after its last fault: if it is that of a board whose trial was made to
    /// its end. Trials that do more after the fault than to look at light and identity are made to their end all the same.
    #[must_use]
    pub fn sparing(self) -> Self {
        let book = alike::can_be_told(&self.plan).then(Arc::default);
        Self { book, ..self }
    }

    /// How many trials were made to their end for [`Self::find`], and how many were told; zeros unless [`Self::sparing`].
    pub fn spared(&self) -> Spared {
        self.book.as_deref().map(Book::spared).unwrap_or_default()
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
        let mut simulation = self.fork(plan, shot);
        simulation.run();
        simulation.into_trial()
    }

    /// What a trial finds, and how that is known.
    pub fn find(&self, plan: Arc<Plan>, shot: &Shot) -> (Finding, Seen) {
        let Some(book) = &self.book else {
            return (Finding::of(&self.make(plan, shot)).unwrap_or(Finding::UNTOLD), Seen::Whole);
        };
        let mut simulation = self.fork(plan, shot);
        let asked = faults_of(simulation.trial().plan());
        simulation.run_until(|it| are_over(it.trial(), asked));
        let story = Book::story(&simulation);
        let says = story.as_ref().map_or(Says::Nothing, |story| book.look_up(story));
        if let Says::Ends(class) = says {
            let finding = Finding { struck_after: struck_after(simulation.trial()), ..Finding::new(class) };
            return (finding, Seen::FirstSecond);
        }
        simulation.run();
        let finding = Finding::of(simulation.trial());
        book.note(story, finding.as_ref().map(|it| it.class), &says);
        (finding.unwrap_or(Finding::UNTOLD), Seen::Whole)
    }

    /// The trunk of trials whose plan has the steps of this one.
    fn twice(&self, plan: &Arc<Plan>) -> Option<&Simulation> {
        let fork_at = self.trunk.as_ref()?.trial().now();
        Some(self.twice.get_or_init(|| trunk(Arc::clone(plan), &self.firmware, self.seed, fork_at)))
    }

    fn fork(&self, plan: Arc<Plan>, shot: &Shot) -> Simulation {
        debug_assert_eq!(shot.seed & u64::from(u32::MAX), self.seed, "the shot belongs to this past");
        let is_twice = faults_of(&plan) > faults_of(&self.plan);
        let trunk = if is_twice { self.twice(&plan) } else { self.trunk.as_ref() };
        let fork = trunk.and_then(|trunk| trunk.turned(Arc::clone(&plan), shot.seed).ok());
        fork.unwrap_or_else(|| Simulation::new(plan, &self.firmware, shot.seed))
    }
}

/// Up to when trials share their past: until the trigger of the fault, or until the transfer begins that it hangs on, which is told beforehand how
/// far it goes.
fn shared_until(trial: &Trial) -> Option<Instant> {
    let fault = trial.faults().first()?;
    let step = trial.steps().iter().find(|step| step.index == fault.step).and_then(|step| step.ran);
    if fault.progress.is_some() { step.map(|(began, _)| began) } else { Some(fault.triggered) }
}

fn trunk(plan: Arc<Plan>, firmware: &Firmware, seed: u64, fork_at: Instant) -> Simulation {
    let mut trunk = Simulation::new(plan, firmware, seed);
    trunk.run_to(fork_at);
    trunk.freeze();
    trunk
}

impl Finding {
    /// What `trial` found. `None` if it was not brought to its end.
    pub fn of(trial: &Trial) -> Option<Self> {
        Some(Self { struck_after: struck_after(trial), heard: was_heard(trial), ..Self::new(Class::of(trial)?) })
    }
}

fn struck_after(trial: &Trial) -> Option<Span> {
    let fault = trial.faults().last()?;
    Some(fault.achieved?.began.since(fault.triggered))
}

fn faults_of(plan: &Plan) -> usize {
    plan.steps.iter().filter(|step| matches!(step.action, StepAction::Fault { .. })).count()
}

/// Whether all of so many faults were made.
fn are_over(trial: &Trial, faults: usize) -> bool {
    trial.faults().len() == faults && trial.faults().iter().all(|fault| fault.achieved.is_some())
}
