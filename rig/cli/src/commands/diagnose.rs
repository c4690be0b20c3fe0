//! `brickproof diagnose`: what is wrong with a board, by a saved log, by a trial's timeline, by what somebody tells, or live on a station.
//!
//! Boundary: brings what was seen to `brickproof-diagnose` and prints what that says. On a station it feeds the board and looks; nothing is
//! written to it, but what its cloud says where the rig plays that.

use std::fs;
use std::io::Read as _;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use brickproof_bench::desk::{self, Conversation, Purpose, Source};
use brickproof_bench::{Failure, Peer};
use brickproof_boards::BoardProfile;
use brickproof_console::Lines;
use brickproof_diagnose::{Channel, Diagnosis, Observed, Ranked, Reader, Weight, tell};
use brickproof_light::Sample;
use brickproof_report::{Listener, Secrets};
use brickproof_scenario::counted;
use brickproof_scenario::plan::{CloudBehaviour, CloudSetting, SupplySetting};
use brickproof_units::{Instant, Span};
use serde_json::{Value, json};

use crate::arguments::{CloudWord, Diagnose, Format, OneStation};
use crate::exit::{Exit, Problem};
use crate::stations::{self, Afterwards, AtDesk, failed};
use crate::{library, output};

/// Whose light is taken for that of a board of which nothing is said: every Device OS board has the same.
const ANY_BOARD: &str = "argon";
/// The file of a trial's folder.
const TIMELINE: &str = "timeline.jsonl";
/// How long is listened at a time.
const LISTEN: Span = Span::millis(200);

pub(crate) fn diagnose(arguments: &Diagnose) -> Result<Exit, Problem> {
    if let Some(bench) = &arguments.bench {
        return live(bench, arguments);
    }
    let mut reader = match &arguments.board {
        Some(name) => Reader::new(library::board(name)?),
        None => Reader::of_whichever_kind(library::board(ANY_BOARD)?),
    };
    if let Some(path) = &arguments.log {
        read(path, &mut reader)?;
    }
    conclude(reader, arguments)
}

fn conclude(mut reader: Reader<'_>, arguments: &Diagnose) -> Result<Exit, Problem> {
    for words in &arguments.seen {
        reader
            .words(words)
            .map_err(|error| Problem::Selection { what: error.to_string(), help: error.help().to_owned() })?;
    }
    let transport = reader.transport();
    let observed = reader.finish();
    let diagnosis = brickproof_diagnose::diagnose(&observed, transport);
    match arguments.format {
        Format::Human => output::line(tell(&observed, &diagnosis).trim_end()),
        Format::Json => output::json(&as_json(&observed, &diagnosis)),
    }
    Ok(Exit::Passed)
}

fn read(path: &Path, reader: &mut Reader<'_>) -> Result<(), Problem> {
    let in_folder = path.join(TIMELINE);
    let path = if path.is_dir() { &in_folder } else { path };
    let unreadable = |source| Problem::Unreadable { path: path.to_owned(), source };
    let bytes = if path == Path::new("-") {
        let mut bytes = Vec::new();
        std::io::stdin().lock().read_to_end(&mut bytes).map_err(unreadable)?;
        bytes
    } else {
        fs::read(path).map_err(unreadable)?
    };
    if path.extension().is_some_and(|ending| ending == "jsonl") || bytes.starts_with(b"{") {
        return timeline(path, &bytes, reader);
    }
    let secrets = Secrets::new(&brickproof_firmware::private_keys()).and_those_in(&bytes);
    let masked = secrets.masked(&bytes);
    let lines = masked.split(|byte| *byte == b'\n').filter(|line| !line.is_empty());
    let lines: usize = lines.map(|line| reader.line(line)).count();
    if reader.log_lines() == 0 {
        return Err(Problem::Selection {
            what: format!("none of the {} of {} is a line of Device OS's log", counted(lines, "line"), path.display()),
            help: "say what you saw with --seen; a log that was copied from a terminal may have lost its beginnings"
                .to_owned(),
        });
    }
    Ok(())
}

