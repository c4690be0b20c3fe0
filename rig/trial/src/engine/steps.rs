//! One step: how it begins, what it waits for, how it ends.
//!
//! Boundary: the part of the engine that knows the kinds of steps. When steps are to be looked at, and what the trial comes to, is
//! decided in [`super`].

use std::sync::Arc;

use brickproof_scenario::plan::{
    ButtonEntry, Cause, Expectation, Fault, KeyWork, Measurand, Measurement, Step, StepAction, SupplySetting, Trigger,
};
use brickproof_units::{Instant, Span};

use super::asking::{PROVISIONING, command_of, no_answer, no_answer_to, no_answer_within};
use super::transferring::Transferring;
use super::{SLOT_REREAD_PAUSE, SUPPLY_READING_PERIOD, SlotReading, Stage, StepState, Trial, harmless_from};
use crate::account::{self, Manner, Miss, Stay};
use crate::conditions::{Look, Probed};
use crate::ports::{ActionId, Command, CommandError, Injection, ShapeAchieved};
use crate::timeline::Happening;
use crate::verdict::{FaultRecord, MeasuredValue, MeasurementRecord, StepVerdict};

impl Trial {
    /// When what a step waits for will have lasted as long as it must, if it is there.
    pub(super) fn held_until(&self, position: usize, began: Instant, state: StepState) -> Option<Instant> {
        match (state, &self.plan.steps[position].action) {
            (StepState::Looking { deadline, .. }, StepAction::Expect(Expectation { holds: Some(holds), .. })) => {
                self.stays_since(position, began, deadline).map(|since| since + *holds)
            }
            _ => None,
        }
    }

    /// Whether what the step waits for has been there between its beginning and `until`, and from when on.
    fn seen_since(&self, position: usize, began: Instant, until: Instant) -> Option<Instant> {
        self.eyes.saw_in(self.looks.steps[position].as_ref()?, began, until)
    }

    /// Whether it has been so since an instant between its beginning and `until`, and from when on.
    fn stays_since(&self, position: usize, began: Instant, until: Instant) -> Option<Instant> {
        self.eyes.sees_since(self.looks.steps[position].as_ref()?, began, until)
    }

    /// When it will be known what was there by the deadline.
    fn known(&self, position: usize, deadline: Instant) -> Instant {
        deadline + self.looks.steps[position].as_ref().map(Look::lag).unwrap_or_default()
    }

    pub(super) fn advance_step(&mut self, step: &Step, position: usize, began: Instant, state: StepState) -> bool {
        match state {
            StepState::Asked(request) | StepState::Injecting { request } => {
                if !self.is_due(request.deadline) {
                    return false;
                }
                self.bench_failed(&no_answer_to(step));
                true
            }
            StepState::Transferring { deadline } => {
                if !self.is_due(deadline) {
                    return false;
                }
                self.bench_failed(&no_answer_within("write the firmware", PROVISIONING));
                true
            }
            StepState::Waiting { until } => self.is_due(until) && self.end_step(position),
            _ if self.read_slots_again(position, state) => true,
            StepState::Guarding { until } => {
                let StepAction::Never { condition, .. } = &step.action else {
                    return self.guard_lowest(step, position, until);
                };
                if self.seen_since(position, began, Instant::NEVER).is_some() {
                    self.fail(&Miss::Forbidden { text: &step.text, line: step.line, condition });
                    return true;
                }
                self.is_too_late(until) && (self.is_blind(position) || self.end_step(position))
            }
            StepState::Lurking { deadline, .. } => self.lurk(step, position, began, deadline),
            StepState::Looking { deadline, .. } => self.look(step, position, began, deadline),
        }
    }

    /// Whether the time for a step is over: not while a slot is being read, which says what was there in time.
    fn is_too_late(&self, deadline: Instant) -> bool {
        self.is_due(deadline) && !matches!(self.slots, SlotReading::Asked { .. })
    }

    /// Whether the step could not see what it looks for because the supply was never read; then the bench has failed.
    fn is_blind(&mut self, position: usize) -> bool {
        let blind = self.reads_supply(position) && self.eyes.lowest_rail().is_none();
        if blind {
            self.bench_failed(&CommandError::Failed {
                instrument: "the supply".into(),
                asked: "read the rail".into(),
                happened: "no reading came".into(),
            });
        }
        blind
    }

