//! Key generations, and what peers said of them before they began here.

use rusqlite::{Connection, Transaction};
use serai_bus::DatabaseError;
use serai_messages::{Coin, Session, SignedStatement, ValidatorSet, decode, encode};

use super::{KnownSet, malformed_row, set_of, sets};

/// Statements of one signer that are kept for a session that waits for the own processor's key.
const MAX_EARLY_STATEMENTS: u32 = 64;

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
    transaction.prepare_cached(
        "INSERT INTO sessions (id, coin, session, parameters, summary, done, started_ms, ended_ms)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)")?.execute((
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
    transaction
        .prepare_cached(
            "UPDATE sessions SET summary = ?2, done = ?3,
             ended_ms = CASE WHEN ?3 THEN coalesce(ended_ms, ?4) END
         WHERE id = ?1",
        )?
        .execute((id, summary, done, now_ms))?;
    Ok(())
}

/// All sessions, oldest first.
pub fn sessions(connection: &Connection) -> Result<Vec<StoredSession>, DatabaseError> {
    let rows = connection
        .prepare_cached(
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
/// Keeps a statement for a session that will begin here, up to 64 of each
/// signer; a further one is dropped.
pub fn keep_early(
    transaction: &Transaction<'_>,
    set: ValidatorSet,
    statement: &SignedStatement,
) -> rusqlite::Result<()> {
    transaction
        .prepare_cached(
            "INSERT INTO early_statements (coin, session, signer, statement)
         SELECT ?1, ?2, ?3, ?4 WHERE
             (SELECT count(*) FROM early_statements
              WHERE coin = ?1 AND session = ?2 AND signer = ?3) < ?5",
        )?
        .execute((
            set.coin.network_id(),
            set.session.0,
            statement.signer.0,
            encode(statement),
            MAX_EARLY_STATEMENTS,
        ))?;
    Ok(())
}

/// Takes the statements kept for a set, in the order in which they came.
pub fn take_early(
    transaction: &Transaction<'_>,
    set: ValidatorSet,
) -> Result<Vec<SignedStatement>, DatabaseError> {
    let key = (set.coin.network_id(), set.session.0);
    let rows = transaction
        .prepare_cached(
            "SELECT statement FROM early_statements WHERE coin = ?1 AND session = ?2 ORDER BY row",
        )
        .and_then(|mut statement| {
            statement
                .query_map(key, |row| row.get::<_, Vec<u8>>(0))?
                .collect::<rusqlite::Result<Vec<_>>>()
        })
        .and_then(|rows| {
            transaction
                .prepare_cached("DELETE FROM early_statements WHERE coin = ?1 AND session = ?2")?
                .execute(key)?;
            Ok(rows)
        })
        .map_err(malformed_row("early statements"))?;
    // What a newer program has kept may not decode: peers' words, which they say again.
    Ok(rows.iter().filter_map(|bytes| decode(bytes).ok()).collect())
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
