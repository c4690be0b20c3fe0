//! One trial again, alone, with all that was said.
//!
//! Boundary: finds the operations that an id names, cuts them and listens. What it prints is what the sweep counted.

use std::fmt;

use brickproof_virtual_board::flash::{FlashCut, FlashOperation, FlashRecord};

use super::fate::Fate;
use super::id::Id;
use super::listening::{ITEMS, Listener};
use super::store::Store;
use super::workload::{Duty, record};
use crate::cuts::{Cut, CutsError, Step};

/// One trial, as it went.
#[derive(Clone, Debug)]
pub struct Replay {
    /// The operations that were cut, as they went undisturbed.
    pub operations: Vec<FlashRecord>,
    /// What the store owed.
    pub duty: Duty,
    /// What the board said from the power-up after the last cut on, with what was typed.
    pub transcript: Vec<String>,
    /// What it said between the first cut and the second one, if there is one.
    pub between: Vec<String>,
    /// What became of it; `None` if the cut never came.
    pub fate: Option<Fate>,
}

/// Makes one trial again. Answers nothing if the updates, or the boot after the first cut, have no such operation.
///
/// # Errors
/// If the store does not acknowledge an update of the common prefix.
pub fn replay(id: &Id) -> Result<Option<Replay>, CutsError> {
    let steps = record(id.chip, id.store, id.cells)?.steps;
    let first = id.trial.first;
    let Some(step) = numbered(&steps, first.operation) else { return Ok(None) };
    let Some(cut) = id.trial.second else {
        return Ok(Some(of_step(step, first, Vec::new(), Vec::new())));
    };
    let healing = step.healing(first.at, first.seed);
    let Some(again) = numbered(&healing, cut.operation) else { return Ok(None) };
    let between = said_before(step, first, cut);
    Ok(Some(of_step(again, cut, vec![*step.operation()], between)))
}

fn numbered(steps: &[Step<Store>], operation: u64) -> Option<&Step<Store>> {
    steps.iter().find(|step| step.operation().index == operation)
}

fn of_step(step: &Step<Store>, cut: Cut, mut operations: Vec<FlashRecord>, between: Vec<String>) -> Replay {
    operations.push(*step.operation());
    let duty = *step.duty();
    let Some(mut board) = step.switched_on_after(cut.at, cut.seed) else {
        return Replay { operations, duty, transcript: Vec::new(), between, fate: None };
    };
    let mut listener = Listener::new(&mut board);
    let fate = Fate::after_boot(&mut listener, &duty);
    Replay { operations, duty, transcript: listener.transcript, between, fate: Some(fate) }
}

/// The lines after the first cut until the second one.
fn said_before(step: &Step<Store>, first: Cut, second: Cut) -> Vec<String> {
    let Some(mut board) = step.switched_on_after(first.at, first.seed) else { return Vec::new() };
    board.aim(FlashCut { operation: second.operation, at: second.at });
    let mut listener = Listener::new(&mut board);
    // That the board falls silent is what is waited for.
    let _ = listener.until_report().and_then(|_| listener.write(step.duty().once_more().in_flight));
    listener.transcript
}

impl fmt::Display for Replay {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (operation, which) in self.operations.iter().zip(["cut", "cut again"]) {
            writeln!(f, "{which}: operation {}, {}", operation.index, Shown(operation.operation))?;
            if which == "cut" {
                let owed: Vec<_> = (0..ITEMS).map(|item| self.duty.acknowledged[item].to_string()).collect();
                writeln!(f, "acknowledged before the cut: items 0 to {} at generation {}", ITEMS - 1, owed.join(", "))?;
                let in_flight = self.duty.in_flight;
                writeln!(f, "in flight: item {} to generation {}", in_flight.item, in_flight.generation)?;
                section(f, "console between the cuts", &self.between)?;
            }
        }
        section(f, "console after the cut", &self.transcript)?;
        match &self.fate {
            Some(fate) => writeln!(f, "verdict: {fate}"),
            None => writeln!(f, "verdict: the cut never came"),
        }
    }
}

fn section(f: &mut fmt::Formatter<'_>, title: &str, lines: &[String]) -> fmt::Result {
    if lines.is_empty() {
        return Ok(());
    }
    writeln!(f, "{title}:")?;
    lines.iter().try_for_each(|line| writeln!(f, "  {line}"))
}

struct Shown(FlashOperation);

impl fmt::Display for Shown {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            FlashOperation::Program { address, value } => write!(f, "word {address:#x} to {value:#010x}"),
            FlashOperation::ErasePage { address } => write!(f, "erase of page {address:#x}"),
            FlashOperation::EraseAll => f.write_str("erase of everything"),
            FlashOperation::EraseUicr => f.write_str("erase of UICR"),
        }
    }
}
