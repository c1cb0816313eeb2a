//! Records that the processor writes: made, sealed and stored in the caller's transaction.

use rand_core::OsRng;
use rusqlite::Transaction;
use serai_bus::{SealError, SecretKey, exchange, sealing};
use serai_messages::control::{ANNOUNCEMENT_VERSION, Heartbeat, KeyAnnouncement};
use serai_messages::{
    Coin, Endpoint, Incarnation, IntentId, InvalidId, ProcessorKey, Record, Versions, encode,
    encode_in,
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
    /// Message versions that this program speaks.
    pub speaks: Versions,
    /// Those that the coordinator speaks; the oldest, until it has said so.
    pub coordinator_speaks: Versions,
}

impl Outbox {
    /// The version of what the coordinator is told: the newest that both speak.
    fn version(&self) -> u16 {
        self.speaks.common(self.coordinator_speaks).map_or(self.speaks.oldest, |both| both.newest)
    }

    /// Why the coordinator and this processor do not understand each other, if they do not.
    pub fn apart(&self) -> Option<String> {
        let theirs = self.coordinator_speaks;
        let apart = || self.speaks.apart("this processor", theirs, "the coordinator");
        self.speaks.common(theirs).is_none().then(apart)
    }

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
            version: self.version(),
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
        record.body = answer.body(record.version);
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
        record.body = encode_in(record.version, heartbeat);
        self.seal(transaction, record, coordinator)
    }

    /// The public key, in the clear.
    ///
    /// # Errors
    /// [`OutboxError`].
    pub fn announcement(&self, transaction: &Transaction<'_>) -> Result<(), OutboxError> {
        let intent = format!("announcement/{}/{}/{{sequence}}", self.coin, self.incarnation);
        let mut record = self.record(transaction, &intent, ANNOUNCEMENT)?;
        record.version = ANNOUNCEMENT_VERSION;
        record.body = encode(&KeyAnnouncement {
            coin: self.coin,
            key: self.secret.public(),
            incarnation: self.incarnation,
            speaks: self.speaks,
        });
        exchange::enqueue(transaction, &self.topic, &record)?;
        Ok(())
    }
}
