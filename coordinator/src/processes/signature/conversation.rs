//! The sealed conversation with one processor, over `{name}-{chain}`.

use rand_core::OsRng;
use rusqlite::Transaction;
use serai_bus::sealing::{open, seal};
use serai_bus::{SealError, SecretKey, exchange};
use serai_messages::control::{Heartbeat, KeyAnnouncement};
use serai_messages::{
    Coin, Endpoint, Incarnation, IntentId, Name, ProcessorKey, Record, Sequence, SessionId, Topic,
    VERSION, decode, encode, keygen, signing, vault,
};

/// What a processor said. The family is the first part of the record's type (`keygen.shares`,
/// `signing.ready`, `vault.holdings`) and chooses the decoder.
#[derive(Debug)]
pub enum Incoming {
    /// Its public key, in the clear.
    Key(KeyAnnouncement),
    /// It is alive.
    Heartbeat(Heartbeat),
    /// About key generation.
    Keygen(keygen::ProcessorMessage),
    /// About signing.
    Signing(signing::ProcessorMessage),
    /// Of vaults: what it sees on the external chain.
    Vault(vault::ProcessorMessage),
}

impl Incoming {
    fn decode(kind: &str, body: &[u8]) -> Result<Self, Unreadable> {
        let family = kind.split_once('.').map_or(kind, |(family, _)| family);
        let incoming = match family {
            "control" if kind == "control.heartbeat" => Incoming::Heartbeat(decode(body)?),
            "keygen" => Incoming::Keygen(decode(body)?),
            "signing" => Incoming::Signing(decode(body)?),
            "vault" => Incoming::Vault(decode(body)?),
            _ => return Err(Unreadable::Kind(kind.to_owned())),
        };
        let found = match &incoming {
            Incoming::Signing(message) => message.kind(),
            Incoming::Vault(message) => message.kind(),
            Incoming::Key(_) | Incoming::Heartbeat(_) | Incoming::Keygen(_) => return Ok(incoming),
        };
        if found == kind {
            return Ok(incoming);
        }
        Err(Unreadable::OtherKind { kind: kind.to_owned(), found })
    }

    /// The coin that it is about; none of a heartbeat.
    fn coin(&self) -> Option<Coin> {
        match self {
            Incoming::Key(announcement) => Some(announcement.coin),
            Incoming::Heartbeat(_) => None,
            Incoming::Keygen(message) => Some(message.id().set.coin),
            Incoming::Signing(message) => Some(message.id().set.coin),
            Incoming::Vault(message) => Some(message.coin()),
        }
    }
}

/// What a processor is told.
#[derive(Clone, Copy, Debug)]
pub enum Outgoing<'a> {
    /// About key generation.
    Keygen(&'a keygen::CoordinatorMessage),
    /// About signing.
    Signing(&'a signing::CoordinatorMessage),
    /// Of vaults: Serai's finalized events.
    Vault(&'a vault::CoordinatorMessage),
}

impl Outgoing<'_> {
    /// Record type.
    fn kind(self) -> &'static str {
        match self {
            Outgoing::Keygen(message) => message.kind(),
            Outgoing::Signing(message) => message.kind(),
            Outgoing::Vault(message) => message.kind(),
        }
    }

    /// Intent id: the same whenever this is sent again. One thing is asked for a preprocess many
    /// times: there the place in the conversation tells one time from another.
    fn intent(self, place: (Incarnation, Sequence)) -> String {
        match self {
            Outgoing::Keygen(message) => message.intent(),
            Outgoing::Signing(message) => {
                format!("{}/{}/{}-{}", message.id(), message.kind(), place.0, place.1)
            }
            Outgoing::Vault(message) => message.intent(),
        }
    }

    /// The session that this belongs to; empty where none.
    fn session(self) -> String {
        match self {
            Outgoing::Keygen(message) => SessionId::Keygen(message.set()).to_string(),
            Outgoing::Signing(message) => SessionId::Signing(message.id()).to_string(),
            Outgoing::Vault(_) => String::new(),
        }
    }

    fn body(self) -> Vec<u8> {
        match self {
            Outgoing::Keygen(message) => encode(message),
            Outgoing::Signing(message) => encode(message),
            Outgoing::Vault(message) => encode(message),
        }
    }
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
    /// The body is of another type.
    #[error("record of type {kind:?} holds a {found}")]
    OtherKind {
        /// The record's type.
        kind: String,
        /// The body's.
        found: &'static str,
    },
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
        message: Outgoing<'_>,
    ) -> Result<(), SendError> {
        let processor = self.processor.ok_or(SendError::UnknownKey(self.coin))?;
        let sequence = self.next_sequence(transaction)?;
        let id = IntentId::new(message.intent((self.incarnation, sequence)))?;
        let (kind, session, body) = (message.kind(), message.session(), message.body());
        let mut record = self.record(id, kind, session, sequence, body);
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
        let incoming = Incoming::decode(&record.kind, &body)?;
        incoming.coin().map_or(Ok(()), |found| self.check_coin(found))?;
        Ok(incoming)
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
