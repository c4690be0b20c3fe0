//! `results.json`: what ran, what came out, whose fault it was.
//!
//! Boundary: plain data with a stable spelling. Readers must ignore fields they do not know; no field is ever renamed or given another
//! meaning under the same `schema`. Times are nanoseconds, voltages microvolts.

use std::sync::Arc;

use brickproof_scenario::plan::{Expected, Fault, Plan};
use brickproof_scenario::printable;
use brickproof_trial::{
    Blame, Evidence, FaultRecord, MeasuredValue, MeasurementRecord, Trial, TrialId, Verdict, VerdictKind,
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::backstage::Backstage;
use crate::connecting;
pub use crate::connecting::{ConnectEntry, SeenBy};
use crate::log;
pub use crate::log::{BootEntry, ExplainedEntry};
use crate::secrets::Secrets;

/// The name and version of the format.
pub const SCHEMA: &str = "brickproof/results/1";

/// Where a verdict was found. It is printed wherever a verdict is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum World {
    /// Emulated boards.
    Virtual,
    /// Real drivers on simulated hardware.
    Lane,
    /// Real boards.
    Hardware,
}

impl World {
    /// As it is printed.
    pub fn name(self) -> &'static str {
        match self {
            Self::Virtual => "virtual",
            Self::Lane => "lane",
            Self::Hardware => "hardware",
        }
    }
}

/// The whole file.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[non_exhaustive]
pub struct Results {
    /// The format: `brickproof/results/1`.
    #[schemars(extend("const" = SCHEMA))]
    pub schema: String,
    /// What ran the trials.
    pub rig: Rig,
    /// How many came to which end.
    pub summary: Summary,
    /// In the order of the command line and of the matrices.
    pub trials: Vec<TrialResult>,
    /// Trials that nobody here could be asked, because they want another board than there is.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub not_asked: Vec<NotAsked>,
}

/// Trials that want a kind of board that is not here.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct NotAsked {
    /// The board that they want.
    pub board: String,
    /// The paths of their scenarios.
    pub scenarios: Vec<String>,
    /// How many there are.
    pub trials: usize,
    /// The command that asks them, once there is a bench with that board.
    pub command: String,
}

/// What ran the trials.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[non_exhaustive]
pub struct Rig {
    /// Brickproof's version.
    pub version: String,
    /// Where.
    pub world: World,
    /// When the first trial began, on the clock on the wall, as RFC 3339 has it. Absent in results of before there was this field.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub started: Option<String>,
}

/// Trials by their end.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[non_exhaustive]
pub struct Summary {
    /// As the scenario says.
    pub passed: usize,
    /// The board or its firmware failed.
    pub failed: usize,
    /// Could not be carried out.
    pub error: usize,
    /// Undecided.
    pub inconclusive: usize,
    /// Set aside by a person, whatever they came to; they count nowhere else. One that the bench or its scenario kept from being carried
    /// out is in error all the same: see [`TrialResult::is_set_aside`].
    pub quarantined: usize,
    /// Attempts whose fault struck outside its tolerance; one that was made again counts nowhere else.
    #[serde(default)]
    pub discarded: usize,
    /// Trials that want a board that is not here: nothing was executed for them.
    #[serde(default)]
    pub not_asked: usize,
}

