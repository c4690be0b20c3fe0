//! Every flash operation after the trigger, before it, at fractions of it and after it: as instants of an ordinary fault.
//!
//! Boundary: from an undisturbed run to the instants. Which trials are made of them is [`crate::places`]' business.
//!
//! A brown-out is steep enough for that, a power cut is not: what its capacitors hold decides when the board feels it. The rail falls while
//! an operation goes on, so that the last of its time has less effect: right after a word of 46 us under 50us/V, 98.7 % of it is done.

use std::sync::Arc;

use brickproof_firmware::Firmware;
use brickproof_scenario::plan::{Fault, Plan, StepAction};
use brickproof_scenario::{Setting, TurnError};
use brickproof_sim::{Simulation, World, WorldConfig};
use brickproof_units::{Instant, Span};
use brickproof_virtual_board::board::{LifeEvent, Records};
use brickproof_virtual_board::flash::{CutPoint, FlashOperation, FlashRecord};

use crate::picture::Busy;

/// Before an operation the power has to be gone by so much: two instructions.
const CLEAR: Span = Span::nanos(125);

/// A fault that the board has not felt by then is none.
const FELT_WITHIN: Span = Span::millis(500);

/// One instant and what it strikes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Aimed {
    /// How long after the trigger the fault has to strike.
    pub after: Span,
    /// The operation, counted from the first one after the trigger.
    pub index: usize,
    /// What it is.
    pub operation: FlashOperation,
    /// Where in it the board loses its power.
    pub at: CutPoint,
}

/// Every place of every operation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Aims {
    /// When the fault was triggered.
    pub triggered: Instant,
    /// How long after it strikes it takes the board's power.
    pub lead: Span,
    /// Those that can be struck, in the order of the board.
    pub aims: Vec<Aimed>,
    /// How many come sooner after the trigger than the fault takes to bite.
    pub out_of_reach: usize,
}

/// Why the operations of a scenario cannot be struck one by one.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ExhaustiveError {
    /// Another kind of fault.
    #[error(
        "{path}: only a `brown_out` strikes an instant exactly; what a power cut or a load step does depends on what capacitors hold"
    )]
    NotExact {
        /// The scenario.
        path: String,
    },
    /// The fault is not triggered.
    #[error("{path}: the trigger of its fault did not come in an undisturbed run, so there is nothing to strike")]
    NoTrigger {
        /// The scenario.
        path: String,
    },
    /// No flash operation follows.
    #[error("{path}: no flash operation begins and ends within {within} after its trigger")]
    NoOperations {
        /// The scenario.
        path: String,
        /// How long was looked.
        within: Span,
    },
    /// The board lives through it.
    #[error(
        "{path}: the board does not feel its fault within {FELT_WITHIN}: the floor is not low enough, or the fall too slow"
    )]
    Unfelt {
        /// The scenario.
        path: String,
    },
    /// The fault cannot be turned.
    #[error(transparent)]
    Turn(#[from] TurnError),
}

/// The instants at which the fault of `plan` strikes every flash operation that begins after its trigger and ends within `window`: right
/// before, at each of `fractions` even places inside, and right after.
///
/// # Errors
/// The scenario's fault is not one that strikes exactly, or there is nothing to strike.
pub fn aim_at_every_operation(
    plan: &Plan,
    firmware: &Firmware,
    seed: u64,
    window: Span,
    fractions: u32,
) -> Result<Aims, ExhaustiveError> {
    let path = || plan.scenario.path.clone();
    let index = plan.only_fault().ok_or_else(|| ExhaustiveError::NotExact { path: path() })?;
    let StepAction::Fault { fault: Fault::BrownOut { .. }, .. } = &plan.steps[index - 1].action else {
        return Err(ExhaustiveError::NotExact { path: path() });
    };
    // So late that nothing of the window is disturbed.
    let undisturbed = run(plan, firmware, seed, window + Span::secs(1))?;
    let triggered = undisturbed.ok_or_else(|| ExhaustiveError::NoTrigger { path: path() })?;
    let operations: Vec<FlashRecord> = triggered.operations_until(triggered.at + window);
    let longest = operations.iter().max_by_key(|record| record.end.since(record.start));
    let Some(longest) = longest else { return Err(ExhaustiveError::NoOperations { path: path(), within: window }) };
    let lead = lead(plan, firmware, seed, triggered.at, longest)?;
    let mut aims = Aims { triggered: triggered.at, lead, aims: Vec::new(), out_of_reach: 0 };
    aims.add(triggered.at, &operations, fractions);
    Ok(aims)
}