/// What a trial keeps of itself.
fn timeline(path: &Path, bytes: &[u8], reader: &mut Reader<'_>) -> Result<(), Problem> {
    for (index, line) in bytes.split(|byte| *byte == b'\n').enumerate().filter(|(_, line)| !line.is_empty()) {
        let event: Value = serde_json::from_slice(line).map_err(|error| Problem::Selection {
            what: format!("{}:{}: {error}", path.display(), index + 1),
            help: "give the timeline.jsonl of a trial, or the log of a console under another ending".to_owned(),
        })?;
        match event["kind"].as_str() {
            Some("console") => reader.line(event["text"].as_str().unwrap_or("").as_bytes()),
            Some("light_samples") => samples(&event).into_iter().for_each(|sample| reader.sample(&sample)),
            Some("asked") if ends_a_boot(&event["command"]) => reader.restarted_on_purpose(),
            _ => {}
        }
    }
    Ok(())
}

/// Whether the rig takes the board's power or resets it: that its clock begins anew then is no sign of anything.
fn ends_a_boot(command: &Value) -> bool {
    match command.as_str() {
        Some(words) => {
            let pressed = words.starts_with("press ") && words.contains(" through a reset of ");
            words.starts_with("reset for ") || pressed || words == SupplySetting::Off.to_string()
        }
        // A fault takes the power away, or may.
        None => command.get("inject").is_some(),
    }
}

/// `samples`: nanoseconds since `t`, red, green, blue, clear. What is not so is passed over.
fn samples(event: &Value) -> Vec<Sample> {
    let (Some(begin), Some(integration)) = (event["t"].as_u64(), event["integration_ns"].as_u64()) else {
        return Vec::new();
    };
    let sample = |row: &Value| {
        let count = |at: usize| row[at].as_u64().and_then(|count| u16::try_from(count).ok());
        Some(Sample {
            at: Instant::START + Span::new(begin.checked_add(row[0].as_u64()?)?),
            integration: Span::new(integration),
            red: count(1)?,
            green: count(2)?,
            blue: count(3)?,
            clear: count(4)?,
        })
    };
    event["samples"].as_array().map_or(Vec::new(), |rows| rows.iter().filter_map(sample).collect())
}

fn live(bench: &Path, arguments: &Diagnose) -> Result<Exit, Problem> {
    let on = OneStation { bench: bench.to_owned(), station: arguments.station.clone() };
    let (bench, station) = stations::one(&on)?;
    let has = |word: &str| station.instruments.keys().any(|kind| kind.to_string() == word);
    let senses = Senses { light: has("light"), console: has("console") };
    if !senses.light && !senses.console {
        return Err(Problem::Selection {
            what: format!("station {bench}/{} has neither `light` nor `console`", station.name),
            help: "say what you saw with --seen, or give a log".to_owned(),
        });
    }
    let board: Arc<BoardProfile> = Arc::clone(&station.board);
    let mut reader = Reader::new(&board);
    let exit = stations::block_on(async |state| {
        let mut stop = stations::watch_signals();
        let desk = AtDesk::open(&bench, &station, &state, Purpose::Watch).await?;
        let work = async {
            let with = Conversation::begin(&desk.station);
            if senses.light {
                match desk.source {
                    Source::Ours => {
                        let calibration = with.see_the_dark().await.map_err(|failure| failed(&failure))?;
                        reader = reader.clone().calibrated(calibration);
                    }
                    Source::LeftOn | Source::NotOurs => with.open_eyes().await.map_err(|failure| failed(&failure))?,
                }
            }
            if desk.source == Source::Ours {
                desk::feed(&desk.station, None).await.map_err(|failure| failed(&failure))?;
            }
            let mut peer = station.cloud.map(|_| played(arguments.cloud));
            output::note(&format!("looking at {bench}/{} for {}; Ctrl-C ends it", station.name, arguments.looks_for));
            let ends = tokio::time::sleep(Duration::from_nanos(arguments.looks_for.as_nanos()));
            tokio::select! {
                problem = watch(&with, senses, &mut reader, peer.as_mut()) => return Err(problem),
                () = ends => {}
                () = super::power::asked_to_stop(&mut stop) => {}
            }
            Ok(Exit::Passed)
        };
        desk.work("diagnose", work, Afterwards::Safe).await
    })?;
    if exit != Exit::Passed {
        return Ok(exit);
    }
    conclude(reader, arguments)
}

/// What a station has to look and to listen with.
#[derive(Clone, Copy)]
struct Senses {
    light: bool,
    console: bool,
}

/// The cloud that the rig plays, as it was asked to be.
fn played(word: CloudWord) -> Peer {
    let (behaviour, words) = match word {
        CloudWord::Genuine => (CloudBehaviour::Genuine, "as the genuine one"),
        CloudWord::Silent => (CloudBehaviour::Silent, "and it says nothing"),
        CloudWord::Wrong => (CloudBehaviour::Wrong, "with another server's key"),
        CloudWord::Unreachable => (CloudBehaviour::Unreachable, "and it refuses the connection"),
    };
    output::note(&format!("the rig plays the board's cloud, {words}"));
    Peer::of_any_board(CloudSetting { behaviour, latency: CloudSetting::USUAL_LATENCY })
}

