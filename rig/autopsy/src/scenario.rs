//! The scenario that begins with exactly what was found, and asks whether the board survives it.
//!
//! Boundary: text. The state lies beside the file in a folder of its own; no byte of it is in the text.

use std::fmt::{Result, Write};

use brickproof_boards::BoardProfile;

use crate::findings::Findings;
use crate::foretell::Foretold;
use crate::tell::tell;

/// The folder with the state, beside the scenario.
pub const STATE_FOLDER: &str = "state";

/// The scenario, `foretold` being what a virtual board that begins so showed, if that was asked of one.
pub fn scenario(board: &BoardProfile, findings: &Findings, foretold: Option<&Foretold>) -> String {
    let mut text = String::new();
    // Writing to a `String` cannot fail.
    let _ = write_all(&mut text, board, findings, foretold);
    text
}

fn write_all(text: &mut String, board: &BoardProfile, findings: &Findings, foretold: Option<&Foretold>) -> Result {
    writeln!(text, "# What was found:")?;
    for line in tell(board, findings).lines() {
        writeln!(text, "{}", format!("#   {line}").trim_end())?;
    }
    writeln!(text, "#")?;
    match foretold {
        None => writeln!(
            text,
            "# What such a board shows is not known: its firmware is none of the rig's, or nobody has emulated it. It is asked to survive."
        )?,
        Some(Foretold::Connects) => {
            writeln!(
                text,
                "# A virtual board that begins so connects with its identity; so this one is asked to survive."
            )?;
        }
        Some(Foretold::LockedOut { .. }) => writeln!(
            text,
            "# A virtual board that begins so never connects, against the rig's cloud, which knows the published identity alone; so a brick is\n\
             # expected. Whether another release heals it: brickproof run THIS --firmware NAME, which has to survive."
        )?,
    }
    writeln!(text, "\nscenario: A {} begins as it was found", findings.board)?;
    writeln!(text, "board: {}", findings.board)?;
    writeln!(text, "state: {STATE_FOLDER}/")?;
    writeln!(text, "tags: [autopsy]")?;
    writeln!(text, "\nsteps:")?;
    for slot in findings.current().iter().flat_map(|area| &area.slots) {
        let word = slot.word.unwrap_or("as_found");
        writeln!(text, "  - expect: {{ slot: {}, is: {word} }} # {}", slot.slot.name(), slot.state)?;
    }
    writeln!(text, "  - supply: {{ usb: 5V }}")?;
    writeln!(text, "  - expect: {{ light: cloud_connected, within: 60s, holds: 8s }}")?;
    writeln!(text, "\ncleanup:\n  - supply: off")?;
    match foretold {
        None | Some(Foretold::Connects) => writeln!(text, "\noutcome: passed"),
        Some(Foretold::LockedOut { says: None }) => writeln!(text, "\noutcome: bricked"),
        Some(Foretold::LockedOut { says: Some(line) }) => {
            writeln!(text, "\noutcome:\n  bricked:\n    shows: [{{ console: \"{line}\" }}]")
        }
    }
}
