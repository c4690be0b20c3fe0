//! `brickproof bench make-safe`: source off, lines released, network open, whatever the journal says.
//!
//! Boundary: a line for each station; what is done is `brickproof-bench`'s.

use brickproof_bench::desk;

use crate::arguments::BenchMakeSafe;
use crate::exit::{Exit, Problem};
use crate::{output, stations};

pub(crate) fn make_safe(arguments: &BenchMakeSafe) -> Result<Exit, Problem> {
    let (bench, stations) = stations::several(&arguments.on.file, &arguments.on.station)?;
    stations::block_on(async |state| {
        let mut unsafe_ones = Vec::new();
        for station in &stations {
            let name = format!("{bench}/{}", station.name);
            match desk::make_safe(&bench, station, &state).await {
                Ok(None) => output::line(&format!("{name}: safe")),
                Ok(Some(restored)) => output::line(&format!("{name}: safe; {restored}")),
                Err(problems) => {
                    output::line(&format!("{name}: NOT known to be safe"));
                    unsafe_ones.extend(problems.into_iter().map(|problem| format!("{name}: {problem}")));
                }
            }
        }
        if unsafe_ones.is_empty() { Ok(Exit::Passed) } else { Err(Problem::Bench(unsafe_ones)) }
    })
}
