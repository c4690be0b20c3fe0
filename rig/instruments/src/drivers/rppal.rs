//! Lines of a Raspberry Pi through its GPIO registers, which the crate rppal maps into this process.
//!
//! Boundary: a Raspberry Pi; on anything else nothing is mapped. `gpiocdev` does the same through the kernel, for any chip, and is to be
//! preferred: rppal is no longer maintained, it changes registers that the kernel changes too, and a pin that it drives stays driven until
//! somebody sets it otherwise. Against the last two the kernel is asked to reserve what is driven.

mod pi;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use brickproof_units::{Instant, Span};
use rppal::gpio::{self, Event, Gpio, InputPin, IoPin, Level, Mode, OutputPin, Trigger};
use rppal::system::DeviceInfo;

use super::gpiocdev::place::{Place, Polarity, Style};
use super::gpiocdev::{find_chip, names_of, reserve, wrong_place};
use crate::capability::{Capabilities, Timing};
use crate::clock::{Deadline, Moment};
use crate::factory::{Factory, Instrument, Kind};
use crate::failure::{Failure, FailureKind};
use crate::kinds::{Drive, Edge, EdgeKind, Edges, LineState, Lines};
use crate::settings::{Setting, SettingKind, Settings};

/// The driver `rppal`.
pub(super) struct Rppal;

const SETTINGS: &[Setting] = &[
    Setting {
        name: "drive",
        kind: SettingKind::LineMap,
        required: false,
        about: "lines that are driven, by BCM number: `reset: 17`; active low and open drain unless `active-high`, `push-pull` follow",
    },
    Setting {
        name: "watch",
        kind: SettingKind::LineMap,
        required: false,
        about: "lines that are only watched, by BCM number; active low unless `active-high` follows",
    },
];

impl Factory for Rppal {
    fn driver(&self) -> &'static str {
        "rppal"
    }

    fn kind(&self) -> Kind {
        Kind::Lines
    }

    fn about(&self) -> &'static str {
        "lines of a Raspberry Pi, through its registers; `gpiocdev` is to be preferred"
    }

    fn settings(&self) -> &'static [Setting] {
        SETTINGS
    }

    fn capabilities(&self, _: &Settings) -> Capabilities {
        Capabilities::only(Timing {
            latency: Span::micros(50),
            uncertainty: Span::micros(1),
            source: "a write to a register; a stamp is the window around it. Latency: an assumption for an unloaded host, `bench check` measures it",
        })
    }

    fn open(&self, settings: &Settings, _: Deadline) -> Result<Instrument, Failure> {
        Ok(Instrument::Lines(Box::new(PiLines::open(settings)?)))
    }
}

struct PiLines {
    driven: BTreeMap<String, Held>,
    watched: Arc<Watched>,
    /// Whether somebody has the edges of the watched lines.
    listened: bool,
}

/// Dropping it releases the line before the kernel's reservation ends.
struct Held {
    pad: Pad,
    polarity: Polarity,
    _reserved: ::gpiocdev::Request,
}

enum Pad {
    PushPull(OutputPin),
    /// An input while it is let go; its output is low whenever it is one.
    OpenDrain(IoPin),
}

struct Watched {
    gpio: Gpio,
    lines: Vec<Watch>,
}

struct Watch {
    name: String,
    polarity: Polarity,
    pin: InputPin,
}

fn device(line: &str) -> String {
    format!("line `{line}`")
}

fn failed(device: impl Into<String>, asked: &str, error: gpio::Error) -> Failure {
    const HELP: &str = "is this user in the group `gpio`? without /dev/gpiomem it takes root";
    let kind = match error {
        gpio::Error::UnknownModel => FailureKind::Unsupported(pi::Elsewhere::NoPi.to_string()),
        gpio::Error::PinUsed(pin) => FailureKind::Busy(format!("GPIO{pin} is used by this program already")),
        gpio::Error::PinNotAvailable(pin) => FailureKind::Missing(format!("this Raspberry Pi has no GPIO{pin}")),
        gpio::Error::PermissionDenied(path) => FailureKind::Denied(path),
        gpio::Error::Io(error) => error.into(),
        gpio::Error::ThreadPanic => FailureKind::Gone("rppal's own thread ended".to_owned()),
    };
    match kind {
        FailureKind::Denied(_) => Failure::new(device, asked, kind).with_help(HELP),
        _ => Failure::new(device, asked, kind),
    }
}

/// The lines of a setting with the numbers of their pins.
fn placed(settings: &Settings, key: &str) -> Result<Vec<(String, u8, Place)>, Failure> {
    let placed = |(name, text): (String, String)| {
        let place: Place = text.parse().map_err(|error| wrong_place(&name, &error))?;
        match place.at.parse::<u8>() {
            Ok(pin) => Ok((name, pin, place)),
            Err(_) => {
                let kind = FailureKind::Missing(format!("`{}` is not a BCM number", place.at));
                Err(Failure::new(device(&name), "find its place", kind))
            }
        }
    };
    settings.lines(key).into_iter().map(placed).collect()
}

