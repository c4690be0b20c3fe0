//! Lines over the kernel's GPIO character device: any board, any chip, edges with the kernel's own stamps.
//!
//! Boundary: the character device. Levels are logical; what is active and how a line is driven stands with the line's place
//! ([`Place`]).

pub(super) mod place;

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

use brickproof_units::Span;
use gpiocdev::line::{EdgeDetection, EventClock, Value};
use gpiocdev::{Request, request};
use rustix::event::{PollFd, PollFlags, Timespec, poll};

use self::place::{Place, Polarity, Style};
use crate::capability::{Capabilities, Timing};
use crate::clock::{Deadline, Moment};
use crate::factory::{Factory, Instrument, Kind};
use crate::failure::{Failure, FailureKind};
use crate::kinds::{Drive, Edge, EdgeKind, Edges, LineState, Lines};
use crate::settings::{Setting, SettingKind, Settings};

/// The driver `gpiocdev`.
pub(super) struct Gpiocdev;

const SETTINGS: &[Setting] = &[
    Setting {
        name: "chip",
        kind: SettingKind::Text,
        required: false,
        about: "the chip's path, name or label, for lines given by offset; not needed for lines given by the kernel's name",
    },
    Setting {
        name: "drive",
        kind: SettingKind::LineMap,
        required: false,
        about: "lines that are driven: `reset: 17` or `reset: PHOTON_RST`; active low and open drain unless `active-high`, `push-pull` follow",
    },
    Setting {
        name: "watch",
        kind: SettingKind::LineMap,
        required: false,
        about: "lines that are only watched; active low unless `active-high` follows",
    },
];

impl Factory for Gpiocdev {
    fn driver(&self) -> &'static str {
        "gpiocdev"
    }

    fn kind(&self) -> Kind {
        Kind::Lines
    }

    fn about(&self) -> &'static str {
        "lines of a GPIO chip, over the kernel's character device"
    }

    fn settings(&self) -> &'static [Setting] {
        SETTINGS
    }

    fn capabilities(&self, _: &Settings) -> Capabilities {
        Capabilities::only(Timing {
            latency: Span::micros(100),
            uncertainty: Span::micros(1),
            source: "one ioctl; a stamp is the window around it. Latency: an assumption for an unloaded host, `bench check` measures it",
        })
    }

    fn open(&self, settings: &Settings, _: Deadline) -> Result<Instrument, Failure> {
        Ok(Instrument::Lines(Box::new(GpioLines::open(settings)?)))
    }
}

/// One request per driven line, so that driving one cannot disturb another; one for all watched lines of a chip, so that their edges
/// come in order.
struct GpioLines {
    driven: BTreeMap<String, Held>,
    watched: Arc<[Watch]>,
    /// Whether somebody has the edges of the watched lines.
    listened: bool,
}

struct Held {
    request: Request,
    offset: u32,
}

struct Watch {
    request: Request,
    names: BTreeMap<u32, String>,
}

impl GpioLines {
    fn open(settings: &Settings) -> Result<Self, Failure> {
        let chip = settings.text("chip").map(find_chip).transpose()?;
        let mut driven = BTreeMap::new();
        for (name, text) in settings.lines("drive") {
            let found = locate(&name, &text, chip.as_ref())?;
            driven.insert(name.clone(), hold(&name, &found)?);
        }
        let mut by_chip: BTreeMap<PathBuf, Vec<(String, Found)>> = BTreeMap::new();
        for (name, text) in settings.lines("watch") {
            let found = locate(&name, &text, chip.as_ref())?;
            by_chip.entry(found.chip.clone()).or_default().push((name, found));
        }
        let watched = by_chip.into_iter().map(|(chip, lines)| watch(&chip, lines)).collect::<Result<_, _>>()?;
        Ok(Self { driven, watched, listened: false })
    }

    fn watch_of(&self, line: &str) -> Option<(&Watch, u32)> {
        self.watched.iter().find_map(|watch| {
            let offset = watch.names.iter().find(|(_, name)| *name == line).map(|(offset, _)| *offset)?;
            Some((watch, offset))
        })
    }

    fn unknown(&self, line: &str, asked: &str) -> Failure {
        let watched = self.watched.iter().flat_map(|watch| watch.names.values());
        let known: Vec<&str> = self.driven.keys().chain(watched).map(String::as_str).collect();
        let kind = FailureKind::Missing(format!("no such line; there is {}", known.join(", ")));
        Failure::new(device(line), asked, kind)
    }
}

/// Where a line really is.
struct Found {
    chip: PathBuf,
    offset: u32,
    place: Place,
}

fn device(line: &str) -> String {
    format!("line `{line}`")
}

fn failed(line: &str, asked: &str, error: &gpiocdev::Error) -> Failure {
    failed_with(device(line), asked, error)
}

