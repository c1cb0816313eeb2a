//! The sealed conversation with one processor, over `{name}-{chain}`.

use rand_core::OsRng;
use rusqlite::Transaction;
use serai_bus::sealing::{open, seal};
use serai_bus::{SealError, SecretKey, exchange};
use serai_messages::control::{Heartbeat, KeyAnnouncement};
use serai_messages::{
    Coin, Endpoint, Incarnation, IntentId, Name, ProcessorKey, Record, Sequence, Topic, VERSION,
    decode, encode, keygen,
};

/// What a processor said.
#[derive(Debug)]
pub enum Incoming {
    /// Its public key, in the clear.
    Key(KeyAnnouncement),
    /// It is alive.
    Heartbeat(Heartbeat),
    /// About key generation.
    Keygen(keygen::ProcessorMessage),
}

/// Why a record of the processor could not be read; goes to the dead letter.
#[derive(Debug, thiserror::Error)]
pub enum Unreadable {
    /// A newer program wrote it.
    #[error("encoding version {0} is not known here (this program speaks {VERSION}); upgrade it")]
    Version(u16),
    /// It should have been sealed, or should not have been.
    #[error("record of type {0:?} is not sealed")]
    Clear(String),
    /// Sealed by somebody else, to somebody else, or changed on the way.
    #[error("record does not open: {0}")]
    Sealed(#[from] SealError),
    /// The processor has not announced its key on this topic yet.
    #[error("sealed before the processor's key was known; it resends under its key")]
    UnknownKey,
    /// The body is no message of its type.
    #[error(transparent)]
    Body(#[from] serai_messages::DecodeError),
    /// No such type.
    #[error("unknown record type {0:?}")]
    Kind(String),
    /// Another coin's.
    #[error("message is about {found}, the topic is of {expected}")]
    Coin {
        /// The topic's coin.
        expected: Coin,
        /// The message's.
        found: Coin,
    },
}

/// Why a message could not be sent.
#[derive(Debug, thiserror::Error)]
pub enum SendError {
    /// The database's error.
    #[error(transparent)]
    Sqlite(#[from] rusqlite::Error),
    /// Sealing failed.
    #[error("cannot seal a message for the {coin} processor: {source}")]
    Seal {
        /// The processor's coin.
        coin: Coin,
        /// What the library said.
        source: SealError,
    },
    /// The processor's key is not known.
    #[error("the {0} processor's public key is not known yet")]
    UnknownKey(Coin),
    /// An intent id that this program made is none; a fault of ours.
    #[error(transparent)]
    Id(#[from] serai_messages::InvalidId),
}

/// One processor's conversation, from the coordinator's side.
#[derive(Debug)]
pub struct Conversation {
    /// The processor's coin.
    pub coin: Coin,
    /// Full name of the topic.
    pub topic: String,
    /// The processor's key, once known and accepted.
    pub processor: Option<ProcessorKey>,
    own: SecretKey,
    incarnation: Incarnation,
}

impl Conversation {
    /// The conversation of `name` with its processor of `coin`.
    pub fn new(name: &Name, coin: Coin, own: SecretKey, incarnation: Incarnation) -> Self {
        let topic = Topic::Chain(coin).full_name(name);
        Self { coin, topic, processor: None, own, incarnation }
    }

    /// Stores the announcement of the coordinator's key for publishing (SEED, "Publish Pubkey to
    /// Processor Topics").
    ///
    /// # Errors
    /// The database's.
    pub fn announce(&self, transaction: &Transaction<'_>) -> Result<(), SendError> {
        let announcement = KeyAnnouncement {
            coin: self.coin,
            key: self.own.public(),
            incarnation: self.incarnation,
        };
        let sequence = self.next_sequence(transaction)?;
        let id = IntentId::new(format!("control/key/coordinator/{}/{sequence}", self.incarnation))?;
        let record = self.record(id, "control.key", String::new(), sequence, encode(&announcement));
        exchange::enqueue(transaction, &self.topic, &record)?;
        Ok(())
    }

    /// Seals and stores a message for publishing.
    ///
    /// # Errors
    /// [`SendError`].
    pub fn send(
        &self,
        transaction: &Transaction<'_>,
        message: &keygen::CoordinatorMessage,
    ) -> Result<(), SendError> {
        let processor = self.processor.ok_or(SendError::UnknownKey(self.coin))?;
        let sequence = self.next_sequence(transaction)?;
        let id = IntentId::new(message.intent())?;
        let session = format!("keygen/{}", message.set());
        let mut record = self.record(id, message.kind(), session, sequence, encode(message));
        seal(&mut record, &self.own, &processor, &mut OsRng)
            .map_err(|source| SendError::Seal { coin: self.coin, source })?;
        exchange::enqueue(transaction, &self.topic, &record)?;
        Ok(())
    }

    /// Reads a record that the processor wrote.
    ///
    /// # Errors
    /// [`Unreadable`], with the reason for the dead letter.
    pub fn read(&self, record: &Record) -> Result<Incoming, Unreadable> {
        if record.version != VERSION {
            return Err(Unreadable::Version(record.version));
        }
        if record.kind == "control.key" {
            let announcement: KeyAnnouncement = decode(&record.body)?;
            self.check_coin(announcement.coin)?;
            return Ok(Incoming::Key(announcement));
        }
        if !record.sealed {
            return Err(Unreadable::Clear(record.kind.clone()));
        }
        let processor = self.processor.ok_or(Unreadable::UnknownKey)?;
        let body = open(record, &self.own, &processor)?;
        if record.kind == "control.heartbeat" {
            return Ok(Incoming::Heartbeat(decode(&body)?));
        }
        if record.kind.starts_with("keygen.") {
            let message: keygen::ProcessorMessage = decode(&body)?;
            self.check_coin(message.id().set.coin)?;
            return Ok(Incoming::Keygen(message));
        }
        Err(Unreadable::Kind(record.kind.clone()))
    }

    fn check_coin(&self, found: Coin) -> Result<(), Unreadable> {
        if found == self.coin {
            return Ok(());
        }
        Err(Unreadable::Coin { expected: self.coin, found })
    }

    fn next_sequence(&self, transaction: &Transaction<'_>) -> rusqlite::Result<Sequence> {
        let to = Endpoint::Processor(self.coin);
        exchange::next_sequence(transaction, &self.topic, to, self.incarnation)
    }

    fn record(
        &self,
        id: IntentId,
        kind: &str,
        session: String,
        sequence: Sequence,
        body: Vec<u8>,
    ) -> Record {
        Record {
            id,
            kind: kind.to_owned(),
            from: Endpoint::Coordinator,
            to: Endpoint::Processor(self.coin),
            session,
            incarnation: self.incarnation,
            sequence,
            version: VERSION,
            sealed: false,
            body,
        }
    }
}
