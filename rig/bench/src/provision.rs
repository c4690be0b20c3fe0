//! Puts a board into the state in which a trial begins: it is the right one, it has the image and the genuine keys, it has no power.
//! If that does not succeed, a ladder of what may help, and at its end the station is retired.
//!
//! Boundary: the probe's side of a station. Which image and which keys is [`brickproof_firmware`]'s.

use std::fmt::Write as _;
use std::sync::Arc;
use std::time::Duration;

use brickproof_boards::{BoardProfile, InputLimits};
use brickproof_firmware::{Firmware, KeyStore, Memory, PUBLISHED, ReadMemory, StoreError, private_keys_of};
use brickproof_instruments::{Deadline, Drive, Failure, FailureKind, Kind, Moment, Output, Probe, Region};
use brickproof_keys::KeySet;
use brickproof_keys::lantern_layout::Area;
use brickproof_units::{Current, Span, Voltage};
use sha2::{Digest, Sha256};

use crate::asking::ask;
use crate::file::Identity;
use crate::fitness::offer;
use crate::station::{FORGETS, OpenStation, told};

/// Programming and verifying a whole part, over a slow probe; assumed: 1 MiB at 30 KiB/s takes 35 s.
const WRITING: Span = Span::secs(60);
/// Attaching and reading some kilobytes, over a slow probe; assumed.
pub(crate) const READING: Span = Span::secs(10);
/// The same, and an erased page with its neighbours written back; assumed. A trial waits 30 s for it.
pub(crate) const WRITING_A_SLOT: Span = Span::secs(20);
/// So much of flash is read in one request.
const READ_AT_ONCE: u32 = 64 * 1024;
/// A USB port's voltage: what is fed in for the probe's sake, if supply and board bear it.
const USUAL_INPUT: Voltage = Voltage::new(5_000_000);
/// How long a supply may take to come up.
const RISE: Span = Span::secs(2);
const BETWEEN_READINGS: Duration = Duration::from_millis(5);
/// Regulators need 1 to 3 ms from the board's minimum to their nominal voltage, and the part some more to start; assumed.
const SETTLES: Duration = Duration::from_millis(20);
/// How long RESET is pulled to bring a board back: longer than any debouncing.
const RESET_PULSE: Duration = Duration::from_millis(100);

/// A memory behind a probe.
pub(crate) struct Probed<'a> {
    probe: &'a mut dyn Probe,
    deadline: Deadline,
}

impl ReadMemory for Probed<'_> {
    type Error = Failure;

    fn read(&mut self, address: u32, into: &mut [u8]) -> Result<(), Failure> {
        let region = Region { address, length: into.len() as u32 };
        let bytes = self.probe.read(region, self.deadline)?;
        if bytes.len() != into.len() {
            let kind = FailureKind::Answer(format!("{} bytes in place of {}", bytes.len(), into.len()));
            return Err(Failure::new("probe", format!("read {} bytes at {address:#010x}", into.len()), kind));
        }
        into.copy_from_slice(&bytes);
        Ok(())
    }
}

impl Memory for Probed<'_> {
    fn write(&mut self, address: u32, bytes: &[u8]) -> Result<(), Failure> {
        self.probe.program(address, bytes, self.deadline)
    }
}

impl<'a> Probed<'a> {
    pub(crate) fn new(probe: &'a mut dyn Probe, deadline: Deadline) -> Self {
        Self { probe, deadline }
    }

    /// Writes whatever is there; a second time would hide what became of the first.
    pub(crate) fn write_once(&mut self, address: u32, bytes: &[u8]) -> Result<(), Failure> {
        self.probe.program_once(address, bytes, self.deadline)
    }

    /// Writes only what differs: flash wears. True if anything did.
    fn write_what_differs(&mut self, address: u32, bytes: &[u8]) -> Result<bool, Failure> {
        let mut there = vec![0; bytes.len()];
        self.read(address, &mut there)?;
        let differs = there != bytes;
        if differs {
            self.write(address, bytes)?;
        }
        Ok(differs)
    }
}

/// Does something with the memory of the board behind the station's probe, which lets go of the board afterwards.
pub(crate) async fn with_memory<R: Send + 'static>(
    station: &OpenStation,
    asked: &'static str,
    within: Span,
    act: impl FnOnce(&mut Probed<'_>) -> Result<R, StoreError> + Send + 'static,
) -> Result<Result<R, StoreError>, Failure> {
    let work = ask(station.probe()?, asked, within, move |probe, deadline| {
        let done = act(&mut Probed { probe, deadline });
        match (probe.detach(deadline), &done) {
            (Err(failure), Ok(_)) => Err(failure),
            // The first failure tells more.
            _ => Ok(done),
        }
    });
    work.await
}

