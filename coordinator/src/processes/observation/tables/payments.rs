//! Payments out: what Serai asked for, and what became of it, as `{name}-serai` tells.

use rusqlite::{Connection, Transaction};
use serai_messages::observation::Event;
use serai_messages::signing::{PaymentId, Thing};
use serai_messages::{BlockNumber, Coin};
use serde::Serialize;

use super::super::instructions::network_of;

/// One payment.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Payment {
    /// The payment: `BLOCK-EVENT` of the burn that asks for it.
    pub id: String,
    /// The network.
    pub coin: Coin,
    /// `requested`, `published`, `completed` or `unpayable`.
    pub state: String,
    /// Serai block of the burn.
    pub serai_block: u64,
    /// Which coin of the network (`ExternalCoin`).
    pub external_coin: Option<u8>,
    /// Amount in the coin's base units on Serai, in decimal.
    pub amount: Option<String>,
    /// Hash of its transaction, hex.
    pub transaction: Option<String>,
    /// Height of the external block that holds it.
    pub height: Option<u64>,
    /// Why it is not paid.
    pub reason: Option<String>,
}

/// Notes what an event says of a payment; others are passed over. A payment that is completed stays
/// so: a transaction may be published again.
pub(crate) fn note_payment(transaction: &Transaction<'_>, event: &Event) -> rusqlite::Result<()> {
    match event {
        Event::Burn { block, index, external_coin, amount, .. } => {
            let Some(coin) = network_of(*external_coin) else { return Ok(()) };
            let id = PaymentId { block: block.number, index: *index };
            put(transaction, coin, id, "requested")?;
            transaction
                .prepare_cached(
                    "UPDATE payments SET external_coin = ?3, amount = ?4
                 WHERE block = ?1 AND event = ?2",
                )?
                .execute((
                    id.block.0.cast_signed(),
                    id.index,
                    external_coin,
                    amount.cast_signed(),
                ))?;
        }
        Event::Published { id, transaction: hash } => {
            let Thing::Payment(payment) = id.thing else { return Ok(()) };
            put(transaction, id.set.coin, payment, "published")?;
            transaction
                .prepare_cached(
                    "UPDATE payments SET state = 'published', tx = ?3
                 WHERE block = ?1 AND event = ?2 AND state != 'completed'",
                )?
                .execute((payment.block.0.cast_signed(), payment.index, hash))?;
        }
        Event::Completed { id, transaction: hash, height } => {
            let Thing::Payment(payment) = id.thing else { return Ok(()) };
            put(transaction, id.set.coin, payment, "completed")?;
            transaction
                .prepare_cached(
                    "UPDATE payments SET state = 'completed', tx = ?3, height = ?4
                 WHERE block = ?1 AND event = ?2",
                )?
                .execute((
                    payment.block.0.cast_signed(),
                    payment.index,
                    hash,
                    height.cast_signed(),
                ))?;
        }
        Event::Unpayable { coin, payment, reason, .. } => {
            put(transaction, *coin, *payment, "unpayable")?;
            transaction
                .prepare_cached(
                    "UPDATE payments SET state = 'unpayable', reason = ?3
                 WHERE block = ?1 AND event = ?2",
                )?
                .execute((payment.block.0.cast_signed(), payment.index, reason))?;
        }
        _ => {}
    }
    Ok(())
}

fn put(
    transaction: &Transaction<'_>,
    coin: Coin,
    id: PaymentId,
    state: &str,
) -> rusqlite::Result<()> {
    transaction
        .prepare_cached(
            "INSERT OR IGNORE INTO payments (coin, block, event, state) VALUES (?1, ?2, ?3, ?4)",
        )?
        .execute((coin.name(), id.block.0.cast_signed(), id.index, state))
        .map(drop)
}

/// The newest payments, newest first.
///
/// # Errors
/// SQLite's, or a damaged row.
pub fn payments(connection: &Connection, limit: u32) -> rusqlite::Result<Vec<Payment>> {
    let mut statement = connection.prepare_cached(
        "SELECT coin, block, event, state, external_coin, amount, tx, height, reason
         FROM payments ORDER BY block DESC, event DESC LIMIT ?1",
    )?;
    let rows = statement.query_map([limit], |row| {
        let coin: String = row.get(0)?;
        let coin = coin.parse().map_err(|error| {
            rusqlite::Error::FromSqlConversionFailure(
                0,
                rusqlite::types::Type::Text,
                Box::new(error),
            )
        })?;
        let block = BlockNumber(row.get::<_, i64>(1)?.cast_unsigned());
        Ok(Payment {
            id: PaymentId { block, index: row.get(2)? }.to_string(),
            coin,
            state: row.get(3)?,
            serai_block: block.0,
            external_coin: row.get(4)?,
            amount: row.get::<_, Option<i64>>(5)?.map(|amount| amount.cast_unsigned().to_string()),
            transaction: row.get::<_, Option<[u8; 32]>>(6)?.map(hex::encode),
            height: row.get::<_, Option<i64>>(7)?.map(i64::cast_unsigned),
            reason: row.get(8)?,
        })
    })?;
    rows.collect()
}
