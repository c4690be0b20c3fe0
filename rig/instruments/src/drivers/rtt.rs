//! Text over RTT: a console in the chip's RAM, read and written through the station's debug probe while the core runs.
//!
//! Boundary: a console that works through the probe of its station, which stays the probe's only owner. The ring itself is [`ring`]'s, when it is
//! looked at [`reader`]'s; what is in it besides text, another driver's.

mod elf;
pub(super) mod reader;
pub(super) mod ring;

use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use brickproof_units::{Instant, Span};

use crate::capability::{Capabilities, Timing};
use crate::clock::{Deadline, Moment, now};
use crate::factory::{Below, Factory, Instrument, Kind};
use crate::failure::{Failure, FailureKind};
use crate::kinds::{Chunk, Console, Probe, Touch};
use crate::owner::Owner;
use crate::settings::{Setting, SettingKind, Settings};

use self::reader::{Arrivals, Language, RingAtProbe, Text};
use self::ring::{Block, Mode, Place, Ring};

pub(crate) use self::elf::{Elf, Segment, control_block, image};

/// How often the ring is looked at, if the bench file does not say. Between two looks 115200 Bd would bring 115 bytes; rings have 1024.
const POLL: Span = Span::millis(10);
/// Between two attempts to write into a ring that is full.
const FULL: Duration = Duration::from_millis(2);

/// The setting that names the firmware's ELF.
pub(super) const ELF: &str = "elf";
const SKIP: &str = "skip";
const TRIM: &str = "trim";
const WAIT: &str = "wait";

pub(super) const CHANNEL: Setting = Setting {
    name: "channel",
    kind: SettingKind::Number,
    required: false,
    about: "The up channel that is read, counted from 0; 0 if not given.",
};
pub(super) const DOWN: Setting = Setting {
    name: "down",
    kind: SettingKind::Number,
    required: false,
    about: "The down channel that is written; as `channel` if not given.",
};
pub(super) const FULL_RING: Setting = Setting {
    name: "when_full",
    kind: SettingKind::Word(&[SKIP, TRIM, WAIT]),
    required: false,
    about: "What the firmware is told to do when the ring is full, as long as the console is open: skip what does not fit, trim it, or \
            wait until it was read.",
};
pub(super) const POLLING: Setting = Setting {
    name: "poll",
    kind: SettingKind::Span,
    required: false,
    about: "How long after a look into the ring the next one comes; 10ms if not given.",
};

const SETTINGS: &[Setting] = &[
    CHANNEL,
    DOWN,
    Setting {
        name: ELF,
        kind: SettingKind::File,
        required: false,
        about: "The firmware's ELF, whose symbol `_SEGGER_RTT` tells where the control block is.",
    },
    Setting {
        name: "address",
        kind: SettingKind::Number,
        required: false,
        about: "Where the control block is. With neither `elf` nor `address` the chip's RAM is searched for it.",
    },
    FULL_RING,
    POLLING,
];

/// The driver of text over RTT.
pub(crate) struct RttFactory;

impl Factory for RttFactory {
    fn driver(&self) -> &'static str {
        "rtt"
    }

    fn kind(&self) -> Kind {
        Kind::Console
    }

    fn about(&self) -> &'static str {
        "text over RTT, in the chip's RAM, through the station's probe"
    }

    fn settings(&self) -> &'static [Setting] {
        SETTINGS
    }

    fn mistake(&self, settings: &Settings) -> Option<(&'static str, Failure)> {
        firmware(settings).err().map(|failure| (ELF, failure))
    }

    fn capabilities(&self, settings: &Settings) -> Capabilities {
        capabilities(settings)
    }

    fn over(&self) -> Option<Kind> {
        Some(Kind::Probe)
    }

    fn open(&self, _: &Settings, _: Deadline) -> Result<Instrument, Failure> {
        Err(needs_probe(self.driver()))
    }

    fn open_over(&self, below: Below, settings: &Settings, deadline: Deadline) -> Result<Instrument, Failure> {
        let Below::Probe(probe) = below else { return self.open(settings, deadline) };
        let (block, image) = firmware(settings)?;
        let place = place(settings, block, mode(settings));
        open(self.driver(), probe, place, image, Box::new(Text), poll(settings))
    }
}

/// Where the control block is, and what is known of the firmware.
fn firmware(settings: &Settings) -> Result<(Block, Vec<Segment>), Failure> {
    match (settings.number("address"), settings.text(ELF)) {
        (Some(address), _) => Ok((Block::At(u32::try_from(address).unwrap_or(u32::MAX)), Vec::new())),
        (None, Some(path)) => {
            let fail = |kind| Failure::new(format!("ELF {path}"), "tell where its control block of RTT is", kind);
            let elf = read_elf(path)?;
            Ok((Block::At(control_block(&elf).map_err(fail)?), image(&elf)))
        }
        (None, None) => Ok((Block::Anywhere, Vec::new())),
    }
}

