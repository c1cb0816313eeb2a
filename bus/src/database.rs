//! A program's own SQLite database: one file, one connection, every commit on disk but for those that
//! need not be.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard};

use rusqlite::backup::Backup;
use rusqlite::config::DbConfig;
use rusqlite::{Connection, ErrorCode, OpenFlags, Transaction, TransactionBehavior};

use crate::crash_point;

/// What the database can refuse.
#[derive(Debug, thiserror::Error)]
pub enum DatabaseError {
    /// SQLite's own error.
    #[error("database {path}: {source}")]
    Sqlite {
        /// The file.
        path: PathBuf,
        /// SQLite's error.
        source: rusqlite::Error,
    },
    /// There is no room for what is to be stored.
    #[error(
        "the disk of database {path} is full: nothing of the last step was stored and nothing before \
         it is lost; free some space"
    )]
    Full {
        /// The file.
        path: PathBuf,
    },
    /// Another program holds the file.
    #[error(
        "database {path} was locked by another program for {waited:?}; close whatever else has it open \
         (a shell, a copy under way) and start again"
    )]
    Locked {
        /// The file.
        path: PathBuf,
        /// How long was waited.
        waited: std::time::Duration,
    },
    /// The file was written by a newer program.
    #[error(
        "database {path} has schema version {found} of {component}, this program knows up to \
         {known}; run the newer program or restore a backup of the older one"
    )]
    Newer {
        /// The file.
        path: PathBuf,
        /// The part of the schema.
        component: &'static str,
        /// Version found.
        found: u32,
        /// Newest version known.
        known: u32,
    },
    /// A stored value that this program did not write, or a damaged file.
    #[error("stored {what} is malformed: {reason}; restore a backup")]
    Malformed {
        /// What was read.
        what: &'static str,
        /// Why it is malformed.
        reason: String,
    },
}

impl DatabaseError {
    /// SQLite's error about the file `path`.
    pub(crate) fn of(path: &Path, source: rusqlite::Error) -> Self {
        let path = path.to_owned();
        match source.sqlite_error_code() {
            Some(ErrorCode::DiskFull) => Self::Full { path },
            Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => {
                Self::Locked { path, waited: BUSY }
            }
            _ => Self::Sqlite { path, source },
        }
    }
}

/// The tables of one component, as steps forward: step `i` (from 1) takes the component from
/// version `i - 1` to `i`. Steps that have been released never change.
#[derive(Clone, Copy, Debug)]
pub struct Migration {
    /// Whose tables.
    pub component: &'static str,
    /// SQL of each step.
    pub steps: &'static [&'static str],
}

/// Prepared statements that a connection keeps: more than any program has.
const STATEMENTS: usize = 256;

/// Time that another connection may hold the file.
const BUSY: std::time::Duration = std::time::Duration::from_secs(10);

/// SQLite's name of a database that is no file.
const IN_MEMORY: &str = ":memory:";

/// A statement that is kept stays as it was planned. SQLite as it is built here would otherwise plan it again
/// when a value is bound that its plan may depend on.
///
/// # Errors
/// SQLite's.
pub(crate) fn plan_once(connection: &Connection) -> rusqlite::Result<()> {
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_QPSG, true).map(drop)
}

/// A shared handle. Calls block for as long as a commit takes (an fsync), so they belong on a
/// process' own thread; the lock is never held across an await.
#[derive(Clone, Debug)]
pub struct Database {
    path: PathBuf,
    connection: Arc<Mutex<Connection>>,
}

impl Database {
    /// Opens or creates the database and brings each component's tables up to date.
    ///
    /// # Errors
    /// When the file cannot be opened, is no database, or is newer than this program.
    pub fn open(path: &Path, migrations: &[Migration]) -> Result<Self, DatabaseError> {
        #[cfg(feature = "faults")]
        {
            crash_point::arm(path.parent());
            crate::wall_clock::arm(path.parent());
        }
        let connection =
            Connection::open(path).map_err(|source| DatabaseError::of(path, source))?;
        Self::over(path, connection, migrations)
    }

    /// A database that lives as long as its last handle, and nowhere else: for simulations, whose crashes
    /// keep what was committed.
    ///
    /// # Errors
    /// SQLite's.
    pub fn in_memory(migrations: &[Migration]) -> Result<Self, DatabaseError> {
        let path = Path::new(IN_MEMORY);
        let connection =
            Connection::open_in_memory().map_err(|source| DatabaseError::of(path, source))?;
        Self::over(path, connection, migrations)
    }

    /// A copy in memory of all that is committed, with a life of its own.
    ///
    /// # Errors
    /// SQLite's.
    pub fn duplicate(&self) -> Result<Self, DatabaseError> {
        let copy = Self::in_memory(&[])?;
        self.read(|connection| {
            let mut to = copy.lock();
            Backup::new(connection, &mut to)?.run_to_completion(
                i32::MAX,
                std::time::Duration::ZERO,
                None,
            )
        })?;
        Ok(copy)
    }

