//! The report for people.
//!
//! Boundary: text. Keys are named and fingerprinted, never shown.

use std::fmt::{Result, Write};

use brickproof_boards::BoardProfile;

use crate::findings::{AreaFinding, Findings, FirmwareFinding};

/// The findings in words, ending with a line break.
pub fn tell(board: &BoardProfile, findings: &Findings) -> String {
    let mut text = String::new();
    // Writing to a `String` cannot fail.
    let _ = write_all(&mut text, board, findings);
    text
}

fn write_all(text: &mut String, board: &BoardProfile, findings: &Findings) -> Result {
    let id = findings.identity.as_ref().map_or(String::new(), |id| format!(" {id}"));
    writeln!(text, "{}{id}, {}", findings.board, findings.how)?;
    let firmware = findings.firmware.as_ref().map_or("not read".to_owned(), told_firmware);
    writeln!(text, "\nfirmware: {firmware}")?;
    for register in &findings.registers {
        let value = register.value.map_or("-".to_owned(), |value| format!("{value:#010x}"));
        writeln!(text, "{} {value}: {} [{}]", register.name, register.says, register.source)?;
    }
    if findings.registers.is_empty() {
        writeln!(text, "of the registers of a {} nothing is known here", board.mcu)?;
    }
    if let Some(address) = findings.moved {
        writeln!(
            text,
            "\nTHE FLASH CHANGED WHILE IT WAS READ, from {address:#010x} on: the board ran. Read it held in reset, or halt it first."
        )?;
    }
    write_keys(text, board, findings)
}

fn told_firmware(firmware: &FirmwareFinding) -> String {
    let FirmwareFinding { name, length, sha256, beyond } = firmware;
    let what = match (name, length) {
        (_, 0) => return "none, all of it is erased".to_owned(),
        (Some(name), _) => name.as_str(),
        (None, _) => "unknown",
    };
    let beyond = match beyond {
        Some(address) => format!(", and something else from {address:#010x} on"),
        None => String::new(),
    };
    format!("{what}, {length} bytes, SHA-256 {sha256}{beyond}")
}

fn write_keys(text: &mut String, board: &BoardProfile, findings: &Findings) -> Result {
    for (area, letter) in findings.areas.iter().zip('a'..) {
        match area.address {
            Some(address) => writeln!(text, "\nkey area {letter} at {address:#010x}{}", told_area(area))?,
            None => writeln!(text, "\nkeys behind the bootloader's alternate `{}`", through(board))?,
        }
        if area.blank {
            writeln!(text, "  all of it is erased")?;
            continue;
        }
        for slot in &area.slots {
            writeln!(text, "  {:15} {}", slot.slot.name(), slot.state)?;
        }
    }
    if !findings.areas.is_empty() {
        return Ok(());
    }
    if board.keys.is_none() {
        return writeln!(text, "\nno keys: the profile names none");
    }
    writeln!(
        text,
        "\nkeys: behind the bootloader's alternate `{}`, in whichever page or file counts; by address only whole ones are found",
        through(board)
    )?;
    for stray in &findings.strays {
        writeln!(text, "  {:#010x} {:15} {}", stray.address, stray.slot.name(), stray.state)?;
    }
    if findings.strays.is_empty() {
        writeln!(text, "  no whole key lies in the flash that was read")?;
    }
    Ok(())
}

fn through(board: &BoardProfile) -> &str {
    board.keys.as_ref().and_then(|keys| keys.through.as_deref()).unwrap_or_default()
}

fn told_area(area: &AreaFinding) -> String {
    let copy = area.copy.map_or(String::new(), |copy| format!(", copy: {copy}"));
    let counts = if area.counts { ", the one that counts" } else { "" };
    format!("{copy}{counts}")
}
