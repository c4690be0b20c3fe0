//! A plan in plain words: what will be done, and what the station must offer.
//!
//! Boundary: text for people, and the same taken apart for programs. What a given station cannot do is added by the bench, which knows the station.

use std::fmt::Write;

use brickproof_yaml::printable;
use serde_json::{Map, Value, json};

use crate::plan::{Expected, FirmwareName, Plan, StateName, Step};
use crate::sentence;

/// The plan in words, one line for every step, ending with a line break.
pub fn explain(plan: &Plan) -> String {
    let mut text = String::new();
    // Writing to a `String` cannot fail.
    let _ = write_plan(&mut text, plan);
    text
}

/// The same for programs.
pub fn explained(plan: &Plan) -> Value {
    let steps = |steps: &[Step]| -> Vec<Value> {
        steps.iter().map(|step| json!({ "index": step.index, "line": step.line, "text": step.text })).collect()
    };
    let throughout: Vec<Value> =
        plan.throughout.iter().map(|watch| json!({ "line": watch.line, "text": watch.text })).collect();
    let parameters: Map<String, Value> =
        plan.parameters.iter().map(|(axis, value)| (axis.clone(), value.as_str().into())).collect();
    let outcome = match plan.outcome {
        Expected::Passed => "passed",
        Expected::Bricked { .. } => "bricked",
    };
    json!({
        "scenario": {
            "path": plan.scenario.path,
            "sha256": plan.scenario.sha256,
            "title": printable(&plan.scenario.title),
        },
        "parameters": parameters,
        "tags": plan.tags,
        "board": plan.board.name,
        "firmware": plan.firmware.0,
        "state": plan.state.as_ref().map(|StateName(path)| path),
        "cloud": sentence::cloud(&plan.cloud),
        "throughout": throughout,
        "steps": steps(&plan.steps),
        "cleanup": steps(&plan.cleanup),
        "expected": outcome,
        "expectation": expected(&plan.outcome),
        "needs": plan.needs.iter().map(|need| sentence::need(*need, &plan.board)).collect::<Vec<_>>(),
    })
}

fn write_plan(text: &mut String, plan: &Plan) -> std::fmt::Result {
    writeln!(text, "{}", printable(&plan.scenario.title))?;
    if !plan.parameters.is_empty() {
        let cell: Vec<String> = plan.parameters.iter().map(|(axis, value)| format!("{axis}={value}")).collect();
        writeln!(text, "with {}", printable(&cell.join(", ")))?;
    }
    if !plan.tags.is_empty() {
        writeln!(text, "tagged {}", printable(&plan.tags.join(", ")))?;
    }
    writeln!(
        text,
        "\nOn a {} ({}) that {}; {}.",
        plan.board.name,
        plan.board.mcu,
        printable(&runs(plan)),
        sentence::cloud(&plan.cloud)
    )?;
    write_throughout(text, plan)?;
    writeln!(text, "\nSteps")?;
    write_steps(text, &plan.steps)?;
    if !plan.cleanup.is_empty() {
        writeln!(text, "\nAfterwards, whatever happened")?;
        write_steps(text, &plan.cleanup)?;
    }
    writeln!(text, "\nExpected: {}", expected(&plan.outcome))?;
    writeln!(text, "\nThe station must offer")?;
    for need in &plan.needs {
        writeln!(text, "  - {}", sentence::need(*need, &plan.board))?;
    }
    Ok(())
}

fn runs(plan: &Plan) -> String {
    let FirmwareName(firmware) = &plan.firmware;
    match &plan.state {
        None if plan.firmware.is_as_found() => "is left with the firmware and the keys that are on it".to_owned(),
        None => format!("runs {firmware}"),
        Some(StateName(path)) if plan.firmware.is_as_found() => {
            format!("starts from the state in {path} and runs the firmware found there")
        }
        Some(StateName(path)) => format!("starts from the state in {path}, with {firmware} written over its firmware"),
    }
}

fn write_throughout(text: &mut String, plan: &Plan) -> std::fmt::Result {
    if !plan.throughout.is_empty() {
        writeln!(text, "\nFrom the first step to the last")?;
        for watch in &plan.throughout {
            writeln!(text, "  - {}", watch.text)?;
        }
    }
    Ok(())
}

fn write_steps(text: &mut String, steps: &[Step]) -> std::fmt::Result {
    steps.iter().try_for_each(|step| writeln!(text, "{:>4}. {}", step.index, step.text))
}

fn expected(outcome: &Expected) -> String {
    match outcome {
        Expected::Passed => "the board survives; every step holds".to_owned(),
        Expected::Bricked { showing } if showing.is_empty() => {
            "the board is bricked: after the fault an expectation is missed; a brick that does not come is a failure"
                .to_owned()
        }
        Expected::Bricked { showing } => {
            let seen: Vec<String> = showing.iter().map(sentence::seen).collect();
            format!("the board is bricked, and after the fault we {}", seen.join(" and "))
        }
    }
}
