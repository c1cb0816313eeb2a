//! How many instructions there were, per network.

use rusqlite::{Connection, OptionalExtension, Transaction};
use serai_messages::{BlockNumber, Coin};

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
        .prepare_cached("SELECT executed, last, block, gap FROM batches WHERE coin = ?1")?
        .query_row([coin.name()], |row| {
            Ok(Batches {
                executed: row.get::<_, i64>(0)?.cast_unsigned(),
                last: row.get(1)?,
                block: BlockNumber(row.get::<_, i64>(2)?.cast_unsigned()),
                gap: row.get(3)?,
            })
        })
        .optional()
}

/// Replaces a network's batches.
pub(crate) fn set_batches(
    transaction: &Transaction<'_>,
    coin: Coin,
    batches: &Batches,
) -> rusqlite::Result<()> {
    transaction
        .prepare_cached(
            "INSERT OR REPLACE INTO batches (coin, executed, last, block, gap)
             VALUES (?1, ?2, ?3, ?4, ?5)",
        )?
        .execute((
            coin.name(),
            batches.executed.cast_signed(),
            batches.last,
            batches.block.0.cast_signed(),
            &batches.gap,
        ))
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
        .prepare_cached("SELECT seen, block, event FROM burns WHERE coin = ?1")?
        .query_row([coin.name()], |row| {
            Ok(Burns {
                seen: row.get::<_, i64>(0)?.cast_unsigned(),
                block: BlockNumber(row.get::<_, i64>(1)?.cast_unsigned()),
                index: row.get(2)?,
            })
        })
        .optional()
}

/// Replaces a network's burns.
pub(crate) fn set_burns(
    transaction: &Transaction<'_>,
    coin: Coin,
    burns: Burns,
) -> rusqlite::Result<()> {
    transaction
        .prepare_cached(
            "INSERT OR REPLACE INTO burns (coin, seen, block, event) VALUES (?1, ?2, ?3, ?4)",
        )?
        .execute((coin.name(), burns.seen.cast_signed(), burns.block.0.cast_signed(), burns.index))
        .map(drop)
}
