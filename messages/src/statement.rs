//! What a validator says to other validators under its own key.
//!
//! A statement is signed once and can be shown to anyone: two different statements by one signer
//! for one [`Body::slot`] prove equivocation, whoever holds them.

use std::fmt;

use borsh::{BorshDeserialize, BorshSerialize};

use crate::{
    BlockHash, DecodeError, IntentId, SignatureBytes, ValidatorKey, ValidatorSet, decode, encode,
    keygen, signing,
};

/// Schnorrkel signing context of statements.
pub const STATEMENT_CONTEXT: &[u8] = b"serai-coordinator-statement";

/// Most validators that a set can have (Serai's limit on key shares).
pub const MAX_VALIDATORS: usize = 150;

/// Session that a statement or a record belongs to: one thing that a validator set does together,
/// over however many attempts.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, BorshSerialize, BorshDeserialize,
)]
pub enum SessionId {
    /// Key generation for a set; displayed `keygen/btc-0`.
    Keygen(ValidatorSet),
    /// Signing of a thing; displayed `sign/btc-0/batch/3`.
    Signing(signing::SigningId),
}

impl fmt::Display for SessionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            SessionId::Keygen(set) => write!(f, "keygen/{set}"),
            SessionId::Signing(id) => id.fmt(f),
        }
    }
}

/// What is said, by subject.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub enum Body {
    /// Key generation.
    Keygen(keygen::PeerMessage),
    /// Threshold signing.
    Signing(signing::PeerMessage),
}

impl Body {
    /// The session that this belongs to.
    pub fn session(&self) -> SessionId {
        match self {
            Body::Keygen(message) => SessionId::Keygen(message.id().set),
            Body::Signing(message) => SessionId::Signing(message.id()),
        }
    }

    /// Names what may be said once: a signer with two different statements in one slot has
    /// equivocated. `None` for statements that may repeat with other content.
    pub fn slot(&self) -> Option<String> {
        match self {
            Body::Keygen(message) => message.slot(),
            Body::Signing(message) => message.slot(),
        }
    }

    /// Short name of the kind.
    pub fn kind(&self) -> &'static str {
        match self {
            Body::Keygen(message) => message.kind(),
            Body::Signing(message) => message.kind(),
        }
    }
}

/// One statement, before its signature.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct Statement {
    /// Encoding version, [`crate::VERSION`].
    pub version: u16,
    /// Genesis hash of the Serai chain on which the signer is a validator.
    pub genesis: BlockHash,
    /// What is said.
    pub body: Body,
}

impl Statement {
    /// The bytes that are signed.
    pub fn signing_bytes(&self) -> Vec<u8> {
        encode(self)
    }
}

/// A statement with its signer and sr25519 signature ([`STATEMENT_CONTEXT`]). Signed means only
/// that these bytes are here: whoever receives one checks it.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct SignedStatement {
    /// Who claims to say it.
    pub signer: ValidatorKey,
    /// What is said.
    pub statement: Statement,
    /// Over [`Statement::signing_bytes`].
    pub signature: SignatureBytes,
}

impl SignedStatement {
    /// Intent id: the same for each copy of this statement. Holds the slot where there is one, and
    /// otherwise the first bytes of the statement's digest.
    pub fn intent(&self) -> Option<IntentId> {
        let what = self.statement.body.slot().unwrap_or_else(|| {
            format!("{}/{}", self.statement.body.session(), hex::encode(&self.digest()[..16]))
        });
        IntentId::new(format!("{what}/{}", hex::encode(&self.signer.0[..8]))).ok()
    }

    /// Blake2b-256 of the signed bytes and the signer, not of the signature: signing the same thing
    /// twice is not saying two things.
    pub fn digest(&self) -> [u8; 32] {
        crate::keygen::digest(
            b"serai-coordinator-statement-digest",
            &(self.signer, self.statement.signing_bytes()),
        )
    }
}

/// A signed statement inside another one. It stays bytes until it is opened: statements that hold
/// statements cannot make a decoder recurse.
#[derive(Clone, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct Enclosed(Vec<u8>);

impl Enclosed {
    /// Encloses a statement.
    pub fn new(statement: &SignedStatement) -> Self {
        Self(encode(statement))
    }

    /// The statement, unchecked.
    ///
    /// # Errors
    /// [`DecodeError`] when the bytes are no signed statement.
    pub fn open(&self) -> Result<SignedStatement, DecodeError> {
        decode(&self.0)
    }
}

impl fmt::Debug for Enclosed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Enclosed({} bytes)", self.0.len())
    }
}
