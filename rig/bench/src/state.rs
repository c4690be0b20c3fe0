//! What a bench remembers beyond the process that drives it: who holds a station, and whether it was left safe.
//!
//! Boundary: files in one folder. A lock is the kernel's and dies with its process; a journal is on the disk and survives everything.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Seek, Write};
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

use brickproof_keys::Fingerprint;
use rustix::fs::{FlockOperation, flock};
use serde::{Deserialize, Serialize};

/// Names another folder.
const VARIABLE: &str = "BRICKPROOF_STATE";
/// Where everybody on this computer finds the same stations, once somebody has made the folder for them.
const SHARED: &str = "/var/lib/brickproof";

/// The folder.
#[derive(Clone, Debug)]
pub struct StateFolder {
    path: PathBuf,
}

/// What cannot be remembered.
#[derive(Debug, thiserror::Error)]
pub enum StateError {
    /// No folder.
    #[error("there is no place for the state of stations: {0}")]
    Nowhere(String),
    /// A file in it.
    #[error("{path} cannot be used: {source}")]
    File {
        /// Which.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// Somebody else has the station.
    #[error("{station} is held by {holder}")]
    Held {
        /// The station.
        station: String,
        /// Who has it.
        holder: Holder,
    },
}

/// Who holds a station.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Holder {
    /// The process.
    pub pid: u32,
    /// Whose it is, as the environment says.
    pub user: String,
    /// What it was started for.
    pub command: String,
    /// When it took the station: seconds since 1970.
    pub since: u64,
}

impl Holder {
    /// This process.
    pub fn this() -> Self {
        let words: Vec<String> = std::env::args_os().skip(1).map(|word| word.to_string_lossy().into_owned()).collect();
        let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default().as_secs();
        Self {
            pid: std::process::id(),
            user: std::env::var("USER").unwrap_or_else(|_| "somebody".to_owned()),
            command: format!("brickproof {}", words.join(" ")),
            since,
        }
    }
}

impl std::fmt::Display for Holder {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "process {} of {} (`{}`)", self.pid, self.user, self.command)
    }
}

impl StateFolder {
    /// The folder of this user: what `BRICKPROOF_STATE` says, the shared one if there is one to write to, or one below
    /// `XDG_STATE_HOME` or the home folder.
    ///
    /// # Errors
    /// If there is none and none can be made.
    pub fn find() -> Result<Self, StateError> {
        if let Some(path) = std::env::var_os(VARIABLE) {
            return Self::at(Path::new(&path));
        }
        let may_write = |path: &Path| rustix::fs::access(path, rustix::fs::Access::WRITE_OK).is_ok();
        if may_write(Path::new(SHARED)) {
            return Self::at(Path::new(SHARED));
        }
        let set = |name: &str| std::env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
        let home = set("XDG_STATE_HOME").or_else(|| Some(set("HOME")?.join(".local/state")));
        let Some(home) = home else {
            return Err(StateError::Nowhere(format!("neither {VARIABLE} nor HOME is set")));
        };
        Self::at(&home.join("brickproof"))
    }

    /// The folder at `path`, which is made if it is not there.
    ///
    /// # Errors
    /// If it cannot be made.
    pub fn at(path: &Path) -> Result<Self, StateError> {
        fs::create_dir_all(path).map_err(|source| StateError::File { path: path.to_owned(), source })?;
        Ok(Self { path: path.to_owned() })
    }

    /// Takes a station for this process.
    ///
    /// # Errors
    /// [`StateError::Held`] with its holder if another process has it.
    pub fn lock(&self, bench: &str, station: &str, holder: &Holder) -> Result<Lock, StateError> {
        let path = self.path.join(format!("{bench}.{station}.lock"));
        let failed = |source| StateError::File { path: path.clone(), source };
        // Read by whoever finds the station taken, whoever they are.
        let mut options = OpenOptions::new();
        options.read(true).write(true).create(true).truncate(false).mode(0o664);
        let mut file = options.open(&path).map_err(failed)?;
        if let Err(errno) = flock(&file, FlockOperation::NonBlockingLockExclusive) {
            if errno != rustix::io::Errno::WOULDBLOCK {
                return Err(failed(errno.into()));
            }
            let mut text = String::new();
            file.read_to_string(&mut text).map_err(failed)?;
            // Between taking it and saying who did there is a moment.
            let unnamed = Holder { pid: 0, user: "somebody".into(), command: "not told yet".into(), since: 0 };
            let holder = serde_json::from_str(&text).unwrap_or(unnamed);
            return Err(StateError::Held { station: format!("station {bench}/{station}"), holder });
        }
        let text = serde_json::to_string(holder).unwrap_or_default();
        file.set_len(0).and_then(|()| file.rewind()).and_then(|()| file.write_all(text.as_bytes())).map_err(failed)?;
        Ok(Lock { file })
    }

