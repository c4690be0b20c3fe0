//! A profile for programs.
//!
//! Boundary: one JSON object, with whatever a profile that is `like` another has from there. Sizes are in bytes; units stand in the names of the
//! fields, as in `results.json`.

use serde_json::{Map, Value, json};

use crate::keys::Keys;
use crate::led::Led;
use crate::memory::Sectors;
use crate::modes::{Held, Hold, Mode, Modes, UsbState};
use crate::ports::UsbIds;
use crate::profile::{BoardProfile, LEVELS, LOG_STYLES, Line, Rail, VIRTUAL_CHIPS};

/// All that is known of the board.
pub fn as_json(board: &BoardProfile) -> Value {
    let sectors = |it: &Sectors| json!({ "count": it.count, "size": it.size.0 });
    json!({
        "board": board.name,
        "about": board.about,
        "mcu": board.mcu,
        "probe": board.probe,
        "virtual": board.virtual_chip.is_some(),
        "virtual_chip": board.virtual_chip.map(|chip| named(&VIRTUAL_CHIPS, chip)),
        "flash": {
            "at": board.flash.at.0,
            "size": board.flash.size().0,
            "sectors": each(&board.flash.sectors, sectors),
            "through": board.flash.through,
        },
        "ram": board.ram.0,
        "parts": each(&board.parts, |it| {
            json!({ "name": it.name, "at": it.at.0, "length": it.length.0, "through": it.through })
        }),
        "identity": { "at": board.identity.address.0, "length": board.identity.length.0 },
        "usb": board.usb.map(|UsbIds { normal, dfu }| json!({ "normal": normal.to_string(), "dfu": dfu.to_string() })),
        "dfu": each(&board.dfu, |it| {
            json!({ "name": it.name, "number": it.number, "at": it.at.0, "verifies": it.verifies })
        }),
        "cloud": board.cloud.as_ref().map(|it| json!({
            "transport": it.transport.to_string(), "host": it.host, "port": it.port, "silence_ns": it.silence.as_nanos(),
        })),
        "keys": board.keys.as_ref().map(keys),
        "input": {
            "minimum_uv": board.input.minimum.get(),
            "maximum_uv": board.input.maximum.get(),
            "current_ceiling_ua": board.input.current_ceiling.get(),
        },
        "rails": each(&board.rails, rail),
        "console": { "baud": board.console.baud.get(), "log": named(&LOG_STYLES, board.console.log) },
        "leds": each(&board.leds, led),
        "lines": each(&board.lines, line),
        "buttons": each(&board.buttons, line),
        "modes": board.modes.as_ref().map(modes),
        "light": each(&board.light, |it| {
            json!({ "name": it.name, "led": it.led, "look": it.look.to_string() })
        }),
    })
}

fn each<T>(all: &[T], written: impl Fn(&T) -> Value) -> Value {
    all.iter().map(written).collect()
}

/// As files call it.
fn named<T: PartialEq>(names: &[(&'static str, T)], wanted: T) -> Option<&'static str> {
    names.iter().find(|(_, known)| *known == wanted).map(|(name, _)| *name)
}

fn keys(keys: &Keys) -> Value {
    json!({
        "algorithm": keys.algorithm.name(),
        "areas": each(&keys.areas, |area| area.0.into()),
        "through": keys.through,
        "slots": each(&keys.slots, |it| {
            json!({ "slot": it.slot.name(), "offset": it.offset.0, "length": it.length.0 })
        }),
    })
}

fn rail(rail: &Rail) -> Value {
    json!({
        "name": rail.name,
        "nominal_uv": rail.nominal.get(),
        "minimum_uv": rail.minimum.get(),
        "maximum_uv": rail.maximum.get(),
        "flash_minimum_uv": rail.flash_minimum.map(brickproof_units::Voltage::get),
        "fastest_fall_ns_per_v": rail.fastest_fall.get(),
        "fastest_rise_ns_per_v": rail.fastest_rise.get(),
    })
}

fn line(line: &Line) -> Value {
    json!({ "name": line.name, "pin": line.pin, "active": named(&LEVELS, line.active) })
}

fn led(led: &Led) -> Value {
    let diodes: Map<String, Value> =
        led.diodes.iter().map(|(primary, line)| (primary.name().to_owned(), line.pin.as_str().into())).collect();
    json!({ "name": led.name, "diodes": diodes })
}

fn modes(modes: &Modes) -> Value {
    json!({
        "reset_ns": modes.reset.as_nanos(),
        "debounce_ns": modes.debounce.as_nanos(),
        "modes": each(&modes.modes, mode),
    })
}

fn mode(mode: &Mode) -> Value {
    let hold = |Hold { held, from, to, aim, light }: &Hold| {
        let held = match held {
            Held::ThroughReset => "through_reset",
            Held::WhileRunning => "while_running",
        };
        json!({
            "held": held,
            "from_ns": from.as_nanos(),
            "to_ns": to.as_nanos(),
            "aim_ns": aim.as_nanos(),
            "light": light.map(|look| look.to_string()),
        })
    };
    let usb = mode.usb.map(|usb| match usb {
        UsbState::Normal => "normal",
        UsbState::Dfu => "dfu",
    });
    json!({
        "mode": mode.target.name(),
        "hold": mode.hold.as_ref().map(hold),
        "baud": mode.baud.map(brickproof_units::Baud::get),
        "request": mode.request,
        "light": mode.light,
        "usb": usb,
        "within_ns": mode.within.as_nanos(),
    })
}