    fn guard_lowest(&mut self, step: &Step, position: usize, until: Instant) -> bool {
        if !self.is_due(until) {
            return false;
        }
        if self.is_blind(position) {
            return true;
        }
        if let StepAction::Measure(Measurement { name, what: Measurand::LowestVoltage { at_least, .. } }) = &step.action
            && let Some(lowest) = self.eyes.lowest_rail()
        {
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
        if self.seen_since(position, began, deadline).is_none() {
            if !self.is_too_late(self.known(position, deadline)) {
                return false;
            }
            if self.is_blind(position) {
                return true;
            }
            let verdict = account::trigger_missed(&self.eyes, step, trigger, began, self.now);
            self.conclude(verdict);
            return true;
        }
        self.note(Happening::Triggered { step: step.index });
        // A light is recognised later than it began: what counts is the instant at which it was, the only one that can be acted upon.
        self.inject(step, position, began, fault, self.now, trigger);
        true
    }

    pub(super) fn inject(
        &mut self,
        step: &Step,
        position: usize,
        began: Instant,
        fault: &Fault,
        cause: Instant,
        trigger: &Trigger,
    ) {
        let injection = Injection { at: cause + trigger.after, fault: fault.clone() };
        self.faults.push(FaultRecord {
            step: step.index,
            triggered: cause,
            progress: None,
            asked: injection.clone(),
            tolerance: trigger.tolerance,
            achieved: None,
        });
        self.eyes.rail_mut().strike();
        if matches!(fault, Fault::BrownOut { .. } | Fault::PowerCut { .. }) {
            self.eyes.rail_mut().force();
        }
        let request = self.ask(Command::Inject(injection));
        self.stage = Stage::Step { position, began, state: StepState::Injecting { request } };
    }

    fn look(&mut self, step: &Step, position: usize, began: Instant, deadline: Instant) -> bool {
        match &step.action {
            StepAction::Expect(Expectation { condition, within, holds: None }) => {
                if self.seen_since(position, began, deadline).is_some() {
                    return self.end_step(position);
                }
                self.missed(
                    position,
                    deadline,
                    &Miss::Unseen { text: &step.text, condition, within: *within, began, stay: Stay::NeverCame },
                )
            }
            StepAction::Expect(Expectation { condition, within, holds: Some(holds) }) => {
                if let Some(since) = self.stays_since(position, began, deadline) {
                    self.missed = None;
                    return self.is_due(since + *holds) && self.end_step(position);
                }
                let came = self.seen_since(position, began, deadline).is_some();
                let stay = if came { Stay::Left(*holds) } else { Stay::NeverCame };
                self.missed(
                    position,
                    deadline,
                    &Miss::Unseen { text: &step.text, condition, within: *within, began, stay },
                )
            }
            StepAction::Measure(Measurement {
                name,
                what: Measurand::TimeUntil { condition, within, at_least, at_most },
            }) => {
                let Some(at) = self.seen_since(position, began, deadline) else {
                    return self.missed(
                        position,
                        deadline,
                        &Miss::Unseen { text: &step.text, condition, within: *within, began, stay: Stay::NeverCame },
                    );
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

    /// Nothing was there by the deadline, as far as is known: that stands once it is known.
    fn missed(&mut self, position: usize, deadline: Instant, miss: &Miss<'_>) -> bool {
        if !self.is_too_late(deadline) {
            return false;
        }
        if self.missed.is_none() {
            self.missed = Some(Box::new(self.account_of(miss)));
        }
        let known = self.known(position, deadline);
        if !self.is_too_late(known) {
            if let Stage::Step { state: StepState::Looking { wake, .. }, .. } = &mut self.stage {
                *wake = known;
            }
            return false;
        }
        if let (false, Some(verdict)) = (self.is_blind(position), self.missed.take()) {
            self.conclude_failure(*verdict, Manner::InVain);
        }
        true
    }

    fn keep_measurement(&mut self, step: &Step, name: &str, value: MeasuredValue, within_limits: bool) {
        let record = MeasurementRecord { name: name.to_owned(), value, within_limits, step: step.index };
        self.measurements.push(record);
    }

    fn read_slots(&mut self, position: usize) {
        let probed = self.looks.steps[position].as_ref().map(Look::probed).unwrap_or_default();
        let ask = |what: Probed| {
            let request = self.ask(match what {
                Probed::Slot(slot) => Command::ReadSlot { slot },
                Probed::Firmware => Command::ReadFirmware,
            });
            ((request.id, what), request.deadline)
        };
        let (open, deadlines): (Vec<_>, Vec<_>) = probed.into_iter().map(ask).unzip();
        self.slots = match deadlines.into_iter().max() {
            Some(deadline) => SlotReading::Asked { open, deadline },
            None => SlotReading::NotNeeded,
        };
    }

    fn read_slots_again(&mut self, position: usize, state: StepState) -> bool {
        // What is read once the time is over tells nothing of what was there in time.
        let in_time = match state {
            StepState::Looking { deadline, .. } | StepState::Lurking { deadline, .. } => self.elapsed <= deadline,
            _ => true,
        };
        match self.slots {
            SlotReading::Pause { until } if in_time && self.is_due(until) => {
                self.read_slots(position);
                true
            }
            SlotReading::Asked { deadline, .. } if self.is_due(deadline) => {
                self.bench_failed(&no_answer("read the board's flash"));
                true
            }
            _ => false,
        }
    }

    fn reads_supply(&self, position: usize) -> bool {
        self.looks.steps[position].as_ref().is_some_and(Look::needs_supply)
            || is_lowest_voltage(&self.plan.steps[position].action)
    }

    /// Whether the readings of the supply begin and end with this step.
    fn reads_supply_only_now(&self, position: usize) -> bool {
        self.reads_supply(position) && !self.looks.need_supply_throughout()
    }

    pub(super) fn begin_step(&mut self, position: usize) {
        let plan = Arc::clone(&self.plan);
        let Some(step) = plan.steps.get(position) else {
            self.all_steps_passed();
            return;
        };
        let began = self.now;
        self.note(Happening::StepBegan { index: step.index });
        self.steps[position].ran = Some((began, began));
        self.eyes.begin_step(began, self.looks.steps[position].as_ref());
        if let StepAction::Supply(setting) = step.action {
            self.eyes.rail_mut().feed(began, setting);
        }
        self.read_slots(position);
        if self.reads_supply_only_now(position) {
            self.ask(Command::ReadSupply { every: Some(SUPPLY_READING_PERIOD) });
        }
        let looking = |deadline| StepState::Looking { deadline, wake: deadline };
        let state = match &step.action {
            StepAction::Wait(span) => StepState::Waiting { until: began + *span },
            StepAction::Expect(it) => looking(began + it.within),
            StepAction::Never { during, .. } => StepState::Guarding { until: began + *during },
            StepAction::Measure(Measurement { what: Measurand::TimeUntil { within, .. }, .. }) => {
                looking(began + *within)
            }
            StepAction::Measure(Measurement { what: Measurand::LowestVoltage { during, .. }, .. }) => {
                StepState::Guarding { until: began + *during }
            }
            StepAction::Fault { trigger, fault } => match &trigger.cause {
                Some(Cause::Transferred { transfer, at }) => {
                    let request = self.ask(Command::Flash { transfer: transfer.clone(), tell_at: Some(*at) });
                    self.transfer = Some(Transferring::new(request));
                    StepState::Transferring { deadline: request.deadline }
                }
                Some(_) => {
                    let deadline = began + trigger.within;
                    StepState::Lurking { deadline, known: self.known(position, deadline) }
                }
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

    pub(super) fn end_step(&mut self, position: usize) -> bool {
        self.close_step(position, StepVerdict::Passed);
        self.note(Happening::StepEnded { index: self.plan.steps[position].index });
        self.begin_step(position + 1);
        true
    }

    pub(super) fn close_step(&mut self, position: usize, verdict: StepVerdict) {
        self.slots = SlotReading::NotNeeded;
        self.missed = None;
        self.transfer = None;
        if self.reads_supply_only_now(position) {
            self.ask(Command::ReadSupply { every: None });
        }
        let record = &mut self.steps[position];
        record.verdict = verdict;
        if let Some((_, ended)) = &mut record.ran {
            *ended = self.now;
        }
    }

    /// What `id` answers a reading of, which is then no longer awaited.
    pub(super) fn probed_for(&mut self, id: ActionId) -> Option<Probed> {
        let SlotReading::Asked { open, .. } = &mut self.slots else { return None };
        let (_, what) = open.remove(open.iter().position(|(asked, _)| *asked == id)?);
        if open.is_empty() {
            self.slots = SlotReading::Pause { until: self.now + SLOT_REREAD_PAUSE };
        }
        Some(what)
    }

    /// The board was asked for a mode. With the buttons through a reset, what it shows while the button is held is the beginning of the mode;
    /// what it showed before it was asked says nothing.
    pub(super) fn asked_for_mode(&mut self, position: usize, with_buttons: bool) {
        let StepAction::Enter(entry) = &self.plan.steps[position].action else { return self.done(position) };
        match entry.buttons.as_ref().filter(|_| with_buttons).map(ButtonEntry::after_reset) {
            Some(Some(hold)) => self.board_stopped_before(self.now - hold),
            Some(None) => {}
            None => self.distrust_lights(),
        }
        self.end_step(position);
    }

    /// A step that is over with its answer.
    pub(super) fn done(&mut self, position: usize) {
        match self.plan.steps[position].action {
            StepAction::Corrupt { .. } => {
                self.harmed_at.get_or_insert(self.now);
                self.eyes.forget_connection_before(self.now);
            }
            StepAction::Keys { work: KeyWork::Load(_) | KeyWork::NewIdentity | KeyWork::GenuineServer, .. } => {
                self.eyes.forget_connection_before(self.now);
            }
            StepAction::Supply(SupplySetting::Off) | StepAction::Reset { .. } => self.board_stopped_before(self.now),
            StepAction::Flash(_) => self.board_stopped_before(self.now),
            // What it shows while the button is held is the beginning of the mode.
            StepAction::PressThroughReset { hold, .. } => self.board_stopped_before(self.now - hold),
            StepAction::Supply(_) => self.distrust_lights(),
            StepAction::Cloud(setting) => self.eyes.cloud_is(setting),
            _ => {}
        }
        self.end_step(position);
    }

    /// The board's keys are not what was saved of them.
    pub(super) fn keys_differ(&mut self, position: usize, how: &str) {
        let plan = Arc::clone(&self.plan);
        self.fail(&Miss::KeysDiffer { text: &plan.steps[position].text, how });
    }

    /// The board does not run, or began anew: whatever was seen of it before this instant is the past.
    pub(super) fn board_stopped_before(&mut self, at: Instant) {
        self.distrust_lights();
        self.eyes.board_stopped_before(at);
    }

    pub(super) fn distrust_lights(&mut self) {
        for (led, sight) in self.eyes.distrust_lights() {
            self.note(Happening::Light { led, sight });
        }
    }

    pub(super) fn injected(&mut self, position: usize, shape: ShapeAchieved) {
        match shape.below_brown_out {
            Span::ZERO => self.distrust_lights(),
            _ => self.board_stopped_before(shape.began),
        }
        if let Some(record) = self.faults.last_mut() {
            record.achieved = Some(shape);
            if let Some(verdict) = account::not_as_asked(&self.eyes, record, &shape, self.now) {
                return self.conclude(verdict);
            }
            match record.asked.fault {
                Fault::PowerCut { hold: None } => self.eyes.rail_mut().feed(self.now, SupplySetting::Off),
                _ => self.eyes.rail_mut().release(self.now),
            }
        }
        if shape.below_brown_out > Span::ZERO || shape.lowest < harmless_from(&self.plan) {
            // Not the fault's beginning: what went on at that instant was there before the harm.
            self.harmed_at.get_or_insert(self.now);
        }
        match (&self.transfer, &self.stage) {
            (None, _) => {
                self.end_step(position);
            }
            (Some(transfer), _) if transfer.is_over() => self.end_struck_transfer(position),
            (Some(transfer), Stage::Step { began, .. }) => {
                let state = StepState::Transferring { deadline: transfer.request.deadline };
                self.stage = Stage::Step { position, began: *began, state };
            }
            _ => {}
        }
    }

    pub(super) fn injection_unproven(&mut self) {
        let reason = "the fault was reported as done, but not what it did to the supply".to_owned();
        let verdict = account::bench_error(&self.eyes, reason, self.current_step(), self.now);
        self.conclude(verdict);
    }
}

fn is_lowest_voltage(action: &StepAction) -> bool {
    matches!(action, StepAction::Measure(Measurement { what: Measurand::LowestVoltage { .. }, .. }))
}
