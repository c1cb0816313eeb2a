//! What is said on the processor's topic, by family: key generation, signing, vaults.
//!
//! The family is the first part of a record's type (`keygen.start`, `signing.sign`,
//! `vault.executed`) and chooses the decoder.

use serai_messages::{SessionId, decode_in, encode_in, keygen, signing, vault};

/// What a coordinator asks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Request {
    /// Of key generation.
    Keygen(Box<keygen::CoordinatorMessage>),
    /// Of signing.
    Signing(Box<signing::CoordinatorMessage>),
    /// Of vaults: Serai's finalized events.
    Vault(Box<vault::CoordinatorMessage>),
}

impl Request {
    /// Reads the body of a record of type `kind`, in `version`.
    ///
    /// # Errors
    /// Why the record cannot be read, for the dead letters.
    pub fn read(version: u16, kind: &str, body: &[u8]) -> Result<Self, String> {
        let family = kind.split_once('.').map_or(kind, |(family, _)| family);
        let request = match family {
            "keygen" => decode_in(version, body).map(|it| Request::Keygen(Box::new(it))),
            "signing" => decode_in(version, body).map(|it| Request::Signing(Box::new(it))),
            "vault" => decode_in(version, body).map(|it| Request::Vault(Box::new(it))),
            _ => return Err(format!("no processor is asked a {kind:?}")),
        };
        let request = request.map_err(|error| error.to_string())?;
        if request.kind() != kind {
            return Err(format!("its type is {kind:?}, its body is a {}", request.kind()));
        }
        Ok(request)
    }

    /// Record type.
    pub fn kind(&self) -> &'static str {
        match self {
            Request::Keygen(message) => message.kind(),
            Request::Signing(message) => message.kind(),
            Request::Vault(message) => message.kind(),
        }
    }

    /// Whether a folder that takes an earlier one's place takes this up although it was said to that
    /// one: what has happened on Serai, never what was begun together.
    pub fn outlives_folder(kind: &str) -> bool {
        kind == "keygen.confirmed" || kind.starts_with("vault.")
    }

    /// What this is about, for the log.
    pub fn subject(&self) -> String {
        match self {
            Request::Keygen(message) => message.intent(),
            Request::Signing(message) => message.id().to_string(),
            Request::Vault(message) => message.intent(),
        }
    }
}

/// What a processor says to its coordinator.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answer {
    /// Of key generation.
    Keygen(keygen::ProcessorMessage),
    /// Of signing.
    Signing(signing::ProcessorMessage),
    /// Of vaults: what is seen on the external chain.
    Vault(vault::ProcessorMessage),
}

impl Answer {
    /// Record type.
    pub fn kind(&self) -> String {
        match self {
            Answer::Keygen(message) => message.kind(),
            Answer::Signing(message) => message.kind().to_owned(),
            Answer::Vault(message) => message.kind().to_owned(),
        }
    }

    /// Intent id: the same whenever this is said again.
    pub fn intent(&self) -> String {
        match self {
            Answer::Keygen(message) => format!("{}/{}", message.id(), message.kind()),
            Answer::Signing(message) => message.intent(),
            Answer::Vault(message) => message.intent(),
        }
    }

    /// The session that this belongs to; empty where none.
    pub fn session(&self) -> String {
        match self {
            Answer::Keygen(message) => SessionId::Keygen(message.id().set).to_string(),
            Answer::Signing(message) => SessionId::Signing(message.id()).to_string(),
            Answer::Vault(
                vault::ProcessorMessage::Published { id, .. }
                | vault::ProcessorMessage::Completed { id, .. },
            ) => SessionId::Signing(*id).to_string(),
            Answer::Vault(_) => String::new(),
        }
    }

    /// The record's body, in `version`.
    pub fn body(&self, version: u16) -> Vec<u8> {
        match self {
            Answer::Keygen(message) => encode_in(version, message),
            Answer::Signing(message) => encode_in(version, message),
            Answer::Vault(message) => encode_in(version, message),
        }
    }
}

impl From<keygen::ProcessorMessage> for Answer {
    fn from(message: keygen::ProcessorMessage) -> Self {
        Answer::Keygen(message)
    }
}

impl From<signing::ProcessorMessage> for Answer {
    fn from(message: signing::ProcessorMessage) -> Self {
        Answer::Signing(message)
    }
}

impl From<vault::ProcessorMessage> for Answer {
    fn from(message: vault::ProcessorMessage) -> Self {
        Answer::Vault(message)
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]
mod tests {
    use serai_messages::observation::SeraiBlock;
    use serai_messages::{BlockHash, BlockNumber, Coin, Session, VERSION, ValidatorSet, encode};

    use super::*;

    #[test]
    fn the_types_first_part_chooses_the_decoder() {
        let set = ValidatorSet { coin: Coin::Btc, session: Session(1) };
        let block = SeraiBlock { number: BlockNumber(4), hash: BlockHash([4; 32]) };
        let message = vault::CoordinatorMessage::HandedOver { set, block };
        let body = encode(&message);
        let request = Request::read(VERSION, message.kind(), &body).unwrap();
        assert_eq!(request, Request::Vault(Box::new(message)));
        let reason = Request::read(VERSION, "vault.retired", &body).unwrap_err();
        assert!(reason.contains("vault.handed-over"), "{reason}");
        Request::read(VERSION, "signing.sign", &body).unwrap_err();
        let reason = Request::read(VERSION, "control.key", &body).unwrap_err();
        assert!(reason.contains("control.key"), "{reason}");
        assert!(Request::outlives_folder("vault.retired"));
        assert!(!Request::outlives_folder("signing.sign"));
    }
}
