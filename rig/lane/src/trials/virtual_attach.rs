//! `brickproof virtual attach` in this guest: the devices of a whole station come, are found, and go; the board's own USB with its power.
//!
//! Boundary: coming and going. A processor emulated in an emulated guest keeps no pace, so nothing is asked of the board in time.

use std::io::{BufRead, BufReader};
use std::process::{Command, Stdio};
use std::time::Duration;

use brickproof_instruments::Drive;
use libtest_mimic::Trial;

use super::bench::{brickproof, run};
use super::trial;
use super::virtual_station::{drive, lines, serial_numbers, serial_port};
use crate::{Mishap, eventually, note, same};

const PATIENCE: Duration = Duration::from_secs(60);
/// No other station of the lane is called so.
const SERIAL: &str = "VB0007";

pub(super) fn all() -> Vec<Trial> {
    vec![
        trial("virtual_attach::the_station_comes_is_found_and_goes", come_and_go),
        trial("virtual_attach::the_boards_own_usb_comes_and_goes_with_its_power", own_usb_comes_and_goes),
    ]
}

fn count() -> usize {
    serial_numbers().iter().filter(|number| *number == SERIAL).count()
}

fn come_and_go() -> Result<(), Mishap> {
    attached("lantern-nrf51", |names| {
        eventually("all of its devices", PATIENCE, || (count() == names).then_some(()))?;
        eventually("the port of its console", PATIENCE, || serial_port("c006"))?;
        note(&format!("{names} devices are there"));
        let found = run(&["bench", "discover", "--board", "lantern-nrf51"])?;
        found.note();
        found.ended_with(0)?;
        found.says("2b04:c006")?;
        found.says("1209:0002")?;
        found.says(SERIAL)
    })
}

fn own_usb_comes_and_goes() -> Result<(), Mishap> {
    attached("lantern-nrf52840", |names| {
        eventually("all of its devices", PATIENCE, || (count() == names).then_some(()))?;
        let is_there = || serial_port("0005").is_some();
        same("the board itself, without power", is_there(), false)?;
        {
            let lines = lines()?;
            drive(&lines, "power", Drive::Asserted)?;
            eventually("the board's own port", PATIENCE, || is_there().then_some(()))?;
            drive(&lines, "power", Drive::Released)?;
            eventually("it has gone", PATIENCE, || (!is_there()).then_some(()))?;
            drive(&lines, "power", Drive::Asserted)?;
            eventually("it is back", PATIENCE, || is_there().then_some(()))?;
        }
        Ok(())
    })?;
    eventually("it has gone with the rest", PATIENCE, || serial_port("0005").is_none().then_some(()))
}

/// Has the command plug in a station, and does something while it is there.
fn attached(board: &str, act: impl FnOnce(usize) -> Result<(), Mishap>) -> Result<(), Mishap> {
    let mut child =
        brickproof(&["virtual", "attach", "--board", board, "--serial", SERIAL]).stdout(Stdio::piped()).spawn()?;
    let printed = &mut BufReader::new(child.stdout.take().ok_or("it prints nowhere")?);
    let seen = plugged_in(printed).and_then(act);
    // By its number, and whatever was seen: the next test needs the ports.
    let told = Command::new("kill").args(["-INT", &child.id().to_string()]).status()?;
    let status = child.wait()?;
    seen?;
    same("it was told to end", told.success(), true)?;
    same("its status after SIGINT", status.code(), Some(130))?;
    // The ports are free by then; the kernel takes the devices off its list in its own time.
    eventually("no device is left", PATIENCE, || (count() == 0).then_some(()))
}

/// How many devices it says that it has plugged in.
fn plugged_in(printed: &mut impl BufRead) -> Result<usize, Mishap> {
    let mut names = None;
    while names.is_none() {
        let mut line = String::new();
        if printed.read_line(&mut line)? == 0 {
            return Err("it ended before anything was plugged in".into());
        }
        note(line.trim_end());
        names = line.strip_prefix("plugged in ").map(|names| names.split(',').count());
    }
    Ok(names.unwrap_or_default())
}
