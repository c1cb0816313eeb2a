//! Key generation as one member's processor does it (DESIGN section 5 and D10).
//!
//! ```text
//! Start ─────────────▶ party checked, seed drawn ─────────────▶ Commitments
//! Commitments ───────▶ proofs of knowledge verified ──────────▶ Shares | InvalidCommitments
//! Shares ────────────▶ shares verified, vault and backup ─────▶ KeyPair | InvalidShare
//! ProofPreprocesses ─▶ nonce bound and deleted ───────────────▶ ProofShare | InvalidProofShare
//! ProofShares, Proof ▶ both signatures verified ──────────────▶ Proven | InvalidProofShare
//! Judge ─────────────▶ the share opened and checked ──────────▶ Verdict
//! Confirmed ─────────▶ the set's other attempts are deleted
//! ```
//!
//! # Owns
//! The attempts that this processor takes part in, their machines, and the rule by which it takes
//! part.
//!
//! # Promises
//! Each step of an attempt happens once: what is asked again is answered with the stored answer, and
//! what is asked differently is refused. A nonce signs one message with one set of signers: the
//! transaction that stores the share deletes it. The coordinator is not trusted with either: it
//! cannot make up a party or a member's message, since each carries its author's signature.
//!
//! # Limits
//! Machines are in memory. Those of key generation are made again from the attempt's seed and the
//! stored messages; that of a proving signature is not, and then another member's [`Proof`] takes its
//! place.
//!
//! [`Proof`]: serai_messages::keygen::CoordinatorMessage::Proof

mod both;
mod handler;
mod judge;
mod machines;
mod party;
mod proof;
mod rounds;
mod statements;
mod tables;

pub use handler::{Error, Keygen, Outcome};
pub use party::{InvalidParty, check_party};
pub(crate) use rounds::half;
pub use statements::InvalidStatement;
pub use tables::MIGRATION;
