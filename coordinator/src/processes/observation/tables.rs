//! The process' tables: the chain that was read and how far, submissions, instructions.

use rusqlite::types::Type;
use rusqlite::{Connection, OptionalExtension, Row, Transaction};
use serai_bus::Migration;
use serai_messages::observation::{Event, SeraiBlock};
use serai_messages::{BlockHash, BlockNumber, Coin, KeyPair, ValidatorSet, decode, encode};

/// The tables of this module.
pub const MIGRATION: Migration = Migration {
    component: "observation",
    steps: &["CREATE TABLE observed_chain (
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
            event INTEGER NOT NULL) STRICT;"],
};

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

/// Keeps what later questions need of a published event.
pub(super) fn note(transaction: &Transaction<'_>, event: &Event) -> rusqlite::Result<()> {
    match event {
        Event::KeyGen { set, key_pair, .. } => set_keys(transaction, *set, key_pair),
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

/// How a submission stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SubmissionState {
    /// To be submitted until the chain shows its effect.
    Open,
    /// The chain shows its effect.
    Done,
    /// The chain will never show its effect.
    Failed,
}

impl SubmissionState {
    /// The state as a word.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Open => "open",
            Self::Done => "done",
            Self::Failed => "failed",
        }
    }
}

/// One submission.
#[derive(Clone, Debug)]
pub struct Submission {
    /// Its row.
    pub row: i64,
    /// What is to be submitted.
    pub event: Event,
    /// How it stands.
    pub state: SubmissionState,
    /// How often it was handed to a node.
    pub attempts: u32,
    /// What was said about it last.
    pub detail: String,
}

/// Stores a submission; one of the same intent stays as it is.
pub(super) fn add_submission(transaction: &Transaction<'_>, event: &Event) -> rusqlite::Result<()> {
    transaction
        .execute(
            "INSERT OR IGNORE INTO submissions (intent, body, state, attempts, detail)
             VALUES (?1, ?2, 'open', 0, 'not submitted yet')",
            (event.intent(), encode(event)),
        )
        .map(drop)
}

/// The oldest `limit` submissions of a state.
///
/// # Errors
/// SQLite's, or a damaged row.
pub fn submissions(
    connection: &Connection,
    state: SubmissionState,
    limit: u32,
) -> rusqlite::Result<Vec<Submission>> {
    let mut statement = connection.prepare_cached(
        "SELECT row, body, attempts, detail FROM submissions WHERE state = ?1
         ORDER BY row LIMIT ?2",
    )?;
    let rows = statement.query_map((state.name(), limit), |row| {
        Ok(Submission {
            row: row.get(0)?,
            event: blob(row, 1)?,
            state,
            attempts: row.get(2)?,
            detail: row.get(3)?,
        })
    })?;
    rows.collect()
}

/// Notes how a submission stands after something was tried.
pub(super) fn set_submission(
    transaction: &Transaction<'_>,
    row: i64,
    state: SubmissionState,
    attempts: u32,
    detail: &str,
) -> rusqlite::Result<()> {
    transaction
        .execute(
            "UPDATE submissions SET state = ?2, attempts = ?3, detail = ?4 WHERE row = ?1",
            (row, state.name(), attempts, detail),
        )
        .map(drop)
}

/// Batches of one network that Serai executed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Batches {
    /// How many.
    pub executed: u64,
    /// Number of the last one.
    pub last: u32,
    /// Serai block of the last one.
    pub block: BlockNumber,
    /// The first time that a number did not follow the one before, in words.
    pub gap: Option<String>,
}

/// The batches of a network, if there were any.
///
/// # Errors
/// SQLite's.
pub fn batches(connection: &Connection, coin: Coin) -> rusqlite::Result<Option<Batches>> {
    connection
        .query_row(
            "SELECT executed, last, block, gap FROM batches WHERE coin = ?1",
            [coin.name()],
            |row| {
                Ok(Batches {
                    executed: row.get::<_, i64>(0)?.cast_unsigned(),
                    last: row.get(1)?,
                    block: BlockNumber(row.get::<_, i64>(2)?.cast_unsigned()),
                    gap: row.get(3)?,
                })
            },
        )
        .optional()
}

/// Replaces a network's batches.
pub(super) fn set_batches(
    transaction: &Transaction<'_>,
    coin: Coin,
    batches: &Batches,
) -> rusqlite::Result<()> {
    transaction
        .execute(
            "INSERT OR REPLACE INTO batches (coin, executed, last, block, gap)
             VALUES (?1, ?2, ?3, ?4, ?5)",
            (
                coin.name(),
                batches.executed.cast_signed(),
                batches.last,
                batches.block.0.cast_signed(),
                &batches.gap,
            ),
        )
        .map(drop)
}

/// Payments out of one network that Serai asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Burns {
    /// How many.
    pub seen: u64,
    /// Serai block of the last one.
    pub block: BlockNumber,
    /// Position of the last one among that block's events.
    pub index: u32,
}

/// The burns of a network, if there were any.
///
/// # Errors
/// SQLite's.
pub fn burns(connection: &Connection, coin: Coin) -> rusqlite::Result<Option<Burns>> {
    connection
        .query_row("SELECT seen, block, event FROM burns WHERE coin = ?1", [coin.name()], |row| {
            Ok(Burns {
                seen: row.get::<_, i64>(0)?.cast_unsigned(),
                block: BlockNumber(row.get::<_, i64>(1)?.cast_unsigned()),
                index: row.get(2)?,
            })
        })
        .optional()
}

/// Replaces a network's burns.
pub(super) fn set_burns(
    transaction: &Transaction<'_>,
    coin: Coin,
    burns: Burns,
) -> rusqlite::Result<()> {
    transaction
        .execute(
            "INSERT OR REPLACE INTO burns (coin, seen, block, event) VALUES (?1, ?2, ?3, ?4)",
            (coin.name(), burns.seen.cast_signed(), burns.block.0.cast_signed(), burns.index),
        )
        .map(drop)
}

fn blob<T: borsh::BorshDeserialize>(row: &Row<'_>, column: usize) -> rusqlite::Result<T> {
    decode(&row.get::<_, Vec<u8>>(column)?).map_err(|error| {
        rusqlite::Error::FromSqlConversionFailure(column, Type::Blob, Box::new(error))
    })
}
