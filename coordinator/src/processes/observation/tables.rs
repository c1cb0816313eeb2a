//! The process' tables: the chain that was read and how far; what is to be submitted; executed batches;
//! payments; the vaults' solvency.
//!
//! # Limits
//! Executed batches and payments are kept for good: a row of about a hundred bytes each.

mod executed;
mod instructions;
mod payments;
mod solvency;
mod submissions;

use std::collections::BTreeMap;

use rusqlite::types::Type;
use rusqlite::{Connection, OptionalExtension, Row, Transaction};
use serai_bus::Migration;
use serai_messages::observation::{Event, SeraiBlock};
use serai_messages::{BlockHash, BlockNumber, Coin, KeyPair, ValidatorSet, decode, encode};

/// The tables of this module.
pub const MIGRATION: Migration = Migration {
    component: "observation",
    steps: &[
        "CREATE TABLE observed_chain (
            one INTEGER PRIMARY KEY CHECK (one = 1), genesis BLOB NOT NULL,
            number INTEGER, hash BLOB, CHECK ((number IS NULL) = (hash IS NULL))) STRICT;
        CREATE TABLE observed_keys (
            coin TEXT NOT NULL, session INTEGER NOT NULL, key_pair BLOB NOT NULL,
            PRIMARY KEY (coin, session)) STRICT;
        CREATE TABLE observed_coins (coin TEXT PRIMARY KEY, next INTEGER) STRICT;
        CREATE TABLE submissions (
            row INTEGER PRIMARY KEY AUTOINCREMENT, intent TEXT NOT NULL UNIQUE,
            body BLOB NOT NULL, state TEXT NOT NULL, attempts INTEGER NOT NULL,
            detail TEXT NOT NULL) STRICT;
        CREATE INDEX submissions_by_state ON submissions (state, row);
        CREATE TABLE batches (
            coin TEXT PRIMARY KEY, executed INTEGER NOT NULL, last INTEGER NOT NULL,
            block INTEGER NOT NULL, gap TEXT) STRICT;
        CREATE TABLE burns (
            coin TEXT PRIMARY KEY, seen INTEGER NOT NULL, block INTEGER NOT NULL,
            event INTEGER NOT NULL) STRICT;",
        "ALTER TABLE submissions ADD COLUMN handed INTEGER NOT NULL DEFAULT 0;
        CREATE TABLE executed_batches (
            coin TEXT NOT NULL, id INTEGER NOT NULL, block INTEGER NOT NULL, hash BLOB NOT NULL,
            external_block BLOB NOT NULL, instructions_hash BLOB NOT NULL, failed BLOB NOT NULL,
            supply INTEGER NOT NULL, PRIMARY KEY (coin, id)) STRICT, WITHOUT ROWID;
        CREATE TABLE payments (
            coin TEXT NOT NULL, block INTEGER NOT NULL, event INTEGER NOT NULL,
            external_coin INTEGER, amount INTEGER, state TEXT NOT NULL, tx BLOB, height INTEGER,
            reason TEXT, PRIMARY KEY (block, event)) STRICT;
        CREATE TABLE solvency (
            coin TEXT PRIMARY KEY, short INTEGER NOT NULL, body BLOB NOT NULL) STRICT;
        CREATE TABLE solvency_setting (
            one INTEGER PRIMARY KEY CHECK (one = 1), pause INTEGER NOT NULL) STRICT;",
    ],
};

pub(super) use executed::note_executed;
pub use executed::{Executed, executed, latest_executed};
pub use instructions::{Batches, Burns, batches, burns};
pub(super) use instructions::{set_batches, set_burns};
pub(super) use payments::note_payment;
pub use payments::{Payment, payments};
pub use solvency::{Stored, is_paused, solvency};
pub(super) use solvency::{set_on_shortfall, set_solvency};
pub use submissions::{Submission, SubmissionState, submission, submissions};
pub(super) use submissions::{add_submission, hand_over, set_submission};

/// The chain that this database belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Chain {
    /// Hash of its block 0.
    pub genesis: BlockHash,
    /// The last block that was published; `None` before block 0 was.
    pub cursor: Option<SeraiBlock>,
}

/// The chain, once a node has been reached.
///
/// # Errors
/// SQLite's.
pub fn chain(connection: &Connection) -> rusqlite::Result<Option<Chain>> {
    connection
        .query_row("SELECT genesis, number, hash FROM observed_chain", (), |row| {
            let cursor = match row.get::<_, Option<i64>>(1)? {
                Some(number) => Some(SeraiBlock {
                    number: BlockNumber(number.cast_unsigned()),
                    hash: BlockHash(row.get(2)?),
                }),
                None => None,
            };
            Ok(Chain { genesis: BlockHash(row.get(0)?), cursor })
        })
        .optional()
}

