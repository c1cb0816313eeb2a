//! What the own processor is ready to sign for sets that were not read from Serai yet.

use rusqlite::Transaction;
use serai_bus::DatabaseError;
use serai_messages::signing::ProcessorMessage;
use serai_messages::{ValidatorSet, decode, encode};

use super::{malformed, malformed_row};

/// Messages that are kept of one set; the oldest make room.
const MAX_READY: u32 = 1_024;

/// Keeps a `Ready` until its set is read. The processor says it once.
pub fn keep_ready(
    transaction: &Transaction<'_>,
    set: ValidatorSet,
    message: &ProcessorMessage,
) -> rusqlite::Result<()> {
    let (coin, session) = (set.coin.network_id(), set.session.0);
    transaction
        .prepare_cached("INSERT INTO early_ready (coin, session, message) VALUES (?1, ?2, ?3)")?
        .execute((coin, session, encode(message)))?;
    transaction
        .prepare_cached(
            "DELETE FROM early_ready WHERE coin = ?1 AND session = ?2 AND row NOT IN (
                 SELECT row FROM early_ready WHERE coin = ?1 AND session = ?2
                 ORDER BY row DESC LIMIT ?3)",
        )?
        .execute((coin, session, MAX_READY))?;
    Ok(())
}

/// Takes what was kept for a set, in the order in which it came.
pub fn take_ready(
    transaction: &Transaction<'_>,
    set: ValidatorSet,
) -> Result<Vec<ProcessorMessage>, DatabaseError> {
    let of = (set.coin.network_id(), set.session.0);
    let rows = transaction
        .prepare_cached(
            "SELECT message FROM early_ready WHERE coin = ?1 AND session = ?2 ORDER BY row",
        )
        .and_then(|mut statement| {
            statement
                .query_map(of, |row| row.get::<_, Vec<u8>>(0))?
                .collect::<rusqlite::Result<Vec<_>>>()
        })
        .and_then(|rows| {
            transaction
                .prepare_cached("DELETE FROM early_ready WHERE coin = ?1 AND session = ?2")?
                .execute(of)?;
            Ok(rows)
        })
        .map_err(malformed_row("early ready"))?;
    rows.iter().map(|bytes| decode(bytes).map_err(malformed("early ready"))).collect()
}
