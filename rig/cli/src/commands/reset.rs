//! `brickproof reset`: pulls RESET of one board.
//!
//! Boundary: a board that was left on stays on; one without power is not fed for it.

use brickproof_bench::desk::{self, Purpose, Source};
use serde_json::json;

use crate::arguments::Reset;
use crate::exit::{Exit, Problem};
use crate::output;
use crate::stations::{self, Afterwards, AtDesk, failed};

pub(crate) fn reset(arguments: &Reset) -> Result<Exit, Problem> {
    let (bench, station) = stations::one(&arguments.on)?;
    stations::block_on(async |state| {
        let mut stop = stations::watch_signals();
        let desk = AtDesk::open(&bench, &station, &state, Purpose::Reset).await?;
        if desk.source == Source::Ours {
            output::note("the station's source is off; a board that nothing else feeds does not notice");
        }
        let name = desk.station.name();
        let pulled = async {
            tokio::select! {
                done = desk::reset(&desk.station, arguments.hold) => done.map_err(|failure| failed(&failure))?,
                () = super::power::asked_to_stop(&mut stop) => return Ok(Exit::Interrupted),
            }
            let (hold, people) = (arguments.hold, format!("reset for {}", arguments.hold));
            output::act(name, "reset", &people, json!({ "held_ns": hold.as_nanos() }));
            Ok(Exit::Passed)
        };
        desk.work("reset", pulled, Afterwards::Safe).await
    })
}
