//! What a processor knows of itself and of its coordinator, in its database.

use std::path::{Path, PathBuf};

use rusqlite::{Connection, OptionalExtension, Transaction};
use serai_bus::{Database, DatabaseError, Migration, exchange, wall_clock};
use serai_messages::{Coin, Incarnation, Name, ProcessorKey, Versions};

use crate::keystore::{Cipher, DamagedSecret};
use crate::{keygen, keystore, ledger, signing};

/// The tables of this module.
const MIGRATION: Migration = Migration {
    component: "processor",
    steps: &[
        "CREATE TABLE processor (
            name TEXT NOT NULL, coin TEXT NOT NULL, incarnation INTEGER NOT NULL,
            keystore_check BLOB NOT NULL, born_at INTEGER, superseding INTEGER NOT NULL DEFAULT 0)
            STRICT;
        CREATE TABLE coordinator (key BLOB NOT NULL) STRICT;",
        "CREATE TABLE coordinator_versions (
            oldest INTEGER NOT NULL, newest INTEGER NOT NULL) STRICT;",
    ],
};

/// All tables of a processor's database.
pub const MIGRATIONS: [Migration; 6] = [
    exchange::MIGRATION,
    MIGRATION,
    keystore::MIGRATION,
    keygen::MIGRATION,
    signing::MIGRATION,
    ledger::MIGRATION,
];

/// What the keystore key is checked with at each start.
const CHECK_LABEL: &str = "keystore-check";

/// Why a data folder cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum StateError {
    /// The database.
    #[error(transparent)]
    Database(#[from] DatabaseError),
    /// The folder belongs to another processor.
    #[error(
        "data folder {folder} belongs to the processor of {found_name} for {found_coin}, not of \
         {name} for {coin}; choose another folder"
    )]
    Foreign {
        /// The folder.
        folder: PathBuf,
        /// Its owner's name.
        found_name: String,
        /// Its owner's coin.
        found_coin: String,
        /// This processor's name.
        name: Name,
        /// This processor's coin.
        coin: Coin,
    },
    /// The keystore key does not open what is stored.
    #[error("the keystore key is not the one that data folder {folder} was written with: {source}")]
    KeystoreKey {
        /// The folder.
        folder: PathBuf,
        /// What did not open.
        source: DamagedSecret,
    },
}

/// The database's file in a data folder.
pub fn database_path(folder: &Path) -> PathBuf {
    folder.join("state.sqlite")
}

/// Opens the database of a data folder, for the first time or again, and returns it with the
/// folder's incarnation.
///
/// The incarnation is the time of the folder's first start in milliseconds since the epoch: a folder
/// that takes the place of a lost one has a higher incarnation without knowing the lost one's.
///
/// # Errors
/// [`StateError`].
pub fn open(
    folder: &Path,
    name: &Name,
    coin: Coin,
    cipher: &Cipher,
) -> Result<(Database, Incarnation), StateError> {
    let database = Database::open(&database_path(folder), &MIGRATIONS)?;
    let incarnation = claim(&database, folder, name, coin, cipher)?;
    Ok((database, incarnation))
}

