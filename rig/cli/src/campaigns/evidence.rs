//! The evidence of a soak: timeline and console of its cycles, as many as a share of the disk holds.
//!
//! Boundary: a folder for each trial, and which of them go. Failures are kept first. To make room the oldest passes go, then the oldest of
//! those that told nothing; where only failures are left, the oldest of them stay, since the first ones tell most. A failure of which
//! nothing was heard is filed among those that told nothing until it counts: it may be a dead board's.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use brickproof_explore::{Class, Course, Shot};
use brickproof_report::evidence::{files_of, write_files};
use brickproof_report::{Backstage, Secrets};
use brickproof_trial::Trial;
use brickproof_units::Size;

use crate::exit::Problem;

const FOLDER: &str = "evidence";
/// What a soak may take if nobody says.
const USUAL: Size = Size::new(64_000_000);

/// Who goes first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Worth {
    Pass,
    Untold,
    Failure,
}

impl Worth {
    const fn of(class: Class, standing: Standing) -> Self {
        match (class, standing) {
            (Class::Survived, _) => Self::Pass,
            (Class::Discarded | Class::Invalid, _) | (_, Standing::HeldBack) => Self::Untold,
            (Class::LockedOut | Class::Misbehaved | Class::Silent, Standing::Final) => Self::Failure,
        }
    }
}

/// Whether it is known what a cycle counts for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Standing {
    Final,
    /// Nothing was heard of its board, and it counts once that answers.
    HeldBack,
}

/// What the name of a cycle that is held back ends with.
const UNHEARD: &str = "-unheard";

pub(super) struct Evidence {
    folder: PathBuf,
    most: Size,
    secrets: Secrets,
    /// What is kept, in the order in which it goes, with its bytes.
    kept: BTreeMap<(Worth, String), u64>,
    taken: u64,
}

impl Evidence {
    /// In the folder of a campaign, with what an earlier process left there.
    pub(super) fn open(campaign: &Path, most: Option<Size>, secrets: Secrets, fresh: bool) -> Result<Self, Problem> {
        let folder = campaign.join(FOLDER);
        let mut evidence = Self { folder, most: most.unwrap_or(USUAL), secrets, kept: BTreeMap::new(), taken: 0 };
        let found = evidence.found().map_err(|error| evidence.trouble(error))?;
        for (key, bytes) in found {
            evidence.taken += bytes;
            evidence.kept.insert(key, bytes);
        }
        while fresh && !evidence.kept.is_empty() {
            evidence.drop_first()?;
        }
        // The share may have been made smaller.
        evidence.make_room_for(0)?;
        Ok(evidence)
    }

