//! Records that could not be handled, kept with the reason.
//!
//! # Owns
//! The form of what stands on `{name}-dead-letter`.
//!
//! # Promises
//! A letter is enqueued in the transaction that moves the reader on, so that what is bad blocks
//! nothing and is lost from sight by nobody.
//!
//! # Limits
//! Of the original body the first [`Undecodable::MAX_BODY_BYTES`] are kept. A sealed body stays
//! sealed; what was opened must not be put here.

use rusqlite::Transaction;
use serai_messages::{Endpoint, Incarnation, IntentId, Name, Record, Topic, VERSION};
use serde::{Deserialize, Serialize};

use crate::exchange::{self, Consumer};
use crate::{Delivered, Undecodable};

/// One letter: JSON, for it is read by people and by whatever tool they have.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DeadLetter {
    /// The consumer that could not handle the record.
    pub reader: String,
    /// Topic on which the record stands.
    pub topic: String,
    /// Its offset there.
    pub offset: u64,
    /// Why it could not be handled.
    pub reason: String,
    /// Its headers, names and values.
    pub headers: Vec<(String, String)>,
    /// Its body's first bytes.
    #[serde(with = "hex::serde")]
    pub body: Vec<u8>,
    /// Length of its whole body, in bytes.
    pub body_bytes: usize,
}

impl DeadLetter {
    /// Type of the records that hold letters.
    pub const KIND: &str = "dead-letter";

    /// A letter about what `consumer` read. `reason` is for a record that decoded and was refused
    /// later, for example because it did not open; one that did not decode brings its own, and
    /// `reason`, if not empty, is added to it.
    pub fn new(consumer: Consumer<'_>, delivered: &Delivered, reason: &str) -> Self {
        let (headers, body, body_bytes, own) = match &delivered.record {
            Ok(record) => {
                let kept = record.body.len().min(Undecodable::MAX_BODY_BYTES);
                let headers =
                    record.headers().map(|(header, value)| (header.name().to_owned(), value));
                let body = record.body.get(..kept).unwrap_or_default().to_vec();
                (headers.to_vec(), body, record.body.len(), "")
            }
            Err(bad) => {
                (bad.headers.clone(), bad.body.clone(), bad.body_bytes, bad.reason.as_str())
            }
        };
        let reason = match (own, reason) {
            ("", reason) => reason.to_owned(),
            (own, "") => own.to_owned(),
            (own, reason) => format!("{own}; {reason}"),
        };
        Self {
            reader: consumer.reader.to_owned(),
            topic: consumer.topic.to_owned(),
            offset: delivered.offset,
            reason,
            headers,
            body,
            body_bytes,
        }
    }

    /// Reads a letter from a record of the dead-letter topic.
    ///
    /// # Errors
    /// When the record's body is no letter.
    pub fn read(record: &Record) -> Result<Self, serde_json::Error> {
        serde_json::from_slice(&record.body)
    }

    /// Enqueues the letter for `{name}-dead-letter`, written by `from` in `incarnation`. Wake that
    /// topic's publisher after the commit. Logs a warning with the reason.
    ///
    /// # Errors
    /// SQLite's.
    pub fn enqueue(
        &self,
        transaction: &Transaction<'_>,
        name: &Name,
        from: Endpoint,
        incarnation: Incarnation,
    ) -> rusqlite::Result<()> {
        let failed = |error: Box<dyn std::error::Error + Send + Sync>| {
            rusqlite::Error::ToSqlConversionFailure(error)
        };
        let topic = Topic::DeadLetter.full_name(name);
        let id = format!("dead-letter/{}/{}/{}", self.reader, self.topic, self.offset);
        let record = Record {
            id: IntentId::new(id).map_err(|error| failed(error.into()))?,
            kind: Self::KIND.to_owned(),
            from,
            to: Endpoint::Anyone,
            session: String::new(),
            incarnation,
            sequence: exchange::next_sequence(transaction, &topic, Endpoint::Anyone, incarnation)?,
            version: VERSION,
            sealed: false,
            body: serde_json::to_vec(self).map_err(|error| failed(error.into()))?,
        };
        tracing::warn!(
            reader = self.reader,
            topic = self.topic,
            offset = self.offset,
            reason = self.reason,
            "record goes to the dead letters"
        );
        exchange::enqueue(transaction, &topic, &record)
    }
}
