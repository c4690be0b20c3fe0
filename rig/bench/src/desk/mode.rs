//! The board of a station put into a mode by hand: asked in the way that board and station have, then looked at.
//!
//! Boundary: the board must have power and keeps it. What a board can be asked for is the profile's business; words are the caller's.

use std::sync::Arc;
use std::time::Duration;

use brickproof_boards::{LedIndex, MODE, Target};
use brickproof_instruments::{Failure, FailureKind, Kind, Presence, UsbId};
use brickproof_light::{Calibration, Pattern, Recogniser, Watcher};
use brickproof_scenario::IntoMode;
use brickproof_scenario::plan::{UsbPresence, Way};
use brickproof_trial::CommandError;
use brickproof_units::{Instant, Span};
use tokio::sync::mpsc;

use crate::asking::ask;
use crate::clock::Clock;
use crate::eyes;
use crate::file;
use crate::hands::Hands;
use crate::hands::mode::Asking;
use crate::senses::{LOOKING_AT_USB, sample};
use crate::station::{ACTION, OpenStation};
use crate::ways;

/// A way into a mode that a station has, and what it will show there.
#[derive(Clone, Debug, PartialEq)]
pub struct Asked {
    passage: IntoMode,
    /// The way.
    pub by: Way,
}

impl Asked {
    /// How long its mode is waited for.
    pub fn within(&self) -> Span {
        self.passage.entry.within
    }
}

/// Why a station cannot put its board into a mode as somebody wants it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unfit {
    /// The board's profile does not have it.
    #[error("the board `{board}` has no mode `{mode}`")]
    NoMode {
        /// The kind of board.
        board: String,
        /// What was asked for.
        mode: Target,
    },
    /// The board has no such way.
    #[error("`{mode}` of `{board}` is not entered by `{}`", by.name())]
    NotBy {
        /// The kind of board.
        board: String,
        /// What was asked for.
        mode: Target,
        /// The way that somebody insists on.
        by: Way,
    },
    /// The station has none of them.
    #[error("{0}")]
    NoWay(String),
    /// Its lines are not exact enough: the press could mean another mode, even one that the rig never enters.
    #[error(
        "the lines of {station} are known to within {uncertainty} only, and holding `{MODE}` for {hold} could come to mean another mode"
    )]
    TooVague {
        /// The station.
        station: String,
        /// Of a line's moment.
        uncertainty: Span,
        /// How long the button would be held.
        hold: Span,
    },
    /// There is nothing to wait for.
    #[error("{0}, so there is nothing to wait for")]
    Unconfirmed(String),
}

/// The way into a mode that the station of this file would take, before anything is opened; by `by` and within `within`, if somebody insists.
///
/// # Errors
/// That there is none, or nothing for which `within` could wait.
pub fn way(station: &file::Station, mode: Target, by: Option<Way>, within: Option<Span>) -> Result<Asked, Unfit> {
    let board = &station.board;
    let known = board.modes.as_ref().and_then(|modes| Some((modes.reset, modes.mode(mode)?)));
    // The command line names none of those that the rig never enters; this holds for every other caller.
    let known = known.filter(|_| Target::ENTERED.contains(&mode));
    let (reset, found) = known.ok_or_else(|| Unfit::NoMode { board: board.name.clone(), mode })?;
    let passage = IntoMode::of(board, found, reset, by, within);
    if let Some(by) = by.filter(|_| passage.entry.ways().next().is_none()) {
        return Err(Unfit::NotBy { board: board.name.clone(), mode, by });
    }
    let by = ways::way(station, &passage.entry).ok_or_else(|| Unfit::NoWay(ways::no_way(station, &passage.entry)))?;
    if by == Way::Buttons {
        exact_enough(station, &passage)?;
    }
    if within.is_some()
        && let Err(why) = Signs::of(station, &passage)
    {
        return Err(Unfit::Unconfirmed(why));
    }
    Ok(Asked { passage, by })
}

