//! One reader of one topic.

use std::collections::VecDeque;
use std::sync::Arc;

use async_trait::async_trait;
use rusqlite::{Connection, OptionalExtension, types::ValueRef};
use serai_messages::Header;
use tokio::sync::watch;

use super::log::{Log, TopicRow, topic_row};
use crate::bus::{found_in_words, read_record};
use crate::{BusError, Delivered, Position, Reader, Start};

/// Bodies read ahead, in bytes; at least one record is, whatever its size.
const READ_AHEAD_BYTES: usize = 1024 * 1024;

/// Records read ahead.
const READ_AHEAD: i64 = 256;

pub(super) struct EmbeddedReader {
    log: Arc<Log>,
    name: String,
    /// The topic's row when reading began.
    topic: i64,
    /// Offset of the next record to fetch.
    next: i64,
    /// What stood before `next`, for people.
    handled: String,
    fetched: VecDeque<Delivered>,
    changes: watch::Receiver<u64>,
}

impl EmbeddedReader {
    pub(super) fn open(log: Arc<Log>, name: &str, start: Start) -> Result<Self, BusError> {
        // Subscribed before the first look, so that nothing appended in between is missed.
        let changes = log.changes.subscribe();
        let connection = log.reading();
        let row = topic_row(&connection, name)
            .map_err(|error| log.wrap(error))?
            .ok_or_else(|| BusError::UnknownTopic { topic: name.to_owned() })?;
        let next = match start {
            Start::Earliest => row.earliest,
            Start::Latest => row.next,
            Start::After(position) => after(&log, &connection, name, row, &position)?,
        };
        drop(connection);
        Ok(Self {
            log,
            name: name.to_owned(),
            topic: row.topic,
            next,
            handled: "any".to_owned(),
            fetched: VecDeque::new(),
            changes,
        })
    }

    /// Reads ahead, or says that the topic is another one by now.
    fn fetch(&mut self) -> Result<(), BusError> {
        let log = self.log.clone();
        let connection = log.reading();
        // One transaction, so that the topic's row and its records belong together.
        let transaction =
            connection.unchecked_transaction().map_err(|error| self.log.wrap(error))?;
        let row = topic_row(&transaction, &self.name).map_err(|error| self.log.wrap(error))?;
        match row {
            Some(row)
                if row.topic == self.topic && (row.earliest..=row.next).contains(&self.next) => {}
            Some(row) if row.topic == self.topic => {
                return Err(
                    self.diverged(&format!("records {} to {} alone", row.earliest, row.next))
                );
            }
            Some(_) => return Err(self.diverged("a topic created since")),
            None => return Err(self.diverged("no topic of this name")),
        }
        self.fetched =
            records(&transaction, self.topic, self.next).map_err(|error| self.log.wrap(error))?;
        if let Some(last) = self.fetched.back() {
            self.next = last.offset.cast_signed() + 1;
        }
        Ok(())
    }

    fn diverged(&self, found: &str) -> BusError {
        BusError::Diverged {
            topic: self.name.clone(),
            offset: self.next.cast_unsigned(),
            expected: self.handled.clone(),
            found: found.to_owned(),
        }
    }
}

#[async_trait]
impl Reader for EmbeddedReader {
    async fn next(&mut self) -> Result<Delivered, BusError> {
        loop {
            if let Some(delivered) = self.fetched.pop_front() {
                return Ok(delivered);
            }
            self.changes.borrow_and_update();
            self.fetch()?;
            if self.fetched.is_empty() {
                // The sender lives in the log that this reader holds.
                let _ = self.changes.changed().await;
            }
        }
    }

    async fn report(&mut self, _offset: u64) {
        // The log has no lag monitors.
    }
}

/// The offset after `position`, if the record there is the one that was handled.
fn after(
    log: &Log,
    connection: &Connection,
    name: &str,
    topic: TopicRow,
    position: &Position,
) -> Result<i64, BusError> {
    let offset = position.offset.cast_signed();
    let there = connection
        .prepare_cached(&format!("{SELECT} AND \"offset\" = ?2"))
        .and_then(|mut statement| statement.query_row((topic.topic, offset), delivered).optional())
        .map_err(|error| log.wrap(error))?;
    match there {
        Some(there) if there.position() == *position => Ok(offset + 1),
        there => Err(BusError::Diverged {
            topic: name.to_owned(),
            offset: position.offset,
            expected: found_in_words(Some(position)),
            found: found_in_words(there.map(|there| there.position()).as_ref()),
        }),
    }
}

const SELECT: &str = "SELECT \"offset\", body, id, type, \"from\", \"to\", session, incarnation,
    sequence, version, sealed FROM records WHERE topic = ?1";

fn records(
    connection: &Connection,
    topic: i64,
    from: i64,
) -> rusqlite::Result<VecDeque<Delivered>> {
    let mut statement = connection.prepare_cached(&format!(
        "{SELECT} AND \"offset\" >= ?2 ORDER BY \"offset\" LIMIT {READ_AHEAD}"
    ))?;
    let mut rows = statement.query((topic, from))?;
    let (mut fetched, mut bytes) = (VecDeque::new(), 0);
    while let Some(row) = rows.next()? {
        let delivered = delivered(row)?;
        bytes += delivered.record.as_ref().map_or(0, |record| record.body.len());
        fetched.push_back(delivered);
        if bytes >= READ_AHEAD_BYTES {
            break;
        }
    }
    Ok(fetched)
}

fn delivered(row: &rusqlite::Row<'_>) -> rusqlite::Result<Delivered> {
    let offset: i64 = row.get(0)?;
    // Whatever type another program stored: absent values and numbers are no headers.
    let bytes = |column: usize| match row.get_ref(column) {
        Ok(ValueRef::Text(bytes) | ValueRef::Blob(bytes)) => Some(bytes),
        _ => None,
    };
    let headers: Vec<_> = Header::ALL
        .iter()
        .enumerate()
        .filter_map(|(at, header)| Some((header.name(), bytes(at + 2)?)))
        .collect();
    let record = read_record(&headers, bytes(1).unwrap_or_default());
    Ok(Delivered { offset: offset.cast_unsigned(), record })
}
