//! The message versions that each peer speaks, as it proved last.

use std::collections::BTreeMap;

use rusqlite::{Connection, Transaction};
use serai_messages::{ValidatorKey, Versions};

/// Remembers what a peer speaks.
///
/// # Errors
/// SQLite's.
pub fn set_versions(
    transaction: &Transaction<'_>,
    peer: ValidatorKey,
    speaks: Versions,
) -> rusqlite::Result<()> {
    transaction
        .prepare_cached(
            "INSERT INTO peer_versions (validator, oldest, newest) VALUES (?1, ?2, ?3)
         ON CONFLICT (validator) DO UPDATE SET oldest = excluded.oldest, newest = excluded.newest",
        )?
        .execute((peer.0, speaks.oldest, speaks.newest))?;
    Ok(())
}

/// What each peer speaks that has ever proven so.
///
/// # Errors
/// SQLite's.
pub fn versions(connection: &Connection) -> rusqlite::Result<BTreeMap<ValidatorKey, Versions>> {
    connection
        .prepare_cached("SELECT validator, oldest, newest FROM peer_versions")?
        .query_map((), |row| {
            let speaks = Versions { oldest: row.get(1)?, newest: row.get(2)? };
            Ok((ValidatorKey(row.get(0)?), speaks))
        })?
        .collect()
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]
mod tests {
    use super::*;
    use crate::processes::network::tables::MIGRATION;
    use serai_bus::Database;

    #[test]
    fn what_a_peer_said_last_counts() {
        let folder = tempfile::tempdir().unwrap();
        let database = Database::open(&folder.path().join("state.sqlite"), &[MIGRATION]).unwrap();
        let peer = ValidatorKey([1; 32]);
        let range = |oldest, newest| Versions { oldest, newest };
        for told in [range(1, 1), range(1, 1), range(1, 2), range(1, 1)] {
            database
                .transaction(|transaction| {
                    set_versions(transaction, peer, told).map_err(|source| database.error(source))
                })
                .unwrap();
            let known = database.read(versions).unwrap();
            assert_eq!(known, BTreeMap::from([(peer, told)]));
        }
    }
}
