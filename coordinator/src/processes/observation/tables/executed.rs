//! Batches that Serai executed, one by one, from its events.

use rusqlite::{Connection, OptionalExtension, Row, Transaction};
use serai_messages::observation::SeraiBlock;
use serai_messages::{BlockHash, BlockNumber, Coin, encode};

use super::blob;

/// One executed batch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Executed {
    /// Its number.
    pub id: u32,
    /// Serai block that executed it.
    pub block: SeraiBlock,
    /// External block that it acknowledges.
    pub external_block: [u8; 32],
    /// Blake2b-256 of its instructions, SCALE-encoded.
    pub instructions_hash: [u8; 32],
    /// Positions of the instructions that failed, ascending.
    pub failed: Vec<u32>,
    /// What there is of the network's own coin on Serai after that block (`Coins.Supply`).
    pub supply: u64,
}

const COLUMNS: &str = "id, block, hash, external_block, instructions_hash, failed, supply";

/// Keeps an executed batch; one that is there stays.
pub(crate) fn note_executed(
    transaction: &Transaction<'_>,
    coin: Coin,
    batch: &Executed,
) -> rusqlite::Result<()> {
    let sql = format!(
        "INSERT OR IGNORE INTO executed_batches (coin, {COLUMNS})
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)"
    );
    transaction
        .execute(
            &sql,
            (
                coin.name(),
                batch.id,
                batch.block.number.0.cast_signed(),
                batch.block.hash.0,
                batch.external_block,
                batch.instructions_hash,
                encode(&batch.failed),
                batch.supply.cast_signed(),
            ),
        )
        .map(drop)
}

/// A batch of a network, if it was executed, as far as the cursor has come.
///
/// # Errors
/// SQLite's, or a damaged row.
pub fn executed(
    connection: &Connection,
    coin: Coin,
    id: u32,
) -> rusqlite::Result<Option<Executed>> {
    let sql = format!("SELECT {COLUMNS} FROM executed_batches WHERE coin = ?1 AND id = ?2");
    connection.query_row(&sql, (coin.name(), id), read).optional()
}

/// The newest executed batches of a network, newest first.
///
/// # Errors
/// SQLite's, or a damaged row.
pub fn latest_executed(
    connection: &Connection,
    coin: Coin,
    limit: u32,
) -> rusqlite::Result<Vec<Executed>> {
    let sql =
        format!("SELECT {COLUMNS} FROM executed_batches WHERE coin = ?1 ORDER BY id DESC LIMIT ?2");
    let mut statement = connection.prepare_cached(&sql)?;
    let rows = statement.query_map((coin.name(), limit), read)?;
    rows.collect()
}

fn read(row: &Row<'_>) -> rusqlite::Result<Executed> {
    Ok(Executed {
        id: row.get(0)?,
        block: SeraiBlock {
            number: BlockNumber(row.get::<_, i64>(1)?.cast_unsigned()),
            hash: BlockHash(row.get(2)?),
        },
        external_block: row.get(3)?,
        instructions_hash: row.get(4)?,
        failed: blob(row, 5)?,
        supply: row.get::<_, i64>(6)?.cast_unsigned(),
    })
}
