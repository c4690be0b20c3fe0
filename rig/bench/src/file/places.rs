//! Two instruments at one place: in one station or in two, only one of them can have it.
//!
//! Boundary: places as they are written. That two spellings mean one device (a path and the link to it) is found by who opens them.

use std::fmt;

use brickproof_instruments::{Kind, LinePlace};
use brickproof_yaml::decode::Decoder;
use brickproof_yaml::{Mistake, MistakeKind, Place};

use super::station::{Draft, Fitted};

/// What only one instrument can have.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Spot {
    /// A line of a chip by its number, or by the kernel's name.
    Line { chip: Option<String>, at: String },
    /// A pin of the Raspberry Pi that this computer is, by its BCM number.
    Pin(u8),
    /// A port, a host with a port, or one output of the supply behind either.
    Port { at: String, output: Option<u64> },
    /// The serial port of a USB device. What is not said may be any.
    UsbPort { id: String, serial: Option<String>, interface: Option<u64> },
    /// The serial port of what is plugged in there.
    PluggedPort { hub_port: String, interface: Option<u64> },
    /// A colour sensor; all of them have one address.
    Sensor { bus: String, behind: Option<(u64, Option<u64>)> },
    /// What measures behind a load switch.
    Monitor { bus: String, address: u64 },
    /// The power of a port of a hub. A USB 3 hub is two hubs.
    HubPort { hub: String, companion: Option<String>, port: u64 },
    /// A debug probe. Without a serial number the first one is taken.
    Probe { id: String, serial: Option<String> },
}

impl Spot {
    fn is_also(&self, other: &Self) -> bool {
        fn may_be<T: PartialEq>(a: &Option<T>, b: &Option<T>) -> bool {
            a.is_none() || b.is_none() || a == b
        }
        match (self, other) {
            (Self::Port { at: a, output: one }, Self::Port { at: b, output: two }) => a == b && may_be(one, two),
            (
                Self::UsbPort { id: a, serial: one, interface: from },
                Self::UsbPort { id: b, serial: two, interface: to },
            ) => a == b && may_be(one, two) && may_be(from, to),
            (Self::PluggedPort { hub_port: a, interface: from }, Self::PluggedPort { hub_port: b, interface: to }) => {
                a == b && may_be(from, to)
            }
            (
                Self::HubPort { hub: a, companion: one, port: from },
                Self::HubPort { hub: b, companion: two, port: to },
            ) => from == to && same_hub((a, one), (b, two)),
            (Self::Pin(pin), Self::Line { chip: Some(chip), at })
            | (Self::Line { chip: Some(chip), at }, Self::Pin(pin)) => {
                PI_CHIPS.contains(&chip.as_str()) && *at == pin.to_string()
            }
            (Self::Probe { id: a, serial: one }, Self::Probe { id: b, serial: two }) => a == b && may_be(one, two),
            _ => self == other,
        }
    }
}

/// What the kernel calls the chip of a Raspberry Pi's pins, and it counts them as Broadcom does.
const PI_CHIPS: [&str; 3] = ["pinctrl-bcm2835", "pinctrl-bcm2711", "pinctrl-rp1"];

fn same_hub(a: (&String, &Option<String>), b: (&String, &Option<String>)) -> bool {
    let halves = |(hub, companion): (&String, &Option<String>)| [Some(hub.clone()), companion.clone()];
    halves(a).iter().flatten().any(|half| halves(b).iter().flatten().any(|other| other == half))
}

impl fmt::Display for Spot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let serial =
            |serial: &Option<String>| serial.as_ref().map_or(String::new(), |it| format!(" with serial number {it}"));
        match self {
            Self::Line { chip: Some(chip), at } => write!(f, "line {at} of {chip}"),
            Self::Line { chip: None, at } => write!(f, "the line {at}"),
            Self::Pin(pin) => write!(f, "GPIO{pin}"),
            Self::Port { at, output: Some(output) } => write!(f, "output {output} of {at}"),
            Self::Port { at, output: None } => f.write_str(at),
            Self::UsbPort { id, serial: number, .. } => write!(f, "the port of {id}{}", serial(number)),
            Self::PluggedPort { hub_port, .. } => write!(f, "the port of what is plugged in at {hub_port}"),
            Self::Sensor { bus, behind: Some((mux, Some(channel))) } => {
                write!(f, "the sensor on channel {channel} of the multiplexer {mux:#x} on {bus}")
            }
            Self::Sensor { bus, .. } => write!(f, "the sensor on {bus}"),
            Self::Monitor { bus, address } => write!(f, "the monitor {address:#x} on {bus}"),
            Self::HubPort { hub, port, .. } => write!(f, "port {port} of the hub {hub}"),
            Self::Probe { id, serial: number } => write!(f, "the probe {id}{}", serial(number)),
        }
    }
}

