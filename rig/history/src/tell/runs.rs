//! The runs as a person reads them.
//!
//! Boundary: a table out of [`RunSummary`]s, as they come.

use brickproof_yaml::printable;

use super::Room;
use super::table::table;
use super::words::{behind, rate_cells};
use crate::runs::RunSummary;

/// The runs, newest first.
pub fn runs(runs: &[RunSummary], room: Room) -> String {
    let row = |run: &RunSummary| {
        let [passed, share, _, beside] = rate_cells(&run.rate);
        let trials = if run.rate.all() == 0 {
            "none ended".to_owned()
        } else {
            format!("{passed} passed{}", behind(", ", &beside))
        };
        let night = format!("{} {}{}", run.night, run.world.name(), behind(" on ", &printable(&run.bench)));
        [run.run.to_string(), night, trials, share, printable(&run.evidence)]
    };
    let told = room.length.of(runs.len());
    let rows: Vec<[String; 5]> = runs.iter().take(told).map(row).collect();
    let earlier = if told < runs.len() { "  and earlier ones: --all\n" } else { "" };
    table(["run", "night, world", "trials", "rate", "evidence"], &rows, room.width) + earlier
}
