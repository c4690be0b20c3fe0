//! One trial as a person reads it.
//!
//! Boundary: all that a [`TrialRow`] has. Whether its evidence is still there is the caller's to know.

use std::fmt::Write as _;

use brickproof_yaml::printable;

use super::table::folded;
use super::words::seconds;
use crate::runs::TrialRow;

/// Whether the evidence of a trial is still where it was put.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Evidence {
    /// It is.
    Kept,
    /// It is not.
    Gone,
}

/// One attempt of a trial, whole. `evidence` says whether its evidence is still there.
pub fn trial(it: &TrialRow, evidence: Evidence, width: Option<usize>) -> String {
    let mut text = format!("{} {} ({})", it.verdict.to_uppercase(), printable(&it.id), it.world.name());
    match &it.blame {
        Some(blame) => text.push_str(&format!(", blame: {blame}\n")),
        None => text.push('\n'),
    }
    let bench = if it.bench.is_empty() { String::new() } else { format!("{}/", it.bench) };
    let serial = if it.board_serial.is_empty() { String::new() } else { format!(", board {}", it.board_serial) };
    let mut line = |what: &str, told: &str| {
        let _ = writeln!(text, "  {what:<10} {}", printable(told));
    };
    line("run", &format!("{} (night {}), attempt {}, begun {}", it.run, it.night, it.attempt, it.started));
    line("scenario", &format!("{}: {}", it.scenario, it.title));
    line("station", &format!("{bench}{} ({}{serial})", it.station, it.board));
    line("firmware", &format!("{} {}", it.firmware, it.firmware_sha256));
    if let Some((index, number, sentence)) = &it.step {
        line("step", &format!("{index}, line {number}: {sentence}"));
    }
    if !it.reason.is_empty() {
        line("reason", &it.reason);
    }
    if it.discarded {
        line("discarded", "its fault struck outside its tolerance, and it was made again");
    }
    if let Some((reason, until)) = &it.quarantine {
        line("quarantine", &format!("until {until}: {reason}"));
    }
    line("lasted", &format!("{} on its own clock, {} to run", seconds(it.duration_ns), seconds(it.wall_ns)));
    if let (Some(after), Some(by)) = (it.connect_ns, &it.connect_by) {
        line("connected", &format!("{} after power, as the {by} saw it", seconds(after)));
    }
    match evidence {
        Evidence::Kept => line("evidence", &it.evidence),
        Evidence::Gone => line("evidence", &format!("{}, which has made room for that of later runs", it.evidence)),
    }
    folded(&text, width)
}
