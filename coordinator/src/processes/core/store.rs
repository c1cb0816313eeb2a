//! The coordinator's one database, and what core itself keeps in it.
//!
//! # Owns
//! `{data_dir}/state.sqlite`, the lock on the data folder, and the tables of this instance and of
//! the processors' keys.
//!
//! # Promises
//! [`lock`] lets one coordinator at a time use a data folder, also after a crash: the operating
//! system drops the lock with its process.
//!
//! # Limits
//! Tables of other processes are theirs: their migrations are handed to [`open`].

use std::fs::{File, TryLockError};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use rand_core::RngCore;
use rusqlite::{Connection, OptionalExtension, Transaction};
use serai_bus::{Database, DatabaseError, Migration, durable_file, exchange, snapshot, wall_clock};
use serai_messages::{BlockNumber, Incarnation};

/// The tables of core.
pub const MIGRATION: Migration = Migration {
    component: "core",
    steps: &[
        "CREATE TABLE instance (
            id INTEGER PRIMARY KEY CHECK (id = 1), incarnation INTEGER NOT NULL) STRICT;
        CREATE TABLE processor_keys (
            coin TEXT PRIMARY KEY, trusted BLOB, offered BLOB) STRICT;",
        "CREATE TABLE restored (
            id INTEGER PRIMARY KEY CHECK (id = 1), at_ms INTEGER NOT NULL, block INTEGER) STRICT;",
    ],
};

/// Numbers that a life that begins in a given millisecond is drawn from.
const DRAWN: u64 = 1_000;

/// What the data folder can refuse.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The folder or a file in it cannot be made or opened.
    #[error("{path}: {source}")]
    Io {
        /// The path.
        path: PathBuf,
        /// The system's error.
        source: std::io::Error,
    },
    /// Another coordinator uses the folder.
    #[error(
        "data folder {path} is in use by another coordinator; stop it, or give this one its own \
         general.data_dir"
    )]
    InUse {
        /// The folder.
        path: PathBuf,
    },
    /// A restore was broken off.
    #[error(
        "a restore into {data_dir} has not come to its end, so that its state is none; run `backup \
         restore` again"
    )]
    HalfRestored {
        /// The data folder.
        data_dir: PathBuf,
    },
    /// The database.
    #[error(transparent)]
    Database(#[from] DatabaseError),
}

/// Stands in the data folder while a backup is restored: without it a start between two steps of that
/// would take an empty folder for a validator's first.
const RESTORING: &str = "restoring";

/// Notes that a restore has begun.
///
/// # Errors
/// The file system's.
pub fn begin_restoring(data_dir: &Path) -> std::io::Result<()> {
    durable_file::replace(&data_dir.join(RESTORING), &[])
}

/// Notes that it has come to its end.
///
/// # Errors
/// The file system's.
pub fn end_restoring(data_dir: &Path) -> std::io::Result<()> {
    let note = data_dir.join(RESTORING);
    std::fs::remove_file(&note)?;
    durable_file::sync_folder_of(&note)
}

/// Whether a restore has not come to its end.
pub fn is_restoring(data_dir: &Path) -> bool {
    data_dir.join(RESTORING).exists()
}

/// Holds the data folder until dropped.
#[derive(Debug)]
#[must_use = "the folder is free again when this is dropped"]
pub struct FolderLock {
    _file: File,
}

/// Path of the database in a data folder.
pub fn database_path(data_dir: &Path) -> PathBuf {
    data_dir.join("state.sqlite")
}

/// Makes the folder, with its parents, for this user alone.
///
/// # Errors
/// [`StoreError::Io`].
pub fn make_folder(path: &Path) -> Result<(), StoreError> {
    std::fs::DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(path)
        .map_err(|source| StoreError::Io { path: path.to_owned(), source })
}

/// Makes the data folder where needed and takes its lock.
///
/// # Errors
/// [`StoreError::InUse`] when another process holds it.
pub fn lock(data_dir: &Path) -> Result<FolderLock, StoreError> {
    make_folder(data_dir)?;
    let path = data_dir.join("lock");
    let file = File::options()
        .create(true)
        .truncate(false)
        .write(true)
        .mode(0o600)
        .open(&path)
        .map_err(|source| StoreError::Io { path: path.clone(), source })?;
    match file.try_lock() {
        Ok(()) => Ok(FolderLock { _file: file }),
        Err(TryLockError::WouldBlock) => Err(StoreError::InUse { path: data_dir.to_owned() }),
        Err(TryLockError::Error(source)) => Err(StoreError::Io { path, source }),
    }
}

