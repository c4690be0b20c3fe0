//! How a trial ends: what it comes to, what is cleaned up then, and a station that is safe.
//!
//! Boundary: the way from a verdict to the end. What a verdict says is `account`'s, and what brings one about [`super`]'s.

use std::sync::Arc;

use brickproof_scenario::plan::{Expected, StepAction};
use brickproof_units::Instant;

use super::asking::command_of;
use super::{Stage, StepState, Trial};
use crate::account::{self, Manner, Miss};
use crate::ports::{Achieved, Command, CommandError};
use crate::timeline::Happening;
use crate::verdict::{Blame, StepVerdict, Verdict, VerdictKind};

impl Trial {
    /// The operator, or the driver on its way out, ends the trial. The station is still cleaned up and made safe. Once more while it is
    /// cleaned up: what restores the station is still done, and nothing waits any longer.
    pub fn abort(&mut self, reason: &str) {
        if self.verdict.is_some() {
            self.hurry();
        } else {
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

    fn hurry(&mut self) {
        self.hurried = true;
        if let Stage::Cleanup { position, state: StepState::Waiting { .. } } = self.stage {
            self.begin_cleanup(position + 1);
        }
    }

    /// Readings and the cloud's setting are asked for in passing: only their failure matters.
    pub(super) fn take_stray_answer(&mut self, result: Result<Achieved, CommandError>) {
        if let Err(error) = result
            && self.verdict.is_none()
        {
            self.bench_failed(&error);
        }
    }

    pub(super) fn bench_failed(&mut self, error: &CommandError) {
        let verdict = account::bench_error(&self.eyes, error.to_string(), self.current_step(), self.now);
        self.conclude(verdict);
    }

    pub(super) fn fail(&mut self, miss: &Miss<'_>) {
        let verdict = self.account_of(miss);
        self.conclude_failure(verdict, Manner::Otherwise);
    }

    pub(super) fn account_of(&self, miss: &Miss<'_>) -> Verdict {
        account::missed(&self.eyes, miss, self.current_step(), self.step_began(), self.now)
    }

    /// A failure may be the brick that the scenario expects.
    pub(super) fn conclude_failure(&mut self, mut verdict: Verdict, manner: Manner) {
        if let Expected::Bricked { .. } = self.plan.outcome
            && self.harmed_at.is_some()
            && verdict.blame == Some(Blame::Firmware)
        {
            verdict = account::expected_brick(&self.eyes, &self.plan, verdict, &self.shown, manner);
        }
        self.conclude(verdict);
    }

    pub(super) fn step_began(&self) -> Instant {
        match self.stage {
            Stage::Step { began, .. } => began,
            _ => self.now,
        }
    }

    pub(super) fn all_steps_passed(&mut self) {
        let verdict = match &self.plan.outcome {
            Expected::Passed => account::passed(self.now),
            Expected::Bricked { .. } if self.harmed_at.is_none() => account::nothing_harmed(&self.eyes, self.now),
            Expected::Bricked { .. } => account::brick_did_not_come(&self.eyes, self.now),
        };
        self.conclude(verdict);
    }

    /// The verdict stands; what remains is to clean up and to leave the station safe.
    pub(super) fn conclude(&mut self, verdict: Verdict) {
        // The last step of a trial whose steps all passed is closed already.
        if let Stage::Step { position, .. } = self.stage
            && self.steps[position].verdict == StepVerdict::NotRun
        {
            let step_verdict = match verdict.kind {
                VerdictKind::Error | VerdictKind::Inconclusive => StepVerdict::Error,
                VerdictKind::Passed | VerdictKind::Failed => StepVerdict::Failed,
            };
            self.close_step(position, step_verdict);
        }
        if self.looks.need_supply_throughout() {
            self.ask(Command::ReadSupply { every: None });
        }
        self.note(Happening::Verdict(Box::new(verdict.clone())));
        self.verdict = Some(Arc::new(verdict));
        self.begin_cleanup(0);
    }

    pub(super) fn begin_cleanup(&mut self, position: usize) -> bool {
        let plan = Arc::clone(&self.plan);
        self.stage = match plan.cleanup.get(position).map(|step| &step.action) {
            None => Stage::MakingSafe(self.ask(Command::MakeSafe)),
            Some(StepAction::Wait(span)) if !self.hurried => {
                Stage::Cleanup { position, state: StepState::Waiting { until: self.now + *span } }
            }
            Some(action) => {
                let state = match command_of(action) {
                    Some(command) => StepState::Asked(self.ask(command)),
                    None => StepState::Waiting { until: self.now },
                };
                Stage::Cleanup { position, state }
            }
        };
        true
    }

    pub(super) fn finish(&mut self, made_safe: Result<Achieved, CommandError>) {
        let error = made_safe.err().or_else(|| self.cleanup_error.take());
        if let (Some(error), Some(verdict)) = (error, &self.verdict) {
            let verdict = account::left_unsafe(verdict, &error, self.now);
            self.note(Happening::Verdict(Box::new(verdict.clone())));
            self.verdict = Some(Arc::new(verdict));
        }
        self.stage = Stage::Over;
    }
}
