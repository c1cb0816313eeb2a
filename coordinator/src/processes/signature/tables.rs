//! Tables of the signature process: sets, sessions with their input logs, vaults.

use rusqlite::{Connection, OptionalExtension, Transaction};
use serai_bus::{DatabaseError, Migration};
use serai_messages::observation::SetMember;
use serai_messages::{
    Coin, KeyPair, Session, SignedStatement, ValidatorKey, ValidatorSet, decode, encode,
};
use serai_protocol::keygen::Input;

/// The tables.
pub const MIGRATION: Migration = Migration {
    component: "signature",
    steps: &["CREATE TABLE sets (
            coin INTEGER NOT NULL, session INTEGER NOT NULL, block INTEGER NOT NULL,
            members BLOB NOT NULL, PRIMARY KEY (coin, session)) STRICT;
        CREATE TABLE sessions (
            id TEXT PRIMARY KEY, coin INTEGER NOT NULL, session INTEGER NOT NULL,
            parameters BLOB NOT NULL, summary TEXT NOT NULL, done INTEGER NOT NULL,
            started_ms INTEGER NOT NULL, ended_ms INTEGER) STRICT;
        CREATE TABLE inputs (
            id TEXT NOT NULL, number INTEGER NOT NULL, input BLOB NOT NULL,
            PRIMARY KEY (id, number)) STRICT, WITHOUT ROWID;
        CREATE TABLE early_statements (
            row INTEGER PRIMARY KEY AUTOINCREMENT, coin INTEGER NOT NULL,
            session INTEGER NOT NULL, signer BLOB NOT NULL, statement BLOB NOT NULL) STRICT;
        CREATE TABLE vaults (
            coin INTEGER NOT NULL, session INTEGER NOT NULL, key_pair BLOB NOT NULL,
            state TEXT NOT NULL, block INTEGER NOT NULL,
            PRIMARY KEY (coin, session)) STRICT;"],
};

/// Statements of one signer that are kept for a session that waits for the own processor's key.
pub const MAX_EARLY_STATEMENTS: u32 = 64;

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
    transaction.execute(
        "INSERT OR IGNORE INTO sets (coin, session, block, members) VALUES (?1, ?2, ?3, ?4)",
        (set.coin.network_id(), set.session.0, block.cast_signed(), encode(&members.to_vec())),
    )?;
    Ok(())
}

/// All known sets, oldest first.
pub fn sets(connection: &Connection) -> Result<Vec<KnownSet>, DatabaseError> {
    let rows = connection
        .prepare("SELECT coin, session, block, members FROM sets ORDER BY block, coin")
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

/// A session as stored.
#[derive(Clone, Debug)]
pub struct StoredSession {
    /// Its id, as displayed.
    pub id: String,
    /// Its set.
    pub set: ValidatorSet,
    /// Encoded parameters.
    pub parameters: Vec<u8>,
    /// Summary as JSON, as of the last input.
    pub summary: String,
    /// Whether it has ended.
    pub done: bool,
    /// Milliseconds since the Unix epoch by this machine's clock; for people.
    pub started_ms: i64,
    /// Likewise.
    pub ended_ms: Option<i64>,
}

/// Creates a session.
pub fn insert_session(
    transaction: &Transaction<'_>,
    session: &StoredSession,
) -> rusqlite::Result<()> {
    transaction.execute(
        "INSERT INTO sessions (id, coin, session, parameters, summary, done, started_ms, ended_ms)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)",
        (
            &session.id,
            session.set.coin.network_id(),
            session.set.session.0,
            &session.parameters,
            &session.summary,
            session.done,
            session.started_ms,
            session.ended_ms,
        ),
    )?;
    Ok(())
}

/// Updates a session's summary after an input.
pub fn update_session(
    transaction: &Transaction<'_>,
    id: &str,
    summary: &str,
    done: bool,
    now_ms: i64,
) -> rusqlite::Result<()> {
    transaction.execute(
        "UPDATE sessions SET summary = ?2, done = ?3,
             ended_ms = CASE WHEN ?3 THEN coalesce(ended_ms, ?4) END
         WHERE id = ?1",
        (id, summary, done, now_ms),
    )?;
    Ok(())
}

/// All sessions, oldest first.
pub fn sessions(connection: &Connection) -> Result<Vec<StoredSession>, DatabaseError> {
    let rows = connection
        .prepare(
            "SELECT id, coin, session, parameters, summary, done, started_ms, ended_ms
             FROM sessions ORDER BY started_ms, id",
        )
        .and_then(|mut statement| {
            statement
                .query_map([], |row| {
                    let set: (u8, u32) = (row.get(1)?, row.get(2)?);
                    Ok((
                        set,
                        StoredSession {
                            id: row.get(0)?,
                            set: ValidatorSet { coin: Coin::Btc, session: Session(set.1) },
                            parameters: row.get(3)?,
                            summary: row.get(4)?,
                            done: row.get(5)?,
                            started_ms: row.get(6)?,
                            ended_ms: row.get(7)?,
                        },
                    ))
                })?
                .collect::<rusqlite::Result<Vec<_>>>()
        })
        .map_err(malformed_row("sessions"))?;
    rows.into_iter()
        .map(|((coin, session), stored)| {
            Ok(StoredSession { set: set_of(coin, session)?, ..stored })
        })
        .collect()
}

/// Appends an input to a session's log.
pub fn append_input(
    transaction: &Transaction<'_>,
    id: &str,
    number: u64,
    input: &Input,
) -> rusqlite::Result<()> {
    transaction
        .prepare_cached("INSERT INTO inputs (id, number, input) VALUES (?1, ?2, ?3)")?
        .execute((id, number.cast_signed(), encode(input)))?;
    Ok(())
}

/// A session's inputs in order.
pub fn inputs(connection: &Connection, id: &str) -> Result<Vec<Input>, DatabaseError> {
    let rows = connection
        .prepare("SELECT input FROM inputs WHERE id = ?1 ORDER BY number")
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
    transaction.execute("DELETE FROM inputs WHERE id = ?1", [id])?;
    Ok(())
}

/// Keeps a statement for a session that will begin here, up to [`MAX_EARLY_STATEMENTS`] of each
/// signer; a further one is dropped.
pub fn keep_early(
    transaction: &Transaction<'_>,
    set: ValidatorSet,
    statement: &SignedStatement,
) -> rusqlite::Result<()> {
    transaction.execute(
        "INSERT INTO early_statements (coin, session, signer, statement)
         SELECT ?1, ?2, ?3, ?4 WHERE
             (SELECT count(*) FROM early_statements
              WHERE coin = ?1 AND session = ?2 AND signer = ?3) < ?5",
        (
            set.coin.network_id(),
            set.session.0,
            statement.signer.0,
            encode(statement),
            MAX_EARLY_STATEMENTS,
        ),
    )?;
    Ok(())
}

/// Takes the statements kept for a set, in the order in which they came.
pub fn take_early(
    transaction: &Transaction<'_>,
    set: ValidatorSet,
) -> Result<Vec<SignedStatement>, DatabaseError> {
    let key = (set.coin.network_id(), set.session.0);
    let rows = transaction
        .prepare(
            "SELECT statement FROM early_statements WHERE coin = ?1 AND session = ?2 ORDER BY row",
        )
        .and_then(|mut statement| {
            statement
                .query_map(key, |row| row.get::<_, Vec<u8>>(0))?
                .collect::<rusqlite::Result<Vec<_>>>()
        })
        .and_then(|rows| {
            transaction
                .execute("DELETE FROM early_statements WHERE coin = ?1 AND session = ?2", key)?;
            Ok(rows)
        })
        .map_err(malformed_row("early statements"))?;
    rows.iter().map(|bytes| decode(bytes).map_err(malformed("early statement"))).collect()
}

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
    transaction.execute(
        "INSERT OR IGNORE INTO vaults (coin, session, key_pair, state, block)
         VALUES (?1, ?2, ?3, ?4, ?5)",
        (set.coin.network_id(), set.session.0, encode(key_pair), state.word(), block.cast_signed()),
    )?;
    Ok(())
}