/// Writes what differs of several contents, each with its address, and verifies it; answers with the bytes that were written of each group.
pub(crate) async fn write_groups(
    station: &OpenStation,
    groups: Vec<Vec<(u32, Vec<u8>)>>,
) -> Result<Vec<usize>, Failure> {
    let work = ask(station.probe()?, "write to the board", WRITING, move |probe, deadline| {
        let mut memory = Probed { probe, deadline };
        let mut written = Vec::new();
        for contents in groups {
            let mut bytes_written = 0;
            for (address, bytes) in contents.iter().filter(|(_, bytes)| !bytes.is_empty()) {
                if memory.write_what_differs(*address, bytes)? {
                    bytes_written += bytes.len();
                }
            }
            written.push(bytes_written);
        }
        probe.detach(deadline)?;
        Ok(written)
    });
    work.await
}

/// Lets the board begin anew: programming used its RAM. Answers when it did.
pub(crate) async fn restart(station: &OpenStation) -> Result<Moment, Failure> {
    let work = ask(station.probe()?, "reset the board", READING, |probe, deadline| {
        let moment = probe.reset(deadline)?;
        probe.detach(deadline)?;
        Ok(moment)
    });
    work.await
}

/// Why a board is not ready for a trial.
#[derive(Debug)]
pub(crate) enum Unready {
    /// Something did not work; it may another time.
    Failed(Failure),
    /// Another board sits there: nothing may be written to it, and no ladder helps.
    WrongBoard(Failure),
    /// What would be written must not be, and no ladder helps.
    Refused(Failure),
}

impl Unready {
    /// What failed, whether it may help to try again or not.
    pub(crate) fn into_failure(self) -> Failure {
        match self {
            Self::Failed(failure) | Self::WrongBoard(failure) | Self::Refused(failure) => failure,
        }
    }
}

impl From<Failure> for Unready {
    fn from(failure: Failure) -> Self {
        Self::Failed(failure)
    }
}

/// A rung of the ladder: what is done before the next attempt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Rung {
    Reset,
    PowerCycle,
    LeaveBootloader,
}

impl Rung {
    const ALL: [Self; 3] = [Self::Reset, Self::PowerCycle, Self::LeaveBootloader];

    const fn words(self) -> &'static str {
        match self {
            Self::Reset => "after a reset",
            Self::PowerCycle => "after a power cycle",
            Self::LeaveBootloader => "after leaving its bootloader",
        }
    }
}

/// That a station is of no use any more, and why.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Retired(pub(crate) Arc<str>);

/// Provisions the board, up the ladder if need be; says what was written and what it took.
pub(crate) async fn provision(station: &OpenStation, firmware: &Firmware, keys: KeyStore) -> Result<Arc<str>, Retired> {
    let mut tried = String::new();
    let mut rungs = Rung::ALL.into_iter();
    let mut after = "";
    loop {
        let unready = match attempt(station, firmware, keys).await {
            Ok(done) if tried.is_empty() => return Ok(done.into()),
            Ok(done) => return Ok(format!("{done} {after}; before that: {tried}").into()),
            Err(Unready::WrongBoard(failure) | Unready::Refused(failure)) => {
                return Err(Retired(told(&failure).into()));
            }
            Err(Unready::Failed(failure)) => failure,
        };
        let separator = if tried.is_empty() { "" } else { "; " };
        let colon = if after.is_empty() { "" } else { ": " };
        let _ = write!(tried, "{separator}{after}{colon}{}", told(&unready));
        let Some(rung) = next_rung(station, &mut rungs).await else {
            return Err(Retired(format!("its board could not be provisioned: {tried}").into()));
        };
        after = rung.words();
    }
}

/// Takes the next rung that this station has and that can be taken.
async fn next_rung(station: &OpenStation, rungs: &mut impl Iterator<Item = Rung>) -> Option<Rung> {
    for rung in rungs {
        let taken = match rung {
            Rung::Reset => pulse_reset(station).await,
            Rung::PowerCycle => power_cycle(station).await,
            Rung::LeaveBootloader => leave_bootloader(station).await,
        };
        if taken.is_ok() {
            return Some(rung);
        }
    }
    None
}

async fn pulse_reset(station: &OpenStation) -> Result<(), Failure> {
    station.drive("reset", Drive::Asserted).await?;
    tokio::time::sleep(RESET_PULSE).await;
    station.drive("reset", Drive::Released).await.map(drop)
}

