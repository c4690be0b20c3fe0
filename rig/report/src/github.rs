//! What GitHub's runner reads in the output of a step: annotations on lines of files, and nothing else by accident.
//!
//! Boundary: text. Whether a runner reads it is known to whoever prints.
//!
//! A line whose first letters are `::` is a command to the runner, and so is `##[` anywhere in a line (actions/runner, `ActionCommand.cs`). A
//! board that prints one must not be obeyed: [`inert`] takes such lines apart for everything that is not an annotation.

use std::borrow::Cow;

use crate::results::{TrialResult, World};

const COMMAND: &str = "::";
const OLD_COMMAND: &str = "##[";
/// With a space of no width in it.
const TAKEN_APART: &str = "##\u{200b}[";

/// What is told at a line of a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Annotation<'t> {
    /// The file, from the root of the repository on.
    pub file: &'t str,
    /// Counted from 1.
    pub line: usize,
    /// In characters, counted from 1; `None` for all of the line.
    pub column: Option<usize>,
    /// Whether it is one of the errors.
    pub level: Level,
    /// What is shown in bold.
    pub title: &'t str,
    /// What is shown below it.
    pub message: &'t str,
}

/// How loud an annotation is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Level {
    /// Something failed, or is wrong.
    Error,
    /// Something failed that a person set aside.
    Warning,
}

impl Level {
    const fn name(self) -> &'static str {
        match self {
            Self::Error => "error",
            Self::Warning => "warning",
        }
    }
}

impl Annotation<'_> {
    /// The runner's command for it: one line.
    pub fn command(&self) -> String {
        let column = self.column.map(|column| format!(",col={column}")).unwrap_or_default();
        format!(
            "::{} file={},line={}{column},title={}::{}",
            self.level.name(),
            property(self.file),
            self.line,
            property(self.title),
            data(self.message)
        )
    }
}

/// The annotation of a trial that did not pass, at the step that decided. `file` is where its scenario is in the repository.
pub fn of_trial(trial: &TrialResult, world: World, file: &str) -> String {
    let blame = trial.blame.as_deref().unwrap_or("nobody");
    let title = format!("{} {} ({} world), blame: {blame}", trial.verdict, trial.id, world.name());
    let step = trial.failing_step();
    let told = step.map(|step| format!("step {}, {}: ", step.index, step.text)).unwrap_or_default();
    let message = format!("{told}{}\nreplay: {}", trial.reason, trial.replay);
    let line = step.map_or(1, |step| step.line);
    let level = if trial.is_set_aside() { Level::Warning } else { Level::Error };
    Annotation { file, line, column: None, level, title: &title, message: &message }.command()
}

/// `text` with nothing in it that the runner obeys.
pub fn inert(text: &str) -> Cow<'_, str> {
    let commands = |line: &str| line.trim_start().starts_with(COMMAND) || line.contains(OLD_COMMAND);
    if !text.split(['\n', '\r']).any(commands) {
        return Cow::Borrowed(text);
    }
    let mut whole = String::with_capacity(text.len() + 8);
    for piece in text.split_inclusive(['\n', '\r']) {
        let line = piece.replace(OLD_COMMAND, TAKEN_APART);
        let begins = line.len() - line.trim_start().len();
        let (blank, rest) = line.split_at(begins);
        whole.push_str(blank);
        match rest.strip_prefix(COMMAND) {
            Some(rest) => {
                whole.push_str(":\u{200b}:");
                whole.push_str(rest);
            }
            None => whole.push_str(rest),
        }
    }
    Cow::Owned(whole)
}

fn data(text: &str) -> String {
    text.replace(OLD_COMMAND, TAKEN_APART).replace('%', "%25").replace('\r', "%0D").replace('\n', "%0A")
}

fn property(text: &str) -> String {
    data(text).replace(':', "%3A").replace(',', "%2C")
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// As the runner looks for a command (actions/runner v2.328, `ActionCommand.TryParseV2` and `TryParse`).
    fn is_obeyed(line: &str) -> bool {
        line.trim_start().starts_with("::") || line.contains("##[")
    }

    #[test]
    fn an_annotation_is_one_line_whatever_is_in_it() {
        let annotation = Annotation {
            file: "a,b/c:d.yaml",
            line: 21,
            column: Some(7),
            level: Level::Error,
            title: "100 %, sure: yes",
            message: "first\r\n::stop-commands::x\nlast",
        };
        assert_eq!(
            annotation.command(),
            "::error file=a%2Cb/c%3Ad.yaml,line=21,col=7,title=100 %25%2C sure%3A yes::first%0D%0A::stop-commands::x%0Alast"
        );
    }

    #[test]
    fn what_a_board_prints_is_no_command() {
        assert_eq!(inert("12s console ::error::x"), "12s console ::error::x", "not at the beginning");
        assert_eq!(inert("::stop-commands::x"), ":\u{200b}:stop-commands::x");
        assert_eq!(inert("a\n  ::add-mask::b\nc ##[error]d"), "a\n  :\u{200b}:add-mask::b\nc ##\u{200b}[error]d");
    }

    proptest! {
        #[test]
        fn nothing_inert_is_obeyed_and_little_is_changed(text in "([:# \\[\\r\\n\\t\u{85}\u{a0}a]|\\PC){0,40}") {
            let shown = inert(&text);
            prop_assert!(!shown.split(['\n', '\r']).any(is_obeyed), "{shown:?}");
            prop_assert_eq!(shown.replace('\u{200b}', ""), text.replace('\u{200b}', ""));
        }
    }
}