/// Remembers the chain by its genesis block.
pub(super) fn set_genesis(
    transaction: &Transaction<'_>,
    genesis: BlockHash,
) -> rusqlite::Result<()> {
    transaction
        .execute("INSERT INTO observed_chain (one, genesis) VALUES (1, ?1)", [genesis.0])
        .map(drop)
}

/// Moves the cursor.
pub(super) fn set_cursor(transaction: &Transaction<'_>, block: SeraiBlock) -> rusqlite::Result<()> {
    transaction
        .execute(
            "UPDATE observed_chain SET number = ?1, hash = ?2",
            (block.number.0.cast_signed(), block.hash.0),
        )
        .map(drop)
}

/// Forgets that events of coins were published: those from block 0 to the cursor are published again
/// before the chain is followed further, for readers that have lost them.
///
/// # Errors
/// SQLite's.
pub fn forget_progress(transaction: &Transaction<'_>) -> rusqlite::Result<()> {
    transaction.execute("DELETE FROM observed_coins", ()).map(drop)
}

/// How far the events of one coin are published.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CoinProgress {
    /// Up to the cursor, and with it from now on.
    Follows,
    /// Up to the block before this one; the rest up to the cursor is to be made up for.
    Behind(BlockNumber),
}

impl CoinProgress {
    /// Behind by the blocks from `next` to the one before `after`, if there are any.
    pub(super) fn behind(next: BlockNumber, after: BlockNumber) -> Self {
        if next < after { Self::Behind(next) } else { Self::Follows }
    }
}

/// A coin's progress; `None` when it was never enabled.
///
/// # Errors
/// SQLite's.
pub fn coin_progress(
    connection: &Connection,
    coin: Coin,
) -> rusqlite::Result<Option<CoinProgress>> {
    connection
        .query_row("SELECT next FROM observed_coins WHERE coin = ?1", [coin.name()], |row| {
            let next: Option<i64> = row.get(0)?;
            Ok(next.map_or(CoinProgress::Follows, |next| {
                CoinProgress::Behind(BlockNumber(next.cast_unsigned()))
            }))
        })
        .optional()
}

/// Notes a coin's progress.
pub(super) fn set_coin_progress(
    transaction: &Transaction<'_>,
    coin: Coin,
    progress: CoinProgress,
) -> rusqlite::Result<()> {
    let next = match progress {
        CoinProgress::Follows => None,
        CoinProgress::Behind(next) => Some(next.0.cast_signed()),
    };
    transaction
        .execute(
            "INSERT OR REPLACE INTO observed_coins (coin, next) VALUES (?1, ?2)",
            (coin.name(), next),
        )
        .map(drop)
}

/// Keeps what later questions need of a published event. `supplies` are what there is on Serai of
/// the networks' own coins after its block; of a network with an executed batch it is there.
pub(super) fn note(
    transaction: &Transaction<'_>,
    event: &Event,
    supplies: &BTreeMap<Coin, u64>,
) -> rusqlite::Result<()> {
    match event {
        Event::KeyGen { set, key_pair, .. } => set_keys(transaction, *set, key_pair),
        Event::BatchExecuted { coin, id, block, external_block, instructions_hash, failed } => {
            let executed = Executed {
                id: *id,
                block: *block,
                external_block: *external_block,
                instructions_hash: *instructions_hash,
                failed: failed.clone(),
                supply: supplies.get(coin).copied().unwrap_or_default(),
            };
            note_executed(transaction, *coin, &executed)
        }
        _ => Ok(()),
    }
}

/// Remembers the keys that the chain gave a set; they outlive the chain's own entry.
fn set_keys(
    transaction: &Transaction<'_>,
    set: ValidatorSet,
    key_pair: &KeyPair,
) -> rusqlite::Result<()> {
    transaction
        .execute(
            "INSERT OR REPLACE INTO observed_keys (coin, session, key_pair) VALUES (?1, ?2, ?3)",
            (set.coin.name(), set.session.0, encode(key_pair)),
        )
        .map(drop)
}

/// The keys that the chain gave a set, as far as the cursor has come.
///
/// # Errors
/// SQLite's, or a damaged row.
pub fn keys(connection: &Connection, set: ValidatorSet) -> rusqlite::Result<Option<KeyPair>> {
    connection
        .query_row(
            "SELECT key_pair FROM observed_keys WHERE coin = ?1 AND session = ?2",
            (set.coin.name(), set.session.0),
            |row| blob(row, 0),
        )
        .optional()
}

pub(super) fn blob<T: borsh::BorshDeserialize>(
    row: &Row<'_>,
    column: usize,
) -> rusqlite::Result<T> {
    decode(&row.get::<_, Vec<u8>>(column)?).map_err(|error| {
        rusqlite::Error::FromSqlConversionFailure(column, Type::Blob, Box::new(error))
    })
}
