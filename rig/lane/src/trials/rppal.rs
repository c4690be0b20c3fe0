//! The drivers `rppal` and `gpiocdev` on the pins of an emulated Raspberry Pi 3: what one did is looked at the other way. QEMU's model of the
//! chip drives no input and raises no interrupt, so no edge is seen here.

use std::collections::BTreeMap;

use brickproof_instruments::{
    Deadline, Drive, Failure, FailureKind, Instrument, Kind, LineState, Lines, Moment, Settings, Value, now,
};
use brickproof_paced::line::Level;
use brickproof_units::Span;
use libtest_mimic::Trial;

use super::{open, soon, trial};
use crate::pads::{CHIP, Pad, by_kernel, by_registers};
use crate::{Mishap, note, same};

pub(super) fn all() -> Vec<Trial> {
    vec![
        trial("gpiocdev::drives_a_pad_both_ways", gpiocdev_drives_a_pad_both_ways),
        trial("gpiocdev::open_drain_lets_the_pad_go", gpiocdev_open_drain_lets_the_pad_go),
        trial("rppal::drives_a_pad_both_ways", rppal_drives_a_pad_both_ways),
        trial("rppal::open_drain_lets_the_pad_go", rppal_open_drain_lets_the_pad_go),
        trial("rppal::opening_releases_and_making_safe_does_too", opening_releases_and_making_safe_does_too),
        trial("rppal::what_it_let_go_of_is_let_go", what_it_let_go_of_is_let_go),
        trial("rppal::neither_driver_takes_what_the_other_holds", neither_driver_takes_what_the_other_holds),
        trial(
            "rppal::waiting_for_an_edge_ends_and_keeps_nobody_from_driving",
            waiting_ends_and_keeps_nobody_from_driving,
        ),
        trial("rppal::a_pin_that_the_chip_has_not_is_missing", a_pin_that_the_chip_has_not_is_missing),
    ]
}

fn lines(driver: &str, drive: &[(&str, &str)], watch: &[(&str, &str)]) -> Result<Box<dyn Lines>, Failure> {
    let map = |lines: &[(&str, &str)]| -> BTreeMap<String, String> {
        lines.iter().map(|(name, place)| ((*name).to_owned(), (*place).to_owned())).collect()
    };
    let settings = Settings::new()
        .with("chip", Value::Text(CHIP.to_owned()))
        .with("drive", Value::LineMap(map(drive)))
        .with("watch", Value::LineMap(map(watch)));
    match open(Kind::Lines, driver, &settings)? {
        Instrument::Lines(lines) => Ok(lines),
        _ => unreachable!("the factory of lines opens lines"),
    }
}

/// Drives and compares; the moment must lie within the call.
fn drive(lines: &mut dyn Lines, line: &str, drive: Drive) -> Result<(), Mishap> {
    let before = now();
    let Moment { at, .. } = lines.drive(line, drive, soon())?;
    same("the moment lies in the call", (before..=now()).contains(&at), true)
}

fn gpiocdev_drives_a_pad_both_ways() -> Result<(), Mishap> {
    let mut lines = lines("gpiocdev", &[("power", "18 push-pull active-high")], &[])?;
    for (asked, level) in [(Drive::Asserted, Level::High), (Drive::Released, Level::Low)] {
        drive(&mut *lines, "power", asked)?;
        same("GPLEV", by_registers(18)?, Pad::Output(level))?;
    }
    Ok(())
}

fn gpiocdev_open_drain_lets_the_pad_go() -> Result<(), Mishap> {
    let mut lines = lines("gpiocdev", &[("reset", "17")], &[])?;
    for (asked, pad) in [(Drive::Asserted, Pad::Output(Level::Low)), (Drive::Released, Pad::Input)] {
        drive(&mut *lines, "reset", asked)?;
        same("GPFSEL and GPLEV", by_registers(17)?, pad)?;
    }
    Ok(())
}

fn rppal_drives_a_pad_both_ways() -> Result<(), Mishap> {
    let mut lines = lines("rppal", &[("power", "18 push-pull active-high"), ("low", "19 push-pull")], &[])?;
    same("released is high where low is active", by_kernel(19)?, Pad::Output(Level::High))?;
    for (asked, [power, low], state) in [
        (Drive::Asserted, [Level::High, Level::Low], LineState::Active),
        (Drive::Released, [Level::Low, Level::High], LineState::Inactive),
    ] {
        for (line, pin, level) in [("power", 18, power), ("low", 19, low)] {
            drive(&mut *lines, line, asked)?;
            same("the kernel sees it", by_kernel(pin)?, Pad::Output(level))?;
            same("and it is read back", lines.read(line, soon())?, state)?;
        }
    }
    Ok(())
}

