//! `junit.xml`: the results for continuous integration, one test case for each trial.
//!
//! Boundary: a view of [`Results`]; it adds nothing to them.
//!
//! It keeps to the schema with which Jenkins's xUnit plugin refuses reports (`fixtures/schemas/junit-10.xsd`). That gives properties to suites
//! alone, so that the trials of one scenario with one firmware on one board are a suite, with `world`, `board`, `board_serial`, `station`,
//! `firmware`, `firmware_sha256` and the scenario's digest as its properties. It gives no line to a case either: the failing step stands as
//! `path:line` at the head of a failure's text, where GitHub's and GitLab's viewers look for it, and the scenario as the `file` of its suite.
//! What belongs to a single trial, its replay command among it, is its `system-out`. The timestamp of a suite is when the run began, where results say so.
//!
//! A trial that failed is a `failure`; one that could not be carried out or came to nothing is an `error`. The type of either is whom it
//! blames. One that a person set aside is `skipped`, with everything that it came to. Attempts that were discarded and made again are `flakyError` under a trial that then passed, and `rerunError` under another.

use std::time::Duration;

use quick_junit::{NonSuccessKind, Property, Report, TestCase, TestCaseStatus, TestRerun, TestSuite};

use crate::results::{Results, TrialResult};

/// The report could not be written as XML.
#[derive(Debug, thiserror::Error)]
#[error("results could not be written as JUnit XML")]
pub struct JunitError(#[from] quick_junit::SerializeError);

/// What the type of a discarded attempt says.
const DISCARDED: &str = "discarded";

/// The results as JUnit XML.
pub fn to_xml(results: &Results) -> Result<String, JunitError> {
    let mut report = Report::new(format!("brickproof {}", results.rig.world.name()));
    for trials in suites(results) {
        report.add_test_suite(suite(results, &trials));
    }
    let text = report.to_string()?;
    // The schema knows no such sum, and the crate always writes it.
    Ok(text.replacen(&format!(" skipped=\"{}\"", report.skipped), "", 1))
}

/// A trial, and the attempts that were discarded before it.
type Attempts<'r> = (&'r TrialResult, &'r [TrialResult]);

/// The trials by what their suites have in common, in the order of the results.
fn suites(results: &Results) -> Vec<Vec<Attempts<'_>>> {
    let mut suites: Vec<Vec<Attempts<'_>>> = Vec::new();
    // The attempts of one trial stand together.
    for attempts in results.trials.chunk_by(|one, next| one.id == next.id) {
        let Some((last, discarded)) = attempts.split_last() else { continue };
        match suites.iter_mut().find(|suite| suite.first().is_some_and(|(first, _)| common(first) == common(last))) {
            Some(suite) => suite.push((last, discarded)),
            None => suites.push(vec![(last, discarded)]),
        }
    }
    suites
}

/// What the trials of a suite have in common.
fn common(trial: &TrialResult) -> [&str; 6] {
    [
        &trial.scenario.path,
        &trial.board,
        trial.board_serial.as_deref().unwrap_or_default(),
        &trial.station,
        &trial.firmware.name,
        &trial.firmware.sha256,
    ]
}

