//! Logs of inputs: a session is its log, whatever its kind.

use borsh::{BorshDeserialize, BorshSerialize};
use rusqlite::{Connection, Transaction};
use serai_bus::DatabaseError;
use serai_messages::{decode, encode};

use super::{malformed, malformed_row};

/// Appends an input to a session's log.
pub fn append_input(
    transaction: &Transaction<'_>,
    id: &str,
    number: u64,
    input: &impl BorshSerialize,
) -> rusqlite::Result<()> {
    transaction
        .prepare_cached("INSERT INTO inputs (id, number, input) VALUES (?1, ?2, ?3)")?
        .execute((id, number.cast_signed(), encode(input)))?;
    Ok(())
}

/// A session's inputs in order.
pub fn inputs<T: BorshDeserialize>(
    connection: &Connection,
    id: &str,
) -> Result<Vec<T>, DatabaseError> {
    let rows = connection
        .prepare_cached("SELECT input FROM inputs WHERE id = ?1 ORDER BY number")
        .and_then(|mut statement| {
            statement
                .query_map([id], |row| row.get::<_, Vec<u8>>(0))?
                .collect::<rusqlite::Result<Vec<_>>>()
        })
        .map_err(malformed_row("inputs"))?;
    rows.iter().map(|bytes| decode(bytes).map_err(malformed("session input"))).collect()
}

/// Deletes the log of a session that is done: its summary holds what is shown.
pub fn delete_inputs(transaction: &Transaction<'_>, id: &str) -> rusqlite::Result<()> {
    transaction.prepare_cached("DELETE FROM inputs WHERE id = ?1")?.execute([id])?;
    Ok(())
}
