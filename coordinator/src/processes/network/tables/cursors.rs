//! How far each peer's statements were accepted, and those that were refused.

use rusqlite::{Connection, OptionalExtension, Transaction};
use serai_bus::exchange::Acceptance;
use serai_messages::{Incarnation, Sequence, ValidatorKey};

/// Refused statements kept per peer.
pub const KEPT_REFUSALS: u32 = 32;

/// Bytes kept of a refused statement.
pub const KEPT_REFUSAL_BYTES: usize = 64 * 1024;

/// Decides whether a peer's statement is new, and remembers it if so. The network passes statements
/// on in order and has accounted for gaps, so a sequence above the last one is new.
///
/// # Errors
/// SQLite's.
pub fn accept(
    transaction: &Transaction<'_>,
    from: ValidatorKey,
    incarnation: Incarnation,
    sequence: Sequence,
) -> rusqlite::Result<Acceptance> {
    if let Some(cursor) = cursor(transaction, from)? {
        if incarnation < cursor.incarnation {
            return Ok(Acceptance::Replaced);
        }
        if incarnation == cursor.incarnation && sequence <= cursor.sequence {
            return Ok(Acceptance::Repeat);
        }
    }
    transaction
        .prepare_cached(
            "INSERT INTO peer_cursors (sender, incarnation, sequence) VALUES (?1, ?2, ?3)
         ON CONFLICT (sender) DO UPDATE SET
             proof = CASE WHEN incarnation = excluded.incarnation THEN proof ELSE NULL END,
             incarnation = excluded.incarnation, sequence = excluded.sequence",
        )?
        .execute((from.0, incarnation.0.cast_signed(), sequence.0.cast_signed()))?;
    Ok(Acceptance::New)
}

/// How far a peer's statements were accepted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cursor {
    /// The newest incarnation that the peer has proven.
    pub incarnation: Incarnation,
    /// Last sequence of it that was accepted; 0 when none was.
    pub sequence: Sequence,
    /// The peer's proof of that incarnation, shown to an instance that it replaces.
    pub proof: Option<Vec<u8>>,
}

/// A peer's cursor.
///
/// # Errors
/// SQLite's.
pub fn cursor(connection: &Connection, from: ValidatorKey) -> rusqlite::Result<Option<Cursor>> {
    connection
        .prepare_cached("SELECT incarnation, sequence, proof FROM peer_cursors WHERE sender = ?1")?
        .query_row([from.0], |row| {
            Ok(Cursor {
                incarnation: Incarnation(row.get::<_, i64>(0)?.cast_unsigned()),
                sequence: Sequence(row.get::<_, i64>(1)?.cast_unsigned()),
                proof: row.get(2)?,
            })
        })
        .optional()
}

/// Remembers that `from` has proven `incarnation`. An older one than known changes nothing.
///
/// # Errors
/// SQLite's.
pub(in super::super) fn set_incarnation(
    transaction: &Transaction<'_>,
    from: ValidatorKey,
    incarnation: Incarnation,
    proof: &[u8],
) -> rusqlite::Result<()> {
    transaction
        .prepare_cached(
            "INSERT INTO peer_cursors (sender, incarnation, sequence, proof) VALUES (?1, ?2, 0, ?3)
         ON CONFLICT (sender) DO UPDATE SET
             sequence = CASE WHEN incarnation = excluded.incarnation THEN sequence ELSE 0 END,
             incarnation = excluded.incarnation, proof = excluded.proof
             WHERE excluded.incarnation > incarnation
                OR (excluded.incarnation = incarnation AND proof IS NULL)",
        )?
        .execute((from.0, incarnation.0.cast_signed(), proof))?;
    Ok(())
}

/// A statement that was put aside.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RefusedStatement {
    /// Who sent it.
    pub from: ValidatorKey,
    /// The sender's incarnation.
    pub incarnation: Incarnation,
    /// Its sequence.
    pub sequence: Sequence,
    /// Why it was refused.
    pub reason: String,
    /// Its bytes, cut to [`KEPT_REFUSAL_BYTES`].
    pub body: Vec<u8>,
}

/// Puts refused statements aside and moves the sender's cursor up to `through`, past them.
///
/// # Errors
/// SQLite's.
pub(in super::super) fn put_aside(
    transaction: &Transaction<'_>,
    refused: &[RefusedStatement],
    from: ValidatorKey,
    incarnation: Incarnation,
    through: Sequence,
) -> rusqlite::Result<()> {
    for statement in refused {
        let kept = statement.body.get(..KEPT_REFUSAL_BYTES).unwrap_or(&statement.body);
        transaction
            .prepare_cached(
                "INSERT OR IGNORE INTO refused_statements
                 (sender, incarnation, sequence, reason, body) VALUES (?1, ?2, ?3, ?4, ?5)",
            )?
            .execute((
                from.0,
                statement.incarnation.0.cast_signed(),
                statement.sequence.0.cast_signed(),
                &statement.reason,
                kept,
            ))?;
    }
    if !refused.is_empty() {
        transaction
            .prepare_cached(
                "DELETE FROM refused_statements WHERE sender = ?1 AND row NOT IN
                 (SELECT row FROM refused_statements WHERE sender = ?1 ORDER BY row DESC LIMIT ?2)",
            )?
            .execute((from.0, KEPT_REFUSALS))?;
    }
    accept(transaction, from, incarnation, through)?;
    Ok(())
}

