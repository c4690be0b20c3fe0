//! The file: opened, brought up to date, told from those of others.
//!
//! Boundary: SQLite's settings and the versions of the schema. What is in the tables is the business of the modules that read and write them.
//!
//! The settings are those under which a transaction that was committed survives a loss of power: a write-ahead log, synchronised at each
//! commit. Several processes may write at once; each waits for the others.

use std::fs;
use std::path::{Path, PathBuf};
use std::thread;
use std::time::{Duration, Instant};

use rusqlite::{Connection, OpenFlags, Transaction, TransactionBehavior};

use crate::error::{HistoryError, is_locked};

/// Where the history is when nobody says where.
pub const DEFAULT_FILE: &str = ".brickproof/history.sqlite";

/// `Brkp`, in the header of the file.
const APPLICATION_ID: i64 = 0x4272_6B70;

/// Each brings a history from the version of its place to the next one. None is ever changed once it was released.
const MIGRATIONS: [&str; 1] = [include_str!("schema.sql")];
const VERSION: i64 = MIGRATIONS.len() as i64;

/// How long a writer waits for others.
pub const PATIENCE: Duration = Duration::from_secs(20);
/// How long whoever only reads does: no writer of ours keeps a reader out for longer than it takes to tidy up.
const PATIENCE_OF_READERS: Duration = Duration::from_secs(5);

/// Between two tries at what SQLite itself does not wait for.
const PAUSE: Duration = Duration::from_millis(5);

/// Every trial of a bench, in one file.
#[derive(Debug)]
pub struct History {
    pub(crate) connection: Connection,
    path: PathBuf,
}

impl History {
    /// The history at `path`, to be written; it is begun if it is not there, and its folder with it.
    ///
    /// # Errors
    /// It is somebody else's file or a newer Brickproof's, or it cannot be written.
    pub fn open(path: &Path) -> Result<Self, HistoryError> {
        if let Some(folder) = path.parent() {
            fs::create_dir_all(folder).map_err(|source| HistoryError::Folder { path: path.to_owned(), source })?;
        }
        let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_CREATE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let mut history = Self::connect(path, flags, PATIENCE)?;
        history.told_from_others()?;
        history.set_up().map_err(HistoryError::of(path, "opened"))?;
        history.migrate()?;
        Ok(history)
    }

    /// The history at `path`, to be read while others may write.
    ///
    /// # Errors
    /// It is not there, is somebody else's or of another version, or cannot be read.
    pub fn open_read_only(path: &Path) -> Result<Self, HistoryError> {
        if !path.exists() {
            return Err(HistoryError::Absent { path: path.to_owned() });
        }
        let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let history = Self::connect(path, flags, PATIENCE_OF_READERS)?;
        match history.told_from_others()? {
            VERSION => Ok(history),
            // Whoever began it was stopped at that.
            0 => Err(HistoryError::Absent { path: path.to_owned() }),
            _ => Err(HistoryError::Older { path: path.to_owned() }),
        }
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Waits no longer than this for other processes from now on.
    ///
    /// # Errors
    /// SQLite does not take it.
    pub fn set_patience(&self, patience: Duration) -> Result<(), HistoryError> {
        self.connection.busy_timeout(patience).map_err(self.failed("opened"))
    }

    /// As long as it is kept, all that is read is of one moment, whatever others write.
    pub(crate) fn snapshot(&self) -> Result<Transaction<'_>, HistoryError> {
        self.connection.unchecked_transaction().map_err(self.failed("read"))
    }

    fn connect(path: &Path, flags: OpenFlags, patience: Duration) -> Result<Self, HistoryError> {
        let connection = Connection::open_with_flags(path, flags).map_err(HistoryError::of(path, "opened"))?;
        let history = Self { connection, path: path.to_owned() };
        history.set_patience(patience)?;
        // KiB: reports walk through an index that is larger than what SQLite keeps by itself.
        history.connection.pragma_update(None, "cache_size", -32_000).map_err(history.failed("opened"))?;
        Ok(history)
    }

    /// The version of the schema, 0 of a new file; refuses what no Brickproof wrote, and what a newer one did.
    fn told_from_others(&self) -> Result<i64, HistoryError> {
        // Of one moment: another process may just begin it.
        let _snapshot = self.snapshot()?;
        let number = |pragma: &str| -> Result<i64, HistoryError> {
            self.connection.pragma_query_value(None, pragma, |row| row.get(0)).map_err(self.failed("read"))
        };
        let (application, version) = (number("application_id")?, number("user_version")?);
        let tables: i64 = self
            .connection
            .query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get(0))
            .map_err(self.failed("read"))?;
        match (application, version) {
            (0, 0) if tables == 0 => Ok(0),
            (APPLICATION_ID, 1..=VERSION) => Ok(version),
            (APPLICATION_ID, found) if found > VERSION => {
                Err(HistoryError::Newer { path: self.path.clone(), found, known: VERSION })
            }
            _ => Err(HistoryError::Foreign { path: self.path.clone() }),
        }
    }

    fn set_up(&self) -> rusqlite::Result<()> {
        self.write_ahead()?;
        self.connection.pragma_update(None, "synchronous", "FULL")?;
        self.connection.pragma_update(None, "foreign_keys", true)
    }

    /// Of a new file SQLite makes one with a log for one process at a time, and tells the others at once that it is locked: they would
    /// wait for each other.
    fn write_ahead(&self) -> rusqlite::Result<()> {
        let since = Instant::now();
        loop {
            match self.connection.pragma_update(None, "journal_mode", "WAL") {
                Err(error) if is_locked(&error) && since.elapsed() < PATIENCE => thread::sleep(PAUSE),
                made => return made,
            }
        }
    }

    fn migrate(&mut self) -> Result<(), HistoryError> {
        let path = self.path.clone();
        let failed = HistoryError::of(&path, "brought up to date");
        // Whoever comes second finds it done.
        let transaction = self.connection.transaction_with_behavior(TransactionBehavior::Immediate).map_err(&failed)?;
        let version: i64 = transaction.pragma_query_value(None, "user_version", |row| row.get(0)).map_err(&failed)?;
        for migration in MIGRATIONS.iter().skip(usize::try_from(version).unwrap_or(0)) {
            transaction.execute_batch(migration).map_err(&failed)?;
        }
        if version < VERSION {
            transaction.pragma_update(None, "application_id", APPLICATION_ID).map_err(&failed)?;
            transaction.pragma_update(None, "user_version", VERSION).map_err(&failed)?;
        }
        transaction.commit().map_err(&failed)
    }

    pub(crate) fn failed(&self, what: &'static str) -> impl Fn(rusqlite::Error) -> HistoryError {
        HistoryError::of(&self.path, what)
    }

    pub(crate) fn strange(&self, what: impl Into<String>) -> HistoryError {
        HistoryError::Strange { path: self.path.clone(), what: what.into() }
    }
}