fn exact_enough(station: &file::Station, passage: &IntoMode) -> Result<(), Unfit> {
    let Some(buttons) = &passage.entry.buttons else { return Ok(()) };
    match ways::too_vague(station, &buttons.button, buttons.held, buttons.hold) {
        None => Ok(()),
        Some(uncertainty) => Err(Unfit::TooVague { station: station.name.clone(), uncertainty, hold: buttons.hold }),
    }
}

/// What of a mode a station can see.
#[derive(Clone, Debug, PartialEq)]
struct Signs {
    light: Option<(String, Pattern)>,
    usb: Option<UsbPresence>,
}

impl Signs {
    /// `Err` says why nothing confirms the mode.
    fn of(station: &file::Station, passage: &IntoMode) -> Result<Self, String> {
        let (mode, board) = (passage.entry.mode, &station.board.name);
        if !passage.is_confirmed() {
            let why = "no light is known for it, and its id on USB is the usual one";
            return Err(format!("nothing confirms {mode} on {board}: {why}"));
        }
        if mode == Target::Safe && station.cloud.is_some() {
            // fixtures/firmware/logic/src/link.rs: until the system is connected its light is that of connecting, in whichever mode.
            let why = "its light shows it once the board is connected, and the rig's own cloud is there in a run alone";
            return Err(format!("nothing confirms {mode} on {} now: {why}", station.name));
        }
        let has_sensor = station.instruments.contains_key(&Kind::Light);
        // Whoever works at a desk looks at the first light.
        let light = passage.light.clone().filter(|(led, ..)| has_sensor && *led == LedIndex::FIRST);
        let usb = passage.usb.filter(|_| ways::has_usb(station));
        if light.is_none() && usb != Some(UsbPresence::Dfu) {
            let light = passage.light.as_ref().map(|(_, name, _)| format!("no `light` that sees {name}"));
            let usb = passage.usb.filter(|usb| *usb == UsbPresence::Dfu).map(|_| "no `dfu`".to_owned());
            let lacks: Vec<_> = light.into_iter().chain(usb).collect();
            return Err(format!("nothing confirms {mode} on {}: it has {}", station.name, lacks.join(" and ")));
        }
        Ok(Self { light: light.map(|(_, name, pattern)| (name, pattern)), usb })
    }

    fn words(&self) -> String {
        let light = self.light.as_ref().map(|(name, _)| format!("the light {name}"));
        let usb = self.usb.map(|usb| format!("{} on USB", usb.name()));
        light.into_iter().chain(usb).collect::<Vec<_>>().join(" and ")
    }
}

/// What came of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Came {
    /// The board shows the mode.
    Confirmed {
        /// By what.
        by: String,
        /// How long after it was asked.
        after: Span,
    },
    /// It does not.
    NotSeen {
        /// What would have shown it.
        wanted: String,
        /// What was seen at the end.
        seen: String,
    },
    /// Nobody can see it, and why.
    Unconfirmed(String),
}

/// A board that was asked for a mode.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entered {
    /// How long a button was held, give or take so much.
    pub held: Option<(Span, Span)>,
    /// What came of it.
    pub came: Came,
}

