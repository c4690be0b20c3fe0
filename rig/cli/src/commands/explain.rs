//! `brickproof explain`: the plan in plain words, what the station must offer, and whether the bench can run it and make its faults.

use brickproof_bench::file::Station;
use brickproof_bench::fitness::unfit;
use brickproof_scenario::plan::Plan;
use serde_json::{Value, json};

use crate::arguments::{Explain, Format};
use crate::exit::{Exit, Problem};
use crate::stations::Chosen;
use crate::{files, library, output};

/// The world of `brickproof-sim` carries out every command that a plan can contain; what it is asked in vain, a button that the board does
/// not have, is a mistake of the scenario.
const VIRTUAL_BENCH: &str = "The virtual bench offers all of this and can make every fault.";

pub(crate) fn explain(arguments: &Explain) -> Result<Exit, Problem> {
    let chosen = Chosen::of(&arguments.on)?;
    for (_, scenario) in files::load(&arguments.selection)? {
        for plan in &scenario.cells {
            if arguments.format == Format::Json {
                let mut told = brickproof_scenario::explained(plan);
                told["stations"] = chosen.as_ref().map_or_else(|| here(plan), |chosen| stations(chosen, plan));
                output::json(&told);
                continue;
            }
            output::line(&brickproof_scenario::explain(plan));
            match &chosen {
                None => output::line(&format!("{VIRTUAL_BENCH}\n")),
                Some(chosen) => output::line(&verdicts(chosen, plan)),
            }
        }
    }
    Ok(Exit::Passed)
}

/// What the virtual bench lacks.
fn here(plan: &Plan) -> Value {
    let lacks = library::check_virtual(plan).err().map(|problem| problem.to_string());
    json!([{ "station": "virtual", "world": "virtual", "lacks": lacks.into_iter().collect::<Vec<_>>() }])
}

/// What each station lacks.
fn stations(chosen: &Chosen, plan: &Plan) -> Value {
    let told = |station: &Station| {
        let lacks: Vec<String> = unfit(plan, station).iter().map(ToString::to_string).collect();
        let name = format!("{}/{}", chosen.bench, station.name);
        json!({ "station": name, "world": station.world.to_string(), "lacks": lacks })
    };
    chosen.stations.iter().map(told).collect()
}

/// Of each station whether it can run the plan, and if not, why.
fn verdicts(chosen: &Chosen, plan: &Plan) -> String {
    let mut text = String::new();
    for station in &chosen.stations {
        let lacking = unfit(plan, station);
        let name = format!("{}/{}", chosen.bench, station.name);
        match lacking.as_slice() {
            [] => text.push_str(&format!("Station {name} ({}) can run this.\n", station.world)),
            _ => text.push_str(&format!("Station {name} cannot run this:\n")),
        }
        for unfit in lacking {
            text.push_str(&format!("  - {unfit}\n"));
        }
    }
    text
}
