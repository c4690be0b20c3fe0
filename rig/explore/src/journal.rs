//! The journal of a campaign: a line when it begins, a line for each finding and for each recovery of a board. A course that is told them again stands where it stood.
//!
//! Boundary: lines of JSON. Writing them so that none is lost, and reading them back, is the caller's. A line that was being written when
//! the power went is no line.

use brickproof_scenario::Setting;
use brickproof_units::Span;
use serde::{Deserialize, Serialize};

use crate::alike::Seen;
use crate::boards::BoardNumber;
use crate::course::{Ask, Course};
use crate::outcome::Class;
use crate::shot::{Finding, Shot};
use crate::wear::Erased;

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
    /// Which board made it. Journals written before boards were told have none.
    #[serde(default = "nameless")]
    board: String,
    /// Whether anything was heard of it.
    #[serde(default = "yes", skip_serializing_if = "is_yes")]
    heard: bool,
    /// How often each sector of its flash was erased, where it tells.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    erased: Vec<(String, u64)>,
    /// Whether the first second of its board told it.
    #[serde(default, skip_serializing_if = "is_whole")]
    told: bool,
    /// The trial's id, by which it is made again.
    id: String,
}

/// A board that was brought back, or in whose place another was put.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Recovered {
    recovered: String,
}

/// What a journal told, for whoever has to do it again.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Told {
    /// This trial was made, and came to this.
    Made(Shot, Finding),
    /// This board was recovered.
    Recovered(BoardNumber),
}

/// What a journal has of one trial, in its own words.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// Counted from 0, in the order of asking.
    pub number: u64,
    /// Whose firmware ran.
    pub arm: String,
    /// What the board is called that made it.
    pub board: String,
    /// Where the knobs of its fault stood.
    pub settings: Vec<(String, String)>,
    /// What it came to.
    pub outcome: String,
    /// How long after its trigger the fault struck; `None` if none did.
    pub struck_after: Option<Span>,
    /// Whether the first second of its board told it.
    pub told: bool,
    /// Its id.
    pub id: String,
}

/// What a journal had.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Resumed {
    /// How many bytes of it are whole lines: what follows was being written when the writer died, and is to be cut off.
    pub whole: usize,
    /// What its lines tell, in their order.
    pub told: Vec<Told>,
    /// How many of its trials were not made to their end.
    pub by_first_second: u64,
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
    /// A line tells of a recovery that nothing before it called for.
    #[error("line {line} tells that board {board} was recovered, and nothing before it calls for that")]
    Unasked {
        /// Counted from 1.
        line: usize,
        /// What it is called.
        board: String,
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

/// The line of a finding, and of how it is known. `id` is that of its trial, `board` what the board that made it is called.
pub fn line(shot: &Shot, finding: &Finding, seen: Seen, board: &str, id: &str) -> String {
    let line = Line {
        shot: shot.number,
        arm: shot.arm.name().to_owned(),
        cell: shot.cell,
        settings: in_words(&shot.settings),
        seed: shot.seed,
        outcome: finding.class.name().to_owned(),
        struck_after_ns: finding.struck_after.map(Span::as_nanos),
        board: board.to_owned(),
        heard: finding.heard,
        erased: finding.erased.iter().map(|it| (it.sector.clone(), it.times)).collect(),
        told: seen == Seen::FirstSecond,
        id: id.to_owned(),
    };
    serde_json::to_string(&line).unwrap_or_default()
}

/// The line of a recovery of the board that is called so.
pub fn recovery(board: &str) -> String {
    serde_json::to_string(&Recovered { recovered: board.to_owned() }).unwrap_or_default()
}

fn nameless() -> String {
    "board not told".to_owned()
}

fn yes() -> bool {
    true
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde asks in this way")]
fn is_yes(heard: &bool) -> bool {
    *heard
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

/// The trials of a journal, in the order of asking. Lines that tell of anything else, or of nothing, are passed over.
pub fn entries(text: &str) -> impl Iterator<Item = Entry> {
    let entry = |line: Line| Entry {
        number: line.shot,
        arm: line.arm,
        board: line.board,
        settings: line.settings,
        outcome: line.outcome,
        struck_after: line.struck_after_ns.map(Span::nanos),
        told: line.told,
        id: line.id,
    };
    text.lines().filter_map(|line| serde_json::from_str(line).ok()).map(entry)
}

/// Tells `course`, which is at its beginning, what `text` has. A bench that failed then is forgiven.
///
/// # Errors
/// It is no journal, or that of another campaign.
pub fn resume(course: &mut Course, digest: &str, text: &str) -> Result<Resumed, JournalError> {
    let mut resumed =
        Resumed { whole: text.rfind('\n').map_or(0, |end| end + 1), told: Vec::new(), by_first_second: 0 };
    let mut lines = text[..resumed.whole].lines().zip(1..);
    let Some((first, _)) = lines.next() else { return Ok(resumed) };
    let head: Head = serde_json::from_str(first).map_err(|_| JournalError::Head)?;
    if head.schema != SCHEMA || head.digest != digest {
        return Err(JournalError::Other { title: head.title });
    }
    for (text, line) in lines {
        // Whoever went on after it had stopped had looked at the bench.
        forgive_a_stop(course);
        resumed.told.push(match serde_json::from_str(text) {
            Ok(Recovered { recovered }) => told_recovery(course, recovered, line)?,
            Err(_) => {
                let (told, seen) = told_finding(course, text, line)?;
                resumed.by_first_second += u64::from(seen == Seen::FirstSecond);
                told
            }
        });
    }
    forgive_a_stop(course);
    Ok(resumed)
}

fn forgive_a_stop(course: &mut Course) {
    if course.stopped().is_some() {
        course.forgive();
    }
}

fn told_recovery(course: &mut Course, name: String, line: usize) -> Result<Told, JournalError> {
    let board = course.board(&name);
    if course.recovered(board) { Ok(Told::Recovered(board)) } else { Err(JournalError::Unasked { line, board: name }) }
}

fn told_finding(course: &mut Course, text: &str, line: usize) -> Result<(Told, Seen), JournalError> {
    let unreadable = |why: String| JournalError::Line { line, why };
    let told: Line = serde_json::from_str(text).map_err(|error| unreadable(error.to_string()))?;
    let class: Class =
        told.outcome.parse().map_err(|error: crate::outcome::UnknownClass| unreadable(error.to_string()))?;
    // Several may have been under way: they were told in the order of asking, and a recovery is told when it was done.
    let Ask::Shot(asked) = course.ask_for_a_shot() else {
        return Err(JournalError::Elsewhere { line, told: told.id, asked: "nothing any more".to_owned() });
    };
    let told_of = (told.shot, told.arm.as_str(), told.seed, told.cell, told.settings);
    if (asked.number, asked.arm.name(), asked.seed, asked.cell, in_words(&asked.settings)) != told_of {
        return Err(JournalError::Elsewhere { line, told: told.id, asked: format!("shot {}", asked.number) });
    }
    let erased = told.erased.into_iter().map(|(sector, times)| Erased { sector, times }).collect();
    let board = course.board(&told.board);
    let struck_after = told.struck_after_ns.map(Span::nanos);
    let finding = Finding { class, struck_after, heard: told.heard, board, erased };
    course.record(&finding);
    Ok((Told::Made(asked, finding), if told.told { Seen::FirstSecond } else { Seen::Whole }))
}