/// One trial.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[non_exhaustive]
pub struct TrialResult {
    /// Replays it.
    pub id: String,
    /// Which scenario.
    pub scenario: ScenarioRef,
    /// The matrix cell, in the order of the file. With another firmware than the scenario's, without the axes that only say which firmware
    /// runs, and with `firmware` last.
    pub parameters: serde_json::Map<String, serde_json::Value>,
    /// The board profile's name.
    pub board: String,
    /// The board's unique id, where it has one.
    pub board_serial: Option<String>,
    /// The station's name.
    pub station: String,
    /// Which image.
    pub firmware: FirmwareRef,
    /// The seed of everything random.
    pub seed: u64,
    /// Counted from 1: an attempt whose fault struck outside its tolerance may be followed by another.
    pub attempt: u32,
    /// What the scenario says must come of the firmware: `passed` or `bricked`. Empty in results of before there was this field.
    #[serde(default)]
    #[schemars(extend("enum" = ["", "passed", "bricked"]))]
    pub expected: String,
    /// `passed`, `failed`, `error`, `inconclusive`.
    #[schemars(extend("enum" = ["passed", "failed", "error", "inconclusive"]))]
    pub verdict: String,
    /// `firmware`, `board`, `bench`, `scenario`; null when passed.
    #[schemars(extend("enum" = ["firmware", "board", "bench", "scenario", null]))]
    pub blame: Option<String>,
    /// One sentence; empty when nothing is to be said.
    pub reason: String,
    /// What supports the verdict.
    pub evidence: Vec<EvidenceLine>,
    /// The light's last seconds in words.
    pub light: Vec<String>,
    /// How long the trial lasted on its own clock.
    pub duration_ns: u64,
    /// How long it took to run.
    pub wall_ns: u64,
    /// Faults, as asked and as achieved.
    pub faults: Vec<FaultEntry>,
    /// Recorded values.
    pub measurements: Vec<MeasurementEntry>,
    /// How the steps went.
    pub steps: Vec<StepEntry>,
    /// The starts of the board that the clock of its log tells apart: at least so many there were, since those closer together than 100 ms may be
    /// taken for one. Empty if it has no log that is known, and in results of before there was this field.
    #[serde(default)]
    pub boots: Vec<BootEntry>,
    /// The command that runs the trial again. Empty in results of before there was this field.
    #[serde(default)]
    pub replay: String,
    /// How long the board took from power to its cloud; null if it did not come there undisturbed.
    #[serde(default)]
    pub time_to_connect: Option<ConnectEntry>,
    /// That a person set it aside, and why; null otherwise.
    #[serde(default)]
    pub quarantine: Option<QuarantineEntry>,
}

/// That a person set a trial aside.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct QuarantineEntry {
    /// Why, in that person's words.
    pub reason: String,
    /// The last day on which that holds: `2026-12-31`.
    pub until: String,
}

/// Which scenario.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[non_exhaustive]
pub struct ScenarioRef {
    /// As given on the command line.
    pub path: String,
    /// Of the file's bytes.
    pub sha256: String,
    /// Its first line.
    pub title: String,
}

/// Which image.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[non_exhaustive]
pub struct FirmwareRef {
    /// As in the scenario.
    pub name: String,
    /// Of the image's bytes.
    pub sha256: String,
}

/// One thing seen.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[non_exhaustive]
pub struct EvidenceLine {
    /// On the trial's clock.
    pub at_ns: u64,
    /// `console`, `nearest line`, `light`, `cloud`, `supply`.
    pub kind: String,
    /// What.
    pub text: String,
    /// What the numbers in a console line mean, where they are codes that are known. Empty in results of before there was this field.
    #[serde(default)]
    pub explained: Vec<ExplainedEntry>,
}

impl EvidenceLine {
    /// The text, and behind it, in brackets, what its numbers mean.
    pub fn annotated(&self) -> String {
        log::annotated(&self.text, &self.explained)
    }
}

/// A fault.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[non_exhaustive]
pub struct FaultEntry {
    /// `brown_out`, `power_cut`, `load_step`.
    pub kind: String,
    /// When its trigger was seen.
    pub trigger: TriggerEntry,
    /// What was asked.
    pub asked: serde_json::Value,
    /// How far from the asked instant it may strike and still be judged; null: however far.
    #[serde(default)]
    pub tolerance_ns: Option<u64>,
    /// What was achieved; null if it did not happen.
    pub achieved: Option<AchievedEntry>,
    /// How far from the asked instant it may have struck, if that is beyond the tolerance.
    #[serde(default)]
    pub beyond_tolerance_ns: Option<u64>,
}

/// A trigger.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[non_exhaustive]
pub struct TriggerEntry {
    /// The step that armed it.
    pub step: usize,
    /// When its cause was seen.
    pub seen_ns: u64,
    /// How far the transfer of firmware had come on which it hung; null if it hung on something else.
    #[serde(default)]
    pub progress: Option<ProgressEntry>,
}