/// Until something fails: what the board says and shows, and what its cloud says to that.
async fn watch(
    with: &Conversation<'_>,
    senses: Senses,
    reader: &mut Reader<'_>,
    mut peer: Option<&mut Peer>,
) -> Problem {
    let (mut lines, secrets) = (Lines::new(), Secrets::new(&brickproof_firmware::private_keys()));
    let mut listener = Listener::new(secrets);
    let (mut next_sample, mut next_bytes) = (std::pin::pin!(see(with, senses)), std::pin::pin!(hear(with, senses)));
    let mut said = std::pin::pin!(say(with, None));
    let mut is_saying = false;
    // Each is begun anew when it has come, and none waits for another.
    loop {
        let due = peer.as_ref().and_then(|peer| peer.next_due());
        tokio::select! {
            seen = &mut next_sample => {
                match seen {
                    Err(failure) => return failed(&failure),
                    Ok(sample) => reader.sample(&sample),
                }
                next_sample.set(see(with, senses));
            }
            heard = &mut next_bytes => {
                match heard {
                    Err(failure) => return failed(&failure),
                    Ok(Some((at, bytes))) => {
                        let at = Instant::START + at;
                        let whole = lines.push(at, &bytes);
                        whole.iter().for_each(|line| reader.line(&listener.masked(line)));
                        if let Some(peer) = &mut peer {
                            // What the cloud makes of it is not for a diagnosis, which has what the board says.
                            peer.hear(at, &bytes);
                        }
                    }
                    Ok(None) => {}
                }
                next_bytes.set(hear(with, senses));
            }
            done = &mut said, if is_saying => {
                if let Err(failure) = done {
                    return failed(&failure);
                }
                is_saying = false;
            }
            () = until(with, due), if !is_saying => {
                if let Some(peer) = &mut peer {
                    said.set(say(with, Some(peer.take_due(Instant::START + with.elapsed()).concat())));
                    is_saying = true;
                }
            }
        }
    }
}

/// Says that to the board; never done, if there is nothing to be said.
async fn say(with: &Conversation<'_>, bytes: Option<Vec<u8>>) -> Result<(), Failure> {
    match bytes {
        Some(bytes) => with.say(bytes).await,
        None => std::future::pending().await,
    }
}

/// Until that instant of the conversation; for ever, if there is none.
async fn until(with: &Conversation<'_>, due: Option<Instant>) {
    match due {
        Some(due) => {
            let left = due.since(Instant::START + with.elapsed());
            tokio::time::sleep(Duration::from_nanos(left.as_nanos())).await;
        }
        None => std::future::pending().await,
    }
}

/// The next sample; never, where nothing sees.
async fn see(with: &Conversation<'_>, senses: Senses) -> Result<Sample, Failure> {
    if senses.light { with.see().await } else { std::future::pending().await }
}

/// What is heard next; never, where nothing hears.
async fn hear(with: &Conversation<'_>, senses: Senses) -> Result<Option<(Span, Vec<u8>)>, Failure> {
    if senses.console { with.hear(LISTEN).await } else { std::future::pending().await }
}

fn as_json(observed: &Observed, diagnosis: &Diagnosis) -> Value {
    let weight = |weight: &Weight| json!({ "sign": format!("{:?}", weight.sign), "words": weight.sign.words(), "evidence": weight.seen, "nats": weight.nats });
    let ranked = |ranked: &Ranked| {
        json!({
            "causes": ranked.hypothesis.causes().map(|cause| cause.name()).collect::<Vec<_>>(),
            "share": ranked.share,
            "for": ranked.evidence_for.iter().map(weight).collect::<Vec<_>>(),
            "against": ranked.evidence_against.iter().map(weight).collect::<Vec<_>>(),
        })
    };
    let next =
        diagnosis.next.as_ref().map(|next| json!({ "what": next.what, "first": next.first, "second": next.second }));
    json!({
        "schema": "brickproof/diagnosis/1",
        "watched": { "light": observed.was_watched(Channel::Light), "log": observed.was_watched(Channel::Log) },
        "ranking": diagnosis.ranking.iter().map(ranked).collect::<Vec<_>>(),
        "next": next,
    })
}
