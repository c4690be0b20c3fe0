//! What a trial came to, in the few classes that a map can colour and a proof can count.

use std::fmt;
use std::str::FromStr;

use brickproof_scenario::plan::StepAction;
use brickproof_statistics::Outcome;
use brickproof_trial::{Happening, Trial, VerdictKind};

/// How a trial ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Class {
    /// It did everything that the scenario asks for.
    Survived,
    /// It runs and tries to connect, and is not let in.
    LockedOut,
    /// It runs, and does something else than it should.
    Misbehaved,
    /// Nothing was heard of it after the fault.
    Silent,
    /// The fault struck outside its tolerance: nothing is judged by it.
    Discarded,
    /// The bench or the scenario failed: nothing is judged by it.
    Invalid,
}

impl Class {
    /// All of them, the good one first.
    pub const ALL: [Self; 6] =
        [Self::Survived, Self::LockedOut, Self::Misbehaved, Self::Silent, Self::Discarded, Self::Invalid];

    /// Of a trial in which the firmware was asked to survive. `None` if it was not brought to its end.
    pub fn of(trial: &Trial) -> Option<Self> {
        let verdict = trial.verdict()?;
        Some(match verdict.kind {
            VerdictKind::Passed => Self::Survived,
            VerdictKind::Error => Self::Invalid,
            VerdictKind::Inconclusive if trial.was_discarded() => Self::Discarded,
            VerdictKind::Inconclusive => return None,
            // It failed before it was struck: that says nothing about the fault.
            VerdictKind::Failed if is_unstruck(trial) => Self::Invalid,
            VerdictKind::Failed if !was_heard_since_its_fault(trial) => Self::Silent,
            VerdictKind::Failed if verdict.evidence.iter().any(|it| it.kind == "cloud") => Self::LockedOut,
            VerdictKind::Failed => Self::Misbehaved,
        })
    }

    /// As journals and pictures call it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Survived => "survived",
            Self::LockedOut => "locked out",
            Self::Misbehaved => "misbehaved",
            Self::Silent => "silent",
            Self::Discarded => "discarded",
            Self::Invalid => "invalid",
        }
    }

    /// As statistics count it; `None` if nothing is judged by it.
    pub const fn counted(self) -> Option<Outcome> {
        match self {
            Self::Survived => Some(Outcome::Survived),
            Self::LockedOut | Self::Misbehaved | Self::Silent => Some(Outcome::Failed),
            Self::Discarded | Self::Invalid => None,
        }
    }

    /// Whether the firmware failed.
    pub const fn is_failure(self) -> bool {
        matches!(self, Self::LockedOut | Self::Misbehaved | Self::Silent)
    }
}

/// Whether the scenario has a fault and none was made.
fn is_unstruck(trial: &Trial) -> bool {
    let has_fault = trial.plan().steps.iter().any(|step| matches!(step.action, StepAction::Fault { .. }));
    has_fault && trial.faults().iter().all(|fault| fault.achieved.is_none())
}

fn was_heard_since_its_fault(trial: &Trial) -> bool {
    let struck =
        trial.faults().last().and_then(|fault| fault.achieved).map(|shape| shape.began + shape.below_brown_out);
    let Some(struck) = struck else { return true };
    let events = trial.timeline().events.iter();
    events.rev().take_while(|event| event.at > struck).any(|event| matches!(event.what, Happening::ConsoleLine { .. }))
}

/// Whether the board gave any sign of life.
pub(crate) fn was_heard(trial: &Trial) -> bool {
    trial.timeline().events.iter().any(|event| match &event.what {
        Happening::ConsoleLine { .. } | Happening::Cloud(_) => true,
        Happening::Light { sight, .. } => sight.shows_light(),
        _ => false,
    })
}

impl fmt::Display for Class {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

/// A text that names no class.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is no outcome of a trial")]
pub struct UnknownClass(String);

impl FromStr for Class {
    type Err = UnknownClass;
    fn from_str(name: &str) -> Result<Self, Self::Err> {
        Self::ALL.into_iter().find(|class| class.name() == name).ok_or_else(|| UnknownClass(name.to_owned()))
    }
}
