//! What a driver's settings say together, and the ranges of single ones.
//!
//! Boundary: one instrument. What its station or another one has to do with it is for [`super::station`], [`super::lines`] and
//! [`super::places`].

use std::net::IpAddr;
use std::ops::RangeInclusive;

use brickproof_instruments::{Kind, usb_id};
use brickproof_units::Span;
use brickproof_yaml::decode::Decoder;
use brickproof_yaml::{Mistake, MistakeKind, Place, suggest};

use super::station::Fitted;

/// The word of the virtual board's instruments, which have no settings and no factory.
pub(super) const VIRTUAL: &str = "virtual";

/// What the virtual board has.
pub(super) const VIRTUAL_KINDS: [Kind; 5] = [Kind::Lines, Kind::Console, Kind::Supply, Kind::Light, Kind::Probe];

/// Addresses that a device on an I2C bus can have; the others are reserved by the bus.
const I2C_ADDRESSES: RangeInclusive<u64> = 0x08..=0x77;
const MULTIPLEXERS: RangeInclusive<u64> = 0x70..=0x77;
const CHANNELS: RangeInclusive<u64> = 0..=7;
/// Of USB, where they are a byte.
const HUB_PORTS: RangeInclusive<u64> = 1..=255;
const INTERFACES: RangeInclusive<u64> = 0..=255;
/// More than 255 channels probe-rs takes for a block that is none.
const RINGS: RangeInclusive<u64> = 0..=254;
/// A frame of full-speed USB; rarer than once a second is no console.
const POLLS: RangeInclusive<Span> = Span::millis(1)..=Span::secs(1);
const LONGEST_WINDOW: Span = Span::secs(1);
const MEASURES: [&str; 2] = ["voltage", "current"];

/// Reports what a driver would refuse when it is opened.
pub(super) fn check(decoder: &mut Decoder<'_>, fitted: &Fitted) {
    match (fitted.kind, fitted.word) {
        (Kind::Console, "serial") => serial(decoder, fitted),
        (Kind::Console, "rfc2217") => tcp_address(decoder, fitted),
        (Kind::Console, "rtt") => rtt(decoder, fitted),
        (Kind::Console, "defmt") => ring(decoder, fitted),
        (Kind::Supply, "load-switch") => load_switch(decoder, fitted),
        (Kind::Supply, "hub-port") => number_in(decoder, fitted, "port", "a port of a hub", HUB_PORTS),
        (Kind::Supply, "ppk2") => window(decoder, fitted),
        (Kind::Supply, "command") => measures(decoder, fitted),
        (Kind::Light, "tcs3472") => light(decoder, fitted),
        (Kind::Probe, "probe-rs") => usb(decoder, fitted),
        (Kind::Dfu, "dfuse") => {
            usb(decoder, fitted);
            number_in(decoder, fitted, "application", "an address of the chip", 0..=u64::from(u32::MAX));
        }
        (Kind::Firewall, "nftables") => ip_address(decoder, fitted),
        _ => {}
    }
    if let Some((key, failure)) = fitted.factory.and_then(|factory| factory.mistake(&fitted.settings))
        && let Some(place) = fitted.value_place(key)
    {
        let wrong = Mistake::new(MistakeKind::BadFirmware, place, failure.to_string());
        decoder.report(wrong.help("a relative path begins at the folder of this file"));
    }
}

fn rtt(decoder: &mut Decoder<'_>, fitted: &Fitted) {
    ring(decoder, fitted);
    number_in(decoder, fitted, "down", "a channel of RTT", RINGS);
    number_in(decoder, fitted, "address", "an address of the chip", 0..=u64::from(u32::MAX));
    if let (Some(elf), Some(address)) = (fitted.key_place("elf"), fitted.key_place("address")) {
        let second = Mistake::new(MistakeKind::Misplaced, address, "the control block of RTT is at two places");
        let second = second.label("and here").elsewhere(elf, "one place here");
        decoder.report(second.help("keep one of `elf` and `address`"));
    }
}

fn ring(decoder: &mut Decoder<'_>, fitted: &Fitted) {
    number_in(decoder, fitted, "channel", "a channel of RTT", RINGS);
    let (Some(poll), Some(place)) = (fitted.settings.span("poll"), fitted.value_place("poll")) else { return };
    if !POLLS.contains(&poll) {
        let wrong = Mistake::new(MistakeKind::ImpossibleTiming, place, format!("no ring is looked at every {poll}"));
        decoder.report(wrong.help(format!("it is looked at every {} to {}", POLLS.start(), POLLS.end())));
    }
}

fn serial(decoder: &mut Decoder<'_>, fitted: &Fitted) {
    usb(decoder, fitted);
    number_in(decoder, fitted, "interface", "an interface of a USB device", INTERFACES);
    let mut given: Vec<Place> = ["path", "usb", "hub_port"].iter().filter_map(|key| fitted.key_place(key)).collect();
    given.sort();
    match given.as_slice() {
        [] => {
            let missing =
                Mistake::new(MistakeKind::MissingKey, fitted.place, "the console does not say which port it is");
            decoder.report(missing.help("add one of `path`, `usb` and `hub_port`"));
        }
        [_] => {
            goes_with(decoder, fitted, "serial", &["usb"]);
            goes_with(decoder, fitted, "interface", &["usb", "hub_port"]);
        }
        [first, others @ ..] => {
            for other in others {
                let second = Mistake::new(MistakeKind::Misplaced, *other, "the console is at two places");
                let second = second.label("and here").elsewhere(*first, "one place here");
                decoder.report(second.help("keep one of `path`, `usb` and `hub_port`"));
            }
        }
    }
}

