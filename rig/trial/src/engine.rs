//! The state machine: which step is on, what it waits for, and what the trial comes to.
//!
//! Boundary: it decides; what is visible is `conditions`' business, how a verdict is worded `account`'s.

use std::collections::VecDeque;
use std::sync::Arc;

use brickproof_light::Calibration;
use brickproof_scenario::plan::{
    Condition, Expected, Expectation, Fault, Measurand, Measurement, Plan, Step, StepAction, Trigger,
};
use brickproof_units::{Instant, Span};

use crate::account::{self, Miss};
use crate::conditions::{Eyes, Look, LookOut};
use crate::ports::{
    Achieved, Action, ActionId, Command, CommandError, Injection, Observation, ShapeAchieved, Stamp,
};
use crate::timeline::{Event, Happening, Timeline};
use crate::verdict::{
    Blame, FaultRecord, MeasuredValue, MeasurementRecord, StepRecord, StepVerdict, Verdict, VerdictKind,
};

/// How often the supply is read while a step looks at it.
const SUPPLY_READING_PERIOD: Span = Span::millis(1);
/// How long after an unwelcome answer a slot is read again.
const SLOT_REREAD_PAUSE: Span = Span::millis(100);
/// A request that is not answered by then is the bench's failure. A shape may last as long as it says, beyond this.
const ANSWER_DEADLINE: Span = Span::secs(30);

/// One run of one plan. See the crate's documentation for the manner of use.
#[derive(Clone, Debug)]
pub struct Trial {
    plan: Arc<Plan>,
    looks: Arc<Looks>,
    now: Instant,
    stage: Stage,
    eyes: Eyes,
    outbox: VecDeque<Action>,
    next_id: u32,
    /// When the board was first harmed on purpose: what goes wrong before is no brick.
    harmed_at: Option<Instant>,
    shown: Vec<bool>,
    timeline: Timeline,
    steps: Vec<StepRecord>,
    faults: Vec<FaultRecord>,
    measurements: Vec<MeasurementRecord>,
    verdict: Option<Arc<Verdict>>,
}

/// The plan's conditions, prepared for looking.
#[derive(Debug)]
struct Looks {
    steps: Vec<Option<Look>>,
    watches: Vec<Look>,
    brick: Vec<Look>,
}

#[derive(Clone, Debug)]
enum Stage {
    Provisioning(Request),
    Step { position: usize, began: Instant, state: StepState },
    Cleanup { position: usize, state: StepState, verdict: Arc<Verdict> },
    MakingSafe { request: Request, verdict: Arc<Verdict> },
    Over,
}

/// A request on its way.
#[derive(Clone, Copy, Debug)]
struct Request {
    id: ActionId,
    deadline: Instant,
}

#[derive(Clone, Debug)]
enum StepState {
    /// A request is on its way; the step ends with its answer.
    Asked(Request),
    /// Time has to pass.
    Waiting { until: Instant },
    /// Something has to be seen.
    Looking { deadline: Instant, slot: SlotReading },
    /// Something must not be seen until then.
    Guarding { until: Instant },
    /// A trigger's cause has to be seen.
    Lurking { deadline: Instant },
    /// The fault is on its way.
    Injecting { request: Request },
}

/// Slots are not visible by themselves: a step that looks at one asks again and again.
#[derive(Clone, Copy, Debug)]
enum SlotReading {
    NotNeeded,
    Asked(ActionId),
    Pause { until: Instant },
}