/// How far a transfer of firmware had come.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[non_exhaustive]
pub struct ProgressEntry {
    /// How much of it was asked for, in parts per million.
    pub asked_ppm: u64,
    /// So many bytes had been written at least.
    pub done_bytes: u32,
    /// Up to so many more may have been. Zero in simulation.
    pub uncertainty_bytes: u32,
    /// So many there were.
    pub total_bytes: u32,
}

/// What a fault did to the supply.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[non_exhaustive]
pub struct AchievedEntry {
    /// When it began.
    pub began_ns: u64,
    /// The true beginning is no further than this from it. Zero in results of before there was this field.
    #[serde(default)]
    pub uncertainty_ns: u64,
    /// The rail's lowest voltage.
    pub lowest_uv: i64,
    /// How long the rail was below the board's brown-out level.
    pub below_brown_out_ns: u64,
}

/// A recorded value.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[non_exhaustive]
pub struct MeasurementEntry {
    /// As in the scenario.
    pub name: String,
    /// In `unit`.
    pub value: i64,
    /// `ns` or `uV`.
    #[schemars(extend("enum" = ["ns", "uV"]))]
    pub unit: String,
    /// Whether it is within the scenario's limits.
    pub within_limits: bool,
    /// The step, counted from 1.
    pub step: usize,
}

/// A step.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[non_exhaustive]
pub struct StepEntry {
    /// Counted from 1.
    pub index: usize,
    /// The line of the scenario file.
    pub line: usize,
    /// As a sentence.
    pub text: String,
    /// `passed`, `failed`, `error`, `not_run`.
    #[schemars(extend("enum" = ["passed", "failed", "error", "not_run"]))]
    pub verdict: String,
    /// Null if it was not run.
    pub start_ns: Option<u64>,
    /// Null if it was not run.
    pub end_ns: Option<u64>,
}

/// The schema of the file. Fields that it does not name are for later versions to add.
pub fn schema() -> serde_json::Value {
    let mut schema = schemars::schema_for!(Results);
    schema.insert("title".to_owned(), "Brickproof results".into());
    schema.to_value()
}

/// A finished trial and what the engine does not know about it.
#[derive(Clone, Debug)]
pub struct Finished {
    /// Its name.
    pub id: TrialId,
    /// The engine, at its end.
    pub trial: Trial,
    /// Which attempt it was, counted from 1.
    pub attempt: u32,
    /// Which image.
    pub firmware: FirmwareRef,
    /// The station's name.
    pub station: Arc<str>,
    /// The unique id of its board, where the bench file says so.
    pub board_serial: Option<Arc<str>>,
    /// How long it took to run, in nanoseconds.
    pub wall_ns: u64,
    /// The command that runs it again.
    pub replay: String,
    /// The private keys that were about.
    pub secrets: Secrets,
    /// What its world knows besides.
    pub backstage: Backstage,
}

impl FirmwareRef {
    /// The image called `name` whose bytes have this SHA-256.
    pub fn new(name: impl Into<String>, sha256: impl Into<String>) -> Self {
        Self { name: name.into(), sha256: sha256.into() }
    }
}

impl Results {
    /// The file for these trials.
    pub fn new(world: World, trials: Vec<TrialResult>) -> Self {
        let discarded = trials.iter().filter(|trial| trial.is_discarded()).count();
        let mut summary = Summary { discarded, ..Summary::default() };
        for trial in last_attempts(&trials) {
            match trial.verdict.as_str() {
                _ if trial.is_set_aside() => summary.quarantined += 1,
                "passed" => summary.passed += 1,
                "failed" => summary.failed += 1,
                "error" => summary.error += 1,
                _ => summary.inconclusive += 1,
            }
        }
        let rig = Rig { version: env!("CARGO_PKG_VERSION").to_owned(), world, started: None };
        Self { schema: SCHEMA.to_owned(), rig, summary, trials, not_asked: Vec::new() }
    }

