//! GitHub's runner, where it is what runs the command.
//!
//! Boundary: whether it is there, and how it calls a file. What it reads is `brickproof_report::github`'s.

use std::borrow::Cow;
use std::path::Path;
use std::sync::LazyLock;

use brickproof_report::github::{self, Annotation, Level};
use brickproof_report::results::{TrialResult, World};
use brickproof_scenario::Diagnostics;

/// Whether the output is read by it.
static READS: LazyLock<bool> = LazyLock::new(|| std::env::var_os("GITHUB_ACTIONS").is_some_and(|it| it == "true"));

/// `text` with nothing in it that the runner would obey, if it reads along.
pub(crate) fn inert(text: &str) -> Cow<'_, str> {
    if *READS { github::inert(text) } else { Cow::Borrowed(text) }
}

/// What annotates a trial that did not pass, if the runner reads along.
pub(crate) fn of_trial(trial: &TrialResult, world: World) -> Option<String> {
    READS.then(|| github::of_trial(trial, world, &in_repository(&trial.scenario.path)))
}

/// What annotates each mistake of a file, if the runner reads along.
pub(crate) fn of_mistakes(diagnostics: &Diagnostics) -> Vec<String> {
    if !*READS {
        return Vec::new();
    }
    let file = in_repository(diagnostics.path());
    let annotate = |mistake: &brickproof_scenario::Mistake| {
        let help = mistake.suggestion().map(|help| format!("\nhelp: {help}")).unwrap_or_default();
        let message = format!("{mistake}{help}");
        let column = Some(mistake.column());
        Annotation {
            file: &file,
            line: mistake.line(),
            level: Level::Error,
            column,
            title: mistake.kind().code(),
            message: &message,
        }
        .command()
    };
    diagnostics.mistakes().iter().map(annotate).collect()
}

/// A path from the root of the repository on, which is what the runner calls files by.
fn in_repository(path: &str) -> String {
    let here = std::env::current_dir().unwrap_or_default();
    let root = std::env::var_os("GITHUB_WORKSPACE").unwrap_or_default();
    let whole = here.join(path);
    match whole.strip_prefix(Path::new(&root)) {
        Ok(inside) if !root.is_empty() => inside.to_string_lossy().into_owned(),
        _ => path.to_owned(),
    }
}
