//! Statements on their way to peers.

use rusqlite::{Connection, OptionalExtension, Transaction, types::Type};
use serai_bus::DatabaseError;
use serai_messages::{
    Incarnation, MAX_BODY_BYTES, Sequence, SignedStatement, ValidatorKey, encode,
};

/// Most statements that wait for one peer.
pub const MAX_QUEUED_ROWS: u64 = 100_000;

/// Most bytes of statements that wait for one peer.
pub const MAX_QUEUED_BYTES: u64 = 64 * 1024 * 1024;

/// What became of a statement to be sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Enqueued {
    /// It waits at this sequence.
    Queued(Sequence),
    /// The peer's queue is full: it is dropped and counted.
    Full,
    /// It is over [`serai_messages::MAX_BODY_BYTES`], which no peer reads: it is dropped and
    /// counted.
    TooLarge,
}

/// One peer's queue.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Queue {
    /// Statements waiting.
    pub rows: u64,
    /// Their bytes.
    pub bytes: u64,
    /// Statements dropped because the queue was full or they were too large, in this incarnation.
    pub dropped: u64,
}

/// Queues a statement for a peer. After the commit call [`Mailbox::wake`](crate::processes::network::Mailbox::wake).
///
/// The first call with another incarnation forgets what waits of the former one: a restored
/// instance must not repeat what its former life said.
///
/// # Errors
/// SQLite's.
pub fn enqueue(
    transaction: &Transaction<'_>,
    incarnation: Incarnation,
    to: ValidatorKey,
    statement: &SignedStatement,
) -> rusqlite::Result<Enqueued> {
    let body = encode(statement);
    transaction
        .prepare_cached(
            "DELETE FROM peer_outbox WHERE receiver = ?1 AND NOT EXISTS
             (SELECT 1 FROM peer_queues WHERE receiver = ?1 AND incarnation = ?2)",
        )?
        .execute((to.0, incarnation.0.cast_signed()))?;
    let (sequence, rows, bytes): (i64, i64, i64) = transaction
        .prepare_cached(
            "INSERT INTO peer_queues (receiver, incarnation, sequence, rows, bytes, dropped)
         VALUES (?1, ?2, 0, 0, 0, 0)
         ON CONFLICT (receiver) DO UPDATE SET
             sequence = CASE WHEN incarnation = excluded.incarnation THEN sequence ELSE 0 END,
             rows = CASE WHEN incarnation = excluded.incarnation THEN rows ELSE 0 END,
             bytes = CASE WHEN incarnation = excluded.incarnation THEN bytes ELSE 0 END,
             dropped = CASE WHEN incarnation = excluded.incarnation THEN dropped ELSE 0 END,
             incarnation = excluded.incarnation
         RETURNING sequence, rows, bytes",
        )?
        .query_row((to.0, incarnation.0.cast_signed()), |row| {
            Ok((row.get(0)?, row.get(1)?, row.get(2)?))
        })?;
    let size = body.len() as u64;
    let too_large = body.len() > MAX_BODY_BYTES;
    if too_large
        || rows.cast_unsigned() >= MAX_QUEUED_ROWS
        || bytes.cast_unsigned().saturating_add(size) > MAX_QUEUED_BYTES
    {
        transaction
            .prepare_cached("UPDATE peer_queues SET dropped = dropped + 1 WHERE receiver = ?1")?
            .execute([to.0])?;
        return Ok(if too_large { Enqueued::TooLarge } else { Enqueued::Full });
    }
    let sequence = sequence + 1;
    transaction
        .prepare_cached("INSERT INTO peer_outbox (receiver, sequence, body) VALUES (?1, ?2, ?3)")?
        .execute((to.0, sequence, &body))?;
    transaction
        .prepare_cached(
            "UPDATE peer_queues SET sequence = ?2, rows = rows + 1, bytes = bytes + ?3
         WHERE receiver = ?1",
        )?
        .execute((to.0, sequence, size.cast_signed()))?;
    Ok(Enqueued::Queued(Sequence(sequence.cast_unsigned())))
}

