//! What a station must offer, computed from what a plan does.
//!
//! Boundary: an honest minimum. Whether a station has it is checked by the bench.

use std::collections::BTreeSet;

use crate::plan::{
    Cause, CloudBehaviour, CloudSetting, Condition, Expected, Fault, Measurand, Need, Step, StepAction, SupplySetting,
    Watch,
};

/// The needs of a plan made of these parts.
pub(crate) fn of(
    cloud: &CloudSetting,
    throughout: &[Watch],
    steps: &[Step],
    cleanup: &[Step],
    outcome: &Expected,
) -> BTreeSet<Need> {
    let mut needs = BTreeSet::new();
    if cloud.behaviour != CloudBehaviour::Genuine {
        needs.insert(Need::Cloud);
    }
    for watch in throughout {
        add_condition(&mut needs, &watch.never);
    }
    if let Expected::Bricked { showing } = outcome {
        showing.iter().for_each(|condition| add_condition(&mut needs, condition));
    }
    for step in steps.iter().chain(cleanup) {
        add_action(&mut needs, &step.action);
    }
    needs
}

fn add_action(needs: &mut BTreeSet<Need>, action: &StepAction) {
    match action {
        StepAction::Supply(SupplySetting::Battery { .. }) => needs.extend([Need::Supply, Need::Battery]),
        StepAction::Supply(_) => needs.extend([Need::Supply]),
        StepAction::Send(_) => needs.extend([Need::Console]),
        StepAction::Reset { .. } | StepAction::Press { .. } | StepAction::PressThroughReset { .. } => {
            needs.extend([Need::Lines]);
        }
        StepAction::Cloud(_) => needs.extend([Need::Cloud]),
        StepAction::Corrupt { .. } => needs.extend([Need::Probe]),
        StepAction::Wait(_) => {}
        StepAction::Expect(expectation) => add_condition(needs, &expectation.condition),
        StepAction::Never { condition, .. } => add_condition(needs, condition),
        StepAction::Fault { trigger, fault } => {
            match &trigger.cause {
                Some(Cause::Seen(condition)) => add_condition(needs, condition),
                Some(Cause::Edge { .. }) => needs.extend([Need::Lines]),
                None => {}
            }
            needs.insert(match fault {
                Fault::BrownOut { .. } => Need::BrownOut,
                Fault::PowerCut { .. } => Need::Supply,
                Fault::LoadStep { .. } => Need::LoadStep,
            });
        }
        StepAction::Measure(measurement) => match &measurement.what {
            Measurand::TimeUntil { condition, .. } => add_condition(needs, condition),
            Measurand::LowestVoltage { .. } => needs.extend([Need::SupplyReading]),
        },
    }
}

/// What it takes to see a condition.
pub(crate) fn add_condition(needs: &mut BTreeSet<Need>, condition: &Condition) {
    match condition {
        Condition::Light { .. } => needs.extend([Need::Light]),
        Condition::Console(_) => needs.extend([Need::Console]),
        // Only the peer knows with which identity the board proved itself.
        Condition::Identity(_) => needs.extend([Need::Cloud]),
        Condition::Slot { .. } => needs.extend([Need::Probe]),
        Condition::Rail { .. } | Condition::Current(_) => needs.extend([Need::SupplyReading]),
        Condition::Any(conditions) => conditions.iter().for_each(|condition| add_condition(needs, condition)),
    }
}
