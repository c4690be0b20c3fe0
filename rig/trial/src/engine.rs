//! The state machine: which step is on, what it waits for, and what the trial comes to.
//!
//! Boundary: it decides; what is visible is `conditions`' business, how a verdict is worded `account`'s. Requests and their deadlines are in
//! [`asking`], the way from a verdict to a safe station in [`ending`].

mod asking;
mod ending;
mod steps;
mod transferring;

use std::collections::VecDeque;
use std::sync::Arc;

use brickproof_boards::LedIndex;
use brickproof_light::{Calibration, CalibrationParts};
use brickproof_scenario::plan::{Cause, Expected, Plan, Step, StepAction};
use brickproof_units::{Instant, Span, Voltage};

use self::asking::{PROVISIONING, Request, no_answer, no_answer_to, no_answer_within};
use self::transferring::Transferring;
use crate::account::{self, Manner, Miss};
use crate::conditions::{Eyes, Look, LookOut, Probed, Purpose, Signs};
use crate::ports::{Achieved, Action, ActionId, Command, CommandError, Observation, Stamp};
use crate::rail::Reading;
use crate::timeline::{Event, Happening, Timeline};
use crate::verdict::{FaultRecord, MeasurementRecord, StepRecord, StepVerdict, Verdict, VerdictKind};

/// How often the supply is read while a step looks at it.
const SUPPLY_READING_PERIOD: Span = Span::millis(1);
/// How long after an unwelcome answer a slot is read again.
const SLOT_REREAD_PAUSE: Span = Span::millis(100);

/// One run of one plan. See the crate's documentation for the manner of use.
#[derive(Clone, Debug)]
pub struct Trial {
    plan: Arc<Plan>,
    looks: Arc<Looks>,
    now: Instant,
    /// Everything up to here was observed. What is observed at an instant counts before what is due at it, so this may lag behind `now`.
    elapsed: Instant,
    stage: Stage,
    eyes: Eyes,
    slots: SlotReading,
    transfer: Option<Transferring>,
    outbox: VecDeque<Action>,
    next_id: u32,
    /// When the board was first harmed on purpose: what goes wrong before is no brick.
    harmed_at: Option<Instant>,
    shown: Vec<bool>,
    /// What comes of the step, as it stood at its deadline, if nothing turns out to have been there in time.
    missed: Option<Box<Verdict>>,
    timeline: Timeline,
    steps: Vec<StepRecord>,
    faults: Vec<FaultRecord>,
    measurements: Vec<MeasurementRecord>,
    verdict: Option<Arc<Verdict>>,
    /// The first thing that went wrong while cleaning up.
    cleanup_error: Option<CommandError>,
    /// The cleanup waits for nothing.
    hurried: bool,
}

/// The plan's conditions, prepared for looking.
#[derive(Debug)]
struct Looks {
    steps: Vec<Option<Look>>,
    watches: Vec<Look>,
    brick: Vec<Look>,
}

impl Looks {
    /// Whether the supply has to be read from the first step to the last.
    fn need_supply_throughout(&self) -> bool {
        self.watches.iter().chain(&self.brick).any(Look::needs_supply)
    }
}

#[derive(Clone, Debug)]
enum Stage {
    Provisioning(Request),
    Step { position: usize, began: Instant, state: StepState },
    Cleanup { position: usize, state: StepState },
    MakingSafe(Request),
    Over,
}

/// A trial cannot go on with a plan that differs in what was done already, or in more than the numbers of its faults.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the trial cannot go on as another one: they differ in more than what is still to come")]
pub struct OtherPlan;

#[derive(Clone, Copy, Debug)]
enum StepState {
    /// A request is on its way; the step ends with its answer.
    Asked(Request),
    /// Time has to pass.
    Waiting { until: Instant },
    /// Something has to be there by the deadline. What was there by then may be known only later: at `wake`, once the deadline is over.
    Looking { deadline: Instant, wake: Instant },
    /// Something must not be seen until then.
    Guarding { until: Instant },
    /// A trigger's cause has to be there by the deadline; whether it was is known by `known`.
    Lurking { deadline: Instant, known: Instant },
    /// The fault is on its way.
    Injecting { request: Request },
    /// The firmware is on its way, and has not come to where the fault strikes, or the fault is over and the transfer is not.
    Transferring { deadline: Instant },
}

