//! What a database holds, row by row, to compare two of them.

use std::collections::BTreeMap;

use rusqlite::Connection;
use rusqlite::types::ValueRef;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

/// One table.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Table {
    /// Its rows.
    pub rows: u64,
    /// SHA-256 of all their values, in the table's order.
    pub sha256: String,
}

/// Every table by its name.
pub type Content = BTreeMap<String, Table>;

/// Reads all tables.
///
/// # Errors
/// SQLite's.
pub fn content(connection: &Connection) -> rusqlite::Result<Content> {
    let names: Vec<String> = connection
        .prepare(
            "SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite_%'
             ORDER BY name",
        )?
        .query_map((), |row| row.get(0))?
        .collect::<rusqlite::Result<_>>()?;
    names.into_iter().map(|name| Ok((name.clone(), table(connection, &name)?))).collect()
}

fn table(connection: &Connection, name: &str) -> rusqlite::Result<Table> {
    let quoted = name.replace('"', "\"\"");
    let mut statement = connection.prepare(&format!("SELECT * FROM \"{quoted}\""))?;
    let columns = statement.column_count();
    let (mut rows, mut hash) = (0, Sha256::new());
    let mut cursor = statement.query(())?;
    while let Some(row) = cursor.next()? {
        rows += 1;
        for column in 0..columns {
            let (kind, bytes): (u8, &[u8]) = match row.get_ref(column)? {
                ValueRef::Null => (0, &[]),
                ValueRef::Integer(value) => (1, &value.to_le_bytes()),
                ValueRef::Real(value) => (2, &value.to_le_bytes()),
                ValueRef::Text(text) => (3, text),
                ValueRef::Blob(blob) => (4, blob),
            };
            hash.update([kind]);
            hash.update((bytes.len() as u64).to_le_bytes());
            hash.update(bytes);
        }
    }
    Ok(Table { rows, sha256: hex::encode(hash.finalize()) })
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]
mod tests {
    use super::*;

    #[test]
    fn each_value_counts() {
        let database = |sql: &str| {
            let connection = Connection::open_in_memory().unwrap();
            connection.execute_batch("CREATE TABLE a (x, y); CREATE TABLE b (z);").unwrap();
            connection.execute_batch(sql).unwrap();
            content(&connection).unwrap()
        };
        let variants = [
            "",
            "INSERT INTO a VALUES (1, 2)",
            "INSERT INTO a VALUES (2, 1)",
            "INSERT INTO a VALUES ('1', 2)",
            "INSERT INTO a VALUES (x'31', 2)",
            "INSERT INTO a VALUES (NULL, 2)",
            "INSERT INTO a VALUES ('ab', 'c')",
            "INSERT INTO a VALUES ('a', 'bc')",
            "INSERT INTO b VALUES (1)",
        ];
        let contents: Vec<_> = variants.iter().map(|sql| database(sql)).collect();
        for (i, one) in contents.iter().enumerate() {
            assert_eq!(one.len(), 2);
            assert_eq!(*one, database(variants[i]));
            assert!(contents.iter().skip(i + 1).all(|other| other != one), "{}", variants[i]);
        }
    }
}
