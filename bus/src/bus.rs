//! The one trait that both buses implement, with its promise.

use async_trait::async_trait;
use serai_messages::{IntentId, InvalidRecord, Record};

/// The last record that a reader has handled. Offset *and* id: when reading resumes, the record is
/// read again and must match, else the topic is not the one that the reader knew (DESIGN D1).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Position {
    /// Offset of the record in its topic.
    pub offset: u64,
    /// Id of the record; `None` where that record had no readable id.
    pub id: Option<IntentId>,
}

/// Where reading begins.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Start {
    /// After a record that was handled. Refused with [`BusError::Diverged`] when the topic holds
    /// another record there, or none.
    After(Position),
    /// At the oldest record still held.
    Earliest,
    /// After the newest record.
    Latest,
}

/// What stands on a topic and is no record, kept for the dead letter.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Undecodable {
    /// Why, for people.
    pub reason: String,
    /// Header names and values as far as they are text, at most [`Undecodable::MAX_HEADERS`] of at
    /// most [`Record::MAX_HEADER_BYTES`] each.
    pub headers: Vec<(String, String)>,
    /// The body's first bytes, at most [`Undecodable::MAX_BODY_BYTES`].
    pub body: Vec<u8>,
    /// Length of the whole body, in bytes.
    pub body_bytes: usize,
}

impl Undecodable {
    /// Most headers that are kept.
    pub const MAX_HEADERS: usize = 16;

    /// Most bytes of the body that are kept.
    pub const MAX_BODY_BYTES: usize = 64 * 1024;

    /// Keeps the body of a record whose headers cannot be told.
    pub(crate) fn unreadable(reason: &str, body: &[u8]) -> Self {
        Self {
            reason: reason.to_owned(),
            headers: Vec::new(),
            body: capped(body, Self::MAX_BODY_BYTES).to_vec(),
            body_bytes: body.len(),
        }
    }

    /// Keeps what the caps allow.
    pub(crate) fn new<'a>(
        reason: &InvalidRecord,
        headers: impl Iterator<Item = (&'a str, &'a [u8])>,
        body: &[u8],
    ) -> Self {
        let text = |bytes: &[u8]| {
            String::from_utf8_lossy(capped(bytes, Record::MAX_HEADER_BYTES)).into_owned()
        };
        Self {
            reason: reason.to_string(),
            headers: headers
                .take(Self::MAX_HEADERS)
                .map(|(name, value)| (text(name.as_bytes()), text(value)))
                .collect(),
            body: capped(body, Self::MAX_BODY_BYTES).to_vec(),
            body_bytes: body.len(),
        }
    }
}

fn capped(bytes: &[u8], cap: usize) -> &[u8] {
    bytes.get(..cap).unwrap_or(bytes)
}

/// One record as it was read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Delivered {
    /// Its offset.
    pub offset: u64,
    /// The record, or why it is none; the reader goes on after either.
    pub record: Result<Record, Undecodable>,
}

impl Delivered {
    /// The position to commit once this is handled.
    pub fn position(&self) -> Position {
        Position { offset: self.offset, id: self.record.as_ref().ok().map(|r| r.id.clone()) }
    }
}

/// What a topic holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TopicInfo {
    /// Offset of the oldest record still held; equals `next` when empty.
    pub earliest: u64,
    /// Offset that the next record will get.
    pub next: u64,
}

/// What a bus can refuse.
#[derive(Debug, thiserror::Error)]
pub enum BusError {
    /// The topic does not exist.
    #[error("topic {topic:?} does not exist on the bus; create it or start its owner once")]
    UnknownTopic {
        /// The topic.
        topic: String,
    },
    /// The record at a stored position is not the one that was handled there.
    #[error(
        "topic {topic:?} is not the one read before: expected record {expected} at offset \
         {offset}, found {found}; it was recreated or lost data. Check the bus, then tell the \
         reader to go on with `topics resume {topic}`"
    )]
    Diverged {
        /// The topic.
        topic: String,
        /// The stored offset.
        offset: u64,
        /// Id of the record that was handled there.
        expected: String,
        /// What stands there now.
        found: String,
    },
    /// The record is over the cap.
    #[error("record {id} for topic {topic:?} has a body of {actual} bytes; the cap is {cap} bytes")]
    TooLarge {
        /// The topic.
        topic: String,
        /// The record's id.
        id: String,
        /// Its size.
        actual: usize,
        /// The size allowed.
        cap: usize,
    },
    /// The bus cannot be reached or answered with a passing fault; the call may be repeated.
    #[error("bus {bus} is not available: {reason}")]
    Unavailable {
        /// Where the bus is.
        bus: String,
        /// What it said.
        reason: String,
    },
    /// The bus is set up in a way that breaks the promise.
    #[error("bus {bus} is not fit for use: {reason}")]
    Unfit {
        /// Where the bus is.
        bus: String,
        /// What is wrong and what to do.
        reason: String,
    },
}

