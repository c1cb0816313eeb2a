//! The message versions that each processor speaks, as it announced last.

use rusqlite::{Connection, OptionalExtension, Transaction};
use serai_messages::{Coin, Versions};

/// Stores what a coin's processor speaks.
pub fn set_processor_versions(
    transaction: &Transaction<'_>,
    coin: Coin,
    speaks: Versions,
) -> rusqlite::Result<()> {
    transaction
        .prepare_cached(
            "INSERT OR REPLACE INTO processor_versions (coin, oldest, newest) VALUES (?1, ?2, ?3)",
        )?
        .execute((coin.network_id(), speaks.oldest, speaks.newest))?;
    Ok(())
}

/// What a coin's processor speaks; `None` where it was never heard.
pub fn processor_versions(
    connection: &Connection,
    coin: Coin,
) -> rusqlite::Result<Option<Versions>> {
    connection
        .prepare_cached("SELECT oldest, newest FROM processor_versions WHERE coin = ?1")?
        .query_row([coin.network_id()], |row| {
            Ok(Versions { oldest: row.get(0)?, newest: row.get(1)? })
        })
        .optional()
}
