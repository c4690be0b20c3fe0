//! The keys of a station's board by hand: read, written and read back, renewed.
//!
//! Boundary: the board must have power, and be in its bootloader where that is the way. Files and words are the caller's.

use std::path::PathBuf;
use std::sync::Arc;

use brickproof_firmware::{KeysBehind, StoreError};
use brickproof_instruments::{Failure, FailureKind};
use brickproof_keys::{Fingerprint, KeySet, PublicHalf, Slot, check};
use brickproof_scenario::plan::Door;
use brickproof_units::Span;
use tokio::task::spawn_blocking;

use crate::bootloader::{self, with_bootloader};
use crate::hands::keys::{Behind, act_on, made};
use crate::keyfile;
use crate::provision::{self, with_memory};
use crate::register::{REGISTERING, register};
use crate::station::OpenStation;

/// Why a board's keys cannot be handled in that way on a station, before anything is opened; nothing if they can.
pub fn unfit(station: &crate::file::Station, through: Door) -> Option<String> {
    use brickproof_instruments::Kind;
    let has = |kind| station.instruments.contains_key(&kind);
    match (KeysBehind::are_known(&station.board, through), through) {
        (Err(why), _) => Some(why),
        (Ok(()), Door::Probe) => (!has(Kind::Probe)).then(|| "the station has no `probe`".to_owned()),
        (Ok(()), Door::Dfu) if !has(Kind::Dfu) => Some("the station has no `dfu`".to_owned()),
        (Ok(()), Door::Dfu) if !bootloader::knows_its_board(station) => {
            Some("the station's `dfu` has no `serial`: its keys may be those of another board".to_owned())
        }
        (Ok(()), Door::Dfu) => None,
    }
}

/// What the slots hold.
///
/// # Errors
/// Those of the probe or the bootloader.
pub async fn read(station: &OpenStation, through: Door) -> Result<KeySet, Failure> {
    let read = |keys: KeysBehind, memory: &mut Behind<'_>| keys.read_set(memory);
    with_keys(station, "read the key slots", through, provision::READING, read).await
}

/// Does something with the keys behind a door.
async fn with_keys<R: Send + 'static>(
    station: &OpenStation,
    asked: &'static str,
    through: Door,
    within: Span,
    act: impl FnOnce(KeysBehind, &mut Behind<'_>) -> Result<R, StoreError> + Send + 'static,
) -> Result<R, Failure> {
    let board = Arc::clone(&station.file().board);
    let done = match through {
        Door::Probe => {
            let act = move |memory: &mut provision::Probed<'_>| act_on(&board, through, None, memory, act);
            with_memory(station, asked, within, act).await?
        }
        Door::Dfu => {
            let alternate = KeysBehind::alternate(&board).map_err(|why| answer(station, asked, &why))?.number;
            let act = move |memory: &mut bootloader::InBootloader<'_>| act_on(&board, through, None, memory, act);
            with_bootloader(station, alternate, asked, act).await?
        }
    };
    done.map_err(|error| answer(station, error.asked, &error.happened))
}

/// Writes all slots, reads them back and compares. Nothing is written to another board than the station's, and no device key that the cloud
/// of its board no longer accepts, as far as the rig has had to do with it.
///
/// # Errors
/// Any of these, and those of the probe or the bootloader.
pub async fn write(station: &OpenStation, through: Door, keys: KeySet) -> Result<(), Failure> {
    station.may_write(keys.get(Slot::DevicePrivate))?;
    if station.probe.is_some() {
        provision::right_board(station).await.map_err(provision::Unready::into_failure)?;
    }
    if through == Door::Dfu {
        bootloader::is_ours(station)?;
    }
    let write = move |behind: KeysBehind, memory: &mut Behind<'_>| behind.write_set(memory, &keys);
    with_keys(station, "write the key slots", through, provision::WRITING_A_SLOT, write).await?;
    match through {
        Door::Probe => provision::restart(station).await.map(drop),
        Door::Dfu => Ok(()),
    }
}

