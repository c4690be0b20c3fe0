//! The page of a campaign, made of what is kept of it: its answer, its picture, its journal.
//!
//! Boundary: files in, a file out. What stands in a page is `brickproof-report`'s.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use brickproof_explore::journal::{self, Entry};
use brickproof_explore::{Answer, Course};
use brickproof_report::evidence::PAGE;
use brickproof_report::page::{self, Campaign, CampaignTrial};
use brickproof_report::results::World;
use brickproof_units::Span;
use serde_json::{Value, json};

use super::keeping::{JOURNAL, NARROW_PICTURE, PICTURE, write};
use crate::exit::Problem;

/// The answer for programs.
const ANSWER: &str = "answer.json";

/// Keeps the answer for programs, of which the page is made.
pub(super) fn keep_answer(folder: &Path, answer: &Answer, course: &Course, world: World) -> Result<(), Problem> {
    let told = json!({
        "schema": journal::SCHEMA,
        "title": course.campaign().title,
        "kind": course.campaign().kind.name(),
        "world": world.name(),
        "conclusion": answer.conclusion.name(),
        "text": answer.text,
    });
    write(&folder.join(ANSWER), &format!("{told:#}\n"))
}

/// Whether a campaign is kept there.
pub(crate) fn is_kept_in(folder: &Path) -> bool {
    folder.join(JOURNAL).is_file()
}

/// Makes the page of the campaign that is kept there, and says where it is.
pub(crate) fn make(folder: &Path) -> Result<PathBuf, Problem> {
    let unreadable = |name: &str| {
        let path = folder.join(name);
        |source: io::Error| Problem::Unreadable { path, source }
    };
    let answer = fs::read_to_string(folder.join(ANSWER)).map_err(unreadable(ANSWER))?;
    let answer: Value = serde_json::from_str(&answer).map_err(io::Error::from).map_err(unreadable(ANSWER))?;
    let word = |key: &str| answer[key].as_str().unwrap_or_default().to_owned();
    let text = fs::read_to_string(folder.join(JOURNAL)).map_err(unreadable(JOURNAL))?;
    let campaign = Campaign {
        title: word("title"),
        world: word("world"),
        kind: word("kind"),
        conclusion: word("conclusion"),
        text: word("text"),
        picture: fs::read_to_string(folder.join(PICTURE)).ok(),
        narrow_picture: fs::read_to_string(folder.join(NARROW_PICTURE)).ok(),
        trials: journal::entries(&text).map(trial).collect(),
    };
    let path = folder.join(PAGE);
    write(&path, &page::campaign(&campaign))?;
    Ok(path)
}

fn trial(entry: Entry) -> CampaignTrial {
    let Entry { number, arm, board, settings, outcome, struck_after, told, id } = entry;
    let struck_after_ns = struck_after.map(Span::as_nanos);
    CampaignTrial { number, arm, board, settings, outcome, struck_after_ns, told, id }
}
