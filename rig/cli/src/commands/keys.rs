//! `brickproof keys`: the keys of one board, shown by their fingerprints, saved, written back, renewed.
//!
//! Boundary: private keys go into the file that `save` makes and nowhere else. Through DFU the board must be in its bootloader already.

use std::fs::{self, OpenOptions};
use std::io::Write as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;

use brickproof_bench::desk::keys::{self as desk_keys, NewIdentity, Registration};
use brickproof_bench::desk::{self, Purpose, Source};
use brickproof_bench::driver::Stop;
use brickproof_bench::{OpenStation, keyfile};
use brickproof_keys::{KeySet, SlotContent, check};
use brickproof_scenario::plan::Door;
use serde_json::{Value, json};

use crate::arguments::{KeyWork, Keys, ThroughWord};
use crate::exit::{Exit, Problem};
use crate::output;
use crate::stations::{self, Afterwards, AtDesk, failed};

pub(crate) fn keys(arguments: &Keys) -> Result<Exit, Problem> {
    let (bench, station) = stations::one(&arguments.work.of().on)?;
    let through = match arguments.work.of().through {
        None => Door::usual(&station.board),
        Some(ThroughWord::Probe) => Door::Probe,
        Some(ThroughWord::Dfu) => Door::Dfu,
    };
    if let Some(why) = desk_keys::unfit(&station, through) {
        return Err(selection(why, "`--through probe` or `--through dfu` takes another way"));
    }
    // What can be known to be wrong is, before anything is driven.
    let saved = match &arguments.work {
        KeyWork::Load { file, .. } | KeyWork::Verify { file, .. } => Some(read_file(file, &station.board.name)?),
        KeyWork::Save { file, .. } if file.exists() => {
            let what = format!("{} is there already, and may be the only copy of a key", file.display());
            return Err(selection(what, "name another file"));
        }
        KeyWork::Doctor { public_key_to: None, .. } if station.keys.register.is_none() => {
            let what =
                "nobody would accept a new identity: the bench file names no program that registers one".to_owned();
            let help = "add `keys: { register: [PROGRAM, …] }` to the station, or register by hand what `--public-key-to FILE` writes";
            return Err(selection(what, help));
        }
        _ => None,
    };
    stations::block_on(async |state| {
        let stop = stations::watch_signals();
        let desk = AtDesk::open(&bench, &station, &state, Purpose::Keys(through)).await?;
        let work = async {
            // Whoever switches a board on has it leave its bootloader.
            if desk.source == Source::Ours && through == Door::Probe {
                desk::feed(&desk.station, None).await.map_err(|failure| failed(&failure))?;
            }
            // Half a key would be worse than a moment's wait: a signal takes effect once it is written.
            let exit = carry_out(&desk.station, through, &arguments.work, saved).await?;
            Ok(if *stop.borrow() == Stop::No { exit } else { Exit::Interrupted })
        };
        desk.work("keys", work, Afterwards::Safe).await
    })
}

