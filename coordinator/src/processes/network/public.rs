//! This process' part of the public feed: which validators are reached from here.
//!
//! # Owns
//! What was told last of each validator.
//!
//! # Promises
//! A change is told once, in the transaction that remembers it, and what comes and goes within a
//! moment is not told at all.
//!
//! # Limits
//! It is one validator's view: others may reach whom this one does not.

use std::convert::Infallible;
use std::time::Duration;

use rusqlite::{OptionalExtension, Transaction};
use serai_bus::{Database, DatabaseError, Waker};
use serai_messages::{Incarnation, Name, ValidatorKey};
use serde_json::json;
use tokio::sync::watch;

use super::Reach;
use crate::processes::core::public::{Event, Feed};

/// How long a change has to last: bounds what a validator that comes and goes can write.
const SETTLED_AFTER: Duration = Duration::from_secs(1);

/// Tells the public who is reached.
#[derive(Debug)]
pub struct ReachFeed {
    feed: Feed,
    incarnation: Incarnation,
    database: Database,
    waker: Waker,
}

impl ReachFeed {
    /// For the feed of `name`, whose publisher `waker` wakes.
    pub fn new(name: &Name, incarnation: Incarnation, database: Database, waker: Waker) -> Self {
        Self { feed: Feed::new(name, incarnation), incarnation, database, waker }
    }

    /// Tells each change of `reach`, until the database fails.
    ///
    /// # Errors
    /// The database's.
    pub async fn run(self, mut reach: watch::Receiver<Reach>) -> Result<Infallible, DatabaseError> {
        loop {
            tokio::time::sleep(SETTLED_AFTER).await;
            let now = reach.borrow_and_update().clone();
            // Before any set is known nobody is missing.
            if now.peers > 0 {
                self.database.transaction(|transaction| {
                    self.note(transaction, &now).map_err(|source| self.database.error(source))
                })?;
                self.waker.wake();
            }
            if reach.changed().await.is_err() {
                std::future::pending::<()>().await;
            }
        }
    }

    fn note(&self, transaction: &Transaction<'_>, reach: &Reach) -> rusqlite::Result<()> {
        let online = reach.online.iter().map(|validator| (*validator, true));
        let missing = reach.missing.iter().map(|validator| (*validator, false));
        for (validator, online) in online.chain(missing) {
            self.note_one(transaction, validator, online)?;
        }
        Ok(())
    }

    fn note_one(
        &self,
        transaction: &Transaction<'_>,
        validator: ValidatorKey,
        online: bool,
    ) -> rusqlite::Result<()> {
        let told: Option<(bool, i64)> = transaction
            .query_row(
                "SELECT online, changes FROM told_reach WHERE validator = ?1",
                [validator.0],
                |row| Ok((row.get(0)?, row.get(1)?)),
            )
            .optional()?;
        let changes = match told {
            Some((told, _)) if told == online => return Ok(()),
            Some((_, changes)) => changes.saturating_add(1),
            None => 1,
        };
        transaction.execute(
            "INSERT OR REPLACE INTO told_reach (validator, online, changes) VALUES (?1, ?2, ?3)",
            (validator.0, online, changes),
        )?;
        let state = if online { "online" } else { "offline" };
        let event = Event {
            kind: "serai.validator.state",
            // A restored database counts the same changes again, as another incarnation.
            id: format!("validator/{validator}/{}-{changes}", self.incarnation),
            subject: validator.to_string(),
            data: json!({"validator": validator, "state": state}),
        };
        self.feed.publish(transaction, &event)
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]
mod tests {
    use serai_bus::exchange;
    use serde_json::Value;

    use super::*;
    use crate::processes::core::public::testing::assert_follows_schema;
    use crate::processes::network::tables;

    #[test]
    fn changes_are_told_once_each() {
        let folder = tempfile::tempdir().unwrap();
        let migrations = [exchange::MIGRATION, tables::MIGRATION];
        let database = Database::open(&folder.path().join("state.sqlite"), &migrations).unwrap();
        let name: Name = "alice".parse().unwrap();
        let feed = ReachFeed::new(&name, Incarnation(3), database.clone(), Waker::default());
        let [bob, carol] = [2, 3].map(|byte| ValidatorKey([byte; 32]));
        let reach = |online: &[ValidatorKey], missing: &[ValidatorKey]| Reach {
            peers: online.len() + missing.len(),
            online: online.to_vec(),
            missing: missing.to_vec(),
            apart: Vec::new(),
        };
        for reach in [
            reach(&[bob], &[carol]),
            reach(&[bob], &[carol]),
            reach(&[carol], &[bob]),
            reach(&[carol], &[]),
        ] {
            database
                .transaction(|transaction| {
                    feed.note(transaction, &reach).map_err(|source| database.error(source))
                })
                .unwrap();
        }
        let rows = database.read(|c| exchange::pending(c, "alice-public", 100)).unwrap();
        let mut told = Vec::new();
        for row in &rows {
            let event: Value = serde_json::from_slice(&row.record.body).unwrap();
            assert_follows_schema(&event);
            let of = if event["subject"] == bob.to_string() { "bob" } else { "carol" };
            told.push(format!("{of} {}", event["data"]["state"].as_str().unwrap()));
        }
        assert_eq!(told, ["bob online", "carol offline", "carol online", "bob offline"]);
        let mut ids: Vec<_> = rows.iter().map(|row| row.record.id.clone()).collect();
        ids.dedup();
        assert_eq!(ids.len(), 4);
    }
}
