//! What a trial comes to: the verdict, whose fault it was, and the evidence.

use std::fmt;

use brickproof_units::{Instant, Ratio, Span, Voltage};

use crate::ports::{Injection, Progress, ShapeAchieved};

/// The four ends a trial can come to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum VerdictKind {
    /// Everything came out as the scenario says.
    Passed,
    /// The board or its firmware did not do what the scenario says.
    Failed,
    /// The trial could not be carried out as asked.
    Error,
    /// The observations do not decide: a fault struck outside its tolerance, and the trial is discarded and counted; or it was interrupted.
    Inconclusive,
}

impl VerdictKind {
    /// As in "the trial failed".
    pub(crate) fn as_verb(self) -> &'static str {
        match self {
            Self::Passed => "passed",
            Self::Failed => "failed",
            Self::Error => "ended in error",
            Self::Inconclusive => "was undecided",
        }
    }
}

impl fmt::Display for VerdictKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Passed => "passed",
            Self::Failed => "failed",
            Self::Error => "error",
            Self::Inconclusive => "inconclusive",
        })
    }
}

/// Who has to act on a verdict other than `passed`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Blame {
    /// The program on the board.
    Firmware,
    /// This one board.
    Board,
    /// The rig and its wiring.
    Bench,
    /// The scenario file.
    Scenario,
}

impl fmt::Display for Blame {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Firmware => "firmware",
            Self::Board => "board",
            Self::Bench => "bench",
            Self::Scenario => "scenario",
        })
    }
}

/// One thing that was seen and that supports the verdict.
#[derive(Clone, Debug, PartialEq)]
pub struct Evidence {
    /// When.
    pub at: Instant,
    /// What it is: `console`, `nearest line`, `cloud`, `supply`.
    pub kind: &'static str,
    /// In words, or the line itself.
    pub text: String,
}

/// How a trial ended.
#[derive(Clone, Debug, PartialEq)]
pub struct Verdict {
    /// Which end.
    pub kind: VerdictKind,
    /// Who has to act; none for `passed`.
    pub blame: Option<Blame>,
    /// One sentence. For `passed` empty, or what the expected brick looked like.
    pub reason: String,
    /// The step that decided, counted from 1.
    pub step: Option<usize>,
    /// What supports it.
    pub evidence: Vec<Evidence>,
    /// The light's last seconds in words, one line each.
    pub light: Vec<String>,
    /// When it was decided.
    pub at: Instant,
}

/// How one step went.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StepVerdict {
    /// It did what it should.
    Passed,
    /// What it waited for did not come, or came wrong.
    Failed,
    /// It could not be carried out.
    Error,
    /// The trial ended before it.
    NotRun,
}

impl fmt::Display for StepVerdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Passed => "passed",
            Self::Failed => "failed",
            Self::Error => "error",
            Self::NotRun => "not_run",
        })
    }
}

/// One step's place on the timeline.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StepRecord {
    /// Counted from 1.
    pub index: usize,
    /// How it went.
    pub verdict: StepVerdict,
    /// When it began and ended; `None` if it was not run.
    pub ran: Option<(Instant, Instant)>,
}

/// What was asked of a fault and what was achieved.
#[derive(Clone, Debug, PartialEq)]
pub struct FaultRecord {
    /// The step that asked for it, counted from 1.
    pub step: usize,
    /// When its cause was seen.
    pub triggered: Instant,
    /// How far the transfer of firmware had come on which it hung, as asked and as it was; `None` if it hung on something else.
    pub progress: Option<(Ratio, Progress)>,
    /// What was asked.
    pub asked: Injection,
    /// How far from the asked instant it may have struck. `None`: however far.
    pub tolerance: Option<Span>,
    /// What was achieved; `None` if it did not happen.
    pub achieved: Option<ShapeAchieved>,
}

impl FaultRecord {
    /// How far from the asked instant the fault may have struck, if that is further than it tolerates. A trial of which that is so tells
    /// nothing about what was asked.
    pub fn beyond_tolerance(&self) -> Option<Span> {
        let (tolerance, achieved) = (self.tolerance?, self.achieved.as_ref()?);
        let (asked, began) = (self.asked.at, achieved.began);
        let furthest = began.since(asked).max(asked.since(began)) + achieved.uncertainty;
        (furthest > tolerance).then_some(furthest)
    }
}

/// A recorded value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MeasurementRecord {
    /// Its name in the scenario.
    pub name: String,
    /// The value.
    pub value: MeasuredValue,
    /// Whether it is within the limits that the scenario gives.
    pub within_limits: bool,
    /// The step, counted from 1.
    pub step: usize,
}

/// A value with its unit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MeasuredValue {
    /// A length of time.
    Span(Span),
    /// A voltage.
    Voltage(Voltage),
}

impl fmt::Display for MeasuredValue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Span(span) => span.fmt(f),
            Self::Voltage(voltage) => voltage.fmt(f),
        }
    }
}
