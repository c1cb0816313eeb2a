//! Tables of signing.

use borsh::{BorshDeserialize, BorshSerialize};
use rusqlite::{Connection, OptionalExtension, Transaction};
use serai_bus::Migration;
use serai_messages::observation::SeraiBlock;
use serai_messages::signing::{Content, ProcessorMessage, Shares, SigningId};
use serai_messages::{SignatureBytes, ValidatorKey, ValidatorSet, decode, encode};

use crate::chain::ToSign;

/// The tables. Rows of `used_preprocesses` are never deleted.
pub const MIGRATION: Migration = Migration {
    component: "signing",
    steps: &[
        "CREATE TABLE things (
            id TEXT PRIMARY KEY, stored BLOB NOT NULL, signatures BLOB) STRICT;
        CREATE TABLE preprocesses (
            id TEXT NOT NULL, opener BLOB NOT NULL, number INTEGER NOT NULL,
            digest BLOB NOT NULL, preprocess BLOB NOT NULL, seeds BLOB NOT NULL,
            PRIMARY KEY (id, opener, number)) STRICT;
        CREATE INDEX preprocesses_by_digest ON preprocesses (id, digest);
        CREATE TABLE used_preprocesses (
            digest BLOB PRIMARY KEY, id TEXT NOT NULL, message BLOB NOT NULL,
            signing_set BLOB NOT NULL, open BLOB NOT NULL, answer BLOB NOT NULL) STRICT;",
        "CREATE TABLE waiting (
            number INTEGER PRIMARY KEY AUTOINCREMENT, session INTEGER NOT NULL,
            id TEXT NOT NULL UNIQUE, stored BLOB NOT NULL) STRICT;
        CREATE INDEX waiting_by_session ON waiting (session, number);
        CREATE INDEX unsigned_things ON things (id) WHERE signatures IS NULL;",
    ],
};

/// A thing that may be signed.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub(super) struct Stored {
    pub id: SigningId,
    pub reference: SeraiBlock,
    pub content: Content,
    pub messages: Vec<ToSign>,
}

/// A preprocess that has not been signed with.
pub(super) struct Preprocess {
    pub digest: [u8; 32],
    pub preprocess: Shares,
    /// Sealed: one seed per message, one after the other.
    pub seeds: Vec<u8>,
}

/// What became of a preprocess.
pub(super) struct Used {
    pub thing: String,
    pub message: [u8; 32],
    pub signing_set: [u8; 32],
    pub open: [u8; 32],
    pub answer: ProcessorMessage,
}

/// A thing, for people and checks from outside.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct Thing {
    /// Its id.
    pub id: String,
    /// Whether its signatures are known here.
    pub signed: bool,
}

/// A preprocess that was signed with, for checks from outside; hex.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct UsedPreprocess {
    /// Its digest.
    pub preprocess: String,
    /// For which thing.
    pub thing: String,
    /// Digest of the messages.
    pub message: String,
    /// Digest of the signers and their preprocesses.
    pub signing_set: String,
}

fn malformed(column: usize, error: serai_messages::DecodeError) -> rusqlite::Error {
    rusqlite::Error::FromSqlConversionFailure(column, rusqlite::types::Type::Blob, Box::new(error))
}

pub(super) fn insert_thing(
    transaction: &Transaction<'_>,
    stored: &Stored,
) -> rusqlite::Result<bool> {
    let inserted = transaction
        .prepare_cached("INSERT OR IGNORE INTO things (id, stored) VALUES (?1, ?2)")?
        .execute((stored.id.to_string(), encode(stored)))?;
    Ok(inserted == 1)
}

pub(super) fn thing(connection: &Connection, id: SigningId) -> rusqlite::Result<Option<Stored>> {
    let bytes: Option<Vec<u8>> = connection
        .prepare_cached("SELECT stored FROM things WHERE id = ?1")?
        .query_row([id.to_string()], |row| row.get(0))
        .optional()?;
    bytes.map(|bytes| decode(&bytes).map_err(|error| malformed(0, error))).transpose()
}

