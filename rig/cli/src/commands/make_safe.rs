//! `brickproof bench make-safe`: source off, lines released, network open, whatever the journal says.
//!
//! Boundary: a line for each station; what is done is `brickproof-bench`'s.

use brickproof_bench::desk;
use serde_json::json;

use crate::arguments::{BenchMakeSafe, Format};
use crate::exit::{Exit, Problem};
use crate::{output, stations};

pub(crate) fn make_safe(arguments: &BenchMakeSafe) -> Result<Exit, Problem> {
    let (bench, stations) = stations::several(&arguments.on.file, &arguments.on.station)?;
    stations::block_on(async |state| {
        let mut unsafe_ones = Vec::new();
        for station in &stations {
            let name = format!("{bench}/{}", station.name);
            let made = desk::make_safe(&bench, station, &state).await;
            if arguments.format == Format::Json {
                let restored = made.as_ref().ok().and_then(Option::as_ref).map(ToString::to_string);
                output::json(
                    &json!({ "station": name, "act": "make_safe", "safe": made.is_ok(), "restored": restored }),
                );
            }
            let tell = |told: &str| {
                if arguments.format == Format::Human {
                    output::line(&format!("{name}: {told}"));
                }
            };
            match made {
                Ok(None) => tell("safe"),
                Ok(Some(restored)) => tell(&format!("safe; {restored}")),
                Err(problems) => {
                    tell("NOT known to be safe");
                    unsafe_ones.extend(problems.into_iter().map(|problem| format!("{name}: {problem}")));
                }
            }
        }
        if unsafe_ones.is_empty() { Ok(Exit::Passed) } else { Err(Problem::Bench(unsafe_ones)) }
    })
}
