//! The folder of live news: one file for each process that is at something, and beside it a lock that dies with the process.
//!
//! Boundary: files. A process that ends removes its file; one that is killed leaves it, and the kernel lets go of its lock: whoever reads it
//! knows then that nobody will bring it to its end. Process ids come round, so they are names here and no proof of life.

use std::collections::BTreeSet;
use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use crate::live::{Live, SCHEMA};

/// Where live news lies.
pub const DEFAULT_FOLDER: &str = ".brickproof/live";
/// News is written anew at least so often, also where nothing has changed.
pub const HEARTBEAT: Duration = Duration::from_secs(5);

/// What killed processes left is kept so long ...
const LEFT_FOR: Duration = Duration::from_secs(24 * 60 * 60);
/// ... and of so many of them.
const LEFT_OF: usize = 8;
/// News is no longer than this; what is was not written by us.
const LONGEST: u64 = 1 << 20;
/// The news of so many processes is read.
const MOST: usize = 64;

/// The place of this process's news; it is removed with it.
#[derive(Debug)]
pub struct Place {
    news: PathBuf,
    lock: PathBuf,
    /// The kernel lets go of the lock with it.
    _held: File,
}

impl Place {
    /// A place in `folder`, which is made. What processes left there that were killed long ago is removed.
    ///
    /// # Errors
    /// What the disk says.
    pub fn take(folder: &Path) -> io::Result<Self> {
        fs::create_dir_all(folder)?;
        tidy(folder);
        let pid = std::process::id();
        let mut number = 0;
        loop {
            let lock = folder.join(format!("{pid}-{number}.lock"));
            match OpenOptions::new().write(true).create_new(true).open(&lock) {
                Ok(held) => {
                    // Whoever looks whether it is held has it for a moment.
                    held.lock()?;
                    return Ok(Self { news: lock.with_extension("json"), lock, _held: held });
                }
                // Of this process, or of one that had its number.
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => number += 1,
                Err(error) => return Err(error),
            }
        }
    }

    /// Writes the news: all of it is there, or what was there before.
    ///
    /// # Errors
    /// What the disk says.
    pub fn put(&self, live: &Live) -> io::Result<()> {
        let text = serde_json::to_string(live).map_err(io::Error::other)?;
        let beside = self.news.with_extension("part");
        let written = fs::write(&beside, text).and_then(|()| fs::rename(&beside, &self.news));
        if written.is_err() {
            // Half of it would only take room.
            let _ = fs::remove_file(&beside);
        }
        written
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        // The news first: as long as there is any, its lock says whether it is of a living process.
        let _ = fs::remove_file(&self.news);
        let _ = fs::remove_file(&self.lock);
    }
}

/// Whether the process is still at it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pulse {
    /// It lives.
    Alive,
    /// It is gone and did not come to its end: it was killed, or its machine lost its power.
    Gone,
}

/// The news in `folder`, newest process first. What cannot be read is passed over.
pub fn read(folder: &Path) -> Vec<(Pulse, Live)> {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten().map(|entry| entry.path());
    let news = entries.filter(|path| path.extension().is_some_and(|it| it == "json"));
    let mut found: Vec<(Pulse, Live)> = news.take(MOST).filter_map(|path| read_one(&path)).collect();
    found.sort_by_key(|(pulse, live)| (*pulse == Pulse::Gone, std::cmp::Reverse(live.began_unix_ms), live.pid));
    found
}

fn read_one(path: &Path) -> Option<(Pulse, Live)> {
    let mut text = String::new();
    File::open(path).ok()?.take(LONGEST).read_to_string(&mut text).ok()?;
    let live: Live = serde_json::from_str(&text).ok().filter(|live: &Live| live.schema == SCHEMA)?;
    let pulse = pulse(&path.with_extension("lock"));
    // Whoever ends removes the news before the lock: if it is still there, nobody has ended meanwhile.
    let is_left = || path.exists() && age(&path.with_extension("lock")) <= LEFT_FOR;
    (pulse == Pulse::Alive || is_left()).then_some((pulse, live))
}

fn pulse(lock: &Path) -> Pulse {
    match File::open(lock).map(|file| file.try_lock_shared()) {
        Ok(Err(TryLockError::WouldBlock)) => Pulse::Alive,
        _ => Pulse::Gone,
    }
}

