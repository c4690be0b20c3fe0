//! Firmware on its way to the board, and the fault that hangs on how far it has come.
//!
//! Boundary: when the fault strikes, and what becomes of a transfer that comes to its end or breaks. How it is written is not visible here.

use std::sync::Arc;

use brickproof_scenario::plan::{Cause, StepAction};
use brickproof_units::Instant;

use super::asking::Request;
use super::{Stage, StepState, Trial};
use crate::account;
use crate::ports::{Achieved, ActionId, CommandError, Progress};
use crate::timeline::Happening;

/// A transfer of firmware that a fault hangs on.
#[derive(Clone, Debug)]
pub(super) struct Transferring {
    pub(super) request: Request,
    /// When it ended, and why not as it should, if it did not.
    ended: Option<(Instant, Option<CommandError>)>,
}

impl Transferring {
    pub(super) fn new(request: Request) -> Self {
        Self { request, ended: None }
    }

    pub(super) fn is_over(&self) -> bool {
        self.ended.is_some()
    }
}

impl Trial {
    /// Firmware on its way came so far; perhaps to where the fault strikes that hangs on it.
    pub(super) fn take_progress(&mut self, id: ActionId, progress: Progress) {
        let plan = Arc::clone(&self.plan);
        let Stage::Step { position, began, state: StepState::Transferring { .. } } = self.stage else { return };
        let step = &plan.steps[position];
        if let StepAction::Fault { trigger, fault } = &step.action
            && let Some(Cause::Transferred { at, .. }) = &trigger.cause
            && self.transfer.as_ref().is_some_and(|it| it.request.id == id && !it.is_over())
            && self.faults.iter().all(|fault| fault.step != step.index)
            && progress.has_come_to(Progress::place(*at, progress.total))
        {
            self.note(Happening::Triggered { step: step.index });
            self.inject(step, position, began, fault, self.now, trigger);
            if let Some(record) = self.faults.last_mut() {
                record.progress = Some((*at, progress));
            }
        }
    }

    /// The transfer that a fault hangs on is over: as it should, or because the fault struck it.
    pub(super) fn transferred(&mut self, position: usize, result: Result<Achieved, CommandError>) {
        let index = self.plan.steps[position].index;
        let struck = self.faults.iter().any(|fault| fault.step == index);
        let error = match result {
            Ok(_) => None,
            Err(error) if struck => Some(error),
            // Nobody struck it yet.
            Err(error) => return self.not_written(&error),
        };
        if error.is_none() {
            self.board_stopped_before(self.now);
        }
        if let Some(transfer) = &mut self.transfer {
            transfer.ended = Some((self.now, error));
        }
        let is_waiting = matches!(self.stage, Stage::Step { state: StepState::Transferring { .. }, .. });
        if !struck {
            // It never told that it came so far, and yet it is over.
            let verdict = account::struck_too_late(&self.eyes, &self.plan.steps[position], self.now, self.now);
            self.conclude(verdict);
        } else if is_waiting {
            self.end_struck_transfer(position);
        }
    }

    /// Fault and transfer are over.
    pub(super) fn end_struck_transfer(&mut self, position: usize) {
        let Some(Transferring { ended: Some((ended, error)), .. }) = self.transfer.take() else { return };
        let shape = self.faults.last().and_then(|fault| fault.achieved);
        let came_later = shape.is_some_and(|shape| shape.began > ended + shape.uncertainty);
        match error {
            None if came_later => {
                let verdict = account::struck_too_late(&self.eyes, &self.plan.steps[position], ended, self.now);
                self.conclude(verdict);
            }
            // It broke by itself.
            Some(error) if came_later => self.bench_failed(&error),
            _ => {
                self.end_step(position);
            }
        }
    }

    /// Firmware did not come onto the board, and no fault is why.
    pub(super) fn not_written(&mut self, error: &CommandError) {
        let verdict =
            account::not_written(&self.eyes, &error.to_string(), self.current_step(), self.step_began(), self.now);
        self.conclude(verdict);
    }
}
