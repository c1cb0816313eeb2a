//! Records that the processor writes: made, sealed and stored in the caller's transaction.

use rand_core::OsRng;
use rusqlite::Transaction;
use serai_bus::{SealError, SecretKey, exchange, sealing};
use serai_messages::control::{Heartbeat, KeyAnnouncement};
use serai_messages::{
    Coin, Endpoint, Incarnation, IntentId, InvalidId, ProcessorKey, Record, VERSION, encode,
};

use crate::conversation::Answer;

/// Type of a key announcement.
pub const ANNOUNCEMENT: &str = "control.key";

/// Type of a heartbeat.
pub const HEARTBEAT: &str = "control.heartbeat";

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
    /// This folder's incarnation.
    pub incarnation: Incarnation,
    /// The sealing key.
    pub secret: SecretKey,
}

impl Outbox {
    /// A record to the coordinator, without its body; `{sequence}` in `id` is filled in.
    fn record(
        &self,
        transaction: &Transaction<'_>,
        id: &str,
        kind: &str,
    ) -> Result<Record, OutboxError> {
        let to = Endpoint::Coordinator;
        let sequence = exchange::next_sequence(transaction, &self.topic, to, self.incarnation)?;
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
        answer: &Answer,
        coordinator: &ProcessorKey,
    ) -> Result<(), OutboxError> {
        let mut record = self.record(transaction, &answer.intent(), &answer.kind())?;
        record.session = answer.session();
        record.body = answer.body();
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
        let mut record = self.record(transaction, &intent, HEARTBEAT)?;
        record.body = encode(heartbeat);
        self.seal(transaction, record, coordinator)
    }

    /// The public key, in the clear.
    ///
    /// # Errors
    /// [`OutboxError`].
    pub fn announcement(&self, transaction: &Transaction<'_>) -> Result<(), OutboxError> {
        let intent = format!("announcement/{}/{}/{{sequence}}", self.coin, self.incarnation);
        let mut record = self.record(transaction, &intent, ANNOUNCEMENT)?;
        record.body = encode(&KeyAnnouncement {
            coin: self.coin,
            key: self.secret.public(),
            incarnation: self.incarnation,
        });
        exchange::enqueue(transaction, &self.topic, &record)?;
        Ok(())
    }
}
