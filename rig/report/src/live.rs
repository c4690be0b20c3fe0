//! `.brickproof/live/`: what a process that runs trials is at, for any other process of this machine that wants to show it.
//!
//! Boundary: plain data with a stable spelling, and the folder in which it lies ([`folder`]). Readers must ignore fields they do not know; no
//! field is ever renamed or given another meaning under the same `schema`. It is news, not evidence: at its process's end it is gone. Text of
//! a board is masked and escaped before it gets here, which still makes it nobody's HTML.

pub mod folder;

use serde::{Deserialize, Serialize};

use crate::results::World;

/// The name and version of the format.
pub const SCHEMA: &str = "brickproof/live/1";

/// What one process is at.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Live {
    /// [`SCHEMA`].
    pub schema: String,
    /// Of Brickproof.
    pub version: String,
    /// Which process.
    pub pid: u32,
    /// What it was asked, for people: the title of a campaign, or the paths of scenarios.
    pub title: String,
    /// Where its verdicts are found.
    pub world: World,
    /// The bench whose stations it drives; null on the virtual bench.
    pub bench: Option<String>,
    /// The number of the run under `.brickproof/runs`; null where its evidence goes elsewhere.
    pub run: Option<u64>,
    /// When it began: milliseconds since 1970.
    pub began_unix_ms: u64,
    /// When this was written: milliseconds since 1970. It is written anew at least every [`folder::HEARTBEAT`].
    pub told_unix_ms: u64,
    /// How far it is.
    pub progress: Progress,
    /// Every station that it drives; none on the virtual bench, which runs thousands of times faster than anyone reads.
    pub stations: Vec<Station>,
    /// The trials that ended last, newest first. Where very many end, not all of them come by here.
    pub ended: Vec<Ended>,
    /// Those that did not pass, newest first, as far as there is room.
    pub failures: Vec<Ended>,
}

/// How far a run or a campaign is.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Progress {
    /// How many trials it takes; null if nobody knows yet.
    pub total: Option<u64>,
    /// How many are over.
    pub done: u64,
    /// Of those, so many ...
    pub passed: u64,
    /// ... the firmware failed ...
    pub failed: u64,
    /// ... could not be carried out ...
    pub error: u64,
    /// ... or decided nothing.
    pub inconclusive: u64,
    /// The share of failures with its interval, as a campaign tells it; empty otherwise.
    pub told: String,
}

/// A station.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Station {
    /// Its name.
    pub name: String,
    /// The board's profile.
    pub board: String,
    /// What it does; null between two trials.
    pub trial: Option<Trial>,
}

/// A trial that is running.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Trial {
    /// Its id.
    pub id: String,
    /// Counted from 1.
    pub attempt: u32,
    /// The scenario's first line.
    pub scenario: String,
    /// When it began: milliseconds since 1970.
    pub began_unix_ms: u64,
    /// What it is at.
    pub stage: Stage,
    /// The step that is on; null before the first and after the last.
    pub step: Option<Step>,
    /// The board's lights, as they are recognised now; none where no sensor is above one.
    pub lights: Vec<Light>,
    /// The last line of its console; null if there was none yet.
    pub console: Option<String>,
    /// The board's rail, in microvolts; null where nothing measures it.
    pub rail_uv: Option<i64>,
}

/// What a trial is at.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Stage {
    /// The board gets its firmware and keys.
    Provisioning,
    /// Its steps.
    Steps,
    /// It is decided; what is left is to clean up and make the station safe.
    Ending,
}

/// A step.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Step {
    /// Counted from 1.
    pub index: usize,
    /// How many there are.
    pub count: usize,
    /// As a sentence.
    pub text: String,
}

/// What a light shows.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Light {
    /// Its name in the board's profile; empty if that names none.
    pub name: String,
    /// In the words of a person: `cyan, breathing, 4 s`.
    pub words: String,
    /// `red`, ..., `white`, `off`, `unknown`.
    pub colour: String,
    /// What it does.
    pub rhythm: Rhythm,
}

/// What a light does, as far as it can be drawn.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "kind")]
#[non_exhaustive]
pub enum Rhythm {
    /// It does not change, or nobody can tell.
    Steady,
    /// On and off in turn.
    Blink {
        /// One on phase and one off phase.
        period_ms: u64,
    },
    /// Swelling and fading.
    Breathe {
        /// From full to full.
        period_ms: u64,
    },
    /// Flashes that are told in words only.
    Flashes,
}

/// A trial that is over.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ended {
    /// Its id.
    pub id: String,
    /// Where it ran.
    pub station: String,
    /// The scenario's first line.
    pub scenario: String,
    /// `passed`, `failed`, `error`, `inconclusive`.
    pub verdict: String,
    /// `firmware`, `board`, `bench`, `scenario`; null when passed.
    pub blame: Option<String>,
    /// One sentence; empty when nothing is to be said.
    pub reason: String,
    /// How long it lasted on its own clock.
    pub duration_ns: u64,
}
