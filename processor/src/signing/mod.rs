//! This processor's part in threshold signatures: preprocesses, shares, signatures.
//!
//! ```text
//! ledger ──due──▶ Ready ──▶            ◀── Preprocess, Sign, Aggregate, Judge, Signature ── coordinator
//! ```
//!
//! # Owns
//! What may be signed (things that the own ledger worked out), the preprocesses and what became of
//! each.
//!
//! # Promises
//! **A preprocess signs once** (DESIGN D6): the transaction that stores a share deletes the seed of
//! its preprocess and binds it to the messages and the signing set, for good. Asked the same again,
//! the same share is given again, also after a restart; asked anything else of it, nothing. To
//! aggregate and to judge needs no secret, so a restart loses neither.
//!
//! # Limits
//! Payments are signed [`MAX_PAYMENTS_AT_ONCE`] at a time; further ones wait in the ledger's order, also
//! where those cannot be signed: with all holders restored, say, of whom none opens what was due before.
//! Whom the coordinator names as signers, and whose preprocesses these are, it answers for: a false
//! one makes a signature that does not verify, never one of another message.

mod handler;
mod request;
mod tables;
mod vaults;
mod verdicts;

pub use handler::{Due, Error, MAX_PAYMENTS_AT_ONCE, Outcome, Signing};
pub use tables::{MIGRATION, Thing, UsedPreprocess, things, used};
