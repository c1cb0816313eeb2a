//! Vaults as far as this validator knows them.

use rusqlite::{Connection, OptionalExtension, Transaction};
use serai_bus::DatabaseError;
use serai_messages::{Coin, KeyPair, Session, ValidatorSet, decode, encode};

use super::{malformed, malformed_row, set_of};

/// Where a vault stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum VaultState {
    /// Its keys are on the chain; an older vault is in use.
    Confirmed,
    /// The one in use.
    InUse,
    /// Replaced; may still hold coins.
    Replaced,
    /// Its set is retired.
    Retired,
}

impl VaultState {
    /// The word stored and shown.
    pub const fn word(self) -> &'static str {
        match self {
            VaultState::Confirmed => "confirmed",
            VaultState::InUse => "in use",
            VaultState::Replaced => "replaced",
            VaultState::Retired => "retired",
        }
    }
}

/// Keeps a vault whose keys are on the chain. Session 0 is in use at once; Serai sends no hand-over
/// for it.
pub fn insert_vault(
    transaction: &Transaction<'_>,
    set: ValidatorSet,
    key_pair: &KeyPair,
    block: u64,
) -> rusqlite::Result<()> {
    let state = if set.session == Session(0) { VaultState::InUse } else { VaultState::Confirmed };
    transaction
        .prepare_cached(
            "INSERT OR IGNORE INTO vaults (coin, session, key_pair, state, block)
         VALUES (?1, ?2, ?3, ?4, ?5)",
        )?
        .execute((
            set.coin.network_id(),
            set.session.0,
            encode(key_pair),
            state.word(),
            block.cast_signed(),
        ))?;
    Ok(())
}

/// `AcceptedHandover`: this vault is in use, the one before is replaced.
pub fn hand_over(transaction: &Transaction<'_>, set: ValidatorSet) -> rusqlite::Result<()> {
    transaction
        .prepare_cached(
            "UPDATE vaults SET state = ?3 WHERE coin = ?1 AND session < ?2 AND state = ?4",
        )?
        .execute((
            set.coin.network_id(),
            set.session.0,
            VaultState::Replaced.word(),
            VaultState::InUse.word(),
        ))?;
    set_state(transaction, set, VaultState::InUse)
}

/// `SetRetired`.
pub fn retire(transaction: &Transaction<'_>, set: ValidatorSet) -> rusqlite::Result<()> {
    set_state(transaction, set, VaultState::Retired)
}

fn set_state(
    transaction: &Transaction<'_>,
    set: ValidatorSet,
    state: VaultState,
) -> rusqlite::Result<()> {
    transaction
        // What is told again does not call a set back.
        .prepare_cached(
            "UPDATE vaults SET state = ?3 WHERE coin = ?1 AND session = ?2 AND state != ?4",
        )?
        .execute((
            set.coin.network_id(),
            set.session.0,
            state.word(),
            VaultState::Retired.word(),
        ))?;
    Ok(())
}

/// A vault as stored.
#[derive(Clone, Debug)]
pub struct StoredVault {
    /// Its set.
    pub set: ValidatorSet,
    /// Its keys.
    pub key_pair: KeyPair,
    /// Word of its [`VaultState`].
    pub state: String,
    /// Block with its `KeyGen`.
    pub block: u64,
}

/// All vaults, by coin and session.
pub fn vaults(connection: &Connection) -> Result<Vec<StoredVault>, DatabaseError> {
    let rows = connection
        .prepare_cached(
            "SELECT coin, session, key_pair, state, block FROM vaults ORDER BY coin, session",
        )
        .and_then(|mut statement| {
            statement
                .query_map([], |row| {
                    Ok((
                        row.get(0)?,
                        row.get(1)?,
                        row.get::<_, Vec<u8>>(2)?,
                        row.get(3)?,
                        row.get::<_, i64>(4)?,
                    ))
                })?
                .collect::<rusqlite::Result<Vec<_>>>()
        })
        .map_err(malformed_row("vaults"))?;
    rows.into_iter()
        .map(|(coin, session, key_pair, state, block)| {
            Ok(StoredVault {
                set: set_of(coin, session)?,
                key_pair: decode(&key_pair).map_err(malformed("key pair"))?,
                state,
                block: block.cast_unsigned(),
            })
        })
        .collect()
}
/// Keys of a vault that is on the chain.
pub fn vault_keys(
    connection: &Connection,
    set: ValidatorSet,
) -> Result<Option<KeyPair>, DatabaseError> {
    Ok(vaults(connection)?.into_iter().find(|vault| vault.set == set).map(|vault| vault.key_pair))
}

/// Word of a vault's state; `None` where there is no such vault.
pub fn vault_state(connection: &Connection, set: ValidatorSet) -> rusqlite::Result<Option<String>> {
    connection
        .prepare_cached("SELECT state FROM vaults WHERE coin = ?1 AND session = ?2")?
        .query_row((set.coin.network_id(), set.session.0), |row| row.get(0))
        .optional()
}
/// Keeps why a coin's processor cannot go on; `None` when it goes on. Whether that is a change.
pub fn set_halt(
    transaction: &Transaction<'_>,
    coin: Coin,
    reason: Option<&str>,
) -> rusqlite::Result<bool> {
    let changed = match reason {
        Some(reason) => transaction
            .prepare_cached(
                "INSERT INTO halts (coin, reason) VALUES (?1, ?2)
             ON CONFLICT (coin) DO UPDATE SET reason = excluded.reason",
            )?
            .execute((coin.network_id(), reason))?,
        None => transaction
            .prepare_cached("DELETE FROM halts WHERE coin = ?1")?
            .execute([coin.network_id()])?,
    };
    Ok(changed > 0)
}

/// Why a coin's processor cannot go on, if so.
pub fn halt(connection: &Connection, coin: Coin) -> rusqlite::Result<Option<String>> {
    connection
        .prepare_cached("SELECT reason FROM halts WHERE coin = ?1")?
        .query_row([coin.network_id()], |row| row.get(0))
        .optional()
}
