//! `brickproof power`: the source of one station, on for as long as somebody wants it.
//!
//! Boundary: lines and supply. Console and probe are not opened, so that other tools can have them.

use std::time::Duration;

use brickproof_bench::desk::{self, Off, Purpose};
use brickproof_bench::driver::Stop;
use brickproof_units::{Current, Voltage};
use serde_json::json;
use tokio::sync::watch;

use crate::arguments::{PowerCommand, PowerCycle, PowerOff, PowerOn};
use crate::exit::{Exit, Problem};
use crate::output;
use crate::stations::{self, Afterwards, AtDesk, failed};

pub(crate) fn power(command: &PowerCommand) -> Result<Exit, Problem> {
    match command {
        PowerCommand::On(on) => switch_on(on, None),
        PowerCommand::Off(off) => switch_off(off),
        PowerCommand::Cycle(PowerCycle { then, off_for }) => {
            switch_on(then, Some(Duration::from_nanos(off_for.as_nanos())))
        }
    }
}

fn switch_on(arguments: &PowerOn, off_for: Option<Duration>) -> Result<Exit, Problem> {
    let (bench, station) = stations::one(&arguments.on)?;
    if let Some(voltage) = arguments.voltage {
        desk::bears(&station, voltage).map_err(|what| Problem::Selection {
            what,
            help: "the limits are those of the board's profile and of the bench file".to_owned(),
        })?;
    }
    stations::block_on(async |state| {
        let mut stop = stations::watch_signals();
        let desk = AtDesk::open(&bench, &station, &state, Purpose::Power).await?;
        if arguments.stay {
            desk.station.can_leave_on().map_err(|failure| failed(&failure))?;
        }
        let name = desk.station.name();
        desk.work(
            "power on",
            async {
                if let Some(off_for) = off_for {
                    let off = desk::power_off(&desk.station).await.map_err(|failure| failed(&failure))?;
                    tell_off(name, off);
                    tokio::select! {
                        () = tokio::time::sleep(off_for) => {}
                        () = asked_to_stop(&mut stop) => return Ok(Exit::Interrupted),
                    }
                }
                let reading = desk::feed(&desk.station, arguments.voltage).await.map_err(|failure| failed(&failure))?;
                let fields = json!({
                    "voltage_uv": reading.and_then(|it| it.voltage).map(Voltage::get),
                    "current_ua": reading.and_then(|it| it.current).map(Current::get),
                    "stays": arguments.stay,
                });
                let tell = |people: &str| output::act(name, "power_on", people, fields);
                let seen = reading.and_then(|reading| {
                    Some(match reading.current {
                        Some(current) => format!("{}, {current}", reading.voltage?),
                        None => reading.voltage?.to_string(),
                    })
                });
                let seen = seen.unwrap_or_else(|| "not measured".to_owned());
                if arguments.stay {
                    desk.station.leave_on().map_err(|error| Problem::Bench(vec![error.to_string()]))?;
                    tell(&format!("on ({seen}), and stays on; `brickproof power off` ends that"));
                    return Ok(Exit::Passed);
                }
                tell(&format!("on ({seen}) until Ctrl-C"));
                asked_to_stop(&mut stop).await;
                Ok(Exit::Passed)
            },
            if arguments.stay { Afterwards::Stays } else { Afterwards::Safe },
        )
        .await
    })
}

pub(crate) async fn asked_to_stop(stop: &mut watch::Receiver<Stop>) {
    // Whoever held the other end is gone: then nobody will ask any more, and to stop is the safe way.
    let _ = stop.wait_for(|stop| *stop != Stop::No).await;
}

fn switch_off(arguments: &PowerOff) -> Result<Exit, Problem> {
    let (bench, station) = stations::one(&arguments.on)?;
    stations::block_on(async |state| {
        let desk = AtDesk::open(&bench, &station, &state, Purpose::Power).await?;
        let off = desk::power_off(&desk.station).await;
        desk.end().await?;
        let off = off.map_err(|failure| failed(&failure))?;
        tell_off(desk.station.name(), off);
        Ok(Exit::Passed)
    })
}

fn tell_off(station: &str, off: Off) {
    let people = match off {
        Off::Measured => "off, and measured off",
        Off::NotMeasured => "off; its supply does not measure whether it is",
    };
    output::act(station, "power_off", people, json!({ "measured": off == Off::Measured }));
}