/// The same with the genuine server's slots, and the device key as it is.
///
/// # Errors
/// As [`write()`], and if the bench file does not say which server that is.
pub async fn write_genuine_server(station: &OpenStation, through: Door) -> Result<KeySet, Failure> {
    let Some(server) = station.file().keys.server.clone() else {
        let why = FailureKind::Unsupported("its bench file does not say which server is the genuine one".to_owned());
        return Err(Failure::new(format!("station {}", station.name()), "write the genuine server key", why)
            .with_help("add `keys: { server: { key: FILE, address: HOST } }` to the station"));
    };
    let mut keys = read(station, through).await?;
    keep(station, &keys)?;
    for content in server {
        keys.set(content);
    }
    write(station, through, keys.clone()).await?;
    Ok(keys)
}

/// A board's new identity.
#[derive(Clone, Debug)]
pub struct NewIdentity {
    /// The device key that was there; `None` if what was there was no key.
    pub old: Option<Fingerprint>,
    /// The one that is there now.
    pub new: Fingerprint,
    /// What a server has to know of it.
    pub public: PublicHalf,
    /// Where what was there is kept.
    pub kept: PathBuf,
}

/// Who is told of a new identity.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Registration {
    /// The program that the bench file names. If it refuses, the old key is written back.
    ByProgram,
    /// Somebody, later: until then no cloud accepts the new one, and the old one may be written back.
    ByHand,
}

/// Gives the board a device key that is made here and now. What was there is kept first: without that nothing is written.
///
/// # Errors
/// Whatever keeps that from being done, each in the order in which it is tried.
pub async fn renew(station: &OpenStation, through: Door, registration: Registration) -> Result<NewIdentity, Failure> {
    let asked = "give the board a new identity";
    let refused = |why: &dyn std::fmt::Display| {
        Failure::new(format!("station {}", station.name()), asked, FailureKind::Refused(why.to_string()))
    };
    let program = match (registration, &station.file().keys.register) {
        (Registration::ByHand, _) => None,
        (Registration::ByProgram, Some(program)) => Some(program.clone()),
        (Registration::ByProgram, None) => return Err(refused(&"its bench file names no program that registers one")),
    };
    let before = read(station, through).await?;
    let kept = keep(station, &before)?;
    let found = before.get(Slot::DevicePrivate);
    let old = check(found).is_ok().then(|| found.fingerprint());
    let device = made(found.shape()).await.map_err(|why| refused(&why))?;
    let public = PublicHalf::of(&device).map_err(|fault| refused(&fault))?;
    let new = device.fingerprint();
    let mut keys = before.clone();
    keys.set(device);
    write(station, through, keys).await?;
    if let Some(program) = program {
        let half = public.clone();
        let registered = spawn_blocking(move || register(&program, &half, REGISTERING)).await;
        if let Err(failure) = registered.unwrap_or_else(|panic| std::panic::resume_unwind(panic.into_panic())) {
            let back = match write(station, through, before).await {
                Ok(()) => "the old key is written back".to_owned(),
                Err(error) => {
                    format!("and the old key could not be written back: {error}; it is kept in {}", kept.display())
                }
            };
            let help = failure.help().map(|help| format!("{help}; {back}")).unwrap_or(back);
            return Err(failure.with_help(help));
        }
        station.note_identity(old, new).map_err(|error| refused(&error))?;
    }
    Ok(NewIdentity { old, new, public, kept })
}

fn keep(station: &OpenStation, keys: &KeySet) -> Result<PathBuf, Failure> {
    let name = format!("{}.keys.json", keys.get(Slot::DevicePrivate).fingerprint());
    station.keep_backup(&name, keyfile::write(&station.board().name, keys).as_bytes()).map_err(|error| {
        let kind = FailureKind::Refused(error.to_string());
        Failure::new(format!("station {}", station.name()), "keep the keys of its board", kind)
            .with_help("they are not changed before they are kept")
    })
}

fn answer(station: &OpenStation, asked: &str, happened: &str) -> Failure {
    Failure::new(format!("station {}", station.name()), asked, FailureKind::Answer(happened.to_owned()))
}
