//! What went wrong, for programs: a line for each mistake of a file, then one for what it came to.
//!
//! Boundary: shapes alone, the same for every command. The words are those that people get.

use brickproof_scenario::{Diagnostics, Mistake};
use serde_json::{Value, json};

use crate::exit::{Exit, Problem};

/// A problem, and before it the mistakes that it is made of.
pub(super) fn lines(problem: &Problem) -> Vec<Value> {
    let files = if let Problem::Mistakes(files) = problem { files.as_slice() } else { &[] };
    let of_file = |file: &Diagnostics| file.mistakes().iter().map(|it| mistake(file.path(), it)).collect::<Vec<_>>();
    let reason = |(file, text): (Option<&str>, &str)| json!({ "file": file, "text": text });
    let last = json!({ "problem": {
        "kind": problem.kind(),
        "message": problem.message(),
        "help": problem.help(),
        "reasons": problem.reasons().into_iter().map(reason).collect::<Vec<_>>(),
        "exit": problem.exit().status(),
    } });
    files.iter().flat_map(of_file).chain([last]).collect()
}

fn mistake(file: &str, mistake: &Mistake) -> Value {
    json!({ "mistake": {
        "file": file,
        "line": mistake.line(),
        "column": mistake.column(),
        "kind": mistake.kind().code(),
        "message": mistake.to_string(),
        "help": mistake.suggestion(),
        "in_other_cells": mistake.in_other_cells(),
    } })
}

/// Words that are no command.
pub(super) fn usage(error: &clap::Error) -> Value {
    let told = error.render().to_string();
    let told = told.strip_prefix("error: ").unwrap_or(&told);
    let (message, help) = told.split_once("\n\n").unwrap_or((told, ""));
    json!({ "problem": {
        "kind": "usage",
        "message": message.trim_end(),
        "help": help.trim(),
        "reasons": [],
        "exit": Exit::BadInput.status(),
    } })
}
