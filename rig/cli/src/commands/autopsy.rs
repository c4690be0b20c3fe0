//! `brickproof autopsy`: reads a returned unit out before anything else is done to it, says what it holds, and writes a scenario that begins with
//! exactly that.
//!
//! Boundary: reads and writes files, and has a station read. What was read means is `brickproof-autopsy`'s. Nothing is written to a board.

use std::fs::{self, DirBuilder, OpenOptions};
use std::io::Write as _;
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::Path;
use std::sync::Arc;

use brickproof_autopsy::{Findings, Reading, STATE_FOLDER, as_json, foretell, known_with, scenario, tell, wanted};
use brickproof_bench::Region;
use brickproof_bench::desk::{self, Attached, Purpose};
use brickproof_boards::BoardProfile;
use brickproof_firmware::{KeyStore, State};
use brickproof_keys::lantern_layout::AREA_SIZE;
use brickproof_keys::{KnownKey, Slot, SlotContent, Standing, check};

use brickproof_scenario::printable;

use crate::arguments::{Autopsy, Format, OneStation};
use crate::exit::{Exit, Problem};
use crate::library::{self, library};
use crate::stations::{self, Afterwards, AtDesk, failed};
use crate::{files, output};

/// The scenario's name.
const SCENARIO: &str = "as-found.yaml";
/// Nobody but their owner reads what may hold private keys.
const OURS_ALONE: u32 = 0o600;
const OUR_FOLDER: u32 = 0o700;

pub(crate) fn autopsy(arguments: &Autopsy) -> Result<Exit, Problem> {
    // Before a board is read for nothing.
    if arguments.out.exists() {
        return Err(Problem::Selection {
            what: format!("{} is there already", arguments.out.display()),
            help: "name a folder that is not: what was found before is not written over".to_owned(),
        });
    }
    match &arguments.bench {
        Some(bench) => of_station(bench, arguments),
        None => {
            let board = library::board(arguments.board.as_deref().unwrap_or_default())?;
            let known = known(arguments, board)?;
            conclude(board, &of_dump(arguments, board)?, &known, arguments)
        }
    }
}

fn read(path: &Path) -> Result<Vec<u8>, Problem> {
    fs::read(path).map_err(|source| Problem::Unreadable { path: path.to_owned(), source })
}

fn of_dump(arguments: &Autopsy, board: &BoardProfile) -> Result<Reading, Problem> {
    let bytes_of = |path: Option<&Path>| path.map_or(Ok(Vec::new()), read);
    let (image, dct) = (arguments.image.as_deref(), arguments.dct.as_deref());
    let through = board.keys.as_ref().is_some_and(|keys| keys.through.is_some());
    if let (Some(path), false) = (dct, through) {
        return Err(Problem::Selection {
            what: format!("the keys of a {} do not stand behind a bootloader: {}", board.name, path.display()),
            help: "give a dump of its flash with --image".to_owned(),
        });
    }
    let names: Vec<String> = image.into_iter().chain(dct).map(files::label).collect();
    let how = format!("as it stands in {}", names.join(" and "));
    let dump = Reading::of_dump(how, bytes_of(image)?, bytes_of(arguments.uicr.as_deref())?);
    Ok(Reading { behind: dct.map(read).transpose()?, ..dump })
}

fn of_station(bench: &Path, arguments: &Autopsy) -> Result<Exit, Problem> {
    let on = OneStation { bench: bench.to_owned(), station: arguments.station.clone() };
    let (bench, station) = stations::one(&on)?;
    let board = Arc::clone(&station.board);
    let known = known(arguments, &board)?;
    let mut reading = None;
    let exit = stations::block_on(async |state| {
        let desk = AtDesk::open(&bench, &station, &state, Purpose::ReadOut).await?;
        let wanted = wanted(&board);
        let regions = wanted.iter().map(|it| Region { address: it.address, length: it.length }).collect();
        let work = async {
            let read = desk::read_out(&desk.station, desk.source, regions).await;
            let (bytes, attached) = read.map_err(|failure| failed(&failure))?;
            let how = format!("read out of {} through its probe; {}", desk.station.name(), told(&attached));
            reading = Some(Reading::of(how, &wanted, bytes));
            Ok(Exit::Passed)
        };
        desk.work("autopsy", work, Afterwards::Safe).await
    })?;
    match reading {
        Some(reading) => conclude(&board, &reading, &known, arguments),
        None => Ok(exit),
    }
}

fn told(attached: &Attached) -> String {
    match attached {
        Attached::WhileItRan => "it had power and ran on, neither reset nor halted".to_owned(),
        Attached::BeforeItRan => {
            "it was off, and was held in reset until its core was halted before the first instruction".to_owned()
        }
        Attached::AfterItRan { because } => {
            format!("it was off, and ITS FIRMWARE RAN before it was read: {because}")
        }
    }
}

