//! One round trip: what was found, written as a scenario, linted, begun, and read out again before the first instruction.
//!
//! Boundary: one board. What was done to it, and whether it was found, is asked of its findings afterwards.

use std::collections::BTreeMap;
use std::sync::Arc;

use brickproof_autopsy::{Family, Findings, Foretold, Reading, foretell, known_with, scenario};
use brickproof_boards::BoardProfile;
use brickproof_firmware::State;
use brickproof_scenario::{Library, load};
use brickproof_sim::{Simulation, World};
use brickproof_trial::VerdictKind;
use brickproof_units::{Instant, Span};

use crate::damage::Damaged;

/// Bytes of the user configuration registers that go round with the flash.
const USER: usize = 256;

/// What came of a round trip.
pub(crate) struct Round {
    /// What was found.
    pub(crate) findings: Findings,
    /// What a board that begins so does.
    pub(crate) foretold: Option<Foretold>,
}

/// Sends a board round.
///
/// # Errors
/// What did not come back as it went.
pub(crate) fn go(damaged: &Damaged, library: &Library) -> Result<Round, String> {
    let board = &damaged.board;
    let known = known_with(damaged.given.clone());
    let reading = |flash: Vec<u8>, user: Vec<u8>| Reading::of_dump("as it stood".to_owned(), flash, user);
    let user = if has_user(board) { vec![0xFF; USER] } else { Vec::new() };
    let found = Findings::of(board, &reading(damaged.flash.clone(), user.clone()), &known);
    let written = State::new(board, damaged.flash.clone(), user).map_err(|error| error.to_string())?;
    let files: BTreeMap<_, _> = written.files().into_iter().collect();
    let state =
        State::read(board, |name| files.get(name).cloned().ok_or("missing")).map_err(|error| error.to_string())?;
    let foretold = foretell(board, &found, &state, library);
    let text = scenario(board, &found, foretold.as_ref());
    let plan = load("unit/as-found.yaml", &text, library).map_err(|mistakes| mistakes.render(110))?.cells.pop();
    let plan = Arc::new(plan.ok_or("no cell")?);
    let mut simulation = Simulation::new(plan, &state.as_firmware("as_found"), 0);
    simulation.run_to(Instant::START + Span::nanos(1));
    let again = read_out(simulation.world(), board)?;
    if again.flash != damaged.flash {
        return Err("it does not begin with the bytes that were found".to_owned());
    }
    if Findings::of(board, &again, &known) != found {
        return Err("the same bytes are found to be something else".to_owned());
    }
    simulation.run();
    match simulation.into_trial().verdict() {
        Some(verdict) if verdict.kind == VerdictKind::Passed => Ok(Round { findings: found, foretold }),
        other => Err(format!("the scenario does not hold as it was written: {other:?}\n{text}")),
    }
}

/// Whether its part has user configuration registers of its own.
fn has_user(board: &BoardProfile) -> bool {
    Family::of(board).is_some_and(|family| family.user.is_some())
}

fn read_out(world: &World, board: &BoardProfile) -> Result<Reading, String> {
    let (mut flash, mut user) = (vec![0; board.flash.size().0 as usize], vec![0; USER]);
    let read =
        |address, into: &mut Vec<u8>| world.board().flash().read_raw(address, into).map_err(|error| error.to_string());
    read(board.flash.at.0, &mut flash)?;
    if has_user(board) {
        read(0x1000_1000, &mut user)?;
    } else {
        user.clear();
    }
    Ok(Reading::of_dump("as it stood".to_owned(), flash, user))
}
