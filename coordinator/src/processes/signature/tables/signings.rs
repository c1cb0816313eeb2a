//! Signings: those under way with what they are made from, those that have ended with their
//! signatures.

use std::fmt::Display;
use std::str::FromStr;

use rusqlite::types::Type;
use rusqlite::{Connection, OptionalExtension, Row, Transaction};
use serai_bus::DatabaseError;
use serai_messages::signing::SigningId;
use serai_messages::{SignatureBytes, decode, encode};

use super::{malformed, malformed_row};

/// Where a signing stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SigningState {
    /// Its machine runs.
    Running,
    /// Kept: payments of the coin are not signed now.
    Held,
    /// The signatures are there.
    Done,
}

impl SigningState {
    /// The word stored and shown.
    pub const fn word(self) -> &'static str {
        match self {
            SigningState::Running => "running",
            SigningState::Held => "held",
            SigningState::Done => "done",
        }
    }
}

impl FromStr for SigningState {
    type Err = String;

    fn from_str(word: &str) -> Result<Self, String> {
        [SigningState::Running, SigningState::Held, SigningState::Done]
            .into_iter()
            .find(|state| state.word() == word)
            .ok_or_else(|| format!("{word:?} is no state"))
    }
}

/// A signing as stored.
#[derive(Clone, Debug)]
pub struct StoredSigning {
    /// The thing.
    pub id: SigningId,
    /// Where it stands.
    pub state: SigningState,
    /// Encoded parameters; empty once it has ended.
    pub parameters: Vec<u8>,
    /// Digest of the content.
    pub digest: [u8; 32],
    /// Summary as JSON, as of the last input.
    pub summary: String,
    /// Milliseconds since the Unix epoch by this machine's clock; for people.
    pub started_ms: i64,
    /// Likewise.
    pub ended_ms: Option<i64>,
}

/// What is kept of a signing that has ended to answer those who ask.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ended {
    /// Digest of the content.
    pub digest: [u8; 32],
    /// One for each message.
    pub signatures: Vec<SignatureBytes>,
}

/// How many signings there are.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Under way.
    pub running: u64,
    /// Kept.
    pub held: u64,
    /// Ended.
    pub done: u64,
}

const COLUMNS: &str = "id, state, parameters, digest, summary, started_ms, ended_ms";

/// Creates a signing.
pub fn insert_signing(
    transaction: &Transaction<'_>,
    signing: &StoredSigning,
) -> rusqlite::Result<()> {
    transaction
        .prepare_cached(
            "INSERT INTO signings (id, coin, session, state, parameters, digest, summary, faults,
                 started_ms)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, 0, ?8)",
        )?
        .execute((
            signing.id.to_string(),
            signing.id.set.coin.network_id(),
            signing.id.set.session.0,
            signing.state.word(),
            &signing.parameters,
            signing.digest,
            &signing.summary,
            signing.started_ms,
        ))?;
    Ok(())
}

/// A held signing runs.
pub fn set_running(transaction: &Transaction<'_>, id: &str) -> rusqlite::Result<()> {
    transaction
        .prepare_cached("UPDATE signings SET state = ?2 WHERE id = ?1")?
        .execute((id, SigningState::Running.word()))?;
    Ok(())
}

/// Updates a signing's summary after an input.
pub fn update_signing(
    transaction: &Transaction<'_>,
    id: &str,
    summary: &str,
    faults: usize,
) -> rusqlite::Result<()> {
    transaction
        .prepare_cached("UPDATE signings SET summary = ?2, faults = ?3 WHERE id = ?1")?
        .execute((id, summary, i64::try_from(faults).unwrap_or(i64::MAX)))?;
    Ok(())
}

/// Ends a signing: its signatures are kept, what it was made from is not.
pub fn end_signing(
    transaction: &Transaction<'_>,
    id: &str,
    signatures: &[SignatureBytes],
    now_ms: i64,
) -> rusqlite::Result<()> {
    transaction
        .prepare_cached(
            "UPDATE signings SET state = ?2, signatures = ?3, parameters = x'', ended_ms = ?4
             WHERE id = ?1",
        )?
        .execute((id, SigningState::Done.word(), encode(&signatures.to_vec()), now_ms))?;
    Ok(())
}

/// Ends a signing whose outcome is on its chain though the signatures are not known here.
pub fn overtake_signing(
    transaction: &Transaction<'_>,
    id: &str,
    now_ms: i64,
) -> rusqlite::Result<()> {
    transaction
        .prepare_cached(
            "UPDATE signings SET state = ?2, parameters = x'', ended_ms = ?3 WHERE id = ?1",
        )?
        .execute((id, SigningState::Done.word(), now_ms))?;
    Ok(())
}