/// Before an operation, so many even places inside it, after it.
fn points(fractions: u32) -> impl Iterator<Item = CutPoint> {
    std::iter::once(CutPoint::Before)
        .chain((1..=fractions).map(move |numerator| CutPoint::Fraction { numerator, denominator: fractions + 1 }))
        .chain(std::iter::once(CutPoint::After))
}

impl Aims {
    /// None yet, for a fault that takes as long to bite as that of these.
    pub(crate) fn none_yet(&self) -> Self {
        Self { aims: Vec::new(), out_of_reach: 0, ..*self }
    }

    /// Adds every place of these operations, for a fault whose instant is counted from `triggered`.
    pub(crate) fn add(&mut self, triggered: Instant, operations: &[FlashRecord], fractions: u32) {
        let earliest = triggered + self.lead;
        for (index, record) in operations.iter().enumerate() {
            let needed = record.end.since(record.start);
            for at in points(fractions) {
                let dies = match at {
                    CutPoint::Before => record.start - CLEAR,
                    CutPoint::After => record.end + CLEAR,
                    CutPoint::Fraction { .. } => record.start + at.time_into(needed),
                };
                if dies >= earliest {
                    self.aims.push(Aimed { after: dies.since(earliest), index, operation: record.operation, at });
                } else {
                    self.out_of_reach += 1;
                }
            }
        }
    }
}

/// What the flash does within `window` after the trigger of the fault of `plan` when nothing disturbs it. Empty if nothing is triggered, or
/// the instant of the fault cannot be turned.
pub fn undisturbed(plan: &Plan, firmware: &Firmware, seed: u64, window: Span) -> Vec<Busy> {
    let run = run(plan, firmware, seed, window + Span::secs(1)).ok().flatten();
    run.map_or(Vec::new(), |it| {
        it.operations_until(it.at + window).iter().map(|record| Busy::of(record, it.at)).collect()
    })
}

/// A run whose fault was triggered.
struct Triggered {
    at: Instant,
    world: World,
}

impl Triggered {
    fn operations_until(&self, end: Instant) -> Vec<FlashRecord> {
        let log = self.world.board().flash().log().iter();
        log.filter(|record| record.start > self.at && record.end < end).copied().collect()
    }
}

fn run(plan: &Plan, firmware: &Firmware, seed: u64, after: Span) -> Result<Option<Triggered>, ExhaustiveError> {
    let turned = Arc::new(plan.turned(&[Setting::after(after)])?);
    let config = WorldConfig { records: Records::Kept, ..WorldConfig::new(seed) };
    let mut simulation = Simulation::with_config(turned, firmware, config);
    if !simulation.run_until(|it| !it.trial().faults().is_empty()) {
        return Ok(None);
    }
    let at = simulation.trial().faults()[0].triggered;
    simulation.run_to(at + after + FELT_WITHIN);
    Ok(Some(Triggered { at, world: simulation.world().clone() }))
}

/// How long after it strikes the fault takes the board's power: the board says when.
fn lead(
    plan: &Plan,
    firmware: &Firmware,
    seed: u64,
    triggered: Instant,
    longest: &FlashRecord,
) -> Result<Span, ExhaustiveError> {
    let strike = longest.start.since(triggered);
    let struck = run(plan, firmware, seed, strike)?;
    let died = struck.and_then(|mut struck| {
        let mut life = struck.world.board_mut().take_life_log().into_iter();
        life.find(|record| record.at >= triggered + strike && record.event == LifeEvent::BrownOut)
    });
    let died = died.ok_or_else(|| ExhaustiveError::Unfelt { path: plan.scenario.path.clone() })?;
    Ok(died.at.since(triggered + strike))
}
