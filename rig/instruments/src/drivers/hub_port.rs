//! A port of a USB hub as the switch of the board's power.
//!
//! Boundary: what the hub says of itself. Many hubs report a port as switched off whose VBUS stays on (uhubctl's README lists them), and
//! some switch their ports only together; the first is for a measurement elsewhere to find out, the second is refused here unless the
//! bench file allows it. Requests as uhubctl (2985dfc) sends them; figures of the USB 2.0 and 3.2 specifications are recalled.

mod usb;

use brickproof_units::{Current, Span, Voltage};

use crate::capability::{Capabilities, Reach, Timing};
use crate::clock::{Deadline, Moment, now};
use crate::factory::{Factory, Instrument, Kind};
use crate::failure::{Failure, FailureKind};
use crate::kinds::{Output, Reading, Supply, Switch};
use crate::settings::{Setting, SettingKind, Settings};

/// A port of a USB hub.
pub(super) struct HubPort;

const SET_FEATURE: u8 = 3;
const CLEAR_FEATURE: u8 = 1;
const GET_STATUS: u8 = 0;
const GET_DESCRIPTOR: u8 = 6;
const PORT_POWER: u16 = 8;
/// To and from a port, and from the hub itself.
const TO_PORT: u8 = 0x23;
const FROM_PORT: u8 = 0xA3;
const FROM_HUB: u8 = 0xA0;
const DESCRIPTOR: u16 = 0x29 << 8;
const DESCRIPTOR_USB3: u16 = 0x2A << 8;
/// The power bit in a port's status.
const POWERED: u16 = 1 << 8;
const POWERED_USB3: u16 = 1 << 9;

/// VBUS.
const VOLTS: Voltage = Voltage::new(5_000_000);
/// What a USB 2 port owes a configured device; recalled.
const MOST: Current = Current::new(500_000);
/// A control transfer and the hub's own switch; recalled.
const FRAME: Span = Span::millis(2);
/// As uhubctl waits for one transfer.
const TRANSFER: Span = Span::secs(5);
/// Between two looks at a port's status.
const LOOK: std::time::Duration = std::time::Duration::from_millis(2);

impl Factory for HubPort {
    fn driver(&self) -> &'static str {
        "hub-port"
    }

    fn kind(&self) -> Kind {
        Kind::Supply
    }

    fn about(&self) -> &'static str {
        "power of a USB hub's port"
    }

    fn settings(&self) -> &'static [Setting] {
        const fn setting(name: &'static str, kind: SettingKind, required: bool, about: &'static str) -> Setting {
            Setting { name, kind, required, about }
        }
        const SETTINGS: &[Setting] = &[
            setting("hub", SettingKind::Text, true, "where the kernel has it: 1-1.4, or usb1 for a root hub"),
            setting(
                "companion",
                SettingKind::Text,
                false,
                "where the kernel has the other half of a USB 3 hub, whose port must be off too before VBUS falls; none without",
            ),
            setting(
                "port",
                SettingKind::Number,
                true,
                "which port, as printed on it or as lsusb -t counts them, from 1",
            ),
            setting(
                "ganged",
                SettingKind::Word(&["refused", "allowed"]),
                false,
                "a hub that switches all its ports together: refused without",
            ),
        ];
        SETTINGS
    }

    fn capabilities(&self, _: &Settings) -> Capabilities {
        Capabilities {
            voltage: Some(Reach { least: VOLTS, most: VOLTS }),
            current: Some(MOST),
            cut: Some(Span::millis(50)),
            ..Capabilities::only(Timing {
                latency: Span::millis(10),
                uncertainty: FRAME,
                source: "recalled: two frames of USB; a hub says itself how long its power takes to be good, up to 510 ms",
            })
        }
    }

    fn open(&self, settings: &Settings, deadline: Deadline) -> Result<Instrument, Failure> {
        let places: Vec<&str> = [settings.text("hub"), settings.text("companion")].into_iter().flatten().collect();
        let port = settings.number("port").unwrap_or_default();
        let device = format!("hub-port {}:{port}", places.join("+"));
        let failed = |kind| Failure::new(&device, "open it", kind);
        let mut hubs: Vec<Box<dyn Hub>> = Vec::new();
        for place in places {
            let hub = usb::open(place).map_err(|kind| match kind {
                FailureKind::Denied(_) => failed(kind).with_help("a udev rule must let this user write to the hub"),
                _ => failed(kind),
            })?;
            hubs.push(Box::new(hub));
        }
        let supply = Port::open(device, hubs, port, settings.text("ganged") == Some("allowed"), deadline)?;
        Ok(Instrument::Supply(Box::new(supply)))
    }
}

/// The set-up of a control transfer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Request {
    kind: u8,
    number: u8,
    value: u16,
    index: u16,
}

