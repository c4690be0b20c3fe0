//! What a station must offer, computed from what a plan does.
//!
//! Boundary: an honest minimum. Whether a station has it is checked by the bench.

use std::collections::BTreeSet;

use brickproof_boards::BoardProfile;

use crate::plan::{
    Cause, CloudBehaviour, CloudSetting, Condition, Door, Expected, Fault, Measurand, Need, Step, StepAction,
    SupplySetting, UsbPresence, Watch,
};

/// The needs of a plan made of these parts.
pub(crate) fn of(
    board: &BoardProfile,
    cloud: &CloudSetting,
    throughout: &[Watch],
    steps: &[Step],
    cleanup: &[Step],
    outcome: &Expected,
) -> BTreeSet<Need> {
    let mut needs = Needs { met: BTreeSet::new(), slots: reached(Door::usual(board)) };
    if cloud.behaviour != CloudBehaviour::Genuine {
        needs.met.insert(Need::Cloud);
    }
    throughout.iter().for_each(|watch| needs.condition(&watch.never));
    if let Expected::Bricked { showing } = outcome {
        showing.iter().for_each(|condition| needs.condition(condition));
    }
    steps.iter().chain(cleanup).for_each(|step| needs.action(&step.action));
    needs.met
}

/// What it takes to reach a board's memory through that door.
const fn reached(through: Door) -> Need {
    match through {
        Door::Probe => Need::Probe,
        Door::Dfu => Need::Dfu,
    }
}

struct Needs {
    met: BTreeSet<Need>,
    /// What it takes to read a slot of this board.
    slots: Need,
}

impl Needs {
    fn action(&mut self, action: &StepAction) {
        match action {
            StepAction::Supply(SupplySetting::Battery { .. }) => self.met.extend([Need::Supply, Need::Battery]),
            StepAction::Supply(_) => self.met.extend([Need::Supply]),
            StepAction::Send(_) => self.met.extend([Need::Console]),
            StepAction::Reset { .. } | StepAction::Press { .. } | StepAction::PressThroughReset { .. } => {
                self.met.extend([Need::Lines]);
            }
            StepAction::Enter(_) => self.met.extend([Need::Entry]),
            StepAction::Cloud(_) => self.met.extend([Need::Cloud]),
            StepAction::Corrupt { through, .. } | StepAction::Keys { work: _, through } => {
                self.met.extend([reached(*through)]);
            }
            StepAction::Flash(transfer) => self.met.extend([reached(transfer.through)]),
            StepAction::Wait(_) => {}
            StepAction::Expect(expectation) => self.condition(&expectation.condition),
            StepAction::Never { condition, .. } => self.condition(condition),
            StepAction::Fault { trigger, fault } => {
                match &trigger.cause {
                    Some(Cause::Seen(condition)) => self.condition(condition),
                    Some(Cause::Edge { .. }) => self.met.extend([Need::Lines]),
                    Some(Cause::Transferred { transfer, .. }) => self.met.extend([reached(transfer.through)]),
                    None => {}
                }
                self.met.insert(match fault {
                    Fault::BrownOut { .. } => Need::BrownOut,
                    Fault::PowerCut { .. } => Need::Supply,
                    Fault::LoadStep { .. } => Need::LoadStep,
                });
            }
            StepAction::Measure(measurement) => match &measurement.what {
                Measurand::TimeUntil { condition, .. } => self.condition(condition),
                Measurand::LowestVoltage { .. } => self.met.extend([Need::SupplyReading]),
            },
        }
    }

    /// What it takes to see a condition.
    fn condition(&mut self, condition: &Condition) {
        match condition {
            Condition::Light { led, .. } => self.met.extend([Need::Light(*led)]),
            Condition::Console(_) => self.met.extend([Need::Console]),
            // Only the peer knows with which identity the board proved itself.
            Condition::Identity(_) => self.met.extend([Need::Cloud]),
            Condition::Slot { .. } => self.met.extend([self.slots]),
            Condition::Firmware(_) => self.met.extend([Need::Probe]),
            Condition::Rail { .. } | Condition::Current(_) => self.met.extend([Need::SupplyReading]),
            Condition::Usb(_) => self.met.extend([Need::Usb]),
            // Either will do for a bootloader, and the light alone tells other modes.
            Condition::Mode { light: Some(_), usb: Some(UsbPresence::Dfu), .. } => {}
            Condition::Mode { light: Some((led, ..)), .. } => self.met.extend([Need::Light(*led)]),
            Condition::Mode { light: None, .. } => self.met.extend([Need::Usb]),
            Condition::Any(conditions) => conditions.iter().for_each(|condition| self.condition(condition)),
        }
    }
}
