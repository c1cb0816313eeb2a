//! The bookkeeping of exactly-once effects, as tables in the owner's [`Database`](crate::Database): where reading
//! stands, what was accepted from whom, and what is still to be appended.
//!
//! # Promises
//! All functions act within the caller's transaction, so an input's position, its state change and
//! its effects are committed together or not at all.

use rusqlite::{Connection, OptionalExtension, Transaction};
use serai_messages::planted::{Bug, is_planted};
use serai_messages::{Endpoint, Incarnation, IntentId, Record, Sequence};

use crate::{Migration, OffsetReset, Position, Start};

/// The tables of this module.
pub const MIGRATION: Migration = Migration {
    component: "exchange",
    steps: &["CREATE TABLE positions (
            reader TEXT NOT NULL, topic TEXT NOT NULL, handled INTEGER NOT NULL, id TEXT,
            PRIMARY KEY (reader, topic)) STRICT;
        CREATE TABLE accepted (
            reader TEXT NOT NULL, topic TEXT NOT NULL, sender TEXT NOT NULL,
            incarnation INTEGER NOT NULL, sequence INTEGER NOT NULL,
            PRIMARY KEY (reader, topic, sender)) STRICT;
        CREATE TABLE sequences (
            topic TEXT NOT NULL, receiver TEXT NOT NULL,
            incarnation INTEGER NOT NULL, sequence INTEGER NOT NULL,
            PRIMARY KEY (topic, receiver)) STRICT;
        CREATE TABLE outbox (
            row INTEGER PRIMARY KEY AUTOINCREMENT, topic TEXT NOT NULL,
            id TEXT NOT NULL, kind TEXT NOT NULL, sender TEXT NOT NULL, receiver TEXT NOT NULL,
            session TEXT NOT NULL, incarnation INTEGER NOT NULL, sequence INTEGER NOT NULL,
            version INTEGER NOT NULL, sealed INTEGER NOT NULL, body BLOB NOT NULL) STRICT;
        CREATE INDEX outbox_by_topic ON outbox (topic, row);"],
};

/// One consumer of one topic: several consumers of a program may read the same topic, each at its
/// own pace.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Consumer<'a> {
    /// The consumer's name within the program, for example `signature`.
    pub reader: &'a str,
    /// The topic's full name.
    pub topic: &'a str,
}

/// Where the consumer stands; `None` when it never handled a record or was told to begin again.
///
/// # Errors
/// SQLite's.
pub fn position(
    connection: &Connection,
    consumer: Consumer<'_>,
) -> rusqlite::Result<Option<Position>> {
    connection
        .prepare_cached(
            "SELECT handled, id FROM positions
             WHERE reader = ?1 AND topic = ?2 AND handled >= 0",
        )?
        .query_row((consumer.reader, consumer.topic), |row| {
            let id: Option<String> = row.get(1)?;
            Ok(Position {
                offset: row.get::<_, i64>(0)?.cast_unsigned(),
                id: id.and_then(|id| IntentId::new(id).ok()),
            })
        })
        .optional()
}

/// Notes that the record at `position` is handled.
///
/// # Errors
/// SQLite's.
pub fn set_position(
    transaction: &Transaction<'_>,
    consumer: Consumer<'_>,
    position: &Position,
) -> rusqlite::Result<()> {
    transaction
        .prepare_cached(
            "INSERT INTO positions (reader, topic, handled, id) VALUES (?1, ?2, ?3, ?4)
         ON CONFLICT (reader, topic) DO UPDATE SET handled = excluded.handled, id = excluded.id",
        )?
        .execute((
            consumer.reader,
            consumer.topic,
            position.offset.cast_signed(),
            position.id.as_ref().map(IntentId::as_str),
        ))?;
    Ok(())
}

/// Where the consumer begins to read: after its position; without one, by `reset`; and at the oldest
/// record after [`forget_position`].
///
/// # Errors
/// SQLite's.
pub fn start(
    connection: &Connection,
    consumer: Consumer<'_>,
    reset: OffsetReset,
) -> rusqlite::Result<Start> {
    if let Some(position) = position(connection, consumer)? {
        return Ok(Start::After(position));
    }
    let forgotten = connection
        .prepare_cached("SELECT 1 FROM positions WHERE reader = ?1 AND topic = ?2")?
        .query_row((consumer.reader, consumer.topic), |_| Ok(()))
        .optional()?;
    Ok(if forgotten.is_some() { Start::Earliest } else { reset.into() })
}

