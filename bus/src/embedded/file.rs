//! The log's file: opening, schema, and its errors in the bus' words.

use std::path::Path;
use std::time::{Duration, Instant};

use rusqlite::{Connection, ErrorCode, TransactionBehavior};

use crate::BusError;
use crate::database::plan_once;

/// How long a call waits for another process' transaction.
const BUSY: Duration = Duration::from_secs(2);

/// How long opening waits for a process that is creating the file.
const OPENING: Duration = Duration::from_secs(5);

/// Schema that this program reads and writes, in the file's `user_version`.
const SCHEMA_VERSION: u32 = 1;

/// Headers stand in columns of their own, as text, so that `sqlite3` shows a transcript; they are
/// nullable and unconstrained because what other programs wrote is checked on reading.
const SCHEMA: &str = "
    CREATE TABLE IF NOT EXISTS topics (
        topic INTEGER PRIMARY KEY AUTOINCREMENT, name TEXT NOT NULL UNIQUE,
        earliest INTEGER NOT NULL DEFAULT 0, next INTEGER NOT NULL DEFAULT 0) STRICT;
    CREATE TABLE IF NOT EXISTS records (
        topic INTEGER NOT NULL REFERENCES topics ON DELETE CASCADE, \"offset\" INTEGER NOT NULL,
        id, type, \"from\", \"to\", session, incarnation, sequence, version, sealed, body,
        PRIMARY KEY (topic, \"offset\"));";

/// A connection to the log at `path`, which is created, readable by its owner alone, if absent.
pub(super) fn open(path: &Path) -> Result<Connection, BusError> {
    create(path).map_err(|error| BusError::Unavailable {
        bus: path.display().to_string(),
        reason: format!("cannot create the log's file: {error}"),
    })?;
    let deadline = Instant::now() + OPENING;
    loop {
        match prepare(path) {
            // Switching a file to WAL does not wait for locks by itself.
            Err(Problem::Sqlite(error))
                if matches!(
                    error.sqlite_error_code(),
                    Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked)
                ) && Instant::now() < deadline =>
            {
                std::thread::sleep(Duration::from_millis(5));
            }
            Err(Problem::Sqlite(error)) => return Err(wrap(path, error)),
            Err(Problem::Newer(found)) => {
                return Err(BusError::Unfit {
                    bus: path.display().to_string(),
                    reason: format!(
                        "the log has schema version {found}, this program knows up to \
                         {SCHEMA_VERSION}; run the newer program"
                    ),
                });
            }
            Ok(connection) => return Ok(connection),
        }
    }
}

/// SQLite's error in the bus' words: what passes by itself or by the operator's hand may be
/// repeated, what does not is unfit.
pub(super) fn wrap(path: &Path, error: rusqlite::Error) -> BusError {
    let bus = path.display().to_string();
    match error.sqlite_error_code() {
        Some(
            ErrorCode::DatabaseBusy
            | ErrorCode::DatabaseLocked
            | ErrorCode::DiskFull
            | ErrorCode::SystemIoFailure
            | ErrorCode::CannotOpen
            | ErrorCode::OutOfMemory
            | ErrorCode::FileLockingProtocolFailed
            | ErrorCode::OperationInterrupted
            | ErrorCode::ReadOnly
            | ErrorCode::PermissionDenied,
        ) => BusError::Unavailable { bus, reason: error.to_string() },
        _ => BusError::Unfit { bus, reason: format!("{error}; check or replace the log's file") },
    }
}

enum Problem {
    Sqlite(rusqlite::Error),
    Newer(u32),
}

impl From<rusqlite::Error> for Problem {
    fn from(error: rusqlite::Error) -> Self {
        Problem::Sqlite(error)
    }
}

/// Creates the file where absent. A file that is there is not opened: closing any descriptor of it
/// would release, by POSIX' rules, every lock that SQLite holds on it in this process, and the next
/// process to close the log would take itself for the last one and delete the live write-ahead log.
fn create(path: &Path) -> std::io::Result<()> {
    if let Some(folder) = path.parent().filter(|folder| !folder.as_os_str().is_empty()) {
        std::fs::create_dir_all(folder)?;
    }
    let mut options = std::fs::OpenOptions::new();
    options.create_new(true).append(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    match options.open(path) {
        Err(error) if error.kind() != std::io::ErrorKind::AlreadyExists => Err(error),
        _ => Ok(()),
    }
}

fn prepare(path: &Path) -> Result<Connection, Problem> {
    let mut connection = Connection::open(path)?;
    connection.busy_timeout(BUSY)?;
    plan_once(&connection)?;
    let mode: String = connection.query_row("PRAGMA journal_mode", [], |row| row.get(0))?;
    if mode != "wal" {
        connection.query_row("PRAGMA journal_mode = WAL", [], |_| Ok(()))?;
    }
    connection.execute_batch(
        "PRAGMA synchronous = FULL; PRAGMA foreign_keys = ON; PRAGMA cache_size = -512;
         PRAGMA journal_size_limit = 16777216;",
    )?;
    let version = |connection: &Connection| {
        connection.query_row("PRAGMA user_version", [], |row| row.get::<_, u32>(0))
    };
    let found = version(&connection)?;
    if found == 0 {
        let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
        transaction.execute_batch(SCHEMA)?;
        transaction.pragma_update(None, "user_version", SCHEMA_VERSION)?;
        transaction.commit()?;
    } else if found > SCHEMA_VERSION {
        return Err(Problem::Newer(found));
    }
    Ok(connection)
}
