//! `junit.xml`: the results for continuous integration, one test case per trial, one suite per scenario.
//!
//! Boundary: a view of [`Results`]; it adds nothing to them.

use std::time::Duration;

use quick_junit::{NonSuccessKind, Property, Report, TestCase, TestCaseStatus, TestSuite};

use crate::results::{Results, TrialResult};

/// The report could not be written as XML.
#[derive(Debug, thiserror::Error)]
#[error("results could not be written as JUnit XML")]
pub struct JunitError(#[from] quick_junit::SerializeError);

/// The results as JUnit XML.
pub fn to_xml(results: &Results) -> Result<String, JunitError> {
    let mut report = Report::new(format!("brickproof {}", results.rig.world.name()));
    let mut paths: Vec<&str> = Vec::new();
    for trial in results.last_attempts() {
        if !paths.contains(&trial.scenario.path.as_str()) {
            paths.push(&trial.scenario.path);
        }
    }
    for path in paths {
        let mut suite = TestSuite::new(path);
        suite.add_test_cases(results.last_attempts().filter(|it| it.scenario.path == path).map(|it| case(results, it)));
        report.add_test_suite(suite);
    }
    Ok(report.to_string()?)
}

fn case(results: &Results, trial: &TrialResult) -> TestCase {
    let mut case = TestCase::new(trial.id.as_str(), status(trial));
    case.set_classname(trial.scenario.path.trim_end_matches(".yaml").replace('/', "."));
    case.set_time(Duration::from_nanos(trial.wall_ns));
    case.add_property(Property::new("world", results.rig.world.name()));
    case.add_property(Property::new("board", trial.board.as_str()));
    case.add_property(Property::new("station", trial.station.as_str()));
    case.add_property(Property::new("firmware", trial.firmware.name.as_str()));
    case.add_property(Property::new("firmware_sha256", trial.firmware.sha256.as_str()));
    case.add_property(Property::new("seed", trial.seed.to_string()));
    case.add_property(Property::new("attempt", trial.attempt.to_string()));
    for measurement in &trial.measurements {
        let value = format!("{} {}", measurement.value, measurement.unit);
        case.add_property(Property::new(format!("measured.{}", measurement.name), value));
    }
    case
}

fn status(trial: &TrialResult) -> TestCaseStatus {
    let kind = match trial.verdict.as_str() {
        "passed" => return TestCaseStatus::success(),
        "failed" => NonSuccessKind::Failure,
        _ => NonSuccessKind::Error,
    };
    let mut status = TestCaseStatus::non_success(kind);
    status.set_type(trial.blame.clone().unwrap_or_else(|| trial.verdict.clone()));
    status.set_message(trial.reason.as_str());
    let evidence = trial.evidence.iter().map(|it| format!("{}: {}", it.kind, it.annotated()));
    let light = trial.light.iter().map(|it| format!("light: {it}"));
    let replay = format!("replay: {}", trial.replay);
    status.set_description(evidence.chain(light).chain([replay]).collect::<Vec<_>>().join("\n"));
    status
}