/// A hub that takes control transfers: one behind libusb, or a model of one.
trait Hub: Send {
    /// Whether it is the SuperSpeed half of a hub.
    fn is_usb3(&self) -> bool;
    /// A transfer to the host; answers how many bytes came.
    fn read(&mut self, request: Request, buffer: &mut [u8], deadline: Deadline) -> Result<usize, FailureKind>;
    /// A transfer to the hub, without data.
    fn write(&mut self, request: Request, deadline: Deadline) -> Result<(), FailureKind>;
}

/// What a hub says of its power switches.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Description {
    ports: u8,
    switching: Switching,
    /// From switching on until the power is good.
    good_after: Span,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Switching {
    Ganged,
    Individual,
    None,
}

fn describe(hub: &mut dyn Hub, deadline: Deadline) -> Result<Description, FailureKind> {
    let value = if hub.is_usb3() { DESCRIPTOR_USB3 } else { DESCRIPTOR };
    let mut buffer = [0; 16];
    let request = Request { kind: FROM_HUB, number: GET_DESCRIPTOR, value, index: 0 };
    let read = hub.read(request, &mut buffer, deadline)?;
    match buffer.get(..read) {
        Some(&[_, _, ports, low, _, good, ..]) => Ok(Description {
            ports,
            switching: match low & 3 {
                0 => Switching::Ganged,
                1 => Switching::Individual,
                _ => Switching::None,
            },
            // In units of two milliseconds.
            good_after: Span::millis(u64::from(good) * 2),
        }),
        _ => Err(FailureKind::Answer(format!("a hub descriptor of {read} bytes"))),
    }
}

/// One half of a hub, and which of its ports are switched.
struct Half {
    hub: Box<dyn Hub>,
    ports: Vec<u8>,
}

impl Half {
    fn order(&mut self, switch: Switch, deadline: Deadline) -> Result<(), FailureKind> {
        let number = match switch {
            Switch::On => SET_FEATURE,
            Switch::Off => CLEAR_FEATURE,
        };
        self.ports.iter().try_for_each(|&port| {
            let request = Request { kind: TO_PORT, number, value: PORT_POWER, index: u16::from(port) };
            self.hub.write(request, deadline)
        })
    }

    /// The ports whose status does not say so.
    fn others(&mut self, switch: Switch, deadline: Deadline) -> Result<Vec<u8>, FailureKind> {
        let bit = if self.hub.is_usb3() { POWERED_USB3 } else { POWERED };
        let mut others = Vec::new();
        for &port in &self.ports {
            let mut status = [0; 4];
            let request = Request { kind: FROM_PORT, number: GET_STATUS, value: 0, index: u16::from(port) };
            let read = self.hub.read(request, &mut status, deadline)?;
            if read < status.len() {
                return Err(FailureKind::Answer(format!("a port status of {read} bytes")));
            }
            let powered = u16::from_le_bytes([status[0], status[1]]) & bit != 0;
            if powered != (switch == Switch::On) {
                others.push(port);
            }
        }
        Ok(others)
    }
}

struct Port {
    device: String,
    halves: Vec<Half>,
    good_after: Span,
}

impl Port {
    fn open(
        device: String,
        hubs: Vec<Box<dyn Hub>>,
        port: u64,
        ganged_allowed: bool,
        deadline: Deadline,
    ) -> Result<Self, Failure> {
        let mut supply = Self { device, halves: Vec::new(), good_after: Span::ZERO };
        for mut hub in hubs {
            let ports = describe(hub.as_mut(), deadline).and_then(|description| {
                supply.good_after = supply.good_after.max(description.good_after);
                choose(description, port, ganged_allowed)
            });
            let ports = ports.map_err(|kind| {
                let failure = Failure::new(&supply.device, "open it", kind);
                match failure.kind() {
                    FailureKind::Unsupported(_) => failure.with_help("a hub that switches each port is needed"),
                    _ => failure,
                }
            })?;
            supply.halves.push(Half { hub, ports });
        }
        supply.switch(Switch::Off, deadline)?;
        Ok(supply)
    }

    fn switch_all(&mut self, switch: Switch, deadline: Deadline) -> Result<Moment, FailureKind> {
        let before = now();
        // All of them, those after one that fails too.
        let orders: Vec<_> = self.halves.iter_mut().map(|half| half.order(switch, deadline)).collect();
        let after = now();
        orders.into_iter().collect::<Result<(), _>>()?;
        loop {
            let mut others = Vec::new();
            for half in &mut self.halves {
                others.extend(half.others(switch, deadline)?);
            }
            if others.is_empty() {
                let rise = if switch == Switch::On { self.good_after } else { Span::ZERO };
                return Ok(Moment::between(before, after).blurred(FRAME + rise));
            }
            if deadline.has_passed() {
                let kind = format!("the status of port {} says otherwise", others[0]);
                return Err(FailureKind::ReadBack(kind));
            }
            std::thread::sleep(LOOK.min(deadline.left()));
        }
    }
}

