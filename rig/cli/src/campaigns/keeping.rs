//! What is kept of a campaign: its journal, line by line, and in the end its answer and its pictures.
//!
//! Boundary: files. A finding is in the operating system's hands before it counts, so that killing the process loses none; the disk has
//! them once a second, and at the end.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{self, Seek, Write};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use brickproof_explore::journal::{self, Resumed, Told};
use brickproof_explore::picture::{self, Caption, Sheet};
use brickproof_explore::{Answer, Course, Finding, Seen, Shot, Spared};
use brickproof_report::results::World;

use crate::arguments::Conduct;
use crate::exit::Problem;

/// Where campaigns are kept when nobody says where.
const DEFAULT_FOLDER: &str = ".brickproof/campaigns";
pub(super) const JOURNAL: &str = "journal.jsonl";
const ANSWER: &str = "answer.txt";
pub(super) const PICTURE: &str = "picture.svg";
/// The same as a phone shows it.
pub(super) const NARROW_PICTURE: &str = "picture-narrow.svg";
/// How much a machine that loses its power may forget.
const SYNC_EVERY: Duration = Duration::from_secs(1);

/// What the journal of a campaign has of a trial.
pub(crate) struct Kept {
    /// Where the knobs of its fault stood.
    pub(crate) settings: Vec<(String, String)>,
    /// Of a cycle of a soak, whose board had a past: where the campaign is kept.
    pub(crate) of_a_soak: Option<PathBuf>,
}

/// What the journal of the campaign that made a trial has of it.
pub(crate) fn kept(id: &str) -> Option<Kept> {
    let folders = fs::read_dir(DEFAULT_FOLDER).ok()?.flatten();
    folders.into_iter().find_map(|folder| {
        let text = fs::read_to_string(folder.path().join(JOURNAL)).ok()?;
        let settings = text.lines().find_map(|line| journal::settings_of(line, id))?;
        let is_soak = folder.file_name().to_string_lossy().starts_with("soak-");
        Some(Kept { settings, of_a_soak: is_soak.then(|| folder.path()) })
    })
}

/// A campaign's journal, open at its end.
pub(super) struct Journal {
    folder: PathBuf,
    file: File,
    synced: Instant,
    /// How its trials were known that are not of this process.
    before: Spared,
}

impl Journal {
    /// Opens the journal of the campaign with this digest and tells `course` what is in it; that is given too.
    pub(super) fn open(conduct: &Conduct, digest: &str, course: &mut Course) -> Result<(Self, Vec<Told>), Problem> {
        let folder = match &conduct.report {
            Some(folder) => folder.clone(),
            None => Path::new(DEFAULT_FOLDER).join(format!("{}-{digest}", course.campaign().kind.name())),
        };
        let path = folder.join(JOURNAL);
        let trouble = |why: String| Problem::Journal { path: path.clone(), why };
        fs::create_dir_all(&folder).map_err(|error| trouble(error.to_string()))?;
        // Nothing of it is touched before it is locked: somebody may be at it.
        let mut options = OpenOptions::new();
        options.create(true).read(true).write(true).truncate(false);
        let file = options.open(&path).map_err(|error| trouble(error.to_string()))?;
        file.try_lock().map_err(|error| match error {
            TryLockError::WouldBlock => trouble("another process is at this campaign".to_owned()),
            TryLockError::Error(error) => trouble(error.to_string()),
        })?;
        let mut journal = Self { folder, file, synced: Instant::now(), before: Spared::default() };
        let text = if conduct.fresh {
            String::new()
        } else {
            io::read_to_string(&journal.file).map_err(|error| trouble(error.to_string()))?
        };
        let Resumed { whole, told, by_first_second } = journal::resume(course, digest, &text)
            .map_err(|error| trouble(format!("{error}; --fresh begins anew, --report DIR keeps it elsewhere")))?;
        if conduct.whole && by_first_second > 0 {
            return Err(trouble(format!(
                "{by_first_second} of its trials were told by the first second of their board, and --whole makes every trial to its end; \
                 --fresh begins anew"
            )));
        }
        journal.before =
            Spared { made: told.len() as u64 - by_first_second, told: by_first_second, ..Spared::default() };
        journal.cut_to(whole as u64).map_err(|error| trouble(error.to_string()))?;
        if whole == 0 {
            let head = format!("{}\n", journal::head(course, digest));
            journal.file.write_all(head.as_bytes()).map_err(|error| trouble(error.to_string()))?;
        }
        Ok((journal, told))
    }

