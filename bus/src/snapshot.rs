//! A copy of a program's database while the program goes on.

use std::path::Path;

use rusqlite::backup::Backup;
use rusqlite::{Connection, TransactionBehavior};

use crate::DatabaseError;
use crate::database::read_only;

/// Copies the database `from` as of one instant into the new file `to`. Its program may run and write
/// meanwhile; that neither waits for this nor shows in the copy. What `look` sees is that same instant.
///
/// # Errors
/// SQLite's, of either file, or those of `look`. `to` may be there then, and is of no use.
pub fn snapshot<T>(
    from: &Path,
    to: &Path,
    look: impl FnOnce(&Connection) -> rusqlite::Result<T>,
) -> Result<T, DatabaseError> {
    let error = |source| DatabaseError::of(from, source);
    let mut source = read_only(from)?;
    let instant = source.transaction_with_behavior(TransactionBehavior::Deferred).map_err(error)?;
    // The first read fixes the instant.
    let seen = look(&instant).map_err(error)?;
    let failed = |source| DatabaseError::of(to, source);
    let mut copy = Connection::open(to).map_err(failed)?;
    Backup::new(&instant, &mut copy)
        .and_then(|backup| backup.run_to_completion(i32::MAX, std::time::Duration::ZERO, None))
        .map_err(failed)?;
    // A file by itself, without a log beside it.
    copy.pragma_update(None, "journal_mode", "DELETE").map_err(failed)?;
    Ok(seen)
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]
mod tests {
    use std::sync::atomic::{AtomicBool, Ordering};

    use super::*;
    use crate::{Database, Migration};

    const TABLES: Migration = Migration {
        component: "test",
        steps: &["CREATE TABLE pairs (a INTEGER NOT NULL, b INTEGER NOT NULL) STRICT;"],
    };

    /// Two rows are written in each transaction: a copy that is of no instant has an odd one.
    #[test]
    fn is_of_one_instant_while_the_program_writes() {
        let folder = tempfile::tempdir().unwrap();
        let database = Database::open(&folder.path().join("state.sqlite"), &[TABLES]).unwrap();
        let done = AtomicBool::new(false);
        std::thread::scope(|scope| {
            scope.spawn(|| {
                for number in 0.. {
                    let write = database.transaction(|transaction| {
                        for b in 0..2 {
                            transaction
                                .execute("INSERT INTO pairs VALUES (?1, ?2)", (number, b))
                                .map_err(|source| database.error(source))?;
                        }
                        Ok::<_, DatabaseError>(())
                    });
                    write.unwrap();
                    if done.load(Ordering::Relaxed) {
                        return;
                    }
                }
            });
            let count = |c: &Connection| {
                c.query_row("SELECT count(*) FROM pairs", (), |row| row.get::<_, i64>(0))
            };
            let mut last = -1;
            for number in 0..20 {
                let to = folder.path().join(format!("copy-{number}.sqlite"));
                let seen = snapshot(database.path(), &to, count).unwrap();
                let copied = count(&Connection::open(&to).unwrap()).unwrap();
                assert_eq!(seen, copied);
                assert_eq!(seen % 2, 0);
                assert!(seen >= last);
                last = seen;
            }
            done.store(true, Ordering::Relaxed);
        });
    }
}
