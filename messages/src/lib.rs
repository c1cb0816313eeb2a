//! What coordinators, processors and observers say to each other.
//!
//! ```text
//!  processor ──keygen::ProcessorMessage──▶ coordinator ──Statement (signed)──▶ peer coordinator
//!  processor ◀──keygen::CoordinatorMessage── coordinator ──observation::Event──▶ `{name}-serai`
//! ```
//!
//! # Owns
//! Every type that crosses a process boundary: ids, topic names, record headers, bodies, and the
//! bytes that validators sign.
//!
//! # Promises
//! Bodies are [borsh](https://borsh.io): one value has one encoding in each version. A change to an
//! encoding that has been released raises [`VERSION`] and adds golden fixtures; `tests/` holds the
//! present ones. Programs speak a range of [`Versions`], so that validators are upgraded one by one
//! (ADR 0018). Decoding refuses trailing bytes and bodies over [`MAX_BODY_BYTES`].
//!
//! # Limits
//! Pure data: no I/O, no clock, no randomness, no signature checks (they need a key library; see
//! `serai-sr25519`).

pub mod control;
mod encoding;
mod ids;
pub mod keygen;
#[cfg(feature = "next-version")]
mod next;
pub mod observation;
pub mod planted;
mod record;
pub mod signing;
mod statement;
mod topic;
pub mod vault;
mod versions;

pub use encoding::{
    DecodeError, MAX_BODY_BYTES, OLDEST_VERSION, UnknownVersion, VERSION, decode, decode_in,
    encode, encode_in,
};
pub use ids::{
    Attempt, BlockHash, BlockNumber, Coin, Endpoint, Incarnation, IntentId, InvalidId, KeyPair,
    Name, Participant, ProcessorKey, Sequence, Session, SignatureBytes, ValidatorIndex,
    ValidatorKey, ValidatorSet, threshold,
};
pub use record::{Header, InvalidRecord, Record};
pub use statement::{
    Body, Enclosed, MAX_VALIDATORS, STATEMENT_CONTEXT, SessionId, SignedStatement, Statement,
    statement_digest,
};
pub use topic::Topic;
pub use versions::{InvalidVersions, Versions};