fn failed_with(device: String, asked: &str, error: &gpiocdev::Error) -> Failure {
    let kind = match error_number(error) {
        Some(number) => FailureKind::from(std::io::Error::from_raw_os_error(number)),
        None => FailureKind::Answer(error.to_string()),
    };
    let failure = Failure::new(device, asked, kind);
    match failure.kind() {
        FailureKind::Denied(_) => {
            failure.with_help("is this user in the group `gpio`? hardware/99-brickproof.rules makes it so")
        }
        FailureKind::Busy(_) => failure.with_help("`gpioinfo` tells who holds it"),
        _ => failure,
    }
}

/// The operating system's number, wherever the library keeps it.
fn error_number(error: &gpiocdev::Error) -> Option<i32> {
    match error {
        gpiocdev::Error::Os(errno) => Some(errno.0),
        gpiocdev::Error::Uapi(_, gpiocdev_uapi::Error::Os(errno)) => Some(errno.0),
        _ => None,
    }
}

pub(super) fn find_chip(text: &str) -> Result<PathBuf, Failure> {
    let chips = gpiocdev::chip::chips().map_err(|error| failed("chip", "list the GPIO chips", &error))?;
    let mut seen = Vec::new();
    for path in chips {
        let label =
            gpiocdev::Chip::from_path(&path).and_then(|chip| chip.info()).map(|info| info.label).unwrap_or_default();
        let is_named = path.file_name().is_some_and(|name| name == text);
        if *path == *text || is_named || label == text {
            return Ok(path);
        }
        seen.push(format!("{} ({label})", path.display()));
    }
    let kind = FailureKind::Missing(match seen.as_slice() {
        [] => "this computer has no GPIO chip, or none that this user may see".to_owned(),
        _ => format!("there is {}", seen.join(", ")),
    });
    Err(Failure::new(format!("GPIO chip `{text}`"), "find it", kind))
}

/// A place that is none.
pub(super) fn wrong_place(line: &str, error: &place::PlaceError) -> Failure {
    Failure::new(device(line), "find its place", FailureKind::Missing(error.to_string()))
}

fn locate(name: &str, text: &str, chip: Option<&PathBuf>) -> Result<Found, Failure> {
    let wrong = |message: String| Failure::new(device(name), "find its place", FailureKind::Missing(message));
    let place: Place = text.parse().map_err(|error| wrong_place(name, &error))?;
    match place.at.parse::<u32>() {
        Ok(offset) => {
            let chip = chip.cloned().ok_or_else(|| wrong(format!("offset {offset} of which `chip`?")))?;
            Ok(Found { chip, offset, place })
        }
        Err(_) => {
            let found = gpiocdev::find_named_line(&place.at);
            let found = found.ok_or_else(|| wrong(format!("no chip has a line named {}", place.at)))?;
            Ok(Found { chip: found.chip, offset: found.info.offset, place })
        }
    }
}

/// Has the kernel keep a line for somebody who drives it past the kernel, and leave it as it is.
pub(super) fn reserve(line: &str, chip: &std::path::Path, offset: u32) -> Result<Request, Failure> {
    let mut builder = Request::builder();
    builder.on_chip(chip).with_consumer("brickproof").with_line(offset).as_is();
    builder.request().map_err(|error| failed(line, "reserve it", &error))
}

fn builder(found: &Found) -> request::Builder {
    let mut builder = Request::builder();
    builder.on_chip(&found.chip).with_consumer("brickproof").with_line(found.offset);
    builder
}

fn hold(name: &str, found: &Found) -> Result<Held, Failure> {
    found.place.check_driven().map_err(|error| {
        Failure::new(device(name), "take it over, released", FailureKind::Unsupported(error.to_string()))
    })?;
    let mut builder = builder(found);
    builder.as_output(Value::Inactive).with_drive(match found.place.style {
        Style::OpenDrain => gpiocdev::line::Drive::OpenDrain,
        Style::PushPull => gpiocdev::line::Drive::PushPull,
    });
    if found.place.polarity == Polarity::ActiveLow {
        builder.as_active_low();
    }
    let request = builder.request().map_err(|error| failed(name, "take it over, released", &error))?;
    Ok(Held { request, offset: found.offset })
}

fn watch(chip: &PathBuf, lines: Vec<(String, Found)>) -> Result<Watch, Failure> {
    let mut builder = Request::builder();
    builder.on_chip(chip).with_consumer("brickproof");
    for (_, found) in &lines {
        builder.with_line(found.offset).as_input();
        match found.place.polarity {
            Polarity::ActiveLow => builder.as_active_low(),
            Polarity::ActiveHigh => builder.as_active_high(),
        };
        builder.with_edge_detection(EdgeDetection::BothEdges).with_event_clock(EventClock::Monotonic);
    }
    let names: Vec<&str> = lines.iter().map(|(name, _)| name.as_str()).collect();
    let request = builder.request().map_err(|error| failed(&names.join("`, `"), "watch it", &error))?;
    Ok(Watch { request, names: lines.into_iter().map(|(name, found)| (found.offset, name)).collect() })
}

