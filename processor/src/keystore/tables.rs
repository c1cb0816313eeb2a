//! The keystore's table: one row for each key pair that this processor holds shares of.

use rusqlite::types::Type;
use rusqlite::{Connection, OptionalExtension, Row, Transaction};
use serai_bus::Migration;
use serai_messages::{
    Attempt, Coin, KeyPair, Session, ValidatorKey, ValidatorSet, decode, encode, keygen::KeygenId,
};

/// The table. A database holds the vaults of one coin, so the coin is not in the key.
pub const MIGRATION: Migration = Migration {
    component: "keystore",
    steps: &[
        "CREATE TABLE vaults (
            session INTEGER NOT NULL, attempt INTEGER NOT NULL,
            ristretto BLOB NOT NULL, external BLOB NOT NULL,
            keys BLOB NOT NULL, nonces BLOB, confirmed INTEGER NOT NULL DEFAULT 0,
            PRIMARY KEY (session, attempt)) STRICT;",
        "ALTER TABLE vaults ADD COLUMN members BLOB NOT NULL DEFAULT x'00000000';",
    ],
};

/// A key pair that this processor holds shares of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Vault {
    /// The attempt that made it.
    pub id: KeygenId,
    /// The public keys.
    pub key_pair: KeyPair,
    /// Who holds its shares, in the order of their numbers.
    pub members: Vec<ValidatorKey>,
    /// Whether Serai has it as the set's key pair.
    pub confirmed: bool,
}

const COLUMNS: &str = "session, attempt, ristretto, external, confirmed, members";

fn read(row: &Row<'_>, coin: Coin) -> rusqlite::Result<Vault> {
    Ok(Vault {
        id: KeygenId {
            set: ValidatorSet { coin, session: Session(row.get(0)?) },
            attempt: Attempt(row.get(1)?),
        },
        key_pair: KeyPair { ristretto: row.get(2)?, external: row.get(3)? },
        confirmed: row.get(4)?,
        members: decode(&row.get::<_, Vec<u8>>(5)?).map_err(|error| {
            rusqlite::Error::FromSqlConversionFailure(5, Type::Blob, Box::new(error))
        })?,
    })
}

/// Stores a vault with its sealed key shares and, unless it was restored, its sealed nonces.
///
/// # Errors
/// SQLite's; among them that the attempt has a vault.
pub fn insert(
    transaction: &Transaction<'_>,
    vault: &Vault,
    keys: &[u8],
    nonces: Option<&[u8]>,
) -> rusqlite::Result<()> {
    transaction.execute(
        "INSERT INTO vaults (session, attempt, ristretto, external, keys, nonces, confirmed,
                             members)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)",
        (
            vault.id.set.session.0,
            vault.id.attempt.0,
            vault.key_pair.ristretto,
            &vault.key_pair.external,
            keys,
            nonces,
            vault.confirmed,
            encode(&vault.members),
        ),
    )?;
    Ok(())
}

/// The vault of an attempt.
///
/// # Errors
/// SQLite's.
pub fn vault(connection: &Connection, id: KeygenId) -> rusqlite::Result<Option<Vault>> {
    connection
        .query_row(
            &format!("SELECT {COLUMNS} FROM vaults WHERE session = ?1 AND attempt = ?2"),
            (id.set.session.0, id.attempt.0),
            |row| read(row, id.set.coin),
        )
        .optional()
}

/// All vaults of the database, which is one of `coin`, by session and attempt.
///
/// # Errors
/// SQLite's.
pub fn list(connection: &Connection, coin: Coin) -> rusqlite::Result<Vec<Vault>> {
    let mut statement =
        connection.prepare(&format!("SELECT {COLUMNS} FROM vaults ORDER BY session, attempt"))?;
    let rows = statement.query_map((), |row| read(row, coin))?;
    rows.collect()
}

/// The set's confirmed vault.
///
/// # Errors
/// SQLite's.
pub fn confirmed(connection: &Connection, set: ValidatorSet) -> rusqlite::Result<Option<Vault>> {
    connection
        .query_row(
            &format!("SELECT {COLUMNS} FROM vaults WHERE session = ?1 AND confirmed = 1"),
            [set.session.0],
            |row| read(row, set.coin),
        )
        .optional()
}

/// The sealed key shares of an attempt's vault.
///
/// # Errors
/// SQLite's; among them that there is no such vault.
pub fn keys(connection: &Connection, id: KeygenId) -> rusqlite::Result<Vec<u8>> {
    connection.query_row(
        "SELECT keys FROM vaults WHERE session = ?1 AND attempt = ?2",
        (id.set.session.0, id.attempt.0),
        |row| row.get(0),
    )
}

/// The sealed nonces of the proving signatures, while they have not been used.
///
/// # Errors
/// SQLite's; among them that there is no such vault.
pub fn nonce(connection: &Connection, id: KeygenId) -> rusqlite::Result<Option<Vec<u8>>> {
    connection.query_row(
        "SELECT nonces FROM vaults WHERE session = ?1 AND attempt = ?2",
        (id.set.session.0, id.attempt.0),
        |row| row.get(0),
    )
}

/// Deletes the nonces: in the transaction that stores what was signed with them.
///
/// # Errors
/// SQLite's.
pub fn delete_nonce(transaction: &Transaction<'_>, id: KeygenId) -> rusqlite::Result<()> {
    transaction.execute(
        "UPDATE vaults SET nonces = NULL WHERE session = ?1 AND attempt = ?2",
        (id.set.session.0, id.attempt.0),
    )?;
    Ok(())
}

/// Marks the vault as the set's, and deletes the set's others. Returns those.
///
/// # Errors
/// SQLite's.
pub fn confirm(transaction: &Transaction<'_>, id: KeygenId) -> rusqlite::Result<Vec<Attempt>> {
    transaction.execute(
        "UPDATE vaults SET confirmed = 1, nonces = NULL WHERE session = ?1 AND attempt = ?2",
        (id.set.session.0, id.attempt.0),
    )?;
    let mut statement = transaction
        .prepare("DELETE FROM vaults WHERE session = ?1 AND attempt <> ?2 RETURNING attempt")?;
    let rows =
        statement.query_map((id.set.session.0, id.attempt.0), |row| Ok(Attempt(row.get(0)?)))?;
    rows.collect()
}

/// What an attempt's key shares are sealed under.
pub fn vault_label(id: KeygenId) -> String {
    format!("vault/{id}")
}
