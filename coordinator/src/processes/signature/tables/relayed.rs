//! Serai's events for processors whose keys are not known yet.

use rusqlite::Transaction;
use serai_bus::DatabaseError;
use serai_messages::vault::CoordinatorMessage;
use serai_messages::{Coin, decode, encode};

use super::{malformed, malformed_row};

/// Keeps a message until the processor's key is known.
pub fn keep_relayed(
    transaction: &Transaction<'_>,
    message: &CoordinatorMessage,
) -> rusqlite::Result<()> {
    transaction
        .prepare_cached("INSERT INTO relayed (coin, message) VALUES (?1, ?2)")?
        .execute((message.coin().network_id(), encode(message)))?;
    Ok(())
}

/// Forgets what was kept for processors: it will come again, from the beginning.
///
/// # Errors
/// SQLite's.
pub fn forget_relayed(transaction: &Transaction<'_>) -> rusqlite::Result<()> {
    transaction.execute("DELETE FROM relayed", ()).map(drop)
}

/// Takes all that was kept for a coin's processor, in the order in which it came.
pub fn take_relayed(
    transaction: &Transaction<'_>,
    coin: Coin,
) -> Result<Vec<CoordinatorMessage>, DatabaseError> {
    let rows = transaction
        .prepare_cached("SELECT message FROM relayed WHERE coin = ?1 ORDER BY row")
        .and_then(|mut statement| {
            statement
                .query_map([coin.network_id()], |row| row.get::<_, Vec<u8>>(0))?
                .collect::<rusqlite::Result<Vec<_>>>()
        })
        .and_then(|rows| {
            transaction
                .prepare_cached("DELETE FROM relayed WHERE coin = ?1")?
                .execute([coin.network_id()])?;
            Ok(rows)
        })
        .map_err(malformed_row("relayed events"))?;
    rows.iter().map(|bytes| decode(bytes).map_err(malformed("relayed event"))).collect()
}