    /// The same, of a run that began at `started` (RFC 3339).
    #[must_use]
    pub fn begun(self, started: String) -> Self {
        Self { rig: Rig { started: Some(started), ..self.rig }, ..self }
    }

    /// The same, beside trials that could not be asked here.
    #[must_use]
    pub fn beside(self, not_asked: Vec<NotAsked>) -> Self {
        let summary = Summary { not_asked: not_asked.iter().map(|it| it.trials).sum(), ..self.summary };
        Self { summary, not_asked, ..self }
    }

    /// What each trial came to in the end: attempts that were followed by another are left out.
    pub fn last_attempts(&self) -> impl Iterator<Item = &TrialResult> {
        last_attempts(&self.trials)
    }
}

/// The attempts of one trial stand together.
fn last_attempts(trials: &[TrialResult]) -> impl Iterator<Item = &TrialResult> {
    let followed = |place: usize| trials.get(place + 1).is_some_and(|next| next.id == trials[place].id);
    trials.iter().enumerate().filter(move |(place, _)| !followed(*place)).map(|(_, trial)| trial)
}

impl TrialResult {
    /// Whether nothing is judged by it, because a fault struck outside its tolerance.
    pub fn is_discarded(&self) -> bool {
        // One that could not be carried out at all is an error, wherever its fault struck.
        self.verdict == "inconclusive" && self.faults.iter().any(|fault| fault.beyond_tolerance_ns.is_some())
    }

    /// The step that failed or could not be carried out, if one did not end as it should.
    pub fn failing_step(&self) -> Option<&StepEntry> {
        self.steps.iter().find(|step| matches!(step.verdict.as_str(), "failed" | "error"))
    }

    /// Whether its verdict counts for nothing because a person set it aside. That is about firmware and boards: a trial that the bench or
    /// its scenario kept from being carried out is in error whoever set it aside.
    pub fn is_set_aside(&self) -> bool {
        self.quarantine.is_some() && !matches!(self.blame.as_deref(), Some("bench" | "scenario"))
    }

    /// What `finished` came to. A trial that was never concluded counts as inconclusive.
    pub fn new(finished: &Finished) -> Self {
        let Finished { id, trial, attempt, firmware, station, board_serial, wall_ns, replay, secrets, backstage: _ } =
            finished;
        let plan = trial.plan();
        // A line that is told may be one of many over which the board printed a key.
        let secrets = &secrets.and_those_in(&trial.timeline().raw_console());
        let unfinished = Verdict {
            kind: VerdictKind::Inconclusive,
            blame: Some(Blame::Bench),
            reason: "the trial was not finished".to_owned(),
            step: None,
            evidence: Vec::new(),
            light: Vec::new(),
            at: trial.now(),
        };
        let verdict = trial.verdict().unwrap_or(&unfinished);
        Self {
            id: id.to_string(),
            scenario: ScenarioRef {
                path: plan.scenario.path.clone(),
                sha256: plan.scenario.sha256.clone(),
                title: plan.scenario.title.clone(),
            },
            parameters: plan.parameters.iter().map(|(axis, value)| (axis.clone(), value.clone().into())).collect(),
            board: plan.board.name.clone(),
            board_serial: board_serial.as_ref().map(ToString::to_string),
            station: station.to_string(),
            firmware: firmware.clone(),
            seed: id.seed(),
            attempt: *attempt,
            expected: expected(&plan.outcome).to_owned(),
            verdict: verdict.kind.to_string(),
            blame: verdict.blame.map(|blame| blame.to_string()),
            reason: printable(&secrets.masked_text(&verdict.reason)),
            evidence: verdict.evidence.iter().map(|it| evidence_line(it, secrets)).collect(),
            light: verdict.light.clone(),
            duration_ns: trial.now().as_nanos(),
            wall_ns: *wall_ns,
            faults: trial.faults().iter().map(fault_entry).collect(),
            measurements: trial.measurements().iter().map(measurement_entry).collect(),
            steps: step_entries(plan, trial, secrets),
            boots: log::boots(trial.timeline()),
            replay: replay.clone(),
            time_to_connect: connecting::time_to_connect(&plan.board, trial.timeline()),
            quarantine: None,
        }
    }
}

