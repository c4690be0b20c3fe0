//! `brickproof flash`: writes firmware to the board that a station says it has.
//!
//! Boundary: by the probe. The board is fed for it, unless it was left on.

use brickproof_bench::desk::{self, Keys, Purpose, Source, Written};
use serde_json::json;

use crate::arguments::Flash;
use crate::exit::{Exit, Problem};
use crate::stations::{self, Afterwards, AtDesk, failed};
use crate::{files, output};

pub(crate) fn flash(arguments: &Flash) -> Result<Exit, Problem> {
    let (bench, station) = stations::one(&arguments.on)?;
    let firmware = files::firmware_called(&arguments.firmware, &station.board)?;
    let keys = if arguments.no_keys { Keys::AsTheyAre } else { Keys::Genuine };
    stations::block_on(async |state| {
        let stop = stations::watch_signals();
        let desk = AtDesk::open(&bench, &station, &state, Purpose::Flash).await?;
        let name = desk.station.name();
        let work = async {
            if desk.source == Source::Ours {
                desk::feed(&desk.station, None).await.map_err(|failure| failed(&failure))?;
            }
            // Half an image would be worse than a moment's wait: a signal takes effect once it is written.
            let written = desk::flash(&desk.station, &firmware, keys).await.map_err(|failure| failed(&failure))?;
            let fields = json!({
                "firmware": { "name": firmware.name(), "sha256": firmware.sha256() },
                "firmware_bytes": written.firmware,
                "keys_bytes": written.keys,
            });
            output::act(name, "flash", &told(written, firmware.name()), fields);
            Ok(if *stop.borrow() == brickproof_bench::driver::Stop::No { Exit::Passed } else { Exit::Interrupted })
        };
        desk.work("flash", work, Afterwards::Safe).await
    })
}

fn told(Written { firmware, keys }: Written, name: &str) -> String {
    let firmware = match firmware {
        0 => format!("{name} was there already"),
        bytes => format!("wrote and verified {bytes} bytes of {name}"),
    };
    let keys = match keys {
        None => "keys left as they are".to_owned(),
        Some(0) => "genuine keys were there already".to_owned(),
        Some(bytes) => format!("wrote and verified {bytes} bytes of genuine keys"),
    };
    format!("{firmware}; {keys}")
}