/// Where a signing stands; `None` where there is none.
pub fn signing_state(
    connection: &Connection,
    id: SigningId,
) -> Result<Option<SigningState>, DatabaseError> {
    let word: Option<String> = connection
        .prepare_cached("SELECT state FROM signings WHERE id = ?1")
        .and_then(|mut statement| {
            statement.query_row([id.to_string()], |row| row.get(0)).optional()
        })
        .map_err(malformed_row("signings"))?;
    word.map(|word| word.parse().map_err(malformed("state of a signing"))).transpose()
}

/// A signing that has ended; `None` where there is none or it has not.
pub fn ended_signing(
    connection: &Connection,
    id: SigningId,
) -> Result<Option<Ended>, DatabaseError> {
    let row: Option<([u8; 32], Vec<u8>)> = connection
        .prepare_cached(
            "SELECT digest, signatures FROM signings WHERE id = ?1 AND signatures IS NOT NULL",
        )
        .and_then(|mut statement| {
            statement.query_row([id.to_string()], |row| Ok((row.get(0)?, row.get(1)?))).optional()
        })
        .map_err(malformed_row("signings"))?;
    let Some((digest, signatures)) = row else { return Ok(None) };
    let signatures = decode(&signatures).map_err(malformed("signatures"))?;
    Ok(Some(Ended { digest, signatures }))
}

/// One signing.
pub fn signing(
    connection: &Connection,
    id: SigningId,
) -> Result<Option<StoredSigning>, DatabaseError> {
    let found = select(connection, "WHERE id = ?1", [id.to_string()])?;
    Ok(found.into_iter().next())
}

/// All signings that run or are held, oldest first.
pub fn open_signings(connection: &Connection) -> Result<Vec<StoredSigning>, DatabaseError> {
    select(connection, "WHERE state IN ('running', 'held') ORDER BY row", [])
}

/// The newest signings that have ended, oldest first.
pub fn ended_signings(
    connection: &Connection,
    limit: u32,
) -> Result<Vec<StoredSigning>, DatabaseError> {
    let newest = "WHERE state = 'done' ORDER BY row DESC LIMIT ?1";
    let mut ended = select(connection, newest, [limit])?;
    ended.reverse();
    Ok(ended)
}

/// The newest signings that have ended and in which somebody was at fault, oldest first.
pub fn faulty_signings(
    connection: &Connection,
    limit: u32,
) -> Result<Vec<StoredSigning>, DatabaseError> {
    let newest = "WHERE faults > 0 AND state = 'done' ORDER BY row DESC LIMIT ?1";
    let mut faulty = select(connection, newest, [limit])?;
    faulty.reverse();
    Ok(faulty)
}

/// How many signings there are.
pub fn counts(connection: &Connection) -> rusqlite::Result<Counts> {
    let mut statement =
        connection.prepare_cached("SELECT state, count(*) FROM signings GROUP BY state")?;
    let rows = statement.query_map([], |row| Ok((row.get(0)?, row.get::<_, i64>(1)?)))?;
    let mut counts = Counts::default();
    for row in rows {
        let (state, count): (String, i64) = row?;
        let count = count.cast_unsigned();
        match state.parse() {
            Ok(SigningState::Running) => counts.running = count,
            Ok(SigningState::Held) => counts.held = count,
            Ok(SigningState::Done) => counts.done = count,
            Err(_) => {}
        }
    }
    Ok(counts)
}

fn select(
    connection: &Connection,
    which: &str,
    parameters: impl rusqlite::Params,
) -> Result<Vec<StoredSigning>, DatabaseError> {
    connection
        .prepare_cached(&format!("SELECT {COLUMNS} FROM signings {which}"))
        .and_then(|mut statement| {
            statement.query_map(parameters, stored)?.collect::<rusqlite::Result<Vec<_>>>()
        })
        .map_err(malformed_row("signings"))
}

fn stored(row: &Row<'_>) -> rusqlite::Result<StoredSigning> {
    Ok(StoredSigning {
        id: parsed(row, 0)?,
        state: parsed(row, 1)?,
        parameters: row.get(2)?,
        digest: row.get(3)?,
        summary: row.get(4)?,
        started_ms: row.get(5)?,
        ended_ms: row.get(6)?,
    })
}

fn parsed<T: FromStr>(row: &Row<'_>, column: usize) -> rusqlite::Result<T>
where
    T::Err: Display,
{
    row.get::<_, String>(column)?.parse().map_err(|error: T::Err| {
        rusqlite::Error::FromSqlConversionFailure(column, Type::Text, error.to_string().into())
    })
}