/// The ports that must be switched for this one to be.
fn choose(description: Description, port: u64, ganged_allowed: bool) -> Result<Vec<u8>, FailureKind> {
    let port = u8::try_from(port)
        .ok()
        .filter(|port| (1..=description.ports).contains(port))
        .ok_or_else(|| FailureKind::Missing(format!("it has ports 1 to {} and no port {port}", description.ports)))?;
    match description.switching {
        Switching::Individual => Ok(vec![port]),
        // A gang stays powered until its last port is switched off.
        Switching::Ganged if ganged_allowed => Ok((1..=description.ports).collect()),
        Switching::Ganged => Err(FailureKind::Unsupported(
            "this hub switches all its ports together, and `ganged: allowed` is not in the bench file".to_owned(),
        )),
        Switching::None => Err(FailureKind::Unsupported("this hub cannot switch its ports".to_owned())),
    }
}

impl Supply for Port {
    fn device(&self) -> &str {
        &self.device
    }

    fn set(&mut self, output: Output, _: Deadline) -> Result<(), Failure> {
        let kind = match output {
            Output { limit: Some(_), .. } => "a hub's current limit cannot be set".to_owned(),
            Output { voltage, .. } if voltage != VOLTS => format!("a hub gives {VOLTS} and nothing else"),
            Output { .. } => return Ok(()),
        };
        Err(Failure::new(&self.device, format!("set {}", output.voltage), FailureKind::Unsupported(kind)))
    }

    fn switch(&mut self, switch: Switch, deadline: Deadline) -> Result<Moment, Failure> {
        let asked = match switch {
            Switch::On => "switch its power on",
            Switch::Off => "switch its power off",
        };
        self.switch_all(switch, deadline).map_err(|kind| Failure::new(&self.device, asked, kind))
    }