/// `AcceptedHandover`: this vault is in use, the one before is replaced.
pub fn hand_over(transaction: &Transaction<'_>, set: ValidatorSet) -> rusqlite::Result<()> {
    transaction.execute(
        "UPDATE vaults SET state = ?3 WHERE coin = ?1 AND session < ?2 AND state = ?4",
        (
            set.coin.network_id(),
            set.session.0,
            VaultState::Replaced.word(),
            VaultState::InUse.word(),
        ),
    )?;
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
    transaction.execute(
        "UPDATE vaults SET state = ?3 WHERE coin = ?1 AND session = ?2",
        (set.coin.network_id(), set.session.0, state.word()),
    )?;
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
        .prepare("SELECT coin, session, key_pair, state, block FROM vaults ORDER BY coin, session")
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

/// Sets of a coin whose key generation has not begun here, oldest first.
pub fn sets_without_session(
    connection: &Connection,
    coin: Coin,
) -> Result<Vec<KnownSet>, DatabaseError> {
    let mut known = sets(connection)?;
    let sessions = sessions(connection)?;
    known.retain(|known| {
        known.set.coin == coin && !sessions.iter().any(|session| session.set == known.set)
    });
    Ok(known)
}

/// Whether `validator` is in a set that was read; `None` where the set was not read.
pub fn is_member(
    connection: &Connection,
    set: ValidatorSet,
    validator: &ValidatorKey,
) -> Result<Option<bool>, DatabaseError> {
    let members: Option<Vec<u8>> = connection
        .query_row(
            "SELECT members FROM sets WHERE coin = ?1 AND session = ?2",
            (set.coin.network_id(), set.session.0),
            |row| row.get(0),
        )
        .optional()
        .map_err(malformed_row("sets"))?;
    let Some(members) = members else { return Ok(None) };
    let members: Vec<SetMember> = decode(&members).map_err(malformed("set members"))?;
    Ok(Some(members.iter().any(|member| member.validator == *validator)))
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
        .query_row(
            "SELECT state FROM vaults WHERE coin = ?1 AND session = ?2",
            (set.coin.network_id(), set.session.0),
            |row| row.get(0),
        )
        .optional()
}

fn set_of(coin: u8, session: u32) -> Result<ValidatorSet, DatabaseError> {
    let coin = Coin::from_network_id(coin).ok_or_else(|| DatabaseError::Malformed {
        what: "network id",
        reason: format!("{coin} is no external network"),
    })?;
    Ok(ValidatorSet { coin, session: Session(session) })
}

fn malformed<E: std::fmt::Display>(what: &'static str) -> impl Fn(E) -> DatabaseError {
    move |error| DatabaseError::Malformed { what, reason: error.to_string() }
}

fn malformed_row(what: &'static str) -> impl Fn(rusqlite::Error) -> DatabaseError {
    malformed(what)
}