async fn carry_out(
    station: &OpenStation,
    through: Door,
    work: &KeyWork,
    saved: Option<KeySet>,
) -> Result<Exit, Problem> {
    let name = station.name();
    let tell = |act: &str, people: &str, fields: Value| output::act(name, act, people, fields);
    let in_words = |failure: brickproof_bench::Failure| failed(&failure);
    match work {
        KeyWork::Load { .. } => {
            let Some(keys) = saved else { return Ok(Exit::BadInput) };
            let (words, told) = (format!("written and read back: {keys}"), json!({ "slots": slots(&keys) }));
            desk_keys::write(station, through, keys).await.map_err(in_words)?;
            tell("keys_load", &words, told);
        }
        KeyWork::Verify { file, .. } => {
            let Some(keys) = saved else { return Ok(Exit::BadInput) };
            let found = desk_keys::read(station, through).await.map_err(in_words)?;
            if let Some(how) = keys.difference(&found, "what was saved") {
                tell(
                    "keys_verify",
                    &format!("not what is in {}: {how}", file.display()),
                    json!({ "file": file, "same": false, "difference": how, "slots": slots(&found) }),
                );
                return Ok(Exit::Failed);
            }
            tell(
                "keys_verify",
                &format!("as in {}: {found}", file.display()),
                json!({ "file": file, "same": true, "difference": null, "slots": slots(&found) }),
            );
        }
        KeyWork::Save { file, .. } => {
            let keys = desk_keys::read(station, through).await.map_err(in_words)?;
            save(file, &keyfile::write(&station.board().name, &keys))?;
            tell(
                "keys_save",
                &format!("saved in {}, private key and all: {keys}", file.display()),
                json!({ "file": file, "slots": slots(&keys) }),
            );
        }
        KeyWork::Show { .. } => {
            let keys = desk_keys::read(station, through).await.map_err(in_words)?;
            // A line for each.
            let one = |it: &SlotContent| format!("{} {}: {}", it.slot(), it.fingerprint(), state(it));
            let people: Vec<String> = keys.contents().iter().map(one).collect();
            tell("keys_show", &people.join(&format!("\n{name}: ")), json!({ "slots": slots(&keys) }));
        }
        KeyWork::Server { .. } => {
            let keys = desk_keys::write_genuine_server(station, through).await.map_err(in_words)?;
            tell("keys_server", &format!("written and read back: {keys}"), json!({ "slots": slots(&keys) }));
        }
        KeyWork::Doctor { public_key_to, .. } => {
            let registration = if public_key_to.is_some() { Registration::ByHand } else { Registration::ByProgram };
            let renewed = desk_keys::renew(station, through, registration).await.map_err(in_words)?;
            let NewIdentity { old, new, public, kept } = renewed;
            let from = old.map_or_else(|| "no key that could be read".to_owned(), |old| old.to_string());
            tell(
                "keys_doctor",
                &format!(
                    "identity changed from {from} to {new}, written and read back; what was there is kept in {}",
                    kept.display()
                ),
                json!({
                    "old": old.map(|old| old.to_string()),
                    "new": new.to_string(),
                    "public": public.fingerprint().to_string(),
                    "kept": kept,
                }),
            );
            let public_half = public.fingerprint().to_string();
            if let Some(file) = public_key_to {
                fs::write(file, public.pem()).map_err(|source| unwritable(file, &source))?;
            }
            let words = match public_key_to {
                None => format!("its cloud accepts the public half {public_half}"),
                Some(file) => format!("no cloud knows it yet: register the public half in {}", file.display()),
            };
            let accepted = public_key_to.is_none();
            tell(
                "keys_register",
                &words,
                json!({ "public": public_half, "accepted": accepted, "file": public_key_to }),
            );
        }
    }
    Ok(Exit::Passed)
}

fn state(content: &SlotContent) -> String {
    check(content).map_or_else(|fault| fault.to_string(), |()| "in order".to_owned())
}

fn slots(keys: &KeySet) -> Vec<Value> {
    let slot = |content: &SlotContent| {
        json!({
            "slot": content.slot().name(),
            "fingerprint": content.fingerprint().to_string(),
            "in_order": check(content).is_ok(),
            "state": state(content),
        })
    };
    keys.contents().iter().map(slot).collect()
}

/// For its owner alone, and never over another file.
fn save(file: &Path, text: &str) -> Result<(), Problem> {
    let opened = OpenOptions::new().write(true).create_new(true).mode(0o600).open(file);
    let written = opened.and_then(|mut open| open.write_all(text.as_bytes()).and_then(|()| open.sync_all()));
    written.map_err(|source| unwritable(file, &source))
}

fn read_file(file: &Path, board: &str) -> Result<KeySet, Problem> {
    let text = fs::read_to_string(file).map_err(|source| Problem::Unreadable { path: file.to_owned(), source })?;
    let (of, keys) = keyfile::read(&text).map_err(|error| {
        selection(format!("{}: {error}", file.display()), "`brickproof keys save FILE` writes such files")
    })?;
    if of == board {
        return Ok(keys);
    }
    let what = format!("{} has the keys of a {of}, and the station has a {board}", file.display());
    Err(selection(what, "keys lie elsewhere on another kind of board"))
}

fn unwritable(file: &Path, source: &std::io::Error) -> Problem {
    Problem::Bench(vec![format!("{} could not be written: {source}", file.display())])
}

fn selection(what: String, help: &str) -> Problem {
    Problem::Selection { what, help: help.to_owned() }
}