pub(super) fn capabilities(settings: &Settings) -> Capabilities {
    Capabilities::only(Timing {
        latency: poll(settings),
        uncertainty: poll(settings),
        source: "`poll` of the bench file, or its default; what else the probe is asked meanwhile is added, and stands in every stamp",
    })
}

pub(super) fn needs_probe(driver: &str) -> Failure {
    let kind = FailureKind::Refused("it works through the station's probe, and there is none".to_owned());
    Failure::new(format!("console {driver}"), "open it", kind)
}

pub(super) fn read_elf(path: &str) -> Result<Elf, Failure> {
    let read = std::fs::read(Path::new(path));
    read.map(|bytes| Elf::new(&bytes)).map_err(|error| Failure::system(format!("ELF {path}"), "be read", error))
}

pub(super) fn poll(settings: &Settings) -> Span {
    settings.span(POLLING.name).unwrap_or(POLL)
}

pub(super) fn mode(settings: &Settings) -> Option<Mode> {
    settings.text(FULL_RING.name).map(|word| match word {
        SKIP => Mode::Skip,
        TRIM => Mode::Trim,
        _ => Mode::Wait,
    })
}

pub(super) fn place(settings: &Settings, block: Block, mode: Option<Mode>) -> Place {
    // A number that no firmware has is missing there.
    let number = |name| settings.number(name).map(|number| u32::try_from(number).unwrap_or(u32::MAX));
    let up = number(CHANNEL.name).unwrap_or(0);
    Place { block, up, down: number(DOWN.name).unwrap_or(up), mode }
}

/// Opens a console on a channel. Whether the board has it, and is there at all, shows when it runs.
pub(super) fn open(
    driver: &str,
    probe: Arc<Owner<dyn Probe>>,
    place: Place,
    image: Vec<Segment>,
    language: Box<dyn Language>,
    poll: Span,
) -> Result<Instrument, Failure> {
    let name = format!("{driver} channel {}", place.up);
    let device = format!("console {name} through {}", probe.device());
    let ring = RingAtProbe { probe, ring: Arc::new(Mutex::new(Ring::new(place, image))) };
    let arrivals = Arrivals::start(name, ring.clone(), language, poll)
        .map_err(|error| Failure::system(&device, "start its reader", error))?;
    Ok(Instrument::Console(Box::new(Talk { device, arrivals, ring })))
}

/// An open console.
struct Talk {
    device: String,
    arrivals: Arrivals,
    ring: RingAtProbe,
}

impl Talk {
    fn fail(&self, asked: &str, kind: FailureKind) -> Failure {
        let failure = Failure::new(&self.device, asked, kind);
        match failure.kind() {
            FailureKind::Unsupported(_) => failure.with_help("look at `channel` and `down` in the bench file"),
            FailureKind::NoAnswer(_) => failure
                .with_help("either the firmware does not read its ring, or it has none where the bench file says"),
            _ => failure,
        }
    }

    /// The moment at which the last byte was in the ring.
    fn write_all(&self, mut bytes: &[u8], deadline: Deadline) -> Result<Moment, FailureKind> {
        let mut moment = Moment::between(now(), now());
        let mut silent = None;
        while !bytes.is_empty() {
            let before: Instant = now();
            match self.ring.write(bytes, deadline) {
                Ok(count) => {
                    bytes = bytes.get(count..).unwrap_or_default();
                    moment = Moment::between(before, now());
                }
                // A board that was just switched on does not answer yet.
                Err(kind @ FailureKind::Answer(_)) => silent = Some(kind),
                Err(kind) => return Err(kind),
            }
            if bytes.is_empty() {
                break;
            }
            if deadline.has_passed() {
                return Err(silent.unwrap_or(FailureKind::NoAnswer(deadline.within())));
            }
            std::thread::sleep(FULL.min(deadline.left()));
        }
        Ok(moment)
    }
}

impl Console for Talk {
    fn read(&mut self, deadline: Deadline) -> Result<Option<Chunk>, Failure> {
        self.arrivals.next(deadline).map_err(|kind| self.fail("read from it", kind))
    }

    fn write(&mut self, bytes: &[u8], deadline: Deadline) -> Result<Moment, Failure> {
        self.write_all(bytes, deadline).map_err(|kind| self.fail("write to it", kind))
    }

    fn touch(&mut self, touch: Touch, _: Deadline) -> Result<Moment, Failure> {
        let kind = FailureKind::Unsupported("a ring in RAM has no line rate".to_owned());
        Err(self.fail(&format!("open it at {} and come back", touch.0), kind))
    }
}