impl Trial {
    /// A trial at its beginning. The first action is already waiting.
    ///
    /// `calibration` is that of the sensor above the board's LED.
    pub fn new(plan: Arc<Plan>, calibration: Calibration) -> Self {
        let mut look_out = LookOut::default();
        let looks = Looks {
            steps: plan.steps.iter().map(|step| look_out.prepare_step(&step.action)).collect(),
            watches: plan.throughout.iter().map(|watch| look_out.prepare(&watch.never)).collect(),
            brick: match &plan.outcome {
                Expected::Passed => Vec::new(),
                Expected::Bricked { showing } => showing.iter().map(|it| look_out.prepare(it)).collect(),
            },
        };
        let steps = plan.steps.iter().map(|step| StepRecord { index: step.index, verdict: StepVerdict::NotRun, ran: None });
        let mut trial = Self {
            now: Instant::START,
            stage: Stage::Over,
            eyes: look_out.open_eyes(calibration),
            outbox: VecDeque::new(),
            next_id: 0,
            harmed_at: None,
            shown: vec![false; looks.brick.len()],
            timeline: Timeline::default(),
            steps: steps.collect(),
            faults: Vec::new(),
            measurements: Vec::new(),
            verdict: None,
            looks: Arc::new(looks),
            plan,
        };
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
            Stage::Provisioning(request) | Stage::MakingSafe { request, .. } => Some(request.deadline),
            Stage::Cleanup { state, .. } => Some(state.next_wake()),
            Stage::Step { position, began, state } => {
                let holding = match (state, &self.plan.steps[*position].action) {
                    (StepState::Looking { .. }, StepAction::Expect(Expectation { holds: Some(holds), .. })) => {
                        self.stays_since(*position, *began).map(|since| since + *holds)
                    }
                    _ => None,
                };
                Some(holding.unwrap_or_else(|| state.next_wake()))
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

    /// What was done and seen.
    pub fn timeline(&self) -> &Timeline {
        &self.timeline
    }

    /// How the steps went.
    pub fn steps(&self) -> &[StepRecord] {
        &self.steps
    }

    /// The faults, as asked and as achieved.
    pub fn faults(&self) -> &[FaultRecord] {
        &self.faults
    }

    /// The recorded values.
    pub fn measurements(&self) -> &[MeasurementRecord] {
        &self.measurements
    }

    /// Prepares for being cloned often: what was recorded so far becomes shared.
    pub fn freeze(&mut self) {
        self.timeline.freeze();
    }

    /// Time passes, nothing was observed.
    pub fn wake(&mut self, now: Instant) {
        self.now = self.now.max(now);
        self.settle();
    }

    /// The operator, or the driver on its way out, ends the trial. The station is still made safe.
    pub fn abort(&mut self, reason: &str) {
        if self.verdict.is_none() {
            self.conclude(Verdict {
                kind: VerdictKind::Inconclusive,
                blame: Some(Blame::Bench),
                reason: reason.to_owned(),
                step: self.current_step(),
                evidence: Vec::new(),
                light: self.eyes.light_in_words(),
                at: self.now,
            });
        }
    }

    /// Something was observed.
    pub fn observe(&mut self, stamp: Stamp, observation: Observation) {
        self.now = self.now.max(stamp.at);
        match observation {
            Observation::Console(bytes) => self.observe_console(stamp, &bytes),
            Observation::Light(sample) => {
                self.timeline.samples.push(sample);
                if let Some(sight) = self.eyes.see_light(&sample) {
                    self.record(stamp, Happening::Light(sight));
                }
            }
            Observation::Edge { line, edge } => {
                self.eyes.see_edge(&line, edge, self.now);
                self.record(stamp, Happening::Edge { line, edge });
            }
            Observation::Supply { rail, current } => {
                self.eyes.see_supply(self.now, rail, current);
                self.record(stamp, Happening::Rail { voltage: rail });
            }
            Observation::Cloud(event) => {
                self.eyes.see_cloud(self.now, &event);
                self.record(stamp, Happening::Cloud(event));
            }
            Observation::Answered { id, result } => {
                self.record(stamp, Happening::Answered { id, result: result.clone() });
                self.take_answer(id, result);
            }
        }
        self.settle();
    }

    /// Byte by byte, so that it makes no difference how the driver's reads cut the stream.
    fn observe_console(&mut self, stamp: Stamp, bytes: &Arc<[u8]>) {
        self.timeline.console.push((stamp.at, Arc::clone(bytes)));
        for &byte in bytes.iter() {
            let heard = self.eyes.hear(self.now, byte);
            if let Some(line) = heard.line {
                self.record(stamp, Happening::ConsoleLine { number: line.number, bytes: line.bytes });
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

    fn ask(&mut self, command: Command) -> Request {
        let lasts = match &command {
            Command::Inject(injection) => injection.lasts_until(),
            Command::Reset { hold } | Command::Press { hold, .. } => self.now + *hold,
            _ => self.now,
        };
        let id = ActionId(self.next_id);
        self.next_id += 1;
        self.note(Happening::Asked { id, command: command.clone() });
        self.outbox.push_back(Action { id, command });
        Request { id, deadline: lasts + ANSWER_DEADLINE }
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
        match self.stage.clone() {
            Stage::Over => false,
            Stage::Provisioning(request) | Stage::MakingSafe { request, .. } if self.now >= request.deadline => {
                self.bench_failed(&CommandError::Failed {
                    instrument: "the station",
                    asked: "answer in time".into(),
                    happened: format!("nothing came within {ANSWER_DEADLINE}").into(),
                });
                true
            }
            Stage::Provisioning(_) | Stage::MakingSafe { .. } => false,
            Stage::Cleanup { state, .. } => match state {
                StepState::Waiting { until } if self.now >= until => self.next_cleanup(),
                StepState::Asked(request) if self.now >= request.deadline => self.next_cleanup(),
                _ => false,
            },
            Stage::Step { position, began, state } => {
                let plan = Arc::clone(&self.plan);
                self.advance_step(&plan.steps[position], position, began, &state)
            }
        }
    }

    /// Whether what the step waits for has been seen since it began, and from when on.
    fn seen_since(&self, position: usize, began: Instant) -> Option<Instant> {
        self.eyes.saw(self.looks.steps[position].as_ref()?, began)
    }

    /// Whether it is so now, and from when on.
    fn stays_since(&self, position: usize, began: Instant) -> Option<Instant> {
        self.eyes.sees(self.looks.steps[position].as_ref()?, began)
    }

    fn advance_step(&mut self, step: &Step, position: usize, began: Instant, state: &StepState) -> bool {
        match *state {
            StepState::Asked(request) | StepState::Injecting { request } => {
                if self.now < request.deadline {
                    return false;
                }
                self.bench_failed(&CommandError::Failed {
                    instrument: "the station",
                    asked: step.text.as_str().into(),
                    happened: "it did not answer in time".into(),
                });
                true
            }
            StepState::Waiting { until } => self.now >= until && self.end_step(position),
            StepState::Guarding { until } => {
                let StepAction::Never { condition, .. } = &step.action else {
                    return self.guard_lowest(step, position, until);
                };
                if self.seen_since(position, began).is_some() {
                    self.fail(&Miss::Forbidden { text: &step.text, line: step.line, condition });
                    return true;
                }
                self.now >= until && self.end_step(position)
            }
            StepState::Lurking { deadline } => self.lurk(step, position, began, deadline),
            StepState::Looking { deadline, slot } => self.look(step, position, began, deadline, slot),
        }
    }

    fn guard_lowest(&mut self, step: &Step, position: usize, until: Instant) -> bool {
        if self.now < until {
            return false;
        }
        if let StepAction::Measure(Measurement { name, what: Measurand::LowestVoltage { at_least, .. } }) = &step.action {
            let Some(lowest) = self.eyes.lowest_rail() else {
                self.bench_failed(&CommandError::Failed {
                    instrument: "the supply",
                    asked: "read the rail".into(),
                    happened: "no reading came".into(),
                });
                return true;
            };
            let within_limits = at_least.is_none_or(|limit| lowest >= limit);
            self.keep_measurement(step, name, MeasuredValue::Voltage(lowest), within_limits);
            if !within_limits {
                let miss = Miss::OutOfLimits { text: &step.text, value: MeasuredValue::Voltage(lowest) };
                self.fail(&miss);
                return true;
            }
        }
        self.end_step(position)
    }

    fn lurk(&mut self, step: &Step, position: usize, began: Instant, deadline: Instant) -> bool {
        let StepAction::Fault { trigger, fault } = &step.action else { return false };
        let Some(at) = self.seen_since(position, began) else {
            if self.now < deadline {
                return false;
            }
            let verdict = account::trigger_missed(&self.eyes, step, trigger, began, self.now);
            self.conclude(verdict);
            return true;
        };
        self.note(Happening::Triggered { step: step.index });
        self.inject(step, position, began, fault, at, trigger);
        true
    }

    fn inject(&mut self, step: &Step, position: usize, began: Instant, fault: &Fault, cause: Instant, trigger: &Trigger) {
        let injection = Injection { at: cause + trigger.after, fault: fault.clone() };
        self.faults.push(FaultRecord { step: step.index, triggered: cause, asked: injection.clone(), achieved: None });
        let request = self.ask(Command::Inject(injection));
        self.stage = Stage::Step { position, began, state: StepState::Injecting { request } };
    }

    fn look(&mut self, step: &Step, position: usize, began: Instant, deadline: Instant, slot: SlotReading) -> bool {
        if let SlotReading::Pause { until } = slot
            && self.now >= until
        {
            let slot = self.read_slot(position);
            self.stage = Stage::Step { position, began, state: StepState::Looking { deadline, slot } };
            return true;
        }
        match &step.action {
            StepAction::Expect(Expectation { condition, within, holds }) => {
                let since = match holds {
                    Some(_) => self.stays_since(position, began),
                    None => self.seen_since(position, began),
                };
                match since {
                    Some(since) if self.now >= since + holds.unwrap_or_default() => self.end_step(position),
                    Some(_) => false,
                    None => self.now >= deadline && self.missed(step, condition, *within, began),
                }
            }
            StepAction::Measure(Measurement {
                name,
                what: Measurand::TimeUntil { condition, within, at_least, at_most },
            }) => {
                let Some(at) = self.seen_since(position, began) else {
                    return self.now >= deadline && self.missed(step, condition, *within, began);
                };
                let took = at.since(began);
                let within_limits = at_least.is_none_or(|l| took >= l) && at_most.is_none_or(|l| took <= l);
                self.keep_measurement(step, name, MeasuredValue::Span(took), within_limits);
                if !within_limits {
                    let miss = Miss::OutOfLimits { text: &step.text, value: MeasuredValue::Span(took) };
                    self.fail(&miss);
                    return true;
                }
                self.end_step(position)
            }
            _ => false,
        }
    }

    fn missed(&mut self, step: &Step, condition: &Condition, within: Span, began: Instant) -> bool {
        self.fail(&Miss::Unseen { text: &step.text, condition, within, began });
        true
    }

    fn keep_measurement(&mut self, step: &Step, name: &str, value: MeasuredValue, within_limits: bool) {
        let record = MeasurementRecord { name: name.to_owned(), value, within_limits, step: step.index };
        self.measurements.push(record);
    }

    fn read_slot(&mut self, position: usize) -> SlotReading {
        match self.looks.steps[position].as_ref().and_then(Look::slot) {
            Some(slot) => SlotReading::Asked(self.ask(Command::ReadSlot { slot }).id),
            None => SlotReading::NotNeeded,
        }
    }

    fn begin_step(&mut self, position: usize) {
        let plan = Arc::clone(&self.plan);
        let Some(step) = plan.steps.get(position) else {
            self.all_steps_passed();
            return;
        };
        let began = self.now;
        self.note(Happening::StepBegan { index: step.index });
        self.steps[position].ran = Some((began, began));
        self.eyes.begin_step();
        if self.looks.steps[position].as_ref().is_some_and(Look::needs_supply) || is_lowest_voltage(&step.action) {
            self.ask(Command::ReadSupply { every: Some(SUPPLY_READING_PERIOD) });
        }
        let state = match &step.action {
            StepAction::Wait(span) => StepState::Waiting { until: began + *span },
            StepAction::Expect(it) => {
                StepState::Looking { deadline: began + it.within, slot: self.read_slot(position) }
            }
            StepAction::Never { during, .. } => StepState::Guarding { until: began + *during },
            StepAction::Measure(Measurement { what: Measurand::TimeUntil { within, .. }, .. }) => {
                StepState::Looking { deadline: began + *within, slot: self.read_slot(position) }
            }
            StepAction::Measure(Measurement { what: Measurand::LowestVoltage { during, .. }, .. }) => {
                StepState::Guarding { until: began + *during }
            }
            StepAction::Fault { trigger, fault } => match &trigger.cause {
                Some(_) => StepState::Lurking { deadline: began + trigger.within },
                None => {
                    self.inject(step, position, began, fault, began, trigger);
                    return;
                }
            },
            action => match command_of(action) {
                Some(command) => StepState::Asked(self.ask(command)),
                None => StepState::Waiting { until: began },
            },
        };
        self.stage = Stage::Step { position, began, state };
    }

    fn end_step(&mut self, position: usize) -> bool {
        self.close_step(position, StepVerdict::Passed);
        self.note(Happening::StepEnded { index: self.plan.steps[position].index });
        self.begin_step(position + 1);
        true
    }

    fn close_step(&mut self, position: usize, verdict: StepVerdict) {
        let supply_was_read = self.looks.steps[position].as_ref().is_some_and(Look::needs_supply)
            || is_lowest_voltage(&self.plan.steps[position].action);
        if supply_was_read {
            self.ask(Command::ReadSupply { every: None });
        }
        let record = &mut self.steps[position];
        record.verdict = verdict;
        if let Some((_, ended)) = &mut record.ran {
            *ended = self.now;
        }
    }

    fn take_answer(&mut self, id: ActionId, result: Result<Achieved, CommandError>) {
        match self.stage.clone() {
            Stage::Provisioning(request) if request.id == id => match result {
                Ok(_) => self.begin_step(0),
                Err(error) => self.bench_failed(&error),
            },
            Stage::MakingSafe { request, verdict } if request.id == id => self.finish(result, &verdict),
            Stage::Cleanup { state: StepState::Asked(request), .. } if request.id == id => {
                self.next_cleanup();
            }
            Stage::Step { position, state: StepState::Asked(request), .. } if request.id == id => match result {
                Ok(_) => {
                    if matches!(self.plan.steps[position].action, StepAction::Corrupt { .. }) {
                        self.harmed_at.get_or_insert(self.now);
                    }
                    self.end_step(position);
                }
                Err(error) => self.bench_failed(&error),
            },
            Stage::Step { position, state: StepState::Injecting { request }, .. } if request.id == id => match result {
                Ok(Achieved::Injected(shape)) => self.injected(position, shape),
                Ok(_) => self.injection_unproven(),
                Err(error) => self.bench_failed(&error),
            },
            Stage::Step { position, began, state: StepState::Looking { deadline, slot: SlotReading::Asked(asked) } }
                if asked == id =>
            {
                match result {
                    Ok(Achieved::Slot(content)) => self.eyes.see_slot(self.now, content),
                    Ok(_) => {}
                    Err(error) => return self.bench_failed(&error),
                }
                let slot = SlotReading::Pause { until: self.now + SLOT_REREAD_PAUSE };
                self.stage = Stage::Step { position, began, state: StepState::Looking { deadline, slot } };
            }
            _ => self.take_stray_answer(result),
        }
    }

    /// Readings and the cloud's setting are asked for in passing: only their failure matters.
    fn take_stray_answer(&mut self, result: Result<Achieved, CommandError>) {
        if let Err(error) = result
            && self.verdict.is_none()
        {
            self.bench_failed(&error);
        }
    }

    fn injected(&mut self, position: usize, shape: ShapeAchieved) {
        self.harmed_at.get_or_insert(shape.began);
        if let Some(record) = self.faults.last_mut() {
            record.achieved = Some(shape);
            if let Some(reason) = account::not_as_asked(&record.asked.fault, &shape) {
                let verdict = account::bench_error(&self.eyes, reason, self.current_step(), self.now);
                return self.conclude(verdict);
            }
        }
        self.end_step(position);
    }

    fn injection_unproven(&mut self) {
        let reason = "the fault was reported as done, but not what it did to the supply".to_owned();
        let verdict = account::bench_error(&self.eyes, reason, self.current_step(), self.now);
        self.conclude(verdict);
    }

    fn bench_failed(&mut self, error: &CommandError) {
        let verdict = account::bench_error(&self.eyes, error.to_string(), self.current_step(), self.now);
        self.conclude(verdict);
    }

    fn fail(&mut self, miss: &Miss<'_>) {
        let mut verdict = account::missed(&self.eyes, &self.plan, miss, self.current_step(), self.now);
        let at_expectation = matches!(miss, Miss::Unseen { .. });
        if let Expected::Bricked { .. } = self.plan.outcome
            && self.harmed_at.is_some()
            && verdict.blame == Some(Blame::Firmware)
        {
            verdict = account::expected_brick(&self.plan, verdict, &self.shown, at_expectation);
        }
        self.conclude(verdict);
    }

    fn all_steps_passed(&mut self) {
        let verdict = match &self.plan.outcome {
            Expected::Passed => account::passed(self.now),
            Expected::Bricked { .. } => account::brick_did_not_come(&self.eyes, self.now),
        };
        self.conclude(verdict);
    }

    /// The verdict stands; what remains is to clean up and to leave the station safe.
    fn conclude(&mut self, verdict: Verdict) {
        if self.verdict.is_some() {
            if matches!(self.stage, Stage::MakingSafe { .. }) {
                self.stage = Stage::Over;
            }
            return;
        }
        if let Stage::Step { position, .. } = self.stage {
            let step_verdict = match verdict.kind {
                VerdictKind::Error | VerdictKind::Inconclusive => StepVerdict::Error,
                VerdictKind::Passed | VerdictKind::Failed => StepVerdict::Failed,
            };
            self.close_step(position, step_verdict);
        }
        let verdict = Arc::new(verdict);
        self.note(Happening::Verdict(Box::new((*verdict).clone())));
        self.verdict = Some(Arc::clone(&verdict));
        self.begin_cleanup(0, verdict);
    }

    fn begin_cleanup(&mut self, position: usize, verdict: Arc<Verdict>) {
        let plan = Arc::clone(&self.plan);
        let Some(step) = plan.cleanup.get(position) else {
            let request = self.ask(Command::MakeSafe);
            self.stage = Stage::MakingSafe { request, verdict };
            return;
        };
        let state = match &step.action {
            StepAction::Wait(span) => StepState::Waiting { until: self.now + *span },
            action => match command_of(action) {
                Some(command) => StepState::Asked(self.ask(command)),
                None => StepState::Waiting { until: self.now },
            },
        };
        self.stage = Stage::Cleanup { position, state, verdict };
    }

    fn next_cleanup(&mut self) -> bool {
        if let Stage::Cleanup { position, verdict, .. } = self.stage.clone() {
            self.begin_cleanup(position + 1, verdict);
        }
        true
    }

    fn finish(&mut self, result: Result<Achieved, CommandError>, verdict: &Arc<Verdict>) {
        if let Err(error) = result {
            let mut unsafe_end = (**verdict).clone();
            unsafe_end.kind = VerdictKind::Error;
            unsafe_end.blame = Some(Blame::Bench);
            unsafe_end.reason = format!("the station could not be left safe: {error}");
            self.verdict = Some(Arc::new(unsafe_end));
        }
        self.stage = Stage::Over;
    }
}

impl StepState {
    fn next_wake(&self) -> Instant {
        match *self {
            Self::Asked(request) | Self::Injecting { request } => request.deadline,
            Self::Waiting { until } | Self::Guarding { until } => until,
            Self::Lurking { deadline } => deadline,
            Self::Looking { deadline, slot: SlotReading::Pause { until } } => deadline.min(until),
            Self::Looking { deadline, .. } => deadline,
        }
    }
}

impl Injection {
    /// When the shape is over, as far as the plan tells.
    fn lasts_until(&self) -> Instant {
        self.at
            + match &self.fault {
                Fault::BrownOut { hold, .. } | Fault::LoadStep { hold, .. } => *hold,
                Fault::PowerCut { hold } => hold.unwrap_or_default(),
            }
    }
}

fn is_lowest_voltage(action: &StepAction) -> bool {
    matches!(action, StepAction::Measure(Measurement { what: Measurand::LowestVoltage { .. }, .. }))
}

/// The request that a step without waiting comes down to.
fn command_of(action: &StepAction) -> Option<Command> {
    Some(match action {
        StepAction::Supply(setting) => Command::Supply(*setting),
        StepAction::Send(text) => Command::Send(text.as_str().into()),
        StepAction::Reset { hold } => Command::Reset { hold: *hold },
        StepAction::Press { button, hold } => Command::Press { button: button.as_str().into(), hold: *hold },
        StepAction::Cloud(setting) => Command::Cloud(*setting),
        StepAction::Corrupt { slot, class } => Command::Corrupt { slot: *slot, class: *class },
        StepAction::Wait(_)
        | StepAction::Expect(_)
        | StepAction::Never { .. }
        | StepAction::Fault { .. }
        | StepAction::Measure(_) => return None,
    })
}
