//! What a person does with one station: power, reset, flash, console, and the safe state by force.
//!
//! Boundary: single acts, each with the lock, the journal and the safe state of a trial. Only the instruments that an act needs are opened, so
//! that other tools can have the rest; those that have a safe state are always among them.

pub mod keys;
pub mod mode;

use std::sync::Arc;
use std::time::Duration;

use brickproof_firmware::{Firmware, KeyStore, PUBLISHED};
use brickproof_instruments::{Deadline, Drive, Failure, FailureKind, Kind, Memory, Output, Reading, Region, now};
use brickproof_light::{Calibration, Sample};
use brickproof_scenario::plan::{Door, Way};
use brickproof_trial::Stamp;
use brickproof_units::{Instant, Span, Voltage};

use crate::asking::ask;
use crate::eyes;
use crate::file;
use crate::provision::{self, feed_with, usual_output};
use crate::senses;
use crate::state::StateFolder;
use crate::station::{ACTION, OpenError, OpenStation, Restored, told};

/// A line at the slowest usual rate; assumed, as for a trial.
const SENDING: Span = Span::secs(5);
/// Reading 2 MiB, over a slow probe; assumed, at 30 KiB/s.
const READING_OUT: Span = Span::secs(90);
/// Read between two looks at the deadline.
const PIECE: usize = 4096;
/// The length of a register.
const WORD: u32 = 4;
/// Instruments that have a safe state.
const SAFE: [Kind; 3] = [Kind::Lines, Kind::Supply, Kind::Firewall];

/// What the station is wanted for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Purpose {
    /// To switch its source. Whatever was left on is made safe first.
    Power,
    /// To reset its board.
    Reset,
    /// To write to its board.
    Flash,
    /// To read or write its board's keys in that way.
    Keys(Door),
    /// To put its board into a mode in that way, and to see that it is there.
    Mode(Way),
    /// To talk to its board.
    Console,
    /// To look at its light and to listen.
    Watch,
    /// To read its memory and do nothing else to it.
    ReadOut,
}

impl Purpose {
    fn needs(self, kind: Kind) -> bool {
        let own: &[Kind] = match self {
            Self::Power | Self::Reset => &[],
            Self::Flash | Self::ReadOut | Self::Keys(Door::Probe) => &[Kind::Probe],
            Self::Keys(Door::Dfu) => &[Kind::Dfu],
            Self::Mode(Way::Baud) => &[Kind::Console, Kind::Light, Kind::Dfu],
            Self::Mode(Way::Buttons | Way::Request) => &[Kind::Light, Kind::Dfu],
            Self::Console => &[Kind::Console],
            Self::Watch => &[Kind::Console, Kind::Light],
        };
        SAFE.contains(&kind) || own.contains(&kind)
    }
}

/// Where the board's power comes from while somebody works on it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Source {
    /// Somebody left it on; it stays so.
    LeftOn,
    /// It is off, and can be switched on.
    Ours,
    /// The station has none.
    NotOurs,
}

/// A station for one act.
#[derive(Debug)]
pub struct AtHand {
    /// The station.
    pub station: Arc<OpenStation>,
    /// What an earlier process had not left safe.
    pub restored: Option<Restored>,
    /// Who feeds the board.
    pub source: Source,
}

/// Takes the station for one act.
///
/// # Errors
/// Everything that keeps it from being used.
pub async fn open(
    bench: &str,
    station: &file::Station,
    state: &StateFolder,
    purpose: Purpose,
) -> Result<AtHand, OpenError> {
    let own = |kind| purpose.needs(kind) && !SAFE.contains(&kind);
    let below = station.instruments.iter().filter(|(kind, _)| own(**kind)).find_map(|(_, driver)| driver.over());
    let part = part_of(station, |kind| purpose.needs(kind) || below == Some(kind));
    if purpose != Purpose::Power
        && let Some(station) = OpenStation::open_beside_its_source(bench, &part, state).await?
    {
        return Ok(AtHand { station, restored: None, source: Source::LeftOn });
    }
    let (station, restored) = OpenStation::open(bench, &part, state).await?;
    let source = if station.supply.is_some() { Source::Ours } else { Source::NotOurs };
    Ok(AtHand { station, restored, source })
}

fn part_of(station: &file::Station, wanted: impl Fn(Kind) -> bool) -> file::Station {
    let mut part = station.clone();
    part.instruments.retain(|kind, _| wanted(*kind));
    // Whoever works at a desk looks at the first light.
    part.lights.clear();
    part
}

