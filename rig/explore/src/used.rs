//! A virtual board that goes from trial to trial: what its flash holds stays, and its wear adds up.
//!
//! Boundary: one board, one trial at a time. In which order is the course's business.

use std::collections::BTreeMap;
use std::sync::Arc;

use brickproof_firmware::Firmware;
use brickproof_scenario::plan::Plan;
use brickproof_sim::Simulation;
use brickproof_trial::Trial;
use brickproof_virtual_board::flash::Flash;

use crate::wear::Erased;

/// A board with all that its trials left. As on a bench, each begins with the firmware and the genuine keys written where they differ.
#[derive(Clone, Debug, Default)]
pub struct UsedBoard {
    /// `None` before its first trial.
    flash: Option<Flash>,
}

impl UsedBoard {
    /// A new one.
    pub fn new() -> Self {
        Self::default()
    }

    /// Makes a trial; what it cost each page of the flash is told with it.
    pub fn make(&mut self, plan: Arc<Plan>, firmware: &Firmware, seed: u64) -> (Trial, Vec<Erased>) {
        let before: BTreeMap<u32, u32> = self.flash.iter().flat_map(Flash::erases).collect();
        let mut simulation = match self.flash.take() {
            None => Simulation::new(plan, firmware, seed),
            Some(flash) => Simulation::on_a_used_board(plan, firmware, seed, flash),
        };
        simulation.run();
        let (trial, flash) = simulation.into_trial_and_flash();
        let since = |(page, count): (u32, u32)| {
            let times = u64::from(count - before.get(&page).copied().unwrap_or(0));
            (times > 0).then(|| Erased { sector: format!("{page:#010x}"), times })
        };
        let erased = flash.erases().filter_map(since).collect();
        self.flash = Some(flash);
        (trial, erased)
    }
}
