//! A profile in plain words.
//!
//! Boundary: text for people.

use std::fmt::{Result, Write};

use crate::modes::{Held, Hold, Mode, Target};
use crate::profile::{BoardProfile, LogStyle};

/// The board in words, ending with a line break.
pub fn describe(board: &BoardProfile) -> String {
    let mut text = String::new();
    // Writing to a `String` cannot fail.
    let _ = write_board(&mut text, board);
    text
}

fn write_board(text: &mut String, board: &BoardProfile) -> Result {
    writeln!(text, "{}: {}", board.name, board.about)?;
    writeln!(
        text,
        "\n{} ({} to probe-rs), {} of RAM, unique id of {} at {}",
        board.mcu, board.probe, board.ram, board.identity.length, board.identity.address
    )?;
    let world = if board.virtual_chip.is_some() {
        "runs on the virtual bench, too"
    } else {
        "runs on stations only: nobody has emulated it"
    };
    writeln!(text, "{world}")?;
    write_memory(text, board)?;
    write_keys(text, board)?;
    write_supply(text, board)?;
    write_pins(text, board)?;
    write_modes(text, board)?;
    write_light(text, board)
}

fn write_memory(text: &mut String, board: &BoardProfile) -> Result {
    let through =
        board.flash_alternate().map_or(String::new(), |known| format!(", through alternate `{}`", known.name));
    writeln!(text, "\nFlash\n  {}{through}", board.flash)?;
    for part in &board.parts {
        let through = part.through.as_ref().map_or(String::new(), |name| format!(", through alternate `{name}`"));
        writeln!(text, "  {:14} {} {}{through}", part.name, part.at, part.length)?;
    }
    if board.usb.is_some() || !board.dfu.is_empty() {
        writeln!(text, "\nUSB")?;
    }
    if let Some(usb) = board.usb {
        writeln!(text, "  {} while it runs, {} in its bootloader", usb.normal, usb.dfu)?;
    }
    for alternate in &board.dfu {
        // Said of the bootloader. The rig's own client reads back what it wrote, whatever the bootloader says of itself.
        let verifies = if alternate.verifies { "verified by the bootloader" } else { "not verified by the bootloader" };
        writeln!(text, "  alternate {} `{}` from {}, {verifies}", alternate.number, alternate.name, alternate.at)?;
    }
    Ok(())
}

fn write_keys(text: &mut String, board: &BoardProfile) -> Result {
    if let Some(cloud) = &board.cloud {
        writeln!(
            text,
            "\nCloud\n  {} over {}, port {}; silence is given up after {}",
            cloud.host, cloud.transport, cloud.port, cloud.silence
        )?;
    }
    let Some(keys) = &board.keys else { return Ok(()) };
    let areas = keys.areas.iter().map(|area| format!("from {area} in memory"));
    let through = keys.through.iter().map(|name| format!("through alternate `{name}`"));
    writeln!(text, "\nKeys ({:?}), {}", keys.algorithm, areas.chain(through).collect::<Vec<_>>().join(", "))?;
    for slot in &keys.slots {
        writeln!(text, "  {:14} {} bytes at offset {}", slot.slot.name(), slot.length.0, slot.offset.0)?;
    }
    Ok(())
}

fn write_supply(text: &mut String, board: &BoardProfile) -> Result {
    writeln!(
        text,
        "\nSupply\n  takes {} to {}, at most {}",
        board.input.minimum, board.input.maximum, board.input.current_ceiling
    )?;
    for rail in &board.rails {
        writeln!(
            text,
            "  rail {}: {}, specified from {} to {}, falls no faster than {}, rises no faster than {}",
            rail.name, rail.nominal, rail.minimum, rail.maximum, rail.fastest_fall, rail.fastest_rise
        )?;
    }
    Ok(())
}

fn write_pins(text: &mut String, board: &BoardProfile) -> Result {
    let log = match board.console.log {
        LogStyle::DeviceOs => "Device OS's log",
        LogStyle::DeviceOsOld => "Device OS's log before 0.6.0",
        LogStyle::Plain => "lines of text",
    };
    writeln!(text, "\nConsole\n  {}, {log}", board.console.baud)?;
    writeln!(text, "\nPins")?;
    for led in &board.leds {
        let diodes: Vec<_> = led.diodes.iter().map(|(primary, line)| format!("{primary} {}", line.pin)).collect();
        writeln!(text, "  light {}: {}", led.name, diodes.join(", "))?;
    }
    for (what, lines) in [("line", &board.lines), ("button", &board.buttons)] {
        for line in lines {
            writeln!(text, "  {what} {}: {}", line.name, line.pin)?;
        }
    }
    Ok(())
}

fn write_modes(text: &mut String, board: &BoardProfile) -> Result {
    let Some(modes) = &board.modes else { return Ok(()) };
    writeln!(text, "\nModes")?;
    for mode in &modes.modes {
        writeln!(text, "  {:17} {}", mode.target.name(), ways(mode).join("; or "))?;
    }
    Ok(())
}

fn ways(mode: &Mode) -> Vec<String> {
    let is_entered = Target::ENTERED.contains(&mode.target);
    let hold = mode.hold.iter().map(|Hold { held, from, to, aim, .. }| {
        let when = match held {
            Held::ThroughReset => "MODE held through reset",
            Held::WhileRunning => "MODE held",
        };
        let by_the_rig = if is_entered { format!("{aim} by the rig") } else { "never by the rig".to_owned() };
        format!("{when} for {from} to {to}, {by_the_rig}")
    });
    let baud = mode.baud.iter().map(|baud| format!("USB console opened at {baud}"));
    let request = mode.request.iter().map(|request| format!("USB request {request}"));
    hold.chain(baud).chain(request).collect()
}

fn write_light(text: &mut String, board: &BoardProfile) -> Result {
    if board.light.is_empty() {
        return Ok(());
    }
    writeln!(text, "\nLight")?;
    for status in &board.light {
        let on = status.led.as_ref().map_or(String::new(), |led| format!(", on `{led}`"));
        writeln!(text, "  {:20} {}{on}", status.name, status.look)?;
    }
    Ok(())
}