/// Opens the database with the tables of the bus' bookkeeping, of core, and those given.
///
/// # Errors
/// [`DatabaseError`].
pub fn open(data_dir: &Path, others: &[Migration]) -> Result<Database, DatabaseError> {
    let path = database_path(data_dir);
    // SQLite gives the files beside it the database's own mode. Where this fails, opening does too,
    // and says why.
    let _ = File::options().create(true).append(true).mode(0o600).open(&path);
    let migrations = migrations(others);
    if let Some(versions) = Database::outdated(&path, &migrations)? {
        keep_before_upgrade(&path, &versions)?;
    }
    Database::open(&path, &migrations)
}

/// Tables are brought up to date forward only: what was there before is kept beside, once.
fn keep_before_upgrade(path: &Path, versions: &str) -> Result<(), DatabaseError> {
    let kept = path.with_file_name(format!("before-upgrade-{versions}.sqlite"));
    if kept.exists() {
        return Ok(());
    }
    let partial = kept.with_extension("partial");
    // Where these fail, what follows does too, and says why.
    let _ = std::fs::remove_file(&partial);
    let _ = File::options().create_new(true).write(true).mode(0o600).open(&partial);
    snapshot(path, &partial, |_| Ok(()))?;
    if let Err(error) = std::fs::rename(&partial, &kept) {
        tracing::error!(%error, kept = %kept.display(), "the state before the upgrade is not kept");
    }
    tracing::warn!(kept = %kept.display(), "an older version wrote this state; it is kept beside");
    Ok(())
}

/// The tables of the bus' bookkeeping, of core, and those given.
pub fn migrations(others: &[Migration]) -> Vec<Migration> {
    [&[exchange::MIGRATION, MIGRATION], others].concat()
}

/// This instance's incarnation: the time of its first start, and the same at every later one, until a
/// backup is restored ([`begin_anew`]). Two new folders have two (ADR 0019).
///
/// # Errors
/// [`DatabaseError`].
pub fn incarnation(database: &Database) -> Result<Incarnation, DatabaseError> {
    incarnation_or(database, life_of(wall_clock::now_ms()))
}

/// As [`incarnation`], with `first` as a new state's.
///
/// # Errors
/// [`DatabaseError`].
pub fn incarnation_or(
    database: &Database,
    first: Incarnation,
) -> Result<Incarnation, DatabaseError> {
    database.transaction(|transaction| {
        transaction
            .execute(
                "INSERT OR IGNORE INTO instance (id, incarnation) VALUES (1, ?1)",
                [first.0.cast_signed()],
            )
            .and_then(|_| stored_incarnation(transaction))
            .map_err(|source| database.error(source))
    })
}

/// A life that begins now: the time in microseconds, of which the last three digits are drawn, so that
/// no two that begin in the same moment are one.
fn life_of(now_ms: u64) -> Incarnation {
    let drawn = u64::from(rand_core::OsRng.next_u32()) % DRAWN;
    Incarnation(now_ms.saturating_mul(DRAWN).saturating_add(drawn).clamp(1, i64::MAX as u64))
}

/// Whether this state knows of no life before its own: it was not restored.
///
/// # Errors
/// SQLite's.
pub fn is_first_life(connection: &Connection) -> rusqlite::Result<bool> {
    Ok(restored(connection)?.is_none())
}

/// The incarnation as stored; 1 where none is.
///
/// # Errors
/// SQLite's.
pub fn stored_incarnation(connection: &Connection) -> rusqlite::Result<Incarnation> {
    let stored: Option<i64> = connection
        .query_row("SELECT incarnation FROM instance WHERE id = 1", [], |row| row.get(0))
        .optional()?;
    Ok(Incarnation(stored.unwrap_or(1).cast_unsigned()))
}

/// A state that was restored from a backup: another life may have followed it, and may have spoken in
/// its name in everything that there was on Serai before the restored one's first look (DESIGN D4).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Restored {
    /// When, in milliseconds since the Unix epoch.
    pub at_ms: i64,
    /// The newest finalized block at the first look; none before that.
    pub block: Option<BlockNumber>,
}

/// Begins a life that follows, perhaps, others that this state does not know of. Its incarnation is
/// the time, which is later than that of any other life, and in any case later than `last`, the latest
/// that is known of.
///
/// # Errors
/// SQLite's.
pub fn begin_anew(
    transaction: &Transaction<'_>,
    now_ms: i64,
    last: Incarnation,
) -> rusqlite::Result<Incarnation> {
    begin_anew_as(transaction, now_ms, life_of(u64::try_from(now_ms).unwrap_or_default()), last)
}

