//! Trials as results tell them, in as few words as a test needs.
//!
//! Boundary: made up; where the rig itself writes its history is tested with the command.

use std::path::Path;

use brickproof_history::{History, NewRun, NewTrial, RunId};
use brickproof_report::results::{TrialResult, World};
use jiff::Timestamp;
use jiff::civil::Date;
use jiff::tz::TimeZone;
use serde_json::json;
use tempfile::TempDir;

/// What differs between the trials of a test.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Told<'a> {
    pub(crate) scenario: &'a str,
    pub(crate) cell: &'a str,
    pub(crate) station: &'a str,
    pub(crate) serial: Option<&'a str>,
    pub(crate) firmware: &'a str,
    pub(crate) seed: u64,
    /// `passed`, or a verdict and who is blamed, as in `failed firmware`.
    pub(crate) came_to: &'a str,
    pub(crate) connect_ms: Option<u64>,
}

pub(crate) const PASSES: Told<'static> = Told {
    scenario: "scenarios/boots.yaml",
    cell: "usb",
    station: "left",
    serial: Some("3f00aa01"),
    firmware: "lantern-heal-full",
    seed: 1,
    came_to: "passed",
    connect_ms: Some(2_000),
};

impl Told<'_> {
    pub(crate) fn result(&self) -> TrialResult {
        let (verdict, blame) =
            self.came_to.split_once(' ').map_or((self.came_to, None), |(verdict, blame)| (verdict, Some(blame)));
        let stem = self.scenario.rsplit('/').next().and_then(|it| it.strip_suffix(".yaml")).unwrap_or("t");
        let reason = if verdict == "passed" { "" } else { "the light was not cloud_connected within 10 s" };
        let connect = self.connect_ms.map(|ms| json!({"after_ns": ms * 1_000_000, "seen_by": "cloud"}));
        serde_json::from_value(json!({
            "id": format!("{stem}.{}.{}-{:08x}", self.cell, self.seed, 0x5f3a_09c2_u32),
            "scenario": {"path": self.scenario, "sha256": "aa11", "title": "A board boots"},
            "parameters": {"supply": self.cell},
            "board": "lantern-nrf51", "board_serial": self.serial, "station": self.station,
            "firmware": {"name": self.firmware, "sha256": sha256(self.firmware)},
            "seed": self.seed, "attempt": 1, "expected": "passed",
            "verdict": verdict, "blame": blame, "reason": reason, "evidence": [], "light": [],
            "duration_ns": 12_000_000_000_u64, "wall_ns": 20_000_000, "faults": [], "measurements": [],
            "steps": [
                {"index": 1, "line": 5, "text": "supply 5 V over USB", "verdict": "passed", "start_ns": 0, "end_ns": 1},
                {"index": 2, "line": 6, "text": "expect the light to be cloud_connected within 10s", "verdict": verdict, "start_ns": 1, "end_ns": 2},
            ],
            "replay": "", "time_to_connect": connect,
        }))
        .expect("it is written as results are")
    }
}

/// Some digest that differs from name to name.
fn sha256(name: &str) -> String {
    name.bytes()
        .fold(0x9E37_79B9_7F4A_7C15_u64, |sum, byte| (sum ^ u64::from(byte)).wrapping_mul(0x0100_0000_01B3))
        .to_string()
}

/// A history of its own, in a folder that goes with the test.
pub(crate) fn empty() -> (History, TempDir) {
    let folder = tempfile::tempdir().expect("there is room");
    (History::open(&folder.path().join("below/history.sqlite")).expect("there is room"), folder)
}

/// A run on the evening of that day.
pub(crate) fn begin(history: &mut History, night: &str, world: World) -> RunId {
    let night: Date = night.parse().expect("a day");
    let started = night.at(22, 0, 0, 0).to_zoned_datetime(TimeZone::UTC).expect("UTC has every hour");
    let evidence = Path::new(".brickproof/runs/000001");
    let bench = if world == World::Virtual { "" } else { "pi-one" };
    history.begin_run(&NewRun { started: &started, world, bench, evidence }).expect("there is room")
}

/// Trials that began at the same moment as their run.
pub(crate) fn record(history: &mut History, run: RunId, trials: &[TrialResult]) {
    let started: Timestamp = "2026-11-27T22:00:00Z".parse().expect("an instant");
    let trials: Vec<NewTrial<'_>> =
        trials.iter().map(|result| NewTrial { result, started, discarded: false }).collect();
    history.record(run, &trials).expect("there is room");
}
