//! What peers said of things that the own processor has not worked out yet.

use rusqlite::{Connection, Transaction};
use serai_bus::DatabaseError;
use serai_messages::signing::SigningId;
use serai_messages::{SignedStatement, decode, encode};

use super::malformed_row;

/// Statements of one signer about a coin's things that are kept; the oldest make room.
const MAX_PARKED_STATEMENTS: u32 = 256;

/// Bytes of them.
const MAX_PARKED_BYTES: u64 = 4 * 1024 * 1024;

/// Keeps a statement for a thing that may begin here: of each signer and coin the newest 256, of at most
/// 4 MiB.
pub fn park(
    transaction: &Transaction<'_>,
    id: SigningId,
    statement: &SignedStatement,
) -> rusqlite::Result<()> {
    let (coin, signer, body) = (id.set.coin.network_id(), statement.signer.0, encode(statement));
    let size = i64::try_from(body.len()).unwrap_or(i64::MAX);
    transaction
        .prepare_cached(
            "INSERT INTO parked_statements (coin, signer, id, size, statement)
             VALUES (?1, ?2, ?3, ?4, ?5)",
        )?
        .execute((coin, signer, id.to_string(), size, body))?;
    // From the newest on: how many there are, and how large they are together.
    transaction
        .prepare_cached(
            "DELETE FROM parked_statements WHERE row IN (
                 SELECT row FROM (
                     SELECT row, count(*) OVER newer AS rows, sum(size) OVER newer AS bytes
                     FROM parked_statements WHERE coin = ?1 AND signer = ?2
                     WINDOW newer AS (ORDER BY row DESC))
                 WHERE rows > ?3 OR bytes > ?4)",
        )?
        .execute((coin, signer, MAX_PARKED_STATEMENTS, MAX_PARKED_BYTES.cast_signed()))?;
    Ok(())
}

/// Takes what was kept for a thing, in the order in which it came.
pub fn take_parked(
    transaction: &Transaction<'_>,
    id: SigningId,
) -> Result<Vec<SignedStatement>, DatabaseError> {
    let rows = transaction
        .prepare_cached("SELECT statement FROM parked_statements WHERE id = ?1 ORDER BY row")
        .and_then(|mut statement| {
            statement
                .query_map([id.to_string()], |row| row.get::<_, Vec<u8>>(0))?
                .collect::<rusqlite::Result<Vec<_>>>()
        })
        .and_then(|rows| {
            forget_parked(transaction, id)?;
            Ok(rows)
        })
        .map_err(malformed_row("parked statements"))?;
    // What a newer program has kept may not decode: peers' words, which they say again.
    Ok(rows.iter().filter_map(|bytes| decode(bytes).ok()).collect())
}

/// Drops what was kept for a thing.
pub fn forget_parked(transaction: &Transaction<'_>, id: SigningId) -> rusqlite::Result<()> {
    transaction
        .prepare_cached("DELETE FROM parked_statements WHERE id = ?1")?
        .execute([id.to_string()])?;
    Ok(())
}

/// How many statements are kept for a thing.
pub fn parked(connection: &Connection, id: SigningId) -> rusqlite::Result<u64> {
    let count: i64 = connection
        .prepare_cached("SELECT count(*) FROM parked_statements WHERE id = ?1")?
        .query_row([id.to_string()], |row| row.get(0))?;
    Ok(count.cast_unsigned())
}
