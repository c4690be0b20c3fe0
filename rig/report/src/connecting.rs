//! Time to connect: how long a board took from power to its cloud.
//!
//! Boundary: read from the timeline, exact to what that says. It is the time of a start that nothing disturbed: from the answer that the
//! source is on, the first time in a trial, to the first connection. The cloud's own word counts; where it says nothing (a real board
//! with its maker's cloud) the light `cloud_connected` does, from the earliest instant from which it was there. If anything was done to
//! the board in between (a fault, another source, a reset, a button, its flash, the cloud), there is no time to connect.

use brickproof_boards::{BoardProfile, LedIndex};
use brickproof_cloud::CloudEvent;
use brickproof_light::Pattern;
use brickproof_scenario::plan::SupplySetting;
use brickproof_trial::{ActionId, Command, Happening, Timeline};
use brickproof_units::{Instant, Span};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// What Device OS and its like call the light of a connected board.
const CONNECTED: &str = "cloud_connected";

/// How long the board took from power to its cloud.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[non_exhaustive]
pub struct ConnectEntry {
    /// From the answer that the source is on.
    pub after_ns: u64,
    /// The true time is no further than this from it. Zero in simulation.
    #[serde(default)]
    pub uncertainty_ns: u64,
    /// Who saw it.
    pub seen_by: SeenBy,
}

/// Who saw a board connect.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum SeenBy {
    /// The cloud that the rig plays.
    Cloud,
    /// The sensor above the light.
    Light,
}

impl SeenBy {
    /// As it is printed.
    pub fn name(self) -> &'static str {
        match self {
            Self::Cloud => "cloud",
            Self::Light => "light",
        }
    }
}

/// An instant and how far the truth may be from it.
type Known = (Instant, Span);

/// The time to connect of a trial of this board, if there is one.
pub(crate) fn time_to_connect(board: &BoardProfile, timeline: &Timeline) -> Option<ConnectEntry> {
    let (on, asked) = powered(timeline)?;
    let (connected, seen_by) = match by_cloud(timeline, on.0) {
        Some(at) => (at, SeenBy::Cloud),
        None => (by_light(board, timeline, on.0)?, SeenBy::Light),
    };
    if is_disturbed(timeline, asked, connected.0) {
        return None;
    }
    let uncertainty = on.1.get().saturating_add(connected.1.get());
    Some(ConnectEntry { after_ns: connected.0.since(on.0).get(), uncertainty_ns: uncertainty, seen_by })
}

/// When the source came on for the first time, and by which request.
fn powered(timeline: &Timeline) -> Option<(Known, ActionId)> {
    let asked = timeline.events.iter().find_map(|event| match &event.what {
        Happening::Asked { id, command: Command::Supply(setting) } if *setting != SupplySetting::Off => Some(*id),
        _ => None,
    })?;
    let answered = timeline.events.iter().find_map(|event| match &event.what {
        Happening::Answered { id, result: Ok(_) } if *id == asked => Some((event.at, event.uncertainty)),
        _ => None,
    })?;
    Some((answered, asked))
}

fn by_cloud(timeline: &Timeline, on: Instant) -> Option<Known> {
    let connected = |event: &&brickproof_trial::Event| {
        event.at >= on && matches!(event.what, Happening::Cloud(CloudEvent::Connected { .. }))
    };
    timeline.events.iter().find(connected).map(|event| (event.at, event.uncertainty))
}

fn by_light(board: &BoardProfile, timeline: &Timeline, on: Instant) -> Option<Known> {
    let status = board.status(CONNECTED)?;
    let (led, pattern): (LedIndex, Pattern) = (board.led_of(status), status.look.pattern());
    timeline.events.iter().find_map(|event| match &event.what {
        Happening::Light { led: seen, sight } if *seen == led && sight.since >= on && pattern.matches(sight) => {
            Some((sight.since, event.uncertainty))
        }
        _ => None,
    })
}

/// Whether anything was done to the board after it was given power and before it connected.
fn is_disturbed(timeline: &Timeline, power: ActionId, connected: Instant) -> bool {
    timeline.events.iter().any(|event| match &event.what {
        Happening::Asked { id, command } if *id > power => match command {
            // A fault is asked for before it strikes.
            Command::Inject(injection) => injection.at < connected,
            Command::WatchRail { .. } | Command::ReadSupply { .. } => false,
            _ => event.at < connected,
        },
        _ => false,
    })
}
