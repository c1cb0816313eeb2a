//! What is known of processors' public keys: pinned by configuration, or the first one seen until
//! a person accepts another (DESIGN D3).

use rusqlite::{Connection, OptionalExtension, Row, Transaction};
use serai_messages::{Coin, ProcessorKey};

/// What an announced key is worth.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Trust {
    /// It is the trusted key.
    Trusted,
    /// There was none before; it is trusted from now on.
    FirstSeen,
    /// Another key is trusted: what is sealed by the announced one is refused.
    Refused {
        /// The trusted key.
        trusted: ProcessorKey,
    },
}

/// One processor's keys.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct Known {
    /// Its coin.
    pub coin: Coin,
    /// The trusted key.
    pub trusted: Option<ProcessorKey>,
    /// A different key that was announced and refused, the latest.
    pub offered: Option<ProcessorKey>,
}

/// Why a key can't be accepted.
#[derive(Debug, thiserror::Error)]
pub enum AcceptError {
    /// The processor offers none.
    #[error("the {0} processor has not announced a key other than the trusted one")]
    NothingOffered(Coin),
    /// It is another one than the person expects.
    #[error("the {coin} processor offers key {offered}, not {expected}")]
    Other {
        /// The processor's coin.
        coin: Coin,
        /// The key that is offered.
        offered: ProcessorKey,
        /// The key that was to be accepted.
        expected: ProcessorKey,
    },
    /// The database.
    #[error(transparent)]
    Database(#[from] serai_bus::DatabaseError),
    /// The database, within a transaction.
    #[error("processor keys: {0}")]
    Sqlite(#[from] rusqlite::Error),
}

/// Judges an announced key and remembers it. `pinned` is the configuration's word and outranks what
/// was seen before; in production there always is one, so that no first sight counts.
///
/// # Errors
/// SQLite's.
pub fn observe(
    transaction: &Transaction<'_>,
    coin: Coin,
    announced: ProcessorKey,
    pinned: Option<ProcessorKey>,
) -> rusqlite::Result<Trust> {
    let before = trusted(transaction, coin)?;
    let (now, trust) = match pinned.or(before) {
        None => (announced, Trust::FirstSeen),
        Some(key) if key == announced => (key, Trust::Trusted),
        Some(key) => (key, Trust::Refused { trusted: key }),
    };
    let offered = matches!(trust, Trust::Refused { .. }).then_some(announced.0);
    transaction.execute(
        "INSERT INTO processor_keys (coin, trusted, offered) VALUES (?1, ?2, ?3)
         ON CONFLICT (coin) DO UPDATE SET trusted = excluded.trusted, offered = excluded.offered",
        (coin.name(), now.0, offered),
    )?;
    Ok(trust)
}

/// The coin's trusted key, as last observed or accepted.
///
/// # Errors
/// SQLite's.
pub fn trusted(connection: &Connection, coin: Coin) -> rusqlite::Result<Option<ProcessorKey>> {
    let row = connection
        .query_row("SELECT trusted FROM processor_keys WHERE coin = ?1", [coin.name()], |row| {
            key(row, 0)
        })
        .optional()?;
    Ok(row.flatten())
}

/// All processors that ever announced a key.
///
/// # Errors
/// SQLite's.
pub fn list(connection: &Connection) -> rusqlite::Result<Vec<Known>> {
    let mut known = Vec::new();
    for coin in Coin::ALL {
        let row = connection
            .query_row(
                "SELECT trusted, offered FROM processor_keys WHERE coin = ?1",
                [coin.name()],
                |row| Ok(Known { coin, trusted: key(row, 0)?, offered: key(row, 1)? }),
            )
            .optional()?;
        known.extend(row);
    }
    Ok(known)
}

/// Trusts the key that the coin's processor last offered; `expected` guards against another one
/// having come in between.
///
/// # Errors
/// [`AcceptError`].
pub fn accept(
    transaction: &Transaction<'_>,
    coin: Coin,
    expected: Option<ProcessorKey>,
) -> Result<ProcessorKey, AcceptError> {
    let offered = list(transaction)?
        .into_iter()
        .find(|known| known.coin == coin)
        .and_then(|known| known.offered)
        .ok_or(AcceptError::NothingOffered(coin))?;
    if let Some(expected) = expected
        && expected != offered
    {
        return Err(AcceptError::Other { coin, offered, expected });
    }
    transaction.execute(
        "UPDATE processor_keys SET trusted = offered, offered = NULL WHERE coin = ?1",
        [coin.name()],
    )?;
    Ok(offered)
}

fn key(row: &Row<'_>, column: usize) -> rusqlite::Result<Option<ProcessorKey>> {
    let bytes: Option<[u8; 32]> = row.get(column)?;
    Ok(bytes.map(ProcessorKey))
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]
mod tests {
    use serai_bus::Database;

    use super::super::super::store;
    use super::*;

    const A: ProcessorKey = ProcessorKey([1; 32]);
    const B: ProcessorKey = ProcessorKey([2; 32]);

    fn see(database: &Database, key: ProcessorKey, pinned: Option<ProcessorKey>) -> Trust {
        database
            .transaction(|tx| {
                observe(tx, Coin::Eth, key, pinned).map_err(|source| database.error(source))
            })
            .unwrap()
    }

    fn accept_offer(
        database: &Database,
        expected: Option<ProcessorKey>,
    ) -> Result<ProcessorKey, AcceptError> {
        database.transaction(|tx| accept(tx, Coin::Eth, expected))
    }

    #[test]
    fn another_key_is_refused_until_a_person_accepts_it() {
        let folder = tempfile::tempdir().unwrap();
        let database = store::open(folder.path(), &[]).unwrap();
        assert!(matches!(accept_offer(&database, None), Err(AcceptError::NothingOffered(_))));
        assert_eq!(see(&database, A, None), Trust::FirstSeen);
        assert_eq!(see(&database, A, None), Trust::Trusted);
        assert_eq!(see(&database, B, None), Trust::Refused { trusted: A });
        assert!(matches!(accept_offer(&database, Some(A)), Err(AcceptError::Other { .. })));
        assert_eq!(accept_offer(&database, Some(B)).unwrap(), B);
        assert_eq!(see(&database, B, None), Trust::Trusted);
        assert_eq!(see(&database, A, None), Trust::Refused { trusted: B });
        let known = database.read(list).unwrap();
        assert_eq!(known, [Known { coin: Coin::Eth, trusted: Some(B), offered: Some(A) }]);
    }

    #[test]
    fn a_pinned_key_outranks_the_first_seen() {
        let folder = tempfile::tempdir().unwrap();
        let database = store::open(folder.path(), &[]).unwrap();
        assert_eq!(see(&database, A, Some(B)), Trust::Refused { trusted: B });
        assert_eq!(see(&database, B, Some(B)), Trust::Trusted);
        assert_eq!(see(&database, A, Some(A)), Trust::Trusted);
        assert_eq!(see(&database, B, None), Trust::Refused { trusted: A });
    }
}