/// Forces the safe state of a station, whatever its journal says; answers what was left unsafe.
///
/// # Errors
/// Everything that keeps it from being safe, or from being known to be.
pub async fn make_safe(
    bench: &str,
    station: &file::Station,
    state: &StateFolder,
) -> Result<Option<Restored>, Vec<String>> {
    let part = part_of(station, |kind| SAFE.contains(&kind));
    let opened = OpenStation::open_what_is_there(bench, &part, state).await.map_err(|error| vec![error.to_string()])?;
    let mut problems: Vec<String> = opened.missing.iter().map(|(_, failure)| told(failure)).collect();
    if let Err(failures) = opened.station.make_safe().await {
        // That one which is not open could not be used says less than why it is not.
        let known = |failure: &&Failure| problems.is_empty() || !matches!(failure.kind(), FailureKind::Missing(_));
        let told: Vec<String> = failures.iter().filter(known).map(told).collect();
        problems.extend(told);
    }
    if problems.is_empty() { Ok(opened.restored) } else { Err(problems) }
}

/// Whether a board and its supply bear this voltage, before anything is opened.
///
/// # Errors
/// Why not.
pub fn bears(station: &file::Station, voltage: Voltage) -> Result<(), String> {
    let input = station.board.input;
    if voltage < input.minimum || voltage > input.maximum {
        return Err(format!(
            "a {} is fed with {} to {}, and not with {voltage}",
            station.board.name, input.minimum, input.maximum
        ));
    }
    let Some((capabilities, _)) = crate::fitness::offer(station, Kind::Supply) else {
        return Err("the station has no `supply`".to_owned());
    };
    match capabilities.voltage {
        Some(reach) if !reach.holds(voltage) => {
            Err(format!("its supply gives {} to {}, and not {voltage}", reach.least, reach.most))
        }
        _ => Ok(()),
    }
}

/// Switches the source on and waits until the board has what it needs; `None` is the board's usual voltage. What is not measured is not
/// answered. The station must have left its safe state.
///
/// # Errors
/// The supply's; also a voltage that does not come up.
pub async fn feed(station: &OpenStation, voltage: Option<Voltage>) -> Result<Option<Reading>, Failure> {
    let usual = usual_output(station);
    let output = Output { voltage: voltage.unwrap_or(usual.voltage), ..usual };
    if !station.measures_voltage() {
        station.power_on(output).await?;
        return Ok(None);
    }
    feed_with(station, output).await?;
    station.measure().await.map(Some)
}

/// Whether a source that is off was seen to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Off {
    /// It was measured.
    Measured,
    /// Its supply cannot measure.
    NotMeasured,
}

/// Switches the source off.
///
/// # Errors
/// The supply's; also that it does not measure as off.
pub async fn power_off(station: &OpenStation) -> Result<Off, Failure> {
    match station.power_off().await {
        Ok(()) => Ok(Off::Measured),
        Err(failure) if matches!(failure.kind(), FailureKind::Unsupported(_)) && !station.measures_voltage() => {
            Ok(Off::NotMeasured)
        }
        Err(failure) => Err(failure),
    }
}

/// Pulls RESET for a while. The station must have left its safe state.
///
/// # Errors
/// Those of the lines.
pub async fn reset(station: &OpenStation, hold: Span) -> Result<(), Failure> {
    station.drive("reset", Drive::Asserted).await?;
    tokio::time::sleep(Duration::from_nanos(hold.as_nanos())).await;
    station.drive("reset", Drive::Released).await.map(drop)
}

/// What becomes of the keys when firmware is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Keys {
    /// The published genuine ones are written; an identity that is not the rig's is kept in a backup first.
    Genuine,
    /// Whatever is there stays.
    AsTheyAre,
}

/// What was written to a board.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Written {
    /// Bytes of firmware; zero if they were there.
    pub firmware: usize,
    /// Bytes of keys; `None` if they were left alone.
    pub keys: Option<usize>,
}

/// Writes firmware to the board that the station says it has, verifies it, and lets it run. The board must have power and the station have
/// left its safe state.
///
/// # Errors
/// Another board sits there: nothing is written. Or the probe's.
pub async fn flash(station: &OpenStation, firmware: &Firmware, keys: Keys) -> Result<Written, Failure> {
    provision::right_board(station).await.map_err(provision::Unready::into_failure)?;
    let Some(store) = KeyStore::of(station.board(), firmware) else {
        let why = format!("a {}, whose profile has no key areas that the rig knows", station.board().name);
        return Err(Failure::new(
            format!("station {}", station.name()),
            "write firmware and keys",
            FailureKind::Unsupported(why),
        ));
    };
    if keys == Keys::Genuine {
        station.may_write(&PUBLISHED.device_old)?;
        provision::keep_strange_keys(station, store).await?;
    }
    let pieces = firmware.pieces(station.board().flash.at.0);
    let mut groups = vec![pieces.map(|(address, bytes)| (address, bytes.to_vec())).collect::<Vec<_>>()];
    if keys == Keys::Genuine {
        groups.push(store.factory_content().map(|content| (content.address, content.bytes)).into_iter().collect());
    }
    let written = provision::write_groups(station, groups).await?;
    let written = Written { firmware: written.first().copied().unwrap_or_default(), keys: written.get(1).copied() };
    provision::restart(station).await?;
    Ok(written)
}