    /// How the trials were known that other processes made. What they checked is not kept.
    pub(super) fn before(&self) -> Spared {
        self.before
    }

    fn cut_to(&mut self, length: u64) -> io::Result<()> {
        self.file.set_len(length)?;
        self.file.seek(io::SeekFrom::Start(length)).map(drop)
    }

    fn trouble(&self, source: io::Error) -> Problem {
        Problem::NotKept { path: self.folder.join(JOURNAL), source }
    }

    /// A finding that is going to count.
    pub(super) fn keep(
        &mut self,
        shot: &Shot,
        finding: &Finding,
        seen: Seen,
        board: &str,
        id: &str,
    ) -> Result<(), Problem> {
        self.keep_line(&journal::line(shot, finding, seen, board, id))
    }

    /// A board that was recovered.
    pub(super) fn keep_recovery(&mut self, board: &str) -> Result<(), Problem> {
        self.keep_line(&journal::recovery(board))
    }

    fn keep_line(&mut self, line: &str) -> Result<(), Problem> {
        let line = format!("{line}\n");
        let before = self.file.stream_position().map_err(|error| self.trouble(error))?;
        if let Err(error) = self.file.write_all(line.as_bytes()) {
            // Half a line is none; if it cannot be cut off, whoever goes on does it.
            let _ = self.cut_to(before);
            return Err(self.trouble(error));
        }
        if self.synced.elapsed() >= SYNC_EVERY {
            self.sync()?;
        }
        Ok(())
    }

    /// A cycle that came to something else when it was made again.
    pub(super) fn elsewise(&self, shot: &Shot, kept: &Finding, made: &Finding) -> Problem {
        let differs = if kept.class != made.class {
            format!("is kept as {} and came to {}", kept.class, made.class)
        } else if kept.erased != made.erased {
            "erased other sectors than are kept, or as many times not".to_owned()
        } else {
            "struck, or was heard, otherwise than is kept".to_owned()
        };
        let why = format!(
            "cycle {} {differs} when it was made again, so the rig or its firmware changed since; --fresh begins anew",
            shot.number
        );
        Problem::Journal { path: self.folder.join(JOURNAL), why }
    }

    fn sync(&mut self) -> Result<(), Problem> {
        self.synced = Instant::now();
        self.file.sync_data().map_err(|error| self.trouble(error))
    }

    /// The answer as far as there is one, beside the journal.
    pub(super) fn conclude(
        &mut self,
        answer: &Answer,
        course: &Course,
        world: World,
        spared: Option<String>,
    ) -> Result<(), Problem> {
        self.sync()?;
        let mut text = format!("{} ({} world)\n{}", course.campaign().title, world.name(), answer.text);
        if let Some(spared) = spared {
            text = format!("{}\n{spared}\n", text.trim_end());
        }
        write(&self.folder.join(ANSWER), &text)
    }

    /// The picture on both sheets, where there is one.
    pub(super) fn draw(&self, course: &Course, caption: &Caption<'_>) -> Result<(), Problem> {
        for (sheet, name) in [(Sheet::Wide, PICTURE), (Sheet::Narrow, NARROW_PICTURE)] {
            if let Some(picture) = picture::svg(course, caption, sheet) {
                write(&self.folder.join(name), &picture)?;
            }
        }
        Ok(())
    }

    /// Where it is.
    pub(super) fn folder(&self) -> &Path {
        &self.folder
    }
}

/// Writes a file, which is complete or as it was.
pub(super) fn write(path: &Path, text: &str) -> Result<(), Problem> {
    let beside = path.with_extension("part");
    let written = fs::write(&beside, text).and_then(|()| fs::rename(&beside, path));
    written.map_err(|source| Problem::NotKept { path: path.to_owned(), source })
}
