//! The attempts' tables.

use rusqlite::{Connection, OptionalExtension, Transaction};
use serai_bus::Migration;
use serai_messages::keygen::{CoordinatorMessage, KeygenId, ProcessorMessage, SignedParty};
use serai_messages::{BlockHash, ValidatorSet, decode, encode};

/// The tables. A database is of one coin, so the coin is in no key.
pub const MIGRATION: Migration = Migration {
    component: "keygen",
    steps: &["CREATE TABLE attempts (
            session INTEGER NOT NULL, attempt INTEGER NOT NULL,
            party BLOB NOT NULL, seed BLOB NOT NULL,
            PRIMARY KEY (session, attempt)) STRICT;
        CREATE TABLE steps (
            session INTEGER NOT NULL, attempt INTEGER NOT NULL, step TEXT NOT NULL,
            digest BLOB NOT NULL, input BLOB NOT NULL, answers BLOB NOT NULL,
            PRIMARY KEY (session, attempt, step)) STRICT;
        CREATE TABLE chain (genesis BLOB NOT NULL) STRICT;"],
};

/// An attempt that this processor takes part in.
#[derive(Debug)]
pub(super) struct Attempt {
    pub(super) party: SignedParty,
    /// Sealed.
    pub(super) seed: Vec<u8>,
}

/// A step that was taken.
#[derive(Debug)]
pub(super) struct Step {
    /// Of what was asked.
    pub(super) digest: [u8; 32],
    /// What was asked: the evidence, while there may be blame.
    pub(super) input: CoordinatorMessage,
    /// What was answered.
    pub(super) answers: Vec<ProcessorMessage>,
}

fn malformed(column: usize, error: serai_messages::DecodeError) -> rusqlite::Error {
    rusqlite::Error::FromSqlConversionFailure(column, rusqlite::types::Type::Blob, Box::new(error))
}

pub(super) fn attempt(connection: &Connection, id: KeygenId) -> rusqlite::Result<Option<Attempt>> {
    connection
        .query_row(
            "SELECT party, seed FROM attempts WHERE session = ?1 AND attempt = ?2",
            (id.set.session.0, id.attempt.0),
            |row| {
                let party: Vec<u8> = row.get(0)?;
                Ok(Attempt {
                    party: decode(&party).map_err(|error| malformed(0, error))?,
                    seed: row.get(1)?,
                })
            },
        )
        .optional()
}

pub(super) fn insert_attempt(
    transaction: &Transaction<'_>,
    attempt: &Attempt,
) -> rusqlite::Result<()> {
    let id = attempt.party.party.id;
    transaction.execute(
        "INSERT INTO attempts (session, attempt, party, seed) VALUES (?1, ?2, ?3, ?4)",
        (id.set.session.0, id.attempt.0, encode(&attempt.party), &attempt.seed),
    )?;
    Ok(())
}

pub(super) fn step(
    connection: &Connection,
    id: KeygenId,
    step: &str,
) -> rusqlite::Result<Option<Step>> {
    connection
        .query_row(
            "SELECT digest, input, answers FROM steps
             WHERE session = ?1 AND attempt = ?2 AND step = ?3",
            (id.set.session.0, id.attempt.0, step),
            |row| {
                let (input, answers): (Vec<u8>, Vec<u8>) = (row.get(1)?, row.get(2)?);
                Ok(Step {
                    digest: row.get(0)?,
                    input: decode(&input).map_err(|error| malformed(1, error))?,
                    answers: decode(&answers).map_err(|error| malformed(2, error))?,
                })
            },
        )
        .optional()
}

pub(super) fn insert_step(
    transaction: &Transaction<'_>,
    id: KeygenId,
    name: &str,
    step: &Step,
) -> rusqlite::Result<()> {
    transaction.execute(
        "INSERT INTO steps (session, attempt, step, digest, input, answers)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
        (
            id.set.session.0,
            id.attempt.0,
            name,
            step.digest,
            encode(&step.input),
            encode(&step.answers),
        ),
    )?;
    Ok(())
}

/// Deletes everything about a set's attempts: its key pair is decided.
pub(super) fn delete_set(transaction: &Transaction<'_>, set: ValidatorSet) -> rusqlite::Result<()> {
    transaction.execute("DELETE FROM steps WHERE session = ?1", [set.session.0])?;
    transaction.execute("DELETE FROM attempts WHERE session = ?1", [set.session.0])?;
    Ok(())
}

/// The chain that this processor's vaults belong to: that of the first party it joined.
pub(super) fn genesis(connection: &Connection) -> rusqlite::Result<Option<BlockHash>> {
    connection
        .query_row("SELECT genesis FROM chain", (), |row| row.get(0).map(BlockHash))
        .optional()
}

pub(super) fn set_genesis(
    transaction: &Transaction<'_>,
    genesis: BlockHash,
) -> rusqlite::Result<()> {
    transaction.execute("INSERT INTO chain (genesis) VALUES (?1)", [genesis.0])?;
    Ok(())
}
