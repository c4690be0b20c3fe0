//! `brickproof enter`: puts the board of one station into a mode, and says what confirms it.
//!
//! Boundary: the mode outlives the command, so the board's power must, too: a source that would be switched off at its end is not switched on.

use brickproof_bench::desk::mode::{self, Came, Entered, NotEntered, Unfit};
use brickproof_bench::desk::{Purpose, Source};
use brickproof_boards::Target;
use brickproof_scenario::plan::Way;
use serde_json::{Value, json};

use crate::arguments::{Enter, WayWord};
use crate::exit::{Exit, Problem};
use crate::output;
use crate::stations::{self, Afterwards, AtDesk};

pub(crate) fn enter(arguments: &Enter) -> Result<Exit, Problem> {
    let (bench, station) = stations::one(&arguments.on)?;
    let target = target(&arguments.mode)?;
    let by = arguments.by.map(|word| match word {
        WayWord::Buttons => Way::Buttons,
        WayWord::Baud => Way::Baud,
        WayWord::Request => Way::Request,
    });
    let way = mode::way(&station, target, by, arguments.within);
    let way = way.map_err(|unfit| {
        let help = match &unfit {
            Unfit::NoMode { board, .. } => format!("`brickproof board show {board}` lists what it has"),
            Unfit::NotBy { .. } | Unfit::NoWay(_) if by.is_some() => {
                "leave --by out: the rig looks for a way".to_owned()
            }
            Unfit::NotBy { .. } | Unfit::NoWay(_) => "add it to the station in the bench file".to_owned(),
            Unfit::TooVague { .. } => {
                "say in the bench file how exact they are (`uncertainty`), or take others".to_owned()
            }
            Unfit::Unconfirmed(_) => "leave --within out".to_owned(),
        };
        Problem::Selection { what: unfit.to_string(), help }
    })?;
    let has_buttons = mode::way(&station, target, Some(Way::Buttons), None).is_ok();
    stations::block_on(async |state| {
        let mut stop = stations::watch_signals();
        let desk = AtDesk::open(&bench, &station, &state, Purpose::Mode(way.by)).await?;
        if desk.source == Source::Ours {
            return Err(Problem::Selection {
                what: format!("{}: its source is off, and would be off again after the command", desk.station.name()),
                help: "`brickproof power on --stay` first".to_owned(),
            });
        }
        let name = desk.station.name();
        let entered = async {
            let entered = tokio::select! {
                entered = mode::enter(&desk.station, &way) => entered,
                () = super::power::asked_to_stop(&mut stop) => return Ok(Exit::Interrupted),
            };
            let entered = entered.map_err(|error| {
                let hint = match &error {
                    NotEntered::Unserved(_) if has_buttons && way.by != Way::Buttons => {
                        "; `--by buttons` needs no firmware"
                    }
                    NotEntered::Unserved(_) | NotEntered::Failed(_) => "",
                };
                Problem::Bench(vec![format!("{name}: {target} was asked for by {}: {error}{hint}", way.by.name())])
            })?;
            let held = entered.held.map(|(hold, uncertainty)| format!(", held for {hold}, give or take {uncertainty}"));
            let asked = format!("by {}{}", way.by.name(), held.unwrap_or_default());
            let (people, exit) = match &entered.came {
                Came::Confirmed { by, after } => {
                    (format!("{target} {asked}; confirmed after {after} by {by}"), Exit::Passed)
                }
                Came::Unconfirmed(why) => (format!("{target} asked for {asked}; {why}"), Exit::Passed),
                Came::NotSeen { wanted, seen } => {
                    let within = way.within();
                    let other = if has_buttons && way.by != Way::Buttons { "; try `--by buttons`" } else { "" };
                    let told = format!(
                        "not in {target} within {within}, asked for {asked}: wanted {wanted}, and saw {seen}{other}"
                    );
                    (told, Exit::Failed)
                }
            };
            output::act(name, "enter", &people, as_json(target, way.by, &entered));
            Ok(exit)
        };
        desk.work("enter", entered, Afterwards::Safe).await
    })
}

fn as_json(mode: Target, by: Way, entered: &Entered) -> Value {
    let (outcome, after, wanted, seen, reason) = match &entered.came {
        Came::Confirmed { by, after } => ("confirmed", Some(after.as_nanos()), Some(by), Some(by), None),
        Came::Unconfirmed(why) => ("unconfirmed", None, None, None, Some(why)),
        Came::NotSeen { wanted, seen } => ("not_seen", None, Some(wanted), Some(seen), None),
    };
    json!({
        "mode": mode.name(),
        "by": by.name(),
        "held_ns": entered.held.map(|(hold, _)| hold.as_nanos()),
        "held_uncertainty_ns": entered.held.map(|(_, uncertainty)| uncertainty.as_nanos()),
        "outcome": outcome,
        "after_ns": after,
        "wanted": wanted,
        "seen": seen,
        "reason": reason,
    })
}

fn target(word: &str) -> Result<Target, Problem> {
    if let Some(target) = Target::ENTERED.into_iter().find(|target| target.name() == word) {
        return Ok(target);
    }
    let what = match Target::NEVER_ENTERED.into_iter().find(|target| target.name() == word) {
        Some(target) => format!("the rig never enters `{target}`: what it clears cannot be brought back"),
        None => format!("there is no mode `{word}`"),
    };
    let known = Target::ENTERED.map(Target::name).join(", ");
    Err(Problem::Selection { what, help: format!("the modes are {known}") })
}
