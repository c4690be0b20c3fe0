//! The journal of a campaign: a line when it begins, a line for each finding. A course that is told them again stands where it stood.
//!
//! Boundary: lines of JSON. Writing them so that none is lost, and reading them back, is the caller's. A line that was being written when
//! the power went is no line.

use brickproof_scenario::Setting;
use brickproof_units::Span;
use serde::{Deserialize, Serialize};

use crate::alike::Seen;
use crate::course::{Ask, Course};
use crate::outcome::Class;
use crate::shot::{Finding, Shot};

/// The version of the lines.
pub const SCHEMA: &str = "brickproof/campaign/1";

/// The first line: whose journal it is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Head {
    /// [`SCHEMA`].
    pub schema: String,
    /// The campaign's question.
    pub title: String,
    /// A digest over everything that its trials depend on.
    pub digest: String,
}

/// One finding.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Line {
    /// The shot's number.
    shot: u64,
    arm: String,
    #[serde(default, skip_serializing_if = "is_first")]
    cell: usize,
    settings: Vec<(String, String)>,
    seed: u64,
    outcome: String,
    struck_after_ns: Option<u64>,
    /// Whether the first second of its board told it.
    #[serde(default, skip_serializing_if = "is_whole")]
    told: bool,
    /// The trial's id, by which it is made again.
    id: String,
}

/// A journal that does not fit its campaign.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum JournalError {
    /// The first line is none.
    #[error("line 1 is not the beginning of a campaign's journal")]
    Head,
    /// It belongs to another campaign, or to another version of its scenario, firmware or rig.
    #[error("it belongs to another campaign ({title}), or its scenario, firmware or rig changed since")]
    Other {
        /// Which one.
        title: String,
    },
    /// A line in the middle is none.
    #[error("line {line} cannot be read: {why}")]
    Line {
        /// Counted from 1.
        line: usize,
        /// Why not.
        why: String,
    },
    /// A line tells of another trial than the campaign asks for.
    #[error("line {line} tells of trial {told}, and the campaign would make {asked} there")]
    Elsewhere {
        /// Counted from 1.
        line: usize,
        /// What it tells of.
        told: String,
        /// What comes by rights.
        asked: String,
    },
}

/// The first line.
pub fn head(course: &Course, digest: &str) -> String {
    let head = Head { schema: SCHEMA.to_owned(), title: course.campaign().title.clone(), digest: digest.to_owned() };
    serde_json::to_string(&head).unwrap_or_default()
}

/// The line of a finding, and of how it is known. `id` is that of its trial.
pub fn line(shot: &Shot, finding: &Finding, seen: Seen, id: &str) -> String {
    let line = Line {
        shot: shot.number,
        arm: shot.arm.name().to_owned(),
        cell: shot.cell,
        settings: in_words(&shot.settings),
        seed: shot.seed,
        outcome: finding.class.name().to_owned(),
        struck_after_ns: finding.struck_after.map(Span::as_nanos),
        told: seen == Seen::FirstSecond,
        id: id.to_owned(),
    };
    serde_json::to_string(&line).unwrap_or_default()
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde asks in this way")]
fn is_first(cell: &usize) -> bool {
    *cell == 0
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde asks in this way")]
fn is_whole(told: &bool) -> bool {
    !*told
}

fn in_words(settings: &[Setting]) -> Vec<(String, String)> {
    settings.iter().map(|setting| (setting.knob().name().to_owned(), setting.to_string())).collect()
}

/// Where the knobs stood in the trial with this id, if that is what the line tells of.
pub fn settings_of(line: &str, id: &str) -> Option<Vec<(String, String)>> {
    // Most lines are not worth being read.
    let told: Line = line.contains(id).then(|| serde_json::from_str(line).ok())??;
    (told.id == id).then_some(told.settings)
}

/// Tells `course`, which is at its beginning, what `text` has. A bench that failed then is forgiven. Gives how many bytes of it are whole lines: what follows was being written
/// when the writer died, and is to be cut off.
///
/// # Errors
/// It is no journal, or that of another campaign.
pub fn resume(course: &mut Course, digest: &str, text: &str) -> Result<usize, JournalError> {
    let whole = text.rfind('\n').map_or(0, |end| end + 1);
    let mut lines = text[..whole].lines().zip(1..);
    let Some((first, _)) = lines.next() else { return Ok(0) };
    let head: Head = serde_json::from_str(first).map_err(|_| JournalError::Head)?;
    if head.schema != SCHEMA || head.digest != digest {
        return Err(JournalError::Other { title: head.title });
    }
    for (text, line) in lines {
        let unreadable = |why: String| JournalError::Line { line, why };
        let told: Line = serde_json::from_str(text).map_err(|error| unreadable(error.to_string()))?;
        let class: Class =
            told.outcome.parse().map_err(|error: crate::outcome::UnknownClass| unreadable(error.to_string()))?;
        // Several may have been under way: they were told in the order of asking.
        let asked = match course.ask() {
            Ask::Shot(shot) => shot,
            Ask::Wait | Ask::Over => {
                let asked = "nothing any more".to_owned();
                return Err(JournalError::Elsewhere { line, told: told.id, asked });
            }
        };
        let told_of = (told.shot, told.arm.as_str(), told.seed, told.cell, told.settings);
        if (asked.number, asked.arm.name(), asked.seed, asked.cell, in_words(&asked.settings)) != told_of {
            return Err(JournalError::Elsewhere { line, told: told.id, asked: format!("shot {}", asked.number) });
        }
        course.record(&Finding { class, struck_after: told.struck_after_ns.map(Span::nanos) });
        course.forgive();
    }
    Ok(whole)
}
