//! How the vaults of each coin stand to what Serai owes, and what follows from a shortfall.

use borsh::{BorshDeserialize, BorshSerialize};
use rusqlite::{Connection, OptionalExtension, Transaction};
use serai_messages::{Coin, encode};

use super::super::solvency::{Machine, Numbers};
use super::blob;
use crate::processes::core::config::ShortfallAction;

/// One coin's solvency.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct Stored {
    /// What decides.
    pub machine: Machine,
    /// Whether the verdict is that the vaults hold less than is owed.
    pub short: bool,
    /// The newest canonical height.
    pub last: Numbers,
    /// The newest one at which the vaults held enough.
    pub even: Option<Numbers>,
}

/// A coin's solvency; `None` before its first canonical height.
///
/// # Errors
/// SQLite's, or a damaged row.
pub fn solvency(connection: &Connection, coin: Coin) -> rusqlite::Result<Option<Stored>> {
    connection
        .prepare_cached("SELECT body FROM solvency WHERE coin = ?1")?
        .query_row([coin.name()], |row| blob(row, 0))
        .optional()
}

/// Replaces a coin's solvency.
pub(crate) fn set_solvency(
    transaction: &Transaction<'_>,
    coin: Coin,
    stored: &Stored,
) -> rusqlite::Result<()> {
    transaction
        .prepare_cached("INSERT OR REPLACE INTO solvency (coin, short, body) VALUES (?1, ?2, ?3)")?
        .execute((coin.name(), stored.short, encode(stored)))
        .map(drop)
}

/// Remembers what is configured, for [`is_paused`].
pub(crate) fn set_on_shortfall(
    transaction: &Transaction<'_>,
    action: ShortfallAction,
) -> rusqlite::Result<()> {
    transaction
        .prepare_cached("INSERT OR REPLACE INTO solvency_setting (one, pause) VALUES (1, ?1)")?
        .execute([action == ShortfallAction::Pause])
        .map(drop)
}

/// Whether no further payments of the coin are to be signed: it is short, and `[solvency]
/// on_shortfall` is `pause`.
///
/// # Errors
/// SQLite's.
pub fn is_paused(connection: &Connection, coin: Coin) -> rusqlite::Result<bool> {
    connection
        .prepare_cached(
            "SELECT EXISTS (SELECT 1 FROM solvency, solvency_setting
                        WHERE coin = ?1 AND short = 1 AND pause = 1)",
        )?
        .query_row([coin.name()], |row| row.get(0))
}
