//! What passes between a trial and its driver: actions out, observations in.
//!
//! Boundary: these are requests and facts. How they are carried out (a supply over SCPI, an emulated board) is not visible here.

use std::borrow::Cow;
use std::sync::Arc;

use brickproof_boards::LedIndex;
use brickproof_cloud::CloudEvent;
use brickproof_keys::{Corruption, Fingerprint, Part, Slot};
use brickproof_light::Sample;
use brickproof_scenario::plan::{
    CloudSetting, Door, Edge, Entry, Fault, FirmwareContent, KeyWork, SlotContent, SupplySetting, Transfer,
    UsbPresence, Way,
};
use brickproof_units::{Current, Instant, Ratio, Span, Voltage};

use crate::verdict::Blame;

/// When something was observed, and how sure that is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stamp {
    /// The best estimate.
    pub at: Instant,
    /// The true instant is no further than this from it.
    pub uncertainty: Span,
}

impl Stamp {
    /// An instant that is known exactly, as in simulation.
    pub const fn exact(at: Instant) -> Self {
        Self { at, uncertainty: Span::ZERO }
    }
}

/// The number of a request; its answer carries the same.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ActionId(pub u32);

/// One request to the world.
#[derive(Clone, Debug, PartialEq)]
pub struct Action {
    /// The answer must carry it.
    pub id: ActionId,
    /// What to do.
    pub command: Command,
}

/// What the world can be asked to do. Each is answered by one [`Observation::Answered`].
#[derive(Clone, Debug, PartialEq)]
pub enum Command {
    /// Write the firmware and the genuine keys to the board, leave it without power.
    Provision,
    /// Connect the source. Disconnecting is answered when the board is measured to be without voltage, not merely silent.
    Supply(SupplySetting),
    /// Write a line to the console; the line end is added.
    Send(Arc<str>),
    /// Pull RESET low for so long.
    Reset {
        /// How long.
        hold: Span,
    },
    /// Hold a button for so long.
    Press {
        /// Its name in the board profile.
        button: Arc<str>,
        /// How long.
        hold: Span,
    },
    /// Hold a button from before RESET is pulled until so long after it was let go.
    PressThroughReset {
        /// Its name in the board profile.
        button: Arc<str>,
        /// How long RESET is pulled.
        reset: Span,
        /// How long the button is held after that.
        hold: Span,
    },
    /// Bring the board into a mode, by the first of its ways that the station has. Answered with [`Achieved::Asked`] when the board was
    /// asked, or with [`Achieved::Unserved`]; whether it is in the mode then is for the trial to see.
    Enter(Arc<Entry>),
    /// Tell the cloud how to behave.
    Cloud(CloudSetting),
    /// Damage a key slot.
    Corrupt {
        /// The slot.
        slot: Slot,
        /// In what way.
        class: Corruption,
        /// To which part of the key it is kept.
        part: Option<Part>,
        /// Through what.
        through: Door,
    },
    /// Read or write all of the key slots. A device key that the cloud no longer accepts is never written: nothing is then, and that is told.
    /// Keys that were to be saved by a step that was never reached are not written back either.
    Keys {
        /// What is done.
        work: KeyWork,
        /// Through what.
        through: Door,
    },
    /// Read a key slot and say what it holds.
    ReadSlot {
        /// The slot.
        slot: Slot,
    },
    /// Read through the probe which of the plan's firmwares the flash holds.
    ReadFirmware,
    /// Write another firmware over the one that is there, sector by sector, read it back and let the board begin anew. How far it has come is
    /// told meanwhile, see [`Observation::Progress`]. Through the bootloader only if the board is in it.
    Flash {
        /// What, and by which way.
        transfer: Transfer,
        /// Where exactly its progress has to be told, beside where it is told anyway.
        tell_at: Option<Ratio>,
    },
    /// Do something to the board on purpose. Answered when the shape is over.
    Inject(Injection),
    /// Send a reading of rail and current at once, and another whenever the rail has passed this level: a board whose power was not
    /// watched could be blamed for the lack of it, so a station that cannot do this is not fit for a trial.
    WatchRail {
        /// The least voltage with which the board works.
        minimum: Voltage,
    },
    /// Send a reading of rail and current at once and then now and then.
    ReadSupply {
        /// How often; `None` to stop.
        every: Option<Span>,
    },
    /// Leave the station safe: source off, lines released.
    MakeSafe,
}

/// A fault and the instant at which it has to strike.
#[derive(Clone, Debug, PartialEq)]
pub struct Injection {
    /// When.
    pub at: Instant,
    /// What.
    pub fault: Fault,
}