/// A message bus. **Promise**: at least once, in order per topic. [`Bus::append`] returns once the
/// record survives a crash of the bus; appends from one caller that awaits each land in that order.
/// A record appended twice stands twice: receivers drop repeats ([`crate::exchange::accept`]).
#[async_trait]
pub trait Bus: Send + Sync + std::fmt::Debug {
    /// Creates the topics that do not exist, each with one partition and without expiry.
    async fn create_topics(&self, topics: &[String]) -> Result<(), BusError>;

    /// Appends records in order and returns the offset of the last one once all are durable.
    /// On an error any prefix may have been appended.
    async fn append(&self, topic: &str, records: &[Record]) -> Result<u64, BusError>;

    /// Opens a reader.
    async fn read(&self, topic: &str, start: Start) -> Result<Box<dyn Reader>, BusError>;

    /// Drops records below `below`. The record at each reader's position must stay, for resuming
    /// reads it again: pass at most the lowest handled offset.
    async fn truncate(&self, topic: &str, below: u64) -> Result<(), BusError>;

    /// Like [`Bus::read`], on behalf of the consumer `reader`, under whose name progress is
    /// reported to lag monitors where the bus has them.
    async fn read_as(
        &self,
        _reader: &str,
        topic: &str,
        start: Start,
    ) -> Result<Box<dyn Reader>, BusError> {
        self.read(topic, start).await
    }

    /// What the topic holds.
    async fn info(&self, topic: &str) -> Result<TopicInfo, BusError>;
}

/// One reader of one topic.
#[async_trait]
pub trait Reader: Send {
    /// The next record; waits for it. Cancel safe: a record that was not returned comes next time.
    /// [`BusError::Unavailable`] may be retried on the same reader.
    async fn next(&mut self) -> Result<Delivered, BusError>;

    /// Tells the bus, for lag monitors only, that everything up to `offset` is handled.
    async fn report(&mut self, offset: u64);
}

/// Refuses a batch with a record over the cap before any of it is sent.
pub(crate) fn check_sizes(topic: &str, records: &[Record]) -> Result<(), BusError> {
    match records.iter().find(|record| record.body.len() > Record::MAX_BODY_BYTES) {
        Some(record) => Err(BusError::TooLarge {
            topic: topic.to_owned(),
            id: record.id.to_string(),
            actual: record.body.len(),
            cap: Record::MAX_BODY_BYTES,
        }),
        None => Ok(()),
    }
}

/// Reads a record from a topic's headers and body, whatever they hold.
pub(crate) fn read_record<'a>(
    headers: &[(&'a str, &'a [u8])],
    body: &[u8],
) -> Result<Record, Undecodable> {
    let find = |name: &str| headers.iter().find(|(found, _)| *found == name).map(|(_, v)| *v);
    // Checked before the copy: the size is the writer's choice.
    let record = if body.len() > Record::MAX_BODY_BYTES {
        Err(InvalidRecord::TooLarge { actual: body.len(), cap: Record::MAX_BODY_BYTES })
    } else {
        Record::from_parts(find, body.to_vec())
    };
    record.map_err(|reason| Undecodable::new(&reason, headers.iter().copied(), body))
}

/// What stands at a position, for [`BusError::Diverged`].
pub(crate) fn found_in_words(position: Option<&Position>) -> String {
    match position {
        Some(Position { id: Some(id), .. }) => id.to_string(),
        Some(Position { id: None, .. }) => "an undecodable record".to_owned(),
        None => "none".to_owned(),
    }
}