    fn found(&self) -> io::Result<Vec<((Worth, String), u64)>> {
        let entries = match fs::read_dir(&self.folder) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            entries => entries?,
        };
        let mut found = Vec::new();
        for entry in entries {
            let entry = entry?;
            let name = entry.file_name().to_string_lossy().into_owned();
            // Anything else is somebody else's.
            let Some((class, standing)) = filed_as(&name).filter(|_| entry.file_type().is_ok_and(|it| it.is_dir()))
            else {
                continue;
            };
            let files = fs::read_dir(entry.path())?.map(|file| file?.metadata().map(|it| it.len()));
            found.push(((Worth::of(class, standing), name), files.sum::<io::Result<u64>>()?));
        }
        Ok(found)
    }

    fn trouble(&self, source: io::Error) -> Problem {
        Problem::NotKept { path: self.folder.clone(), source }
    }

    /// Keeps a trial if there is room for it, or room can be made.
    pub(super) fn keep(&mut self, shot: &Shot, class: Class, standing: Standing, trial: &Trial) -> Result<(), Problem> {
        let key = key_of(shot, class, standing);
        let files = files_of(trial, &Backstage::default(), &self.secrets);
        let bytes = files.iter().map(|(_, bytes)| bytes.len() as u64).sum();
        // The same trial may have been kept right before an earlier process died.
        self.remove(&key)?;
        let failures: u64 = self.kept.iter().filter(|((worth, _), _)| *worth == Worth::Failure).map(|it| it.1).sum();
        if failures + bytes > self.most.get() {
            return Ok(());
        }
        self.make_room_for(bytes)?;
        let place = self.folder.join(&key.1);
        if let Err(error) = write_files(&place, &files) {
            // Half of it is no evidence.
            let _ = fs::remove_dir_all(&place);
            return Err(Problem::from(error));
        }
        self.taken += bytes;
        self.kept.insert(key, bytes);
        Ok(())
    }

    /// A failure that was held back counts: it is filed as one, if it is kept.
    pub(super) fn counts(&mut self, shot: &Shot, class: Class) -> Result<(), Problem> {
        let (held, counting) = [Standing::HeldBack, Standing::Final].map(|it| key_of(shot, class, it)).into();
        if !self.kept.contains_key(&held) {
            return Ok(());
        }
        self.remove(&counting)?;
        let renamed = fs::rename(self.folder.join(&held.1), self.folder.join(&counting.1));
        renamed.map_err(|error| self.trouble(error))?;
        if let Some(bytes) = self.kept.remove(&held) {
            self.kept.insert(counting, bytes);
        }
        Ok(())
    }

    /// Where a cycle that counts is kept, in words.
    pub(super) fn place_of(&self, shot: &Shot, class: Class) -> String {
        let key = key_of(shot, class, Standing::Final);
        let place = self.folder.join(&key.1);
        if self.kept.contains_key(&key) {
            format!("cycle {} in {}", shot.number, place.display())
        } else {
            format!("cycle {}, of which there was no room for the evidence", shot.number)
        }
    }

    fn make_room_for(&mut self, bytes: u64) -> Result<(), Problem> {
        while self.taken + bytes > self.most.get() && !self.kept.is_empty() {
            self.drop_first()?;
        }
        Ok(())
    }

    fn drop_first(&mut self) -> Result<(), Problem> {
        let first = self.kept.keys().find(|(worth, _)| *worth < Worth::Failure);
        // Of failures the latest goes.
        let goes = first.or_else(|| self.kept.keys().next_back()).cloned();
        goes.map_or(Ok(()), |key| self.remove(&key))
    }

    fn remove(&mut self, key: &(Worth, String)) -> Result<(), Problem> {
        let Some(bytes) = self.kept.remove(key) else { return Ok(()) };
        self.taken -= bytes;
        fs::remove_dir_all(self.folder.join(&key.1)).map_err(|error| self.trouble(error))
    }

    /// What is kept, and of what; nothing if no trial was made.
    pub(super) fn told(&self, course: &Course) -> Option<String> {
        if self.most == Size::new(0) {
            return None;
        }
        let progress = course.progress();
        let made = |worth| match worth {
            Worth::Failure => progress.counts.failures(),
            Worth::Pass => progress.done - progress.counts.failures(),
            Worth::Untold => progress.discarded + progress.invalid + progress.silences + progress.unjudged,
        };
        let kept = |worth| self.kept.keys().filter(|(it, _)| *it == worth).count() as u64;
        // Of what is kept, some may have been made to see whether a board lives, and counts for nothing.
        let share = |(worth, name): (Worth, &str)| match (kept(worth), made(worth)) {
            (0, 0) => None,
            (kept, made) if kept < made => Some(format!("{kept} of {made} {name}")),
            (kept, _) => Some(format!("{kept} {name}")),
        };
        let told = [(Worth::Failure, "failures"), (Worth::Pass, "passes"), (Worth::Untold, "that told nothing")];
        let told: Vec<String> = told.into_iter().filter_map(share).collect();
        let (taken, most) = (Size::new(self.taken), self.most);
        let line =
            format!("evidence of {}; {taken} of at most {most}, where the oldest passes go first", told.join(", "));
        (!told.is_empty()).then_some(line)
    }
}

/// Cycles in their order, each with how it ended.
fn key_of(shot: &Shot, class: Class, standing: Standing) -> (Worth, String) {
    let unheard = if standing == Standing::HeldBack { UNHEARD } else { "" };
    let name = format!("{:010}-{}{unheard}", shot.number, class.name().replace(' ', "-"));
    (Worth::of(class, standing), name)
}

fn filed_as(name: &str) -> Option<(Class, Standing)> {
    let (number, rest) = name.split_once('-')?;
    number.parse::<u64>().ok()?;
    let (class, standing) = match rest.strip_suffix(UNHEARD) {
        Some(class) => (class, Standing::HeldBack),
        None => (rest, Standing::Final),
    };
    Some((class.replace('-', " ").parse().ok()?, standing))
}