/// What came of a request.
#[derive(Clone, Debug, PartialEq)]
pub enum Achieved {
    /// It was done.
    Done,
    /// It was done; this is what changed, in words without key bytes.
    Changed(Arc<str>),
    /// The slot holds this.
    Slot(SlotContent),
    /// The board has a new device key, and the cloud accepts it in place of the old one.
    NewIdentity {
        /// What the cloud accepted before; `None` if that is not known.
        old: Option<Fingerprint>,
        /// What it accepts now.
        new: Fingerprint,
        /// What was done for it besides, in words without key bytes.
        words: Arc<str>,
    },
    /// Nothing was written: the cloud accepts another identity than the one that was to be written. Why, in words.
    Superseded(Arc<str>),
    /// The slots hold something else than what was saved: what and where, in words without key bytes.
    KeysDiffer(Arc<str>),
    /// The flash holds this.
    Firmware(FirmwareContent),
    /// So many bytes of firmware were written, and read back.
    Flashed {
        /// How many.
        bytes: u32,
    },
    /// The fault was made, in this shape.
    Injected(ShapeAchieved),
    /// The board was asked for a mode.
    Asked {
        /// In which way.
        by: Way,
        /// With the buttons: how long the button was held, and how far the true time is from that.
        held: Option<(Span, Span)>,
        /// Whether the station sees the light, so that it has to confirm the mode.
        light: bool,
        /// The same of the board's USB.
        usb: bool,
    },
    /// The board could not be asked for a mode.
    Unserved {
        /// In which way it should have been.
        by: Way,
        /// What happened, and what to try.
        why: Arc<str>,
        /// Whose fault that is, as far as the station knows.
        blame: Blame,
    },
    /// The button was held.
    Held {
        /// How long; through a reset, from when RESET was let go.
        hold: Span,
        /// The true time is no further than this from it. Zero in simulation.
        uncertainty: Span,
    },
}

/// What a fault really did to the supply.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ShapeAchieved {
    /// When it began.
    pub began: Instant,
    /// The true beginning is no further than this from it. Zero in simulation.
    pub uncertainty: Span,
    /// The lowest voltage of the rail.
    pub lowest: Voltage,
    /// How long the rail was below the board's brown-out level; for a fault without an end, until it was reported.
    pub below_brown_out: Span,
}

/// How far something has come that is written piece by piece.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Progress {
    /// So many bytes have been written at least.
    pub done: u32,
    /// Up to so many more may have been. Zero in simulation.
    pub uncertainty: u32,
    /// So many there are.
    pub total: u32,
}

impl Progress {
    /// The byte with which so much of `total` bytes is written.
    pub fn place(at: Ratio, total: u32) -> u32 {
        let place = (u64::from(total) * at.get()).div_ceil(1_000_000);
        u32::try_from(place).unwrap_or(total).min(total)
    }

    /// Whether it has come to that place, or may come to it before it is told again.
    pub fn has_come_to(self, place: u32) -> bool {
        self.done >= place || place < self.done.saturating_add(self.uncertainty)
    }
}

/// Why a request was not carried out.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CommandError {
    /// The instrument cannot do this at all.
    #[error("{instrument} cannot {asked}")]
    Unsupported {
        /// Which instrument.
        instrument: Cow<'static, str>,
        /// What it was asked.
        asked: Arc<str>,
    },
    /// The instrument tried and failed.
    #[error("{instrument} failed to {asked}: {happened}")]
    Failed {
        /// Which instrument, and where the bench has it.
        instrument: Cow<'static, str>,
        /// What it was asked.
        asked: Arc<str>,
        /// What happened.
        happened: Arc<str>,
    },
}

/// What a colour sensor saw.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Glimpse {
    /// Of which light of the board.
    pub led: LedIndex,
    /// What it read.
    pub sample: Sample,
}

/// What the world reports.
#[derive(Clone, Debug, PartialEq)]
pub enum Observation {
    /// The console delivered bytes. A simulated one delivers them one by one and borrows them.
    Console(Cow<'static, [u8]>),
    /// A colour sensor delivered a sample.
    Light(Glimpse),
    /// A line of the board changed its level.
    Edge {
        /// Its name in the board profile.
        line: Arc<str>,
        /// In which direction.
        edge: Edge,
    },
    /// The supply was read.
    Supply {
        /// The rail's voltage.
        rail: Voltage,
        /// The current drawn from the source.
        current: Current,
    },
    /// What the board is on USB, as its host sees it: at first and whenever that changes.
    Usb(UsbPresence),
    /// A request that is carried out piece by piece has come so far.
    Progress {
        /// Which request.
        id: ActionId,
        /// How far.
        progress: Progress,
    },
    /// The cloud saw or did something.
    Cloud(CloudEvent),
    /// An instrument failed that was not asked for anything: it was unplugged, or does not answer any more.
    InstrumentFailed(CommandError),
    /// A request came to its end.
    Answered {
        /// Which request.
        id: ActionId,
        /// What came of it.
        result: Result<Achieved, CommandError>,
    },
}
