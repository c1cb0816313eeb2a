//! Databases that each released version of the tables has left are brought up to date.
//!
//! `tests/schemas/{component}-{version}.sql` makes one of the version, with rows in it.

use std::collections::BTreeMap;

use rusqlite::Connection;
use serai_bus::{Database, Migration};
use serai_coordinator::coordinator::migrations;
use serai_processor::state::MIGRATIONS;

fn fixture(component: &str, version: usize) -> String {
    let path = format!("{}/tests/schemas/{component}-{version}.sql", env!("CARGO_MANIFEST_DIR"));
    std::fs::read_to_string(&path).unwrap_or_else(|error| {
        panic!("{path}: {error}; each version of a component's tables needs its fixture")
    })
}

/// Every statement that made what the database has.
fn schema(connection: &Connection) -> Vec<String> {
    let mut statement = connection
        .prepare(
            "SELECT sql FROM sqlite_schema WHERE sql NOT NULL AND tbl_name != 'schema_versions'
             AND tbl_name NOT LIKE 'sqlite_%' ORDER BY type DESC, name",
        )
        .unwrap();
    let rows = statement.query_map((), |row| row.get::<_, String>(0)).unwrap();
    rows.map(|sql| sql.unwrap().split_whitespace().collect::<Vec<_>>().join(" ")).collect()
}

fn counts(connection: &Connection) -> BTreeMap<String, i64> {
    let mut statement = connection
        .prepare(
            "SELECT name FROM sqlite_schema WHERE type = 'table' AND name != 'schema_versions'
             AND name NOT LIKE 'sqlite_%'",
        )
        .unwrap();
    let names = statement.query_map((), |row| row.get::<_, String>(0)).unwrap();
    let count = |name: &str| {
        let query = format!("SELECT count(*) FROM {name}");
        connection.query_row(&query, (), |row| row.get(0)).unwrap()
    };
    names.map(|name| name.unwrap()).map(|name| (name.clone(), count(&name))).collect()
}

/// Components' tables up to a version, empty.
fn fresh(migration: &Migration, version: usize) -> Vec<String> {
    let connection = Connection::open_in_memory().unwrap();
    for step in &migration.steps[..version] {
        connection.execute_batch(step).unwrap();
    }
    schema(&connection)
}

fn upgrade(migration: &Migration, version: usize) {
    let component = migration.component;
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join(format!("{component}-{version}.sqlite"));
    let old = Connection::open(&path).unwrap();
    old.execute_batch(&fixture(component, version)).unwrap();
    assert_eq!(
        schema(&old),
        fresh(migration, version),
        "a released step of {component} has changed, or {component}-{version}.sql is another version"
    );
    let before = counts(&old);
    assert!(before.values().all(|rows| *rows > 0), "a table of {component}-{version}.sql is empty");
    old.execute_batch(&format!(
        "CREATE TABLE schema_versions (component TEXT PRIMARY KEY, version INTEGER NOT NULL) STRICT;
         INSERT INTO schema_versions VALUES ('{component}', {version});"
    ))
    .unwrap();
    drop(old);

    let current = version == migration.steps.len();
    let older = Database::outdated(&path, &[*migration]).unwrap();
    assert_eq!(older, (!current).then(|| format!("{component}{version}")));
    let database = Database::open(&path, &[*migration]).unwrap();
    let (new, after) = database.read(|c| Ok((schema(c), counts(c)))).unwrap();
    assert_eq!(new, fresh(migration, migration.steps.len()));
    for (table, rows) in before {
        assert_eq!(after[&table], rows, "{table} of {component}-{version}");
    }
    assert_eq!(Database::outdated(&path, &[*migration]).unwrap(), None);

    let older = Migration { steps: &migration.steps[..migration.steps.len() - 1], ..*migration };
    drop(database);
    let error = Database::open(&path, &[older]).unwrap_err().to_string();
    let newest = migration.steps.len();
    assert!(error.contains(&format!("has schema version {newest} of {component}")), "{error}");
}

#[test]
fn every_version_is_brought_up_to_date() {
    for migration in migrations().into_iter().chain(MIGRATIONS) {
        for version in 1..=migration.steps.len() {
            upgrade(&migration, version);
        }
    }
}