    fn over(
        path: &Path,
        connection: Connection,
        migrations: &[Migration],
    ) -> Result<Self, DatabaseError> {
        let error = |source| DatabaseError::of(path, source);
        connection.busy_timeout(BUSY).map_err(error)?;
        connection.set_prepared_statement_cache_capacity(STATEMENTS);
        plan_once(&connection).map_err(error)?;
        connection
            .execute_batch(
                "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA foreign_keys = ON;
                 CREATE TABLE IF NOT EXISTS schema_versions (
                     component TEXT PRIMARY KEY, version INTEGER NOT NULL) STRICT;",
            )
            .map_err(error)?;
        // All of them before the first changes anything.
        for migration in migrations {
            version(path, &connection, migration)?;
        }
        let database = Self { path: path.to_owned(), connection: Arc::new(Mutex::new(connection)) };
        for migration in migrations {
            database.migrate(migration)?;
        }
        Ok(database)
    }

    /// Where [`Database::open`] would change tables that an older program has left: the versions that
    /// they have, as one word. `None` of a database that is up to date, empty, or not there.
    ///
    /// # Errors
    /// As those of [`Database::open`].
    pub fn outdated(
        path: &Path,
        migrations: &[Migration],
    ) -> Result<Option<String>, DatabaseError> {
        if !path.exists() {
            return Ok(None);
        }
        let connection = read_only(path)?;
        let exists = connection.table_exists(None, "schema_versions");
        if !exists.map_err(|source| DatabaseError::of(path, source))? {
            return Ok(None);
        }
        let (mut any, mut older, mut versions) = (false, false, Vec::new());
        for migration in migrations {
            let found = version(path, &connection, migration)?;
            any |= found > 0;
            older |= found < migration.steps.len() as u32;
            versions.push(format!("{}{found}", migration.component));
        }
        Ok((any && older).then(|| versions.join("-")))
    }

    /// Reads a database that its program may have open, and changes nothing, not even its tables.
    ///
    /// # Errors
    /// SQLite's, or those of `work`.
    pub fn peek<T>(
        path: &Path,
        work: impl FnOnce(&Connection) -> rusqlite::Result<T>,
    ) -> Result<T, DatabaseError> {
        work(&read_only(path)?).map_err(|source| DatabaseError::of(path, source))
    }