/// Why nothing came of it.
#[derive(Debug, thiserror::Error)]
pub enum NotEntered {
    /// The board is not there to be asked, or refuses.
    #[error("{0}")]
    Unserved(Failure),
    /// An instrument failed.
    #[error(transparent)]
    Failed(#[from] CommandError),
}

/// Asks the board for the mode, and looks until it is there or its time is over. The station must have left its safe state and the board have
/// power. Whoever drops this makes the station safe, which lets go of the buttons.
///
/// # Errors
/// The board cannot be asked, or an instrument failed.
pub async fn enter(station: &Arc<OpenStation>, asked: &Asked) -> Result<Entered, NotEntered> {
    let in_words = |failure: Failure| NotEntered::Failed(crate::hands::in_words(&failure));
    let signs = Signs::of(station.file(), &asked.passage);
    let clock = Clock::begin();
    // Nobody follows: there is no trial.
    let (news, _) = mpsc::unbounded_channel();
    let hands = Hands::without_a_plan(Arc::clone(station), clock, news);
    if signs.as_ref().is_ok_and(|signs| signs.light.is_some()) {
        eyes::open(station).await.map_err(in_words)?;
    }
    let held = match hands.ask_for(asked.by, &asked.passage.entry).await? {
        Asking::Done(held) => held,
        Asking::Unserved(failure) => return Err(NotEntered::Unserved(failure)),
    };
    let came = match signs {
        Err(why) => Came::Unconfirmed(why),
        Ok(signs) => look(&hands, &signs, asked.passage.entry.within).await.map_err(in_words)?,
    };
    Ok(Entered { held, came })
}

async fn look(hands: &Hands, signs: &Signs, within: Span) -> Result<Came, Failure> {
    let from = hands.clock.now();
    let until = from + within;
    // A light that began in time may take longer to be told.
    let patience = until + signs.light.as_ref().map_or(Span::ZERO, |(_, pattern)| pattern.recognised_within());
    let mut recogniser = Recogniser::new(Calibration::typical());
    let mut usb = None;
    loop {
        let light_since = match &signs.light {
            None => Some(from),
            Some((_, pattern)) => {
                let sensor = hands.station.light()?;
                let exposure = ask(sensor, "see the light", ACTION, |light, deadline| light.sample(deadline)).await?;
                recogniser.feed(&sample(hands.clock.stamp(exposure.end), &exposure));
                Watcher::new(*pattern, from).now(&recogniser).map(|seen| seen.since)
            }
        };
        let usb_since = match signs.usb.zip(hands.normal_id()) {
            None => Some(from),
            Some((wanted, normal)) => {
                usb = presence(hands, normal, usb).await?;
                usb.filter(|(seen, _)| *seen == wanted).map(|(_, since)| since)
            }
        };
        if let Some(since) = light_since.zip(usb_since).map(|(light, usb): (Instant, Instant)| light.max(usb))
            && since <= until
        {
            return Ok(Came::Confirmed { by: signs.words(), after: since.since(from) });
        }
        if hands.clock.now() >= patience {
            let light = signs.light.as_ref().map(|_| format!("its light: {}", recogniser.now()));
            let usb = usb.map(|(usb, _)| format!("on USB: {}", usb.name()));
            let seen = light.into_iter().chain(usb).collect::<Vec<_>>().join("; ");
            return Ok(Came::NotSeen { wanted: signs.words(), seen });
        }
        if signs.light.is_none() {
            tokio::time::sleep(Duration::from_nanos(LOOKING_AT_USB.as_nanos())).await;
        }
    }
}

/// What the board is on USB, and since when that is known.
async fn presence(
    hands: &Hands,
    normal: UsbId,
    known: Option<(UsbPresence, Instant)>,
) -> Result<Option<(UsbPresence, Instant)>, Failure> {
    let began = hands.clock.now();
    let dfu = hands.station.dfu()?;
    let seen = ask(dfu, "look what the board is on USB", ACTION, move |dfu, deadline| dfu.presence(normal, deadline));
    let usb = match seen.await {
        Ok(Presence::Firmware) => UsbPresence::Normal,
        Ok(Presence::Bootloader) => UsbPresence::Dfu,
        Ok(Presence::Gone) => UsbPresence::Gone,
        // Somebody has the bootloader, who does not share it.
        Err(failure) if matches!(failure.kind(), FailureKind::NoAnswer(_)) => return Ok(known),
        Err(failure) => return Err(failure),
    };
    Ok(Some(known.filter(|(before, _)| *before == usb).unwrap_or((usb, began))))
}