/// What the flash holds is not visible by itself: a step that looks at it asks again and again.
#[derive(Clone, Debug)]
enum SlotReading {
    NotNeeded,
    Asked { open: Vec<(ActionId, Probed)>, deadline: Instant },
    Pause { until: Instant },
}

impl Trial {
    /// A trial at its beginning. The first action is already waiting.
    ///
    /// `sensors` are the board's lights that have one above them, each with its calibration.
    pub fn new(plan: Arc<Plan>, sensors: impl IntoIterator<Item = (LedIndex, Calibration)>) -> Self {
        let mut look_out = LookOut::default();
        let looks = Looks {
            steps: plan.steps.iter().map(|step| look_out.prepare_step(&step.action)).collect(),
            watches: plan.throughout.iter().map(|watch| look_out.prepare(&watch.never, Purpose::Forbidden)).collect(),
            brick: match &plan.outcome {
                Expected::Passed => Vec::new(),
                Expected::Bricked { showing } => {
                    showing.iter().map(|it| look_out.prepare(it, Purpose::Wanted)).collect()
                }
            },
        };
        let steps =
            plan.steps.iter().map(|step| StepRecord { index: step.index, verdict: StepVerdict::NotRun, ran: None });
        let mut trial = Self {
            now: Instant::START,
            elapsed: Instant::START,
            stage: Stage::Over,
            eyes: look_out.open_eyes(&plan.board, sensors, minimum_of(&plan)),
            slots: SlotReading::NotNeeded,
            transfer: None,
            outbox: VecDeque::new(),
            next_id: 0,
            harmed_at: None,
            shown: vec![false; looks.brick.len()],
            missed: None,
            timeline: Timeline::default(),
            steps: steps.collect(),
            faults: Vec::new(),
            measurements: Vec::new(),
            verdict: None,
            cleanup_error: None,
            hurried: false,
            looks: Arc::new(looks),
            plan,
        };
        trial.eyes.cloud_is(trial.plan.cloud);
        trial.ask(Command::Cloud(trial.plan.cloud));
        trial.stage = Stage::Provisioning(trial.ask(Command::Provision));
        trial
    }

    /// The plan it follows.
    pub fn plan(&self) -> &Arc<Plan> {
        &self.plan
    }

    /// The latest instant it knows of.
    pub fn now(&self) -> Instant {
        self.now
    }

    /// What it wants done next, oldest first.
    pub fn poll_action(&mut self) -> Option<Action> {
        self.outbox.pop_front()
    }

    /// When it wants to be woken even if nothing is observed. `None` once it is over.
    pub fn next_wake(&self) -> Option<Instant> {
        match &self.stage {
            Stage::Provisioning(request) | Stage::MakingSafe(request) => Some(request.deadline),
            Stage::Cleanup { state, .. } => Some(state.next_wake()),
            Stage::Step { position, began, state } => {
                let next = self.held_until(*position, *began, *state).unwrap_or_else(|| state.next_wake());
                Some(match &self.slots {
                    SlotReading::Asked { deadline, .. } if self.is_due(next) => *deadline,
                    SlotReading::Asked { deadline: other, .. } | SlotReading::Pause { until: other } => {
                        next.min(*other)
                    }
                    SlotReading::NotNeeded => next,
                })
            }
            Stage::Over => None,
        }
    }

    /// The step that is on, counted from 1; `None` before the first and after the last.
    pub fn current_step(&self) -> Option<usize> {
        match &self.stage {
            Stage::Step { position, .. } => Some(position + 1),
            _ => None,
        }
    }

    /// How it ended, once the station is safe.
    pub fn verdict(&self) -> Option<&Verdict> {
        match self.stage {
            Stage::Over => self.verdict.as_deref(),
            _ => None,
        }
    }

    /// Whether it is decided how it ends, though the station may not be safe yet: whatever was still asked for before is of no use any more.
    pub fn is_decided(&self) -> bool {
        self.verdict.is_some()
    }

    /// What was done and seen.
    pub fn timeline(&self) -> &Timeline {
        &self.timeline
    }