/// Removes what killed processes left, but for the newest of the last day. What cannot be removed stays.
fn tidy(folder: &Path) {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten().map(|entry| entry.path().with_extension("lock"));
    let places: BTreeSet<PathBuf> = entries.collect();
    let left = places.into_iter().filter(|lock| pulse(lock) == Pulse::Gone);
    let mut left: Vec<(Duration, PathBuf)> = left.map(|lock| (age(&lock), lock)).collect();
    left.sort();
    for (place, (age, lock)) in left.into_iter().enumerate() {
        if place >= LEFT_OF || age > LEFT_FOR {
            for name in ["json", "part", "lock"] {
                let _ = fs::remove_file(lock.with_extension(name));
            }
        }
    }
}

/// How long ago anything was written at a place.
fn age(lock: &Path) -> Duration {
    let written =
        ["json", "lock"].map(|name| fs::metadata(lock.with_extension(name)).and_then(|it| it.modified()).ok());
    let newest = written.into_iter().flatten().max();
    newest.map_or(Duration::MAX, |it| SystemTime::now().duration_since(it).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::results::World;

    fn news(title: &str) -> Live {
        Live {
            schema: SCHEMA.to_owned(),
            version: String::new(),
            pid: std::process::id(),
            title: title.to_owned(),
            world: World::Lane,
            bench: None,
            run: Some(7),
            began_unix_ms: 1,
            told_unix_ms: 2,
            progress: crate::live::Progress::default(),
            stations: Vec::new(),
            ended: Vec::new(),
            failures: Vec::new(),
        }
    }

    fn files(folder: &Path) -> usize {
        fs::read_dir(folder).unwrap().count()
    }

    /// As a killed process leaves it: its news, and a lock that nobody holds.
    fn leave(folder: &Path, name: &str, days_ago: u64) {
        for (extension, text) in [("json", serde_json::to_string(&news(name)).unwrap()), ("lock", String::new())] {
            let path = folder.join(name).with_extension(extension);
            fs::write(&path, text).unwrap();
            let then = SystemTime::now() - Duration::from_secs(days_ago * 24 * 60 * 60 + 60);
            File::options().write(true).open(&path).unwrap().set_modified(then).unwrap();
        }
    }

    #[test]
    fn news_is_read_while_its_process_lives_and_gone_when_it_ends() {
        let folder = tempfile::tempdir().unwrap();
        let place = Place::take(folder.path()).unwrap();
        assert_eq!(read(folder.path()), [], "there is none yet");
        place.put(&news("first")).unwrap();
        place.put(&news("second")).unwrap();
        assert_eq!(read(folder.path()), [(Pulse::Alive, news("second"))]);
        let another = Place::take(folder.path()).unwrap();
        another.put(&news("another of this process")).unwrap();
        assert_eq!(read(folder.path()).len(), 2);
        drop((place, another));
        assert_eq!((read(folder.path()), files(folder.path())), (Vec::new(), 0));
    }

    #[test]
    fn a_killed_process_is_told_as_such_for_a_day_and_then_forgotten() {
        let folder = tempfile::tempdir().unwrap();
        leave(folder.path(), "999999-0", 0);
        leave(folder.path(), "999998-0", 1);
        assert_eq!(read(folder.path()), [(Pulse::Gone, news("999999-0"))]);
        drop(Place::take(folder.path()).unwrap());
        assert_eq!(files(folder.path()), 2, "the old one is tidied away");
        for number in 0..LEFT_OF + 3 {
            leave(folder.path(), &format!("77-{number}"), 0);
        }
        drop(Place::take(folder.path()).unwrap());
        assert_eq!(files(folder.path()), 2 * LEFT_OF);
    }

    #[test]
    fn what_is_no_news_is_passed_over() {
        let folder = tempfile::tempdir().unwrap();
        let other = serde_json::to_string(&Live { schema: "brickproof/live/2".into(), ..news("other") }).unwrap();
        for (name, text) in [("1-0.json", "{"), ("2-0.json", "[]"), ("3-0.json", other.as_str()), ("4-0.part", "{}")] {
            fs::write(folder.path().join(name), text).unwrap();
        }
        fs::create_dir(folder.path().join("5-0.json")).unwrap();
        assert_eq!(read(folder.path()), []);
        assert_eq!(read(Path::new("/no/such/folder")), []);
    }

    #[test]
    fn a_place_that_cannot_be_written_is_told() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("file");
        fs::write(&file, "").unwrap();
        assert!(Place::take(&file).is_err());
        let place = Place::take(folder.path()).unwrap();
        fs::create_dir(&place.news).unwrap();
        assert!(place.put(&news("no room")).is_err());
        assert!(!place.news.with_extension("part").exists(), "nothing of it is left");
    }
}