/// A spot, who has it, and where the file says so.
struct Taken<'d> {
    station: &'d str,
    fitted: &'d Fitted,
    spot: Spot,
    place: Place,
}

pub(super) fn check(decoder: &mut Decoder<'_>, drafts: &[Draft]) {
    same_board(decoder, drafts);
    let mut taken: Vec<Taken<'_>> = Vec::new();
    for draft in drafts {
        for fitted in draft.fitted.iter().filter(|fitted| fitted.is_real()) {
            for (spot, place) in spots(fitted) {
                taken.push(Taken { station: &draft.called, fitted, spot, place });
            }
        }
    }
    for (index, here) in taken.iter().enumerate() {
        if let Some(first) = taken[..index].iter().find(|first| first.spot.is_also(&here.spot)) {
            at_one_place(decoder, first, here);
        } else {
            at_one_address(decoder, &taken, here);
            powered_together(decoder, &taken, here);
        }
    }
}

fn same_board(decoder: &mut Decoder<'_>, drafts: &[Draft]) {
    for (index, draft) in drafts.iter().enumerate() {
        let Some((serial, place)) = &draft.serial else { continue };
        let has_it = |first: &&Draft| first.serial.as_ref().is_some_and(|(other, _)| other == serial);
        let Some(first) = drafts[..index].iter().find(has_it) else { continue };
        let message = format!("the board of `{}` is the board of `{}` too", draft.called, first.called);
        let twice = Mistake::new(MistakeKind::DuplicateValue, *place, message).label("again");
        let twice = first.serial.iter().fold(twice, |twice, (_, at)| twice.elsewhere(*at, "first here"));
        decoder.report(twice.help("every chip has a unique id of its own"));
    }
}

fn at_one_place(decoder: &mut Decoder<'_>, first: &Taken<'_>, here: &Taken<'_>) {
    let message = format!("{} belongs to the {} of `{}` already", here.spot, first.fitted.kind, first.station);
    let twice = Mistake::new(MistakeKind::DuplicateValue, here.place, message);
    decoder.report(twice.label("again").elsewhere(first.place, "first here").help("one place has one instrument"));
}

/// A sensor that is on the bus itself answers whichever channel of a multiplexer is open.
fn at_one_address(decoder: &mut Decoder<'_>, taken: &[Taken<'_>], here: &Taken<'_>) {
    let Spot::Sensor { bus, behind: None } = &here.spot else { return };
    let is_behind =
        |other: &&Taken<'_>| matches!(&other.spot, Spot::Sensor { bus: same, behind: Some(_) } if same == bus);
    let Some(behind) = taken.iter().find(is_behind) else { return };
    let message = format!("the sensor of `{}` has the address of those behind a multiplexer on {bus}", here.station);
    let clash = Mistake::new(MistakeKind::DuplicateValue, here.place, message);
    let clash = clash.label("on the bus itself").elsewhere(behind.place, "behind a multiplexer");
    decoder.report(
        clash.help("all these sensors have the address 0x29: put it behind a multiplexer too, or on a bus of its own"),
    );
}

fn powered_together(decoder: &mut Decoder<'_>, taken: &[Taken<'_>], here: &Taken<'_>) {
    let Spot::HubPort { hub, companion, .. } = &here.spot else { return };
    if here.fitted.settings.text("ganged") != Some("allowed") {
        return;
    }
    let shares = |other: &&Taken<'_>| match &other.spot {
        Spot::HubPort { hub: other_hub, companion: half, .. } => {
            other.station != here.station && same_hub((hub, companion), (other_hub, half))
        }
        _ => false,
    };
    let Some(other) = taken.iter().find(shares) else { return };
    let message = format!("the hub {hub} switches all its ports together, and `{}` has one of them", other.station);
    let place = here.fitted.value_place("ganged").unwrap_or(here.place);
    let ganged = Mistake::new(MistakeKind::Misplaced, place, message);
    let ganged = ganged.label("its ports are switched together").elsewhere(other.place, "one of them");
    decoder.report(ganged.help("give each station a hub of its own, or a hub that switches ports one by one"));
}

