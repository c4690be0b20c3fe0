//! Serial ports behind a network: terminal servers, ser2net, pyserial, anything that speaks RFC 2217.
//!
//! Boundary: one port of one server. Whether anybody else may connect to it is the server's to decide.

mod link;
mod telnet;

use std::time::Duration;

use brickproof_units::{Baud, Span};

use crate::capability::{Capabilities, Timing};
use crate::clock::{Deadline, Moment};
use crate::factory::{Factory, Instrument, Kind};
use crate::failure::{Failure, FailureKind};
use crate::kinds::Touch;
use crate::reopening::{Reopening, Source, Touched};
use crate::settings::{Setting, SettingKind, Settings};
use crate::stream::Lateness;

use link::{Control, Link};

/// The rate of nearly every console.
const BAUD: Baud = Baud::new(115_200);

/// ser2net waits at most this long for more bytes before it sends what it has (`chardelay-max`).
const LATENESS: Span = Span::millis(20);

/// How long a touch lasts: the server's port stays open, and a board needs a moment to see its rate.
const SETTLE: Span = Span::millis(500);

/// The rate at which Arduino's bootloaders wait for DTR to fall.
const ARDUINO: Baud = Baud::new(1_200);

const LINE_STATES: SettingKind = SettingKind::Word(&["asserted", "released"]);

const fn optional(name: &'static str, kind: SettingKind, about: &'static str) -> Setting {
    Setting { name, kind, required: false, about }
}

const SETTINGS: &[Setting] = &[
    Setting {
        name: "address",
        kind: SettingKind::Text,
        required: true,
        about: "Host and TCP port of the server, `rack3.lab:4001`.",
    },
    optional(
        "baud",
        SettingKind::Baud,
        "The line rate; 115200Bd if not given. Eight data bits, no parity, one stop bit.",
    ),
    optional("dtr", LINE_STATES, "What DTR is set to after connecting; if not given, as the server leaves it."),
    optional("rts", LINE_STATES, "What RTS is set to after connecting; if not given, as the server leaves it."),
    optional(
        "backlog",
        SettingKind::Word(&["keep", "purge"]),
        "What happens to bytes that the server kept from before: they are read and stamped as if they came on connecting, \
         which also holds if this is not given, or purged.",
    ),
    optional(
        "lateness",
        SettingKind::Span,
        "How much later than on its wire a byte may come through the server and the network; 20ms if not given.",
    ),
    optional("settle", SettingKind::Span, "How long a touch lasts; 500ms if not given."),
];

/// The driver of serial ports behind a network.
pub(crate) struct Rfc2217Factory;

impl Factory for Rfc2217Factory {
    fn driver(&self) -> &'static str {
        "rfc2217"
    }

    fn kind(&self) -> Kind {
        Kind::Console
    }

    fn about(&self) -> &'static str {
        "a serial port behind a network, on a server that speaks RFC 2217"
    }

    fn settings(&self) -> &'static [Setting] {
        SETTINGS
    }

    fn capabilities(&self, settings: &Settings) -> Capabilities {
        let lateness = settings.span("lateness").unwrap_or(LATENESS);
        Capabilities::only(Timing {
            latency: lateness,
            uncertainty: lateness,
            source: "`lateness` of the bench file; without it ser2net's default chardelay-max, on a network that adds nothing to speak of",
        })
    }

    fn open(&self, settings: &Settings, deadline: Deadline) -> Result<Instrument, Failure> {
        let line = |name, asserted, released| {
            settings.text(name).map(|word| if word == "asserted" { asserted } else { released })
        };
        let address = settings.text("address").unwrap_or_default().to_owned();
        let controls = [Control::EightBits, Control::NoParity, Control::OneStopBit, Control::NoHandshake]
            .into_iter()
            .chain(line("dtr", Control::DtrOn, Control::DtrOff))
            .chain(line("rts", Control::RtsOn, Control::RtsOff))
            .chain((settings.text("backlog") == Some("purge")).then_some(Control::PurgeReceived))
            .collect();
        let device = format!("console rfc2217 {address}");
        let server = Server {
            address,
            baud: settings.baud("baud").unwrap_or(BAUD),
            controls,
            dtr_at_rest: line("dtr", Control::DtrOn, Control::DtrOff).unwrap_or(Control::DtrOn),
            lateness: settings.span("lateness").unwrap_or(LATENESS),
            settle: settings.span("settle").unwrap_or(SETTLE),
        };
        Ok(Instrument::Console(Box::new(Reopening::open(device, server, deadline)?)))
    }
}

/// The connections to one server, one after the other.
struct Server {
    address: String,
    baud: Baud,
    controls: Vec<Control>,
    dtr_at_rest: Control,
    lateness: Span,
    settle: Span,
}

impl Server {
    fn touched(&self, link: &mut Link, touch: Touch, deadline: Deadline) -> Result<Moment, FailureKind> {
        let moment = link.set_baud(touch.0, deadline)?;
        // A port that is closed lets DTR fall; this one stays open.
        if touch.0 == ARDUINO {
            link.set(Control::DtrOff, deadline)?;
        }
        std::thread::sleep(Duration::from_nanos(self.settle.as_nanos()).min(deadline.left()));
        if touch.0 == ARDUINO {
            link.set(self.dtr_at_rest, deadline)?;
        }
        link.set_baud(self.baud, deadline)?;
        Ok(moment)
    }
}

impl Source for Server {
    type Port = Link;

    fn asked(&self) -> String {
        format!("connect to it and set its port to {}", self.baud)
    }

    fn open(&self, deadline: Deadline) -> Result<Link, FailureKind> {
        let lateness = Lateness { transport: self.lateness, baud: self.baud };
        let mut link = Link::connect(&self.address, lateness, deadline)?;
        link.set_baud(self.baud, deadline)?;
        for &control in &self.controls {
            link.set(control, deadline)?;
        }
        link.check_binary()?;
        Ok(link)
    }

    fn touch(&self, mut link: Link, touch: Touch, deadline: Deadline) -> Touched<Link> {
        let done = self.touched(&mut link, touch, deadline);
        match done {
            // Many servers hang up when the board behind them goes away, as one that understood the touch does.
            Err(FailureKind::Gone(_)) => Touched { done, port: None, unread: crate::reopening::Port::close(link) },
            _ => Touched { done, port: Some(link), unread: Vec::new() },
        }
    }
}

#[cfg(test)]
mod tests;