fn state(value: Value) -> LineState {
    match value {
        Value::Active => LineState::Active,
        Value::Inactive => LineState::Inactive,
    }
}

impl Lines for GpioLines {
    fn drive(&mut self, line: &str, drive: Drive, _: Deadline) -> Result<Moment, Failure> {
        let (asked, value) = match drive {
            Drive::Asserted => ("assert it", Value::Active),
            Drive::Released => ("release it", Value::Inactive),
        };
        let held = self.driven.get(line).ok_or_else(|| self.unknown(line, asked))?;
        let set = Moment::of(|| held.request.set_value(held.offset, value));
        set.map(|((), moment)| moment).map_err(|error| failed(line, asked, &error))
    }

    fn read(&mut self, line: &str, _: Deadline) -> Result<LineState, Failure> {
        let (request, offset) = match (self.driven.get(line), self.watch_of(line)) {
            (Some(held), _) => (&held.request, held.offset),
            (None, Some((watch, offset))) => (&watch.request, offset),
            (None, None) => return Err(self.unknown(line, "read it")),
        };
        request.value(offset).map(state).map_err(|error| failed(line, "read it", &error))
    }

    fn edges(&mut self) -> Result<Option<Box<dyn Edges>>, Failure> {
        if self.watched.is_empty() {
            return Ok(None);
        }
        if std::mem::replace(&mut self.listened, true) {
            let kind = FailureKind::Refused("somebody listens to them already".to_owned());
            return Err(Failure::new(names(&self.watched), LISTEN, kind));
        }
        Ok(Some(Box::new(Listener { watched: Arc::clone(&self.watched) })))
    }

    fn make_safe(&mut self, _: Deadline) -> Result<(), Failure> {
        let release = |(line, held): (&String, &Held)| {
            held.request.set_value(held.offset, Value::Inactive).map_err(|error| failed(line, "release it", &error))
        };
        let all: Vec<Result<(), Failure>> = self.driven.iter().map(release).collect();
        all.into_iter().collect()
    }
}

/// Waits for the edges of all watched lines. Requests can be read while somebody waits for them.
struct Listener {
    watched: Arc<[Watch]>,
}

const LISTEN: &str = "wait for an edge";

fn names(watched: &[Watch]) -> String {
    names_of(watched.iter().flat_map(|watch| watch.names.values().map(String::as_str)))
}

/// Several lines as one device.
pub(super) fn names_of<'l>(lines: impl Iterator<Item = &'l str>) -> String {
    device(&lines.collect::<Vec<_>>().join("`, `"))
}

impl Listener {
    /// The first chip that has an edge to tell.
    fn ready(&self, deadline: Deadline) -> Result<Option<&Watch>, rustix::io::Errno> {
        let mut chips: Vec<PollFd<'_>> =
            self.watched.iter().map(|watch| PollFd::new(&watch.request, PollFlags::IN)).collect();
        loop {
            // Whatever does not fit is as good as for ever.
            let left = Timespec::try_from(deadline.left()).ok();
            match poll(&mut chips, left.as_ref()) {
                Ok(0) => return Ok(None),
                // A chip that went away is ready too: reading tells so.
                Ok(_) => {
                    return Ok(chips.iter().position(|chip| !chip.revents().is_empty()).map(|at| &self.watched[at]));
                }
                Err(rustix::io::Errno::INTR) => {}
                Err(error) => return Err(error),
            }
        }
    }
}

impl Edges for Listener {
    fn next(&mut self, deadline: Deadline) -> Result<Option<Edge>, Failure> {
        let ready = self.ready(deadline);
        let ready = ready.map_err(|error| Failure::system(names(&self.watched), LISTEN, error.into()))?;
        let Some(watch) = ready else { return Ok(None) };
        let event = watch
            .request
            .read_edge_event()
            .map_err(|error| failed_with(names(std::slice::from_ref(watch)), LISTEN, &error))?;
        let kind = match event.kind {
            gpiocdev::line::EdgeKind::Rising => EdgeKind::Activated,
            gpiocdev::line::EdgeKind::Falling => EdgeKind::Deactivated,
        };
        let at = brickproof_units::Instant::from_nanos(event.timestamp_ns);
        let moment = Moment { at, uncertainty: Span::micros(1) };
        let line = watch.names.get(&event.offset).cloned().unwrap_or_default();
        Ok(Some(Edge { line, kind, moment }))
    }
}
