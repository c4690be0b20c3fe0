//! An exhaustive sweep: every place of every flash operation under every cell model, and the same again in the boot that follows.
//!
//! Boundary: from what is asked and an undisturbed run to a list of places, each of which is one trial with an id of its own. A healing boot
//! depends on what the first cut left, and that on chance: so the trials of one first place share their chance, and the second cuts strike
//! the very boot that was looked at.

use std::sync::Arc;

use brickproof_firmware::Firmware;
use brickproof_scenario::Setting;
use brickproof_scenario::plan::{CellModel, Plan};
use brickproof_sim::{Simulation, WorldConfig};
use brickproof_units::{Instant, Span};
use brickproof_virtual_board::board::Records;
use brickproof_virtual_board::flash::FlashRecord;

use crate::exhaustive::{Aims, ExhaustiveError, aim_at_every_operation};
use crate::laboratory::BEFORE_THE_TRIGGER;
use crate::shot::seed_of;

/// What is asked of an exhaustive sweep.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Exhaustive {
    /// How long after the trigger, and after the end of the first fault, operations are struck.
    pub window: Span,
    /// At how many even places inside an operation, besides before and after it.
    pub fractions: u32,
    /// Under which models; with none, the usual one.
    pub cells: Vec<CellModel>,
    /// Whether every flash operation of the boot after each fault is struck too.
    pub second_cuts: SecondCuts,
    /// How often each place is struck; chance decides anew each time.
    pub each: u32,
}

/// Whether the boot after a fault is struck in turn.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum SecondCuts {
    /// It goes undisturbed.
    #[default]
    None,
    /// At each place of each of its flash operations.
    Every,
}

/// One trial of an exhaustive sweep.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Place {
    /// How long after the trigger the fault strikes.
    pub after: Span,
    /// How cells take it; `None`: as usual.
    pub cells: Option<CellModel>,
    /// How long after its end it strikes again, if it does.
    pub again: Option<Span>,
    /// Trials with the same number share their chance.
    pub chance: u32,
}

impl Place {
    /// An instant, a number for its chance, and nothing else.
    pub const fn at(after: Span, chance: u32) -> Self {
        Self { after, cells: None, again: None, chance }
    }

    /// Where the knobs of the fault stand.
    pub fn settings(&self) -> Vec<Setting> {
        let [cells, again] = [self.cells.map(Setting::cells), self.again.map(Setting::again)];
        [Some(Setting::after(self.after)), cells, again].into_iter().flatten().collect()
    }
}

/// The trials of an exhaustive sweep.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Places {
    /// In the order of the board, each first place followed by the second ones behind it.
    pub places: Vec<Place>,
    /// How many flash operations are struck first.
    pub operations: usize,
    /// How many come sooner after the trigger, or after the end of the first fault, than the fault takes to bite.
    pub out_of_reach: usize,
}

impl Exhaustive {
    /// Where operations are looked for if nothing is said: longer than any update of the reference firmware.
    pub const WINDOW: Span = Span::millis(200);
    /// At how many places inside an operation if nothing is said.
    pub const FRACTIONS: u32 = 8;
    /// At most.
    pub const MOST_FRACTIONS: u32 = 10_000;

    /// Every place that is asked for, in the trials that `plan` makes with this image and seed.
    ///
    /// # Errors
    /// The scenario's fault is not one that strikes exactly, or there is nothing to strike.
    pub fn places(&self, plan: &Plan, firmware: &Firmware, seed: u64) -> Result<Places, ExhaustiveError> {
        let first = aim_at_every_operation(plan, firmware, seed, self.window, self.fractions)?;
        let operations = first.aims.last().map_or(0, |aimed| aimed.index + 1);
        let mut places = Places { places: Vec::new(), operations, out_of_reach: first.out_of_reach };
        let boots = match self.second_cuts {
            SecondCuts::None => None,
            SecondCuts::Every => Some(Boots::after(plan, firmware, seed, &first)),
        };
        let models: Vec<Option<CellModel>> =
            if self.cells.is_empty() { vec![None] } else { self.cells.iter().copied().map(Some).collect() };
        let mut chance = 0;
        for _ in 0..self.each {
            for aimed in &first.aims {
                for cells in &models {
                    let place = Place { after: aimed.after, cells: *cells, again: None, chance };
                    chance += 1;
                    places.places.push(place);
                    if let Some(boots) = &boots {
                        let second = boots.aims(&place, self)?;
                        places.out_of_reach += second.out_of_reach;
                        let again = |aimed: &crate::exhaustive::Aimed| Place { again: Some(aimed.after), ..place };
                        places.places.extend(second.aims.iter().map(again));
                    }
                }
            }
        }
        Ok(places)
    }
}

/// The boots after first cuts, to be looked at.
struct Boots<'a> {
    plan: &'a Plan,
    seed: u64,
    /// Right before the trigger.
    trunk: Simulation,
    first: &'a Aims,
}

impl<'a> Boots<'a> {
    fn after(plan: &'a Plan, firmware: &Firmware, seed: u64, first: &'a Aims) -> Self {
        let config = WorldConfig { records: Records::Kept, ..WorldConfig::new(seed & u64::from(u32::MAX)) };
        let mut trunk = Simulation::with_config(Arc::new(plan.clone()), firmware, config);
        trunk.run_to(first.triggered - BEFORE_THE_TRIGGER);
        trunk.forget_records();
        trunk.freeze();
        Self { plan, seed, trunk, first }
    }

    /// Every place of the boot after this one.
    fn aims(&self, place: &Place, asked: &Exhaustive) -> Result<Aims, ExhaustiveError> {
        let mut second = self.first.none_yet();
        let plan = Arc::new(self.plan.turned(&place.settings())?);
        let Ok(mut boot) = self.trunk.turned(plan, seed_of(self.seed, u64::from(place.chance))) else {
            return Ok(second);
        };
        let is_over = |it: &Simulation| it.trial().faults().last().is_some_and(|fault| fault.achieved.is_some());
        if boot.run_until(is_over) {
            // The step in which the fault strikes again begins with the answer of the first.
            let began = boot.trial().now();
            boot.run_to(began + asked.window);
            second.add(began, &operations(&boot, began, began + asked.window), asked.fractions);
        }
        Ok(second)
    }
}

fn operations(simulation: &Simulation, from: Instant, to: Instant) -> Vec<FlashRecord> {
    let log = simulation.world().board().flash().log().iter();
    log.filter(|record| record.start > from && record.end < to).copied().collect()
}