    /// The journal of a station.
    pub fn journal(&self, bench: &str, station: &str) -> Journal {
        Journal { path: self.path.join(format!("{bench}.{station}.journal")) }
    }

    /// Keeps what a board's memory held before the rig wrote over it, for nobody else to read; answers where.
    ///
    /// # Errors
    /// What the disk says.
    pub fn keep_backup(&self, name: &str, bytes: &[u8]) -> Result<PathBuf, StateError> {
        let path = self.path.join(name);
        let failed = |source| StateError::File { path: path.clone(), source };
        let mut options = OpenOptions::new();
        options.write(true).create(true).truncate(true).mode(0o600);
        let mut file = options.open(&path).map_err(failed)?;
        file.set_permissions(fs::Permissions::from_mode(0o600)).map_err(failed)?;
        file.write_all(bytes).and_then(|()| file.sync_all()).map_err(failed)?;
        Ok(path)
    }
}

impl StateFolder {
    /// Notes that the cloud of a station's board accepts `new` from now on, and `old` no longer.
    ///
    /// # Errors
    /// What the disk says.
    pub fn note_identity(&self, station: &str, old: Option<Fingerprint>, new: Fingerprint) -> Result<(), StateError> {
        let path = self.identities_of(station);
        let failed = |source| StateError::File { path: path.clone(), source };
        let mut file = OpenOptions::new().append(true).create(true).open(&path).map_err(failed)?;
        let old = old.map_or_else(|| "?".to_owned(), |old| old.to_string());
        writeln!(file, "{old} {new}").and_then(|()| file.sync_all()).map_err(failed)
    }

    /// The identity that the cloud of a station's board accepts in place of `identity`, as far as the rig has had to do with it. `None` if it
    /// has not taken its place.
    ///
    /// # Errors
    /// What the disk says, or that a note cannot be read: then nothing is known of any identity.
    pub fn in_place_of(&self, station: &str, identity: Fingerprint) -> Result<Option<Fingerprint>, StateError> {
        let path = self.identities_of(station);
        let failed = |source| StateError::File { path: path.clone(), source };
        let text = match fs::read_to_string(&path) {
            Ok(text) => text,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(failed(error)),
        };
        let mut taken = None;
        for line in text.lines() {
            let (old, new) = line.split_once(' ').unwrap_or_default();
            let Some(new) = Fingerprint::from_hex(new.as_bytes()) else {
                return Err(failed(io::Error::new(io::ErrorKind::InvalidData, format!("`{line}` is no note"))));
            };
            if Fingerprint::from_hex(old.as_bytes()) == Some(identity) {
                taken = Some(new);
            } else if new == identity {
                taken = None;
            } else if taken.is_some() {
                taken = Some(new);
            }
        }
        Ok(taken)
    }

    fn identities_of(&self, station: &str) -> PathBuf {
        self.path.join(format!("{}.identities", station.replace('/', ".")))
    }
}

/// A station that is this process's, for as long as this is kept.
#[derive(Debug)]
pub struct Lock {
    /// The kernel lets go of the lock with it.
    file: File,
}

impl Drop for Lock {
    fn drop(&mut self) {
        // A child that another thread is just starting has the file open too, until it begins its own program. If this fails, closing does it.
        let _ = flock(&self.file, FlockOperation::Unlock);
    }
}

/// A note on the disk that a station is not safe.
#[derive(Clone, Debug)]
pub struct Journal {
    path: PathBuf,
}

/// What stands in a journal.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Entry {
    /// Who left the station so.
    pub holder: Holder,
    /// What was done with it: a trial's id, or a verb.
    pub doing: String,
}

impl Journal {
    /// What an earlier process left; `None` if it left the station safe.
    pub fn left_over(&self) -> Option<Result<Entry, String>> {
        match fs::read_to_string(&self.path) {
            Ok(text) => Some(serde_json::from_str(&text).map_err(|error| error.to_string())),
            Err(error) if error.kind() == io::ErrorKind::NotFound => None,
            Err(error) => Some(Err(error.to_string())),
        }
    }