    fn measure(&mut self, _: Deadline) -> Result<Reading, Failure> {
        let kind = FailureKind::Unsupported("a hub measures nothing".to_owned());
        Err(Failure::new(&self.device, "measure its output", kind))
    }
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};

    use super::*;

    /// A hub with four ports.
    #[derive(Clone, Debug)]
    struct Model {
        descriptor: Vec<u8>,
        usb3: bool,
        powered: [bool; 4],
        requests: Vec<Request>,
        /// Keeps its ports on and says so.
        stuck: bool,
        /// Bytes that a status has.
        status: usize,
        unplugged: bool,
    }

    #[derive(Clone)]
    struct Shared(Arc<Mutex<Model>>);

    impl Hub for Shared {
        fn is_usb3(&self) -> bool {
            self.0.lock().unwrap().usb3
        }

        fn read(&mut self, request: Request, buffer: &mut [u8], _: Deadline) -> Result<usize, FailureKind> {
            let mut hub = self.0.lock().unwrap();
            hub.requests.push(request);
            if hub.unplugged {
                return Err(FailureKind::Gone("No such device".to_owned()));
            }
            let port = usize::from(request.index);
            let bytes = match (request.kind, request.number, request.value) {
                (0xA0, 6, 0x2900) if !hub.usb3 => hub.descriptor.clone(),
                (0xA0, 6, 0x2A00) if hub.usb3 => hub.descriptor.clone(),
                (0xA3, 0, 0) if (1..=4).contains(&port) => {
                    let bit = if hub.usb3 { 0x0200_u16 } else { 0x0100 };
                    let status = if hub.powered[port - 1] { bit } else { 0 };
                    [status.to_le_bytes(), [0, 0]].concat()[..hub.status].to_vec()
                }
                _ => return Err(FailureKind::Unsupported("stall".to_owned())),
            };
            buffer[..bytes.len()].copy_from_slice(&bytes);
            Ok(bytes.len())
        }

        fn write(&mut self, request: Request, _: Deadline) -> Result<(), FailureKind> {
            let mut hub = self.0.lock().unwrap();
            hub.requests.push(request);
            if hub.unplugged {
                return Err(FailureKind::Gone("No such device".to_owned()));
            }
            match (request.kind, request.number, request.value, request.index) {
                (0x23, number @ (1 | 3), 8, port @ 1..=4) => {
                    if !hub.stuck {
                        hub.powered[usize::from(port) - 1] = number == 3;
                    }
                    Ok(())
                }
                _ => Err(FailureKind::Unsupported("stall".to_owned())),
            }
        }
    }

    fn model(characteristics: u8) -> Shared {
        let descriptor = vec![9, 0x29, 4, characteristics, 0, 50, 0, 0, 0xFF];
        Shared(Arc::new(Mutex::new(Model {
            descriptor,
            usb3: false,
            powered: [true; 4],
            requests: Vec::new(),
            stuck: false,
            status: 4,
            unplugged: false,
        })))
    }

    fn usb3() -> Shared {
        let hub = model(1);
        hub.0.lock().unwrap().usb3 = true;
        hub
    }

    fn open(hubs: &[&Shared], port: u64, ganged_allowed: bool) -> Result<Port, Failure> {
        let boxed = hubs.iter().map(|hub| Box::new((*hub).clone()) as Box<dyn Hub>).collect();
        let soon = Deadline::after(Span::millis(50));
        Port::open(format!("hub-port 1-1:{port}"), boxed, port, ganged_allowed, soon)
    }

    fn soon() -> Deadline {
        Deadline::after(Span::millis(50))
    }

    #[test]
    fn one_port_is_switched_and_its_neighbours_are_not() {
        let hub = model(1);
        let mut supply = open(&[&hub], 3, false).unwrap();
        assert_eq!(hub.0.lock().unwrap().powered, [true, true, false, true], "opened, it is in its safe state");
        let on = supply.switch(Switch::On, soon()).unwrap();
        assert!(on.uncertainty >= Span::millis(100), "the hub says that its power takes 100 ms to be good");
        assert_eq!(hub.0.lock().unwrap().powered, [true; 4]);
        let off = supply.switch(Switch::Off, soon()).unwrap();
        assert!(off.uncertainty < Span::millis(50));
    }

    #[test]
    fn both_halves_of_a_usb3_hub_are_switched() {
        let (slow, fast) = (model(1), usb3());
        let mut supply = open(&[&slow, &fast], 2, false).unwrap();
        for hub in [&slow, &fast] {
            assert_eq!(hub.0.lock().unwrap().powered, [true, false, true, true]);
        }
        supply.switch(Switch::On, soon()).unwrap();
        slow.0.lock().unwrap().unplugged = true;
        let failure = supply.switch(Switch::Off, soon()).unwrap_err();
        assert!(matches!(failure.kind(), FailureKind::Gone(_)));
        assert!(!fast.0.lock().unwrap().powered[1], "the half that is left is switched all the same");
    }

    #[test]
    fn a_gang_is_switched_as_a_whole_and_only_where_that_is_allowed() {
        let hub = model(0);
        let refused = open(&[&hub], 1, false).err().unwrap();
        assert_eq!(hub.0.lock().unwrap().powered, [true; 4]);
        open(&[&hub], 1, true).unwrap();
        assert_eq!(hub.0.lock().unwrap().powered, [false; 4]);
        let none = open(&[&model(2)], 1, true).err().unwrap();
        let no_port = open(&[&model(1)], 5, false).err().unwrap();
        insta::assert_snapshot!([refused, none, no_port].map(|failure| failure.to_string()).join("\n"), @r"
        hub-port 1-1:1 failed to open it: unsupported: this hub switches all its ports together, and `ganged: allowed` is not in the bench file
        hub-port 1-1:1 failed to open it: unsupported: this hub cannot switch its ports
        hub-port 1-1:5 failed to open it: not found: it has ports 1 to 4 and no port 5
        ");
    }

    #[test]
    fn a_port_that_stays_on_is_told() {
        let hub = model(1);
        hub.0.lock().unwrap().stuck = true;
        let failure = open(&[&hub], 1, false).err().unwrap();
        insta::assert_snapshot!(failure, @"hub-port 1-1:1 failed to switch its power off: read back differently: the status of port 1 says otherwise");
    }

    #[test]
    fn short_answers_are_no_answers() {
        let cut = model(1);
        cut.0.lock().unwrap().descriptor.truncate(4);
        let status = model(1);
        status.0.lock().unwrap().status = 3;
        for hub in [cut, status] {
            let failure = open(&[&hub], 1, false).err().unwrap();
            assert!(matches!(failure.kind(), FailureKind::Answer(_)), "{failure}");
        }
    }

    #[test]
    fn only_five_volts() {
        let mut supply = open(&[&model(1)], 1, false).unwrap();
        assert!(supply.set(Output { voltage: VOLTS, limit: None }, soon()).is_ok());
        for output in [
            Output { voltage: Voltage::new(3_300_000), limit: None },
            Output { voltage: VOLTS, limit: Some(Current::new(100_000)) },
        ] {
            assert!(matches!(supply.set(output, soon()).unwrap_err().kind(), FailureKind::Unsupported(_)));
        }
    }

    #[test]
    fn a_hub_that_is_not_there_is_missing_by_its_place() {
        let settings = Settings::new()
            .with("hub", crate::settings::Value::Text("99-1".to_owned()))
            .with("port", crate::settings::Value::Number(1));
        let failure = HubPort.open(&settings, soon()).err().unwrap();
        assert!(matches!(failure.kind(), FailureKind::Missing(_)), "{failure}");
    }
}
