//! The log: appending, truncating, opening readers.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use rusqlite::{Connection, OptionalExtension, TransactionBehavior};
use serai_messages::Record;
use tokio::sync::watch;

use super::{bell::Bell, file, reader::EmbeddedReader, watcher};
use crate::bus::check_sizes;
use crate::{Bus, BusError, Reader, Start, TopicInfo};

/// What the bus, its readers and its watcher share.
#[derive(Debug)]
pub(super) struct Log {
    pub(super) path: PathBuf,
    /// Counts commits noticed, whoever made them; its value means nothing else.
    pub(super) changes: watch::Sender<u64>,
    bell: Bell,
    writer: Mutex<Connection>,
    // Apart from the writer, so that reading never waits for another append's fsync.
    reader: Mutex<Connection>,
}

impl Log {
    /// The connection for reading. Held for one query at a time.
    pub(super) fn reading(&self) -> MutexGuard<'_, Connection> {
        self.reader.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn wrap(&self, error: rusqlite::Error) -> BusError {
        file::wrap(&self.path, error)
    }

    /// Runs `work` in one durable transaction, then wakes readers, those of other processes too.
    fn write<T>(
        &self,
        work: impl FnOnce(&rusqlite::Transaction<'_>) -> Result<T, BusError>,
    ) -> Result<T, BusError> {
        let mut writer = self.writer.lock().unwrap_or_else(PoisonError::into_inner);
        let transaction = writer
            .transaction_with_behavior(TransactionBehavior::Immediate)
            .map_err(|error| self.wrap(error))?;
        let value = work(&transaction)?;
        transaction.commit().map_err(|error| self.wrap(error))?;
        drop(writer);
        self.bell.ring();
        self.changes.send_modify(|count| *count = count.wrapping_add(1));
        Ok(value)
    }
}

/// A topic's row.
#[derive(Clone, Copy, Debug)]
pub(super) struct TopicRow {
    /// Id; another one after the topic was recreated.
    pub(super) topic: i64,
    pub(super) earliest: i64,
    pub(super) next: i64,
}

/// Looks a topic up by name.
pub(super) fn topic_row(connection: &Connection, name: &str) -> rusqlite::Result<Option<TopicRow>> {
    connection
        .prepare_cached("SELECT topic, earliest, next FROM topics WHERE name = ?1")?
        .query_row([name], |row| {
            Ok(TopicRow { topic: row.get(0)?, earliest: row.get(1)?, next: row.get(2)? })
        })
        .optional()
}

/// The embedded bus.
#[derive(Debug)]
pub(crate) struct EmbeddedBus(Arc<Log>);

impl EmbeddedBus {
    /// Opens or creates the log at `path` and starts its watcher, which ends with the bus and its
    /// readers.
    pub(crate) fn open(path: &Path) -> Result<Self, BusError> {
        let log = Arc::new(Log {
            path: path.to_owned(),
            changes: watch::Sender::new(0),
            writer: Mutex::new(file::open(path)?),
            reader: Mutex::new(file::open(path)?),
            bell: Bell::new(path),
        });
        watcher::start(&log)?;
        Ok(Self(log))
    }

    /// Runs blocking `work` (it may wait for a lock and for the disk) beside the caller's tasks.
    async fn blocking<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Log) -> Result<T, BusError> + Send + 'static,
    ) -> Result<T, BusError> {
        let log = self.0.clone();
        let path = log.path.clone();
        tokio::task::spawn_blocking(move || work(&log)).await.unwrap_or_else(|error| {
            Err(BusError::Unavailable {
                bus: path.display().to_string(),
                reason: format!("the runtime is stopping: {error}"),
            })
        })
    }
}

fn unknown(topic: &str) -> BusError {
    BusError::UnknownTopic { topic: topic.to_owned() }
}

#[async_trait]
impl Bus for EmbeddedBus {
    async fn create_topics(&self, topics: &[String]) -> Result<(), BusError> {
        let topics = topics.to_vec();
        self.blocking(move |log| {
            log.write(|transaction| {
                for name in &topics {
                    // Checked first: an ignored insert would use up an id.
                    if topic_row(transaction, name).map_err(|e| log.wrap(e))?.is_none() {
                        transaction
                            .execute("INSERT INTO topics (name) VALUES (?1)", [name])
                            .map_err(|error| log.wrap(error))?;
                    }
                }
                Ok(())
            })
        })
        .await
    }

    async fn append(&self, topic: &str, records: &[Record]) -> Result<u64, BusError> {
        check_sizes(topic, records)?;
        let (topic, records) = (topic.to_owned(), records.to_vec());
        self.blocking(move |log| {
            log.write(|transaction| {
                let row = topic_row(transaction, &topic)
                    .map_err(|error| log.wrap(error))?
                    .ok_or_else(|| unknown(&topic))?;
                insert(transaction, row, &records).map_err(|error| log.wrap(error))
            })
        })
        .await
    }

    async fn read(&self, topic: &str, start: Start) -> Result<Box<dyn Reader>, BusError> {
        Ok(Box::new(EmbeddedReader::open(self.0.clone(), topic, start)?))
    }

    async fn truncate(&self, topic: &str, below: u64) -> Result<(), BusError> {
        let topic = topic.to_owned();
        self.blocking(move |log| {
            log.write(|transaction| {
                let row = topic_row(transaction, &topic)
                    .map_err(|error| log.wrap(error))?
                    .ok_or_else(|| unknown(&topic))?;
                let below =
                    i64::try_from(below).unwrap_or(i64::MAX).min(row.next).max(row.earliest);
                transaction
                    .execute(
                        "DELETE FROM records WHERE topic = ?1 AND \"offset\" < ?2",
                        (row.topic, below),
                    )
                    .and_then(|_| {
                        transaction.execute(
                            "UPDATE topics SET earliest = ?2 WHERE topic = ?1",
                            (row.topic, below),
                        )
                    })
                    .map_err(|error| log.wrap(error))?;
                Ok(())
            })
        })
        .await
    }

    async fn info(&self, topic: &str) -> Result<TopicInfo, BusError> {
        let row = topic_row(&self.0.reading(), topic).map_err(|error| self.0.wrap(error))?;
        let row = row.ok_or_else(|| unknown(topic))?;
        Ok(TopicInfo { earliest: row.earliest.cast_unsigned(), next: row.next.cast_unsigned() })
    }
}

/// Appends `records` and returns the last one's offset; of no records, the offset before the next.
fn insert(
    transaction: &rusqlite::Transaction<'_>,
    topic: TopicRow,
    records: &[Record],
) -> rusqlite::Result<u64> {
    let mut statement = transaction.prepare_cached(
        "INSERT INTO records (topic, \"offset\", id, type, \"from\", \"to\", session, incarnation,
             sequence, version, sealed, body)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12)",
    )?;
    let mut next = topic.next;
    for record in records {
        let [id, kind, from, to, session, incarnation, sequence, version, sealed] =
            record.headers().map(|(_, value)| value);
        statement.execute(rusqlite::params![
            topic.topic,
            next,
            id,
            kind,
            from,
            to,
            session,
            incarnation,
            sequence,
            version,
            sealed,
            record.body,
        ])?;
        next += 1;
    }
    transaction.execute("UPDATE topics SET next = ?2 WHERE topic = ?1", (topic.topic, next))?;
    Ok(next.saturating_sub(1).cast_unsigned())
}
