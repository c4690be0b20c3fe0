//! The updates that are cut: every item is written once, and then one after the other, the counter most often.
//!
//! Boundary: everything up to the cut, undisturbed.

use std::sync::Arc;

use brickproof_console::Lines;
use brickproof_units::Span;
use brickproof_virtual_board::board::{Board, BoardConfig, PauseOn};
use brickproof_virtual_board::chip::{Chip, UartTiming};
use brickproof_virtual_board::flash::{Cells, FlashOperation};

use super::listening::ITEMS;
use super::store::Store;
use crate::cuts::record::History;
use crate::cuts::terminal::{Keystroke, next_line, says, type_line};
use crate::cuts::{CutsError, Step};
use crate::memory::board_with;

/// Which item is updated when, over and over. The counter (0) as often as all the others, the device key (7) as rarely as any: what is
/// seldom written is what a store has to carry along when it makes room.
const ORDER: [usize; 14] = [0, 1, 0, 2, 0, 3, 0, 4, 0, 5, 0, 6, 0, 7];
const PATIENCE: Span = Span::secs(20);

/// An item is to be written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Update {
    /// Its number.
    pub item: usize,
    /// Which value it gets, counted from 1.
    pub generation: u32,
}

impl Update {
    pub(super) fn command(self) -> String {
        format!("write {} {}", self.item, self.generation)
    }
}

/// What a store owes: every item at the generation that it acknowledged last, but for the one in flight, which may be at any generation up to
/// the one that is being written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Duty {
    /// Generations that were acknowledged.
    pub acknowledged: [u32; ITEMS],
    /// What is being written, and not acknowledged yet.
    pub in_flight: Update,
}

impl Duty {
    /// The update in flight is made again, with a value that was never written before.
    pub(super) const fn once_more(&self) -> Self {
        let Update { item, generation } = self.in_flight;
        Self { in_flight: Update { item, generation: generation + 1 }, ..*self }
    }

    /// Whether a whole value of that generation is what is owed.
    pub(super) fn allows(&self, item: usize, generation: u32) -> bool {
        let newest = if item == self.in_flight.item { self.in_flight.generation } else { self.acknowledged[item] };
        (self.acknowledged[item]..=newest).contains(&generation)
    }
}

/// What happens to a store that is updated undisturbed.
#[derive(Clone, Debug)]
pub struct Updates {
    /// Every flash operation of the updates in order, each with the board right before it.
    pub steps: Vec<Step<Store>>,
    /// How many updates were made.
    pub updates: usize,
    /// How often the store programmed a word more often than the part allows between two erases (nWRITE).
    pub excess_writes: u64,
}

impl Updates {
    /// The steps that erase a page. There are few among many, and chance has more to decide in them than in a word.
    pub fn erases(&self) -> Vec<Step<Store>> {
        let is_erase = |step: &&Step<Store>| matches!(step.operation().operation, FlashOperation::ErasePage { .. });
        self.steps.iter().filter(is_erase).cloned().collect()
    }
}

/// Formats a store on a board with this part, writes every item once, and then updates items until pages were erased [`Store::erases`] times. The seed decides nothing
/// here: nothing is left to chance until something is cut.
///
/// # Errors
/// If the store does not acknowledge an update: its image is broken.
pub fn record(chip: Chip, store: Store, cells: Cells) -> Result<Updates, CutsError> {
    let config = BoardConfig {
        cells,
        uart: UartTiming::Instant,
        // Nobody looks at the LED.
        pins: Vec::new(),
        ..BoardConfig::new(chip)
    };
    let mut board = board_with(&store.firmware(chip).ok_or(CutsError::NoStore)?, config)?;
    board.pause_on(PauseOn::ConsoleByte);
    let pristine = board.clone();
    let mut desk = Desk { board, lines: Lines::new(), typed: Vec::new() };
    let mut acknowledged = desk.set_up()?;
    let mut history = History::new();
    let (mut erased, mut updates) = (0, 0);
    for item in ORDER.into_iter().cycle() {
        if erased >= store.erases() {
            break;
        }
        let in_flight = Update { item, generation: acknowledged[item] + 1 };
        let duty = Arc::new(Duty { acknowledged, in_flight });
        desk.write(in_flight)?;
        acknowledged[item] = in_flight.generation;
        updates += 1;
        let done = desk.board.take_flash_log();
        erased += done.iter().filter(|done| matches!(done.operation, FlashOperation::ErasePage { .. })).count();
        history.operations.extend(done.into_iter().map(|record| (record, Arc::clone(&duty))));
    }
    history.typed = desk.typed;
    let excess_writes = desk.board.flash().excess_writes();
    Ok(Updates { steps: history.steps(pristine, &store), updates, excess_writes })
}

/// A board, and somebody who keeps what was typed.
struct Desk {
    board: Board,
    lines: Lines,
    typed: Vec<Keystroke>,
}

impl Desk {
    /// Formats, and writes the first generation of every item.
    fn set_up(&mut self) -> Result<[u32; ITEMS], CutsError> {
        self.wait_for(["mount failed: ", "ready"])?;
        self.type_line("format");
        self.wait_for(["ready"])?;
        let first = 1;
        for item in 0..ITEMS {
            self.write(Update { item, generation: first })?;
        }
        self.board.take_flash_log();
        Ok([first; ITEMS])
    }

    fn write(&mut self, update: Update) -> Result<(), CutsError> {
        self.type_line(&update.command());
        self.wait_for(["written "])
    }

    fn type_line(&mut self, text: &str) {
        let now = self.board.now();
        self.typed.extend(type_line(&mut self.board, now, format!("{text}\n").as_bytes()));
    }

    fn wait_for<const N: usize>(&mut self, awaited: [&'static str; N]) -> Result<(), CutsError> {
        let deadline = self.board.now() + PATIENCE;
        while let Some(line) = next_line(&mut self.board, &mut self.lines, deadline) {
            if awaited.into_iter().any(|text| says(&line, text)) {
                return Ok(());
            }
        }
        Err(CutsError::NoLine { awaited: awaited.join("` or `"), within: PATIENCE })
    }
}
