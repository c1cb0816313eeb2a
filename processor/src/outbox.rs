//! Records that the processor writes: made, sealed and stored in the caller's transaction.

use rand_core::OsRng;
use rusqlite::Transaction;
use serai_bus::{SealError, SecretKey, exchange, sealing};
use serai_messages::control::{Heartbeat, KeyAnnouncement};
use serai_messages::keygen::ProcessorMessage;
use serai_messages::{
    Coin, Endpoint, Incarnation, IntentId, InvalidId, ProcessorKey, Record, SessionId, VERSION,
    encode,
};

/// Type of a key announcement.
pub const ANNOUNCEMENT: &str = "control.key";

/// Type of a heartbeat.
pub const HEARTBEAT: &str = "control.heartbeat";

/// Type of a dead letter.
pub const DEAD_LETTER: &str = "dead-letter";

/// Body bytes that a dead letter quotes.
const QUOTED_BYTES: usize = 4096;

/// Why a record cannot be made.
#[derive(Debug, thiserror::Error)]
pub enum OutboxError {
    /// The database.
    #[error("processor's database: {0}")]
    Query(#[from] rusqlite::Error),
    /// Sealing for the coordinator.
    #[error(transparent)]
    Seal(#[from] SealError),
    /// An intent id of the processor's own making is none.
    #[error(transparent)]
    Id(#[from] InvalidId),
}

/// What records are made with.
#[derive(Debug)]
pub struct Outbox {
    /// The processor's coin.
    pub coin: Coin,
    /// `{name}-{coin}`.
    pub topic: String,
    /// `{name}-dead-letter`.
    pub dead_letter_topic: String,
    /// This folder's incarnation.
    pub incarnation: Incarnation,
    /// The sealing key.
    pub secret: SecretKey,
}

/// A record that could not be handled.
#[derive(Clone, Copy, Debug)]
pub struct DeadLetter<'a> {
    /// Its offset in the processor's topic.
    pub offset: u64,
    /// The record, where the bytes were one.
    pub record: Option<&'a Record>,
    /// The body.
    pub body: &'a [u8],
    /// Why it could not be handled.
    pub reason: &'a str,
}

impl Outbox {
    fn record(
        &self,
        transaction: &Transaction<'_>,
        topic: &str,
        to: Endpoint,
        id: &str,
        kind: &str,
    ) -> Result<Record, OutboxError> {
        let sequence = exchange::next_sequence(transaction, topic, to, self.incarnation)?;
        Ok(Record {
            id: IntentId::new(id.replace("{sequence}", &sequence.to_string()))?,
            kind: kind.to_owned(),
            from: Endpoint::Processor(self.coin),
            to,
            session: String::new(),
            incarnation: self.incarnation,
            sequence,
            version: VERSION,
            sealed: false,
            body: Vec::new(),
        })
    }

    fn seal(
        &self,
        transaction: &Transaction<'_>,
        mut record: Record,
        coordinator: &ProcessorKey,
    ) -> Result<(), OutboxError> {
        sealing::seal(&mut record, &self.secret, coordinator, &mut OsRng)?;
        exchange::enqueue(transaction, &self.topic, &record)?;
        Ok(())
    }

    /// An answer to the coordinator.
    ///
    /// # Errors
    /// [`OutboxError`].
    pub fn answer(
        &self,
        transaction: &Transaction<'_>,
        message: &ProcessorMessage,
        coordinator: &ProcessorKey,
    ) -> Result<(), OutboxError> {
        let (kind, id) = (message.kind(), message.id());
        let intent = format!("{id}/{kind}");
        let mut record =
            self.record(transaction, &self.topic, Endpoint::Coordinator, &intent, &kind)?;
        record.session = SessionId::Keygen(id.set).to_string();
        record.body = encode(message);
        self.seal(transaction, record, coordinator)
    }

    /// A sign of life.
    ///
    /// # Errors
    /// [`OutboxError`].
    pub fn heartbeat(
        &self,
        transaction: &Transaction<'_>,
        heartbeat: &Heartbeat,
        coordinator: &ProcessorKey,
    ) -> Result<(), OutboxError> {
        let intent = format!("heartbeat/{}/{}/{{sequence}}", self.coin, self.incarnation);
        let mut record =
            self.record(transaction, &self.topic, Endpoint::Coordinator, &intent, HEARTBEAT)?;
        record.body = encode(heartbeat);
        self.seal(transaction, record, coordinator)
    }

    /// The public key, in the clear.
    ///
    /// # Errors
    /// [`OutboxError`].
    pub fn announcement(&self, transaction: &Transaction<'_>) -> Result<(), OutboxError> {
        let intent = format!("announcement/{}/{}/{{sequence}}", self.coin, self.incarnation);
        let mut record =
            self.record(transaction, &self.topic, Endpoint::Coordinator, &intent, ANNOUNCEMENT)?;
        record.body = encode(&KeyAnnouncement {
            coin: self.coin,
            key: self.secret.public(),
            incarnation: self.incarnation,
        });
        exchange::enqueue(transaction, &self.topic, &record)?;
        Ok(())
    }

    /// A record for the dead letters: JSON with where it stood, its headers, the reason, and the
    /// beginning of its body. A sealed body stays sealed.
    ///
    /// # Errors
    /// [`OutboxError`].
    pub fn dead_letter(
        &self,
        transaction: &Transaction<'_>,
        letter: DeadLetter<'_>,
    ) -> Result<(), OutboxError> {
        let topic = &self.dead_letter_topic;
        let intent = format!("dead-letter/{}/{}/{}", self.topic, self.incarnation, letter.offset);
        let mut record = self.record(transaction, topic, Endpoint::Anyone, &intent, DEAD_LETTER)?;
        let quoted = letter.body.get(..QUOTED_BYTES).unwrap_or(letter.body);
        let text = serde_json::json!({
            "topic": self.topic,
            "offset": letter.offset,
            "reason": letter.reason,
            "id": letter.record.map(|record| record.id.to_string()),
            "type": letter.record.map(|record| record.kind.clone()),
            "from": letter.record.map(|record| record.from.to_string()),
            "body_bytes": letter.body.len(),
            "body": hex::encode(quoted),
        });
        record.body = text.to_string().into_bytes();
        exchange::enqueue(transaction, topic, &record)?;
        Ok(())
    }
}
