//! What a validator says to other validators under its own key.
//!
//! A statement is signed once and can be shown to anyone: two different statements by one signer
//! for one [`Body::slot`] prove equivocation, whoever holds them.
//!
//! # Promises
//! A statement carries the version of its bytes, and is written in that version wherever it goes: on
//! the wire, in a record, inside another statement, in a database. So whoever holds one can show it.
//! Every version begins with the signer and the version's number.
//!
//! [`SignedStatement::digest`] is of what is said, whatever version says it: who says the same again
//! in another version, since it was upgraded, says nothing new.

use std::fmt;
use std::io::{Error, ErrorKind, Read, Result as IoResult, Write};

use borsh::{BorshDeserialize, BorshSerialize};

use crate::{
    BlockHash, DecodeError, IntentId, SignatureBytes, UnknownVersion, ValidatorKey, ValidatorSet,
    decode, encode, keygen, signing,
};

/// Schnorrkel signing context of statements.
pub const STATEMENT_CONTEXT: &[u8] = b"serai-coordinator-statement";

/// Version in whose form digests are made. It does not change with the versions that are spoken: members
/// of different programs compare digests.
const DIGEST_VERSION: u16 = 1;

/// Where the version stands in a signed statement, in all versions: after the signer.
const VERSION_AT: usize = 32;

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

/// Statements in statements in statements that are looked into: nothing that counts is deeper.
const SHOWN_DEPTH: u8 = 3;

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

    /// The set whose members it is said to.
    pub fn set(&self) -> ValidatorSet {
        match self {
            Body::Keygen(message) => message.id().set,
            Body::Signing(message) => message.id().set,
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

    /// Whether it is to be understood here: it shows no statement, and none that a statement in it shows,
    /// in a version that this build does not know.
    pub fn is_readable(&self) -> bool {
        self.shows_known(SHOWN_DEPTH)
    }

    fn shows_known(&self, depth: u8) -> bool {
        let is_known = |shown: &Enclosed| {
            !shown.is_unknown()
                // What does not decode is judged by whoever opens it.
                && (depth == 0
                    || shown.open().map_or(true, |inner| {
                        inner.statement.body.shows_known(depth - 1)
                    }))
        };
        match self {
            Body::Keygen(message) => message.enclosed().all(is_known),
            Body::Signing(message) => message.enclosed().all(is_known),
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
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Statement {
    /// Version of its bytes.
    pub version: u16,
    /// Genesis hash of the Serai chain on which the signer is a validator.
    pub genesis: BlockHash,
    /// What is said.
    pub body: Body,
}

impl Statement {
    /// The bytes that are signed, in the statement's version.
    pub fn signing_bytes(&self) -> Vec<u8> {
        encode(self)
    }
}

/// What is said, as the first version says it.
fn first_form<W: Write>(
    version: u16,
    genesis: &BlockHash,
    body: &Body,
    writer: &mut W,
) -> IoResult<()> {
    version.serialize(writer)?;
    genesis.serialize(writer)?;
    body.serialize(writer)
}

impl BorshSerialize for Statement {
    fn serialize<W: Write>(&self, writer: &mut W) -> IoResult<()> {
        #[cfg(feature = "next-version")]
        if self.version == crate::next::VERSION {
            self.version.serialize(writer)?;
            return crate::next::write(self, writer);
        }
        first_form(self.version, &self.genesis, &self.body, writer)
    }
}

impl BorshDeserialize for Statement {
    fn deserialize_reader<R: Read>(reader: &mut R) -> IoResult<Self> {
        let version = u16::deserialize_reader(reader)?;
        UnknownVersion::check(version)
            .map_err(|error| Error::new(ErrorKind::InvalidData, error))?;
        #[cfg(feature = "next-version")]
        if version == crate::next::VERSION {
            return crate::next::read(reader);
        }
        let genesis = BlockHash::deserialize_reader(reader)?;
        Ok(Self { version, genesis, body: Body::deserialize_reader(reader)? })
    }
}

/// [`SignedStatement::digest`] of what `signer` says.
pub fn statement_digest(signer: ValidatorKey, genesis: BlockHash, body: &Body) -> [u8; 32] {
    // A later version may be able to say what this form cannot: of that, and that alone, the digest is
    // to be of the form of the oldest version that can.
    let mut said = Vec::new();
    if first_form(DIGEST_VERSION, &genesis, body, &mut said).is_err() {
        said.clear();
    }
    crate::keygen::digest(b"serai-coordinator-statement-digest", &(signer, said))
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

    /// Blake2b-256 of what is said, in the first version's form, and the signer; not of the signature,
    /// nor of the version: saying the same thing twice is not saying two things.
    pub fn digest(&self) -> [u8; 32] {
        statement_digest(self.signer, self.statement.genesis, &self.statement.body)
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

    /// Bytes of the statement.
    pub fn size(&self) -> usize {
        self.0.len()
    }

    /// Whether it is in a version that this build does not know. Who shows it has done nothing wrong.
    pub fn is_unknown(&self) -> bool {
        let version = self.0.get(VERSION_AT..).and_then(|bytes| bytes.first_chunk::<2>());
        version.is_some_and(|bytes| UnknownVersion::check(u16::from_le_bytes(*bytes)).is_err())
    }
}

impl fmt::Debug for Enclosed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Enclosed({} bytes)", self.0.len())
    }
}