pub(crate) async fn power_cycle(station: &OpenStation) -> Result<(), Failure> {
    station.power_off().await?;
    tokio::time::sleep(FORGETS).await;
    Ok(())
}

async fn leave_bootloader(station: &OpenStation) -> Result<(), Failure> {
    let Some(dfu) = &station.dfu else {
        return Err(Failure::new(station.name(), "use its dfu", FailureKind::Missing("it has none".to_owned())));
    };
    ask(dfu, "leave the bootloader", WRITING, |dfu, deadline| {
        if dfu.is_there(deadline)? { dfu.leave(deadline).map(drop) } else { Ok(()) }
    })
    .await
}

/// A board that was left as it was.
#[derive(Debug)]
pub(crate) struct AsFound {
    /// What was found, as far as it could be read.
    pub(crate) words: Arc<str>,
    /// Its keys, if a probe finds them.
    pub(crate) keys: Option<KeySet>,
    /// SHA-256 of its flash, if a probe could read it.
    pub(crate) sha256: Option<Arc<str>>,
}

/// Looks at a board as far as a probe can, and leaves it without power; nothing is written to it.
pub(crate) async fn leave_as_found(station: &OpenStation) -> Result<AsFound, Retired> {
    let retired = |failure: &Failure| Retired(told(failure).into());
    if station.probe.is_none() {
        station.power_off().await.map_err(|failure| retired(&failure))?;
        let words = "left as found; not read: the station has no probe".into();
        return Ok(AsFound { words, keys: None, sha256: None });
    }
    feed(station).await.map_err(|failure| retired(&failure))?;
    right_board(station).await.map_err(|unready| retired(&unready.into_failure()))?;
    let read = read_what_is_there(station).await;
    station.power_off().await.map_err(|failure| retired(&failure))?;
    // A part that does not let itself be read is as it is: that is no reason not to look at what it does.
    Ok(match read {
        Ok((digest, keys)) => {
            let found = keys.as_ref().map_or_else(|| "keys not read".to_owned(), |keys| format!("keys {keys}"));
            let words = format!("left as found: flash sha256 {digest}; {found}").into();
            AsFound { words, keys, sha256: Some(digest.into()) }
        }
        Err(failure) => {
            let words = format!("left as found; not read: {}", told(&failure)).into();
            AsFound { words, keys: None, sha256: None }
        }
    })
}

/// The digest of all of its flash, and the keys in it.
async fn read_what_is_there(station: &OpenStation) -> Result<(String, Option<KeySet>), Failure> {
    let board = Arc::clone(&station.file().board);
    let work = ask(station.probe()?, "read what is on the board", WRITING, move |probe, deadline| {
        let mut digest = Sha256::new();
        let (start, length) = (board.flash.at.0, board.flash.size().0);
        for offset in (0..length).step_by(READ_AT_ONCE as usize) {
            let region = Region { address: start + offset, length: READ_AT_ONCE.min(length - offset) };
            digest.update(probe.read(region, deadline)?);
        }
        let digest: String = digest.finalize().iter().map(|byte| format!("{byte:02x}")).collect();
        let mut memory = Probed { probe, deadline };
        let keys = match KeyStore::recognised(&board, &mut memory) {
            Ok(Some(store)) => store.read_set(&mut memory).map(Some),
            Ok(None) => Ok(None),
            Err(error) => Err(error),
        };
        let keys =
            keys.map_err(|error| Failure::new("probe", "read the key areas", FailureKind::Answer(error.happened)))?;
        probe.detach(deadline)?;
        Ok((digest, keys))
    });
    work.await
}

async fn attempt(station: &OpenStation, firmware: &Firmware, keys: KeyStore) -> Result<String, Unready> {
    feed(station).await?;
    right_board(station).await?;
    let identities = if firmware.is_as_found() {
        private_keys_of(station.board(), firmware)
    } else {
        vec![PUBLISHED.device_old.clone()]
    };
    identities.iter().try_for_each(|key| station.may_write(key)).map_err(Unready::Refused)?;
    keep_strange_keys(station, keys).await?;
    let contents: Vec<(u32, Vec<u8>)> = firmware
        .pieces(station.board().flash.at.0)
        .map(|(address, bytes)| (address, bytes.to_vec()))
        .chain(keys.written_first().into_iter().map(|content| (content.address, content.bytes)))
        .collect();
    let written = ask(station.probe()?, "write firmware and keys", WRITING, move |probe, deadline| {
        let mut memory = Probed { probe, deadline };
        let mut written = 0;
        for (address, bytes) in &contents {
            if memory.write_what_differs(*address, bytes)? {
                written += bytes.len();
            }
        }
        probe.detach(deadline)?;
        Ok(written)
    });
    let written = written.await?;
    station.power_off().await?;
    Ok(match written {
        0 => "firmware and keys were there".to_owned(),
        bytes => format!("wrote {bytes} bytes"),
    })
}

