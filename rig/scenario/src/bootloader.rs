//! What goes through the board's bootloader, and whether the steps before it bring the board there.
//!
//! Boundary: what the steps say of themselves, in their order; whether the board obeys is for the trial to see. What a step leaves open is taken to
//! change nothing, and on the way out nobody knows where a board is: cleanup is not judged.

use brickproof_boards::{BoardProfile, Held, MODE, Target};
use brickproof_units::Span;
use brickproof_yaml::decode::Decoder;
use brickproof_yaml::{Mistake, MistakeKind, Place};

use crate::plan::{Cause, Condition, Door, Entry, Fault, KeyWork, StepAction, SupplySetting, UsbPresence};

/// Where the steps have brought the board.
#[derive(Clone, Copy)]
enum Board {
    /// Its firmware runs, or nothing does; since that step, if it was in its bootloader before.
    Elsewhere(Option<Place>),
    InBootloader,
}

/// Reports every step that needs the board in its bootloader and comes while it is not; each step with its place.
pub(crate) fn check<'s>(
    decoder: &mut Decoder<'_>,
    board: &BoardProfile,
    steps: impl Iterator<Item = (Place, &'s StepAction)>,
) {
    let mut now = Board::Elsewhere(None);
    for (place, action) in steps {
        if let (Some(what), Board::Elsewhere(left)) = (goes_through(board, action), now) {
            decoder.report(misplaced(what, place, left));
        }
        now = match (leads(board, action), now) {
            (Some(true), _) => Board::InBootloader,
            (Some(false), Board::InBootloader) => Board::Elsewhere(Some(place)),
            (_, unchanged) => unchanged,
        };
    }
}

fn misplaced(what: &str, place: Place, left: Option<Place>) -> Mistake {
    let message = format!("{what} through `dfu`, and the board is not in its bootloader");
    let mistake = Mistake::new(MistakeKind::Misplaced, place, message);
    let mistake = match left {
        Some(left) if left == place => mistake.label("out of reach: it left it here in the round before"),
        Some(left) => mistake.label("out of reach").elsewhere(left, "it leaves it here"),
        None => mistake.label("out of reach"),
    };
    mistake.help(
        "bring it there in a step before: `- enter: dfu`; if it comes by itself: `- expect: { usb: dfu, within: … }`",
    )
}

/// What of a step goes through the bootloader.
fn goes_through(board: &BoardProfile, action: &StepAction) -> Option<&'static str> {
    let by_dfu = |through: Door, what| (through == Door::Dfu).then_some(what);
    match action {
        StepAction::Corrupt { through, .. } => by_dfu(*through, "a key is damaged"),
        StepAction::Keys { through, .. } => by_dfu(*through, "keys are read"),
        _ => match (action.transfer(), action.condition()) {
            (Some(transfer), _) => by_dfu(transfer.through, "firmware is written"),
            (None, Some(condition)) if asks_for_slot(condition) => by_dfu(Door::usual(board), "a key is read"),
            _ => None,
        },
    }
}

fn asks_for_slot(condition: &Condition) -> bool {
    match condition {
        Condition::Slot { .. } => true,
        Condition::Any(conditions) => conditions.iter().any(asks_for_slot),
        _ => false,
    }
}

/// Whether a step leads into the bootloader or out of it, if it does either.
fn leads(board: &BoardProfile, action: &StepAction) -> Option<bool> {
    match action {
        StepAction::Enter(Entry { mode, .. }) => Some(*mode == Target::Dfu),
        StepAction::PressThroughReset { button, hold, .. } => {
            Some(presses_for_dfu(board, button, Held::ThroughReset, *hold))
        }
        StepAction::Press { button, hold } => presses_for_dfu(board, button, Held::WhileRunning, *hold).then_some(true),
        StepAction::Expect(expectation) => seen(&expectation.condition),
        // Wherever it was, it begins anew.
        StepAction::Reset { .. } | StepAction::Supply(SupplySetting::Off) | StepAction::Flash(_) => Some(false),
        StepAction::Fault { trigger, fault } => {
            let stops = matches!(fault, Fault::PowerCut { .. } | Fault::BrownOut { .. });
            let writes = matches!(trigger.cause, Some(Cause::Transferred { .. }));
            (stops || writes).then_some(false)
        }
        // A programmer has the board begin anew whose memory it wrote.
        StepAction::Corrupt { through: Door::Probe, .. }
        | StepAction::Keys {
            work: KeyWork::Load(_) | KeyWork::NewIdentity | KeyWork::GenuineServer,
            through: Door::Probe,
        } => Some(false),
        _ => None,
    }
}

fn presses_for_dfu(board: &BoardProfile, button: &str, held: Held, hold: Span) -> bool {
    let dfu = board.modes.as_ref().and_then(|modes| modes.mode(Target::Dfu));
    let wanted = dfu.and_then(|mode| mode.hold).filter(|wanted| wanted.held == held);
    button == MODE && wanted.is_some_and(|wanted| (wanted.from..wanted.to).contains(&hold))
}

/// What it says of the board that this was seen.
fn seen(condition: &Condition) -> Option<bool> {
    match condition {
        Condition::Usb(usb) => Some(*usb == UsbPresence::Dfu),
        Condition::Mode { mode, .. } => Some(*mode == Target::Dfu),
        _ => None,
    }
}