impl PiLines {
    fn open(settings: &Settings) -> Result<Self, Failure> {
        const FIND: &str = "find the registers of its lines";
        let (drive, watch) = (placed(settings, "drive")?, placed(settings, "watch")?);
        let compatible = std::fs::read(pi::COMPATIBLE).unwrap_or_default();
        let believed = DeviceInfo::new().ok().map(|info| info.soc());
        pi::check(&compatible, believed).map_err(|error| {
            Failure::new("rppal", FIND, FailureKind::Unsupported(error.to_string()))
                .with_help("`gpiocdev` drives the lines of any chip")
        })?;
        let gpio = Gpio::new().map_err(|error| failed("rppal", FIND, error))?;
        let driven = drive.into_iter().map(|(name, pin, place)| {
            let held = Held::take(&gpio, &name, pin, &place)?;
            Ok((name, held))
        });
        let driven = driven.collect::<Result<_, Failure>>()?;
        let lines = watch.into_iter().map(|(name, pin, place)| Watch::begin(&gpio, name, pin, &place));
        let lines = lines.collect::<Result<_, Failure>>()?;
        Ok(Self { driven, watched: Arc::new(Watched { gpio, lines }), listened: false })
    }

    fn unknown(&self, line: &str, asked: &str) -> Failure {
        let watched = self.watched.lines.iter().map(|watch| &watch.name);
        let known: Vec<&str> = self.driven.keys().chain(watched).map(String::as_str).collect();
        let kind = FailureKind::Missing(format!("no such line; there is {}", known.join(", ")));
        Failure::new(device(line), asked, kind)
    }
}

/// What the kernel calls the chip that these registers belong to.
fn chip() -> Result<std::path::PathBuf, Failure> {
    const LABELS: [&str; 3] = ["pinctrl-bcm2835", "pinctrl-bcm2711", "pinctrl-rp1"];
    let mut found = LABELS.iter().map(|label| find_chip(label));
    found.find(Result::is_ok).unwrap_or_else(|| find_chip("pinctrl-bcm2711"))
}

impl Held {
    fn take(gpio: &Gpio, name: &str, pin: u8, place: &Place) -> Result<Self, Failure> {
        const TAKE: &str = "take it over, released";
        place
            .check_driven()
            .map_err(|error| Failure::new(device(name), TAKE, FailureKind::Unsupported(error.to_string())))?;
        let taken = gpio.get(pin).map_err(|error| failed(device(name), TAKE, error))?;
        let reserved = reserve(name, &chip()?, u32::from(pin))?;
        let pad = match (place.style, place.polarity) {
            (Style::PushPull, Polarity::ActiveHigh) => Pad::PushPull(taken.into_output_low()),
            (Style::PushPull, Polarity::ActiveLow) => Pad::PushPull(taken.into_output_high()),
            (Style::OpenDrain, _) => {
                let mut pin = taken.into_io(Mode::Input);
                pin.set_low();
                Pad::OpenDrain(pin)
            }
        };
        let mut held = Self { pad, polarity: place.polarity, _reserved: reserved };
        // Otherwise dropping it brings back what somebody left behind: an asserted RESET, after a rig that was killed.
        match &mut held.pad {
            Pad::PushPull(pin) => pin.set_reset_on_drop(false),
            Pad::OpenDrain(pin) => pin.set_reset_on_drop(false),
        }
        Ok(held)
    }

    fn drive(&mut self, drive: Drive) {
        match (&mut self.pad, drive, self.polarity) {
            (Pad::OpenDrain(pin), Drive::Asserted, _) => pin.set_mode(Mode::Output),
            (Pad::OpenDrain(pin), Drive::Released, _) => pin.set_mode(Mode::Input),
            (Pad::PushPull(pin), Drive::Asserted, Polarity::ActiveHigh)
            | (Pad::PushPull(pin), Drive::Released, Polarity::ActiveLow) => pin.set_high(),
            (Pad::PushPull(pin), ..) => pin.set_low(),
        }
    }

    fn read(&self) -> LineState {
        let is_high = match &self.pad {
            Pad::PushPull(pin) => pin.is_set_high(),
            Pad::OpenDrain(pin) => pin.is_high(),
        };
        state(if is_high { Level::High } else { Level::Low }, self.polarity)
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        self.drive(Drive::Released);
    }
}

impl Watch {
    fn begin(gpio: &Gpio, name: String, pin: u8, place: &Place) -> Result<Self, Failure> {
        let begin = || {
            let mut pin = gpio.get(pin)?.into_input();
            pin.set_interrupt(Trigger::Both, None)?;
            Ok(pin)
        };
        let pin = begin().map_err(|error| failed(device(&name), "watch it", error))?;
        Ok(Self { name, polarity: place.polarity, pin })
    }
}

fn state(level: Level, polarity: Polarity) -> LineState {
    match (level, polarity) {
        (Level::High, Polarity::ActiveHigh) | (Level::Low, Polarity::ActiveLow) => LineState::Active,
        _ => LineState::Inactive,
    }
}