/// Forgets what waits of other incarnations than `incarnation`; returns how many statements.
///
/// # Errors
/// SQLite's, as a [`DatabaseError`] of `database`.
pub(in super::super) fn begin(
    database: &serai_bus::Database,
    incarnation: Incarnation,
) -> Result<usize, DatabaseError> {
    database.transaction(|transaction| {
        let wrap = |source| database.error(source);
        let of_others = "receiver IN (SELECT receiver FROM peer_queues WHERE incarnation != ?1)";
        let forgotten = transaction
            .execute(
                &format!("DELETE FROM peer_outbox WHERE {of_others}"),
                [incarnation.0.cast_signed()],
            )
            .map_err(wrap)?;
        transaction
            .execute(
                "DELETE FROM peer_queues WHERE incarnation != ?1",
                [incarnation.0.cast_signed()],
            )
            .map_err(wrap)?;
        Ok(forgotten)
    })
}

/// A run of statements for one peer, in order and without gaps.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in super::super) struct Pending {
    /// Sequence of the first.
    pub(in super::super) first: Sequence,
    /// Their encodings.
    pub(in super::super) bodies: Vec<Vec<u8>>,
}

/// The oldest statements waiting for `to`: at most `count`, and at most `bytes` unless the first
/// alone is larger. `None` when nothing waits.
///
/// # Errors
/// SQLite's.
pub(in super::super) fn pending(
    connection: &Connection,
    to: ValidatorKey,
    count: usize,
    bytes: usize,
) -> rusqlite::Result<Option<Pending>> {
    let mut statement = connection.prepare_cached(
        "SELECT sequence, body FROM peer_outbox WHERE receiver = ?1 ORDER BY sequence LIMIT ?2",
    )?;
    let mut rows = statement.query((to.0, i64::try_from(count).unwrap_or(i64::MAX)))?;
    let mut run: Option<Pending> = None;
    let mut total = 0_usize;
    while let Some(row) = rows.next()? {
        let body: Vec<u8> = row.get(1)?;
        total = total.saturating_add(body.len());
        match &mut run {
            None => {
                let first = Sequence(row.get::<_, i64>(0)?.cast_unsigned());
                run = Some(Pending { first, bodies: vec![body] });
            }
            Some(_) if total > bytes => break,
            Some(run) => run.bodies.push(body),
        }
    }
    Ok(run)
}

/// Forgets the statements for `to` up to `through`: the peer has committed them.
///
/// # Errors
/// SQLite's.
pub(in super::super) fn confirm(
    transaction: &Transaction<'_>,
    to: ValidatorKey,
    through: Sequence,
) -> rusqlite::Result<()> {
    let (rows, bytes): (i64, i64) = transaction
        .prepare_cached(
            "SELECT count(*), coalesce(sum(length(body)), 0) FROM peer_outbox
         WHERE receiver = ?1 AND sequence <= ?2",
        )?
        .query_row((to.0, through.0.cast_signed()), |row| Ok((row.get(0)?, row.get(1)?)))?;
    transaction
        .prepare_cached("DELETE FROM peer_outbox WHERE receiver = ?1 AND sequence <= ?2")?
        .execute((to.0, through.0.cast_signed()))?;
    transaction
        .prepare_cached(
            "UPDATE peer_queues SET rows = rows - ?2, bytes = bytes - ?3 WHERE receiver = ?1",
        )?
        .execute((to.0, rows, bytes))?;
    Ok(())
}

/// The peers for which something waits.
///
/// # Errors
/// SQLite's.
pub(in super::super) fn waiting(connection: &Connection) -> rusqlite::Result<Vec<ValidatorKey>> {
    let mut statement =
        connection.prepare_cached("SELECT receiver FROM peer_queues WHERE rows > 0")?;
    let rows = statement.query_map([], |row| key(&row.get::<_, Vec<u8>>(0)?))?;
    rows.collect()
}

/// One peer's queue; empty for a peer to whom nothing was ever sent.
///
/// # Errors
/// SQLite's.
pub fn queue(connection: &Connection, to: ValidatorKey) -> rusqlite::Result<Queue> {
    let found = connection
        .prepare_cached("SELECT rows, bytes, dropped FROM peer_queues WHERE receiver = ?1")?
        .query_row([to.0], |row| {
            Ok(Queue {
                rows: row.get::<_, i64>(0)?.cast_unsigned(),
                bytes: row.get::<_, i64>(1)?.cast_unsigned(),
                dropped: row.get::<_, i64>(2)?.cast_unsigned(),
            })
        })
        .optional()?;
    Ok(found.unwrap_or_default())
}