    /// How the sensor above each of its lights counts; the first light always has one.
    pub fn calibrations(&self) -> Vec<(LedIndex, CalibrationParts)> {
        self.eyes.lights().calibrations()
    }

    /// How the steps went.
    pub fn steps(&self) -> &[StepRecord] {
        &self.steps
    }

    /// The faults, as asked and as achieved.
    pub fn faults(&self) -> &[FaultRecord] {
        &self.faults
    }

    /// Whether it ended without a judgement because a fault struck outside its tolerance.
    pub fn was_discarded(&self) -> bool {
        self.verdict().is_some_and(|verdict| verdict.kind == VerdictKind::Inconclusive)
            && self.faults.iter().any(|fault| fault.beyond_tolerance().is_some())
    }

    /// The recorded values.
    pub fn measurements(&self) -> &[MeasurementRecord] {
        &self.measurements
    }

    /// Goes on with another plan, which differs in the numbers of faults that have not been triggered yet.
    ///
    /// # Errors
    /// It differs in something else, or a fault in which it differs was triggered already.
    pub fn turn_to(&mut self, plan: Arc<Plan>) -> Result<(), OtherPlan> {
        let is_past = |index: usize| self.faults.iter().any(|fault| fault.step == index);
        let has_begun = |index: usize| self.steps.iter().any(|step| step.index == index && step.ran.is_some());
        let goes_on = |(ours, theirs): (&Step, &Step)| match (&ours.action, &theirs.action) {
            (StepAction::Fault { trigger: our, fault }, StepAction::Fault { trigger: their, fault: other }) => {
                let same = our == their && fault == other;
                let same_cause = match (&our.cause, &their.cause) {
                    // It was told how far to go as the step began.
                    (
                        Some(Cause::Transferred { transfer: our, .. }),
                        Some(Cause::Transferred { transfer: their, .. }),
                    ) if !has_begun(ours.index) => our == their,
                    (our, their) => our == their,
                };
                same || !is_past(ours.index) && same_cause && our.within == their.within
            }
            (our, their) => our == their,
        };
        let same_steps =
            self.plan.steps.len() == plan.steps.len() && self.plan.steps.iter().zip(&plan.steps).all(goes_on);
        let (ours, theirs) = (&*self.plan, &*plan);
        let same_rest = (&ours.throughout, &ours.cleanup, &ours.outcome, &ours.cloud, &ours.firmware, &ours.scenario)
            == (
                &theirs.throughout,
                &theirs.cleanup,
                &theirs.outcome,
                &theirs.cloud,
                &theirs.firmware,
                &theirs.scenario,
            );
        if !(same_steps && same_rest) {
            return Err(OtherPlan);
        }
        self.plan = plan;
        Ok(())
    }

    /// Prepares for being cloned often: what was recorded so far becomes shared.
    pub fn freeze(&mut self) {
        self.timeline.freeze();
    }

    /// Time passes, nothing was observed.
    pub fn wake(&mut self, now: Instant) {
        self.catch_up(now);
        self.pass_time(now);
    }

    /// Takes every decision that was due before `until` at its own instant, however late the driver is.
    fn catch_up(&mut self, until: Instant) {
        while let Some(due) = self.next_wake().filter(|due| *due < until) {
            self.pass_time(due);
            if self.next_wake() == Some(due) {
                break;
            }
        }
    }

    /// Whatever was observed has been settled already, so that only what is due can bring anything new.
    fn pass_time(&mut self, now: Instant) {
        self.now = self.now.max(now);
        self.elapsed = self.elapsed.max(now);
        if self.next_wake().is_some_and(|due| self.is_due(due)) {
            self.settle();
        }
    }

    fn is_due(&self, at: Instant) -> bool {
        self.elapsed >= at
    }

