//! The chain on disk.
//!
//! # Owns
//! One SQLite file.
//!
//! # Promises
//! Each change is one transaction that is durable against the program being killed when the call
//! returns. One process has the file at a time.
//!
//! # Limits
//! A power failure may lose the newest blocks.

use std::{path::Path, time::Duration};

use rusqlite::{Connection, ErrorCode, OptionalExtension as _, Transaction, params};

use crate::chain::{Block, ChainError, Seizure};

const SCHEMA: &str = "
    CREATE TABLE IF NOT EXISTS facts (name TEXT PRIMARY KEY, value BLOB NOT NULL) STRICT;
    CREATE TABLE IF NOT EXISTS blocks (
        height INTEGER PRIMARY KEY, hash BLOB NOT NULL, parent BLOB NOT NULL,
        fee BLOB NOT NULL, time INTEGER NOT NULL) STRICT;
    CREATE TABLE IF NOT EXISTS transactions (
        position INTEGER PRIMARY KEY AUTOINCREMENT, hash BLOB NOT NULL UNIQUE, raw BLOB NOT NULL,
        height INTEGER, verified INTEGER NOT NULL) STRICT;
    CREATE INDEX IF NOT EXISTS transactions_by_height ON transactions (height);
    CREATE TABLE IF NOT EXISTS seizures (
        account BLOB NOT NULL, height INTEGER NOT NULL, amount BLOB NOT NULL) STRICT;
";

/// A transaction as stored.
pub(crate) struct StoredTransaction {
    pub(crate) raw: Vec<u8>,
    pub(crate) height: Option<u64>,
    pub(crate) verified: u32,
}

/// The open file.
pub(crate) struct Store {
    connection: Connection,
}

impl Store {
    pub(crate) fn open(file: &Path) -> Result<Self, ChainError> {
        let locked = |error: rusqlite::Error| match error.sqlite_error_code() {
            Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => {
                ChainError::Locked(file.to_owned())
            }
            _ => ChainError::Store(error),
        };
        let connection = Connection::open(file)?;
        connection.busy_timeout(Duration::from_secs(1))?;
        connection.pragma_update(None, "locking_mode", "EXCLUSIVE").map_err(locked)?;
        connection.pragma_update(None, "journal_mode", "WAL").map_err(locked)?;
        connection.pragma_update(None, "synchronous", "NORMAL").map_err(locked)?;
        connection.execute_batch(&format!("BEGIN IMMEDIATE; {SCHEMA} COMMIT;")).map_err(locked)?;
        Ok(Self { connection })
    }

    pub(crate) fn fact<const N: usize>(&self, name: &str) -> Result<Option<[u8; N]>, ChainError> {
        let query = "SELECT value FROM facts WHERE name = ?1";
        Ok(self.connection.query_row(query, [name], |row| row.get(0)).optional()?)
    }

    pub(crate) fn set_fact(&self, name: &str, value: &[u8]) -> Result<(), ChainError> {
        set_fact(&self.connection, name, value)
    }

    pub(crate) fn blocks(&self) -> Result<Vec<Block>, ChainError> {
        let query = "SELECT height, hash, parent, fee, time FROM blocks ORDER BY height";
        let mut statement = self.connection.prepare(query)?;
        let rows = statement.query_map([], |row| {
            Ok(Block {
                height: row.get(0)?,
                hash: row.get(1)?,
                parent: row.get(2)?,
                fee: u64::from_le_bytes(row.get(3)?),
                time: row.get(4)?,
                transactions: Vec::new(),
            })
        })?;
        Ok(rows.collect::<Result<_, _>>()?)
    }

    /// In the order in which they were taken, which is the order in blocks and in the pool.
    pub(crate) fn transactions(&self) -> Result<Vec<StoredTransaction>, ChainError> {
        let query = "SELECT raw, height, verified FROM transactions
            ORDER BY height IS NULL, height, position";
        let mut statement = self.connection.prepare(query)?;
        let rows = statement.query_map([], |row| {
            Ok(StoredTransaction { raw: row.get(0)?, height: row.get(1)?, verified: row.get(2)? })
        })?;
        Ok(rows.collect::<Result<_, _>>()?)
    }

    pub(crate) fn seizures(&self) -> Result<Vec<Seizure>, ChainError> {
        let mut statement =
            self.connection.prepare("SELECT account, height, amount FROM seizures")?;
        let rows = statement.query_map([], |row| {
            let amount = u64::from_le_bytes(row.get(2)?);
            Ok(Seizure { account: row.get(0)?, height: row.get(1)?, amount })
        })?;
        Ok(rows.collect::<Result<_, _>>()?)
    }

    pub(crate) fn add_seizure(&self, seizure: &Seizure) -> Result<(), ChainError> {
        self.connection.execute(
            "INSERT INTO seizures (account, height, amount) VALUES (?1, ?2, ?3)",
            params![seizure.account, seizure.height, seizure.amount.to_le_bytes()],
        )?;
        Ok(())
    }

    pub(crate) fn add_transaction(
        &self,
        hash: &[u8; 32],
        raw: &[u8],
        verified: u32,
    ) -> Result<(), ChainError> {
        self.connection.execute(
            "INSERT INTO transactions (hash, raw, height, verified) VALUES (?1, ?2, NULL, ?3)",
            params![hash, raw, verified],
        )?;
        Ok(())
    }

    /// A block that takes the whole pool.
    pub(crate) fn add_block(
        &mut self,
        block: &Block,
        finalized: Option<u64>,
    ) -> Result<(), ChainError> {
        let change = self.connection.transaction()?;
        insert_block(&change, block)?;
        change
            .execute("UPDATE transactions SET height = ?1 WHERE height IS NULL", [block.height])?;
        set_finalized(&change, finalized)?;
        Ok(change.commit()?)
    }

    /// Empty blocks in the place of all above `height`; the transactions of those go back to the
    /// pool, except the forgotten.
    pub(crate) fn replace(
        &mut self,
        height: u64,
        blocks: &[Block],
        forgotten: &[[u8; 32]],
        finalized: Option<u64>,
    ) -> Result<(), ChainError> {
        let change = self.connection.transaction()?;
        change.execute("DELETE FROM blocks WHERE height > ?1", [height])?;
        change.execute("UPDATE transactions SET height = NULL WHERE height > ?1", [height])?;
        for hash in forgotten {
            change.execute("DELETE FROM transactions WHERE hash = ?1", [hash])?;
        }
        for block in blocks {
            insert_block(&change, block)?;
        }
        set_finalized(&change, finalized)?;
        Ok(change.commit()?)
    }
}

fn set_fact(connection: &Connection, name: &str, value: &[u8]) -> Result<(), ChainError> {
    let query = "INSERT INTO facts (name, value) VALUES (?1, ?2)
        ON CONFLICT (name) DO UPDATE SET value = excluded.value";
    connection.execute(query, params![name, value])?;
    Ok(())
}

fn set_finalized(change: &Transaction<'_>, finalized: Option<u64>) -> Result<(), ChainError> {
    match finalized {
        Some(height) => set_fact(change, "finalized", &height.to_le_bytes()),
        None => Ok(()),
    }
}

fn insert_block(change: &Transaction<'_>, block: &Block) -> Result<(), ChainError> {
    change.execute(
        "INSERT INTO blocks (height, hash, parent, fee, time) VALUES (?1, ?2, ?3, ?4, ?5)",
        params![block.height, block.hash, block.parent, block.fee.to_le_bytes(), block.time],
    )?;
    Ok(())
}