/// Feeds the board, so that a probe can reach it, and waits until it runs.
pub(crate) async fn feed(station: &OpenStation) -> Result<(), Failure> {
    feed_with(station, usual_output(station)).await
}

/// The same with this output.
pub(crate) async fn feed_with(station: &OpenStation, output: Output) -> Result<(), Failure> {
    station.power_on(output).await?;
    let rises = Deadline::after(RISE);
    let minimum = station.board().input.minimum;
    loop {
        let reading = station.measure().await?;
        if reading.voltage.is_none_or(|voltage| voltage >= minimum) {
            break;
        }
        if rises.has_passed() {
            let measured = reading.voltage.unwrap_or_default();
            let kind = FailureKind::ReadBack(format!("{measured} at the output, and the board needs {minimum}"));
            return Err(Failure::new(
                format!("supply of {}", station.name()),
                format!("come up to {}", output.voltage),
                kind,
            )
            .with_help("look for a short circuit, a current limit, or a switch that did not close"));
        }
        tokio::time::sleep(BETWEEN_READINGS).await;
    }
    tokio::time::sleep(SETTLES).await;
    Ok(())
}

/// What a board lives on when no scenario says so.
pub(crate) fn usual_output(station: &OpenStation) -> Output {
    let InputLimits { minimum, maximum, current_ceiling } = station.board().input;
    let (reach, most) = match offer(station.file(), Kind::Supply) {
        Some((capabilities, _)) => (capabilities.voltage, capabilities.current),
        None => (None, None),
    };
    let mut voltage = USUAL_INPUT.clamp(minimum, maximum);
    if let Some(reach) = reach {
        voltage = voltage.clamp(reach.least, reach.most);
    }
    let limit = most.map(|most: Current| most.min(current_ceiling));
    Output { voltage, limit }
}

/// Holds the board to the station's `serial`, before anything is written to it.
pub(crate) async fn right_board(station: &OpenStation) -> Result<(), Unready> {
    let Some(expected) = &station.file().serial else { return Ok(()) };
    let found = identity(station).await?;
    if found == *expected {
        return Ok(());
    }
    let kind = FailureKind::Refused(format!("the board there is {found}, and the bench file says {expected}"));
    let failure = Failure::new(format!("station {}", station.name()), "write to its board", kind);
    Err(Unready::WrongBoard(failure.with_help("put the right board back, or write its id into the bench file")))
}

/// The unique id of the board that sits there.
pub(crate) async fn identity(station: &OpenStation) -> Result<Identity, Failure> {
    let place = station.board().identity;
    let region = Region { address: place.address.0, length: place.length.0 };
    let read = ask(station.probe()?, "read the board's unique id", READING, move |probe, deadline| {
        let bytes = probe.read(region, deadline)?;
        probe.detach(deadline)?;
        Ok(bytes)
    });
    read.await.map(Identity::of)
}

/// An identity that the rig did not make is somebody's: it is kept before it is written over.
pub(crate) async fn keep_strange_keys(station: &OpenStation, keys: KeyStore) -> Result<(), Failure> {
    let read = ask(station.probe()?, "read the key areas", READING, move |probe, deadline| {
        let mut memory = Probed { probe, deadline };
        let areas = [Area::A, Area::B].map(|area| keys.read_area(&mut memory, area));
        areas
            .into_iter()
            .collect::<Result<Vec<_>, _>>()
            .map_err(|error| Failure::new("probe", "read the key areas", FailureKind::Answer(error.happened)))
    });
    for area in read.await? {
        if let Some(fingerprint) = KeyStore::strange_identity(&area) {
            station.keep_backup(&format!("{fingerprint}.keys"), &area).map_err(|error| {
                Failure::new(
                    format!("station {}", station.name()),
                    "keep the keys of its board",
                    FailureKind::Refused(error.to_string()),
                )
                .with_help("they are not written over before they are kept")
            })?;
        }
    }
    Ok(())
}

/// What the board's rail has while its input has this: never more than it makes, and never more than it is given. The true value is lower
/// by a regulator's dropout, and later by what its capacitors hold.
pub(crate) fn rail_of(board: &BoardProfile, input: Voltage) -> Voltage {
    board.rails.first().map_or(input, |rail| rail.nominal.min(input))
}