    /// Something was observed.
    pub fn observe(&mut self, stamp: Stamp, observation: Observation) {
        self.catch_up(stamp.at);
        self.now = self.now.max(stamp.at);
        match observation {
            Observation::Console(bytes) => return self.observe_console(stamp, &bytes),
            Observation::Light(glimpse) => {
                self.timeline.samples.push(glimpse);
                if let Some(sight) = self.eyes.see_light(&glimpse) {
                    self.record(stamp, Happening::Light { led: glimpse.led, sight });
                }
            }
            Observation::Edge { line, edge } => {
                self.eyes.see_edge(&line, edge, self.now);
                self.record(stamp, Happening::Edge { line, edge });
            }
            Observation::Supply { rail, current } => {
                self.record(stamp, Happening::Rail { voltage: rail, current });
                // Below its minimum a board may run on: whether it stopped is told by its light, and its connection stands until it tries anew.
                if self.eyes.see_supply(Reading { at: self.now, rail, current }) {
                    self.distrust_lights();
                }
            }
            Observation::Usb(usb) => {
                self.eyes.see_usb(self.now, usb);
                self.record(stamp, Happening::Usb(usb));
            }
            Observation::Cloud(event) => {
                self.eyes.see_cloud(self.now, &event);
                self.record(stamp, Happening::Cloud(event));
            }
            Observation::InstrumentFailed(error) => {
                self.record(stamp, Happening::InstrumentFailed(error.clone()));
                self.take_stray_answer(Err(error));
            }
            Observation::Progress { id, progress } => {
                self.record(stamp, Happening::Progress { id, progress });
                self.take_progress(id, progress);
            }
            Observation::Answered { id, result } => {
                self.record(stamp, Happening::Answered { id, result: result.clone() });
                self.take_answer(id, result);
            }
        }
        self.settle();
    }

    /// Byte by byte, so that it makes no difference how the driver's reads cut the stream. Only a match can decide anything.
    fn observe_console(&mut self, stamp: Stamp, bytes: &[u8]) {
        self.timeline.console.push(stamp.at, bytes);
        for &byte in bytes {
            let heard = self.eyes.hear(self.now, byte);
            if let Some(line) = heard.line {
                self.record(
                    stamp,
                    Happening::ConsoleLine { number: line.number, began: line.began, bytes: line.bytes },
                );
            }
            if heard.matched {
                self.settle();
            }
        }
    }

    fn record(&mut self, stamp: Stamp, what: Happening) {
        self.timeline.events.push(Event { at: stamp.at, uncertainty: stamp.uncertainty, what });
    }

    fn note(&mut self, what: Happening) {
        self.record(Stamp::exact(self.now), what);
    }

    /// Goes on until nothing more follows from what is known.
    fn settle(&mut self) {
        if matches!(self.stage, Stage::Step { .. }) {
            self.look_throughout();
        }
        while self.advance() {}
    }

    fn look_throughout(&mut self) {
        if self.harmed_at.is_some() {
            for (shown, look) in self.shown.iter_mut().zip(&self.looks.brick) {
                *shown = *shown || self.eyes.saw(look, self.harmed_at.unwrap_or_default()).is_some();
            }
        }
        let looks = Arc::clone(&self.looks);
        for (watch, look) in looks.watches.iter().enumerate() {
            if self.eyes.saw(look, Instant::START).is_some() {
                let plan = Arc::clone(&self.plan);
                let watch = &plan.throughout[watch];
                let miss = Miss::Forbidden { text: &watch.text, line: watch.line, condition: &watch.never };
                self.fail(&miss);
                return;
            }
        }
    }

    /// Takes one move if there is one.
    fn advance(&mut self) -> bool {
        match self.stage {
            Stage::Over => false,
            Stage::Provisioning(request) if self.is_due(request.deadline) => {
                self.bench_failed(&no_answer_within("be provisioned", PROVISIONING));
                true
            }
            Stage::MakingSafe(request) if self.is_due(request.deadline) => {
                self.finish(Err(no_answer("be made safe")));
                true
            }
            Stage::Provisioning(_) | Stage::MakingSafe(_) => false,
            Stage::Cleanup { position, state } => match state {
                StepState::Waiting { until } if self.is_due(until) => self.begin_cleanup(position + 1),
                StepState::Asked(request) if self.is_due(request.deadline) => {
                    let error = no_answer_to(&self.plan.cleanup[position]);
                    self.cleanup_error.get_or_insert(error);
                    self.begin_cleanup(position + 1)
                }
                _ => false,
            },
            Stage::Step { position, began, state } => {
                let plan = Arc::clone(&self.plan);
                self.advance_step(&plan.steps[position], position, began, state)
            }
        }
    }