pub(super) fn signatures(
    connection: &Connection,
    id: SigningId,
) -> rusqlite::Result<Option<Vec<SignatureBytes>>> {
    let bytes: Option<Option<Vec<u8>>> = connection
        .prepare_cached("SELECT signatures FROM things WHERE id = ?1")?
        .query_row([id.to_string()], |row| row.get(0))
        .optional()?;
    bytes.flatten().map(|bytes| decode(&bytes).map_err(|error| malformed(0, error))).transpose()
}

/// Keeps a thing's signatures, and deletes its unused preprocesses: nothing of it is signed any more.
pub(super) fn set_signatures(
    transaction: &Transaction<'_>,
    id: SigningId,
    signatures: &[SignatureBytes],
) -> rusqlite::Result<()> {
    transaction
        .prepare_cached("UPDATE things SET signatures = ?2 WHERE id = ?1")?
        .execute((id.to_string(), encode(&signatures.to_vec())))?;
    transaction
        .prepare_cached("DELETE FROM preprocesses WHERE id = ?1")?
        .execute([id.to_string()])?;
    Ok(())
}

/// How many payments of a set are ready and not signed.
pub(super) fn unsigned_payments(
    connection: &Connection,
    set: ValidatorSet,
) -> rusqlite::Result<u32> {
    // `0` is what follows `/`.
    connection
        .prepare_cached(
            "SELECT count(*) FROM things WHERE signatures IS NULL AND id > ?1 AND id < ?2",
        )?
        .query_row((format!("sign/{set}/payment/"), format!("sign/{set}/payment0")), |row| {
            row.get(0)
        })
}

/// Keeps a thing until its turn comes, behind those that wait already.
pub(super) fn wait(transaction: &Transaction<'_>, stored: &Stored) -> rusqlite::Result<()> {
    transaction
        .prepare_cached(
            "INSERT OR IGNORE INTO waiting (session, id, stored)
             SELECT ?1, ?2, ?3 WHERE NOT EXISTS (SELECT 1 FROM things WHERE id = ?2)",
        )?
        .execute((stored.id.set.session.0, stored.id.to_string(), encode(stored)))?;
    Ok(())
}

/// Whether anything of a set waits for its turn.
pub(super) fn is_anything_waiting(
    connection: &Connection,
    set: ValidatorSet,
) -> rusqlite::Result<bool> {
    connection
        .prepare_cached("SELECT EXISTS (SELECT 1 FROM waiting WHERE session = ?1)")?
        .query_row([set.session.0], |row| row.get(0))
}

/// Takes the thing of a set that has waited for longest.
pub(super) fn take_waiting(
    transaction: &Transaction<'_>,
    set: ValidatorSet,
) -> rusqlite::Result<Option<Stored>> {
    let bytes: Option<Vec<u8>> = transaction
        .prepare_cached(
            "DELETE FROM waiting
             WHERE number = (SELECT min(number) FROM waiting WHERE session = ?1)
             RETURNING stored",
        )?
        .query_row([set.session.0], |row| row.get(0))
        .optional()?;
    bytes.map(|bytes| decode(&bytes).map_err(|error| malformed(0, error))).transpose()
}

/// Drops a thing and its unused preprocesses.
pub(super) fn delete(transaction: &Transaction<'_>, id: SigningId) -> rusqlite::Result<()> {
    transaction.prepare_cached("DELETE FROM waiting WHERE id = ?1")?.execute([id.to_string()])?;
    transaction
        .prepare_cached("DELETE FROM preprocesses WHERE id = ?1")?
        .execute([id.to_string()])?;
    transaction.prepare_cached("DELETE FROM things WHERE id = ?1")?.execute([id.to_string()])?;
    Ok(())
}

pub(super) fn insert_preprocess(
    transaction: &Transaction<'_>,
    id: SigningId,
    opener: Option<ValidatorKey>,
    preprocess: &Preprocess,
) -> rusqlite::Result<()> {
    let opener = opener.map(|key| key.0.to_vec()).unwrap_or_default();
    transaction
        .prepare_cached(
            "INSERT INTO preprocesses (id, opener, number, digest, preprocess, seeds)
         SELECT ?1, ?2, COALESCE(MAX(number) + 1, 0), ?3, ?4, ?5 FROM preprocesses
         WHERE id = ?1 AND opener = ?2",
        )?
        .execute((
            id.to_string(),
            opener,
            preprocess.digest,
            encode(&preprocess.preprocess),
            &preprocess.seeds,
        ))?;
    Ok(())
}