/// The operator's way on after [`BusError::Diverged`](crate::BusError::Diverged): all consumers of
/// `topic` begin at the oldest record that it holds now, whatever `offset_reset` says, for a topic
/// that was recreated holds nothing that they may skip. What they handled before they drop as
/// repeats. Returns how many consumers there are; they read again once reopened.
///
/// # Errors
/// SQLite's.
pub fn forget_position(transaction: &Transaction<'_>, topic: &str) -> rusqlite::Result<usize> {
    transaction
        .prepare_cached("UPDATE positions SET handled = -1, id = NULL WHERE topic = ?1")?
        .execute([topic])
}

/// The way on where the whole bus is lost: every consumer begins at the oldest record that its topic
/// holds then, whatever `offset_reset` says.
///
/// # Errors
/// SQLite's.
pub fn forget_positions(transaction: &Transaction<'_>) -> rusqlite::Result<()> {
    transaction.execute("UPDATE positions SET handled = -1, id = NULL", ())?;
    Ok(())
}

/// Forgets records that wait to be appended, to `topic` or to any, whose type begins with `kind`.
///
/// # Errors
/// SQLite's.
pub fn forget_waiting(
    transaction: &Transaction<'_>,
    topic: Option<&str>,
    kind: &str,
) -> rusqlite::Result<()> {
    transaction.execute(
        "DELETE FROM outbox WHERE (?1 IS NULL OR topic = ?1) AND substr(kind, 1, length(?2)) = ?2",
        (topic, kind),
    )?;
    Ok(())
}

/// What a received record is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Acceptance {
    /// Not seen before: handle it.
    New,
    /// Handled before: acknowledge and drop.
    Repeat,
    /// Of an incarnation older than the newest seen: drop; its sender has been replaced.
    Replaced,
}

/// Decides whether a record is new to the consumer, and remembers it if so.
///
/// # Errors
/// SQLite's.
pub fn accept(
    transaction: &Transaction<'_>,
    consumer: Consumer<'_>,
    from: Endpoint,
    incarnation: Incarnation,
    sequence: Sequence,
) -> rusqlite::Result<Acceptance> {
    let sender = from.to_string();
    let seen: Option<(i64, i64)> = transaction
        .prepare_cached(
            "SELECT incarnation, sequence FROM accepted
             WHERE reader = ?1 AND topic = ?2 AND sender = ?3",
        )?
        .query_row((consumer.reader, consumer.topic, &sender), |row| Ok((row.get(0)?, row.get(1)?)))
        .optional()?;
    if let Some((seen_incarnation, seen_sequence)) = seen {
        let newest = seen_incarnation.cast_unsigned();
        if incarnation.0 < newest {
            return Ok(Acceptance::Replaced);
        }
        if incarnation.0 == newest
            && sequence.0 <= seen_sequence.cast_unsigned()
            && !is_planted(Bug::RepeatsHandled)
        {
            return Ok(Acceptance::Repeat);
        }
    }
    transaction
        .prepare_cached(
            "INSERT INTO accepted (reader, topic, sender, incarnation, sequence)
         VALUES (?1, ?2, ?3, ?4, ?5)
         ON CONFLICT (reader, topic, sender) DO UPDATE SET
             incarnation = excluded.incarnation, sequence = excluded.sequence",
        )?
        .execute((
            consumer.reader,
            consumer.topic,
            &sender,
            incarnation.0.cast_signed(),
            sequence.0.cast_signed(),
        ))?;
    Ok(Acceptance::New)
}

/// Whether anything was ever said on `topic` out of this database.
///
/// # Errors
/// SQLite's.
pub fn has_spoken(connection: &Connection, topic: &str) -> rusqlite::Result<bool> {
    connection
        .prepare_cached("SELECT EXISTS (SELECT 1 FROM sequences WHERE topic = ?1)")?
        .query_row([topic], |row| row.get(0))
}

/// The next sequence towards `to` on `topic` in `incarnation`; from 1 in each incarnation.
///
/// # Errors
/// SQLite's.
pub fn next_sequence(
    transaction: &Transaction<'_>,
    topic: &str,
    to: Endpoint,
    incarnation: Incarnation,
) -> rusqlite::Result<Sequence> {
    let sequence: i64 = transaction
        .prepare_cached(
            "INSERT INTO sequences (topic, receiver, incarnation, sequence) VALUES (?1, ?2, ?3, 1)
         ON CONFLICT (topic, receiver) DO UPDATE SET
             sequence = CASE WHEN incarnation = excluded.incarnation THEN sequence + 1 ELSE 1 END,
             incarnation = excluded.incarnation
         RETURNING sequence",
        )?
        .query_row((topic, to.to_string(), incarnation.0.cast_signed()), |row| row.get(0))?;
    Ok(Sequence(sequence.cast_unsigned()))
}

