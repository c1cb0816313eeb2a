//! The sealed conversation with one processor, over `{name}-{chain}`.

use rand_core::OsRng;
use rusqlite::Transaction;
use serai_bus::sealing::{open, seal};
use serai_bus::{SealError, SecretKey, exchange};
use serai_messages::control::{ANNOUNCEMENT_VERSION, Heartbeat, KeyAnnouncement};
use serai_messages::{
    Coin, Endpoint, Incarnation, IntentId, Name, ProcessorKey, Record, Sequence, SessionId, Topic,
    Versions, decode, decode_in, encode, encode_in, keygen, signing, vault,
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
    fn decode(version: u16, kind: &str, body: &[u8]) -> Result<Self, Unreadable> {
        let family = kind.split_once('.').map_or(kind, |(family, _)| family);
        let incoming = match family {
            "control" if kind == "control.heartbeat" => {
                Incoming::Heartbeat(decode_in(version, body)?)
            }
            "keygen" => Incoming::Keygen(decode_in(version, body)?),
            "signing" => Incoming::Signing(decode_in(version, body)?),
            "vault" => Incoming::Vault(decode_in(version, body)?),
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

    fn body(self, version: u16) -> Vec<u8> {
        match self {
            Outgoing::Keygen(message) => encode_in(version, message),
            Outgoing::Signing(message) => encode_in(version, message),
            Outgoing::Vault(message) => encode_in(version, message),
        }
    }
}

/// Why a record of the processor could not be read; goes to the dead letter.
#[derive(Debug, thiserror::Error)]
pub enum Unreadable {
    /// In a version that this program does not speak.
    #[error("message version {found}, this coordinator speaks {speaks}; {remedy}")]
    Version {
        /// Its version.
        found: u16,
        /// What this program speaks.
        speaks: Versions,
        /// What to do.
        remedy: &'static str,
    },
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
    /// Message versions that the processor speaks, as it announced last.
    pub processor_speaks: Versions,
    /// Those that this program speaks.
    speaks: Versions,
    own: SecretKey,
    incarnation: Incarnation,
}

impl Conversation {
    /// The conversation of `name` with its processor of `coin`, of a program of these versions.
    pub fn new(
        name: &Name,
        coin: Coin,
        own: SecretKey,
        incarnation: Incarnation,
        speaks: Versions,
    ) -> Self {
        let topic = Topic::Chain(coin).full_name(name);
        let processor_speaks = Versions::only(speaks.oldest);
        Self { coin, topic, processor: None, processor_speaks, speaks, own, incarnation }
    }

    /// Why the processor and this coordinator do not understand each other, if they do not.
    pub fn apart(&self) -> Option<String> {
        let theirs = self.processor_speaks;
        self.speaks.common(theirs).is_none().then(|| {
            let processor = format!("the {} processor", self.coin);
            self.speaks.apart("this coordinator", theirs, &processor)
        })
    }

    /// Whether the processor can be told something: its key is known, and a message version is spoken
    /// on both sides.
    pub fn is_open(&self) -> bool {
        self.processor.is_some() && self.apart().is_none()
    }

    /// The version of what the processor is told: the newest that both speak.
    fn version(&self) -> u16 {
        self.speaks.common(self.processor_speaks).map_or(self.speaks.oldest, |both| both.newest)
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
            speaks: self.speaks,
        };
        let sequence = self.next_sequence(transaction)?;
        let id = IntentId::new(format!("control/key/coordinator/{}/{sequence}", self.incarnation))?;
        let body = encode(&announcement);
        let mut record = self.record(id, "control.key", String::new(), sequence, body);
        record.version = ANNOUNCEMENT_VERSION;
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
        let (kind, session, body) =
            (message.kind(), message.session(), message.body(self.version()));
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
        // It says which versions are spoken, so it is the same in all of them.
        if record.kind == "control.key" {
            let announcement: KeyAnnouncement = decode(&record.body)?;
            self.check_coin(announcement.coin)?;
            return Ok(Incoming::Key(announcement));
        }
        if !self.speaks.contains(record.version) {
            let (found, speaks) = (record.version, self.speaks);
            let remedy = if found > speaks.newest { "upgrade it" } else { "upgrade the processor" };
            return Err(Unreadable::Version { found, speaks, remedy });
        }
        if !record.sealed {
            return Err(Unreadable::Clear(record.kind.clone()));
        }
        let processor = self.processor.ok_or(Unreadable::UnknownKey)?;
        let body = open(record, &self.own, &processor)?;
        let incoming = Incoming::decode(record.version, &record.kind, &body)?;
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
            version: self.version(),
            sealed: false,
            body,
        }
    }
}
