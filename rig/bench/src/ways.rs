//! Which of the ways into a mode a station has, and what it can see of one.
//!
//! Boundary: statements of the bench file against those of the board's profile. Nothing is opened.

use brickproof_boards::{Held, MODE};
use brickproof_instruments::Kind;
use brickproof_scenario::plan::{ButtonEntry, Entry, Way};
use brickproof_units::Span;

use crate::file::{Driver, Station};
use crate::fitness::{line_names, offer};

/// The first of the ways that the station has.
pub fn way(station: &Station, entry: &Entry) -> Option<Way> {
    entry.ways().find(|way| match way {
        Way::Buttons => entry.buttons.as_ref().is_some_and(|buttons| has_buttons(station, buttons)),
        Way::Baud => has_own_console(station),
        Way::Request => has_usb(station),
    })
}

/// Why it has none, and what would give it one.
pub fn no_way(station: &Station, entry: &Entry) -> String {
    let wants = entry.ways().map(|way| match way {
        Way::Buttons => "lines that drive `reset` and `mode`",
        Way::Baud => "a `console` that is the board's own serial port (`driver: serial`, `usb:` as in its profile)",
        Way::Request => "a `dfu`, through which its USB is reached",
    });
    format!("{} has no way into {}: it takes {}", station.name, entry.mode, wants.collect::<Vec<_>>().join(", or "))
}

fn has_buttons(station: &Station, buttons: &ButtonEntry) -> bool {
    let driven = line_names(station, "drive");
    let has = |name: &str| driven.iter().any(|known| known == name);
    has(&buttons.button) && (buttons.after_reset().is_none() || has("reset"))
}

/// Whether the console is the board's own device on USB, so that a rate at which it is opened reaches its firmware.
pub(crate) fn has_own_console(station: &Station) -> bool {
    let Some(Driver::Real(factory, settings)) = station.instruments.get(&Kind::Console) else { return false };
    let normal = station.board.usb.map(|ids| ids.normal.to_string());
    factory.driver() == "serial" && normal.is_some() && settings.text("usb").map(str::to_lowercase) == normal
}

/// Whether the board's USB is watched and asked.
pub(crate) fn has_usb(station: &Station) -> bool {
    station.board.usb.is_some() && offer(station, Kind::Dfu).is_some()
}

/// How exactly the moments of the station's lines are known, if that is not enough to tell such a press from one that means another mode, even
/// one that the rig never enters. A press has two ends.
pub(crate) fn too_vague(station: &Station, button: &str, held: Held, hold: Span) -> Option<Span> {
    let modes = station.board.modes.as_ref().filter(|_| button == MODE)?;
    let (lines, _) = offer(station, Kind::Lines)?;
    let uncertainty = lines.timing.uncertainty;
    let both = uncertainty + uncertainty;
    modes.crossed(held, hold, hold - both, hold + both).map(|_| uncertainty)
}
