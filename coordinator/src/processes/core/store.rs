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

use rusqlite::{OptionalExtension, Transaction};
use serai_bus::{Database, DatabaseError, Migration, exchange};
use serai_messages::Incarnation;

/// The tables of core.
pub const MIGRATION: Migration = Migration {
    component: "core",
    steps: &["CREATE TABLE instance (
            id INTEGER PRIMARY KEY CHECK (id = 1), incarnation INTEGER NOT NULL) STRICT;
        CREATE TABLE processor_keys (
            coin TEXT PRIMARY KEY, trusted BLOB, offered BLOB) STRICT;"],
};

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
    /// The database.
    #[error(transparent)]
    Database(#[from] DatabaseError),
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
    let mut migrations = vec![exchange::MIGRATION, MIGRATION];
    migrations.extend_from_slice(others);
    let path = database_path(data_dir);
    // SQLite gives the files beside it the database's own mode. Where this fails, opening does too,
    // and says why.
    let _ = File::options().create(true).append(true).mode(0o600).open(&path);
    Database::open(&path, &migrations)
}

/// This instance's incarnation: 1 at its first start and the same at every later one.
///
/// # Errors
/// [`DatabaseError`].
pub fn incarnation(database: &Database) -> Result<Incarnation, DatabaseError> {
    database.transaction(|transaction| {
        stored_incarnation(transaction).map_err(|source| database.error(source))
    })
}

fn stored_incarnation(transaction: &Transaction<'_>) -> rusqlite::Result<Incarnation> {
    transaction.execute("INSERT OR IGNORE INTO instance (id, incarnation) VALUES (1, 1)", [])?;
    let stored: Option<i64> = transaction
        .query_row("SELECT incarnation FROM instance WHERE id = 1", [], |row| row.get(0))
        .optional()?;
    Ok(Incarnation(stored.unwrap_or(1).cast_unsigned()))
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
        assert_eq!(incarnation(&database).unwrap(), Incarnation(1));
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
}