/// What an instrument takes, and where the file says so.
fn spots(fitted: &Fitted) -> Vec<(Spot, Place)> {
    let one = |spot: Option<Spot>, key: &str| {
        spot.map(|spot| (spot, fitted.value_place(key).unwrap_or(fitted.place))).into_iter().collect()
    };
    let settings = &fitted.settings;
    let text = |key: &str| settings.text(key).map(str::to_owned);
    let id = || text("usb").map(|id| id.to_ascii_lowercase());
    match (fitted.kind, fitted.word) {
        (Kind::Lines, "gpiocdev" | "rppal") => lines(fitted),
        (Kind::Console, "serial") => console(fitted),
        (Kind::Console, "rfc2217") => one(text("address").map(|at| Spot::Port { at, output: None }), "address"),
        (Kind::Supply, "ppk2") => one(text("at").map(|at| Spot::Port { at, output: None }), "at"),
        (Kind::Supply, "scpi") => {
            // Without a channel the only output is meant, or the first.
            let output = Some(settings.number("channel").unwrap_or(1));
            one(text("at").map(|at| Spot::Port { at, output }), "at")
        }
        (Kind::Supply, "load-switch") => {
            let address = settings.number("address").unwrap_or(0x40);
            let bus = settings.text("monitor").and_then(|_| text("bus"));
            let key = if fitted.value_place("address").is_some() { "address" } else { "bus" };
            one(bus.map(|bus| Spot::Monitor { bus, address }), key)
        }
        (Kind::Supply, "hub-port") => {
            let spot = text("hub").zip(settings.number("port"));
            one(spot.map(|(hub, port)| Spot::HubPort { hub, companion: text("companion"), port }), "port")
        }
        (Kind::Light, "tcs3472") => {
            let behind = settings.number("mux").map(|mux| (mux, settings.number("channel")));
            // A wrong multiplexer is none that could be compared.
            let is_known = fitted.value_place("mux").is_none() || behind.is_some_and(|(_, channel)| channel.is_some());
            let key = if fitted.value_place("channel").is_some() { "channel" } else { "bus" };
            one(text("bus").filter(|_| is_known).map(|bus| Spot::Sensor { bus, behind }), key)
        }
        (Kind::Probe, "probe-rs") => {
            let key = if fitted.value_place("serial").is_some() { "serial" } else { "usb" };
            one(id().map(|id| Spot::Probe { id, serial: text("serial") }), key)
        }
        _ => Vec::new(),
    }
}

fn lines(fitted: &Fitted) -> Vec<(Spot, Place)> {
    let chip = fitted.settings.text("chip");
    let mut spots = Vec::new();
    for key in ["drive", "watch"] {
        let texts = fitted.settings.lines(key);
        for (name, place) in fitted.parts(key) {
            let Some(Ok(line)) = texts.get(name).map(|text| text.parse::<LinePlace>()) else { continue };
            if fitted.word == "rppal" {
                // What is no pin has been told.
                spots.extend(line.at.parse().ok().map(|pin| (Spot::Pin(pin), *place)));
                continue;
            }
            let offset = line.at.parse::<u32>().ok();
            match (offset, chip) {
                // Which chip's is not known, and has been told.
                (Some(_), None) => {}
                (Some(offset), Some(chip)) => {
                    spots.push((Spot::Line { chip: Some(chip.to_owned()), at: offset.to_string() }, *place));
                }
                (None, _) => spots.push((Spot::Line { chip: None, at: line.at }, *place)),
            }
        }
    }
    // In the order of the file, so that "first" is what comes first there.
    spots.sort_by_key(|(_, place)| *place);
    spots
}

fn console(fitted: &Fitted) -> Vec<(Spot, Place)> {
    let text = |key: &str| fitted.settings.text(key).map(str::to_owned);
    let interface = fitted.settings.number("interface");
    let at = |key: &str| fitted.value_place(key).unwrap_or(fitted.place);
    match (text("path"), text("usb"), text("hub_port")) {
        (Some(path), None, None) => vec![(Spot::Port { at: path, output: None }, at("path"))],
        (None, Some(id), None) => {
            let key = if fitted.value_place("serial").is_some() { "serial" } else { "usb" };
            vec![(Spot::UsbPort { id: id.to_ascii_lowercase(), serial: text("serial"), interface }, at(key))]
        }
        (None, None, Some(hub_port)) => vec![(Spot::PluggedPort { hub_port, interface }, at("hub_port"))],
        _ => Vec::new(),
    }
}
