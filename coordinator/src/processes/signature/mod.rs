//! The signature process: runs the ceremonies of `serai-protocol`.
//!
//! ```text
//!  `{name}-{chain}` ──▶ ┌───────────────────────────────────────┐ ──▶ `{name}-{chain}` (sealed)
//!  `{name}-serai`   ──▶ │ actor ─▶ keygens, signings ─▶ protocol│ ──▶ `{name}-serai` (to submit, seen)
//!  network          ──▶ │   one transaction for what is at hand │ ──▶ network's outbox
//!  clock            ──▶ └───────────────────────────────────────┘ ──▶ `{name}-public`
//! ```
//!
//! # Owns
//! The conversations with this validator's processors, the key generations and signings with their
//! input logs, the relay of Serai's events to processors, the vaults as far as this validator knows
//! them, and the one door to the validator's signing key.
//!
//! # Promises
//! An input, what it changed and the effects it causes are one transaction, which inputs at hand share;
//! only then are they acknowledged. A session is its log of inputs: after a restart the pure machine is fed the log
//! again and stands where it stood, without an effect being repeated (effects wait in outboxes
//! until confirmed). MuSig nonces live in memory only, so no nonce can be used twice.
//!
//! # Limits
//! At most one batch of statements per peer waits for a set that this validator has not read from
//! Serai yet; the peer keeps and resends the rest. For a set that was read, whose key generation waits
//! for the own processor, some dozens of statements per signer are kept; likewise of things that the own
//! processor has not worked out yet. A session's log takes a bounded share of each signer.

mod actor;
mod answers;
mod check;
mod clock;
mod conversation;
pub mod driven;
mod due;
mod error;
mod events;
#[cfg(feature = "faults")]
mod faults;
mod inbound;
mod inputs;
mod intake;
mod keygens;
mod mailbox;
mod musig;
mod outlet;
mod public;
mod quota;
mod records;
mod relay;
mod running;
mod signings;
mod speaker;
mod start;
mod tables;
#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]
mod tests;
mod versions;

pub use actor::{Actor, Error, Settings, Surroundings, new};
#[cfg(feature = "faults")]
pub use faults::versions_from_environment;
pub use mailbox::Mailbox;
pub use tables::{MIGRATION, forget_relayed};
pub use versions::Spoken;
