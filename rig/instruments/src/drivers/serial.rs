//! Serial ports of this computer: UARTs, USB adapters, boards that are a CDC-ACM device themselves.
//!
//! Boundary: one port. It is opened for itself alone, found again after the device was unplugged or enumerated anew, and read without pause.

pub(crate) mod place;
mod port;

use std::path::Path;
use std::time::Duration;

use brickproof_units::{Baud, Span};

use crate::capability::{Capabilities, Timing};
use crate::clock::{Deadline, Moment};
use crate::factory::{Factory, Instrument, Kind};
use crate::failure::{Failure, FailureKind};
use crate::kinds::Touch;
use crate::reopening::{Port as _, Reopening, Source, Touched};
use crate::settings::{Setting, SettingKind, Settings};

use place::Place;
use port::{Line, Modem, OpenPort};

/// The rate of nearly every console.
const BAUD: Baud = Baud::new(115_200);

/// How long the port stays closed after a touch. Arduino's cores reset 250 ms after a 1200-baud touch and take it back if the port is
/// opened within them (`CDC.cpp`, `initiateReset(250)`).
const SETTLE: Span = Span::millis(500);

const LINE_STATES: SettingKind = SettingKind::Word(&["asserted", "released"]);

const fn optional(name: &'static str, kind: SettingKind, about: &'static str) -> Setting {
    Setting { name, kind, required: false, about }
}

const SETTINGS: &[Setting] = &[
    optional("path", SettingKind::Text, "The device's path; better one below /dev/serial/by-id than /dev/ttyACM0."),
    optional("usb", SettingKind::Text, "Instead of `path`: vendor and product of the USB device, `2b04:c006`."),
    optional(
        "serial",
        SettingKind::Text,
        "With `usb`: its serial number; without it, only one such device may be there.",
    ),
    optional("hub_port", SettingKind::Text, "Instead of `path`: the USB port that it is plugged into, `1-1.3`."),
    optional(
        "interface",
        SettingKind::Number,
        "The USB interface, for a device with several ports; otherwise it may have only one.",
    ),
    optional(
        "baud",
        SettingKind::Baud,
        "The line rate; 115200Bd if not given. Eight data bits, no parity, one stop bit.",
    ),
    optional(
        "dtr",
        LINE_STATES,
        "What DTR is set to after opening; if not given, as the kernel leaves it (mostly asserted).",
    ),
    optional(
        "rts",
        LINE_STATES,
        "What RTS is set to after opening; if not given, as the kernel leaves it (mostly asserted).",
    ),
    optional("settle", SettingKind::Span, "How long the port stays closed after a touch; 500ms if not given."),
    optional(
        "presence",
        SettingKind::Word(&["lasting", "passing"]),
        "`passing` for a port that comes and goes by itself, as a board's own does with its firmware: it is silent while it is away. If not given, `passing` where `usb` is the board's own, and `lasting` elsewhere.",
    ),
];

/// The driver of serial ports.
pub(crate) struct SerialFactory;

impl Factory for SerialFactory {
    fn driver(&self) -> &'static str {
        "serial"
    }

    fn kind(&self) -> Kind {
        Kind::Console
    }

    fn about(&self) -> &'static str {
        "a serial port of this computer, by path, by USB id or by the hub's port"
    }

    fn settings(&self) -> &'static [Setting] {
        SETTINGS
    }

    fn capabilities(&self, _settings: &Settings) -> Capabilities {
        Capabilities::only(Timing {
            latency: Span::millis(1),
            uncertainty: Span::millis(16),
            source: "one frame of full-speed USB; the latency timer with which Linux starts FTDI adapters (ftdi_sio); each stamp takes the adapter's own",
        })
    }

    fn open(&self, settings: &Settings, deadline: Deadline) -> Result<Instrument, Failure> {
        let state =
            |name| settings.text(name).map(|word| if word == "asserted" { Line::Asserted } else { Line::Released });
        let ports = Ports {
            place: Place::of(settings)?,
            baud: settings.baud("baud").unwrap_or(BAUD),
            modem: Modem { dtr: state("dtr"), rts: state("rts") },
            settle: settings.span("settle").unwrap_or(SETTLE),
            is_passing: settings.text("presence") == Some("passing"),
        };
        Ok(Instrument::Console(Box::new(Reopening::open(format!("console {}", ports.place), ports, deadline)?)))
    }
}

/// The openings of one port, one after the other.
struct Ports {
    place: Place,
    baud: Baud,
    modem: Modem,
    settle: Span,
    is_passing: bool,
}

impl Ports {
    fn open_at(&self, baud: Baud) -> Result<OpenPort, FailureKind> {
        OpenPort::new(&self.place.find(Path::new("/sys"))?, baud, self.modem)
    }
}

impl Source for Ports {
    type Port = OpenPort;

    fn asked(&self) -> String {
        format!("open it at {}", self.baud)
    }

    fn open(&self, _deadline: Deadline) -> Result<OpenPort, FailureKind> {
        self.open_at(self.baud)
    }

    fn is_passing(&self) -> bool {
        self.is_passing
    }

    fn touch(&self, port: OpenPort, touch: Touch, deadline: Deadline) -> Touched<OpenPort> {
        let mut unread = port.close();
        let opened = || match self.open_at(touch.0) {
            Ok(touched) => Ok(Some(touched)),
            // One that understood it at once is gone before all of the port's settings are made.
            Err(FailureKind::Gone(_)) => Ok(None),
            Err(kind) => Err(kind),
        };
        let done = Moment::of(opened).map(|(touched, moment)| {
            unread.extend(touched.into_iter().flat_map(OpenPort::close));
            std::thread::sleep(Duration::from_nanos(self.settle.as_nanos()).min(deadline.left()));
            moment
        });
        // A device that understood the touch may be away for seconds: whoever reads or writes next waits for it.
        Touched { done, port: self.open_at(self.baud).ok(), unread }
    }
}

#[cfg(test)]
mod tests;
