//! Trials of the shipped scenarios, on shipped images.

use std::path::Path;
use std::sync::Arc;

use brickproof_firmware::Firmware;
use brickproof_scenario::plan::{FirmwareName, Plan};
use brickproof_scenario::{Library, load};
use brickproof_sim::Simulation;

/// Every cell of a scenario in this text.
pub(crate) fn cells_of(path: &str, text: &str) -> Vec<Plan> {
    load(path, text, &Library::built_in()).unwrap_or_else(|mistakes| panic!("{}", mistakes.render(110))).cells
}

/// Every cell of a shipped scenario.
pub(crate) fn cells(path: &str) -> Vec<Plan> {
    let text = std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").join(path));
    cells_of(path, &text.expect("the scenario is shipped"))
}

/// The cell of a shipped scenario on this board with this release.
pub(crate) fn cell(path: &str, board: &str, release: &str) -> Plan {
    let firmware = FirmwareName(format!("lantern-{release}"));
    let mut cells = cells(path).into_iter().filter(|it| it.board.name == board && it.firmware == firmware);
    cells.next().unwrap_or_else(|| panic!("{path} has {board} with {release}"))
}

/// A trial at its beginning.
pub(crate) fn simulation(plan: Plan, seed: u64) -> Simulation {
    let flash = plan.board.flash.at.0;
    let firmware = Firmware::shipped_for(flash, &plan.firmware.0).expect("the firmware is shipped");
    Simulation::new(Arc::new(plan), &firmware, seed)
}