/// Makes a database this processor's, for the first time or again, and returns its incarnation; see
/// [`open`].
///
/// # Errors
/// [`StateError`].
pub(crate) fn claim(
    database: &Database,
    folder: &Path,
    name: &Name,
    coin: Coin,
    cipher: &Cipher,
) -> Result<Incarnation, StateError> {
    // Deleted nonces leave no copy in the file's free pages.
    database.read(|connection| connection.pragma_update(None, "secure_delete", true))?;
    let damaged = |source| StateError::KeystoreKey { folder: folder.to_owned(), source };
    database.transaction(|transaction| {
        let wrap = |source| StateError::Database(database.error(source));
        let stored = transaction
            .query_row("SELECT name, coin, incarnation, keystore_check FROM processor", (), |row| {
                Ok((
                    row.get::<_, String>(0)?,
                    row.get::<_, String>(1)?,
                    row.get::<_, i64>(2)?,
                    row.get::<_, Vec<u8>>(3)?,
                ))
            })
            .optional()
            .map_err(wrap)?;
        if let Some((found_name, found_coin, incarnation, check)) = stored {
            if found_name != name.as_str() || found_coin != coin.name() {
                return Err(StateError::Foreign {
                    folder: folder.to_owned(),
                    found_name,
                    found_coin,
                    name: name.clone(),
                    coin,
                });
            }
            cipher.open(CHECK_LABEL, &check).map_err(damaged)?;
            return Ok(Incarnation(incarnation.cast_unsigned()));
        }
        let incarnation = i64::try_from(wall_clock::now_ms()).unwrap_or(i64::MAX).max(1);
        let check = cipher.seal(CHECK_LABEL, b"keystore").map_err(damaged)?;
        transaction
            .execute(
                "INSERT INTO processor (name, coin, incarnation, keystore_check)
                 VALUES (?1, ?2, ?3, ?4)",
                (name.as_str(), coin.name(), incarnation, check),
            )
            .map_err(wrap)?;
        Ok(Incarnation(incarnation.cast_unsigned()))
    })
}

/// The coordinator's public key, once it is known.
///
/// # Errors
/// SQLite's.
pub fn coordinator_key(connection: &Connection) -> rusqlite::Result<Option<ProcessorKey>> {
    connection
        .query_row("SELECT key FROM coordinator", (), |row| row.get(0).map(ProcessorKey))
        .optional()
}

/// Stores the coordinator's public key in place of the one before.
///
/// # Errors
/// SQLite's.
pub fn set_coordinator_key(
    transaction: &Transaction<'_>,
    key: &ProcessorKey,
) -> rusqlite::Result<()> {
    transaction.execute("DELETE FROM coordinator", ())?;
    transaction.execute("INSERT INTO coordinator (key) VALUES (?1)", [key.0])?;
    Ok(())
}

/// The message versions that the coordinator speaks, once it has said so.
///
/// # Errors
/// SQLite's.
pub fn coordinator_versions(connection: &Connection) -> rusqlite::Result<Option<Versions>> {
    connection
        .query_row("SELECT oldest, newest FROM coordinator_versions", (), |row| {
            Ok(Versions { oldest: row.get(0)?, newest: row.get(1)? })
        })
        .optional()
}

/// Stores the message versions that the coordinator speaks in place of those before.
///
/// # Errors
/// SQLite's.
pub fn set_coordinator_versions(
    transaction: &Transaction<'_>,
    speaks: Versions,
) -> rusqlite::Result<()> {
    transaction.execute("DELETE FROM coordinator_versions", ())?;
    transaction.execute(
        "INSERT INTO coordinator_versions (oldest, newest) VALUES (?1, ?2)",
        (speaks.oldest, speaks.newest),
    )?;
    Ok(())
}

/// What a folder that takes another one's place has to know of the topic that it found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Birth {
    /// The topic's next offset at this folder's first start: what lies below was written before.
    pub next: u64,
    /// Whether an earlier life of this processor was met there.
    pub superseding: bool,
}

/// This folder's birth; none before its first start on the bus.
///
/// # Errors
/// SQLite's.
pub fn birth(connection: &Connection) -> rusqlite::Result<Option<Birth>> {
    connection.query_row("SELECT born_at, superseding FROM processor", (), |row| {
        let next: Option<i64> = row.get(0)?;
        let superseding = row.get(1)?;
        Ok(next.map(|next| Birth { next: next.cast_unsigned(), superseding }))
    })
}

/// Stores this folder's birth.
///
/// # Errors
/// SQLite's.
pub fn set_birth(transaction: &Transaction<'_>, birth: Birth) -> rusqlite::Result<()> {
    transaction.execute(
        "UPDATE processor SET born_at = ?1, superseding = ?2",
        (birth.next.cast_signed(), birth.superseding),
    )?;
    Ok(())
}
