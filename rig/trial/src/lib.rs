//! One trial as a state machine: a plan and what was observed go in, actions and at last a verdict with blame and timeline come out.
//!
//! Boundary: no I/O, no clock, no task. Time is an argument and effects are return values, as in `quinn-proto`; three drivers feed it
//! (bench, paced, simulation) and nothing in the verdict path exists in only one of them. It is `Clone`, so a driver can fork it.

mod account;
mod conditions;
mod engine;
mod handshake;
mod id;
mod lights;
mod ports;
mod rail;
mod timeline;
mod verdict;

pub use engine::{OtherPlan, Trial};
pub use id::{ParseTrialIdError, TrialId, stem_of};
pub use ports::{
    Achieved, Action, ActionId, Command, CommandError, Glimpse, Injection, Observation, Progress, ShapeAchieved, Stamp,
};
pub use timeline::{Event, Happening, Log, Timeline};
pub use verdict::{
    Blame, Evidence, FaultRecord, MeasuredValue, MeasurementRecord, StepRecord, StepVerdict, Verdict, VerdictKind,
};