/// What reading a board did to it besides.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Attached {
    /// It ran before and after, and meanwhile: nobody reset or stopped it.
    WhileItRan,
    /// It was off. It was held in reset until the probe had it halted before its first instruction.
    BeforeItRan,
    /// It was off, and its firmware ran from when it had power, because it could not be held in reset.
    AfterItRan {
        /// Why not.
        because: String,
    },
}

/// Reads memory of the board, in this order, and does nothing else to it. A board that is off is held in reset before it is fed, so that its
/// firmware cannot change anything, and is without power again before the probe lets go of it; one that has power is left running. The station
/// must have left its safe state.
///
/// # Errors
/// The probe's, also that the part keeps debuggers out; the supply's.
pub async fn read_out(
    station: &OpenStation,
    source: Source,
    regions: Vec<Region>,
) -> Result<(Vec<Vec<u8>>, Attached), Failure> {
    let attached = match source {
        Source::LeftOn | Source::NotOurs => Attached::WhileItRan,
        Source::Ours => {
            let held = ask(station.probe()?, "hold the board in reset", provision::READING, |probe, deadline| {
                probe.hold_reset(deadline)
            });
            let held = held.await;
            feed(station, None).await?;
            held.map_or_else(|failure| Attached::AfterItRan { because: told(&failure) }, |()| Attached::BeforeItRan)
        }
    };
    let read = ask(station.probe()?, "read the board out", READING_OUT, move |probe, deadline| {
        let mut read = Vec::new();
        let looked = probe.look(
            &mut |memory| {
                read = regions.iter().map(|region| read_region(memory, *region, deadline)).collect::<Result<_, _>>()?;
                Ok(())
            },
            deadline,
        );
        looked.map(|()| read)
    });
    let read = read.await;
    if source == Source::Ours {
        // A core that is let go runs: it would change the unit that was just read.
        power_off(station).await?;
    }
    let detached =
        ask(station.probe()?, "let go of the board", provision::READING, |probe, deadline| probe.detach(deadline));
    let detached = detached.await;
    let read = read?;
    detached.map(|()| (read, attached))
}

fn read_region(memory: &mut dyn Memory, region: Region, deadline: Deadline) -> Result<Vec<u8>, FailureKind> {
    if let Region { address, length: WORD } = region {
        // A register may have no bytes.
        let mut word = [0];
        memory.read_words(address, &mut word)?;
        return Ok(word[0].to_le_bytes().to_vec());
    }
    let mut bytes = vec![0; region.length as usize];
    for (index, piece) in bytes.chunks_mut(PIECE).enumerate() {
        if deadline.has_passed() {
            return Err(FailureKind::NoAnswer(deadline.within()));
        }
        memory.read(region.address + (index * PIECE) as u32, piece)?;
    }
    Ok(bytes)
}

/// Somebody who talks to a board.
#[derive(Debug)]
pub struct Conversation<'a> {
    station: &'a OpenStation,
    began: Instant,
}

impl<'a> Conversation<'a> {
    /// One that begins now.
    pub fn begin(station: &'a OpenStation) -> Self {
        Self { station, began: now() }
    }

    /// How long ago that was.
    pub fn elapsed(&self) -> Span {
        now().since(self.began)
    }

    /// What came next, and when that was since the beginning; `None` if nothing did within a time.
    ///
    /// # Errors
    /// The console's.
    pub async fn hear(&self, within: Span) -> Result<Option<(Span, Vec<u8>)>, Failure> {
        // A computer that is busy comes to it late, which is no failure of the console's.
        let read = ask(self.station.console()?, "read from it", within + ACTION, move |console, _| {
            console.read(Deadline::after(within))
        });
        Ok(read.await?.map(|chunk| (chunk.arrival.at.since(self.began), chunk.bytes)))
    }

    /// Chooses how its light is looked at.
    ///
    /// # Errors
    /// The sensor's.
    pub async fn open_eyes(&self) -> Result<(), Failure> {
        eyes::open(self.station).await
    }

    /// Looks at the dark of a board without power, so that its light is told from the room's; chooses how it is looked at, too.
    ///
    /// # Errors
    /// The sensor's.
    pub async fn see_the_dark(&self) -> Result<Calibration, Failure> {
        eyes::calibrate(self.station).await
    }

    /// What its light is like next; its instant counts from the beginning.
    ///
    /// # Errors
    /// The sensor's.
    pub async fn see(&self) -> Result<Sample, Failure> {
        let light = self.station.light()?;
        let exposure = ask(light, "see the light", ACTION, |light, deadline| light.sample(deadline)).await?;
        let at = Instant::START + exposure.end.at.since(self.began);
        Ok(senses::sample(Stamp::exact(at), &exposure))
    }

    /// Says something to the board.
    ///
    /// # Errors
    /// The console's.
    pub async fn say(&self, bytes: Vec<u8>) -> Result<(), Failure> {
        let write = ask(self.station.console()?, "write to it", SENDING.max(ACTION), move |console, deadline| {
            console.write(&bytes, deadline)
        });
        write.await.map(drop)
    }
}