fn rppal_open_drain_lets_the_pad_go() -> Result<(), Mishap> {
    let mut lines = lines("rppal", &[("reset", "17")], &[])?;
    for (asked, pad) in [(Drive::Asserted, Pad::Output(Level::Low)), (Drive::Released, Pad::Input)] {
        drive(&mut *lines, "reset", asked)?;
        same("the kernel sees it", by_kernel(17)?, pad)?;
    }
    Ok(())
}

fn opening_releases_and_making_safe_does_too() -> Result<(), Mishap> {
    let mut lines = lines("rppal", &[("reset", "17"), ("mode", "27"), ("power", "18 push-pull active-high")], &[])?;
    let pads = || -> Result<[Pad; 3], Mishap> { Ok([by_kernel(17)?, by_kernel(27)?, by_kernel(18)?]) };
    let safe = [Pad::Input, Pad::Input, Pad::Output(Level::Low)];
    same("as opened", pads()?, safe)?;
    for line in ["reset", "mode", "power"] {
        drive(&mut *lines, line, Drive::Asserted)?;
    }
    same("all asserted", pads()?, [Pad::Output(Level::Low), Pad::Output(Level::Low), Pad::Output(Level::High)])?;
    lines.make_safe(soon())?;
    same("made safe", pads()?, safe)
}

/// Also what a rig that was killed left asserted: it is not brought back.
fn what_it_let_go_of_is_let_go() -> Result<(), Mishap> {
    let left_behind = || -> Result<(), Mishap> {
        let mut pin = rppal::gpio::Gpio::new()?.get(17)?.into_output_low();
        pin.set_reset_on_drop(false);
        Ok(())
    };
    left_behind()?;
    same("left behind, asserted", by_registers(17)?, Pad::Output(Level::Low))?;
    let mut first = lines("rppal", &[("reset", "17")], &[])?;
    same("opened", by_kernel(17)?, Pad::Input)?;
    drive(&mut *first, "reset", Drive::Asserted)?;
    drop(first);
    same("dropped", by_registers(17)?, Pad::Input)?;
    left_behind()?;
    drop(lines("rppal", &[("reset", "17")], &[])?);
    same("opened and dropped", by_registers(17)?, Pad::Input)
}

fn neither_driver_takes_what_the_other_holds() -> Result<(), Mishap> {
    for (first, second) in [("gpiocdev", "rppal"), ("rppal", "gpiocdev"), ("rppal", "rppal")] {
        let _held = lines(first, &[("reset", "17")], &[])?;
        let failure = lines(second, &[("reset", "17")], &[]).err().ok_or("both hold it")?;
        note(&format!("{first} holds it: {failure}"));
        same("busy", matches!(failure.kind(), FailureKind::Busy(_)), true)?;
    }
    Ok(())
}

fn waiting_ends_and_keeps_nobody_from_driving() -> Result<(), Mishap> {
    let mut lines = lines("rppal", &[("power", "18 push-pull active-high")], &[("sense", "22 active-high")])?;
    let mut edges = lines.edges()?.ok_or("a line is watched")?;
    same("one listener", matches!(lines.edges().err().map(Failure::into_kind), Some(FailureKind::Refused(_))), true)?;
    let waiting = std::thread::spawn(move || (edges.next(Deadline::after(Span::millis(300))), now()));
    drive(&mut *lines, "power", Drive::Asserted)?;
    let driven = now();
    same("a watched line is read", lines.read("sense", soon())?, LineState::Inactive)?;
    let (edge, ended) = waiting.join().map_err(|_| "the listener panicked")?;
    same("no edge", edge?, None)?;
    same("it was driven first", driven < ended, true)
}

fn a_pin_that_the_chip_has_not_is_missing() -> Result<(), Mishap> {
    let told = [
        lines("rppal", &[("reset", "54")], &[]).err().ok_or("there is no GPIO54")?,
        lines("rppal", &[], &[("sense", "54")]).err().ok_or("there is no GPIO54")?,
        lines("rppal", &[("reset", "17")], &[])?
            .drive("mode", Drive::Asserted, soon())
            .err()
            .ok_or("there is no mode")?,
    ];
    told.iter().for_each(|failure| note(&failure.to_string()));
    let are_missing = told.map(|failure| matches!(failure.kind(), FailureKind::Missing(_)));
    same("missing", are_missing, [true, true, true])
}
