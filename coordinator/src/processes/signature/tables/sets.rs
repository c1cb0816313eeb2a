//! Validator sets as they were read from `{name}-serai`.

use rusqlite::{Connection, OptionalExtension, Transaction};
use serai_bus::DatabaseError;
use serai_messages::observation::SetMember;
use serai_messages::{ValidatorKey, ValidatorSet, decode, encode};

use super::{malformed, malformed_row, set_of};

/// A validator set that this validator read from `{name}-serai`.
#[derive(Clone, Debug)]
pub struct KnownSet {
    /// The set.
    pub set: ValidatorSet,
    /// Block with its `NewSet`.
    pub block: u64,
    /// Its members in storage order.
    pub members: Vec<SetMember>,
}

/// Keeps a set; a repeat changes nothing.
pub fn insert_set(
    transaction: &Transaction<'_>,
    set: ValidatorSet,
    block: u64,
    members: &[SetMember],
) -> rusqlite::Result<()> {
    transaction
        .prepare_cached(
            "INSERT OR IGNORE INTO sets (coin, session, block, members) VALUES (?1, ?2, ?3, ?4)",
        )?
        .execute((
            set.coin.network_id(),
            set.session.0,
            block.cast_signed(),
            encode(&members.to_vec()),
        ))?;
    Ok(())
}

/// All known sets, oldest first.
pub fn sets(connection: &Connection) -> Result<Vec<KnownSet>, DatabaseError> {
    let rows = connection
        .prepare_cached("SELECT coin, session, block, members FROM sets ORDER BY block, coin")
        .and_then(|mut statement| {
            statement
                .query_map([], |row| {
                    Ok((row.get(0)?, row.get(1)?, row.get::<_, i64>(2)?, row.get::<_, Vec<u8>>(3)?))
                })?
                .collect::<rusqlite::Result<Vec<_>>>()
        })
        .map_err(malformed_row("sets"))?;
    rows.into_iter()
        .map(|(coin, session, block, members)| {
            Ok(KnownSet {
                set: set_of(coin, session)?,
                block: block.cast_unsigned(),
                members: decode(&members).map_err(malformed("set members"))?,
            })
        })
        .collect()
}

/// Whether `validator` is in a set that was read; `None` where the set was not read.
pub fn is_member(
    connection: &Connection,
    set: ValidatorSet,
    validator: &ValidatorKey,
) -> Result<Option<bool>, DatabaseError> {
    let members: Option<Vec<u8>> = connection
        .prepare_cached("SELECT members FROM sets WHERE coin = ?1 AND session = ?2")
        .and_then(|mut statement| {
            statement.query_row((set.coin.network_id(), set.session.0), |row| row.get(0)).optional()
        })
        .map_err(malformed_row("sets"))?;
    let Some(members) = members else { return Ok(None) };
    let members: Vec<SetMember> = decode(&members).map_err(malformed("set members"))?;
    Ok(Some(members.iter().any(|member| member.validator == *validator)))
}

/// A set that was read; `None` where it was not.
pub fn set(
    connection: &Connection,
    set: ValidatorSet,
) -> Result<Option<Vec<ValidatorKey>>, DatabaseError> {
    let members: Option<Vec<u8>> = connection
        .prepare_cached("SELECT members FROM sets WHERE coin = ?1 AND session = ?2")
        .and_then(|mut statement| {
            statement.query_row((set.coin.network_id(), set.session.0), |row| row.get(0)).optional()
        })
        .map_err(malformed_row("sets"))?;
    let Some(members) = members else { return Ok(None) };
    let members: Vec<SetMember> = decode(&members).map_err(malformed("set members"))?;
    Ok(Some(members.into_iter().map(|member| member.validator).collect()))
}

/// `ParticipantRemoved`: this validator holds no share of the set's vault.
pub fn insert_removed(
    transaction: &Transaction<'_>,
    set: ValidatorSet,
    removed: &ValidatorKey,
) -> rusqlite::Result<()> {
    transaction
        .prepare_cached(
            "INSERT OR IGNORE INTO removed (coin, session, validator) VALUES (?1, ?2, ?3)",
        )?
        .execute((set.coin.network_id(), set.session.0, removed.0))?;
    Ok(())
}

/// Those who hold no share of a set's vault.
pub fn removed(connection: &Connection, set: ValidatorSet) -> rusqlite::Result<Vec<ValidatorKey>> {
    connection
        .prepare_cached(
            "SELECT validator FROM removed WHERE coin = ?1 AND session = ?2 ORDER BY validator",
        )?
        .query_map((set.coin.network_id(), set.session.0), |row| row.get(0).map(ValidatorKey))?
        .collect()
}