fn read(row: &rusqlite::Row<'_>) -> rusqlite::Result<Preprocess> {
    let preprocess: Vec<u8> = row.get(1)?;
    Ok(Preprocess {
        digest: row.get(0)?,
        preprocess: decode(&preprocess).map_err(|error| malformed(1, error))?,
        seeds: row.get(2)?,
    })
}

/// The newest one given for an opener that was not signed with.
pub(super) fn preprocess_for(
    connection: &Connection,
    id: SigningId,
    opener: ValidatorKey,
) -> rusqlite::Result<Option<Preprocess>> {
    connection
        .prepare_cached(
            "SELECT digest, preprocess, seeds FROM preprocesses
             WHERE id = ?1 AND opener = ?2 ORDER BY number DESC LIMIT 1",
        )?
        .query_row((id.to_string(), opener.0), read)
        .optional()
}

/// How many of a thing have not been signed with.
pub(super) fn unused(connection: &Connection, id: SigningId) -> rusqlite::Result<u32> {
    connection
        .prepare_cached("SELECT COUNT(*) FROM preprocesses WHERE id = ?1")?
        .query_row([id.to_string()], |row| row.get(0))
}

pub(super) fn preprocess_of(
    connection: &Connection,
    id: SigningId,
    digest: [u8; 32],
) -> rusqlite::Result<Option<Preprocess>> {
    connection
        .prepare_cached(
            "SELECT digest, preprocess, seeds FROM preprocesses WHERE id = ?1 AND digest = ?2",
        )?
        .query_row((id.to_string(), digest), read)
        .optional()
}

pub(super) fn used_of(connection: &Connection, digest: [u8; 32]) -> rusqlite::Result<Option<Used>> {
    connection
        .prepare_cached(
            "SELECT id, message, signing_set, open, answer FROM used_preprocesses WHERE digest = ?1")?.query_row([digest],
            |row| {
                let answer: Vec<u8> = row.get(4)?;
                Ok(Used {
                    thing: row.get(0)?,
                    message: row.get(1)?,
                    signing_set: row.get(2)?,
                    open: row.get(3)?,
                    answer: decode(&answer).map_err(|error| malformed(4, error))?,
                })
            },
        )
        .optional()
}

/// Binds a preprocess to what it was used for, and deletes its seed. Fails when it was bound before.
pub(super) fn bind(
    transaction: &Transaction<'_>,
    digest: [u8; 32],
    used: &Used,
) -> rusqlite::Result<()> {
    transaction
        .prepare_cached(
            "INSERT INTO used_preprocesses (digest, id, message, signing_set, open, answer)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
        )?
        .execute((
            digest,
            &used.thing,
            used.message,
            used.signing_set,
            used.open,
            encode(&used.answer),
        ))?;
    transaction.prepare_cached("DELETE FROM preprocesses WHERE digest = ?1")?.execute([digest])?;
    Ok(())
}

/// All things that are known here.
///
/// # Errors
/// SQLite's.
pub fn things(connection: &Connection) -> rusqlite::Result<Vec<Thing>> {
    let mut statement =
        connection.prepare_cached("SELECT id, signatures IS NOT NULL FROM things ORDER BY id")?;
    let rows = statement.query_map((), |row| Ok(Thing { id: row.get(0)?, signed: row.get(1)? }))?;
    rows.collect()
}

/// All preprocesses that were ever signed with.
///
/// # Errors
/// SQLite's.
pub fn used(connection: &Connection) -> rusqlite::Result<Vec<UsedPreprocess>> {
    let mut statement = connection.prepare_cached(
        "SELECT digest, id, message, signing_set FROM used_preprocesses ORDER BY rowid",
    )?;
    let rows = statement.query_map((), |row| {
        let hex = |column| row.get::<_, Vec<u8>>(column).map(hex::encode);
        Ok(UsedPreprocess {
            preprocess: hex(0)?,
            thing: row.get(1)?,
            message: hex(2)?,
            signing_set: hex(3)?,
        })
    })?;
    rows.collect()
}