/// As [`begin_anew`], with `life` as the incarnation where it is later than `last`.
///
/// # Errors
/// SQLite's.
pub fn begin_anew_as(
    transaction: &Transaction<'_>,
    now_ms: i64,
    life: Incarnation,
    last: Incarnation,
) -> rusqlite::Result<Incarnation> {
    let next = stored_incarnation(transaction)?.max(last).0.saturating_add(1);
    let incarnation = life.0.max(next);
    transaction.execute(
        "INSERT INTO instance (id, incarnation) VALUES (1, ?1)
         ON CONFLICT (id) DO UPDATE SET incarnation = excluded.incarnation",
        [incarnation.cast_signed()],
    )?;
    transaction.execute(
        "INSERT INTO restored (id, at_ms, block) VALUES (1, ?1, NULL)
         ON CONFLICT (id) DO UPDATE SET at_ms = excluded.at_ms, block = NULL",
        [now_ms],
    )?;
    Ok(Incarnation(incarnation))
}

/// Whether this state was restored from a backup.
///
/// # Errors
/// SQLite's.
pub fn restored(connection: &Connection) -> rusqlite::Result<Option<Restored>> {
    connection
        .query_row("SELECT at_ms, block FROM restored", (), |row| {
            let block: Option<i64> = row.get(1)?;
            let block = block.map(|block| BlockNumber(block.cast_unsigned()));
            Ok(Restored { at_ms: row.get(0)?, block })
        })
        .optional()
}

/// Notes the newest finalized block at a restored state's first look.
///
/// # Errors
/// SQLite's.
pub fn set_restored_block(
    transaction: &Transaction<'_>,
    block: BlockNumber,
) -> rusqlite::Result<()> {
    transaction
        .execute("UPDATE restored SET block = ?1 WHERE block IS NULL", [block.0.cast_signed()])
        .map(drop)
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn a_folder_has_one_coordinator() {
        let folder = tempfile::tempdir().unwrap();
        let data = folder.path().join("a/b");
        let held = lock(&data).unwrap();
        assert!(matches!(lock(&data), Err(StoreError::InUse { .. })));
        drop(held);
        assert!(lock(&data).is_ok());
    }

    #[test]
    fn the_incarnation_is_kept() {
        let folder = tempfile::tempdir().unwrap();
        let database = open(folder.path(), &[]).unwrap();
        let mode = std::fs::metadata(database.path()).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
        let before = life_of(wall_clock::now_ms() - 1);
        let first = incarnation(&database).unwrap();
        assert!(first > before, "{first} is the time, later than {before}");
        assert_eq!(incarnation(&database).unwrap(), first);
        assert!(database.read(is_first_life).unwrap());
        database
            .transaction(|tx| {
                tx.execute("UPDATE instance SET incarnation = 7", [])
                    .map_err(|source| database.error(source))
            })
            .unwrap();
        drop(database);
        let database = open(folder.path(), &[]).unwrap();
        assert_eq!(incarnation(&database).unwrap(), Incarnation(7));
    }

    #[test]
    fn a_restored_state_lives_later_than_all_before_it() {
        let folder = tempfile::tempdir().unwrap();
        let database = open(folder.path(), &[]).unwrap();
        let begin = |now_ms| {
            database
                .transaction(|tx| {
                    begin_anew(tx, now_ms, Incarnation(0)).map_err(|source| database.error(source))
                })
                .unwrap()
        };
        assert_eq!(database.read(restored).unwrap(), None);
        let first = begin(1_000);
        assert_eq!(first.0 / DRAWN, 1_000);
        assert!(!database.read(is_first_life).unwrap());
        // The clock has gone back.
        assert_eq!(begin(10), Incarnation(first.0 + 1));
        let last = begin(1_001);
        assert_eq!(last.0 / DRAWN, 1_001);
        assert_eq!(incarnation(&database).unwrap(), last);
        let note = |block| {
            database
                .transaction(|tx| {
                    set_restored_block(tx, BlockNumber(block))
                        .map_err(|source| database.error(source))
                })
                .unwrap();
            database.read(restored).unwrap().unwrap().block
        };
        assert_eq!(database.read(restored).unwrap(), Some(Restored { at_ms: 1_001, block: None }));
        assert_eq!(note(7), Some(BlockNumber(7)));
        assert_eq!(note(9), Some(BlockNumber(7)), "the first look counts");
    }
}
