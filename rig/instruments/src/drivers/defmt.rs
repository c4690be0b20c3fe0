//! defmt over RTT: a log whose texts stand in the firmware's ELF and not on the board, as lines.
//!
//! Boundary: settings. The ring is [`rtt`](super::rtt)'s, the table [`table`]'s.

mod table;

use crate::capability::Capabilities;
use crate::clock::Deadline;
use crate::factory::{Below, Factory, Instrument, Kind};
use crate::failure::Failure;
use crate::settings::{Setting, SettingKind, Settings};

use super::rtt::ring::{Block, Mode};
use super::rtt::{self, Segment};

use self::table::{Location, LogTable};

const SHOWN: &str = "shown";

const SETTINGS: &[Setting] = &[
    Setting {
        name: rtt::ELF,
        kind: SettingKind::File,
        required: true,
        about: "The ELF of the firmware that runs: its texts, and where RTT's control block is.",
    },
    rtt::CHANNEL,
    Setting {
        name: "location",
        kind: SettingKind::Word(&["hidden", SHOWN]),
        required: false,
        about: "Whether each line ends with the place in the source that wrote it; `hidden` if not given.",
    },
    rtt::FULL_RING,
    rtt::POLLING,
];

/// The driver of defmt.
pub(crate) struct DefmtFactory;

impl Factory for DefmtFactory {
    fn driver(&self) -> &'static str {
        "defmt"
    }

    fn kind(&self) -> Kind {
        Kind::Console
    }

    fn about(&self) -> &'static str {
        "the log of firmware that speaks defmt, over RTT through the station's probe"
    }

    fn settings(&self) -> &'static [Setting] {
        SETTINGS
    }

    fn mistake(&self, settings: &Settings) -> Option<(&'static str, Failure)> {
        firmware(settings).err().map(|failure| (rtt::ELF, failure))
    }

    fn capabilities(&self, settings: &Settings) -> Capabilities {
        rtt::capabilities(settings)
    }

    fn over(&self) -> Option<Kind> {
        Some(Kind::Probe)
    }

    fn open(&self, _: &Settings, _: Deadline) -> Result<Instrument, Failure> {
        Err(rtt::needs_probe(self.driver()))
    }

    fn open_over(&self, below: Below, settings: &Settings, deadline: Deadline) -> Result<Instrument, Failure> {
        let Below::Probe(probe) = below else { return self.open(settings, deadline) };
        let (table, block, image) = firmware(settings)?;
        // Otherwise defmt-rtt writes over what was not read yet, and nobody can tell.
        let mode = rtt::mode(settings).or(Some(Mode::Wait));
        rtt::open(self.driver(), probe, rtt::place(settings, block, mode), image, Box::new(table), rtt::poll(settings))
    }
}

/// What the firmware's ELF tells.
fn firmware(settings: &Settings) -> Result<(LogTable, Block, Vec<Segment>), Failure> {
    let path = settings.text(rtt::ELF).unwrap_or_default();
    let elf = rtt::read_elf(path)?;
    let location = if settings.text("location") == Some(SHOWN) { Location::Shown } else { Location::Hidden };
    let fail = |kind| Failure::new(format!("ELF {path}"), "tell what the firmware's log says", kind);
    let table = LogTable::parse(&elf, location).map_err(fail)?;
    Ok((table, Block::At(rtt::control_block(&elf).map_err(fail)?), rtt::image(&elf)))
}
