//! `brickproof bench check`: the stations of a bench test themselves, one after the other.
//!
//! Boundary: prints what `brickproof-bench` finds, as it finds it.

use brickproof_bench::OpenStation;
use brickproof_bench::check::{Finding, Latency, Outcome, Wanted, check as check_station};
use brickproof_bench::driver::Stop;
use brickproof_report::Secrets;
use serde_json::{Value, json};

use crate::arguments::{BenchCheck, Format};
use crate::exit::{Exit, Problem};
use crate::{output, stations};

pub(crate) fn check(arguments: &BenchCheck) -> Result<Exit, Problem> {
    let (bench, stations) = stations::several(&arguments.on.file, &arguments.on.station)?;
    let secrets = Secrets::new(&brickproof_firmware::private_keys());
    let wanted = Wanted { cuts: arguments.cuts };
    stations::block_on(async |state| {
        let stop = stations::watch_signals();
        let (mut problems, mut exit) = (Vec::new(), Exit::Passed);
        for station in &stations {
            if *stop.borrow() != Stop::No {
                break;
            }
            let opened = match OpenStation::open_what_is_there(&bench, station, &state).await {
                Ok(opened) => opened,
                Err(error) => {
                    problems.push(stations::told(&error));
                    continue;
                }
            };
            let name = opened.station.name().to_owned();
            if arguments.format == Format::Human {
                output::line(&format!("station {name}: {} ({})", station.board.name, station.world));
            }
            let mut tell = |finding: &Finding| {
                let finding = Finding { saw: secrets.masked_text(&finding.saw), ..finding.clone() };
                match arguments.format {
                    Format::Human => output::line(&told(&finding)),
                    Format::Json => output::json(&json_of(&name, &finding)),
                }
            };
            let report = check_station(&opened, wanted, stop.clone(), &mut tell).await;
            let counts = [Outcome::Ok, Outcome::Failed, Outcome::CannotVerify].map(|outcome| report.count(outcome));
            let [ok, failed, unverified] = counts;
            match arguments.format {
                Format::Human => {
                    output::line(&format!("  {ok} ok, {failed} failed, {unverified} that cannot be verified"));
                }
                Format::Json => output::json(&json!({
                    "station": name,
                    "summary": { "ok": ok, "failed": failed, "cannot_verify": unverified, "interrupted": report.interrupted },
                })),
            }
            if failed > 0 {
                exit = exit.min(Exit::BenchFailed);
            }
        }
        if *stop.borrow() != Stop::No {
            exit = Exit::Interrupted;
        }
        if !problems.is_empty() {
            exit = exit.min(output::problem(&Problem::Bench(problems)));
        }
        Ok(exit)
    })
}

/// `  ok             supply load-switch power: switch it off: 0V`
fn told(finding: &Finding) -> String {
    let Finding { outcome, instrument, device, did, saw, .. } = finding;
    let what = instrument.map_or_else(|| device.clone(), |kind| format!("{kind} ({device})"));
    format!("  {:<13}  {what}: {did}: {saw}", outcome.word())
}

fn json_of(station: &str, finding: &Finding) -> Value {
    let latency = finding.latency.map(|Latency { n, median, p99, max, uncertainty }| {
        json!({
            "n": n,
            "median_ns": median.as_nanos(),
            "p99_ns": p99.as_nanos(),
            "max_ns": max.as_nanos(),
            "uncertainty_ns": uncertainty.as_nanos(),
        })
    });
    let outcome = match finding.outcome {
        Outcome::Ok => "ok",
        Outcome::Failed => "failed",
        Outcome::CannotVerify => "cannot_verify",
    };
    json!({
        "station": station,
        "outcome": outcome,
        "instrument": finding.instrument.map(|kind| kind.to_string()),
        "device": finding.device,
        "did": finding.did,
        "saw": finding.saw,
        "latency": latency,
    })
}
