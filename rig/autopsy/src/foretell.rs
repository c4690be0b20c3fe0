//! What a virtual board shows that begins with a state: so that what is expected of a scenario is no guess.
//!
//! Boundary: one trial against the rig's cloud, of firmware that comes with the rig, on a board that is emulated.

use std::sync::Arc;

use brickproof_firmware::State;
use brickproof_scenario::{Library, load};
use brickproof_sim::Simulation;
use brickproof_trial::{Blame, VerdictKind};

use brickproof_boards::BoardProfile;

use crate::findings::Findings;
use crate::scenario::scenario;

/// What the board did.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Foretold {
    /// It connected and stayed so.
    Connects,
    /// It did not.
    LockedOut {
        /// How it told of that on its console, if it did.
        says: Option<String>,
    },
}

/// What lantern says of a handshake that failed.
const COMPLAINT: &str = "handshake failed ";

/// Has a virtual board begin so. `None` if nobody has emulated it, or its firmware does not come with the rig.
pub fn foretell(board: &BoardProfile, findings: &Findings, state: &State, library: &Library) -> Option<Foretold> {
    board.virtual_chip?;
    findings.firmware.as_ref()?.name.as_ref()?;
    findings.current()?;
    let text = scenario(board, findings, Some(&Foretold::Connects));
    // What was just written is in order, or there is nothing to foretell.
    let plan = load("as-found.yaml", text, library).ok()?.cells.pop()?;
    let mut simulation = Simulation::new(Arc::new(plan), &state.as_firmware("as_found"), 0);
    simulation.run();
    let trial = simulation.into_trial();
    match trial.verdict()? {
        verdict if verdict.kind == VerdictKind::Passed => Some(Foretold::Connects),
        verdict if verdict.blame == Some(Blame::Firmware) => {
            Some(Foretold::LockedOut { says: complaint(&trial.timeline().raw_console()) })
        }
        _ => None,
    }
}

fn complaint(console: &[u8]) -> Option<String> {
    let text = String::from_utf8_lossy(console);
    let (_, rest) = text.split_once(COMPLAINT)?;
    let code: String = rest.chars().take_while(|c| c.is_ascii_alphanumeric() || *c == '-').collect();
    Some(format!("{COMPLAINT}{code}"))
}