/// Every consumer of `topic` in this database, with its position; `None` for one that begins anew
/// ([`forget_position`]).
///
/// # Errors
/// SQLite's.
pub fn consumers(
    connection: &Connection,
    topic: &str,
) -> rusqlite::Result<Vec<(String, Option<Position>)>> {
    let mut statement = connection
        .prepare_cached("SELECT reader FROM positions WHERE topic = ?1 ORDER BY reader")?;
    let readers = statement.query_map([topic], |row| row.get::<_, String>(0))?;
    readers
        .map(|reader| {
            let reader = reader?;
            let position = position(connection, Consumer { reader: &reader, topic })?;
            Ok((reader, position))
        })
        .collect()
}

/// How many records wait to be appended to `topic`.
///
/// # Errors
/// SQLite's.
pub fn waiting(connection: &Connection, topic: &str) -> rusqlite::Result<u64> {
    let waiting: i64 = connection
        .prepare_cached("SELECT count(*) FROM outbox WHERE topic = ?1")?
        .query_row([topic], |row| row.get(0))?;
    Ok(waiting.cast_unsigned())
}

/// A record waiting to be appended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Outgoing {
    /// Its row, for [`confirm`].
    pub row: i64,
    /// The record, as it will be each time that it is sent.
    pub record: Record,
}

/// Stores a finished record (sequence assigned, sealed where it should be) for appending.
///
/// # Errors
/// SQLite's.
pub fn enqueue(
    transaction: &Transaction<'_>,
    topic: &str,
    record: &Record,
) -> rusqlite::Result<()> {
    transaction
        .prepare_cached(
            "INSERT INTO outbox (topic, id, kind, sender, receiver, session, incarnation, sequence,
             version, sealed, body)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11)",
        )?
        .execute((
            topic,
            record.id.as_str(),
            &record.kind,
            record.from.to_string(),
            record.to.to_string(),
            &record.session,
            record.incarnation.0.cast_signed(),
            record.sequence.0.cast_signed(),
            record.version,
            record.sealed,
            &record.body,
        ))?;
    Ok(())
}

/// Most bytes of bodies that [`pending`] returns at once, but for a single larger record.
const PENDING_BYTES: usize = 4 * 1024 * 1024;

/// The oldest records waiting for `topic`, in order: at most `limit`, fewer when they are large.
///
/// # Errors
/// SQLite's.
pub fn pending(
    connection: &Connection,
    topic: &str,
    limit: u32,
) -> rusqlite::Result<Vec<Outgoing>> {
    let mut statement = connection.prepare_cached(
        "SELECT row, id, kind, sender, receiver, session, incarnation, sequence, version, sealed,
             body
         FROM outbox WHERE topic = ?1 ORDER BY row LIMIT ?2",
    )?;
    let mut bytes = 0;
    let rows = statement.query_map((topic, limit), |row| {
        Ok(Outgoing {
            row: row.get(0)?,
            record: Record {
                id: parsed(row, 1, IntentId::new)?,
                kind: row.get(2)?,
                from: parsed(row, 3, |text: String| text.parse())?,
                to: parsed(row, 4, |text: String| text.parse())?,
                session: row.get(5)?,
                incarnation: Incarnation(row.get::<_, i64>(6)?.cast_unsigned()),
                sequence: Sequence(row.get::<_, i64>(7)?.cast_unsigned()),
                version: row.get(8)?,
                sealed: row.get(9)?,
                body: row.get(10)?,
            },
        })
    })?;
    rows.take_while(|row| {
        // A row that fails passes, to be returned as the error.
        let fits = bytes < PENDING_BYTES;
        bytes += row.as_ref().map_or(0, |outgoing| outgoing.record.body.len());
        fits
    })
    .collect()
}

/// Forgets the waiting records of `topic` up to `row`: they are on the bus.
///
/// # Errors
/// SQLite's.
pub fn confirm(transaction: &Transaction<'_>, topic: &str, row: i64) -> rusqlite::Result<()> {
    transaction
        .prepare_cached("DELETE FROM outbox WHERE topic = ?1 AND row <= ?2")?
        .execute((topic, row))?;
    Ok(())
}

fn parsed<T, E: std::error::Error + Send + Sync + 'static>(
    row: &rusqlite::Row<'_>,
    column: usize,
    parse: impl FnOnce(String) -> Result<T, E>,
) -> rusqlite::Result<T> {
    parse(row.get(column)?).map_err(|error| {
        rusqlite::Error::FromSqlConversionFailure(
            column,
            rusqlite::types::Type::Text,
            Box::new(error),
        )
    })
}