/// The refused statements of a peer that are still kept, oldest first.
///
/// # Errors
/// SQLite's.
pub fn refused(
    connection: &Connection,
    from: ValidatorKey,
) -> rusqlite::Result<Vec<RefusedStatement>> {
    let mut statement = connection.prepare_cached(
        "SELECT incarnation, sequence, reason, body FROM refused_statements
         WHERE sender = ?1 ORDER BY row",
    )?;
    let rows = statement.query_map([from.0], |row| {
        Ok(RefusedStatement {
            from,
            incarnation: Incarnation(row.get::<_, i64>(0)?.cast_unsigned()),
            sequence: Sequence(row.get::<_, i64>(1)?.cast_unsigned()),
            reason: row.get(2)?,
            body: row.get(3)?,
        })
    })?;
    rows.collect()
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]
mod tests {
    use super::*;
    use crate::processes::network::tables::MIGRATION;
    use serai_bus::Database;

    const PEER: ValidatorKey = ValidatorKey([9; 32]);

    fn with<T>(work: impl FnOnce(&Transaction<'_>) -> rusqlite::Result<T>) -> T {
        let folder = tempfile::tempdir().unwrap();
        let database = Database::open(&folder.path().join("state.sqlite"), &[MIGRATION]).unwrap();
        database
            .transaction(|transaction| work(transaction).map_err(|source| database.error(source)))
            .unwrap()
    }

    #[test]
    fn the_highest_incarnation_is_obeyed() {
        with(|tx| {
            let accept = |incarnation, sequence| {
                accept(tx, PEER, Incarnation(incarnation), Sequence(sequence)).unwrap()
            };
            assert_eq!(accept(2, 1), Acceptance::New);
            assert_eq!(accept(2, 1), Acceptance::Repeat);
            assert_eq!(accept(2, 3), Acceptance::New);
            assert_eq!(accept(2, 2), Acceptance::Repeat);
            assert_eq!(accept(1, 9), Acceptance::Replaced);
            assert_eq!(accept(3, 1), Acceptance::New);
            assert_eq!(accept(2, 4), Acceptance::Replaced);
            Ok(())
        });
    }

    #[test]
    fn the_proof_of_the_highest_incarnation_is_kept() {
        with(|tx| {
            set_incarnation(tx, PEER, Incarnation(1), b"one")?;
            accept(tx, PEER, Incarnation(1), Sequence(5))?;
            set_incarnation(tx, PEER, Incarnation(1), b"again")?;
            let cursor_now = cursor(tx, PEER)?.unwrap();
            assert_eq!(cursor_now.sequence, Sequence(5));
            assert_eq!(cursor_now.proof.as_deref(), Some(&b"one"[..]));
            set_incarnation(tx, PEER, Incarnation(3), b"three")?;
            set_incarnation(tx, PEER, Incarnation(2), b"two")?;
            let cursor_now = cursor(tx, PEER)?.unwrap();
            assert_eq!(
                (cursor_now.incarnation, cursor_now.sequence),
                (Incarnation(3), Sequence(0))
            );
            assert_eq!(cursor_now.proof.as_deref(), Some(&b"three"[..]));
            Ok(())
        });
    }

    #[test]
    fn of_refused_statements_the_last_are_kept_once_and_cut() {
        with(|tx| {
            let put = |sequence| {
                let refused = RefusedStatement {
                    from: PEER,
                    incarnation: Incarnation(1),
                    sequence: Sequence(sequence),
                    reason: "bad".into(),
                    body: vec![0; KEPT_REFUSAL_BYTES + 1],
                };
                put_aside(tx, &[refused], PEER, Incarnation(1), Sequence(sequence))
            };
            for sequence in 1..=40 {
                put(sequence)?;
                put(sequence)?;
            }
            let kept = refused(tx, PEER)?;
            assert_eq!(kept.len(), KEPT_REFUSALS as usize);
            assert_eq!(kept[0].sequence, Sequence(9));
            assert!(kept.iter().all(|kept| kept.body.len() == KEPT_REFUSAL_BYTES));
            assert_eq!(cursor(tx, PEER)?.unwrap().sequence, Sequence(40));
            Ok(())
        });
    }
}