/// The keys that somebody gives, and those that are published.
fn known(arguments: &Autopsy, board: &BoardProfile) -> Result<Vec<KnownKey>, Problem> {
    let mut given = Vec::new();
    for (paths, standing) in [(&arguments.known, Standing::Registered), (&arguments.stale, Standing::Superseded)] {
        for path in paths {
            let contents = contents_of(board, &read(path)?);
            if contents.is_empty() {
                return Err(Problem::Selection {
                    what: format!(
                        "{} holds no key and no server address that a {} could have",
                        path.display(),
                        board.name
                    ),
                    help: "give a key as DER, the bytes of a slot, or a backup of a key area (.keys)".to_owned(),
                });
            }
            let stem = path.file_stem().map_or_else(String::new, |stem| stem.to_string_lossy().into_owned());
            // It comes into the comments of a scenario.
            let stem = printable(&stem);
            given.extend(contents.into_iter().map(|content| KnownKey { name: stem.clone(), standing, content }));
        }
    }
    Ok(known_with(given))
}

/// What a file holds: the slots of a key area that are in order, or one of them.
fn contents_of(board: &BoardProfile, bytes: &[u8]) -> Vec<SlotContent> {
    let Some(keys) = &board.keys else { return Vec::new() };
    let content = |slot: Slot, bytes: &[u8]| SlotContent::shaped(keys.shape(slot)?, bytes).ok();
    let in_order = |content: &SlotContent| check(content).is_ok();
    if bytes.len() == AREA_SIZE {
        let slots = keys
            .slots
            .iter()
            .filter_map(|place| content(place.slot, bytes.get(place.offset.0 as usize..place.end() as usize)?));
        return slots.filter(in_order).collect();
    }
    keys.slots.iter().filter_map(|place| content(place.slot, bytes)).find(in_order).into_iter().collect()
}

fn conclude(board: &BoardProfile, reading: &Reading, known: &[KnownKey], arguments: &Autopsy) -> Result<Exit, Problem> {
    let state = state_of(board, reading, arguments)?;
    let findings = Findings::of(board, reading, known);
    let report = tell(board, &findings);
    let json = as_json(&findings);
    let out = &arguments.out;
    let mut told = vec![("autopsy.txt", report.clone()), ("autopsy.json", json.to_string())];
    // A scenario that begins so is for boards that the rig may write to.
    if let Some(state) = state.as_ref().filter(|_| KeyStore::is_known_for(board)) {
        let foretold = foretell(board, &findings, state, library());
        told.push((SCENARIO, scenario(board, &findings, foretold.as_ref())));
    }
    keep(out, state.as_ref(), &told)?;
    match arguments.format {
        Format::Human => {
            output::line(report.trim_end());
            if told.iter().any(|(name, _)| *name == SCENARIO) {
                output::line(&format!("\nbegins so: {}", out.join(SCENARIO).display()));
            } else {
                let why =
                    if state.is_none() { "the flash was not read" } else { "the rig writes to no board of that kind" };
                output::line(&format!("\nno scenario begins so: {why}"));
            }
        }
        Format::Json => output::json(&json),
    }
    if state.is_some() {
        output::note(&format!(
            "{} holds the private keys of this unit in the clear, readable by you alone: give it to nobody",
            out.join(STATE_FOLDER).display()
        ));
    }
    // Which bytes belong together is not known of a board that wrote while it was read.
    Ok(if findings.moved.is_some() { Exit::Inconclusive } else { Exit::Passed })
}

/// What a trial can begin with; `None` if the flash was not read.
fn state_of(board: &BoardProfile, reading: &Reading, arguments: &Autopsy) -> Result<Option<State>, Problem> {
    if arguments.bench.is_none() && arguments.image.is_none() {
        return Ok(None);
    }
    let state = State::new(board, reading.flash.clone(), reading.user.clone());
    state.map(Some).map_err(|error| Problem::Selection {
        what: format!("this is no state of a {}: {error}", board.name),
        help: "read the whole flash, from its first byte to its last".to_owned(),
    })
}

/// Writes report, scenario and state; the state first, and all of it for its owner's eyes alone.
fn keep(out: &Path, state: Option<&State>, told: &[(&str, String)]) -> Result<(), Problem> {
    let not_kept = |source| Problem::NotKept { path: out.to_owned(), source };
    let make = |folder: &Path| DirBuilder::new().recursive(true).mode(OUR_FOLDER).create(folder).map_err(not_kept);
    make(out)?;
    if let Some(state) = state {
        let folder = out.join(STATE_FOLDER);
        make(&folder)?;
        state.files().iter().try_for_each(|(name, bytes)| write(&folder.join(name), bytes))?;
    }
    told.iter().try_for_each(|(name, text)| write(&out.join(name), text.as_bytes()))
}

fn write(path: &Path, bytes: &[u8]) -> Result<(), Problem> {
    let file = OpenOptions::new().write(true).create_new(true).mode(OURS_ALONE).open(path);
    let written = file.and_then(|mut file| file.write_all(bytes).and_then(|()| file.sync_all()));
    written.map_err(|source| Problem::NotKept { path: path.to_owned(), source })
}