fn key(bytes: &[u8]) -> rusqlite::Result<ValidatorKey> {
    bytes
        .try_into()
        .map(ValidatorKey)
        .map_err(|error| rusqlite::Error::FromSqlConversionFailure(0, Type::Blob, Box::new(error)))
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]
mod tests {
    use super::*;
    use crate::processes::network::tables::MIGRATION;
    use serai_bus::Database;
    use serai_messages::{
        Attempt, BlockHash, Body, Coin, Session, SignatureBytes, Statement, VERSION, ValidatorSet,
        keygen::{KeygenId, PeerMessage, PerKey},
    };

    const PEER: ValidatorKey = ValidatorKey([9; 32]);

    fn statement(bytes: usize) -> SignedStatement {
        let id = KeygenId {
            set: ValidatorSet { coin: Coin::Btc, session: Session(0) },
            attempt: Attempt(1),
        };
        let commitments = PerKey { ristretto: vec![0; bytes], external: Vec::new() };
        let body = Body::Keygen(PeerMessage::Commitments { id, commitments });
        SignedStatement {
            signer: ValidatorKey([1; 32]),
            statement: Statement { version: VERSION, genesis: BlockHash([2; 32]), body },
            signature: SignatureBytes([3; 64]),
        }
    }

    fn with<T>(
        database: &Database,
        work: impl FnOnce(&Transaction<'_>) -> rusqlite::Result<T>,
    ) -> T {
        database
            .transaction(|transaction| work(transaction).map_err(|source| database.error(source)))
            .unwrap()
    }

    fn open(folder: &tempfile::TempDir) -> Database {
        Database::open(&folder.path().join("state.sqlite"), &[MIGRATION]).unwrap()
    }

    #[test]
    fn a_full_queue_keeps_the_oldest_and_leaves_no_gap() {
        let folder = tempfile::tempdir().unwrap();
        let database = open(&folder);
        let (now, large) = (Incarnation(1), statement(1024 * 1024 - 1024));
        let mut queued = 0;
        loop {
            match with(&database, |tx| enqueue(tx, now, PEER, &large)) {
                Enqueued::Queued(sequence) => {
                    queued += 1;
                    assert_eq!(sequence, Sequence(queued));
                }
                Enqueued::Full => break,
                Enqueued::TooLarge => panic!("it fits a body"),
            }
        }
        assert_eq!(queued, 64);
        let full = database.read(|connection| queue(connection, PEER)).unwrap();
        assert_eq!((full.rows, full.dropped), (64, 1));
        assert!(full.bytes <= MAX_QUEUED_BYTES);
        with(&database, |tx| confirm(tx, PEER, Sequence(10)));
        assert_eq!(
            with(&database, |tx| enqueue(tx, now, PEER, &large)),
            Enqueued::Queued(Sequence(65))
        );
        let run = database.read(|connection| pending(connection, PEER, 256, 3 << 20)).unwrap();
        let run = run.unwrap();
        assert_eq!((run.first, run.bodies.len()), (Sequence(11), 3));
    }

    #[test]
    fn what_no_peer_reads_is_dropped() {
        let folder = tempfile::tempdir().unwrap();
        let database = open(&folder);
        let outcome =
            with(&database, |tx| enqueue(tx, Incarnation(1), PEER, &statement(MAX_BODY_BYTES)));
        assert_eq!(outcome, Enqueued::TooLarge);
        let queue = database.read(|connection| queue(connection, PEER)).unwrap();
        assert_eq!(queue, Queue { rows: 0, bytes: 0, dropped: 1 });
    }

    #[test]
    fn a_new_incarnation_forgets_what_waited_and_counts_from_one() {
        for begins in [true, false] {
            let folder = tempfile::tempdir().unwrap();
            let database = open(&folder);
            for _ in 0..3 {
                with(&database, |tx| enqueue(tx, Incarnation(1), PEER, &statement(1)));
            }
            if begins {
                assert_eq!(begin(&database, Incarnation(2)).unwrap(), 3);
                assert!(database.read(waiting).unwrap().is_empty());
            }
            assert_eq!(
                with(&database, |tx| enqueue(tx, Incarnation(2), PEER, &statement(1))),
                Enqueued::Queued(Sequence(1))
            );
            let queue = database.read(|connection| queue(connection, PEER)).unwrap();
            assert_eq!(queue.rows, 1);
            assert_eq!(database.read(waiting).unwrap(), [PEER]);
            let run = database.read(|connection| pending(connection, PEER, 256, 1024)).unwrap();
            assert_eq!(run.unwrap().bodies.len(), 1);
        }
    }
}