    /// Notes that the station is about to leave its safe state; on the disk when this returns.
    ///
    /// # Errors
    /// What the disk says: then the station must stay as it is.
    pub fn open(&self, entry: &Entry) -> Result<(), StateError> {
        let failed = |source| StateError::File { path: self.path.clone(), source };
        let text = serde_json::to_string(entry).unwrap_or_default();
        // Written beside and moved, so that there is never half of it.
        let beside = self.path.with_extension("journal.new");
        let mut file = File::create(&beside).map_err(failed)?;
        file.write_all(text.as_bytes()).and_then(|()| file.sync_all()).map_err(failed)?;
        fs::rename(&beside, &self.path).map_err(failed)?;
        self.sync_folder().map_err(failed)
    }

    /// Notes that the station is safe again.
    ///
    /// # Errors
    /// What the disk says: the next start will make the station safe once more, which harms nobody.
    pub fn close(&self) -> Result<(), StateError> {
        let failed = |source| StateError::File { path: self.path.clone(), source };
        match fs::remove_file(&self.path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(failed(error)),
            _ => self.sync_folder().map_err(failed),
        }
    }

    fn sync_folder(&self) -> io::Result<()> {
        self.path.parent().map_or(Ok(()), |folder| File::open(folder)?.sync_all())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn folder() -> (tempfile::TempDir, StateFolder) {
        let folder = tempfile::tempdir().unwrap();
        let state = StateFolder::at(folder.path()).unwrap();
        (folder, state)
    }

    fn holder(command: &str) -> Holder {
        Holder { pid: 7, user: "lab".into(), command: command.into(), since: 1_000 }
    }

    #[test]
    fn a_station_has_one_holder_and_whoever_comes_second_is_told_who_it_is() {
        let (_folder, state) = folder();
        let first = state.lock("desk", "left", &holder("run a")).unwrap();
        let second = state.lock("desk", "left", &holder("run b")).unwrap_err();
        assert_eq!(second.to_string(), "station desk/left is held by process 7 of lab (`run a`)");
        state.lock("desk", "right", &holder("run b")).unwrap();
        drop(first);
        state.lock("desk", "left", &holder("run b")).unwrap();
    }

    #[test]
    fn a_lock_dies_with_its_process() {
        let (folder, state) = folder();
        let path = folder.path().join("desk.left.lock");
        File::create(&path).unwrap();
        // Another process holds the lock of the same file, as long as it lives; what it runs has not.
        let mut child = std::process::Command::new("flock")
            .arg("--close")
            .arg(&path)
            .args(["sh", "-c", "echo held; exec cat"])
            .stdin(std::process::Stdio::piped())
            .stdout(std::process::Stdio::piped())
            .spawn()
            .unwrap();
        let mut said = [0; 5];
        child.stdout.as_mut().unwrap().read_exact(&mut said).unwrap();
        assert!(matches!(state.lock("desk", "left", &holder("run")), Err(StateError::Held { .. })));
        child.kill().unwrap();
        // The kernel closes a killed process's files before anybody is told of its end.
        child.wait().unwrap();
        state.lock("desk", "left", &holder("run")).unwrap();
    }

    #[test]
    fn a_journal_stays_until_the_station_is_safe_again() {
        let (_folder, state) = folder();
        let journal = state.journal("desk", "left");
        assert!(journal.left_over().is_none());
        let entry = Entry { holder: holder("run"), doing: "brown-out.1-0123".into() };
        journal.open(&entry).unwrap();
        assert_eq!(state.journal("desk", "left").left_over(), Some(Ok(entry)));
        journal.close().unwrap();
        assert!(journal.left_over().is_none());
        journal.close().unwrap();
    }

    #[test]
    fn a_journal_that_nobody_can_read_still_says_that_the_station_is_not_safe() {
        let (folder, state) = folder();
        fs::write(folder.path().join("desk.left.journal"), "{\"hol").unwrap();
        assert!(matches!(state.journal("desk", "left").left_over(), Some(Err(_))));
    }

    #[test]
    fn a_backup_is_for_its_owner_alone() {
        let (_folder, state) = folder();
        let path = state.keep_backup("keys.bin", &[1, 2, 3]).unwrap();
        assert_eq!(fs::read(&path).unwrap(), [1, 2, 3]);
        assert_eq!(fs::metadata(path).unwrap().permissions().mode() & 0o777, 0o600);
    }
}