fn evidence_line(evidence: &Evidence, secrets: &Secrets) -> EvidenceLine {
    let text = printable(&secrets.masked_text(&evidence.text));
    let is_console = matches!(evidence.kind, "console" | "nearest line");
    let explained = if is_console { log::explained(text.as_bytes()) } else { Vec::new() };
    EvidenceLine { at_ns: evidence.at.as_nanos(), kind: evidence.kind.to_owned(), text, explained }
}

fn step_entries(plan: &Plan, trial: &Trial, secrets: &Secrets) -> Vec<StepEntry> {
    let entry = |(step, record): (&brickproof_scenario::plan::Step, &brickproof_trial::StepRecord)| StepEntry {
        index: step.index,
        line: step.line,
        text: secrets.masked_text(&step.text),
        verdict: record.verdict.to_string(),
        start_ns: record.ran.map(|(start, _)| start.as_nanos()),
        end_ns: record.ran.map(|(_, end)| end.as_nanos()),
    };
    plan.steps.iter().zip(trial.steps()).map(entry).collect()
}

fn expected(outcome: &Expected) -> &'static str {
    match outcome {
        Expected::Passed => "passed",
        Expected::Bricked { .. } => "bricked",
    }
}

/// The word that scenarios use for a fault.
pub fn fault_kind(fault: &Fault) -> &'static str {
    match fault {
        Fault::BrownOut { .. } => "brown_out",
        Fault::PowerCut { .. } => "power_cut",
        Fault::LoadStep { .. } => "load_step",
    }
}

/// What was asked of a fault, with base units in the names.
pub(crate) fn asked(record: &brickproof_trial::Injection) -> serde_json::Value {
    let at_ns = record.at.as_nanos();
    match &record.fault {
        Fault::BrownOut { rail, floor, fall, hold, rise } => serde_json::json!({
            "at_ns": at_ns, "rail": rail, "floor_uv": floor.get(), "fall_ns_per_v": fall.get(),
            "hold_ns": hold.get(), "rise_ns_per_v": rise.get(),
        }),
        Fault::PowerCut { hold } => serde_json::json!({ "at_ns": at_ns, "hold_ns": hold.map(|hold| hold.get()) }),
        Fault::LoadStep { current, hold, reaches } => serde_json::json!({
            "at_ns": at_ns, "current_ua": current.get(), "hold_ns": hold.get(),
            "reaches_uv": reaches.map(|reaches| reaches.get()),
        }),
    }
}

fn fault_entry(record: &FaultRecord) -> FaultEntry {
    FaultEntry {
        kind: fault_kind(&record.asked.fault).to_owned(),
        trigger: TriggerEntry {
            step: record.step,
            seen_ns: record.triggered.as_nanos(),
            progress: record.progress.map(|(asked, progress)| ProgressEntry {
                asked_ppm: asked.get(),
                done_bytes: progress.done,
                uncertainty_bytes: progress.uncertainty,
                total_bytes: progress.total,
            }),
        },
        asked: asked(&record.asked),
        tolerance_ns: record.tolerance.map(|tolerance| tolerance.as_nanos()),
        beyond_tolerance_ns: record.beyond_tolerance().map(|furthest| furthest.as_nanos()),
        achieved: record.achieved.as_ref().map(|shape| AchievedEntry {
            began_ns: shape.began.as_nanos(),
            uncertainty_ns: shape.uncertainty.as_nanos(),
            lowest_uv: shape.lowest.get(),
            below_brown_out_ns: shape.below_brown_out.get(),
        }),
    }
}

fn measurement_entry(record: &MeasurementRecord) -> MeasurementEntry {
    let (value, unit) = match record.value {
        MeasuredValue::Span(span) => (i64::try_from(span.get()).unwrap_or(i64::MAX), "ns"),
        MeasuredValue::Voltage(voltage) => (voltage.get(), "uV"),
    };
    MeasurementEntry {
        name: record.name.clone(),
        value,
        unit: unit.to_owned(),
        within_limits: record.within_limits,
        step: record.step,
    }
}