    /// The file.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Runs `work` in one transaction and commits it, durably, when `work` returns `Ok`.
    ///
    /// # Errors
    /// What `work` returns, or the database's own error; nothing is changed then.
    #[track_caller]
    pub fn transaction<T, E: From<DatabaseError>>(
        &self,
        work: impl FnOnce(&Transaction<'_>) -> Result<T, E>,
    ) -> Result<T, E> {
        let connection = self.lock();
        // Said each time: whatever a lazy one has left behind, this one waits for the disk.
        self.synchronous(&connection, "FULL")?;
        self.commit(connection, work)
    }

    /// Like [`Database::transaction`], but does not wait for the disk: for what is done once more,
    /// harmlessly, where a power failure has undone it. The program's end alone undoes nothing, and
    /// the next [`Database::transaction`] makes it durable too.
    ///
    /// # Errors
    /// What `work` returns, or the database's own error; nothing is changed then.
    #[track_caller]
    pub fn lazy_transaction<T, E: From<DatabaseError>>(
        &self,
        work: impl FnOnce(&Transaction<'_>) -> Result<T, E>,
    ) -> Result<T, E> {
        let connection = self.lock();
        self.synchronous(&connection, "NORMAL")?;
        self.commit(connection, work)
    }

    fn synchronous(&self, connection: &Connection, wait: &str) -> Result<(), DatabaseError> {
        connection.pragma_update(None, "synchronous", wait).map_err(|source| self.error(source))
    }

    #[track_caller]
    fn commit<T, E: From<DatabaseError>>(
        &self,
        mut connection: MutexGuard<'_, Connection>,
        work: impl FnOnce(&Transaction<'_>) -> Result<T, E>,
    ) -> Result<T, E> {
        let transaction = connection
            .transaction_with_behavior(TransactionBehavior::Immediate)
            .map_err(|source| self.error(source))?;
        let step = crash_point::Commit::begin(&transaction);
        let value = work(&transaction)?;
        let step = step.before(&transaction);
        transaction.commit().map_err(|source| self.error(source))?;
        step.after();
        Ok(value)
    }

    /// Runs `work`, which changes nothing, on the connection. With the feature `faults` the database
    /// refuses changes meanwhile, so that tests show one that goes around the transactions.
    ///
    /// # Errors
    /// What `work` returns.
    pub fn read<T>(
        &self,
        work: impl FnOnce(&Connection) -> rusqlite::Result<T>,
    ) -> Result<T, DatabaseError> {
        let connection = self.lock();
        #[cfg(feature = "faults")]
        let _shut = crash_point::ReadOnly::new(&connection);
        work(&connection).map_err(|source| self.error(source))
    }

    /// Gives SQLite's error this database's name.
    pub fn error(&self, source: rusqlite::Error) -> DatabaseError {
        DatabaseError::of(&self.path, source)
    }

    fn migrate(&self, migration: &Migration) -> Result<(), DatabaseError> {
        let known = migration.steps.len() as u32;
        self.transaction(|transaction| {
            let wrap = |source| self.error(source);
            let found = version(&self.path, transaction, migration)?;
            for step in migration.steps.iter().skip(found as usize) {
                transaction.execute_batch(step).map_err(wrap)?;
            }
            transaction
                .execute(
                    "INSERT INTO schema_versions (component, version) VALUES (?1, ?2)
                     ON CONFLICT (component) DO UPDATE SET version = excluded.version",
                    (migration.component, known),
                )
                .map_err(wrap)?;
            Ok(())
        })
    }

    // A panic while the lock was held has rolled its transaction back: the data is sound.
    fn lock(&self) -> MutexGuard<'_, Connection> {
        self.connection.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }
}

/// A connection that changes nothing, to a database that its program may have open.
pub(crate) fn read_only(path: &Path) -> Result<Connection, DatabaseError> {
    let error = |source| DatabaseError::of(path, source);
    let connection =
        Connection::open_with_flags(path, OpenFlags::SQLITE_OPEN_READ_ONLY).map_err(error)?;
    connection.busy_timeout(BUSY).map_err(error)?;
    Ok(connection)
}

/// Version of a component's tables; 0 where there are none.
fn version(
    path: &Path,
    connection: &Connection,
    migration: &Migration,
) -> Result<u32, DatabaseError> {
    let known = migration.steps.len() as u32;
    let found: u32 = connection
        .query_row(
            "SELECT coalesce(max(version), 0) FROM schema_versions WHERE component = ?1",
            [migration.component],
            |row| row.get(0),
        )
        .map_err(|source| DatabaseError::of(path, source))?;
    if found > known {
        let (path, component) = (path.to_owned(), migration.component);
        return Err(DatabaseError::Newer { path, component, found, known });
    }
    Ok(found)
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]
mod tests {
    use super::*;

    const TABLES: Migration =
        Migration { component: "test", steps: &["CREATE TABLE rows (body BLOB NOT NULL) STRICT;"] };

    fn insert(database: &Database, bytes: usize) -> Result<(), DatabaseError> {
        database.transaction(|transaction| {
            for _ in 0..2 {
                transaction
                    .execute("INSERT INTO rows VALUES (zeroblob(?1))", [bytes])
                    .map_err(|source| database.error(source))?;
            }
            Ok(())
        })
    }

    fn rows(database: &Database) -> i64 {
        let count = |c: &Connection| c.query_row("SELECT count(*) FROM rows", (), |row| row.get(0));
        database.read(count).unwrap()
    }

    #[test]
    fn a_full_disk_loses_nothing_and_is_said() {
        let folder = tempfile::tempdir().unwrap();
        let database = Database::open(&folder.path().join("state.sqlite"), &[TABLES]).unwrap();
        insert(&database, 10).unwrap();
        // SQLite's own limit fails as a disk does.
        let limit = |pages: u32| {
            let set = |c: &Connection| {
                c.query_row(&format!("PRAGMA max_page_count = {pages}"), (), |_| Ok(()))
            };
            database.read(set).unwrap();
        };
        limit(8);
        let error = insert(&database, 100_000).unwrap_err();
        assert!(matches!(error, DatabaseError::Full { .. }), "{error}");
        assert!(error.to_string().contains("free some space"), "{error}");
        assert_eq!(rows(&database), 2);
        limit(1_000_000);
        insert(&database, 100_000).unwrap();
        assert_eq!(rows(&database), 4);
    }

    #[test]
    fn a_file_that_another_program_holds_is_said() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("state.sqlite");
        let database = Database::open(&path, &[TABLES]).unwrap();
        let wait = |c: &Connection| c.busy_timeout(std::time::Duration::from_millis(10));
        database.read(wait).unwrap();
        let mut other = Connection::open(&path).unwrap();
        let held = other.transaction_with_behavior(TransactionBehavior::Immediate).unwrap();
        let error = insert(&database, 10).unwrap_err();
        assert!(matches!(error, DatabaseError::Locked { .. }), "{error}");
        assert!(error.to_string().contains("locked by another program"), "{error}");
        held.rollback().unwrap();
        insert(&database, 10).unwrap();
        assert_eq!(rows(&database), 2);
    }

    /// A refusal changes nothing, not even the tables of the components before it.
    #[test]
    fn a_newer_component_is_refused_before_others_are_brought_up_to_date() {
        const LATER: Migration = Migration {
            component: "later",
            steps: &["CREATE TABLE a (x INTEGER) STRICT;", "CREATE TABLE b (x INTEGER) STRICT;"],
        };
        const NEW: Migration =
            Migration { component: "new", steps: &["CREATE TABLE c (x INTEGER) STRICT;"] };
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("state.sqlite");
        drop(Database::open(&path, &[LATER]).unwrap());
        let older = Migration { steps: &LATER.steps[..1], ..LATER };
        let error = Database::open(&path, &[NEW, older]).unwrap_err();
        assert!(matches!(error, DatabaseError::Newer { component: "later", .. }), "{error}");
        let connection = Connection::open(&path).unwrap();
        assert!(!connection.table_exists(None, "c").unwrap());
    }
}
