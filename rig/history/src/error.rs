//! What can go wrong with a history, and what to try.
//!
//! Boundary: words; nothing is opened or repaired here.

use std::path::{Path, PathBuf};

use rusqlite::ErrorCode;

/// A history could not be read or written.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum HistoryError {
    /// There is none.
    #[error("there is no history at {path}: `brickproof run` makes it, and --history FILE says where another one is")]
    Absent {
        /// Where it was looked for.
        path: PathBuf,
    },
    /// The file is somebody else's.
    #[error("{path} is not a history of Brickproof: say with --history FILE where it is to be")]
    Foreign {
        /// Which file.
        path: PathBuf,
    },
    /// A newer Brickproof wrote it.
    #[error(
        "{path} was written by a newer Brickproof: its history has version {found}, and this one reads up to {known}; use the newer one, or keep another history with --history FILE"
    )]
    Newer {
        /// Which file.
        path: PathBuf,
        /// Its version.
        found: i64,
        /// The newest one that is read.
        known: i64,
    },
    /// An older Brickproof wrote it, and reading alone does not change it.
    #[error(
        "{path} was written by an older Brickproof and is brought up to date by the next `brickproof run` that keeps its trials there"
    )]
    Older {
        /// Which file.
        path: PathBuf,
    },
    /// It could not be opened, read or written.
    #[error("the history {path} could not be {what}: {}", told(source))]
    Database {
        /// Which file.
        path: PathBuf,
        /// What was asked: `opened`, `read`, `written`.
        what: &'static str,
        /// What happened.
        #[source]
        source: rusqlite::Error,
    },
    /// Its folder could not be made.
    #[error("the folder of the history {path} could not be made: {source}; say with --history FILE where it is to be")]
    Folder {
        /// Which file.
        path: PathBuf,
        /// What happened.
        #[source]
        source: std::io::Error,
    },
    /// A value stands in it that this Brickproof never wrote.
    #[error(
        "the history {path} holds {what}, which Brickproof does not write: move the file away, and a new one is begun"
    )]
    Strange {
        /// Which file.
        path: PathBuf,
        /// What was found.
        what: String,
    },
}

impl HistoryError {
    /// Whether the same may go well when it is tried again: another process has it locked, or the disk is full or was away.
    pub fn may_pass(&self) -> bool {
        let Self::Database { source, .. } = self else { return false };
        let disk = [Some(ErrorCode::DiskFull), Some(ErrorCode::SystemIoFailure)];
        is_locked(source) || disk.contains(&source.sqlite_error_code())
    }

    pub(crate) fn of(path: &Path, what: &'static str) -> impl Fn(rusqlite::Error) -> Self {
        move |source| match source.sqlite_error_code() {
            Some(ErrorCode::NotADatabase) => Self::Foreign { path: path.to_owned() },
            _ => Self::Database { path: path.to_owned(), what, source },
        }
    }
}

/// Whether another process or connection stands in the way.
pub(crate) fn is_locked(error: &rusqlite::Error) -> bool {
    matches!(error.sqlite_error_code(), Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked))
}

/// What happened, and what to try.
fn told(error: &rusqlite::Error) -> String {
    let help = match error.sqlite_error_code() {
        Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => {
            "another process has had it locked all this while; wait for it, or keep another history with --history FILE"
        }
        Some(ErrorCode::ReadOnly | ErrorCode::PermissionDenied) => {
            "it may not be written; look at its owner and at its folder, where SQLite keeps two files beside it"
        }
        Some(ErrorCode::DiskFull) => "the disk is full; make room",
        Some(ErrorCode::DatabaseCorrupt) => {
            "the file is damaged; move it away with its -wal and -shm, and a new one is begun (`sqlite3 FILE .recover` saves what can be read)"
        }
        Some(ErrorCode::CannotOpen) => {
            "look at its path, and whether its folder may be written: SQLite keeps two files beside it, even to read it; a copy in another folder can be read with --history FILE"
        }
        // A disk that is full, too, where it is met by one of the files beside it.
        Some(ErrorCode::SystemIoFailure) => {
            "the disk is full, or it or its file system failed; make room, or look at the system's log"
        }
        _ => return error.to_string(),
    };
    format!("{error}: {help}")
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use rusqlite::ffi;

    use super::HistoryError;

    #[test]
    fn what_may_pass_is_a_lock_or_a_disk_and_nothing_that_a_person_has_to_mend() {
        let may_pass = |code| {
            let failure = rusqlite::Error::SqliteFailure(ffi::Error::new(code), None);
            HistoryError::of(Path::new("history.sqlite"), "written")(failure).may_pass()
        };
        let passing = [ffi::SQLITE_BUSY, ffi::SQLITE_BUSY_SNAPSHOT, ffi::SQLITE_FULL, ffi::SQLITE_IOERR_SHMSIZE];
        assert_eq!(passing.map(may_pass), [true; 4]);
        let lasting = [ffi::SQLITE_CORRUPT, ffi::SQLITE_READONLY, ffi::SQLITE_CANTOPEN, ffi::SQLITE_NOTADB];
        assert_eq!(lasting.map(may_pass), [false; 4]);
    }
}
