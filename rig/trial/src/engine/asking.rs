//! What a trial asks of the world, and how long it waits for each answer.
//!
//! Boundary: requests and their deadlines. When one is made, and what follows from its answer or from none, is [`super`]'s to decide.

use std::sync::Arc;

use brickproof_scenario::plan::{Fault, Step, StepAction};
use brickproof_units::{Instant, Slew, Span, Voltage};

use super::Trial;
use crate::ports::{Action, ActionId, Command, CommandError, Injection};
use crate::timeline::Happening;

/// A request that is not answered by then is the bench's failure. A shape may last as long as it says, beyond this.
const ANSWER_DEADLINE: Span = Span::secs(30);
/// Key slots are read, written and read again, and a server is told of a new identity.
const KEYS: Span = Span::secs(120);
/// Writing a whole part over a slow probe takes half a minute, and a board that does not answer is tried again after a reset and a power cycle.
/// A transfer in the middle of a trial has as long.
pub(super) const PROVISIONING: Span = Span::secs(300);

/// A request on its way.
#[derive(Clone, Copy, Debug)]
pub(super) struct Request {
    pub(super) id: ActionId,
    pub(super) deadline: Instant,
}

impl Trial {
    pub(super) fn ask(&mut self, command: Command) -> Request {
        let lasts = match &command {
            Command::Inject(injection) => self.lasts_until(injection),
            Command::Reset { hold } | Command::Press { hold, .. } => self.now + *hold,
            Command::PressThroughReset { reset, hold, .. } => self.now + *reset + *hold,
            Command::Enter(entry) => {
                let pressed = entry.buttons.as_ref().map_or(Span::ZERO, |it| it.reset + it.hold);
                self.now + entry.within.max(pressed)
            }
            _ => self.now,
        };
        let patience = patience_with(&command);
        let id = ActionId(self.next_id);
        self.next_id += 1;
        self.note(Happening::Asked { id, command: command.clone() });
        self.outbox.push_back(Action { id, command });
        Request { id, deadline: lasts + patience }
    }

    /// When the shape is over, as far as the plan tells.
    fn lasts_until(&self, injection: &Injection) -> Instant {
        injection.at
            + match &injection.fault {
                Fault::BrownOut { rail, floor, fall, hold, rise } => {
                    let from = self.plan.board.rail(rail).map_or(*floor, |rail| rail.maximum);
                    let way = Voltage::new(from.get() - floor.get());
                    *hold + time_of(*fall, way) + time_of(*rise, way)
                }
                Fault::LoadStep { hold, .. } => *hold,
                Fault::PowerCut { hold } => hold.unwrap_or_default(),
            }
    }
}

/// How long it takes to move a voltage by so much.
fn time_of(slew: Slew, way: Voltage) -> Span {
    let nanos = u128::from(slew.get()) * u128::from(way.get().unsigned_abs()) / 1_000_000;
    Span::nanos(u64::try_from(nanos).unwrap_or(u64::MAX))
}

/// How long an answer may take beyond what was asked for lasts.
fn patience_with(command: &Command) -> Span {
    match command {
        Command::Provision | Command::Flash { .. } => PROVISIONING,
        Command::Keys { .. } => KEYS,
        _ => ANSWER_DEADLINE,
    }
}

/// Why a step is given up that comes down to a request, and got no answer to it.
pub(super) fn no_answer_to(step: &Step) -> CommandError {
    let patience = command_of(&step.action).map_or(ANSWER_DEADLINE, |command| patience_with(&command));
    no_answer_within(&step.text, patience)
}

pub(super) fn no_answer(asked: &str) -> CommandError {
    no_answer_within(asked, ANSWER_DEADLINE)
}

pub(super) fn no_answer_within(asked: &str, within: Span) -> CommandError {
    let happened = format!("no answer came within {within}").into();
    CommandError::Failed { instrument: "the station".into(), asked: asked.into(), happened }
}

/// The request that a step without waiting comes down to.
pub(super) fn command_of(action: &StepAction) -> Option<Command> {
    Some(match action {
        StepAction::Supply(setting) => Command::Supply(*setting),
        StepAction::Send(text) => Command::Send(text.as_str().into()),
        StepAction::Reset { hold } => Command::Reset { hold: *hold },
        StepAction::Press { button, hold } => Command::Press { button: button.as_str().into(), hold: *hold },
        StepAction::PressThroughReset { button, reset, hold } => {
            Command::PressThroughReset { button: button.as_str().into(), reset: *reset, hold: *hold }
        }
        StepAction::Enter(entry) => Command::Enter(Arc::new(entry.clone())),
        StepAction::Cloud(setting) => Command::Cloud(*setting),
        StepAction::Corrupt { slot, class, part, through } => {
            Command::Corrupt { slot: *slot, class: *class, part: *part, through: *through }
        }
        StepAction::Keys { work, through } => Command::Keys { work: work.clone(), through: *through },
        StepAction::Flash(transfer) => Command::Flash { transfer: transfer.clone(), tell_at: None },
        StepAction::Wait(_)
        | StepAction::Expect(_)
        | StepAction::Never { .. }
        | StepAction::Fault { .. }
        | StepAction::Measure(_) => return None,
    })
}
