//! `brickproof bench`: what can be done with whole benches. `lint` is here: every mistake of bench files, with its line; nothing is opened and
//! nothing is driven.

use std::fs;

use brickproof_bench::file::{self, Bench, Station};
use serde_json::{Map, Value, json};

use crate::arguments::{BenchCommand, BenchLint, Format};
use crate::commands::{check, discover, make_safe};
use crate::exit::{Exit, Problem};
use crate::library::library;
use crate::{files, output};

pub(crate) fn bench(command: &BenchCommand) -> Result<Exit, Problem> {
    match command {
        BenchCommand::Lint(arguments) => lint(arguments),
        BenchCommand::Check(arguments) => check::check(arguments),
        BenchCommand::Discover(arguments) => discover::discover(arguments),
        BenchCommand::MakeSafe(arguments) => make_safe::make_safe(arguments),
    }
}

fn lint(arguments: &BenchLint) -> Result<Exit, Problem> {
    let (mut benches, mut mistakes) = (Vec::new(), Vec::new());
    for path in &arguments.files {
        let bytes = fs::read(path).map_err(|source| Problem::Unreadable { path: path.clone(), source })?;
        match file::load(&files::label(path), bytes, library()) {
            Ok(bench) => benches.push(bench),
            Err(diagnostics) => mistakes.push(diagnostics),
        }
    }
    if !mistakes.is_empty() {
        return Err(Problem::Mistakes(mistakes));
    }
    for bench in &benches {
        for station in &bench.stations {
            match arguments.format {
                Format::Human => output::line(&told(bench, station)),
                Format::Json => output::json(&as_json(bench, station)),
            }
        }
    }
    Ok(Exit::Passed)
}

/// `desk/left: lantern-nrf52840 (hardware): lines gpiocdev, console serial, cloud console`
fn told(bench: &Bench, station: &Station) -> String {
    let drivers = station.instruments.iter().map(|(kind, driver)| format!("{kind} {}", driver.word()));
    let instruments: Vec<_> = drivers.chain(station.cloud.map(|_| "cloud console".to_owned())).collect();
    format!("{}/{}: {} ({}): {}", bench.name, station.name, station.board.name, station.world, instruments.join(", "))
}

fn as_json(bench: &Bench, station: &Station) -> Value {
    let instruments: Map<String, Value> =
        station.instruments.iter().map(|(kind, driver)| (kind.to_string(), driver.word().into())).collect();
    json!({
        "station": format!("{}/{}", bench.name, station.name),
        "board": station.board.name,
        "board_serial": station.serial.as_ref().map(ToString::to_string),
        "world": station.world.to_string(),
        "instruments": instruments,
        "cloud": station.cloud.map(|_| "console"),
    })
}
