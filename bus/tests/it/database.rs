//! The program's own database: migrations run once, in order, and a newer file is refused.

use serai_bus::{Database, DatabaseError, Migration};

const FIRST: Migration =
    Migration { component: "part", steps: &["CREATE TABLE a (x INTEGER) STRICT"] };
const SECOND: Migration = Migration {
    component: "part",
    steps: &["CREATE TABLE a (x INTEGER) STRICT", "ALTER TABLE a ADD COLUMN y TEXT"],
};

#[test]
fn migrations_run_once_and_keep_what_is_there() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("state.sqlite");
    let insert = |database: &Database, sql: &str| {
        database
            .transaction(|transaction| {
                transaction.execute(sql, []).map_err(|source| database.error(source))
            })
            .unwrap();
    };
    insert(&Database::open(&path, &[FIRST]).unwrap(), "INSERT INTO a VALUES (1)");
    // Opened twice by the newer program: the step that ran does not run again.
    for _ in 0..2 {
        Database::open(&path, &[SECOND]).unwrap();
    }
    let database = Database::open(&path, &[SECOND]).unwrap();
    insert(&database, "INSERT INTO a VALUES (2, 'two')");
    let rows: Vec<(i64, Option<String>)> = database
        .read(|connection| {
            connection
                .prepare("SELECT x, y FROM a ORDER BY x")?
                .query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?
                .collect()
        })
        .unwrap();
    assert_eq!(rows, [(1, None), (2, Some("two".to_owned()))]);
}

#[test]
fn a_newer_file_is_refused_with_what_to_do() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("state.sqlite");
    Database::open(&path, &[SECOND]).unwrap();
    let error = Database::open(&path, &[FIRST]).unwrap_err();
    assert!(
        matches!(error, DatabaseError::Newer { component: "part", found: 2, known: 1, .. }),
        "{error}"
    );
    assert!(error.to_string().contains("run the newer program"), "{error}");
}

#[test]
fn a_failing_step_leaves_the_version_before_it() {
    const BROKEN: Migration = Migration {
        component: "part",
        steps: &[
            "CREATE TABLE a (x INTEGER) STRICT",
            "CREATE TABLE b (x INTEGER) STRICT; nonsense",
        ],
    };
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("state.sqlite");
    Database::open(&path, &[FIRST]).unwrap();
    Database::open(&path, &[BROKEN]).unwrap_err();
    // Neither the version nor the table of the broken step stayed.
    Database::open(&path, &[SECOND]).unwrap();
    let tables: i64 = Database::open(&path, &[])
        .unwrap()
        .read(|c| {
            c.query_row("SELECT count(*) FROM sqlite_schema WHERE name = 'b'", [], |r| r.get(0))
        })
        .unwrap();
    assert_eq!(tables, 0);
}

#[test]
fn a_transaction_that_fails_changes_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let database = Database::open(&folder.path().join("state.sqlite"), &[FIRST]).unwrap();
    let failed: Result<(), DatabaseError> = database.transaction(|transaction| {
        transaction.execute("INSERT INTO a VALUES (1)", []).map_err(|e| database.error(e))?;
        Err(DatabaseError::Malformed { what: "test", reason: "on purpose".to_owned() })
    });
    failed.unwrap_err();
    let rows: i64 = database
        .read(|connection| connection.query_row("SELECT count(*) FROM a", [], |row| row.get(0)))
        .unwrap();
    assert_eq!(rows, 0);
}