    fn take_answer(&mut self, id: ActionId, result: Result<Achieved, CommandError>) {
        match self.stage {
            Stage::Provisioning(request) if request.id == id => match result {
                Ok(_) => {
                    if self.plan.state.is_some() {
                        // It was harmed wherever it comes from.
                        self.harmed_at.get_or_insert(self.now);
                    }
                    self.begin_steps();
                }
                Err(error) => self.bench_failed(&error),
            },
            Stage::MakingSafe(request) if request.id == id => self.finish(result),
            Stage::Cleanup { position, state: StepState::Asked(request) } if request.id == id => {
                if let Err(error) = result {
                    self.cleanup_error.get_or_insert(error);
                }
                self.begin_cleanup(position + 1);
            }
            Stage::Step { position, state: StepState::Asked(request), .. } if request.id == id => match result {
                Ok(Achieved::KeysDiffer(how)) => self.keys_differ(position, &how),
                Ok(Achieved::Superseded(why)) => {
                    let verdict = account::scenario_error(&self.eyes, why.to_string(), self.current_step(), self.now);
                    self.conclude(verdict);
                }
                Ok(Achieved::NewIdentity { old, new, .. }) => {
                    self.eyes.identity_renewed(new);
                    self.note(Happening::IdentityChanged { old, new });
                    self.done(position);
                }
                Ok(Achieved::Asked { light, usb, held, .. }) => {
                    self.eyes.rely_on(Signs { light, usb });
                    self.asked_for_mode(position, held.is_some());
                }
                Ok(Achieved::Unserved { by, why, blame }) => {
                    let verdict = account::unserved(&self.eyes, by, &why, blame, self.current_step(), self.now);
                    self.conclude_failure(verdict, Manner::InVain);
                }
                Ok(_) => self.done(position),
                Err(error) if self.plan.steps[position].action.transfer().is_some() => self.not_written(&error),
                Err(error) => self.bench_failed(&error),
            },
            Stage::Step { position, state: StepState::Injecting { request }, .. } if request.id == id => match result {
                Ok(Achieved::Injected(shape)) => self.injected(position, shape),
                Ok(_) => self.injection_unproven(),
                Err(error) => self.bench_failed(&error),
            },
            Stage::Step { position, .. } if self.transfer.as_ref().is_some_and(|it| it.request.id == id) => {
                self.transferred(position, result);
            }
            Stage::Step { .. } => match (self.probed_for(id), result) {
                (Some(Probed::Slot(slot)), Ok(Achieved::Slot(content))) => self.eyes.see_slot(self.now, slot, content),
                (Some(Probed::Firmware), Ok(Achieved::Firmware(content))) => self.eyes.see_firmware(self.now, content),
                (_, result) => self.take_stray_answer(result),
            },
            _ => self.take_stray_answer(result),
        }
    }

    fn begin_steps(&mut self) {
        self.ask(Command::WatchRail { minimum: minimum_of(&self.plan) });
        if self.looks.need_supply_throughout() {
            self.ask(Command::ReadSupply { every: Some(SUPPLY_READING_PERIOD) });
        }
        self.begin_step(0);
    }
}

impl StepState {
    fn next_wake(&self) -> Instant {
        match *self {
            Self::Asked(request) | Self::Injecting { request } => request.deadline,
            Self::Waiting { until } | Self::Guarding { until } => until,
            Self::Transferring { deadline } => deadline,
            Self::Lurking { known, .. } => known,
            Self::Looking { wake, .. } => wake,
        }
    }
}

/// What the board needs on the rail that the supply reads, the first of its profile.
fn minimum_of(plan: &Plan) -> Voltage {
    plan.board.rails.first().map(|rail| rail.minimum).unwrap_or_default()
}

/// Above this nothing can come of a rail that falls: the board runs, and its flash takes what it is told.
fn harmless_from(plan: &Plan) -> Voltage {
    plan.board.rails.first().map(|rail| rail.flash_minimum.unwrap_or(rail.minimum)).unwrap_or_default()
}
