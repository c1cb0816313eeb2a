//! The signature process: runs the ceremonies of `serai-protocol`.
//!
//! ```text
//!  `{name}-{chain}` ──▶ ┌────────────────────────────────┐ ──▶ `{name}-{chain}` (sealed)
//!  `{name}-serai`   ──▶ │ actor ─▶ sessions ─▶ protocol  │ ──▶ `{name}-serai` (set_keys)
//!  network          ──▶ │   one transaction per input    │ ──▶ network's outbox
//!                       └────────────────────────────────┘ ──▶ `{name}-public`
//! ```
//!
//! # Owns
//! The conversations with this validator's processors, the sessions with their input logs, the
//! vaults as far as this validator knows them, and the one door to the validator's signing key.
//!
//! # Promises
//! An input, what it changed and the effects it causes are one transaction; only then is it
//! acknowledged. A session is its log of inputs: after a restart the pure machine is fed the log
//! again and stands where it stood, without an effect being repeated (effects wait in outboxes
//! until confirmed). MuSig nonces live in memory only, so no nonce can be used twice.
//!
//! # Limits
//! At most one batch of statements per peer waits for a set that this validator has not read from
//! Serai yet; the peer keeps and resends the rest. For a set that was read, whose key generation waits
//! for the own processor, some dozens of statements per signer are kept. A session's log takes a bounded
//! share of each signer.

mod actor;
mod answers;
mod conversation;
#[cfg(feature = "faults")]
mod faults;
mod handlers;
mod inbound;
mod intake;
mod mailbox;
mod musig;
mod public;
mod sessions;
mod tables;

pub use actor::{Actor, Error, Settings, Surroundings, new};
pub use mailbox::Mailbox;
pub use tables::MIGRATION;