fn suite(results: &Results, trials: &[Attempts<'_>]) -> TestSuite {
    let Some((first, _)) = trials.first() else { return TestSuite::new("") };
    let [path, board, serial, station, firmware, sha256] = common(first);
    let mut suite = TestSuite::new(format!("{path}: {firmware} on {board} at {station}"));
    suite.extra.insert("file".into(), path.into());
    if let Some(started) = &results.rig.started {
        suite.extra.insert("timestamp".into(), started.as_str().into());
    }
    let properties = [
        ("world", results.rig.world.name()),
        ("board", board),
        ("board_serial", serial),
        ("station", station),
        ("firmware", firmware),
        ("firmware_sha256", sha256),
        ("scenario_sha256", &first.scenario.sha256),
        ("rig_version", &results.rig.version),
    ];
    let known = properties.into_iter().filter(|(_, value)| !value.is_empty());
    suite.properties.extend(known.map(|(name, value)| Property::new(name, value)));
    suite.set_time(trials.iter().map(|(trial, _)| Duration::from_nanos(trial.wall_ns)).sum());
    suite.add_test_cases(trials.iter().map(|(trial, discarded)| case(results, trial, discarded)));
    suite
}

fn case(results: &Results, trial: &TrialResult, discarded: &[TrialResult]) -> TestCase {
    let mut case = TestCase::new(trial.id.as_str(), status(trial, discarded));
    case.set_classname(trial.scenario.path.trim_end_matches(".yaml").replace('/', "."));
    case.set_time(Duration::from_nanos(trial.wall_ns));
    case.set_system_out(about(results, trial));
    case
}

/// What belongs to this trial alone.
fn about(results: &Results, trial: &TrialResult) -> String {
    let mut lines = vec![format!("{} ({} world)", trial.scenario.title, results.rig.world.name())];
    lines.extend(trial.parameters.iter().map(|(axis, value)| {
        let value = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
        format!("parameter {axis}: {value}")
    }));
    lines.push(format!("seed: {}, attempt: {}", trial.seed, trial.attempt));
    lines.extend(trial.measurements.iter().map(|it| format!("measured {}: {} {}", it.name, it.value, it.unit)));
    if trial.verdict == "passed" && !trial.reason.is_empty() {
        lines.push(trial.reason.clone());
        lines.extend(evidence(trial));
    }
    lines.push(format!("replay: {}", trial.replay));
    lines.join("\n")
}

fn status(trial: &TrialResult, discarded: &[TrialResult]) -> TestCaseStatus {
    let kind = match trial.verdict.as_str() {
        "passed" => {
            let mut status = TestCaseStatus::success();
            status.add_reruns(discarded.iter().map(rerun));
            return status;
        }
        "failed" => NonSuccessKind::Failure,
        _ => NonSuccessKind::Error,
    };
    if let Some(aside) = trial.quarantine.as_ref().filter(|_| trial.is_set_aside()) {
        let mut status = TestCaseStatus::skipped();
        status.set_type("quarantined");
        status.set_message(format!("set aside until {}: {}", aside.until, aside.reason));
        status.set_description(format!("{}: {}\n{}", trial.verdict, trial.reason, description(trial)));
        return status;
    }
    let mut status = TestCaseStatus::non_success(kind);
    status.set_type(trial.blame.clone().unwrap_or_else(|| trial.verdict.clone()));
    status.set_message(trial.reason.as_str());
    status.set_description(description(trial));
    status.add_reruns(discarded.iter().map(rerun));
    status
}

fn rerun(attempt: &TrialResult) -> TestRerun {
    let mut rerun = TestRerun::new(NonSuccessKind::Error);
    rerun.set_type(DISCARDED);
    rerun.set_message(format!("attempt {}: {}", attempt.attempt, attempt.reason));
    rerun.set_stack_trace(description(attempt));
    rerun
}

/// Everything that speaks for the verdict, the failing step first.
fn description(trial: &TrialResult) -> String {
    let at = trial
        .failing_step()
        .map(|step| format!("{}:{}: step {}, {}", trial.scenario.path, step.line, step.index, step.text));
    let blame = trial.blame.iter().map(|blame| format!("blame: {blame}"));
    let replay = format!("replay: {}", trial.replay);
    at.into_iter().chain(blame).chain(evidence(trial)).chain([replay]).collect::<Vec<_>>().join("\n")
}

fn evidence(trial: &TrialResult) -> impl Iterator<Item = String> {
    let seconds = |nanos| brickproof_units::Instant::from_nanos(nanos);
    let evidence =
        trial.evidence.iter().map(move |it| format!("{} {}: {}", seconds(it.at_ns), it.kind, it.annotated()));
    evidence.chain(trial.light.iter().map(|it| format!("light: {it}")))
}
