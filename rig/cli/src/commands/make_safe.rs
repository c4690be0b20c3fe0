//! `brickproof bench make-safe`: source off, lines released, network open, whatever the journal says.
//!
//! Boundary: a line for each station; what is done is `brickproof-bench`'s.

use brickproof_bench::desk;
use serde_json::json;

use crate::arguments::BenchMakeSafe;
use crate::exit::{Exit, Problem};
use crate::{output, stations};

pub(crate) fn make_safe(arguments: &BenchMakeSafe) -> Result<Exit, Problem> {
    let (bench, stations) = stations::several(&arguments.on.file, &arguments.on.station)?;
    stations::block_on(async |state| {
        let mut unsafe_ones = Vec::new();
        for station in &stations {
            let name = format!("{bench}/{}", station.name);
            let made = desk::make_safe(&bench, station, &state).await;
            let restored = made.as_ref().ok().and_then(Option::as_ref).map(ToString::to_string);
            let people = match (&made, &restored) {
                (Ok(_), None) => "safe".to_owned(),
                (Ok(_), Some(restored)) => format!("safe; {restored}"),
                (Err(_), _) => "NOT known to be safe".to_owned(),
            };
            output::act(&name, "make_safe", &people, json!({ "safe": made.is_ok(), "restored": restored }));
            let problems = made.err().into_iter().flatten();
            unsafe_ones.extend(problems.map(|problem| format!("{name}: {problem}")));
        }
        if unsafe_ones.is_empty() { Ok(Exit::Passed) } else { Err(Problem::Bench(unsafe_ones)) }
    })
}