impl Lines for PiLines {
    fn drive(&mut self, line: &str, drive: Drive, _: Deadline) -> Result<Moment, Failure> {
        let Some(held) = self.driven.get_mut(line) else {
            let asked = match drive {
                Drive::Asserted => "assert it",
                Drive::Released => "release it",
            };
            return Err(self.unknown(line, asked));
        };
        let ((), moment) = Moment::of(|| {
            held.drive(drive);
            Ok::<_, Failure>(())
        })?;
        Ok(moment)
    }

    fn read(&mut self, line: &str, _: Deadline) -> Result<LineState, Failure> {
        if let Some(held) = self.driven.get(line) {
            return Ok(held.read());
        }
        let watch = self.watched.lines.iter().find(|watch| watch.name == line);
        let watch = watch.ok_or_else(|| self.unknown(line, "read it"))?;
        Ok(state(watch.pin.read(), watch.polarity))
    }

    fn edges(&mut self) -> Result<Option<Box<dyn Edges>>, Failure> {
        if self.watched.lines.is_empty() {
            return Ok(None);
        }
        if std::mem::replace(&mut self.listened, true) {
            return Err(Failure::new(self.watched.device(), LISTEN, FailureKind::Refused(HEARD.to_owned())));
        }
        Ok(Some(Box::new(Listener(Arc::clone(&self.watched)))))
    }

    fn make_safe(&mut self, _: Deadline) -> Result<(), Failure> {
        self.driven.values_mut().for_each(|held| held.drive(Drive::Released));
        Ok(())
    }
}

const LISTEN: &str = "wait for an edge";
const HEARD: &str = "somebody listens to them already";

impl Watched {
    fn device(&self) -> String {
        names_of(self.lines.iter().map(|watch| watch.name.as_str()))
    }
}

struct Listener(Arc<Watched>);

impl Edges for Listener {
    fn next(&mut self, deadline: Deadline) -> Result<Option<Edge>, Failure> {
        let pins: Vec<&InputPin> = self.0.lines.iter().map(|watch| &watch.pin).collect();
        loop {
            // It counts whole milliseconds, downwards.
            let wait = deadline.left() + Duration::from_millis(1);
            match self.0.gpio.poll_interrupts(&pins, false, Some(wait)) {
                Ok(Some((pin, event))) => return Ok(self.0.edge(pin, event)),
                Ok(None) if deadline.has_passed() => return Ok(None),
                Ok(None) => {}
                Err(gpio::Error::Io(error)) if error.kind() == std::io::ErrorKind::Interrupted => {}
                Err(error) => return Err(failed(self.0.device(), LISTEN, error)),
            }
        }
    }
}

impl Watched {
    fn edge(&self, pin: &InputPin, event: Event) -> Option<Edge> {
        let watch = self.lines.iter().find(|watch| watch.pin.pin() == pin.pin())?;
        let level = if event.trigger == Trigger::RisingEdge { Level::High } else { Level::Low };
        let kind = match state(level, watch.polarity) {
            LineState::Active => EdgeKind::Activated,
            LineState::Inactive => EdgeKind::Deactivated,
        };
        // The kernel's stamp, on its monotonic clock.
        let at = Instant::from_nanos(event.timestamp.as_nanos() as u64);
        Some(Edge { line: watch.name.clone(), kind, moment: Moment { at, uncertainty: Span::micros(1) } })
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::settings::Value;

    fn opened(key: &str, place: &str) -> Failure {
        let lines = BTreeMap::from([("reset".to_owned(), place.to_owned())]);
        let settings = Settings::new().with(key, Value::LineMap(lines));
        Rppal.open(&settings, Deadline::after(Span::secs(1))).err().expect("it does not open")
    }

    #[test]
    fn what_is_not_a_pin_is_told_before_any_register_is_looked_for() {
        let told = [opened("drive", "PHOTON_RST"), opened("watch", "256"), opened("drive", "17 push-poll")];
        insta::assert_snapshot!(told.map(|failure| failure.to_string()).join("\n"), @r"
        line `reset` failed to find its place: not found: `PHOTON_RST` is not a BCM number
        line `reset` failed to find its place: not found: `256` is not a BCM number
        line `reset` failed to find its place: not found: `push-poll` is none of open-drain, push-pull, active-low, active-high
        ");
    }

    /// The tests may run on a Raspberry Pi, where it opens.
    #[test]
    fn no_other_computer_is_mapped() {
        let tree = std::fs::read(pi::COMPATIBLE).unwrap_or_default();
        if pi::check(&tree, Some(rppal::system::SoC::Bcm2711)) == Err(pi::Elsewhere::NoPi) {
            let failure = opened("drive", "17");
            assert!(matches!(failure.kind(), FailureKind::Unsupported(_)), "{failure}");
            assert_eq!(failure.help(), Some("`gpiocdev` drives the lines of any chip"));
        }
    }
}