/// Reports `key` where it means nothing because none of `others` is there.
fn goes_with(decoder: &mut Decoder<'_>, fitted: &Fitted, key: &str, others: &[&str]) {
    let Some(place) = fitted.key_place(key) else { return };
    if others.iter().any(|other| fitted.key_place(other).is_some()) {
        return;
    }
    let others = others.iter().map(|other| format!("`{other}`")).collect::<Vec<_>>().join(" or ");
    let alone = Mistake::new(MistakeKind::Misplaced, place, format!("`{key}` means nothing without {others}"));
    decoder.report(alone.help(format!("add {others}, or remove it")));
}

/// Reports that `key` is missing beside `other`.
fn needs(decoder: &mut Decoder<'_>, fitted: &Fitted, other: &str, key: &str) {
    if let (Some(place), None) = (fitted.key_place(other), fitted.key_place(key)) {
        let missing = Mistake::new(MistakeKind::MissingKey, place, format!("`{other}` needs `{key}`"));
        decoder.report(missing.help(format!("add `{key}:`")));
    }
}

fn number_in(decoder: &mut Decoder<'_>, fitted: &Fitted, key: &str, what: &str, range: RangeInclusive<u64>) {
    let (Some(number), Some(place)) = (fitted.settings.number(key), fitted.value_place(key)) else { return };
    if range.contains(&number) {
        return;
    }
    let shown = |number: u64| if *range.start() >= 8 { format!("{number:#x}") } else { number.to_string() };
    let wrong = Mistake::new(MistakeKind::BeyondLimits, place, format!("{} is not {what}", shown(number)));
    decoder.report(wrong.help(format!("write a number from {} to {}", shown(*range.start()), shown(*range.end()))));
}

fn usb(decoder: &mut Decoder<'_>, fitted: &Fitted) {
    let (Some(id), Some(place)) = (fitted.settings.text("usb"), fitted.value_place("usb")) else { return };
    if usb_id::parse(id).is_none() {
        let wrong = Mistake::new(MistakeKind::UnknownValue, place, format!("`{id}` is not a USB id"));
        decoder.report(wrong.help("write vendor and product in hexadecimal, as `lsusb` does: \"2b04:c006\""));
    }
}

fn tcp_address(decoder: &mut Decoder<'_>, fitted: &Fitted) {
    let (Some(text), Some(place)) = (fitted.settings.text("address"), fitted.value_place("address")) else { return };
    let port = text.rsplit_once(':').filter(|(host, _)| !host.is_empty()).map(|(_, port)| port.parse::<u16>());
    if !matches!(port, Some(Ok(1..))) {
        let wrong = Mistake::new(MistakeKind::UnknownValue, place, format!("`{text}` is not a host with a TCP port"));
        decoder.report(wrong.help("write both, as in `rack3.lab:4001`"));
    }
}

fn ip_address(decoder: &mut Decoder<'_>, fitted: &Fitted) {
    let (Some(text), Some(place)) = (fitted.settings.text("address"), fitted.value_place("address")) else { return };
    if text.parse::<IpAddr>().is_err() {
        let wrong = Mistake::new(MistakeKind::UnknownValue, place, format!("`{text}` is not an IP address"));
        decoder.report(wrong.help("write the board's address, as in `10.42.0.17`"));
    }
}

fn load_switch(decoder: &mut Decoder<'_>, fitted: &Fitted) {
    needs(decoder, fitted, "monitor", "bus");
    goes_with(decoder, fitted, "dead_time", &["crowbar"]);
    number_in(decoder, fitted, "address", "an address on an I2C bus", I2C_ADDRESSES);
    if let (Some(bus), Some(place)) = (fitted.settings.text("bus"), fitted.value_place("bus"))
        && !bus.starts_with('/')
    {
        let wrong = Mistake::new(MistakeKind::UnknownValue, place, format!("`{bus}` is not the path of a bus"));
        decoder.report(wrong.help("a monitor's bus is given by its path, as in `/dev/i2c-1`"));
    }
}

fn window(decoder: &mut Decoder<'_>, fitted: &Fitted) {
    let (Some(window), Some(place)) = (fitted.settings.span("window"), fitted.value_place("window")) else { return };
    if window == Span::ZERO || window > LONGEST_WINDOW {
        let message = format!("no current is averaged over {window}");
        let wrong = Mistake::new(MistakeKind::ImpossibleTiming, place, message);
        decoder.report(wrong.help(format!("a window is longer than nothing and at most {LONGEST_WINDOW}")));
    }
}

fn measures(decoder: &mut Decoder<'_>, fitted: &Fitted) {
    for (what, place) in fitted.parts("measures") {
        if !MEASURES.contains(&what.as_str()) {
            let message = format!("`{what}` is not what a supply measures");
            let unknown = Mistake::new(MistakeKind::UnknownValue, *place, message);
            decoder.report(unknown.help(suggest::help("it measures", what, MEASURES.into_iter())));
        }
    }
}

fn light(decoder: &mut Decoder<'_>, fitted: &Fitted) {
    number_in(decoder, fitted, "mux", "the address of a multiplexer", MULTIPLEXERS);
    number_in(decoder, fitted, "channel", "a channel of a multiplexer", CHANNELS);
    needs(decoder, fitted, "mux", "channel");
    goes_with(decoder, fitted, "channel", &["mux"]);
}
